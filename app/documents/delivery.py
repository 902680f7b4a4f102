"""Handing papers over: to whom, when, for how much; which acts nobody has fetched yet; and the share of acts that
reached their family. Issues nothing."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from app.access.officers import Officer
from app.civil import tables
from app.civil.late.tables import late_procedure
from app.civil.standing import annulled
from app.civil.tables import civil_delivery
from app.clock import stamp
from app.documents.issuing import find_document
from app.errors import problem
from app.law.delay import Delay
from app.law.fees import fee_of, free_of_charge
from app.ledger.bulk import lock_door
from app.ledger.door import Door

ALREADY_DELIVERED = problem(
    "already_delivered", 409, "Document déjà remis", "Délivrez un nouveau document s'il en faut un autre."
)
NO_ACT_TO_DELIVER = problem(
    "no_act_to_deliver",
    409,
    "Ce document n'est pas un acte",
    "Seuls l'extrait et la copie intégrale se remettent contre identité.",
)

Position = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A paper handed over: the delivery's own fields, and whether the rule of its fee is confirmed."""

    values: dict[str, Any]
    verified: bool


@dataclass(frozen=True, slots=True)
class Fee:
    """What a paper costs: `amount` in francs (None = unknown), free or not, why (French), confirmed or not."""

    free: bool
    amount: int | None
    rule: str
    verified: bool


def deliver(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    document: str,
    to_name: str,
    to_relation: str,
    identity: str | None,
    today: date,
) -> Delivered:
    """Write down that a document was handed to somebody on `today`, in the caller's transaction.

    Raises `document_unknown` 404, `other_commune` 403, `no_act_to_deliver` 409, `already_delivered` 409.
    """
    lock_door(connection)
    issued = find_document(connection, door, officer=officer, document=document).values
    if issued["act"] is None:
        raise NO_ACT_TO_DELIVER()
    handed = civil_delivery.c
    before = connection.execute(sa.select(handed.document).where(handed.act == issued["act"])).scalars().all()
    if document in before:
        raise ALREADY_DELIVERED()
    fee = _fee(connection, issued["act"], issued["birth"], first=not before, today=today)
    values = {
        "document": document,
        "act": issued["act"],
        "birth": issued["birth"],
        "commune": issued["commune"],
        "to_name": to_name,
        "to_relation": to_relation,
        "identity": identity,
        "delivered_on": today.isoformat(),
        "delivered_at": stamp(door.clock.clock.now()),
        "free": fee.free,
        "fee": fee.amount,
        "fee_rule": fee.rule,
        "recorded_by": officer.id,
        "recorded_name": officer.name,
    }
    new = str(uuid.uuid4())
    kept = {name: value for name, value in values.items() if value is not None}
    door.write(connection, [{"kind": "delivery", "id": new, "new": True, "set": kept}], by=officer.id)
    return Delivered({"id": new, **values}, fee.verified)


def undelivered(
    connection: sa.Connection,
    door: Door,
    *,
    communes: Collection[str] | None,
    days: int,
    today: date,
    after: Position | None,
    limit: int,
) -> tuple[list[dict[str, Any]], Position | None]:
    """Acts drawn up here at least `days` days ago of which no paper was ever handed over, longest waiting first.

    Acts keyed from paper are left out (nobody knows who holds them), annulled ones too. Gives the rows and where the
    next page begins.
    """
    act = tables.act.c
    query = sa.select(
        act.id, act.birth, act.commune, act.office, act.year, act.number, act.registered_on, act.nom, act.postnom,
        act.prenom, act.declarant_name,
    ).where(*_waiting(door, communes), act.registered_on <= (today - timedelta(days=days)).isoformat())  # fmt: skip
    if after is not None:
        day, last_id = after
        bound = sa.tuple_(sa.literal(day), sa.literal(last_id, act.id.type))
        query = query.where(sa.tuple_(act.registered_on, act.id) > bound)
    rows = connection.execute(query.order_by(act.registered_on, act.id).limit(limit + 1)).mappings().all()
    items = [dict(row) | {"days": _days_since(row["registered_on"], today)} for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    return items, (last["registered_on"], last["id"]) if last is not None else None


def delivered_shares(
    connection: sa.Connection, *, communes: Collection[str] | None
) -> dict[str | None, tuple[int, int]]:
    """By commune (acts drawn up here of which a paper was handed over, all of them): indicator 26.

    In these communes (None = all); acts keyed from paper and annulled ones are in neither.
    """
    act = tables.act.c
    fetched = sa.func.sum(sa.case((_handed(), 1), else_=0))
    query = sa.select(act.commune, fetched, sa.func.count()).where(*_DRAWN_UP).group_by(act.commune)
    if communes is not None:
        query = query.where(act.commune.in_(communes))
    return {commune: (int(delivered), acts) for commune, delivered, acts in connection.execute(query)}


_DRAWN_UP = tables.act.c.provenance == "registration", ~annulled(tables.act.c.id)


def _handed() -> sa.ColumnElement[bool]:
    return sa.exists().where(civil_delivery.c.act == tables.act.c.id)


def _waiting(door: Door, communes: Collection[str] | None) -> list[sa.ColumnElement[bool]]:
    found = [*_DRAWN_UP, ~_handed()]
    if communes is not None:
        areas = (door.areas.id(f"civil:{commune}") for commune in sorted(communes))
        found.append(tables.act.c.area.in_([area for area in areas if area is not None]))
    return found


def _fee(connection: sa.Connection, act: str, birth: str | None, *, first: bool, today: date) -> Fee:
    """Of the first paper of an act the law speaks, and a campaign may waive it; of later ones no amount is known."""
    if not first:
        return Fee(False, None, "Nouvelle délivrance : aucun montant n'est connu (règle à confirmer).", False)
    file = late_procedure.c
    waived = sa.select(file.id).where(file.birth == birth, file.fee_waived.is_(True)).limit(1)
    if connection.scalar(waived) is not None:
        return Fee(True, 0, "Campagne dispensée de frais : délivrance gratuite (règle à confirmer).", False)
    delay: Delay = (
        connection.scalar(sa.select(tables.act.c.delay).where(tables.act.c.id == act)) or "undetermined"
    )
    answer = free_of_charge(delay, today)
    return Fee(answer.yes is True, fee_of(delay, today), answer.rule, answer.verified)


def _days_since(day: str, today: date) -> int:
    return (today - date.fromisoformat(day)).days
