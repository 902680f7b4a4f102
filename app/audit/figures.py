"""The rollups counted a second time, from the values the audit folded itself: who is a resident, what a visit, a
household and an act count for. Compares every cell and names the first that differs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa

from app.audit.report import Findings
from app.audit.shapes import Values, place_of, reflect

ROLLUPS = ("population_cell", "nationality_cell", "census_cell", "birth_cell", "birth_year")
Key = tuple[str | int, ...]


def _year(date: str) -> int:
    return int(date[:4]) if date else 0


def _month(date: str) -> int:
    return int(date[5:7]) if len(date) >= 7 else 0


def _counted_act(facts: Any) -> bool:
    """Whether these are facts an act can count by: a year of four figures at most, dates, short texts."""
    if not isinstance(facts, dict):
        return False
    for name in ("commune", "delay", "sex", "mode", "mother_quartier", "registered_on", "birth_date"):
        if not isinstance(facts.get(name, ""), str) or len(facts.get(name, "")) > 100:
            return False
    for name in ("registered_on", "birth_date"):
        if name in facts and re.fullmatch("[0-9]{4}(-[0-9]{2}){0,2}", facts[name]) is None:
            return False
    year = facts.get("year")
    return isinstance(year, int) and not isinstance(year, bool) and 1 <= year <= 9999


class Recount:
    """The cells as they must be, filled entity by entity."""

    def __init__(self, *, commune_of: Callable[[str], str | None], communes: Collection[str]) -> None:
        self.cells: dict[str, Counter[Key]] = {name: Counter() for name in ROLLUPS}
        self._commune_of = commune_of
        self._communes = communes
        self._places: dict[str, tuple[str, str]] = {}

    def add(self, kind: str, clean: Values, *, area: str) -> None:
        """Count one entity with these clean values lying in this area."""
        place = self._places.get(area)
        if place is None:
            place = place_of(area, commune_of=self._commune_of, communes=self._communes)
            self._places[area] = place
        if kind == "person":
            self._person(clean, place)
        elif kind == "household":
            self.cells["census_cell"][*place, "households"] += 1
        elif kind == "visit" and "outcome" in clean:
            self.cells["census_cell"][*place, clean["outcome"]] += 1
        elif kind == "act":
            self._act(clean, place, 1)
        elif kind == "annotation" and clean.get("type") == "annulment" and _counted_act(clean.get("facts")):
            self._act(clean["facts"], place, -1)

    def _person(self, clean: Values, place: tuple[str, str]) -> None:
        """A resident is a person not said to be dead or to have moved away."""
        if clean.get("status") in ("dead", "moved"):
            return
        without_act = int(clean.get("birth_act") == "none")
        year = _year(clean.get("birth_date", ""))
        self.cells["population_cell"][*place, clean.get("sex", ""), year, without_act] += 1
        self.cells["census_cell"][*place, "persons"] += 1
        said = clean.get("nationality", "unknown")
        group = {"CD": "national", "indeterminate": said, "unknown": said}.get(said, "foreign")
        self.cells["nationality_cell"][place[0], group] += 1

    def _act(self, clean: Values, place: tuple[str, str], births: int) -> None:
        """An act counts in its register's year and the month it was entered, and in the child's year and month; the
        note that annuls it says the same and takes it away."""
        commune = clean.get("commune", place[0])
        born, entered = clean.get("birth_date", ""), clean.get("registered_on", "")
        delay = clean.get("delay", "")
        tail = (clean.get("mother_quartier", ""), delay, clean.get("sex", ""), clean.get("mode", ""))
        register_year = int(clean.get("year", 0))
        for basis, year, month in (
            ("registration", register_year, _month(entered)),
            ("birth", _year(born), _month(born)),
        ):
            self.cells["birth_cell"][basis, commune, year, month, *tail] += births
            self.cells["birth_year"][basis, commune, year, delay] += births

    def compare(self, connection: sa.Connection, findings: Findings) -> None:
        """Compare every rollup table with the cells counted; a cell that is not there counts as 0."""
        for name in ROLLUPS:
            table = reflect(connection, name)
            keys = [column.name for column in table.primary_key.columns]
            keys = [column.name for column in table.columns if column.name in keys]
            count = next(column.name for column in table.columns if column.name not in keys)
            stored: dict[Key, Any] = {}
            for row in connection.execute(sa.select(*(table.c[k] for k in keys), table.c[count])):
                stored[tuple(row[:-1])] = row[-1]
            due = self.cells[name]
            differing = [key for key in stored.keys() | due.keys() if stored.get(key, 0) != due[key]]
            for key in sorted(differing, key=str):
                cell = ", ".join(str(part) if part != "" else "?" for part in key)
                findings.add("rollup", f"{name} ({cell}) : {stored.get(key, 0)} au lieu de {due[key]}")
