"""Reading the books: lists of births and tasks, and the file of one birth with its act. Every page is limited to the
communes the officer sees; whose data was read goes into the journal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.access.paging import Position
from app.civil import tables
from app.civil.declaration import answered, delay
from app.civil.drafting.drafts import latest, standing
from app.civil.finding import birth_row, births_of
from app.civil.standing import annulled
from app.ledger.door import Door
from app.ledger.history import etag
from app.ledger.projection import Shape
from sync.catalogue import CATALOGUE

_ITEM = ("nom", "postnom", "prenom", "sex", "birth_date", "birth_precision", "declared_on", "mode", "commune")
_ACT = (
    *("id", "office", "year", "volume", "number", "folio", "registered_on"),
    *("drawn_at", "drawn_by", "person"),
)
_PEOPLE = ("person", "mother", "father")
# An act never changes: of a child placed after its registration only the link tells.
_LINKED = (
    sa.select(tables.link.c.person)
    .where(tables.link.c.act == tables.act.c.id)
    .order_by(tables.link.c.id)
    .limit(1)
    .scalar_subquery()
)
_CHILD: sa.ColumnElement[Any] = sa.func.coalesce(tables.act.c.person, _LINKED)
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Births:
    """A page of births: as REST shows them, where the next page begins (None at the end), and the subjects read."""

    items: list[dict[str, Any]]
    next: Position | None
    births: list[str]
    persons: list[str]


@dataclass(frozen=True, slots=True)
class BirthFile:
    """One birth with its draft and act as REST shows it, its ETag, its commune, the persons named by id, and the clean
    values of the declaration."""

    shown: dict[str, Any]
    etag: str
    commune: str | None
    persons: list[str]
    values: dict[str, Any]


def births(
    connection: sa.Connection,
    door: Door,
    *,
    communes: Collection[str] | None,
    year: int | None,
    delay_is: str | None,
    after: Position | None,
    limit: int,
) -> Births:
    """Births of these communes (None = all), last written down or changed first.

    `year` is the year of the register for a registered birth, else that of the declaration. `delay_is` compares with
    the act's delay where there is an act, else with what the law says today of the declaration.
    """
    items: list[dict[str, Any]] = []
    persons: list[str] = []
    found = _matching(
        connection, door, communes=communes, year=year, delay_is=delay_is, after=after, chunk=limit + 1
    )
    following: Position | None = None
    position: Position | None = None
    for item, row in found:
        if len(items) == limit:
            following = position
            break
        items.append(item)
        persons += _people(row["act_person"], row["person"])
        position = (row["area"], row["seq"], row["id"])
    return Births(items, following, [item["id"] for item in items], list(dict.fromkeys(persons)))


def birth_file(connection: sa.Connection, door: Door, *, birth: str) -> BirthFile:
    """The whole declaration, the law's answer, the draft and the act of one birth; raises `birth_unknown` (404).

    The ETag changes when one of them does, or a paper of the act is handed over.
    """
    row = birth_row(connection, birth)
    birth = row["id"]
    of_these = tables.act.c.birth.in_(births_of(connection, birth))
    query = sa.select(tables.act, _CHILD.label("child")).where(of_these, ~annulled(tables.act.c.id))
    found = connection.execute(query.order_by(tables.act.c.id).limit(1)).mappings().one_or_none()
    act = {**found, "person": found["child"]} if found is not None else None
    shape = door.registry.shapes["birth"]
    values = shape.clean_values(row)
    unknown = dict.fromkeys(CATALOGUE["birth"].fields)
    shown = {"id": birth, **unknown, **values, **_judged(values, act), "act": _act(act), "text": _text(act)}
    gone = sa.select(tables.act.c.id).where(of_these, annulled(tables.act.c.id)).order_by(tables.act.c.id)
    annulments = shown["annulled_acts"] = list(connection.execute(gone).scalars())
    delivered = shown["delivered_on"] = _delivered_on(connection, act)
    draft = latest(connection, birth)
    shown |= standing(draft, values, registered=act is not None)
    if delivered is not None:
        shown["stage"] = "delivered"
    beside = [] if act is None else [etag(act), act["person"] or "", delivered or ""]
    tag = _combined(etag(row), *beside, *annulments, *([etag(draft)] if draft is not None else []))
    persons = _people(act["person"] if act is not None else None, *(values.get(name) for name in _PEOPLE))
    return BirthFile(shown, tag, door.areas.commune(door.areas.code(row["area"])), persons, values)


def _delivered_on(connection: sa.Connection, act: Mapping[str, Any] | None) -> str | None:
    """The day a paper of this act was first handed to somebody."""
    if act is None:
        return None
    handed = tables.civil_delivery.c
    found: str | None = connection.scalar(
        sa.select(sa.func.min(handed.delivered_on)).where(handed.act == act["id"])
    )
    return found


def tasks(
    connection: sa.Connection,
    door: Door,
    *,
    communes: Collection[str] | None,
    stage: str | None,
    after: Position | None,
    limit: int,
) -> tuple[list[dict[str, Any]], Position | None]:
    """The clerk's tray of these communes (None = all), newest first, and where the next page begins."""
    task = tables.task
    query = _newest_first(sa.select(task), task, areas=_areas(door, communes), after=after)
    if stage is not None:
        query = query.where(task.c.stage == stage)
    rows = connection.execute(query.limit(limit + 1)).mappings().all()
    shape = door.registry.shapes["task"]
    items = [{name: row[name] for name in ("id", *shape.fields)} for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return items, (last["area"], last["seq"], last["id"]) if last is not None else None


def _matching(
    connection: sa.Connection,
    door: Door,
    *,
    communes: Collection[str] | None,
    year: int | None,
    delay_is: str | None,
    after: Position | None,
    chunk: int,
) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """Rows in order; the delay of what is not registered yet is asked of the law, so it is compared here."""
    shape = door.registry.shapes["birth"]
    areas = _areas(door, communes)
    while True:
        wanted = _newest_first(_wanted(year, delay_is), tables.birth, areas=areas, after=after)
        rows = [dict(row) for row in connection.execute(_whole(wanted.limit(chunk))).mappings()]
        for row in rows:
            if row["act_id"] is None and (row["void"] or row["merged_into"] is not None):
                continue
            item = _item(row, shape)
            if delay_is is None or item["delay"] == delay_is:
                yield item, row
        if len(rows) < chunk:
            return
        after = (rows[-1]["area"], rows[-1]["seq"], rows[-1]["id"])
        chunk = _CHUNK


def _wanted(year: int | None, delay_is: str | None) -> sa.Select[Any]:
    """Ids of births and of their acts: found in the indexes alone, so that what is passed over costs little."""
    birth, act, earlier = tables.birth, tables.act, tables.act.alias("earlier")
    query = sa.select(birth.c.id, act.c.id.label("act"))
    # An annulled act stands for nothing: the birth waits again as it did before.
    stands = sa.and_(act.c.birth == birth.c.id, ~annulled(act.c.id))
    query = query.select_from(birth.outerjoin(act, stands))
    unregistered = act.c.birth.is_(None)
    if year is not None:
        declared = birth.c.declared_on.between(f"{year:04d}", f"{year:04d}-12-31")
        query = query.where(sa.or_(act.c.year == year, sa.and_(unregistered, declared)))
    if delay_is is not None:
        query = query.where(sa.or_(act.c.delay == delay_is, unregistered))
    # Two servers may have registered one birth: the birth is shown once, with the same act everywhere.
    other = sa.exists().where(
        earlier.c.birth == act.c.birth, earlier.c.id < act.c.id, ~annulled(earlier.c.id)
    )
    return query.where(sa.or_(unregistered, ~other))


def _whole(wanted: sa.Select[Any]) -> sa.Select[Any]:
    page = wanted.subquery("page")
    birth, act = tables.birth, tables.act
    columns = {name: act.c[name] for name in (*_ACT, *_LEGAL)} | {"person": _CHILD}
    shown = [column.label(f"act_{name}") for name, column in columns.items()]
    query = sa.select(birth, *shown).select_from(
        page.join(birth, birth.c.id == page.c.id).outerjoin(act, act.c.id == page.c.act)
    )
    return query.order_by(*(column.desc() for column in _place(birth)))


_LEGAL = (
    *("delay", "delay_days", "delay_limit", "delay_rule", "facts", "provenance"),
    *("judgment_court", "judgment_number", "judgment_date"),
)


def _newest_first(
    query: sa.Select[Any], table: sa.Table, *, areas: Sequence[int] | None, after: Position | None
) -> sa.Select[Any]:
    """By the feed's index: areas in a fixed order, in each what this server wrote last first."""
    place = _place(table)
    if areas is not None:
        query = query.where(table.c.area.in_(areas))
    if after is not None:
        # One commune is one area: said as an equation it lets the index start at the cursor.
        single = areas == [after[0]]
        bound = list(zip(place, after, strict=True))[1 if single else 0 :]
        here = sa.tuple_(*(column for column, _ in bound))
        query = query.where(here < sa.tuple_(*(sa.literal(value, column.type) for column, value in bound)))
    return query.order_by(*(column.desc() for column in place))


def _place(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    return [table.c.area, table.c.seq, table.c.id]


def _areas(door: Door, communes: Collection[str] | None) -> list[int] | None:
    if communes is None:
        return None
    found = (door.areas.id(f"civil:{commune}") for commune in sorted(communes))
    return [identity for identity in found if identity is not None]


def _item(row: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    act = None
    if row["act_id"] is not None:
        act = {name: row[f"act_{name}"] for name in (*_ACT, *_LEGAL)}
    judged = _judged(shape.clean_values(row) if act is None else {}, act)
    return {"id": row["id"], **{name: row[name] for name in _ITEM}, **judged, "act": _act(act)}


def _judged(values: Mapping[str, Any], act: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the act says of the delay stands; before there is one, what the law says now."""
    if act is None:
        return answered(delay(values))
    facts = json.loads(act["facts"]) if act["facts"] else {}
    return {
        "delay": act["delay"],
        "delay_days": act["delay_days"],
        "delay_limit": act["delay_limit"],
        "delay_rule": act["delay_rule"] or "",
        "delay_article": facts.get("delay_article") or "",
    }


def _act(act: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if act is None:
        return None
    shown: dict[str, Any] = {name: act[name] for name in _ACT} | {"origin": act["provenance"]}
    judgment = {name: act[f"judgment_{name}"] for name in ("court", "number", "date")}
    shown["judgment"] = judgment if judgment["court"] is not None else None
    return shown


def _text(act: Mapping[str, Any] | None) -> str | None:
    """The text of an act drawn up here; a list leaves it out."""
    text = json.loads(act["facts"]).get("text") if act is not None and act["facts"] else None
    return text if isinstance(text, str) else None


def _people(*ids: str | None) -> list[str]:
    return [each for each in dict.fromkeys(ids) if each is not None]


def _combined(*tags: str) -> str:
    """One ETag of several; one alone is itself."""
    return tags[0] if len(tags) == 1 else f'"{hashlib.sha256("".join(tags).encode()).hexdigest()[:32]}"'
