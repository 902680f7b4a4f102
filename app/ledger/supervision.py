"""What a supervisor goes through beside the conflicts: lines set aside, values nobody believes, operations that wait.
Reads only; none of it holds anything else up."""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from app.access.officers import names_of
from app.access.paging import BAD_CURSOR, decode_cursor, encode_cursor
from app.errors import problem
from app.ledger.desk import Desk
from app.ledger.projection import Shape, short
from app.ledger.tables import device, other, quarantine, waiting
from app.ledger.values import expected
from sync.catalogue import CATALOGUE, is_uuid4
from sync.protocol import parse_dot

QUARANTINED_NOT_FOUND = problem(
    "quarantined_not_found", 404, "Aucune ligne mise de côté sous ce numéro", "Vérifiez le numéro."
)
LISTED_BYTES = 4096
REASONS = {
    "unknown_act": "Action inconnue de ce programme : l'appareil a peut-être une version plus récente.",
    "beyond_role": "L'appareil n'a pas le droit d'écrire cela.",
    "revoked": "Écrite après la révocation de l'appareil.",
    "unreadable": "La ligne ne peut être lue.",
    "not_utf8": "La ligne n'est pas du texte UTF-8.",
    "not_json": "La ligne n'est pas du JSON.",
    "duplicate_key": "Une même clé figure deux fois.",
    "nul": "Le texte contient le caractère U+0000.",
    "lone_surrogate": "Le texte contient un demi-caractère.",
    "number": "Un nombre dépasse les limites.",
    "depth": "La ligne est trop imbriquée.",
    "too_long": "La ligne dépasse 64 Kio.",
    "shape": "La ligne n'a pas la forme d'une opération.",
    "id": "L'identifiant n'est pas un UUID version 4.",
    "par": "L'opération se réfère à elle-même, ou à une opération à venir.",
    "header": "L'en-tête du lot ne peut être lu.",
    "foreign_header": "L'en-tête du lot nomme un autre appareil que celui qui a signé.",
    "version": "Version de protocole inconnue.",
    "epoch": "Époque hors limites.",
    "range": "Numéros d'opération hors limites.",
    "batch_too_long": "Le lot dépasse 1 Mio.",
    "no_final_newline": "La dernière ligne du lot n'est pas terminée.",
    "too_many_operations": "Le lot compte plus de 5 000 opérations.",
    "count": "Le lot ne compte pas les opérations que son en-tête annonce.",
}
_ENTITY = re.compile(rb'"id"\s*:\s*"([0-9a-f-]{36})"')
Page = tuple[list[dict[str, Any]], str | None]


def _page(found: list[dict[str, Any]], positions: Sequence[str], limit: int) -> Page:
    return found[:limit], positions[limit - 1] if len(found) > limit else None


def name_devices(connection: sa.Connection, told: Sequence[dict[str, Any]]) -> None:
    """Give each line its device's name and agent, and the agent's name. Two statements."""
    devs = {each["dev"] for each in told}
    query = sa.select(device.c.id, device.c.name, device.c.agent).where(device.c.id.in_(devs))
    known = {row.id: row for row in connection.execute(query)} if devs else {}
    names = names_of(connection, (row.agent for row in known.values()))
    for each in told:
        row = known.get(each["dev"])
        agent = row.agent if row is not None else None
        each |= {"dev_name": row and row.name, "agent": agent, "agent_name": names.get(agent or "")}


# -- lines set aside -------------------------------------------------------------------------------------------------


def list_quarantine(
    connection: sa.Connection,
    desk: Desk,
    *,
    area: str | None,
    reason: str | None,
    dev: str | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Lines set aside in the officer's communes, the latest first, each cut at 4,096 bytes. Journalled."""
    query = _set_aside(desk, area)
    if reason is not None:
        query = query.where(quarantine.c.reason == reason)
    if dev is not None:
        query = query.where(quarantine.c.dev == dev)
    if cursor:
        query = query.where(quarantine.c.id < decode_cursor(cursor, int)[0])
    rows = connection.execute(query.order_by(quarantine.c.id.desc()).limit(limit + 1)).mappings().all()
    told = _tell_aside(connection, desk, [dict(row) for row in rows[:limit]])
    return told, encode_cursor(told[-1]["id"]) if len(rows) > limit else None


def read_quarantined(connection: sa.Connection, desk: Desk, number: int) -> dict[str, Any]:
    """One line set aside, whole. Raises `quarantined_not_found` (404), `other_commune` (403). Journalled."""
    columns = quarantine.c
    query = sa.select(quarantine, sa.func.length(columns.line).label("bytes")).where(columns.id == number)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise QUARANTINED_NOT_FOUND()
    desk.require(_commune(desk, row["area"]))
    return _tell_aside(connection, desk, [dict(row)])[0]


def _set_aside(desk: Desk, area: str | None) -> sa.Select[Any]:
    columns = [column for column in quarantine.c if column.name != "line"]
    line = sa.func.substr(quarantine.c.line, 1, LISTED_BYTES, type_=sa.LargeBinary).label("line")
    size = sa.func.length(quarantine.c.line).label("bytes")
    return desk.within(sa.select(*columns, line, size), quarantine.c.area, area=area)


def _commune(desk: Desk, area: int | None) -> str | None:
    return desk.door.areas.commune(desk.door.areas.code(area)) if area is not None else None


def _tell_aside(connection: sa.Connection, desk: Desk, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    shown = []
    for row in rows:
        # SQLite's part of an empty line is null.
        line = bytes(row["line"] or b"")
        if (named := _ENTITY.search(line)) and is_uuid4(identity := named[1].decode()):
            shown.append(("quarantine", identity, _commune(desk, row["area"])))
        row |= _readable(line, cut=row["bytes"] > len(line))
        row["reason_text"] = REASONS.get(row["reason"], REASONS["unreadable"])
        row["area"] = desk.door.areas.code(row["area"]) if row["area"] is not None else None
    desk.journal_of(connection, shown)
    name_devices(connection, rows)
    return rows


def _readable(line: bytes, *, cut: bool) -> dict[str, Any]:
    """`line` where the bytes are UTF-8 (a character cut in two at the end left out), else `line_base64`."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(line, final=not cut)
    except UnicodeDecodeError:
        return {"line": None, "line_base64": base64.b64encode(line).decode(), "cut": cut}
    return {"line": text, "line_base64": None, "cut": cut}


# -- values nobody believes ------------------------------------------------------------------------------------------


def list_doubtful(
    connection: sa.Connection,
    desk: Desk,
    *,
    area: str | None,
    kind: str | None,
    field: str | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Entities with values outside their type or list, by kind, then area: at most a statement for each kind.

    Found by a partial index over the rows that have any; what a newer program writes is not among them. Journalled.
    """
    after = decode_cursor(cursor, str, int, str) if cursor else ("", 0, "")
    if cursor and not is_uuid4(after[2]):
        raise BAD_CURSOR()
    found: list[dict[str, Any]] = []
    for name, shape in sorted(desk.door.registry.shapes.items()):
        if kind not in (None, name) or name < after[0] or len(found) > limit:
            continue
        table = shape.table.c
        query = desk.within(sa.select(shape.table), table.area, area=area).where(table.doubtful.is_not(None))
        if field is not None:
            query = query.where(table.doubtful.contains(f" {field} ", autoescape=True))
        if name == after[0]:
            beyond = sa.and_(table.area == after[1], table.id > after[2])
            query = query.where(sa.or_(table.area > after[1], beyond))
        query = query.order_by(table.area, table.id).limit(limit + 1 - len(found))
        found += [_tell_doubtful(desk, shape, dict(row)) for row in connection.execute(query).mappings()]
    positions = [encode_cursor(each["kind"], each.pop("local"), each["id"]) for each in found]
    page = _page(found, positions, limit)
    areas = desk.door.areas
    desk.journal_of(connection, [(each["kind"], each["id"], areas.commune(each["area"])) for each in page[0]])
    return page


def _tell_doubtful(desk: Desk, shape: Shape, row: Mapping[str, Any]) -> dict[str, Any]:
    values, known = shape.values_of(row), CATALOGUE[shape.kind].fields
    return {
        "kind": shape.kind,
        "id": row["id"],
        "area": desk.door.areas.code(row["area"]),
        "local": row["area"],
        "fields": [
            {
                "field": name,
                "value": values.get(name),
                "expected": expected(known[name]),
            }
            for name in shape.doubtful(row)
        ],
    }


# -- operations that wait --------------------------------------------------------------------------------------------


def list_deferred(
    connection: sa.Connection,
    desk: Desk,
    *,
    area: str | None,
    kind: str | None,
    dev: str | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Operations that came before their entity or before one they name, oldest first; they were folded all the same.

    An operation lies where its entity lies now.
    """
    after = decode_cursor(cursor, int)[0] if cursor else 0
    place, joined = _where_entities_lie(desk)
    query = sa.select(waiting, place.label("area")).select_from(joined).where(waiting.c.id > after)
    query = desk.within(query, place, area=area)
    if kind is not None:
        query = query.where(waiting.c.kind == short(kind))
    if dev is not None:
        query = query.where(waiting.c.dot.startswith(f"{dev}:", autoescape=True))
    rows = list(map(dict, connection.execute(query.order_by(waiting.c.id).limit(limit + 1)).mappings()))
    told = [_tell_deferred(desk, row) for row in rows]
    page = _page(told, [encode_cursor(row["id"]) for row in rows], limit)
    name_devices(connection, page[0])
    return page


def _where_entities_lie(desk: Desk) -> tuple[sa.ColumnElement[Any], sa.FromClause]:
    joined: sa.FromClause = waiting
    places = []
    for kind, shape in sorted(desk.door.registry.shapes.items()):
        table = shape.table
        joined = joined.outerjoin(table, sa.and_(waiting.c.kind == kind, table.c.id == waiting.c.entity))
        places.append(table.c.area)
    joined = joined.outerjoin(other, sa.and_(other.c.kind == waiting.c.kind, other.c.id == waiting.c.entity))
    return sa.func.coalesce(*places, other.c.area), joined


def _tell_deferred(desk: Desk, row: Mapping[str, Any]) -> dict[str, Any]:
    awaited = row["awaited_dev"] and ":".join(str(row[f"awaited_{part}"]) for part in ("dev", "ep", "n"))
    return {
        "kind": row["kind"],
        "id": row["entity"],
        "area": desk.door.areas.code(row["area"]) if row["area"] is not None else None,
        "dot": row["dot"],
        "dev": parse_dot(row["dot"])[0],
        "awaited": awaited,
        "since": row["at"],
    }
