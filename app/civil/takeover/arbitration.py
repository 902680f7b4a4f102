"""Somebody who keyed neither page looks at the paper and says what it reads; agreed lines enter the register as acts
that name both keyers and the arbiter."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from app.access.officers import Officer
from app.civil.declaration import refuse
from app.civil.projector import number_key
from app.civil.reprise import Line, take_over
from app.civil.takeover import tables
from app.civil.takeover.entering import PAUSE
from app.civil.takeover.keying import KEYED_BY_ONE, NUMBER, WAITING, keying_row, line_of
from app.civil.takeover.mapping import FIELDS
from app.civil.takeover.receiving import CHUNK, content_of, differences, held_under
from app.civil.takeover.translating import NotRead, value_of
from app.clock import stamp
from app.database import Database
from app.errors import problem
from app.ledger.bulk import lock_door
from app.ledger.door import Door

KEYED_LINE_UNKNOWN = problem(
    "keyed_line_unknown", 404, "Ligne inconnue", "Aucune des deux saisies n'a cet acte, ou il est déjà entré."
)
ARBITRATION_INCOMPLETE = problem(
    "arbitration_incomplete",
    422,
    "Arbitrage incomplet",
    "Donnez une valeur (ou null) à chaque champ qui diffère.",
)


def rule(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    keying: str,
    number: Mapping[str, Any],
    values: Mapping[str, str | int | None],
) -> dict[str, Any]:
    """Say what the paper reads for one line (`number`: office, year, volume, number), in the caller's transaction.

    `values` decides every field that differs and may correct others; null = the paper says nothing. Raises
    `keyed_by_one` (409), `keyed_line_unknown` (404), `arbitration_incomplete`, `invalid_input` (422).
    """  # fmt: skip
    row = keying_row(connection, officer, keying=keying, kind=door.standing.kind)
    if officer.id in (row["first_officer"], row["second_officer"]):
        raise KEYED_BY_ONE("Vous avez saisi l'une de ces deux versions : une autre personne arbitre.")
    table = tables.keyed_line
    mine = sa.and_(table.c.keying == keying, table.c.number_key == number_key(number))
    query = sa.select(table).where(mine).with_for_update()
    line = connection.execute(query).mappings().one_or_none()
    if line is None or line["state"] not in (*WAITING, "ruled"):
        raise KEYED_LINE_UNKNOWN()
    first, second = (json.loads(line[side]) if line[side] else None for side in ("first", "second"))
    apart = differences(first, second) if first is not None and second is not None else {}
    left = sorted(set(apart) - set(values))
    if left:
        raise ARBITRATION_INCOMPLETE(f"Il manque : {', '.join(left)}.", fields=left)
    decided = _decided(values)
    some = first if first is not None else second or {}
    agreed = {name: value for name, value in (some | decided).items() if value is not None}
    _, errors = line_of(connection, agreed, door=door, commune=row["commune"])
    if any(agreed.get(name) != some.get(name) for name in NUMBER):
        errors = [*errors, {"field": "number", "message": "La place de l'acte ne s'arbitre pas."}]
    if errors:
        raise refuse(errors)
    wrong = {
        f"{side}_wrong": len(differences(said, agreed)) if said is not None and other is not None else 0
        for side, said, other in (("first", first, second), ("second", second, first))
    }
    ruled = {
        "state": "ruled", "agreed": json.dumps(agreed, ensure_ascii=False, sort_keys=True),
        "ruled_by": officer.id, "ruled_name": officer.name, "ruled_at": stamp(door.clock.clock.now()),
    }  # fmt: skip
    connection.execute(table.update().where(mine).values(ruled | wrong))
    return {**{name: agreed[name] for name in NUMBER}, "state": "ruled", "fields": agreed}


def _decided(values: Mapping[str, str | int | None]) -> dict[str, Any]:
    decided: dict[str, Any] = {}
    errors = []
    for name, value in values.items():
        if name not in FIELDS:
            errors.append({"field": name[:100], "message": "Champ inconnu."})
            continue
        text = " ".join(str(value).split()) if value is not None else ""
        try:
            decided[name] = value_of(name, text, text=text, words={}) if text else None
        except NotRead as error:
            errors.append({"field": name, "message": f"Attendu : {error}."})
    if errors:
        raise refuse(errors)
    return decided


def enter_agreed(database: Database, door: Door, *, officer: Officer, keying: str, seconds: float) -> None:
    """Enter the lines both officers keyed alike and those arbitrated, for at most so many seconds; the next call goes
    on. A line whose number was given to another act meanwhile waits again. Raises `keying_unknown`, `other_commune`."""
    until = time.monotonic() + seconds
    while True:
        with database.write() as connection:
            if not _enter_some(connection, door, officer, keying=keying):
                return
        if time.monotonic() >= until:
            return
        time.sleep(PAUSE)


def _enter_some(connection: sa.Connection, door: Door, officer: Officer, *, keying: str) -> bool:
    lock_door(connection)
    row = keying_row(connection, officer, keying=keying, kind=door.standing.kind)
    table = tables.keyed_line
    query = (
        sa.select(table.c.n, table.c.agreed, table.c.ruled_name)
        .where(table.c.keying == keying, table.c.state.in_(("equal", "ruled")))
        .order_by(table.c.n)
        .limit(CHUNK)
    )
    found = connection.execute(query).all()
    if not found:
        return False
    states: dict[str, list[int]] = {"entered": [], "taken": [], "wrong": []}
    lines: dict[int, Line] = {}
    for each in found:
        line, errors = line_of(connection, json.loads(each.agreed), door=door, commune=row["commune"])
        if line is None or errors:
            states["wrong"].append(each.n)
            continue
        keyed: dict[str, Any] = {"keyed_by": [row["first_name"], row["second_name"]]}
        if each.ruled_name is not None:
            keyed["arbitrated_by"] = each.ruled_name
        lines[each.n] = replace(line, keyed=keyed)
    held = held_under(connection, door, [line.key for line in lines.values()])
    fresh: list[Line] = []
    for n, line in lines.items():
        act = held.get(line.key or "")
        states["taken" if act is not None and differences(content_of(line), act) else "entered"].append(n)
        if act is None:
            fresh.append(line)
    if fresh:
        take_over(connection, door, officer, lines=fresh)
    for state, numbers in states.items():
        if numbers:
            some = sa.and_(table.c.keying == keying, table.c.n.in_(numbers))
            connection.execute(table.update().where(some).values(state=state))
    return True
