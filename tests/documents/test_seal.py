"""A sealed text says what the paper shows to whoever has the public key, and nothing that was altered passes."""

from __future__ import annotations

import uuid
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.documents import base45, keys
from app.documents.seal import (
    LONGEST_CODE,
    PREFIX,
    NotValid,
    Paper,
    Signer,
    fingerprint,
    read_keys,
    seal,
    verify,
)
from sync.seal import Key
from tests.conftest import TestClock
from tests.nodes import TestNode

KEY, KID = Key.generate(), str(uuid.uuid4())
SIGNERS = {KID: Signer(KID, KEY.public, "CD-KN-017")}
FACTS: dict[str, str | int] = {
    "volume": "1", "act_year": 2026, "act_number": 3, "registered_on": "2026-02-02", "nom": "Mbuyi",
    "postnom": "Kalala", "prenom": "Grâce", "sex": "F", "birth_date": "2026-01-10",
    "birth_place": "Maternité de Kintambo", "mother_name": "Kapinga Ngalula", "father_name": "Ilunga Kabongo",
    "notes": 0,
}  # fmt: skip
PAPER = Paper("extract", "CD-KN-017-01", 2026, 12, 1_770_000_000, fingerprint("act"), FACTS)
CODE = seal(PAPER, KEY, kid=KID)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)


def altered(change: Any) -> str:
    """The code with its claims changed and the old signature kept."""
    tagged = cbor2.loads(base45.decode(CODE.removeprefix(PREFIX)))
    claims = cbor2.loads(tagged.value[2])
    change(claims)
    tagged.value[2] = cbor2.dumps(claims, canonical=True)
    return PREFIX + base45.encode(cbor2.dumps(tagged))


def test_a_birth_fits_a_qr_that_a_cheap_phone_reads() -> None:
    assert 330 <= len(CODE) <= 440, len(CODE)
    assert set(CODE) <= set(base45.ALPHABET)


@given(
    st.dictionaries(st.sampled_from(["nom", "postnom", "prenom", "birth_place", "mother_name"]), TEXTS),
    st.sampled_from(["full_copy", "extract", "court_request", "receipt"]),
    st.integers(1, 10**6),
)
def test_whatever_was_sealed_is_read_as_it_was(facts: dict[str, str], kind: str, number: int) -> None:
    paper = Paper(kind, "CD-KN-017-02", 2026, number, 1_770_000_000, None, facts)
    code = seal(paper, KEY, kid=KID)
    assert verify(code, SIGNERS) == (paper, SIGNERS[KID])
    assert len(code) <= LONGEST_CODE


def test_a_long_name_is_cut_where_the_reader_can_see_it() -> None:
    paper = Paper("extract", "CD-KN-017-01", 2026, 1, 0, None, {"nom": "M" * 200})
    read, _ = verify(seal(paper, KEY, kid=KID), SIGNERS)
    assert read.facts["nom"] == "M" * 63 + "…"


def test_no_altered_byte_passes() -> None:
    token = base45.decode(CODE.removeprefix(PREFIX))
    for at in range(len(token)):
        for bit in (1, 16, 128):
            changed = bytearray(token)
            changed[at] ^= bit
            with pytest.raises(NotValid):
                verify(PREFIX + base45.encode(bytes(changed)), SIGNERS)


def test_no_altered_letter_passes() -> None:
    for at in range(len(PREFIX), len(CODE)):
        other = "0" if CODE[at] != "0" else "1"
        with pytest.raises(NotValid):
            verify(CODE[:at] + other + CODE[at + 1 :], SIGNERS)


def test_another_name_under_the_same_signature_is_refused() -> None:
    with pytest.raises(NotValid, match="signature"):
        verify(altered(lambda claims: claims[-65537].update({10: "Ilunga"})), SIGNERS)


def test_a_key_nobody_knows_and_a_key_of_another_commune_sign_nothing() -> None:
    with pytest.raises(NotValid, match="clés connues"):
        verify(CODE, {})
    with pytest.raises(NotValid, match="CD-KN-008"):
        verify(CODE, {KID: Signer(KID, KEY.public, "CD-KN-008")})
    with pytest.raises(NotValid, match="signature"):
        verify(CODE, {KID: Signer(KID, Key.generate().public, None)})


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.integers(-100, 100) | st.binary(max_size=20) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers(-7, 30), inner, max_size=4),
).map(lambda value: cbor2.dumps(cbor2.CBORTag(18, value))))  # fmt: skip
def test_any_bytes_at_all_get_a_refusal_and_never_an_accident(data: bytes) -> None:
    with pytest.raises(NotValid):
        verify(PREFIX + base45.encode(data), SIGNERS)


@given(st.text(max_size=60))
def test_any_text_at_all_is_refused_in_french(text: str) -> None:
    with pytest.raises(NotValid):
        verify(text, SIGNERS)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=5) | st.binary(max_size=14),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(1, 22), inner, max_size=4),
    )
)
def test_a_signed_text_of_any_content_is_read_or_refused(claims: Any) -> None:
    """Even a server that went mad makes no verifier fall over."""
    from cwt import COSE, COSEKey

    kid = uuid.UUID(KID).bytes
    own = COSEKey.from_pem(KEY.pem(), alg="ES256", kid=kid)
    for payload in (claims, {6: 1, -65537: claims}):
        token = COSE.new().encode(cbor2.dumps(payload), own, protected={1: -7, 4: kid})
        try:
            paper, _ = verify(PREFIX + base45.encode(token), SIGNERS)
        except NotValid:
            continue
        assert isinstance(paper.office, str)


def test_the_keys_of_a_server_are_public_and_verify_what_it_signed(
    kintambo: TestNode, clock: TestClock
) -> None:
    answer = kintambo.client.get("/v1/keys")
    assert [set(key) & {"d", "k", "p"} for key in answer.json()["keys"]] == [set()]
    own = kintambo.door.identity
    code = seal(PAPER, own.key, kid=own.dev)
    assert verify(code, read_keys(answer.json()))[0] == PAPER
    with kintambo.database.read() as connection:
        assert keys.key_set(connection, kintambo.door) == answer.json()
    nothing: list[Any] = [{}, [], None, {"keys": 1}]
    for nonsense in nothing:
        with pytest.raises(NotValid):
            read_keys(nonsense)
    assert read_keys({"keys": [1, {}, {"kid": "x"}, {"kid": KID, "kty": "EC"}]}) == {}
