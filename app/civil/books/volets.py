"""The four volets of a sheet and where each of them went: one by one, or a whole volume with one slip. Sent again, a
volet is written down again; nothing is taken back."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil import tables
from app.civil.books.tables import volet
from app.civil.books.volumes import book_row, key_of
from app.civil.finding import act_row
from app.errors import problem
from app.law.registers import volets_on
from app.ledger.bulk import lock_door
from app.ledger.desk import invalid
from app.ledger.door import Door
from app.ledger.entities import in_lists

NO_ACT_TO_SEND = problem(
    "no_act_to_send",
    409,
    "Aucun acte à envoyer",
    "Ce volet des actes demandés est déjà envoyé, ou le volume n'en contient pas.",
)

VOLETS = (1, 2, 3, 4)
_SHOWN = ("id", "act", "volet", "holder", "sent_on", "sent_to", "slip", "note", "recorded_by")

Row = Mapping[str, Any]
Sent = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shipment:
    """Volets sent with one slip: how many acts, those whose volet had gone before, the first and the last number."""

    sent: int
    before: int
    first: int
    last: int
    holder: str


def send_volet(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    act: str,
    values: Mapping[str, Any],
    today: date,
) -> Sent:
    """Write down where one volet of an act went, in the caller's transaction.

    `values`: volet, holder? (the dated mapping), sent_on? (`today`), sent_to?, slip?, note?. Raises `act_unknown` 404,
    `other_commune` 403, `invalid_input` 422.
    """
    lock_door(connection)
    row = act_row(connection, act)
    require(officer, row["commune"], node_kind=door.standing.kind)
    operation = _operation(row, _complete(values, today=today), officer=officer)
    door.write(connection, [operation], by=officer.id)
    return next(each for each in volets_of(connection, act) if each["id"] == operation["id"])


def volets_of(connection: sa.Connection, act: str) -> list[Sent]:
    """Every sending of an act's volets, by volet and day."""
    query = sa.select(volet).where(volet.c.act == act, in_lists(volet))
    rows = connection.execute(query.order_by(volet.c.volet, volet.c.sent_on, volet.c.id)).mappings()
    return [{name: row[name] for name in _SHOWN} for row in rows]


def send_volume(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    register: str,
    values: Mapping[str, Any],
    numbers: tuple[int | None, int | None],
    today: date,
) -> Shipment:
    """Send one volet of every act of a volume, or of those numbered from–to, with one slip; acts whose volet has gone
    already are left out. In the caller's transaction; `values` as for `send_volet`.

    Raises `register_unknown` 404, `other_commune` 403, `no_act_to_send` 409, `invalid_input` 422.
    """
    lock_door(connection)
    book = book_row(connection, register)
    require(officer, book["commune"], node_kind=door.standing.kind)
    made = _complete(values, today=today)
    least, most = numbers
    acts = [
        row
        for row in _acts_of(connection, book)
        if (least is None or row["number"] >= least) and (most is None or row["number"] <= most)
    ]
    gone = _sent_of(connection, book)[made["volet"]]
    going = [row for row in acts if row["id"] not in gone]
    if not going:
        raise NO_ACT_TO_SEND()
    operations = [_operation(row, made, officer=officer) for row in going]
    door.write(connection, operations, by=officer.id)
    first, last = going[0]["number"], going[-1]["number"]
    return Shipment(len(going), len(acts) - len(going), first, last, made["holder"])


def standing_of(connection: sa.Connection, book: Row) -> list[dict[str, Any]]:
    """For each of the four volets of a volume: to whom it goes, the acts sent, and the numbers not sent anywhere."""
    acts = _acts_of(connection, book)
    sent = _sent_of(connection, book)
    holders = volets_on(date(book["year"], 12, 31)) if book["year"] else {}
    found = []
    for each in VOLETS:
        waiting = [row["number"] for row in acts if row["id"] not in sent[each]]
        numbers = [{"first": first, "last": last} for first, last in stretches(waiting)]
        gone = len(acts) - len(waiting)
        counts = {"sent": gone, "waiting": len(waiting), "numbers": numbers}
        found.append({"volet": each, "holder": holders.get(each), **counts})
    return found


def slips_of(connection: sa.Connection, book: Row) -> list[dict[str, Any]]:
    """The slips with which volets of a volume went: volet, day, to whom, how many acts, numbers from–to."""
    act, how_many = tables.act, sa.func.count().label("acts")
    columns = volet.c.slip, volet.c.volet, volet.c.holder, volet.c.sent_on, volet.c.sent_to
    ends = sa.func.min(act.c.number).label("first"), sa.func.max(act.c.number).label("last")
    query = sa.select(*columns, how_many, *ends).join(act, act.c.id == volet.c.act)
    query = query.where(*_within(book), in_lists(volet)).group_by(*columns)
    return [dict(row) for row in connection.execute(query.order_by(*columns)).mappings()]


def stretches(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as stretches without a hole, in order: [1, 2, 3, 7] is [(1, 3), (7, 7)]. Pure."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _complete(values: Mapping[str, Any], *, today: date) -> dict[str, Any]:
    made = {"sent_on": today.isoformat(), **values}
    if made["sent_on"] > today.isoformat():
        raise invalid("sent_on", "Cette date est dans l'avenir.")
    if "holder" not in made:
        holder = volets_on(date.fromisoformat(made["sent_on"])).get(made["volet"])
        if holder is None:
            raise invalid("holder", "Dites à qui va ce volet : aucune règle n'est connue pour ce jour.")
        made["holder"] = holder
    return made


def _operation(act: Row, values: Mapping[str, Any], *, officer: Officer) -> dict[str, Any]:
    made = {**values, "act": act["id"], "recorded_by": officer.id}
    if act["commune"] is not None:
        made["commune"] = act["commune"]
    return {"kind": "volet", "id": str(uuid.uuid4()), "new": True, "set": made}


def _within(book: Row) -> tuple[sa.ColumnElement[bool], ...]:
    act = tables.act.c
    office, year, volume = key_of(book)
    return act.office == office, act.year == year, act.volume == volume


def _acts_of(connection: sa.Connection, book: Row) -> list[Row]:
    act = tables.act.c
    query = sa.select(act.id, act.number, act.commune).where(*_within(book), act.number.is_not(None))
    return [dict(row) for row in connection.execute(query.order_by(act.number, act.id)).mappings()]


def _sent_of(connection: sa.Connection, book: Row) -> Mapping[int, Collection[str]]:
    """volet → the acts of a volume of which it went somewhere."""
    query = sa.select(volet.c.volet, volet.c.act).join(tables.act, tables.act.c.id == volet.c.act)
    found: dict[int, set[str]] = defaultdict(set)
    for each in connection.execute(query.where(*_within(book), in_lists(volet))):
        found[each.volet].add(each.act)
    return found
