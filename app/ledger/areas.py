"""Areas of the feed and their counters (protocol section 7). All areas of the territory are made by `mboka init`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from app.ledger.tables import area
from app.territory.places import Territory

REFERENCE = "ref"
NOWHERE = "commune:?"


def area_codes(territory: Territory) -> Iterable[str]:
    """Every area code there can be: quartiers, one fallback and one civil area per commune, reference data, nowhere."""
    yield REFERENCE
    yield NOWHERE
    for commune in sorted(territory.communes):
        yield f"commune:{commune}"
        yield f"civil:{commune}"
    yield from sorted(territory.quartiers)


def add_areas(connection: sa.Connection, territory: Territory) -> None:
    """Add the areas that are missing; existing counters stay."""
    present = set(connection.execute(sa.select(area.c.code)).scalars())
    rows = [{"code": code, "seq": 0} for code in area_codes(territory) if code not in present]
    if rows:
        connection.execute(area.insert(), rows)


def address_area(values: Mapping[str, Any], _grant_commune: str | None) -> str | None:
    """The quartier of an address, else the commune's own area, else None (the fallback of the writer's commune)."""
    quartier: str | None = values.get("quartier")
    if quartier is not None:
        return quartier
    commune = values.get("commune")
    return f"commune:{commune}" if commune is not None else None


_ADVANCE = (
    area.update()
    .where(area.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(seq=area.c.seq + 1)
    .returning(area.c.id, area.c.seq)
)


class Areas:
    """Codes and local numbers of all areas, and where each lies; `fallbacks` keep what has no place yet."""

    def __init__(self, connection: sa.Connection, territory: Territory) -> None:
        rows = connection.execute(sa.select(area.c.id, area.c.code)).all()
        self._codes: dict[int, str] = {row.id: row.code for row in rows}
        self._ids: dict[str, int] = {row.code: row.id for row in rows}
        self._territory = territory
        self.fallbacks = sorted(number for number, code in self._codes.items() if code.startswith("commune:"))

    def code(self, identity: int) -> str:
        """The code of a local area number."""
        return self._codes[identity]

    def id(self, code: str) -> int | None:
        """The local number of an area code, None for an unknown one."""
        return self._ids.get(code)

    def number(self, code: str) -> int:
        """The local number of an area code that exists."""
        return self._ids[code]

    def fallback(self, commune: str | None) -> str:
        """Where an entity of unknown place is kept: the commune of the writer's grant."""
        code = f"commune:{commune}"
        return code if code in self._ids else NOWHERE

    def commune(self, code: str) -> str | None:
        """The commune an area lies in."""
        head, _, tail = code.partition(":")
        if tail:
            return None if tail == "?" else tail
        return self._territory.commune_of(head)

    def quartier(self, code: str) -> str | None:
        """The quartier an area is, None for the other areas."""
        return code if code in self._territory.quartiers else None

    def of_commune(self, commune: str) -> list[str]:
        """The areas of a commune that hold its population: quartiers (old ones too) and the fallback."""
        own = [c for c in self._territory.quartiers if self._territory.commune_of(c) == commune]
        return [f"commune:{commune}", *sorted(own)]

    def ids_of(self, communes: Collection[str]) -> list[int]:
        """Local numbers of all areas of these communes, civil ones included."""
        return [identity for identity, code in self._codes.items() if self.commune(code) in communes]

    def advance(self, connection: sa.Connection, codes: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """Take the next number of each area, held to commit: {code: (local number, seq)}."""
        if not codes:
            return {}
        ids = sorted(self._ids[code] for code in codes)
        numbers = {row.id: row.seq for row in connection.execute(_ADVANCE, {"ids": ids})}
        return {code: (self._ids[code], numbers[self._ids[code]]) for code in codes}
