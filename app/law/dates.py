"""Which days an imprecise date of birth may mean. Reads the forms 1987, 1987-05 and 1987-05-03; decides nothing
about delays."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from app.law.parameters import Law, law

WRITTEN = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
# How many characters of a date each precision lets stand: a date longer than its precision is cut to it.
KEPT = {"year": 4, "month": 7, "day": 10, "estimated": 10}


class PossibleDays(NamedTuple):
    """The earliest and the latest day, both included."""

    earliest: date
    latest: date

    @property
    def exact(self) -> bool:
        """Whether only one day is possible."""
        return self.earliest == self.latest


def possible_days(birth_date: str | None, precision: str | None, *, declared_on: date) -> PossibleDays | None:
    """The days of birth that a written date and its precision {day, month, year, estimated, unknown} allow.

    None when the date is missing or its precision is `unknown`. An estimate is widened by the months of
    the topic `estimates`. Nothing after the declaration is possible; only where every day would be after it,
    the days come back as written (a contradiction, which `delay_of` calls undetermined). Without a precision the
    written length counts. Raises ValueError on text that is no date of these forms and on an unknown precision.
    """
    if birth_date is None or precision == "unknown":
        return None
    span = _span(birth_date, precision, law())
    if span.latest <= declared_on or span.earliest > declared_on:
        return span
    return PossibleDays(span.earliest, declared_on)


@lru_cache(maxsize=4096)
def _span(text: str, precision: str | None, applied: Law) -> PossibleDays:
    if precision is not None and precision not in KEPT:
        raise ValueError(f"unknown precision: {precision[:40]!r}")
    _read(text)  # what is cut off must be a real day too: 1987-02-30 is no date of any precision
    exact = _read(text[: KEPT.get(precision or "day", 10)])
    if precision != "estimated":
        return exact
    written = {4: "year", 7: "month", 10: "day"}[len(text)]
    months = estimate_margins(applied)[written]
    return PossibleDays(_months_later(exact.earliest, -months), _months_later(exact.latest, months))


def _read(text: str) -> PossibleDays:
    found = WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"not a date: {text[:40]!r}")
    year, month, day = (int(part) if part else None for part in found.groups())
    if year is None or year == 0:
        raise ValueError(f"not a year: {text[:40]!r}")
    if month is None:
        return PossibleDays(date(year, 1, 1), date(year, 12, 31))
    if day is None:
        first = date(year, month, 1)
        return PossibleDays(first, first.replace(day=monthrange(year, month)[1]))
    return PossibleDays(date(year, month, day), date(year, month, day))


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year < date.min.year:
        return date.min
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def estimate_margins(applied: Law) -> dict[str, int]:
    """Months either way of an estimate of which a year, a month or a day is written."""
    return {each.code: each.whole("months") or 0 for each in applied.all("estimates")}
