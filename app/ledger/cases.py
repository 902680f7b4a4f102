"""The open cases of the trays: registers whose values contradict each other, in the order they are to be decided, and
who stands behind each value. Reads only; app.ledger.resolution settles them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from app.access.officers import names_of
from app.access.paging import BAD_CURSOR, decode_cursor, encode_cursor
from app.errors import Problem, problem
from app.ledger.desk import Desk, Row
from app.ledger.history import etag, histories
from app.ledger.projection import short
from app.ledger.tables import conflict, device, other, question
from app.ledger.trays import HEAVY, LIGHT
from sync.catalogue import is_uuid4
from sync.merge import ENTITY

CONFLICT_NOT_FOUND = problem(
    "conflict_not_found",
    404,
    "Aucun conflit ouvert sous cet identifiant",
    "Il a peut-être été tranché : relisez la liste (GET /v1/conflicts).",
)

# Cases about a whole entity: the act whose operations contradict each other.
ENTITY_CASES = {"void": "void", "merged_into": "merge"}
_ORDER = (conflict.c.opened_at, conflict.c.id, conflict.c.register, conflict.c.kind)
Position = tuple[int, str, str, str, str]
Histories = Mapping[tuple[str, str], dict[str, list[dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases are asked for; `opened_from` (included) and `opened_before` (not) are stamps in UTC."""

    area: str | None = None
    kind: str | None = None
    weight: int | None = None
    opened_from: str | None = None
    opened_before: str | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """All but the area and the weight."""
        found = []
        if self.kind is not None:
            found.append(conflict.c.kind == short(self.kind))
        if self.opened_from is not None:
            found.append(conflict.c.opened_at >= self.opened_from)
        if self.opened_before is not None:
            found.append(conflict.c.opened_at < self.opened_before)
        return found


def read_position(cursor: str) -> Position:
    """Where a page of cases ended. Raises `bad_cursor` (400)."""
    found = decode_cursor(cursor, int, str, str, str, str)
    if not is_uuid4(found[2]):
        raise BAD_CURSOR()
    weight, opened_at, identity, register, kind = found
    return weight, opened_at, identity, register, kind


def position_of(case: Row) -> str:
    """The cursor of a page that ends with this case."""
    return encode_cursor(case["weight"], case["opened_at"], case["id"], case["register"], case["kind"])


def find_cases(
    connection: sa.Connection, desk: Desk, wanted: Wanted, *, after: Position | None, limit: int
) -> list[Row]:
    """The next open cases of the officer's communes: those a person must decide first, then the oldest."""
    found: list[Row] = []
    for weight in (HEAVY, LIGHT):
        if wanted.weight not in (None, weight) or (after is not None and weight > after[0]):
            continue
        query = desk.within(sa.select(conflict), conflict.c.area, area=wanted.area)
        query = query.where(conflict.c.weight == weight, *wanted.conditions())
        if after is not None and weight == after[0]:
            reached = (sa.literal(each, column.type) for each, column in zip(after[1:], _ORDER, strict=True))
            query = query.where(sa.tuple_(*_ORDER) > sa.tuple_(*reached))
        query = query.order_by(*_ORDER).limit(limit - len(found))
        found += map(dict, connection.execute(query).mappings())
        if len(found) >= limit:
            break
    return found


def case_id(case: Row) -> str:
    """The stable, opaque, URL-safe identifier of a case."""
    return encode_cursor(case["kind"], case["id"], case["register"])


def find_case(connection: sa.Connection, desk: Desk, identifier: str) -> Row:
    """The open case of an identifier. Raises `conflict_not_found` (404), `other_commune` (403)."""
    try:
        kind, identity, register = decode_cursor(identifier, str, str, str)
    except Problem as error:
        raise CONFLICT_NOT_FOUND() from error
    if not is_uuid4(identity):
        raise CONFLICT_NOT_FOUND()
    columns = conflict.c
    query = sa.select(conflict).where(
        columns.kind == kind, columns.id == identity, columns.register == register
    )
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise CONFLICT_NOT_FOUND()
    case = dict(found)
    desk.require(desk.commune_of(case))
    return case


def entities_of(
    connection: sa.Connection, desk: Desk, cases: Collection[Row]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The stored rows of these cases by (kind, id): a statement for each kind that has a table."""
    tables: dict[sa.Table, set[str]] = defaultdict(set)
    kinds = {(case["kind"], case["id"]) for case in cases}
    for kind, identity in kinds:
        tables[desk.door.registry.shape(kind).table].add(identity)
    names = {shape.table: kind for kind, shape in desk.door.registry.shapes.items()}
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for table, ids in tables.items():
        for row in connection.execute(sa.select(table).where(table.c.id.in_(ids))).mappings():
            key = (row["kind"] if table is other else names[table], row["id"])
            if key in kinds:
                found[key] = dict(row)
    return found


def tell_cases(
    connection: sa.Connection, desk: Desk, cases: Sequence[Row], *, whole: bool = False
) -> list[dict[str, Any]]:
    """The cases as schemas.Conflict describes them; `whole` adds everything ever written to the register.

    The number of statements does not grow with the cases. The reading is journalled.
    """
    entities = entities_of(connection, desk, cases)
    known = histories(connection, [(kind, row) for (kind, _), row in entities.items()])
    asked = questions_about(connection, cases, known)
    told = []
    for case in cases:
        key = (case["kind"], case["id"])
        name = register_name(case, known.get(key, {}))
        written = _written(case, known.get(key, {}), name)
        case_told: dict[str, Any] = {each: case[each] for each in ("kind", "id", "weight", "opened_at")}
        case_told |= {
            "conflict": case_id(case),
            "register": name,
            "area": desk.door.areas.code(case["area"]),
            "etag": etag(entities[key]) if key in entities else None,
            "values": [each for each in written if each["live"]],
            "questions": asked.get((*key, case["register"]), []),
        }
        told.append(case_told | ({"history": written} if whole else {}))
    _name(connection, told)
    shown = [(case["kind"][:32], case["id"], desk.commune_of(case)) for case in cases]
    desk.journal_of(connection, shown)
    return told


def register_name(case: Row, registers: Collection[str]) -> str:
    """The register's own name, of which a case keeps a short one."""
    stored: str = case["register"]
    return next((name for name in registers if short(name) == stored), stored)


def _written(case: Row, registers: Mapping[str, list[dict[str, Any]]], name: str) -> list[dict[str, Any]]:
    act = ENTITY_CASES.get(case["register"])
    if name in registers or act is None:
        return registers.get(name, [])
    return [
        each | {"value": True if act == "void" else each["value"].get("into")}
        for each in registers.get(ENTITY, [])
        if isinstance(each["value"], dict) and each["value"].get("act") == act
    ]


def _name(connection: sa.Connection, told: Collection[Mapping[str, Any]]) -> None:
    """Give every author, agent and device of these cases its name, where it has one here."""
    values = [each for case in told for each in (*case["values"], *case.get("history", ()))]
    names = names_of(connection, (each["by"] for each in values))
    devices = device_names(connection, {each["dev"] for each in values})
    for each in values:
        each["by_name"] = names.get(each["by"])
        each["dev_name"] = devices.get(each["dev"])
    name_questions(connection, [each for case in told for each in case["questions"]])


def name_questions(connection: sa.Connection, asked: Collection[dict[str, Any]]) -> None:
    """Give whoever asked and whoever is asked his name, where he has an account here."""
    names = names_of(connection, (each[name] for each in asked for name in ("agent", "asked_by")))
    for each in asked:
        each["agent_name"] = names.get(each["agent"])
        each["asked_by_name"] = names.get(each["asked_by"])


def device_names(connection: sa.Connection, devs: Collection[str]) -> dict[str, str]:
    """Device → its name, of those enrolled under one."""
    if not devs:
        return {}
    query = sa.select(device.c.id, device.c.name).where(device.c.id.in_(devs), device.c.name.is_not(None))
    return {row.id: row.name for row in connection.execute(query)}


def questions_about(
    connection: sa.Connection, cases: Collection[Row], known: Histories
) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """The questions put to agents about these cases, by kind, id and register. One statement.

    A question is answered when a clerk closed the case, or when the agent's device wrote the register again over
    every value that stood when it was asked.
    """
    ids = {case["id"] for case in cases}
    query = sa.select(question).where(question.c.entity.in_(ids)).order_by(question.c.asked_on, question.c.id)
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in map(dict, connection.execute(query).mappings()) if ids else ():
        kind, register = row["kind"] or "", row["register"] or ""
        written = known.get((short(kind), row["entity"]), {}).get(register, [])
        named = ("id", "text", "agent", "device", "asked_by", "asked_on")
        told = {name: row[name] for name in named}
        told["stage"] = "answered" if _is_answered(row, written) else "open"
        found[short(kind), row["entity"], short(register)].append(told)
    return found


def _is_answered(row: Mapping[str, Any], written: Collection[Mapping[str, Any]]) -> bool:
    if row["stage"] == "answered":
        return True
    dots = orjson.loads(row["dots"]) if row["dots"] else None
    if not isinstance(dots, list) or not dots:
        return False
    return any(each["dev"] == row["device"] and all(dot in each["par"] for dot in dots) for each in written)
