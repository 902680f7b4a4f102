"""Downwards from the province: every operation line of the entities of a commune's areas that changed, in one signed
answer, so that a commune gets what reached the province by other paths and nothing about other communes' families."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from app.errors import problem
from app.ledger.areas import REFERENCE, Areas
from app.ledger.brought import chains_of
from app.ledger.departures import Changed, Known, departed, lying_with, placing_registers
from app.ledger.door import Door
from app.ledger.feed import AREA_NOT_GRANTED, FEED_CHANGED, Position, beyond, text_of
from app.ledger.history import forked_dots
from app.ledger.lines import StoredLine, lines_at
from app.ledger.merging import undoing
from app.ledger.revocation import is_spoken_of
from app.ledger.senders import Sender, roles_of, senders_of
from app.ledger.tables import area, device, origin, other
from sync import merge
from sync.entity import acts
from sync.ledger import Ranges
from sync.protocol import parse_dot
from sync.seal import sign_detached

NOT_A_SERVER = problem(
    "not_a_server",
    403,
    "Réservé au serveur d'une commune",
    "Une tablette lit ses fiches par /sync/v1/changes.",
)
TYP = "operations"
CHUNK = 500
# Proxies refuse a request line of more than 8 KiB.
MOST_HAVE = 80
MOST_ENTITIES = 20_000
_HAVE = re.compile(r"([0-9a-f-]{36}):([0-9]{1,10}):([0-9]{1,16})-([0-9]{1,16})")
Origin = tuple[str, int]
Have = Mapping[Origin, Ranges]


def areas_of_commune(sender: Sender, areas: Areas, *, communes: frozenset[str]) -> list[str]:
    """The areas a commune's server may ask: reference data first (whose devices the rest is by), its quartiers,
    fallback and civil area. Raises `not_a_server` (403) for any other device."""
    own = [code for code in sender.areas if code in communes]
    if sender.role != "node" or not own:
        raise NOT_A_SERVER()
    return [
        REFERENCE,
        *(code for commune in own for code in (*areas.of_commune(commune), f"civil:{commune}")),
    ]


def read_have(have: Iterable[str]) -> Have:
    """`have` parameters `<dev>:<ep>:<first>-<last>`: operations the caller holds. What is not so written is passed
    over: then more is sent than needed."""
    found: dict[Origin, Ranges] = {}
    for each in have:
        if (told := _HAVE.fullmatch(each)) is not None:
            dev, ep, first, last = told[1], int(told[2]), int(told[3]), int(told[4])
            if 0 < first <= last:
                found.setdefault((dev, ep), Ranges()).add(first, last)
    return found


class Telling(NamedTuple):
    """An entity to be told of: the places (origin, n) of its operations, and whether the `chains` of its batches."""

    kind: str
    row: Mapping[str, Any]
    places: list[tuple[int, int]]
    chains: bool = False


def _is_revoked(kind: str, row: Mapping[str, Any]) -> bool:
    return kind == "device" and is_spoken_of(row)


class Operations:
    """One answer for one commune's server, read in one snapshot: of the areas `granted` to it and no others."""

    def __init__(
        self, connection: sa.Connection, door: Door, sender: Sender, *, granted: Sequence[str], have: Have
    ) -> None:
        self.connection = connection
        self.door = door
        self.sender = sender
        self.granted = granted
        self.have = have
        rows = connection.execute(sa.select(origin.c.id, origin.c.dev, origin.c.ep)).all()
        self.origins: dict[int, Origin] = {row.id: (row.dev, row.ep) for row in rows}
        self.locals = {each: local for local, each in self.origins.items()}
        self.forked = {(self.locals[dev, ep], n) for dev, ep, n in map(parse_dot, forked_dots(connection))}
        self.tables = [*(s.table for s in door.registry.shapes.values()), other]
        self.kinds = {s.table: kind for kind, s in door.registry.shapes.items()}
        self._own = {door.areas.number(code) for code in granted}
        self._writers: set[str] = set()
        self._devices: dict[str, bool] | None = None

    def answer(self, positions: Mapping[str, Position], limit_bytes: int) -> tuple[bytes, str]:
        """(NDJSON, its detached signature); the last line is `{"after", "more", "feed", "for", "grants"}`: whom it is
        for, and the grants of devices that wrote these lines and are not among the commune's reference data.

        Raises `area_not_granted`, `feed_changed` beyond a counter.
        """
        if foreign := sorted(positions.keys() - set(self.granted)):
            raise AREA_NOT_GRANTED(f"Zone non accordée : {foreign[0]}.")
        counters = self._counters(positions)
        after: dict[str, int | str] = {}
        lines: list[bytes] = []
        size, looked, more = 0, 0, False
        for code, position in positions.items():
            if more or position == (counters[code], ""):
                after[code] = text_of(position)
                continue
            reached: Position | None = None
            for at, line in self._records(code, position):
                full = size + len(line) > limit_bytes or looked >= MOST_ENTITIES
                # Two entities of different kinds may bear one id: a position cannot stand between them.
                if full and looked and at != reached:
                    more = True
                    break
                reached = at
                lines += [line] if line else []
                size, looked = size + len(line), looked + 1
            after[code] = text_of(reached or position) if more else counters[code]
        last = {"after": after, "more": more, "feed": self.door.identity.feed, "for": self.sender.dev}
        lines.append(orjson.dumps(last | {"grants": self._grants()}) + b"\n")
        body, identity = b"".join(lines), self.door.identity
        return body, sign_detached(identity.key, body, kid=identity.dev, typ=TYP)

    def _counters(self, positions: Mapping[str, Position]) -> dict[str, int]:
        query = sa.select(area.c.code, area.c.seq).where(area.c.code.in_(list(positions)))
        counters = {row.code: row.seq for row in self.connection.execute(query)}
        for code, (seq, _) in positions.items():
            if seq > counters[code]:
                raise FEED_CHANGED()
        return counters

    # -- the entities of an area -------------------------------------------------------------------------------

    def _records(self, code: str, position: Position) -> Iterator[tuple[Position, bytes]]:
        """(position, record) of every entity changed after it; an empty record for one the caller needs nothing of."""
        local = self.door.areas.number(code)
        while changed := self._changed(local, position):
            known: Known = {}
            wanted = [(each, entity) for each in changed for entity in self._to_tell(each, known)]
            lacking = [
                (each, told) for each, told in wanted if told.chains or not self._all_held(told.places)
            ]
            stored = lines_at(self.connection, [place for _, entity in lacking for place in entity.places])
            roles = roles_of(self.connection, {s.dev for found in stored.values() for s in found})
            told: dict[tuple[Position, str], bytes] = defaultdict(bytes)
            for each, entity in lacking:
                record = self._record(entity, code=code, stored=stored, roles=roles)
                told[each.position, each.kind] += record
            for each in changed:
                position = each.position
                yield position, told[position, each.kind]

    def _to_tell(self, changed: Changed, known: Known) -> Iterator[Telling]:
        """What the caller needs to hear of at a position, held there or not; `known` rows are not read again."""
        kind, row = changed.kind, changed.row
        if row is None or not self._concerns(kind, row):
            return
        if not changed.left:
            yield Telling(kind, row, self._places(row), chains=_is_revoked(kind, row))
            yield from self._undone(kind, row)
        elif row["area"] not in self._own:
            registry = self.door.registry
            for of, each in lying_with(self.connection, registry, kind, row=row, known=known):
                yield Telling(of, each, self._places(each, placing_registers(registry, of)))
                yield from self._undone(of, each)

    def _undone(self, kind: str, row: Mapping[str, Any]) -> Iterator[Telling]:
        """The unmerges of an entity that were written under the id it had been merged into."""
        stored = orjson.loads(row["registers"] or "{}").get(merge.ENTITY)
        if stored:
            merges = [each.dot for each in acts(merge.unpack({merge.ENTITY: stored}), "merge")]
            found = undoing(self.connection, self.door.registry, kind, merges=merges) if merges else ()
            for survivor, dots in found:
                yield Telling(kind, survivor, self._of_dots(dots))

    def _changed(self, local: int, position: Position) -> list[Changed]:
        """What happened next in an area by (seq, id), whole positions only: one query a table."""
        found = departed(self.connection, self.door.registry, local, position=position, limit=CHUNK + 1)
        for table in self.tables:
            query = sa.select(table).where(table.c.area == local, beyond(table, position))
            rows = self.connection.execute(
                query.order_by(table.c.seq, table.c.id).limit(CHUNK + 1)
            ).mappings()
            found += [
                Changed((row["seq"], str(row["id"])), self.kinds.get(table) or row["kind"], dict(row))
                for row in rows
            ]
        found.sort(key=lambda each: (each.position, each.kind))
        if len(found) <= CHUNK:
            return found
        last = found[CHUNK - 1].position
        return [each for each in found if each.position <= last]

    def _places(self, row: Mapping[str, Any], named: Collection[str] | None = None) -> list[tuple[int, int]]:
        """(origin, n) of every operation of an entity that wrote something, and of the one that made it; `named`: only
        of those that wrote one of these registers."""
        places = {(row["origin"], row["n"])}
        if row["registers"] is not None:
            registers = orjson.loads(row["registers"])
            written = [writes for name, writes in registers.items() if named is None or name in named]
            places.update(self._of_dots({write[0] for writes in written for write in writes}))
        return sorted(places)

    def _of_dots(self, dots: Iterable[str]) -> list[tuple[int, int]]:
        return [(self.locals[dev, ep], n) for dev, ep, n in map(parse_dot, dots)]

    def _all_held(self, places: Iterable[tuple[int, int]]) -> bool:
        """Whether the caller holds them all; of a number under which two lines stand it may hold the other one."""
        nothing = Ranges()
        return all(
            place not in self.forked and place[1] in self.have.get(self.origins[place[0]], nothing)
            for place in places
        )

    def _record(
        self,
        entity: Telling,
        *,
        code: str,
        stored: Mapping[tuple[int, int], list[StoredLine]],
        roles: Mapping[str, str],
    ) -> bytes:
        operations = []
        kind, row = entity.kind, entity.row
        for place in entity.places:
            found = stored.get(place, [])
            forked = len({each.line.raw for each in found}) > 1
            for each in found:
                told = each.line.operation
                # The other line of a forked number may be about another commune's family.
                if told is None or row["id"] not in (told.id, told.into):
                    continue
                self._writers.add(each.dev)
                said: dict[str, Any] = {
                    "dot": each.dot,
                    "line": each.line.raw.decode(),
                    "role": each.role or roles[each.dev],
                }
                said |= {"batch": each.batch, "by": each.by} | ({"fork": True} if forked else {})
                operations.append(said)
        if not operations:
            return b""
        head = {"kind": kind, "id": row["id"], "area": code, "seq": row["seq"]}
        if entity.chains:
            head["chains"] = chains_of(self.connection, row["id"])
        return orjson.dumps(head | {"operations": operations}) + b"\n"

    # -- reference data ----------------------------------------------------------------------------------------

    def _concerns(self, kind: str, row: Mapping[str, Any]) -> bool:
        """Of reference data a commune gets its own: its devices and servers, and what was said of their clocks; and
        every revoked device, whose work it may have brought."""
        if kind == "device":
            return self._own_devices().get(row["id"], False) or _is_revoked(kind, row)
        return (
            kind != "clock" or row["node"] == self.sender.dev or self._own_devices().get(row["node"], False)
        )

    def _own_devices(self) -> dict[str, bool]:
        """Device → whether its areas lie in the caller's communes."""
        if self._devices is None:
            rows = self.connection.execute(sa.select(device.c.id, device.c.areas))
            own = set(self.sender.areas)
            self._devices = {
                row.id: row.id == self.sender.dev or bool(own & self._communes(row.areas)) for row in rows
            }
        return self._devices

    def _communes(self, stored: str | None) -> set[str | None]:
        told = orjson.loads(stored) if stored else []
        codes = [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
        return {code if code.startswith("CD-") else self.door.territory.commune_of(code) for code in codes}

    def _grants(self) -> list[str]:
        known = {dev for dev, own in self._own_devices().items() if own}
        senders = senders_of(self.connection, self._writers - known, standing=self.door.standing)
        return [each.grant for _, each in sorted(senders.items()) if each.grant]
