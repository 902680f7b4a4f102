"""The workload of all benchmarks: the synthetic Kintambo census as sealed batches of forty tablets, and a node."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import orjson

import migrations
from app.clock import Clock
from app.database import Database
from app.demo import births, census
from app.demo.nodes import Server
from app.ledger.setup import make_node_rows
from app.main import create_app
from app.node import Node
from app.settings import load, save
from tests.nodes import Tablet, TestNode
from tests.web.client import InProcess

SEED = 20261122
GZIP_LEVEL = 9


@dataclass(frozen=True)
class Sealed:
    """One batch ready to send."""

    body: bytes
    data: bytes
    signature: str
    households: int
    persons: int


def operations_of(line: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations of one household line: household, persons, visit."""
    found = []
    for kind, entries in (
        ("household", [line.get("household")]),
        ("person", line.get("persons", [])),
        ("visit", [line["visit"]]),
    ):
        found += [
            {"kind": kind, "id": each["id"], "new": True, "set": each["set"]} for each in entries if each
        ]
    return found


def open_node(home: Path, url: str, *, kind: str = "both") -> TestNode:
    """A node (of kind both it certifies itself) in `home` on an empty database; `url` empty = SQLite."""
    home.mkdir(parents=True, exist_ok=True)
    database = Database(url or f"sqlite:///{home / 'mboka.db'}")
    migrations.upgrade(database)
    commune = None if kind == "province" else census.COMMUNE
    make_node_rows(database, home, kind=kind, commune=commune, demo=True, clock=Clock())
    save(home, {"database_url": url})
    node = Node.open(load(home), database=database)
    application = create_app(node)
    return TestNode(node, application, InProcess(application))


def sealed_census(node: TestNode, *, households: int, scale: float = 1.0) -> list[Sealed]:
    """The census of `scale` in equal batches of about so many households, sealed by forty enrolled tablets."""
    batches: list[Sealed] = []
    tours = census.tablets(scale)
    for number, plans in groupby(census.households(SEED, scale), key=lambda plan: plan.tablet):
        tablet = node.tablet(tours[number - 1].quartier)
        lines = [plan.line for plan in plans]
        pieces = max(1, round(len(lines) / households))
        for piece in range(pieces):
            portion = lines[piece * len(lines) // pieces : (piece + 1) * len(lines) // pieces]
            batches.append(_seal(tablet, portion))
    return batches


def take_over_acts(node: TestNode, scale: float) -> int:
    """Kimbanseke's acts of 2011–2017 through the call that takes over paper registers; gives how many."""
    registrar = node.officer("registrar", births.COMMUNE) | {"Content-Type": "application/x-ndjson"}
    lines, taken = births.lines(SEED, scale), 0
    while portion := list(islice(lines, 1000)):
        body = b"".join(orjson.dumps(line) + b"\n" for line in portion)
        key = {"Idempotency-Key": f"bench-{portion[0]['year']}-{portion[0]['number']}"}
        answer = node.client.post("/v1/imports/acts", content=body, headers=registrar | key)
        if answer.status_code >= 300:
            raise RuntimeError(answer.text[:500])
        taken += len(portion)
    return taken


def _seal(tablet: Tablet, portion: list[dict[str, Any]]) -> Sealed:
    data, signature = tablet.seal([operation for line in portion for operation in operations_of(line)])
    counted = sum("household" in line for line in portion)
    persons = sum(len(line.get("persons", ())) for line in portion)
    return Sealed(gzip.compress(data, GZIP_LEVEL, mtime=0), data, signature, counted, persons)


def headers(batch: Sealed) -> dict[str, str]:
    """HTTP headers of a push."""
    return {
        "Content-Type": "application/x-ndjson",
        "Content-Encoding": "gzip",
        "Batch-Signature": batch.signature,
    }


@contextmanager
def served(home: Path, url: str) -> Iterator[Server]:
    """The node in `home` as a process of its own, on loopback."""
    server = Server("bench", "both", census.COMMUNE, home, url)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that goes away with the benchmark."""
    with tempfile.TemporaryDirectory(prefix="mboka-bench-") as name:
        yield Path(name)
