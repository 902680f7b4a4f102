"""Answers of writes kept under the client's Idempotency-Key, so that a repeated request gets the first answer again.

The answer is stored in the transaction of the write itself: either both exist or neither."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from app.access import tables
from app.access.officers import Officer
from app.clock import stamp
from app.errors import problem

IDEMPOTENCY_CONFLICT = problem(
    "idempotency_conflict", 422, "Clé déjà utilisée",
    "Cette Idempotency-Key a déjà servi pour un autre contenu ; prenez-en une nouvelle.",
)  # fmt: skip
IDEMPOTENCY_KEY_INVALID = problem(
    "idempotency_key_invalid",
    400,
    "Clé non valable",
    "Une Idempotency-Key compte de 8 à 100 caractères ASCII visibles.",
)

_KEY = re.compile(r"[\x21-\x7e]{8,100}")


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The first answer to a key: HTTP status, body text (JSON) and the headers that belong to it (ETag, Location)."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def body_hash(body: bytes) -> str:
    """Lower-case hex SHA-256 of the request body, as `replayed` and `remember` want it."""
    return hashlib.sha256(body).hexdigest()


def replayed(
    connection: sa.Connection, *, officer: Officer, key: str, route: str, body_hash: str
) -> StoredAnswer | None:
    """The stored answer to this officer's key on this route ("POST /v1/births"), None the first time.

    Raises `idempotency_key_invalid` (400), or `idempotency_conflict` (422) when the body is another one.
    Call it first in the write transaction: twins of one request wait here for each other.
    """
    if not _KEY.fullmatch(key):
        raise IDEMPOTENCY_KEY_INVALID()
    if connection.dialect.name == "postgresql":
        lock = hashlib.sha256(f"{officer.id} {route} {key}".encode()).digest()
        connection.execute(
            sa.select(sa.func.pg_advisory_xact_lock(int.from_bytes(lock[:8], "big", signed=True)))
        )
    row = connection.execute(sa.select(tables.idempotency).where(_same(officer, route, key))).one_or_none()
    if row is None:
        return None
    if row.request_hash != body_hash:
        raise IDEMPOTENCY_CONFLICT()
    return StoredAnswer(row.status, row.body, json.loads(row.headers))


def remember(
    connection: sa.Connection,
    answer: StoredAnswer,
    *,
    officer: Officer,
    key: str,
    route: str,
    body_hash: str,
    at: datetime,
) -> None:
    """Keep the answer in the same transaction as the write it answers."""
    connection.execute(
        tables.idempotency.insert().values(
            officer=officer.id,
            route=route,
            key=key,
            request_hash=body_hash,
            status=answer.status,
            headers=json.dumps(dict(answer.headers)),
            body=answer.body,
            at=stamp(at),
        )
    )


def forget_before(connection: sa.Connection, officer: str, *, moment: datetime) -> None:
    """Drop an officer's answers older than the moment; they are too old to be a retry."""
    old = sa.and_(tables.idempotency.c.officer == officer, tables.idempotency.c.at < stamp(moment))
    connection.execute(tables.idempotency.delete().where(old))


def _same(officer: Officer, route: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        tables.idempotency.c.officer == officer.id,
        tables.idempotency.c.route == route,
        tables.idempotency.c.key == key,
    )
