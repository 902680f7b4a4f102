"""The sentence that closes a volume, in French, numbers in words and in figures. Pure: counts nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.civil.wording import day_words, number_words


def closing_statement(book: Mapping[str, Any], closed: Mapping[str, Any], *, office: str | None) -> str:
    """The closing statement of a volume.

    `book` has office (its code), year and volume; `closed` has acts, last_number, closed_on (AAAA-MM-JJ) and
    closed_name; `office` is the office's name.
    """
    acts, last = closed["acts"], closed["last_number"]
    named = f"{office} ({book['office']})" if office else str(book["office"])
    number = f"{number_words(acts)} ({acts})"
    held = "ne contient aucun acte"
    if acts:
        held = f"contient {number} acte{'s' if acts > 1 else ''} de naissance, le dernier portant le numéro {last}"
    return (
        f"Le volume {book['volume']} du registre des actes de naissance de l'année {book['year']}, tenu au bureau "
        f"{named}, {held}. Clos et arrêté par nous, {closed['closed_name']}, officier de l'état civil, "
        f"{day_words(date.fromisoformat(closed['closed_on']))}."
    )
