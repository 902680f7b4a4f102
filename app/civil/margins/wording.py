"""The French text of a note in the margin, where the registrar gives none. Pure; judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.civil.wording import day_words, written_date_words
from app.law.annotations import AnnotationType

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


def note_text(
    known: AnnotationType,
    *,
    authority: str,
    reference: str,
    day: str,
    before: Mapping[str, Any],
    changes: Mapping[str, Any],
) -> str:
    """« Rectification d'une erreur matérielle : n° 12, le trentième jour … Lire : nom « X » au lieu de « Y ». »

    `authority` is the court or office that decided, `before` what the act said until then.
    """
    head = f"{known.label} : n° {reference}, {day_words(date.fromisoformat(day))}, {authority}."
    told = [
        f"{FIELD[name]} {_said(name, value)} au lieu de {_said(name, before.get(name))}"
        for name, value in changes.items()
        if name in FIELD and value != before.get(name)
    ]
    return f"{head} Lire : {' ; '.join(told)}." if told else head


def annulment_line(court: str, *, reference: str, day: str) -> str:
    """What stands on an annulled act before anything else."""
    on = f" du {date.fromisoformat(day):%d/%m/%Y}" if len(day) == 10 else ""
    return (
        f"Acte ANNULÉ par jugement n° {reference}{on}, {court} : il ne prouve plus rien et aucune copie n'en est "
        "délivrée comme acte."
    )


def _said(name: str, value: Any) -> str:
    if value is None:
        return "« néant »"
    if name == "birth_date":
        return f"« {written_date_words(value, None)} »"
    return f"« {_SEX.get(value, value) if name == 'sex' else value} »"
