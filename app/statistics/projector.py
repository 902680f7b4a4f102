"""What one row counts for: the cells of the rollups that the door adds for a row after a change and subtracts for the
row before it. Pure and hot; reads no table. Codes count as written: old quartier codes are joined on reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from app.ledger.projection import Cell, Values
from app.statistics.tables import birth_cell, birth_year, census_cell, nationality_cell, population_cell
from app.territory.places import Territory

ROLLUPS: dict[str, sa.Table] = {
    table.name: table for table in (population_cell, nationality_cell, census_cell, birth_cell, birth_year)
}

NATIONAL = "CD"
GONE = frozenset({"moved", "dead"})
NATIONALITY_GROUPS = ("national", "foreign", "indeterminate", "unknown")

# The fields the countings below look at, and how many letters of each (None = all): what may be counted together.
COUNTED: Mapping[str, Mapping[str, int | None]] = {
    "person": {"status": None, "birth_date": 4, "sex": None, "birth_act": None, "nationality": None},
    "household": {},
    "visit": {"outcome": None},
}

Count = tuple[str, tuple[Any, ...], int]
Place = tuple[str, str]
NOWHERE: Place = ("", "")


class _Months(dict[str, tuple[int, int]]):
    """(year, month or 0) of a clean date cut to seven letters, remembered: there are few, and finding is cheaper."""

    def __missing__(self, text: str) -> tuple[int, int]:
        found = self[text] = (int(text[:4] or 0), int(text[5:7] or 0))
        return found


_MONTHS = _Months()


def make_cells(territory: Territory) -> Cell:
    """The counting of all kinds: `cells(kind, clean values, area code)` gives (rollup, key, 1) for each cell.

    The key is in the order of the rollup's primary key. An area outside the territory counts in commune '' and
    quartier ''. Other kinds count for nothing.
    """
    places = _places(territory)
    counters: Mapping[str, Callable[[Values, Place], Iterable[Count]]] = {
        "person": _person_counter(places.values()),
        "household": _household,
        "visit": _visit,
        "act": _act,
        "annotation": _annotation,
    }
    counter, place = counters.get, places.get

    def _cells(kind: str, values: Values, area: str) -> Iterable[Count]:
        count = counter(kind)
        return () if count is None else count(values, place(area, NOWHERE))

    return _cells


def _places(territory: Territory) -> dict[str, Place]:
    """Area code → (commune, quartier or '')."""
    found: dict[str, Place] = {code: (territory.commune_of(code) or "", code) for code in territory.quartiers}
    for commune in territory.communes:
        found[f"commune:{commune}"] = found[f"civil:{commune}"] = (commune, "")
    return found


def _person_counter(places: Iterable[Place]) -> Callable[[Values, Place], Iterable[Count]]:
    """A resident is anyone not said to have moved away or died. Two of the three cells depend on little: made ahead."""
    every = {NOWHERE, *places}
    persons: dict[Place, Count] = {place: ("census_cell", (*place, "persons"), 1) for place in every}
    national, foreign, indeterminate, unknown = (
        {place: ("nationality_cell", (place[0], group), 1) for place in every} for group in NATIONALITY_GROUPS
    )
    groups = {NATIONAL: national, "indeterminate": indeterminate, None: unknown}
    months = _MONTHS

    def person(values: Values, place: Place) -> Iterable[Count]:
        get = values.get
        if get("status") in GONE:
            return ()
        year, _ = months[get("birth_date", "")[:7]]
        key = (*place, get("sex", ""), year, 1 if get("birth_act") == "none" else 0)
        nationality = groups.get(get("nationality"), foreign)[place]
        return (("population_cell", key, 1), nationality, persons[place])

    return person


def _household(values: Values, place: Place) -> Iterable[Count]:
    return (("census_cell", (*place, "households"), 1),)


def _visit(values: Values, place: Place) -> Iterable[Count]:
    outcome = values.get("outcome")
    return () if outcome is None else (("census_cell", (*place, outcome), 1),)


def _act(values: Values, place: Place) -> Iterable[Count]:
    """By registration: the register's year and the month of entry. By birth: the child's year and month."""
    get = values.get
    commune = get("commune") or place[0]
    year, delay = int(get("year", 0)), get("delay", "")
    _, entered = _MONTHS[get("registered_on", "")[:7]]
    born, birth_month = _MONTHS[get("birth_date", "")[:7]]
    quartier, sex, mode = get("mother_quartier", ""), get("sex", ""), get("mode", "")
    return (
        ("birth_cell", ("registration", commune, year, entered, quartier, delay, sex, mode), 1),
        ("birth_cell", ("birth", commune, born, birth_month, quartier, delay, sex, mode), 1),
        ("birth_year", ("registration", commune, year, delay), 1),
        ("birth_year", ("birth", commune, born, delay), 1),
    )


_ANNULLED_TEXTS = ("commune", "delay", "sex", "mode", "mother_quartier")
_ANNULLED_DATES = ("registered_on", "birth_date")
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


def _annotation(values: Values, place: Place) -> Iterable[Count]:
    """The note that annuls an act takes away what the act counts for; facts no act can have take away nothing."""
    facts = values.get("facts")
    if values.get("type") != "annulment" or not isinstance(facts, dict):
        return ()
    year = facts.get("year")
    texts = [facts.get(name, "") for name in _ANNULLED_TEXTS]
    dates = [facts.get(name, "0000") for name in _ANNULLED_DATES]
    if type(year) is not int or not 1 <= year <= 9999:
        return ()
    if not all(type(text) is str and len(text) <= 100 for text in (*texts, *dates)):
        return ()
    if not all(_DATE.fullmatch(day) for day in dates):
        return ()
    return tuple((table, key, -count) for table, key, count in _act(facts, place))
