"""The tray of pairs that may be one person: those waiting for somebody, and those decided, both sides side by side.
Of a side the officer may not see, or that is not on this server, only commune and reference are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
import sqlalchemy as sa

from app.access.jurisdiction import communes_of
from app.ledger.desk import Desk
from app.ledger.history import histories
from app.population.duplicates.compare import REASONS, level_of
from app.population.duplicates.deciding import next_step
from app.population.duplicates.index import Source
from app.population.duplicates.record import FIELDS, Record
from app.population.duplicates.tables import match_candidate, pairing

SETTLED = ("same", "different")
_DECISION = ("verdict", "decided_on", "decided_at", "decided_by", "decided_name", "note")

Row = Mapping[str, Any]
Waiting = tuple[int, str, str]
Decided = tuple[int, int, str]


def waiting(
    connection: sa.Connection,
    desk: Desk,
    source: Source,
    *,
    communes: Collection[str] | None,
    after: Waiting | None,
    limit: int,
) -> tuple[list[dict[str, Any]], Waiting | None]:
    """Pairs nobody settled that touch these communes (None = all), the most alike first; where the next page begins.

    A pair of which a record was voided, merged or withdrawn meanwhile is passed over.
    """
    items: list[dict[str, Any]] = []
    while True:
        rows = _waiting_rows(connection, source, communes=communes, after=after, limit=limit + 1)
        records = source.read(
            connection, desk.door, {row[side] for row in rows for side in ("first", "second")}
        )
        standing = [row for row in rows if row["first"] in records and row["second"] in records]
        told = decisions_of(connection, standing)
        for row in standing:
            if len(items) == limit:
                return items, after
            pair = records[row["first"]], records[row["second"]]
            items.append(_shown(desk, pair, score=row["score"], reasons=row["reasons"], told=told))
            after = (row["score"], row["first"], row["second"])
        if len(rows) <= limit:
            return items, None
        after = (rows[-1]["score"], rows[-1]["first"], rows[-1]["second"])


def decided(
    connection: sa.Connection,
    desk: Desk,
    source: Source,
    *,
    communes: Collection[str] | None,
    after: Decided | None,
    limit: int,
) -> tuple[list[dict[str, Any]], Decided | None]:
    """Pairs somebody settled, here or in the province, the last written down first."""
    place = (pairing.c.area, pairing.c.seq, pairing.c.id)
    query = sa.select(pairing).where(
        pairing.c.of == source.of, pairing.c.verdict.in_(SETTLED), pairing.c.void.is_(None)
    )
    if communes is None:
        # A pair of two communes stands in both: once is enough for whoever sees both.
        once = sa.or_(pairing.c.other_commune.is_(None), pairing.c.commune <= pairing.c.other_commune)
        query = query.where(once)
    else:
        query = query.where(pairing.c.commune.in_(sorted(communes)))
    if after is not None:
        here = (sa.literal(value, column.type) for value, column in zip(after, place, strict=True))
        query = query.where(sa.tuple_(*place) < sa.tuple_(*here))
    rows = connection.execute(query.order_by(*(column.desc() for column in place)).limit(limit + 1))
    found = [dict(row) for row in rows.mappings()]
    records = source.read(connection, desk.door, {row[side] for row in found for side in ("first", "second")})
    told = decisions_of(connection, found[:limit])
    items = [
        _shown(
            desk, _sides(row, records, of=source.of), score=row["score"], reasons=row["reasons"], told=told
        )
        for row in found[:limit]
    ]
    last = found[limit - 1] if len(found) > limit else None
    return items, (last["area"], last["seq"], last["id"]) if last is not None else None


def show_pair(connection: sa.Connection, desk: Desk, pair: tuple[Record, Record]) -> dict[str, Any]:
    """One pair that was decided, as the tray shows it."""
    told = decisions_of(connection, [{"first": pair[0].id, "second": pair[1].id}])
    row = told[pair[0].id, pair[1].id]
    return _shown(desk, pair, score=row["score"], reasons=row["reasons"], told=told)


def note_shown(connection: sa.Connection, desk: Desk, items: Iterable[Mapping[str, Any]]) -> None:
    """Note in the journal whose records these pairs show."""
    sides = [(item["of"], item[side]) for item in items for side in ("first", "second")]
    desk.journal_of(connection, [(of, side["id"], side["commune"]) for of, side in sides if side["visible"]])


def decisions_of(connection: sa.Connection, pairs: Iterable[Row]) -> dict[tuple[str, str], dict[str, Any]]:
    """What was decided of these pairs, by sorted ids: the row that is shown, and `history`, every decision ever."""
    wanted = {(min(pair["first"], pair["second"]), max(pair["first"], pair["second"])) for pair in pairs}
    if not wanted:
        return {}
    ids = {each for pair in wanted for each in pair}
    query = sa.select(pairing).where(
        pairing.c.first.in_(ids), pairing.c.second.in_(ids), pairing.c.void.is_(None)
    )
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in map(dict, connection.execute(query.order_by(pairing.c.id)).mappings()):
        key = (min(row["first"], row["second"]), max(row["first"], row["second"]))
        if key in wanted:
            found.setdefault(key, row)
    told = histories(connection, [("pairing", row) for row in found.values()])
    for row in found.values():
        row["history"] = told["pairing", row["id"]].get("verdict", [])
    return found


def _waiting_rows(
    connection: sa.Connection,
    source: Source,
    *,
    communes: Collection[str] | None,
    after: Waiting | None,
    limit: int,
) -> Sequence[Row]:
    pair = match_candidate.c
    settled = sa.exists().where(
        pairing.c.first == pair.first, pairing.c.second == pair.second, pairing.c.of == source.of,
        pairing.c.verdict.in_(SETTLED), pairing.c.void.is_(None),
    )  # fmt: skip
    query = sa.select(match_candidate).where(pair.of == source.of, ~settled)
    if communes is not None:
        ours = sorted(communes)
        query = query.where(sa.or_(pair.commune.in_(ours), pair.other_commune.in_(ours)))
    if after is not None:
        score, first, second = after
        ids = sa.tuple_(pair.first, pair.second)
        given = sa.tuple_(sa.literal(first, pair.first.type), sa.literal(second, pair.second.type))
        query = query.where(sa.or_(pair.score < score, sa.and_(pair.score == score, ids > given)))
    query = query.order_by(pair.score.desc(), pair.first, pair.second).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def _sides(row: Row, records: Mapping[str, Record], *, of: str) -> tuple[Record, Record]:
    """Both records of a decided pair; of one that is not on this server what the decision itself says."""
    own = records.get(row["first"]) or Record(
        row["first"], of, row["commune"], reference=row["reference"], held=False
    )
    other = records.get(row["second"]) or Record(
        row["second"], of, row["other_commune"], reference=row["other_reference"], held=False
    )
    first, second = sorted((own, other), key=lambda record: record.id)
    return first, second


def _shown(
    desk: Desk,
    pair: tuple[Record, Record],
    *,
    score: int,
    reasons: str,
    told: Mapping[tuple[str, str], dict[str, Any]],
) -> dict[str, Any]:
    row = told.get((pair[0].id, pair[1].id))
    verdict = row["verdict"] if row is not None else None
    history = row["history"] if row is not None else []
    live = {each["value"]["verdict"] for each in history if each["live"]}
    return {
        "of": pair[0].of,
        "first": _side(desk, pair[0]),
        "second": _side(desk, pair[1]),
        "score": score,
        "level": level_of(score),
        "reasons": [REASONS[code]._asdict() for code in orjson.loads(reasons) if code in REASONS],
        "state": "decided" if verdict in SETTLED else "open",
        "verdict": verdict,
        "contested": len(live) > 1,
        "decisions": [
            {name: each["value"].get(name) for name in _DECISION}
            | {"live": each["live"], "shown": each["shown"]}
            for each in history
        ],
        "next_step": next_step(pair, verdict),
    }


def _side(desk: Desk, record: Record) -> dict[str, Any]:
    communes = communes_of(desk.officer, desk.kind)
    visible = record.held and (communes is None or record.commune in communes)
    known = {name: value for name, value in asdict(record).items() if name in FIELDS and visible}
    return {
        "id": record.id,
        "commune": record.commune,
        "reference": record.reference,
        "visible": visible,
        "declared_on": record.on if visible else None,
        **dict.fromkeys(FIELDS),
        **known,
    }
