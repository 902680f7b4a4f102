"""Where an officer sits when he reads or changes records: his node's door, his jurisdiction, and the journal that
notes every person he is shown. Knows no HTTP and no field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.access.journal import record_reads
from app.access.jurisdiction import communes_of, require
from app.access.officers import Officer
from app.errors import INVALID_INPUT, Problem
from app.ledger.door import Door

Row = Mapping[str, Any]


def invalid(field: str, message: str) -> Problem:
    """`invalid_input` (422) about one field, in the form schemas answer."""
    return INVALID_INPUT(f"À corriger : {field}.", errors=[{"field": field, "message": message}])


@dataclass(frozen=True, slots=True)
class Desk:
    """One call of one officer; `route` is its name in the journal ("GET /v1/persons/{id}"), `at` its moment."""

    door: Door
    officer: Officer
    kind: str
    at: datetime
    route: str

    @property
    def home(self) -> str | None:
        """The commune this officer works for: his own, else that of the node."""
        return self.officer.commune or self.door.standing.commune

    def commune_of(self, row: Row) -> str | None:
        """The commune a stored record lies in."""
        return self.door.areas.commune(self.door.areas.code(row["area"]))

    def require(self, commune: str | None) -> None:
        """Raise `other_commune` (403) unless the officer sees that commune."""
        require(self.officer, commune, node_kind=self.kind)

    def areas(self, commune: str | None, quartier: str | None) -> list[int] | None:
        """The areas of a list: those asked for within the officer's communes; None = all there are.

        Raises `invalid_input` for a code that does not exist, `other_commune` (403) for one that is not his.
        """
        areas, territory = self.door.areas, self.door.territory
        if commune is not None:
            if commune not in territory.communes:
                raise invalid("commune", "Code de commune inconnu.")
            self.require(commune)
        if quartier is not None:
            home = territory.commune_of(quartier)
            if home is None or (commune is not None and home != commune):
                raise invalid("quartier", "Code de quartier inconnu, ou d'une autre commune.")
            self.require(home)
            found = areas.id(quartier)
            return [found] if found is not None else []
        wanted = frozenset({commune}) if commune is not None else communes_of(self.officer, self.kind)
        return None if wanted is None else sorted(areas.ids_of(wanted))

    def within(
        self, query: sa.Select[Any], column: sa.ColumnElement[Any], *, area: str | None = None
    ) -> sa.Select[Any]:
        """The query narrowed to the officer's communes, and to one area where a code is given (unknown: nothing)."""
        communes = communes_of(self.officer, self.kind)
        if communes is not None:
            query = query.where(column.in_(self.door.areas.ids_of(communes)))
        return query if area is None else query.where(column == self.door.areas.id(area))

    def journal(self, connection: sa.Connection, rows: Iterable[Row]) -> None:
        """Note that these persons' records were shown; part of the transaction that read them."""
        self.journal_of(connection, [("person", row["id"], self.commune_of(row)) for row in rows])

    def journal_of(self, connection: sa.Connection, shown: Collection[tuple[str, str, str | None]]) -> None:
        """The same of records of several kinds: each (kind, id, commune)."""
        record_reads(connection, self.officer, shown=shown, route=self.route, at=self.at)
