"""What a verified paper must show, in French lines: the same for the command line, which has only public keys, and for
the public page. Looks nothing up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from app.clock import KINSHASA
from app.documents.seal import Paper, Signer
from app.documents.sheet import NO_ACT, TITLES, french_date

Line = tuple[str, str]
_LABELS = {
    "nom": "Nom", "postnom": "Post-nom", "prenom": "Prénom", "sex": "Sexe", "birth_date": "Date de naissance",
    "birth_place": "Lieu de naissance", "father_name": "Père", "mother_name": "Mère", "declared_on": "Déclarée le",
    "court": "Tribunal", "volume": "Volume", "act_year": "Année", "act_number": "Acte n°",
    "registered_on": "Inscrite le", "notes": "Mentions marginales",
}  # fmt: skip
_DATES = frozenset({"birth_date", "declared_on", "registered_on"})
_SEX = {"M": "masculin", "F": "féminin"}


def lines_of(paper: Paper, signer: Signer) -> list[Line]:
    """(label, value) of everything the paper must show, its number and the server that signed it included."""
    issued = datetime.fromtimestamp(paper.issued_at, UTC).astimezone(KINSHASA).date()
    lines = [
        ("Document", TITLES[paper.type]),
        ("Numéro", f"{paper.office} / {paper.year} / {paper.number}"),
        ("Délivré le", french_date(issued.isoformat())),
        *((label, _said(name, paper.facts[name])) for name, label in _LABELS.items() if name in paper.facts),
        ("Signé par", f"{signer.commune or 'province'} (clé {signer.kid})"),
    ]
    return [*lines, ("Attention", NO_ACT)] if paper.act is None else lines


def annulled_on(paper: Paper, acts: Mapping[str, str]) -> str | None:
    """«ANNULÉ …» where the paper says so itself or its act is among the annulled `acts` (fingerprint → day)."""
    said = paper.facts.get("annulled_on")
    listed = acts.get(paper.act) if paper.act is not None else None
    if said is None and listed is None:
        return None
    day = str(listed or said or "")
    return f"ANNULÉ par jugement du {french_date(day)}" if day else "ANNULÉ"


def _said(name: str, value: str | int) -> str:
    if name in _DATES:
        return _day(str(value))
    if name == "notes":
        return str(value) if value else "néant"
    return _SEX.get(str(value), str(value)) if name == "sex" else str(value)


def _day(text: str) -> str:
    try:
        return french_date(text)
    except (ValueError, IndexError):
        return text
