"""One batch folded: the entities its sorted lines touch are loaded and merged, then placed, written and listed.
The rules of merging are in sync.merge; where the results are kept is the business of placing, writing and trays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

import orjson
import sqlalchemy as sa

from app.ledger import bulk, trays
from app.ledger.areas import Areas
from app.ledger.entry import Author, Entity, Entry, Touched
from app.ledger.lines import creation_writes
from app.ledger.merging import Joined, is_counted, join, stand
from app.ledger.placing import Placing
from app.ledger.projection import Registry, short
from app.ledger.sorting import Sorted
from app.ledger.tables import fork, other
from app.ledger.writing import Writing
from sync import entity, merge
from sync.catalogue import register_of
from sync.protocol import dot

OPENED_BY = {"void": entity.VOID, "merge": entity.MERGED_INTO}


class Fold:
    """The fold of one batch. On a key that exists already an optimistic insertion raises sa.exc.IntegrityError; a fresh
    object with `probe=True` then asks first."""

    def __init__(
        self,
        connection: sa.Connection,
        registry: Registry,
        *,
        areas: Areas,
        author: Author,
        found: Sorted,
        at: str,
        probe: bool,
    ) -> None:
        self.connection = connection
        self.registry = registry
        self.areas = areas
        self.author = author
        self.at = at
        self.probe = probe
        self.touched = found.touched
        self.dispositions = found.dispositions
        self.quarantined = found.quarantined
        self.joined = Joined()
        self._forked_dots: frozenset[str] | None = None

    def run(self, *, forks: Iterable[Entity] = (), amend: Callable[[Touched], None] | None = None) -> None:
        """Fold the sorted lines; `forks` are held entities to be shown anew, `amend` what is done to the registers held
        of all before anything is merged into them."""
        self._load(forks)
        if amend is not None:
            amend(self.touched)
        for entry in self.touched.changed():
            self._merge(entry)
        stand(self.touched, self.joined, forked=self._forked)
        Placing(self.connection, self.registry, areas=self.areas, author=self.author).place(self.touched)
        writing = Writing(self.connection, self.registry, areas=self.areas, author=self.author)
        writing.write(self.touched, probe=self.probe)
        self._list_conflicts(writing.contested)
        listed = trays.list_waiting(
            self.connection, self._edited(), author=self.author, dispositions=self.dispositions, at=self.at
        )
        for n, reason in listed.items():
            self.dispositions.setdefault(str(n), {"status": "deferred", "reason": reason})

    # -- loading -----------------------------------------------------------------------------------------------

    def _load(self, forks: Iterable[Entity]) -> None:
        creations, changes = self.touched.creations, self.touched.changes
        for kind, identity in forks:
            first = creations[kind].pop(identity, None)
            steps = first.operations if first else []
            changes[kind].setdefault(identity, Entry(self.registry.shape(kind), identity, steps))
        if self.probe:
            self._probe()
        self.joined = join(self.connection, self.registry, touched=self.touched, author=self.author)
        for kind, entries in changes.items():
            for identity, row in self._rows(kind, entries).items():
                entries[identity].before = row
            for identity in [i for i, e in entries.items() if not (e.before or e.operations or e.named)]:
                del entries[identity]
        self._expand()

    def _probe(self) -> None:
        for kind, made in self.touched.creations.items():
            for identity in self._rows(kind, made):
                self.touched.changes[kind][identity] = made.pop(identity)

    def _rows(self, kind: str, entries: Mapping[str, Entry]) -> dict[str, Mapping[str, object]]:
        if not entries:
            return {}
        table = next(iter(entries.values())).shape.table
        only = {"kind": short(kind)} if table is other else {}
        return bulk.rows_by_id(self.connection, table, entries, **only)

    # -- merging -----------------------------------------------------------------------------------------------

    def _expand(self) -> None:
        """Give every changed entity its complete set of writes: stored, or read again from the line that made it."""
        unedited: list[Entry] = []
        for entry in self.touched.changed():
            if entry.before is None:
                entry.registers = {}
            elif entry.before["registers"] is None:
                unedited.append(entry)
            else:
                stored = merge.unpack(orjson.loads(entry.before["registers"]))
                entry.was_counted = is_counted(entry.before, stored)
                entry.registers = entity.own_writes(stored)
        if unedited:
            places = [(*e.key, e.before["origin"], e.before["n"]) for e in unedited if e.before]
            found = creation_writes(self.connection, places)
            for entry in unedited:
                entry.registers = found[entry.key]

    def _merge(self, entry: Entry) -> None:
        author = self.author
        registers = entry.registers if entry.registers is not None else {}
        for n, operation, raw in entry.operations:
            named = dot(author.dev, author.ep, n)
            line = hashlib.sha256(raw).hexdigest()
            writes = merge.writes_of(
                operation, dot=named, dev=author.dev, ep=author.ep, by=author.by, role=author.role, line=line
            )
            merge.add(registers, writes)
        entry.registers = registers
        if entry.key not in self.joined.members and merge.ENTITY not in registers:
            shown = merge.show(entry.shape.kind, registers, self._forked())
            entry.clean, entry.extra = entry.shape.split(shown)

    def _forked(self) -> frozenset[str]:
        if self._forked_dots is None:
            self._forked_dots = frozenset(self.connection.execute(sa.select(fork.c.dot)).scalars())
        return self._forked_dots

    # -- what waits for someone --------------------------------------------------------------------------------

    def _edited(self) -> list[Entry]:
        return [entry for entry in self.touched.changed() if not entry.moved]

    def _list_conflicts(self, contested: Mapping[Entity, tuple[str, int]]) -> None:
        """List what stands open; `contested` are entities (column, area) that another one has taken a number from."""
        edited = self._edited()
        open_now = {
            e.key: trays.conflicts_of(e, forked=self._forked(), undone=self.joined.undone) for e in edited
        }
        for entry in edited:
            shown = (entry.shape.kind, entry.merged_into or entry.id)
            for n, operation, _ in entry.operations:
                names = {register_of(operation.kind, name).name for name in operation.set}
                names |= {OPENED_BY.get(operation.act, "")}
                fields = sorted(names & set(open_now[shown]))
                if fields:
                    self.dispositions.setdefault(str(n), {"status": "conflict", "fields": fields})
        places = {e.key: self.areas.number(e.area) for e in edited}
        partly = contested.keys() - places.keys()
        for key, (name, area) in contested.items():
            open_now.setdefault(key, {})[name] = trays.HEAVY
            places.setdefault(key, area)
        if open_now:
            trays.replace_conflicts(self.connection, open_now, places=places, partly=partly, at=self.at)
        trays.move_conflicts(
            self.connection, {e.key: self.areas.number(e.area) for e in self.touched.changed() if e.moved}
        )
