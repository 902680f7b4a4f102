"""One row of a file against the mapping, the rules of the reprise and the rows before it: the paper act, or what is
wrong, cell by cell. Asks the register nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.civil.projector import number_key
from app.civil.reprise import Line, paper_line
from app.civil.takeover.mapping import Plan
from app.civil.takeover.reading import Sheet, text_of
from app.civil.takeover.translating import NotRead, value_of
from app.ledger.door import Door

CONSTANT = "(constante de la correspondance)"
_PLACE = ("office", "year", "volume", "number")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one cell: the row as the spreadsheet numbers it, the column's heading, the field, what was found
    and what is expected (French)."""

    row: int
    heading: str
    field: str
    found: str
    expected: str

    def told(self, sheet: str | None) -> dict[str, Any]:
        """As REST and the command line show it."""
        found = f"trouvé « {self.found} »" if self.found else "rien trouvé"
        where = f"feuille « {sheet} », " if sheet is not None else ""
        said = f"{where}ligne {self.row}, colonne « {self.heading} » : {found} ; attendu : {self.expected}"
        members = ("row", "heading", "field", "found", "expected")
        message = said[0].upper() + said[1:] + ("" if said.endswith(".") else ".")
        return {"sheet": sheet, **{name: getattr(self, name) for name in members}, "message": message}


@dataclass(frozen=True, slots=True)
class Keyed:
    """One row as somebody keyed it: the members of a paper act, the text of each filled cell by field, and the cells
    that could not be read."""

    row: int
    act: dict[str, Any]
    cells: dict[str, str]
    faults: list[Fault]

    @property
    def key(self) -> str | None:
        """Its number in the books, as the register keeps it; None where a part of it cannot be read."""
        values = {name: self.act.get(name) for name in _PLACE}
        return number_key(values)


class Pages:
    """The rows of a sheet under a mapping. Raises `mapping_invalid` (422) where they do not fit."""

    def __init__(self, sheet: Sheet, plan: Plan) -> None:
        self.sheet = sheet
        self._bound = plan.bound(sheet.headings)
        self._constants = plan.constants
        self.headings = {
            each.field: name for _, name, each in reversed(self._bound) if each.field is not None
        }

    def __iter__(self) -> Iterator[Keyed]:
        for row, cells in self.sheet.rows():
            keyed = Keyed(row, {}, dict(self._constants), [])
            for field, text in self._constants.items():
                self._put(keyed, field, text, text=text, heading=CONSTANT, words={})
            for at, heading, column in self._bound:
                text = text_of(cells[at]) if at < len(cells) else ""
                if text and column.field is not None:
                    self._put(keyed, column.field, cells[at], text=text, heading=heading, words=column.words)
            yield keyed

    def fault(self, keyed: Keyed, field: str, *, expected: str) -> Fault:
        """Something wrong with a field of this row."""
        heading = self.headings.get(field) or (CONSTANT if field in self._constants else field)
        return Fault(keyed.row, heading, field, keyed.cells.get(field, ""), expected)

    @staticmethod
    def _put(
        keyed: Keyed, field: str, cell: Any, *, text: str, heading: str, words: Mapping[str, str]
    ) -> None:
        keyed.cells[field] = text
        try:
            value = value_of(field, cell, text=text, words=words)
        except NotRead as error:
            keyed.faults.append(Fault(keyed.row, heading, field, text, str(error)))
            return
        part, _, name = field.partition(".")
        if name:
            keyed.act.setdefault(part, {})[name] = value
        elif field == "witnesses":
            keyed.act.setdefault(field, []).extend(value)
        else:
            keyed.act[field] = value


class Checker:
    """Judges the rows of one file in their order; `communes` are those the officer keys for, None = all."""

    def __init__(self, pages: Pages, door: Door, *, communes: frozenset[str] | None, today: date) -> None:
        self._pages = pages
        self._door = door
        self._communes = communes
        self._today = today
        self._rows: dict[str, int] = {}

    def seen(self, keyed: Keyed) -> int | None:
        """The row above that bears the same number; None where this is the first."""
        if keyed.key is None:
            return None
        before = self._rows.setdefault(keyed.key, keyed.row)
        return before if before != keyed.row else None

    def judged(self, connection: sa.Connection, keyed: Keyed) -> tuple[Line | None, list[Fault]]:
        """The act of a row, None where something is wrong with it; and what."""
        faults = list(keyed.faults)
        unread = {fault.field for fault in faults}
        line, found = paper_line(
            connection,
            keyed.act,
            at=keyed.row,
            door=self._door,
            communes=self._communes,
            today=self._today,
        )
        faults += [
            self._pages.fault(keyed, each["field"], expected=each["message"])
            for each in found
            if each["field"] not in unread
        ]
        if before := self.seen(keyed):
            said = f"un numéro qui n'est pas déjà à la ligne {before}"
            faults.append(self._pages.fault(keyed, "number", expected=said))
        return (None if faults else line), faults
