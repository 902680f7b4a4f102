"""What a device pulls: the rows of its areas since a position, without a gap (protocol section 7)."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson
import sqlalchemy as sa

from app.errors import problem
from app.ledger.areas import Areas
from app.ledger.bulk import is_postgresql
from app.ledger.door import Door
from app.ledger.entities import reveal, undone_merges
from app.ledger.history import forked_dots, live_values
from app.ledger.keeping import numbers_of
from app.ledger.projection import Shape
from app.ledger.senders import Sender
from app.ledger.tables import area, departure, origin
from app.ledger.untouched import said_by_database
from sync import merge
from sync.catalogue import CATALOGUE, is_uuid4, register_of
from sync.protocol import dot

FEED_CHANGED = problem(
    "feed_changed",
    409,
    "Le serveur a été restauré",
    "Relisez tout depuis 0 ; gardez les anciennes fiches jusqu'à la fin et la file d'envoi telle quelle.",
)
BAD_POSITION = problem(
    "bad_position", 400, "Position de lecture non valable", "Reprenez depuis la dernière position reçue."
)
AREA_NOT_GRANTED = problem(
    "area_not_granted", 403, "Zone non accordée", "Cet appareil ne reçoit que ses propres zones."
)

POPULATION_KINDS = ("household", "person", "visit", "question")
CIVIL_KIND = "birth"
PAGE_BYTES = 1 << 20
LEAST_BYTES, MOST_BYTES = 16 << 10, 8 << 20
MOST_VALUES = 32
CHUNK = 500
Position = tuple[int, str]


def areas_of(sender: Sender, areas: Areas, *, communes: frozenset[str]) -> list[str]:
    """The areas a grant opens: quartiers as named, a commune's quartiers and fallback, and its civil area."""
    found: set[str] = set()
    for code in sender.areas:
        if code in communes:
            found.update(areas.of_commune(code))
            found.add(f"civil:{code}")
        elif areas.id(code) is not None:
            found.add(code)
            if commune := areas.commune(code):
                found.add(f"civil:{commune}")
    return sorted(found)


def read_positions(after: Sequence[str], granted: Sequence[str]) -> dict[str, Position]:
    """`after` parameters (`<area>:<number>` or `<area>:<number>,<id>`) → positions; none = all areas from 0.

    Areas that are not granted are left in: whoever reads them is told to drop them.
    """
    if not after:
        return dict.fromkeys(granted, (0, ""))
    positions: dict[str, Position] = {}
    for each in after:
        code, _, text = each.rpartition(":")
        number, _, identity = text.partition(",")
        if (
            not number.isascii()
            or not number.isdecimal()
            or len(number) > 18
            or (identity and not is_uuid4(identity))
        ):
            raise BAD_POSITION(f"Position non valable : {each[:80]}.")
        positions[code] = (int(number), identity)
    return positions


class Feed:
    """One page of `changes` for one device, read in one snapshot."""

    def __init__(
        self, connection: sa.Connection, door: Door, sender: Sender, *, granted: Sequence[str] | None = None
    ) -> None:
        self.granted = granted
        self.connection = connection
        self.door = door
        self.sender = sender
        self.origins = {
            row.id: (row.dev, row.ep)
            for row in connection.execute(sa.select(origin.c.id, origin.c.dev, origin.c.ep))
        }
        self.own = [identity for identity, (dev, _) in self.origins.items() if dev == sender.dev]
        self.forked = forked_dots(connection)
        self.undone = undone_merges(connection)

    def page(self, positions: Mapping[str, Position], limit_bytes: int) -> Iterator[bytes]:
        """Lines of NDJSON, the last one `{"after", "more", "feed", "have"}`.

        An area that exists and is no longer granted is answered by a `drop` line and left out of `after`; one newly
        granted is named there at 0. Raises `area_not_granted` on any other, `feed_changed` beyond a counter.
        """
        granted = positions if self.granted is None else self.granted
        withdrawn = [code for code in positions if code not in granted]
        for code in withdrawn:
            if self.door.areas.id(code) is None:
                raise AREA_NOT_GRANTED(f"Zone non accordée : {code[:80]}.")
        yield from (orjson.dumps({"drop": code}) + b"\n" for code in withdrawn)
        yield from self._page({c: p for c, p in positions.items() if c not in withdrawn}, limit_bytes)

    def _page(self, positions: Mapping[str, Position], limit_bytes: int) -> Iterator[bytes]:
        counters = self._counters(positions)
        latest = self._latest(positions)
        limit = min(max(limit_bytes, LEAST_BYTES), MOST_BYTES)
        after: dict[str, int | str] = dict.fromkeys(set(self.granted or ()) - positions.keys(), 0)
        lines: list[bytes] = []
        size, more = 0, False
        for code, position in positions.items():
            reached: Position | None = None
            if more:
                after[code] = text_of(position)
                continue
            if position == (counters[code], ""):
                after[code] = counters[code]
                continue
            for (seq, identity), line in self._rows(code, position, latest=latest.get(code, {})):
                # Two entities of different kinds may bear one id: a position cannot stand between them.
                if lines and size + len(line) > limit and (seq, identity) != reached:
                    more = True
                    break
                lines.append(line)
                size += len(line)
                reached = (seq, identity)
            after[code] = text_of(reached or position) if more else counters[code]
        yield from lines
        yield (
            orjson.dumps({"after": after, "more": more, "feed": self.door.identity.feed, "have": self.have()})
            + b"\n"
        )

    def whole(self, code: str) -> Iterator[bytes]:
        """All rows of one area of the population as lines, ended like a page that says nothing of a device (a pack)."""
        seq = self._counters({code: (0, "")})[code]
        for kind in POPULATION_KINDS:
            yield from (line for _, line in self._register(kind, code, self.door.areas.number(code), (0, "")))
        yield orjson.dumps({"after": {code: seq}, "more": False, "feed": self.door.identity.feed}) + b"\n"

    def _counters(self, positions: Mapping[str, Position]) -> dict[str, int]:
        rows = self.connection.execute(
            sa.select(area.c.code, area.c.seq).where(area.c.code.in_(list(positions)))
        )
        counters = {row.code: row.seq for row in rows}
        for code, (seq, _) in positions.items():
            if seq > counters[code]:
                raise FEED_CHANGED()
        return counters

    def _latest(self, positions: Mapping[str, Position]) -> dict[str, dict[str, int]]:
        """By area and register of the population ("" = departures) the last number: most pulls find most unmoved."""
        tables = {kind: self.door.registry.shapes[kind].table for kind in POPULATION_KINDS} | {"": departure}
        last = [
            sa.select(sa.func.max(table.c.seq)).where(table.c.area == area.c.id).scalar_subquery()
            for table in tables.values()
        ]
        rows = self.connection.execute(sa.select(area.c.code, *last).where(area.c.code.in_(list(positions))))
        return {
            code: {kind: seq for kind, seq in zip(tables, found, strict=True) if seq is not None}
            for code, *found in rows
        }

    def have(self) -> dict[str, list[list[int]]]:
        """The calling device's operations this snapshot contains, by epoch."""
        rows = self.connection.execute(sa.select(origin).where(origin.c.dev == self.sender.dev))
        return {str(row.ep): numbers_of(row).to_list() for row in rows}

    def _rows(
        self, code: str, position: Position, *, latest: Mapping[str, int]
    ) -> Iterator[tuple[Position, bytes]]:
        local = self.door.areas.id(code)
        if local is None:
            return
        if code.startswith("civil:"):
            if self.own:
                yield from self._register(CIVIL_KIND, code, local, position)
            return
        moved = [kind for kind, seq in latest.items() if seq >= position[0]]
        sources = [self._register(kind, code, local, position) for kind in moved if kind]
        if "" in moved:
            sources.append(self._departures(code, local, position))
        yield from heapq.merge(*sources, key=itemgetter(0))

    def _register(
        self, kind: str, code: str, local: int, position: Position
    ) -> Iterator[tuple[Position, bytes]]:
        shape = self.door.registry.shapes[kind]
        table = shape.table
        said = said_by_database(shape, self._hidden(kind), postgresql=is_postgresql(self.connection))
        begin = f'{{"kind":"{kind}","id":"'
        area_ = f'","area":{orjson.dumps(code).decode()},"seq":'
        names = {identity: f"{dev}:{ep}:" for identity, (dev, ep) in self.origins.items()}
        columns = (table.c.seq, table.c.id, table.c.origin, table.c.n, table.c.rev, said)
        while True:
            query = sa.select(*columns).where(table.c.area == local, beyond(table, position))
            if kind == CIVIL_KIND:
                query = query.where(table.c.origin.in_(self.own))
            rows = self.connection.execute(query.order_by(table.c.seq, table.c.id).limit(CHUNK)).all()
            touched = self._lines(shape, [row[1] for row in rows if row[5] is None], code=code)
            for seq, identity, origin_, n, rev, set_ in rows:
                position = (seq, identity)
                if set_ is None:
                    yield position, touched[identity]
                    continue
                line = (
                    f'{begin}{identity}{area_}{seq},"rev":{rev},"set":{set_},"dot":"{names[origin_]}{n}"}}\n'
                )
                yield position, line.encode()
            if len(rows) < CHUNK:
                return

    def _lines(self, shape: Shape, ids: Sequence[str], *, code: str) -> dict[str, bytes]:
        """The lines of rows beside whose plain values something stands, by id."""
        if not ids:
            return {}
        table = shape.table
        rows = self.connection.execute(sa.select(table).where(table.c.id.in_(ids))).mappings()
        return {
            row["id"]: orjson.dumps(self.row(shape, dict(row), code=code), option=orjson.OPT_APPEND_NEWLINE)
            for row in rows
        }

    def _hidden(self, kind: str) -> frozenset[str]:
        return CATALOGUE[kind].hidden_from_agents if self.sender.role == "agent" else frozenset()

    def _departures(self, code: str, local: int, position: Position) -> Iterator[tuple[Position, bytes]]:
        query = sa.select(departure).where(departure.c.area == local, beyond(departure, position))
        for row in self.connection.execute(query.order_by(departure.c.seq, departure.c.id)).mappings():
            if row["kind"] in POPULATION_KINDS:
                line = {
                    "leave": row["id"],
                    "kind": row["kind"],
                    "area": code,
                    "seq": row["seq"],
                    "rev": row["rev"],
                }
                yield (row["seq"], str(row["id"])), orjson.dumps(line) + b"\n"

    def row(self, shape: Shape, row: Mapping[str, Any], *, code: str) -> dict[str, Any]:
        """One row as sent: provisional values, the dots behind them, and what stands beside them."""
        hidden = self._hidden(shape.kind)
        row = reveal(shape, row, forked=self.forked)
        shown = {name: value for name, value in shape.values_of(row).items() if name not in hidden}
        sent: dict[str, Any] = {
            "kind": shape.kind,
            "id": row["id"],
            "area": code,
            "seq": row["seq"],
            "rev": row["rev"],
            "set": shown,
            "dot": dot(*self.origins[row["origin"]], row["n"]),
        }
        if row["registers"] is not None:
            registers = merge.unpack(orjson.loads(row["registers"]))
            self._tell_dots(sent, registers)
            self._tell_standing(sent, row, registers, hidden=hidden)
        doubtful = [name for name in shape.doubtful(row) if name not in hidden]
        if doubtful:
            sent["doubtful"] = doubtful
        return sent

    def _tell_dots(self, sent: dict[str, Any], registers: merge.Registers) -> None:
        """`dot` is the one behind most registers, the least where several are: it does not hang on what came first."""
        live = {
            name: sorted({w.dot for w in merge.live(register_of(sent["kind"], name), writes, self.forked)})
            for name, writes in sorted(registers.items())
            if name != merge.ENTITY
        }
        alone = Counter(dots[0] for dots in live.values() if len(dots) == 1)
        every = {each for dots in live.values() for each in dots}
        if every:
            sent["dot"] = min(every, key=lambda each: (-alone[each], each))
        elif merge.ENTITY in registers:
            # Nothing was written here but acts on the entity: there is no value a dot could belong to.
            del sent["dot"]
        dots: dict[str, list[str]] = {}
        for name, found in live.items():
            for each in found if found != [sent["dot"]] else ():
                dots.setdefault(each, []).append(name)
        if dots:
            sent["dots"] = dots

    def _tell_standing(
        self,
        sent: dict[str, Any],
        row: Mapping[str, Any],
        registers: merge.Registers,
        *,
        hidden: frozenset[str],
    ) -> None:
        """Where the entity is hidden or shown elsewhere, that; else its open cases."""
        if row["merged_into"] is not None:
            sent["merged_into"] = row["merged_into"]
            sent.pop("dots", None)
        elif row["void"]:
            sent["void"] = True
        else:
            self._tell_conflicts(sent, registers, hidden)

    def _tell_conflicts(
        self, sent: dict[str, Any], registers: merge.Registers, hidden: frozenset[str]
    ) -> None:
        cases = live_values(
            sent["kind"], registers, identity=sent["id"], forked=self.forked, undone=self.undone
        )
        for name, values in cases.items():
            if name in hidden:
                continue
            kept = [_without(value, hidden) for value in values[:MOST_VALUES]]
            sent.setdefault("conflict", {})[name] = kept
            if len(values) > MOST_VALUES:
                sent["more_values"] = True


def _without(value: dict[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    if hidden and isinstance(value["value"], dict):
        return {**value, "value": {name: each for name, each in value["value"].items() if name not in hidden}}
    return value


def beyond(table: sa.Table, position: Position) -> sa.ColumnElement[bool]:
    """The rows after a position of their area."""
    seq, identity = position
    if not identity:
        return table.c.seq > seq
    return sa.or_(table.c.seq > seq, sa.and_(table.c.seq == seq, table.c.id > identity))


def text_of(position: Position) -> int | str:
    """A position as `after` carries it."""
    seq, identity = position
    return f"{seq},{identity}" if identity else seq
