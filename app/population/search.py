"""Finding persons by any elements of a name in any order and spelling, by sex, year of birth and place.

Whole names come first, then names with an element too many or too few. The numbers searched by are those of
app.population.names; plain B-tree seeks answer on both engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import Any

import sqlalchemy as sa

from app.ledger.bulk import is_postgresql
from app.ledger.desk import Row
from app.ledger.entities import in_lists
from app.ledger.tables import area
from app.population.corrections import find_rows
from app.population.names import SLOT_COLUMNS, SLOTS, name_key, numbers, tokens
from app.population.tables import person

_ANY_SLOT = f"({', '.join(SLOT_COLUMNS)})"
# One key out of two is little to go by: only where nothing better is found.
_LEAST_FOR_NEAR = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked: `q` any part of a name, `areas` local area numbers (None = all), `birth_year`, `sex`."""

    q: str | None = None
    areas: tuple[int, ...] | None = None
    birth_year: int | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: rank of the kind of match (0 the best), and the last id within it."""

    tier: int
    id: str


@dataclass(frozen=True, slots=True)
class Seek:
    """One index seek: slots that must equal the keys at these positions of the query, keys that must stand in some
    slot and one that must not, and how many slots are filled (exactly, or at least)."""

    tier: int
    equal: tuple[tuple[str, int], ...]
    within: tuple[int, ...] = ()
    without: int | None = None
    filled: int | None = None
    more_than: int | None = None


def find_persons(
    connection: sa.Connection, wanted: Wanted, *, after: Place | None, limit: int
) -> tuple[list[Row], Place | None]:
    """At most `limit` rows, best first, and where they ended if there are more (None at the end).

    Within one kind of match the order is that of ids, and the page puts exact spellings first. A query without a
    letter finds nobody; no query lists all persons by id.
    """
    if wanted.q is None:
        return _list(connection, wanted, after=after, limit=limit)
    keys = numbers(wanted.q)
    if not keys:
        return [], None
    start = after or Place(0, "")
    within = replace(wanted, areas=_inhabited(connection, wanted.areas))
    found = _seek(connection, within, plan(len(keys)), keys=keys, start=start, limit=limit + 1)
    if not found and len(keys) == _LEAST_FOR_NEAR - 1 and (after is None or after.tier == _last(keys)):
        found = _seek(connection, within, _near(keys), keys=keys, start=start, limit=limit + 1)
    places = [Place(tier, identity) for tier, identity in found]
    ended = places[limit - 1] if len(places) > limit else None
    return _ranked(connection, wanted.q, places[:limit]), ended


@lru_cache(maxsize=SLOTS)
def plan(count: int) -> tuple[Seek, ...]:
    """The seeks for a query of `count` keys, numbered by ascending number: first the same keys, then these and more,
    then one less, with or without another instead, and so on down to one."""
    every = tuple(range(count))
    found = [_same(0, every), *_more(1, every)]
    tier = 2
    for size in range(count - 1, 0, -1):
        subsets = list(combinations(every, size))
        found += [_same(tier, subset) for subset in subsets]
        tier += 1
        if size == count - 1 and count >= _LEAST_FOR_NEAR:
            found += [
                seek for subset in subsets for seek in _more(tier, subset, without=_missing(every, subset))
            ]
            tier += 1
    return tuple(found)


def _last(keys: Sequence[int]) -> int:
    return plan(len(keys))[-1].tier + 1


def _near(keys: Sequence[int]) -> tuple[Seek, ...]:
    every, tier = tuple(range(len(keys))), _last(keys)
    return tuple(seek for key in every for seek in _more(tier, (key,), without=_missing(every, (key,))))


def _missing(every: tuple[int, ...], subset: tuple[int, ...]) -> int:
    return next(key for key in every if key not in subset)


def _same(tier: int, subset: tuple[int, ...]) -> Seek:
    """Persons with exactly these keys: slots are in ascending order, as the keys are."""
    return Seek(tier, tuple(zip(SLOT_COLUMNS, subset, strict=False)), filled=len(subset))


def _more(tier: int, subset: tuple[int, ...], *, without: int | None = None) -> list[Seek]:
    """Persons with these keys and others. The seeks find disjoint sets: each key stands in one slot only."""
    if len(subset) == 1:
        return [Seek(tier, ((slot, subset[0]),), (), without, more_than=1) for slot in SLOT_COLUMNS]
    first, second, *rest = subset
    pairs = [
        (("name1", first), ("name2", second)),
        (("name2", first), ("name3", second)),
        (("name1", first), ("name3", second)),
    ]
    close = [Seek(tier, pair, tuple(rest), without, more_than=len(subset)) for pair in pairs]
    # Few names have more than three keys: there one key is enough to seek by.
    far = [
        Seek(tier, ((slot, second),), (first, *rest), without, more_than=len(subset))
        for slot in SLOT_COLUMNS[3:]
    ]
    return close + far


def _inhabited(connection: sa.Connection, areas: Sequence[int] | None) -> tuple[int, ...]:
    """Those of the areas (None = all) where anything was ever written: the indexes are sought area by area."""
    used = connection.execute(sa.select(area.c.id).where(area.c.seq > 0)).scalars()
    return tuple(sorted(used if areas is None else set(used).intersection(areas)))


def _list(
    connection: sa.Connection, wanted: Wanted, *, after: Place | None, limit: int
) -> tuple[list[Row], Place | None]:
    query = sa.select(person).where(in_lists(person)).order_by(person.c.id).limit(limit + 1)
    if wanted.areas is not None:
        query = query.where(person.c.area.in_(wanted.areas))
    if wanted.birth_year is not None:
        query = query.where(sa.func.substr(person.c.birth_date, 1, 4) == f"{wanted.birth_year:04d}")
    if wanted.sex is not None:
        query = query.where(person.c.sex == wanted.sex)
    if after is not None:
        query = query.where(person.c.id > after.id)
    rows = find_rows(connection, query)
    return rows[:limit], Place(0, rows[limit - 1]["id"]) if len(rows) > limit else None


def _seek(
    connection: sa.Connection,
    wanted: Wanted,
    seeks: Sequence[Seek],
    *,
    keys: Sequence[int],
    start: Place,
    limit: int,
) -> list[tuple[int, str]]:
    filters, values = _filters(wanted)
    selects: list[str] = []
    given: list[Any] = []
    for seek in seeks:
        if seek.tier < start.tier:
            continue
        text, places = _select(seek)
        continued = start.id != "" and seek.tier == start.tier
        selects.append(text + filters + (" AND id > ?" if continued else ""))
        given += [keys[place] for place in places] + values + ([start.id] if continued else [])
    if not selects:
        return []
    statement = " UNION ALL ".join(selects) + f" ORDER BY 1, 2 LIMIT {limit}"
    if is_postgresql(connection):
        statement = statement.replace("id > ?", "id > ?::uuid").replace("?", "%s")
    return [(row[0], str(row[1])) for row in connection.exec_driver_sql(statement, tuple(given))]


@lru_cache(maxsize=1 << 10)
def _select(seek: Seek) -> tuple[str, tuple[int, ...]]:
    """The SELECT of one seek and the positions of the keys it is given."""
    tests = [f"{slot} = ?" for slot, _ in seek.equal]
    places = [place for _, place in seek.equal]
    for place in seek.within:
        tests.append(f"? IN {_ANY_SLOT}")
        places.append(place)
    if seek.without is not None:
        tests.append(f"(? IN {_ANY_SLOT}) IS NOT TRUE")
        places.append(seek.without)
    if seek.filled is not None and seek.filled < SLOTS:
        tests.append(f"{SLOT_COLUMNS[seek.filled]} IS NULL")
    if seek.more_than is not None:
        tests.append(f"{SLOT_COLUMNS[seek.more_than]} IS NOT NULL" if seek.more_than < SLOTS else "FALSE")
    return f"SELECT {seek.tier} AS tier, id FROM person WHERE {' AND '.join(tests)}", tuple(places)  # noqa: S608


def _filters(wanted: Wanted) -> tuple[str, list[Any]]:
    tests, values = "", []
    if wanted.areas is not None:
        # Local area numbers of this database, never text of a request.
        tests += f" AND area IN ({', '.join(map(str, map(int, wanted.areas))) or 'NULL'})"
    if wanted.birth_year is not None:
        tests += " AND substr(birth_date, 1, 4) = ?"
        values.append(f"{wanted.birth_year:04d}")
    if wanted.sex is not None:
        tests += " AND sex = ?"
        values.append(wanted.sex)
    return tests, values


def _ranked(connection: sa.Connection, q: str, places: Sequence[Place]) -> list[Row]:
    """The rows of these places; within one kind of match those spelled as asked come first."""
    ids = [place.id for place in places]
    rows = {row["id"]: row for row in find_rows(connection, sa.select(person).where(person.c.id.in_(ids)))}
    asked = frozenset(name_key(q).split())
    spelled = frozenset(q.upper().split())
    order: list[tuple[int, int, str]] = []
    for place in places:
        row = rows[place.id]
        # Two keys may share a number (1 in 4 billion): whoever shares no key was not meant.
        if asked & set(tokens(row["nom"], row["postnom"], row["prenom"])):
            written = " ".join(row[each] or "" for each in ("nom", "postnom", "prenom")).upper().split()
            order.append((place.tier, -len(spelled & set(written)), place.id))
    return [rows[identity] for _, _, identity in sorted(order)]
