"""This server's index of likely pairs: kept beside the registers, by looking through what changed in their feed. It is
no register: it can be emptied at any time and fills again. Decides nothing and tells nobody."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from app.ledger.door import Door
from app.ledger.tables import area
from app.population.duplicates.blocking import kept_under, sought_under
from app.population.duplicates.compare import Likeness, compare, may_reach
from app.population.duplicates.record import Record
from app.population.duplicates.tables import match_candidate, match_mark

Reader = Callable[[sa.Connection, Door, Collection[str]], dict[str, Record]]
# Whoever shares most keys is compared; a name that thousands bear shares one.
MOST_COMPARED = 200
MOST_PAIRS = 50
CHUNK = 100


@dataclass(frozen=True, slots=True)
class Followed:
    """A register whose changes touch records: the id of the record a row tells of, and which rows count."""

    name: str
    table: sa.Table
    subject: sa.ColumnElement[str]
    where: sa.ColumnElement[bool] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A register whose records are compared with each other: which changes to follow, and how records are read.

    `read` gives the records that stand; those void, merged away or unknown are left out.
    """

    of: str
    followed: tuple[Followed, ...]
    read: Reader


@dataclass(frozen=True, slots=True)
class Found:
    """A record that looks like another, and how much."""

    record: Record
    likeness: Likeness


def look(connection: sa.Connection, door: Door, source: Source, *, subject: str) -> list[Found]:
    """Enter one record just written and give what looks like it, the most alike first."""
    return enter(connection, door, source, subjects=[subject]).get(subject, [])


def sweep(connection: sa.Connection, door: Door, source: Source, *, most: int) -> dict[str, list[Found]]:
    """Enter what changed since the last sweep, at most about `most` records; gives each with what looks like it.

    Everything within the caller's transaction, which holds the door's lock: two sweeps never run at once.
    """
    done: dict[str, list[Found]] = {}
    for followed in source.followed:
        for number, mark, counter in _behind(connection, followed):
            while len(done) < most:
                room = min(CHUNK, most - len(done))
                rows, mark = _changed(
                    connection, followed, number=number, after=mark, room=room, counter=counter
                )
                done |= {subject: [] for subject in rows} | enter(connection, door, source, subjects=rows)
                _note_mark(connection, followed, number=number, mark=mark)
                if mark[1] == "":
                    break
    return done


def enter(
    connection: sa.Connection, door: Door, source: Source, *, subjects: Sequence[str]
) -> dict[str, list[Found]]:
    """Enter these records anew and find those like them: {subject: found}; what no longer stands loses its pairs.

    Keys of what a record said before stay: they lead to a comparison with what it says now, and are never read else.
    """
    subjects = list(dict.fromkeys(subjects))
    if not subjects:
        return {}
    records = source.read(connection, door, subjects)
    _forget_pairs(connection, subjects)
    _keep_keys(connection, records.values())
    near = {record.id: _near(connection, record) for record in records.values()}
    others = source.read(connection, door, set().union(*near.values()) - records.keys()) | records
    found = {
        record.id: _alike(record, (others[each] for each in near[record.id] if each in others))
        for record in records.values()
    }
    _keep_pairs(connection, source, records=records, found=found)
    return found


# -- how far -------------------------------------------------------------------------------------------------------


def _behind(connection: sa.Connection, followed: Followed) -> list[tuple[int, tuple[int, str], int]]:
    """The areas in which something may have changed: (area, position, its counter)."""
    mark = match_mark
    joined = area.outerjoin(mark, sa.and_(mark.c.area == area.c.id, mark.c.followed == followed.name))
    query = sa.select(area.c.id, mark.c.seq, mark.c.id.label("row"), area.c.seq.label("counter"))
    waiting = sa.or_(mark.c.seq.is_(None), mark.c.seq < area.c.seq, mark.c.id != "")
    query = query.select_from(joined).where(area.c.code.like("civil:%"), area.c.seq > 0, waiting)
    rows = connection.execute(query.order_by(area.c.id))
    return [(row.id, (row.seq or 0, row.row or ""), row.counter) for row in rows]


def _changed(
    connection: sa.Connection,
    followed: Followed,
    *,
    number: int,
    after: tuple[int, str],
    room: int,
    counter: int,
) -> tuple[list[str], tuple[int, str]]:
    """The next `room` records that changed in an area, and the position reached: (counter, "") when that is all."""
    table = followed.table
    seq, identity = after
    beyond = table.c.seq > seq
    if identity:
        beyond = sa.or_(beyond, sa.and_(table.c.seq == seq, table.c.id > identity))
    query = sa.select(table.c.seq, table.c.id, followed.subject.label("subject"))
    query = query.where(table.c.area == number, beyond)
    if followed.where is not None:
        query = query.where(followed.where)
    rows = connection.execute(query.order_by(table.c.seq, table.c.id).limit(room)).all()
    reached = (rows[-1].seq, str(rows[-1].id)) if len(rows) == room else (counter, "")
    return [str(row.subject) for row in rows if row.subject is not None], reached


def _note_mark(connection: sa.Connection, followed: Followed, *, number: int, mark: tuple[int, str]) -> None:
    own = sa.and_(match_mark.c.followed == followed.name, match_mark.c.area == number)
    values = {"seq": mark[0], "id": mark[1]}
    if connection.execute(match_mark.update().where(own).values(values)).rowcount == 0:
        connection.execute(match_mark.insert().values(followed=followed.name, area=number, **values))


# -- keys and pairs ------------------------------------------------------------------------------------------------


def _keep_keys(connection: sa.Connection, records: Iterable[Record]) -> None:
    rows = sorted((key, record.id) for record in records for key in kept_under(record))
    if rows:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        connection.exec_driver_sql(
            f"INSERT INTO match_key (key, subject) VALUES ({mark}, {mark}) ON CONFLICT DO NOTHING",  # noqa: S608
            rows,
        )


def _near(connection: sa.Connection, record: Record) -> list[str]:
    """The records that share a key with this one, those that share most first."""
    keys = sorted(sought_under(record))
    given: Any = keys
    wanted, mark = "= ANY(%s)", "%s"
    if connection.dialect.name == "sqlite":
        wanted, mark, given = "IN (SELECT value FROM json_each(?))", "?", orjson.dumps(keys).decode()
    rows = connection.exec_driver_sql(
        f"SELECT subject FROM match_key WHERE key {wanted} AND subject <> {mark} "  # noqa: S608 - no value in it
        f"GROUP BY subject ORDER BY count(*) DESC, subject LIMIT {MOST_COMPARED}",
        (given, record.id),
    )
    return [str(each) for each in rows.scalars()]


def _alike(record: Record, others: Iterable[Record]) -> list[Found]:
    found = (Found(other, compare(record, other)) for other in others if may_reach(record, other))
    likely = [each for each in found if each.likeness.level is not None]
    return sorted(likely, key=lambda each: (-each.likeness.score, each.record.id))[:MOST_PAIRS]


def _forget_pairs(connection: sa.Connection, subjects: Sequence[str]) -> None:
    if subjects:
        pair = match_candidate.c
        ours = sa.or_(pair.first.in_(subjects), pair.second.in_(subjects))
        connection.execute(match_candidate.delete().where(ours))


def _keep_pairs(
    connection: sa.Connection,
    source: Source,
    *,
    records: Mapping[str, Record],
    found: Mapping[str, list[Found]],
) -> None:
    rows = {}
    for subject, alike in found.items():
        for each in alike:
            first, second = sorted((records[subject], each.record), key=lambda record: record.id)
            rows[first.id, second.id] = {
                "first": first.id,
                "second": second.id,
                "of": source.of,
                "commune": first.commune,
                "other_commune": second.commune,
                "score": each.likeness.score,
                "reasons": orjson.dumps([reason.code for reason in each.likeness.reasons]).decode(),
            }
    if rows:
        connection.execute(match_candidate.insert(), list(rows.values()))
