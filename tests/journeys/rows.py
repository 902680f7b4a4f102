"""What the independent tablet keeps of `changes`: whole pages, revisions, areas left and dropped, own work on top.
It owns no connection and no signature."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Any

from .signatures import JSON

COMPOUND = (
    ("nom", "postnom", "prenom"),
    ("birth_date", "birth_precision", "birth_words"),
    ("commune", "quartier", "avenue", "number"),
    ("lat", "lon", "accuracy"),
)
REGISTER = {name: group[0] for group in COMPOUND for name in group}

Entity = tuple[str, str]
"""kind, id"""


class CutPage(Exception):
    """A page without its last line: nothing of it may be applied."""


class FeedChanged(Exception):
    """The server counts anew: read from 0."""


@dataclass(frozen=True)
class Written:
    """One own operation: its full dot, its place (ep, n), what it is about, what it sets and which dots it replaces."""

    dot: str
    ep: int
    n: int
    about: Entity
    fields: JSON
    replaces: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Shown:
    """One value on the screen: the dot that wrote it and the value (an object for a compound register)."""

    dot: str
    value: Any


def register_of(name: str) -> str:
    """The register a field is written with; a field that stands alone is its own."""
    return REGISTER.get(name, name)


def value_of(register: str, fields: JSON) -> Any:
    """The value of a register in a set of fields: an object of all its fields where it is compound."""
    for group in COMPOUND:
        if group[0] == register:
            return {name: fields.get(name) for name in group}
    return fields.get(register)


def read_page(page: bytes) -> tuple[list[JSON], JSON]:
    """The lines of a page and its last line apart; raises CutPage when the last line did not arrive whole."""
    if not page.endswith(b"\n"):
        raise CutPage("the last line has no end")
    lines: list[JSON] = [json.loads(line) for line in page.split(b"\n")[:-1]]
    if "after" not in lines[-1]:
        raise CutPage("the last line is missing")
    return lines[:-1], lines[-1]


def apply_line(rows: dict[Entity, JSON], line: JSON, *, unsettled: Container[Entity]) -> None:
    """One line of a page: a row, an entity that left an area, or an area withdrawn; entities with own work stay."""
    if "drop" in line:
        withdrawn = [about for about, row in rows.items() if row["area"] == line["drop"]]
        for gone in withdrawn:
            if gone not in unsettled:
                del rows[gone]
        return
    about: Entity = (line["kind"], line["leave"] if "leave" in line else line["id"])
    held = rows.get(about)
    if held is not None and line["rev"] <= held["rev"]:
        return
    if "leave" not in line:
        rows[about] = line
    elif about not in unsettled:
        rows.pop(about, None)


@dataclass
class Rows:
    """The pulled rows by (kind, id), the position per area, their feed and what they contain of our own work."""

    rows: dict[Entity, JSON] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    feed: str | None = None
    have: dict[int, list[list[int]]] = field(default_factory=dict)

    def apply(self, page: bytes, *, unsettled: Container[Entity] = ()) -> bool:
        """Apply one page and its position together; True when more is to come. Raises CutPage, FeedChanged."""
        lines, last = read_page(page)
        if self.feed not in (None, last["feed"]):
            raise FeedChanged(last["feed"])
        rows = dict(self.rows)
        for line in lines:
            apply_line(rows, line, unsettled=unsettled)
        self.rows = rows
        for line in lines:
            self.after.pop(line.get("drop", ""), None)
        self.after |= {area: str(seq) for area, seq in last["after"].items()}
        self.feed = last["feed"]
        self.have = {int(ep): ranges for ep, ranges in last["have"].items()}
        return bool(last["more"])

    def contains(self, own: Written) -> bool:
        """Does the pulled snapshot contain this own operation?"""
        return any(a <= own.n <= b for a, b in self.have.get(own.ep, []))

    def on_screen(self, about: Entity, register: str, *, own: Iterable[Written] = ()) -> list[Shown]:
        """Every live value of a register: those pulled, with own operations not yet folded there on top."""
        shown = self._pulled(about, register)
        for write in own:
            touched = write.about == about and register in map(register_of, write.fields)
            if not touched or self.contains(write):
                continue
            replaced = write.replaces.get(register, ())
            shown = [value for value in shown if value.dot not in replaced]
            shown.append(Shown(write.dot, value_of(register, write.fields)))
        return shown

    def _pulled(self, about: Entity, register: str) -> list[Shown]:
        row = self.rows.get(about)
        if row is None:
            return []
        if register in row.get("conflict", {}):
            return [Shown(one["dot"], one["value"]) for one in row["conflict"][register]]
        if not any(register_of(name) == register for name in row["set"]):
            return []
        writers = [dot for dot, registers in row.get("dots", {}).items() if register in registers]
        return [Shown(dot, value_of(register, row["set"])) for dot in writers or [row["dot"]]]
