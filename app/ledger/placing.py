"""In which area of the feed every entity of a batch lies (protocol section 7), and who moves along with whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from app.ledger.areas import Areas
from app.ledger.entry import Author, Entity, Entry, Touched
from app.ledger.projection import Registry, Shape
from app.ledger.senders import homes_of


class Placing:
    """Gives the entries of one batch their areas."""

    def __init__(
        self, connection: sa.Connection, registry: Registry, *, areas: Areas, author: Author
    ) -> None:
        self.connection = connection
        self.registry = registry
        self.areas = areas
        self.author = author

    def place(self, touched: Touched) -> None:
        """Give every entity its area, leaders before those who follow them; adds followers that move along."""
        homes = self._homes(touched)
        following: list[Entry] = []
        merged: list[Entry] = []
        for entry in touched:
            if entry.merged_into is not None:
                merged.append(entry)
                continue
            projection = entry.shape.projection
            home = homes.get(entry.key, self.author.commune)
            area = projection.area(entry.clean, home)
            if area is None and projection.follows and entry.clean.get(projection.follows):
                following.append(entry)
            entry.area = area or self.areas.fallback(home)
        self._lie_together(merged, touched)
        elsewhere = self._areas_elsewhere(following, touched)
        for entry in following:
            target = self._leader(entry)
            entry.area = touched.area_of(*target) or elsewhere.get(target, entry.area)
        self._settle_blocks(touched)
        self._lie_together(merged, touched)
        self._bring_followers(touched)

    @staticmethod
    def _lie_together(merged: Iterable[Entry], touched: Touched) -> None:
        """A row merged away lies where its entity is shown, so that what refers to it is placed there."""
        for entry in merged:
            shown = touched.find(entry.shape.kind, entry.merged_into or "")
            if shown is not None:
                entry.area = shown.area

    def _settle_blocks(self, touched: Touched) -> None:
        """Place the new entities whose area is that of somebody outside their block."""
        for block in touched.blocks.values():
            if not block.following:
                continue
            kind = block.shape.projection.followed or ""
            found = {each: touched.area_of(kind, each) for each in block.following}
            absent = [each for each, area in found.items() if area is None]
            elsewhere = self._stored_areas(kind, absent)
            areas = {each: area or elsewhere.get(each) for each, area in found.items()}
            fallback = self.areas.fallback(self.author.commune)
            block.settle(areas, fallback=fallback, registry=self.registry)

    def _homes(self, touched: Touched) -> dict[Entity, str | None]:
        """The commune that keeps an entity without a place of its own, where several devices wrote it: that of the
        least device, so that it does not hang on whose batch came last."""
        writers: dict[Entity, set[str]] = {}
        for entry in touched.changed():
            found = {w.dot.partition(":")[0] for writes in (entry.registers or {}).values() for w in writes}
            if found - {self.author.dev}:
                writers[entry.key] = found
        if not writers:
            return {}
        homes = homes_of(self.connection, set().union(*writers.values()), commune_of=self.areas.commune)
        return {
            key: next((homes[dev] for dev in sorted(devs) if homes[dev] is not None), None)
            for key, devs in writers.items()
        }

    @staticmethod
    def _leader(entry: Entry) -> Entity:
        projection = entry.shape.projection
        return projection.followed or "", entry.clean[projection.follows or ""]

    def _areas_elsewhere(self, following: Iterable[Entry], touched: Touched) -> dict[Entity, str]:
        wanted: dict[str, set[str]] = defaultdict(set)
        for entry in following:
            kind, identity = self._leader(entry)
            if touched.area_of(kind, identity) is None:
                wanted[kind].add(identity)
        return {
            (kind, identity): area
            for kind, ids in wanted.items()
            for identity, area in self._stored_areas(kind, ids).items()
        }

    def _stored_areas(self, kind: str, ids: Collection[str]) -> dict[str, str]:
        if not ids:
            return {}
        table = self.registry.shapes[kind].table
        query = sa.select(table.c.id, table.c.area).where(table.c.id.in_(ids))
        return {identity: self.areas.code(area) for identity, area in self.connection.execute(query)}

    def _bring_followers(self, touched: Touched) -> None:
        """Members of a household that came late or moved take its area with it.

        Whoever came before a household that is new here waits in a fallback area: mostly nobody does.
        """
        for kind in self.registry.leaders:
            for shape in self.registry.followers(kind):
                leaders = {e.id: e.area for e in touched.changes[kind].values() if not e.gone}
                fresh = {e.id: e.area for e in touched.creations[kind].values()}
                if kind in touched.blocks:
                    fresh |= touched.blocks[kind].areas
                if fresh and self._someone_waits(shape):
                    leaders |= fresh
                if not leaders:
                    continue
                column = shape.table.c[shape.projection.follows or ""]
                query = sa.select(shape.table).where(column.in_(leaders))
                for row in self.connection.execute(query).mappings():
                    self._follow(shape, dict(row), leaders=leaders, touched=touched)
                self._bring_merged(shape, touched)

    def _bring_merged(self, shape: Shape, touched: Touched) -> None:
        """Rows merged into a follower that moved move with it."""
        moved = {e.id: e.area for e in touched.changes[shape.kind].values() if e.moved}
        if not moved:
            return
        query = sa.select(shape.table).where(shape.table.c.merged_into.in_(moved))
        for row in self.connection.execute(query).mappings():
            into = row["merged_into"]
            entry = Entry(shape, row["id"], [], dict(row), area=moved[into], moved=True, merged_into=into)
            entry.counted = entry.was_counted = False
            touched.changes[shape.kind].setdefault(entry.id, entry)

    def _someone_waits(self, shape: Shape) -> bool:
        # In the feed's order, so that the feed's index answers even where the planner knows nothing yet.
        column = shape.table.c
        query = (
            sa.select(column.id)
            .where(column.area.in_(self.areas.fallbacks))
            .order_by(column.area, column.seq)
        )
        return self.connection.execute(query.limit(1)).first() is not None

    def _follow(
        self, shape: Shape, row: Mapping[str, Any], *, leaders: Mapping[str, str], touched: Touched
    ) -> None:
        identity = row["id"]
        if touched.find(shape.kind, identity) is not None:
            return
        clean = shape.clean_values(row)
        area = shape.projection.area(clean, None) or leaders[row[shape.projection.follows or ""]]
        if self.areas.code(row["area"]) != area:
            extra = orjson.loads(row["extra"]) if row["extra"] else {}
            entry = Entry(shape, identity, [], row, clean=clean, extra=extra, area=area, moved=True)
            touched.changes[shape.kind][identity] = entry
