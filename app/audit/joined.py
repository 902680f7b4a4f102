"""The rows of entities that acts concern: voided, merged, parted again. Compared together at the end of the audit: what
one row shows depends on the writes of others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from app.audit import refold
from app.audit.compare import Comparison
from app.audit.refold import ENTITY, Told
from app.audit.report import said
from app.audit.shapes import AREA, MERGED, VOIDED, Shape, due_area, short
from app.audit.standing import Standing, stand

Row = sa.Row[Any]


class Joined:
    """The comparison of such rows; `undone` are the dots of all merges that unmerges name."""

    def __init__(self, comparison: Comparison, *, forked: Collection[str], undone: Collection[str]) -> None:
        self._comparison = comparison
        self._forked = forked
        self._undone = undone

    def compare(self, kind: str, *, rows: Mapping[str, Row], known: Mapping[str, list[Told]]) -> None:
        """Compare the rows of one kind: `known` are the operations of each id, `rows` the stored rows by id."""
        shape = self._comparison.shape(kind)
        own = {identity: refold.gather(tolds) for identity, tolds in known.items()}
        for registers in own.values():
            # The mark of a row that acts concern: with nothing else in it, it counts for nothing.
            registers.setdefault(ENTITY, [])
        standing = stand(kind, own, undone=self._undone, forked=self._forked)
        together: dict[str, list[Told]] = defaultdict(list)
        for identity, tolds in known.items():
            together[standing[identity].shown] += tolds
        for identity, row in rows.items():
            self._row(shape, kind, row, standing[identity], rows=rows, together=together[identity])

    def _row(
        self,
        shape: Shape,
        kind: str,
        row: Row,
        stands: Standing,
        *,
        rows: Mapping[str, Row],
        together: list[Told],
    ) -> None:
        comparison, identity = self._comparison, str(row[0])
        registers = dict(sorted(stands.registers.items()))
        comparison.compare_registers(kind, row, registers=registers)
        away = stands.hidden or stands.shown != identity
        self._column(kind, row, "void", row[VOIDED] or None, stands.hidden or None)
        self._column(
            kind, row, "merged_into", row[MERGED], stands.shown if stands.shown != identity else None
        )
        values = refold.shown(kind, registers, forked=self._forked)
        clean = comparison.compare_values(shape, kind, row=row, values={} if away else values)
        if stands.shown != identity:
            shown = rows.get(stands.shown)
            if shown is not None and shown[AREA] != row[AREA]:
                comparison.say(
                    kind, row, text="ne se trouve pas dans la zone de l'entité qui la montre", of="area"
                )
            return
        if stands.hidden:
            self._hidden_area(shape, kind, row, values)
            return
        if registers.keys() != {ENTITY}:
            comparison.count(kind, row, clean=clean)
            comparison.check_area(kind, row, clean=clean, tolds=together)
        cases = refold.open_registers(kind, registers, forked=self._forked) | dict.fromkeys(stands.cases, 1)
        for name, weight in cases.items():
            comparison.open_cases[short(kind), identity, short(name)] = weight

    def _hidden_area(self, shape: Shape, kind: str, row: Row, values: dict[str, Any]) -> None:
        """A hidden entity lies where its values put it; where it followed a household, that is not looked at."""
        due = due_area(kind, shape.split(values)[0])
        held = self._comparison.areas.get(row[AREA])
        if due is not None and held != due:
            text = f"zone {held} dans la table, {due} d'après les opérations"
            self._comparison.say(kind, row, text=text, of="area")

    def _column(self, kind: str, row: Row, name: str, held: object, due: object) -> None:
        if held != due:
            text = f"{name} vaut {said(held)} dans la table, {said(due)} d'après les opérations"
            self._comparison.say(kind, row, text=text)
