"""Under which keys a record is kept, and under which others are sought that may tell of the same person. Pure: numbers
out, no database. Keys only find candidates; what they have in common is the question of compare.py.

A key joins what rarely fails with something that narrows: an element of the name with the month or year of birth, two
elements without any date, the mother's record, two elements of her name with the year. So one element misspelt or
missing, another order, a wrong date or another commune still leaves a key in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from hashlib import blake2b
from itertools import combinations

from app.population.duplicates.record import Record
from app.population.names import name_key, tokens

MOST_ELEMENTS = 6
MOST_MONTHS = 24
MONTH = timedelta(days=31)
ANY = "?"


def kept_under(record: Record) -> frozenset[int]:
    """The keys (signed 64 bits) under which a record is found."""
    return frozenset(_number(record.of, key) for key in _keys(record, sought=False))


def sought_under(record: Record) -> frozenset[int]:
    """The keys under which records stand that may tell of the same person."""
    return frozenset(_number(record.of, key) for key in _keys(record, sought=True))


def _keys(record: Record, *, sought: bool) -> Iterator[str]:
    elements = tokens(record.nom, record.postnom, record.prenom)[:MOST_ELEMENTS]
    for when in _periods(record, sought=sought):
        for element in elements:
            yield f"name {element} {when}"
    for one, other in combinations(elements, 2):
        yield f"names {one} {other}"
    if record.mother is not None:
        yield f"mother {record.mother}"
    mother = sorted(set(name_key(record.mother_name or "").split()))[:MOST_ELEMENTS]
    for year in _years(record, sought=sought):
        for one, other in combinations(mother, 2):
            yield f"mother {one} {other} {year}"


def _periods(record: Record, *, sought: bool) -> Iterable[str]:
    """Months of an exact record, years of one known less exactly, ANY for one without a date.

    Whoever seeks looks around his month, in its years for records without a month, and among those without a date.
    """
    if record.days is None:
        return [ANY]
    first, last = record.days
    exact = (last - first) <= MONTH
    if not sought:
        return _months(first, first) if exact else _span_of_years(first, last)
    around = _months(_shifted(first, -MONTH), _shifted(last, MONTH))[:MOST_MONTHS]
    return [*around, *_span_of_years(_shifted(first, -MONTH), _shifted(last, MONTH)), ANY]


def _years(record: Record, *, sought: bool) -> Iterable[str]:
    if record.days is None:
        return []
    first, last = record.days
    return (
        _span_of_years(_shifted(first, -MONTH), _shifted(last, MONTH))
        if sought
        else _span_of_years(first, last)
    )


def _months(first: date, last: date) -> list[str]:
    return [
        f"{month // 12:04d}-{month % 12 + 1:02d}"
        for month in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    ]


def _span_of_years(first: date, last: date) -> list[str]:
    return [f"{year:04d}" for year in range(first.year, last.year + 1)]


def _shifted(day: date, by: timedelta) -> date:
    try:
        return day + by
    except OverflowError:
        return day


def _number(of: str, key: str) -> int:
    return int.from_bytes(blake2b(f"{of} {key}".encode(), digest_size=8).digest(), "big", signed=True)
