"""A cell of a paper register's spreadsheet as the value of a field: dates JJ/MM/AAAA, numbers, French words for codes.
Form only; whether the value can be true is the reprise's question."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time
from functools import lru_cache
from importlib.resources import files
from typing import Any

from app.civil.takeover.reading import Cell
from app.territory.countries import COUNTRIES

FULL_DATES = frozenset({"declared_on", "registered_on", "judgment.date"})
DATES = FULL_DATES | {"birth_date", "mother_birth_date", "father_birth_date"}
NUMBERS = frozenset({"year", "number", "order"})
NATIONALITIES = frozenset({"mother_nationality", "father_nationality"})
_FRENCH = re.compile(r"(?:(?:([0-9]{1,2})[/.\- ])?([0-9]{1,2})[/.\- ])?([0-9]{4})")
_ISO = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_TIME = re.compile(r"([0-9]{1,2})\s*[:hH]\s*([0-9]{2})?(?:\s*(?:min|mn)?)?(?::00)?")
_BETWEEN = re.compile(r"\s*[;/\n]\s*")


class NotRead(ValueError):
    """A cell that says nothing this field can hold; the text (French) is what is expected."""


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Letters and digits only, without accents or case: how headings and words are compared."""
    bare = unicodedata.normalize("NFKD", text.replace("°", "o")).casefold()
    return "".join(letter for letter in bare if letter.isalnum())


def _words() -> dict[str, dict[str, str]]:
    text = files("app.civil.takeover").joinpath("data", "values.csv").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = {}
    for line in csv.DictReader(text.splitlines(), delimiter=";"):
        known = found.setdefault(line["field"], {})
        known |= {plain(word): line["value"] for word in (line["value"], *line["words"].split("|"))}
    return found


WORDS = _words()


def value_of(field: str, cell: Cell, *, text: str, words: Mapping[str, str]) -> Any:
    """The value of a field that a filled cell holds, `text` being how it reads; `words` (plain text → value) go before
    the built-in ones.

    Raises NotRead. `witnesses` gives a list.
    """
    if words and (said := words.get(plain(text))) is not None:
        text, cell = said, said
    if field in DATES:
        return _date(cell, text, whole=field in FULL_DATES)
    if field in NUMBERS:
        return _number(text)
    if field == "birth_time":
        return _time(cell, text)
    if field == "witnesses":
        return [part for part in _BETWEEN.split(text) if part]
    return _code(field, text) if field in WORDS else text


def _code(field: str, text: str) -> str:
    found = WORDS[field].get(plain(text))
    if found is not None:
        return found
    if field in NATIONALITIES:
        if text.upper() in COUNTRIES:
            return text.upper()
        raise NotRead("congolaise, indéterminée, ou le code ISO d'un pays")
    raise NotRead(" ou ".join(sorted(set(WORDS[field].values()))))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotRead("un nombre entier")
    return int(text)


def _date(cell: Cell, text: str, *, whole: bool) -> str:
    expected = NotRead("une date JJ/MM/AAAA" if whole else "une date JJ/MM/AAAA, MM/AAAA ou AAAA")
    if isinstance(cell, datetime | date):
        return (cell.date() if isinstance(cell, datetime) else cell).isoformat()
    if _ISO.fullmatch(text):
        written = text
    elif found := _FRENCH.fullmatch(text):
        day, month, year = found.groups()
        written = "-".join(part.zfill(2) for part in (year, month, day) if part)
    else:
        raise expected
    try:
        date.fromisoformat(written + "-01-01"[: 10 - len(written)] if len(written) < 10 else written)
    except ValueError:
        raise NotRead("une date qui existe dans le calendrier (JJ/MM/AAAA)") from None
    if whole and len(written) < 10:
        raise expected
    return written


def _time(cell: Cell, text: str) -> str:
    if isinstance(cell, time):
        return f"{cell:%H:%M}"
    found = _TIME.fullmatch(text)
    if found is None or int(found[1]) > 23 or int(found[2] or 0) > 59:
        raise NotRead("une heure HH:MM ou 4h30")
    return f"{int(found[1]):02d}:{int(found[2] or 0):02d}"
