"""What a document says, as plain French lines for its template and as facts for its seal. Pure: asks no register, no
clock; how it looks is the template's business."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]
Row = tuple[str, str]

TITLES = {
    "full_copy": "Copie intégrale d'acte de naissance",
    "extract": "Extrait d'acte de naissance",
    "court_request": "Requête aux fins de jugement supplétif d'acte de naissance",
    "receipt": "Récépissé de déclaration de naissance",
}
NO_ACT = "Ne tient pas lieu d'acte de naissance"
ANNULLED = "ACTE ANNULÉ"
UNKNOWN = "—"
MISSING_SIGN = "□"
LINE_LENGTH = 400
_MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)
_SEX = {"M": "masculin", "F": "féminin"}
_MODES = {
    "direct": "déclaration directe",
    "procuration": "procuration",
    "judgment": "jugement supplétif",
    "transcription": "transcription",
}
# The signs the fonts of the program have a letter for: Latin, Greek, Cyrillic, punctuation, currencies.
_PRINTABLE = (
    (0x20, 0x7E),
    (0xA0, 0x4FF),
    (0x1E00, 0x1FFF),
    (0x2010, 0x2040),
    (0x20A0, 0x20BF),
    (0x25A1, 0x25A1),
)


@dataclass(frozen=True, slots=True)
class Issue:
    """The issue of one document: who issues it, where, when, for what, under which number of its office and year.

    `day` is AAAA-MM-JJ, `commune_name` and `officer` are names as printed, `verify_at` the address of the public page
    (empty where the server has none).
    """

    type: str
    commune_name: str
    office: str
    year: int
    number: int
    day: str
    officer: str
    purpose: str | None
    verify_at: str


def printable(text: str) -> str:
    """The text with a hollow square for each sign no font of the program has; the seal keeps the true letters."""
    kept = (_sign(letter) for letter in text)
    return "".join(kept)


def french_date(text: str | None, precision: str | None = None) -> str:
    """`2026-01-10` → «10 janvier 2026», `2026-01` → «janvier 2026», `1960` → «1960», estimated → «vers 1960»."""
    if not text:
        return UNKNOWN
    parts = text.split("-")
    said = parts[0]
    if len(parts) > 1:
        said = f"{_MONTHS[int(parts[1]) - 1]} {said}"
    if len(parts) > 2:
        day = int(parts[2])
        said = f"{'1er' if day == 1 else day} {said}"
    return f"vers {said}" if precision == "estimated" else said


def act_sheet(issue: Issue, act: Values, *, notes: Sequence[str], annulled_on: str | None) -> dict[str, Any]:
    """A full copy or an extract of an act: `act` holds the facts as they are to be read on this paper."""
    full = issue.type == "full_copy"
    text = act.get("text") if full else None
    rows = [*_child(act), *_parents(act, full=full), *_registration(act)]
    if full:
        rows += _around(act)
    return _sheet(issue) | {
        "reference": _reference(act),
        "text": _paragraphs(text),
        "rows": [] if text else _printed(rows),
        "notes": [printable(note) for note in notes],
        "annulled": f"{ANNULLED} ({french_date(annulled_on)})" if annulled_on is not None else None,
    }


def receipt_sheet(issue: Issue, birth: Values, *, delay_words: str) -> dict[str, Any]:
    """The receipt a declarant takes home: it says itself that it is no act."""
    declared = [
        ("Déclarée le", french_date(birth.get("declared_on"))),
        ("Mode", _MODES.get(birth.get("mode", ""), UNKNOWN)),
        ("Délai", delay_words),
        ("Déclarant", _text(birth, "declarant_name")),
    ]
    rows = [*_child(birth), *_parents(birth, full=False), *declared]
    return _sheet(issue) | {"rows": _printed(rows), "warning": NO_ACT}


def request_sheet(issue: Issue, birth: Values, *, court: str, requester: str | None) -> dict[str, Any]:
    """The request that brings a late birth before the court (Family Code, art. 106 to 109)."""
    rows = [
        *_child(birth),
        *_parents(birth, full=True),
        ("Déclarée le", french_date(birth.get("declared_on"))),
        ("Requérant", requester or _text(birth, "declarant_name")),
    ]
    return _sheet(issue) | {"rows": _printed(rows), "court": printable(court), "warning": NO_ACT}


def sample_sheet(kind: str) -> dict[str, Any]:
    """A sheet of this type for a made-up child, with everything on it a template may be asked to show."""
    issue = Issue(kind, "Kintambo", "CD-KN-017-01", 2026, 1, "2026-02-02", "Officier", "essai", "")
    child = {
        "nom": "Mbuyi", "postnom": "Kalala", "prenom": "Grâce", "sex": "F", "birth_date": "2026-01-10",
        "birth_place": "Kintambo", "father_name": "Ilunga", "mother_name": "Kapinga", "declared_on": "2026-01-20",
        "registered_on": "2026-02-02", "volume": "1", "folio": "1", "year": 2026, "number": 1,
    }  # fmt: skip
    if kind == "receipt":
        return receipt_sheet(issue, child, delay_words="dans les délais")
    if kind == "court_request":
        return request_sheet(issue, child, court="tribunal", requester=None)
    return act_sheet(issue, child, notes=["Mention d'essai."], annulled_on="2026-02-02")


def paper_facts(values: Values) -> dict[str, str | int]:
    """What the seal carries of an act or a declaration: what the paper shows, under the seal's names."""
    names = (
        *("volume", "registered_on", "nom", "postnom", "prenom", "sex", "birth_date", "birth_place"),
        *("mother_name", "father_name", "declared_on"),
    )
    facts: dict[str, str | int] = {name: values[name] for name in names if values.get(name)}
    if values.get("number"):
        facts |= {"act_year": values["year"], "act_number": values["number"]}
        facts.pop("declared_on", None)
    return facts


def _sheet(issue: Issue) -> dict[str, Any]:
    """What every document says; each type of sheet adds its own lines."""
    purpose = f", pour : {issue.purpose}" if issue.purpose else ""
    return {
        "type": issue.type,
        "title": TITLES[issue.type],
        "commune": issue.commune_name,
        "office": issue.office,
        "number": f"{issue.office} / {issue.year} / {issue.number}",
        "closing": printable(f"Délivré à {issue.commune_name}, le {french_date(issue.day)}{purpose}."),
        "officer": printable(issue.officer),
        "verify_at": issue.verify_at,
        "reference": [],
        "text": [],
        "rows": [],
        "notes": [],
        "annulled": None,
        "warning": None,
        "court": None,
    }


def _child(values: Values) -> list[Row]:
    born = french_date(values.get("birth_date"), values.get("birth_precision"))
    if not values.get("birth_date") and values.get("birth_words"):
        born = str(values["birth_words"])
    if values.get("birth_time"):
        born += f" à {values['birth_time'].replace(':', ' h ')}"
    return [
        ("Nom", _text(values, "nom")),
        ("Post-nom", _text(values, "postnom")),
        ("Prénom", _text(values, "prenom")),
        ("Sexe", _SEX.get(values.get("sex", ""), UNKNOWN)),
        ("Date de naissance", born),
        ("Lieu de naissance", _text(values, "birth_place")),
    ]


def _parents(values: Values, *, full: bool) -> list[Row]:
    rows: list[Row] = []
    for parent, label in (("father", "Père"), ("mother", "Mère")):
        rows.append((label, _text(values, f"{parent}_name")))
        if full:
            said = [
                *([f"né(e) : {french_date(born)}"] if (born := values.get(f"{parent}_birth_date")) else []),
                *(str(values[name]) for name in (f"{parent}_occupation", f"{parent}_residence") if values.get(name)),
            ]  # fmt: skip
            rows += [("", ", ".join(said))] if said else []
    return rows


def _registration(act: Values) -> list[Row]:
    rows = [
        ("Déclarée le", french_date(act.get("declared_on"))),
        ("Inscrite le", french_date(act.get("registered_on"))),
    ]
    if act.get("judgment_number"):
        judged = french_date(act.get("judgment_date"))
        rows.append(
            ("Jugement", f"{act['judgment_number']}, {act.get('judgment_court') or UNKNOWN}, du {judged}")
        )
    return rows


def _around(act: Values) -> list[Row]:
    """Who declared, who was there, who drew the act up: only on a full copy."""
    declarant = _text(act, "declarant_name")
    if act.get("declarant_relation"):
        declarant += f" ({act['declarant_relation']})"
    rows = [("Déclarant", declarant)]
    if witnesses := act.get("witnesses"):
        named = witnesses if isinstance(witnesses, list) else [witnesses]
        rows.append(("Témoins", ", ".join(str(each) for each in named)))
    for name, label in (("language", "Langue"), ("interpreter", "Interprète"), ("officer_name", "Officier")):
        if act.get(name):
            rows.append((label, str(act[name])))
    return rows


def _reference(act: Values) -> list[Row]:
    named = (("volume", "Volume"), ("folio", "Folio"), ("year", "Année"), ("number", "Acte n°"))
    return [(label, printable(str(act[name]))) for name, label in named if act.get(name) is not None]


def _text(values: Values, name: str) -> str:
    return str(values[name]) if values.get(name) else UNKNOWN


def _printed(rows: Sequence[Row]) -> list[Row]:
    return [(label, printable(_cut(value))) for label, value in rows]


def _cut(text: str) -> str:
    return text if len(text) <= LINE_LENGTH else text[: LINE_LENGTH - 1] + "…"


def _paragraphs(text: Any) -> list[str]:
    return [printable(each) for each in str(text).split("\n") if each.strip()] if text else []


def _sign(letter: str) -> str:
    if unicodedata.category(letter)[0] in "CZ":
        return " "
    known = any(first <= ord(letter) <= last for first, last in _PRINTABLE)
    return letter if known else MISSING_SIGN
