"""The signed text in the QR of a document: what the paper shows, packed small, under the key of the server that issued
it (COSE_Sign1 of a CWT, RFC 9052 and 8392, in base45). Verifies with public keys alone; reads no register."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
from cwt import COSE, COSEKey
from cwt.exceptions import CWTError

from app.documents import base45
from sync.catalogue import is_uuid4
from sync.seal import BadSignature, Key, PublicKey

PREFIX = "MBK1:"
LONGEST_CODE = 4296
LONGEST_TEXT = 64
TYPES = ("full_copy", "extract", "court_request", "receipt")
# Numbers stand for names on the wire: a number is never given to another meaning.
_TYPE, _OFFICE, _YEAR, _NUMBER, _ACT = 1, 2, 3, 4, 5
_FIELDS = {
    6: "volume", 7: "act_year", 8: "act_number", 9: "registered_on", 10: "nom", 11: "postnom", 12: "prenom",
    13: "sex", 14: "birth_date", 15: "birth_place", 16: "mother_name", 17: "father_name", 18: "declared_on",
    19: "notes", 20: "annulled_on", 21: "court",
}  # fmt: skip
_WHOLE_NUMBERS = frozenset({"act_year", "act_number", "notes"})
_ISSUED_AT, _PAPER = 6, -65537
_ALG, _KID, _ES256, _SIGN1 = 1, 4, -7, 18
_COSE = COSE.new()


class NotValid(ValueError):
    """A text that no known server signed; the message says in French what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What one document shows: its type, its issue number in its office and year, and the facts printed on it.

    `act` is the fingerprint of the act (None where there is none), `facts` hold texts and whole numbers under the names
    of this module; texts longer than 64 letters end in «…». `issued_at`: seconds since 1970.
    """

    type: str
    office: str
    year: int
    number: int
    issued_at: int
    act: str | None
    facts: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Signer:
    """A server whose signature is known: its node id, key, and the commune it issues for (None = any)."""

    kid: str
    key: PublicKey
    commune: str | None


def fingerprint(act: str) -> str:
    """What names an act in a QR and on the list of annulled acts: 24 hexadecimal digits that lead back to nobody."""
    return hashlib.sha256(f"mboka act {act}".encode()).hexdigest()[:24]


def seal(paper: Paper, key: Key, *, kid: str) -> str:
    """The text of the QR. ECDSA draws at random: the same paper sealed twice gives two texts, so one is stored."""
    numbers: dict[int, Any] = {
        _TYPE: TYPES.index(paper.type),
        _OFFICE: paper.office,
        _YEAR: paper.year,
        _NUMBER: paper.number,
    }
    if paper.act is not None:
        numbers[_ACT] = bytes.fromhex(paper.act)
    numbers |= {at: _cut(paper.facts[name]) for at, name in _FIELDS.items() if name in paper.facts}
    payload = cbor2.dumps({_ISSUED_AT: paper.issued_at, _PAPER: numbers}, canonical=True)
    own = COSEKey.from_pem(key.pem(), alg="ES256", kid=uuid.UUID(kid).bytes)
    token = _COSE.encode(payload, own, protected={_ALG: _ES256, _KID: uuid.UUID(kid).bytes})
    return PREFIX + base45.encode(token)


def verify(code: str, signers: Mapping[str, Signer]) -> tuple[Paper, Signer]:
    """What the paper must show, and who signed it; `signers` by node id. Raises NotValid on anything else.

    One paper has one text: whatever `seal` would not have written itself is refused, though its signature may hold.
    """
    token = _token(code)
    kid, payload = _opened(token)
    signer = signers.get(kid)
    if signer is None:
        raise NotValid(f"La clé « {kid} » n'est pas parmi les clés connues.")
    try:
        _COSE.decode(token, _cose_key(signer))
    except (CWTError, ValueError) as error:
        raise NotValid("La signature ne tient pas : le papier ou son code a été changé.") from error
    paper = _paper(payload)
    if signer.commune is not None and not paper.office.startswith(f"{signer.commune}-"):
        raise NotValid(f"Le serveur de {signer.commune} ne délivre rien pour le bureau {paper.office}.")
    return paper, signer


def _cose_key(signer: Signer) -> Any:
    """The public key as COSE writes it (RFC 9053 section 7.1.1), named by the sixteen bytes of the node id."""
    x, y = (base64.urlsafe_b64decode(signer.key.jwk()[half] + "=") for half in "xy")
    kid = uuid.UUID(signer.kid).bytes
    return COSEKey.new({1: 2, 2: kid, 3: _ES256, -1: 1, -2: x, -3: y})


def _token(code: str) -> bytes:
    text = code.strip()
    if not text.startswith(PREFIX):
        raise NotValid(f"Ce texte n'est pas celui d'un document : il commence par « {PREFIX} ».")
    if len(text) > LONGEST_CODE:
        raise NotValid("Ce texte est trop long pour un QR.")
    try:
        return base45.decode(text.removeprefix(PREFIX))
    except base45.NotBase45 as error:
        raise NotValid("Le texte du QR est incomplet ou mal copié.") from error


def _opened(token: bytes) -> tuple[str, bytes]:
    """(node id said to have signed, payload) of a COSE_Sign1 in the one form `seal` writes."""
    try:
        tagged = cbor2.loads(token)
        protected, unprotected, payload, signature = tagged.value
        header = cbor2.loads(protected)
        kid = str(uuid.UUID(bytes=header[_KID]))
        sound = tagged.tag == _SIGN1 and header == {_ALG: _ES256, _KID: header[_KID]} and unprotected == {}
        again = cbor2.dumps(cbor2.CBORTag(_SIGN1, [protected, {}, payload, signature]))
    except _UNREADABLE as error:
        raise NotValid("Le contenu du QR est illisible.") from error
    if not sound or again != token or not is_uuid4(kid):
        raise NotValid("Le contenu du QR n'a pas la forme attendue.")
    return kid, payload


def _paper(payload: bytes) -> Paper:
    """What a signed payload says; a number this program does not know is left out: a later one may have added it."""
    try:
        claims = cbor2.loads(payload)
        said = claims[_PAPER]
        named = {name: said[at] for at, name in _FIELDS.items() if at in said}
        paper = Paper(
            TYPES[said[_TYPE]],
            said[_OFFICE],
            said[_YEAR],
            said[_NUMBER],
            claims[_ISSUED_AT],
            said[_ACT].hex() if _ACT in said else None,
            named,
        )
    except _UNREADABLE as error:
        raise NotValid("Le contenu du QR n'a pas la forme attendue.") from error
    numbers = [paper.year, paper.number, paper.issued_at, *(named[n] for n in _WHOLE_NUMBERS & named.keys())]
    texts = [paper.office, *(value for name, value in named.items() if name not in _WHOLE_NUMBERS)]
    if not all(type(each) is int for each in numbers) or not all(isinstance(each, str) for each in texts):
        raise NotValid("Le contenu du QR n'a pas la forme attendue.")
    return paper


def _cut(value: str | int) -> str | int:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[: LONGEST_TEXT - 1] + "…"
    return value


# -- the keys a verifier has ---------------------------------------------------------------------------------------


def read_keys(document: Any) -> dict[str, Signer]:
    """The signers in a JWK set as `mboka keys export` writes it; entries that are no P-256 key with a node id are left.

    Raises NotValid where it is no JWK set at all.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise NotValid("Le fichier des clés n'est pas un jeu de clés (JWK Set) de « mboka keys export ».")
    return {signer.kid: signer for signer in _signers(entries)}


def _signers(entries: Iterable[Any]) -> Iterable[Signer]:
    for entry in entries:
        kid = entry.get("kid") if isinstance(entry, Mapping) else None
        if not isinstance(kid, str) or not is_uuid4(kid):
            continue
        try:
            key = PublicKey.from_jwk(entry)
        except BadSignature:
            continue
        commune = entry.get("commune")
        yield Signer(kid, key, commune if isinstance(commune, str) else None)


# What reading bytes of a stranger may raise: wrong CBOR, wrong types, wrong lengths, depth.
_UNREADABLE = (
    cbor2.CBORDecodeError, cbor2.CBOREncodeError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    RecursionError, OverflowError, MemoryError,
)  # fmt: skip
