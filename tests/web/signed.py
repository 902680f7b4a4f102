"""Signed batches as tablets send them over HTTP, the count of those who came in, and every reading of what came in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from app.statistics.tables import population_cell
from tests.conftest import Engines, TestClock
from tests.lasting import lasting_database
from tests.nodes import Tablet, TestNode, household_of, make_node

QUARTIER, COMMUNE = "1017010", "CD-KN-017"
EPOCHS = count(1)
Readers = dict[str, dict[str, str]]


@contextmanager
def open_node(engines: Engines, engine: str, directory: Path) -> Iterator[TestNode]:
    """A node of kind `both` for Kintambo; it is 2 February 2026."""
    with lasting_database(engines, engine, directory) as database:
        yield make_node(database, directory, clock=TestClock(datetime(2026, 2, 2, 9, tzinfo=UTC)))


def log_in_readers(node: TestNode) -> Readers:
    """Headers of the officers who see what the tablets sent."""
    return {role: node.officer(role) for role in ("clerk", "supervisor", "admin")}


def post(node: TestNode, data: bytes, signature: str, **headers: str) -> httpx.Response:
    return node.client.post(
        "/sync/v1/batches", content=data, headers={"Batch-Signature": signature, **headers}
    )


def push(node: TestNode, tablet: Tablet, *operations: dict[str, Any] | bytes) -> dict[str, dict[str, Any]]:
    """The dispositions on the receipt of these operations."""
    answer = post(node, *tablet.seal(operations))
    assert answer.status_code == 200, answer.text
    assert answer.headers["receipt-signature"]
    told: dict[str, dict[str, Any]] = answer.json()["dispositions"]
    return told


def family() -> list[dict[str, Any]]:
    return household_of(1, quartier=QUARTIER)


def persons(node: TestNode) -> int:
    with node.database.read() as connection:
        return int(
            connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(population_cell.c.persons), 0))) or 0
        )


def own_device(node: TestNode) -> Tablet:
    """The server as a device: the one that may write every kind there is."""
    identity = node.door.identity
    return Tablet(identity.dev, identity.key, "", str(uuid.uuid4()), ep=next(EPOCHS))


def read_everything(node: TestNode, readers: Readers, tablet: Tablet) -> None:
    """Every list, table and feed that shows what came in can still be read, to its end."""
    for path, role in (
        ("/v1/persons", "clerk"), ("/v1/households", "clerk"), ("/v1/births", "clerk"), ("/v1/tasks", "clerk"),
        ("/v1/conflicts", "clerk"), ("/v1/quarantine", "supervisor"), ("/v1/devices", "supervisor"),
        ("/v1/doubtful", "clerk"), ("/v1/deferred", "clerk"),
    ):  # fmt: skip
        cursor: str | None = ""
        while cursor is not None:
            paged = "" if path == "/v1/devices" else f"?limit=200{cursor and '&cursor='}{cursor}"
            answer = node.client.get(path + paged, headers=readers[role])
            assert answer.status_code == 200, (path, answer.text)
            cursor = answer.json()["next"]
    for path in ("births?by=commune,year,delay,quartier,sex,mode,month", "population?by=commune,quartier,sex,age_group",
                 "population?by=commune,nationality_group", "census?by=commune,quartier"):  # fmt: skip
        answer = node.client.get(f"/v1/statistics/{path}", headers=readers["clerk"])
        assert answer.status_code == 200, (path, answer.text)
    assert node.client.get("/v1/status", headers=readers["admin"]).status_code == 200
    assert node.changes(tablet)


def read_each(node: TestNode, readers: Readers, kind: str, ids: Iterable[str]) -> None:
    """Each of these records can be read with its history."""
    for identity in ids:
        for path in {"birth": [""], "person": ["", "/history"], "household": ["", "/history"]}.get(kind, []):
            answer = node.client.get(f"/v1/{kind}s/{identity}{path}", headers=readers["clerk"])
            assert answer.status_code in {200, 403, 404}, (kind, path, answer.text)
