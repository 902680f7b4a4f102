"""The French text of a note in the margin, where the registrar gives none. Pure; judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.law.annotations import AnnotationType

_MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet"),
    *("août", "septembre", "octobre", "novembre", "décembre"),
)
FIELD = {
    "nom": "nom",
    "postnom": "post-nom",
    "prenom": "prénom",
    "sex": "sexe",
    "birth_date": "date de naissance",
    "birth_time": "heure de naissance",
    "birth_place": "lieu de naissance",
    "mother_name": "mère",
    "father_name": "père",
}
_SEX = {"M": "masculin", "F": "féminin"}


def french_day(text: str) -> str:
    """« 30 juin 2026 » for a date AAAA-MM-JJ; a shorter date as far as it goes."""
    if len(text) == 10:
        day = date.fromisoformat(text)
        return f"{day.day if day.day > 1 else '1er'} {_MONTHS[day.month - 1]} {day.year}"
    return f"{_MONTHS[int(text[5:7]) - 1]} {text[:4]}" if len(text) == 7 else text


def note_text(
    known: AnnotationType,
    *,
    authority: str,
    reference: str,
    day: str,
    before: Mapping[str, Any],
    changes: Mapping[str, Any],
) -> str:
    """« Rectification d'une erreur matérielle : n° 12 du 30 juin 2026, … Lire : nom « X » au lieu de « Y ». »

    `authority` is the court or office that decided, `before` what the act said until then.
    """
    head = f"{known.label} : n° {reference} du {french_day(day)}, {authority}."
    told = [
        f"{FIELD[name]} {_said(name, value)} au lieu de {_said(name, before.get(name))}"
        for name, value in changes.items()
        if name in FIELD and value != before.get(name)
    ]
    return f"{head} Lire : {' ; '.join(told)}." if told else head


def annulment_line(court: str, *, reference: str, day: str) -> str:
    """What stands on an annulled act before anything else."""
    return (
        f"Acte ANNULÉ par jugement n° {reference} du {french_day(day)}, {court} : il ne prouve plus rien "
        "et aucune copie n'en est délivrée comme acte."
    )


def _said(name: str, value: Any) -> str:
    if value is None:
        return "« néant »"
    if name == "birth_date":
        return f"« {french_day(value)} »"
    return f"« {_SEX.get(value, value) if name == 'sex' else value} »"
