"""P1 and P2: a whole commune accepted over HTTP with all duties on, against its bare rows in one durable commit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from app.demo import census
from tests import postgres
from tests.bench import report
from tests.bench.workload import SEED, Sealed, folder, headers, open_node, sealed_census, served

BATCH_HOUSEHOLDS = 100
TABLETS = 4
KINDS = {
    "household": ("commune", "quartier", "avenue", "number", "card", "tenure", "head", "lat", "lon", "accuracy"),
    "person": (
        "household", "line", "relation", "relation_words", "nom", "postnom", "prenom", "sex", "birth_date",
        "birth_precision", "birth_words", "birth_place", "nationality", "marital_status", "occupation", "phone",
        "mother", "father", "mother_name", "father_name", "birth_act", "status",
    ),
    "visit": (
        "campaign", "household", "commune", "quartier", "avenue", "number", "outcome", "started_at", "ended_at", "lat",
        "lon", "accuracy", "note",
    ),
}  # fmt: skip
INDEXES = {"household": ("quartier",), "person": ("household", "nom"), "visit": ("household",)}


def rows(scale: float) -> dict[str, list[tuple[Any, ...]]]:
    """The census as plain rows: id and one value per field."""
    found: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in KINDS}
    for plan in census.households(SEED, scale):
        line = plan.line
        entries = [("household", line["household"])] if "household" in line else []
        entries += [("person", each) for each in line.get("persons", ())] + [("visit", line["visit"])]
        for kind, entry in entries:
            found[kind].append((entry["id"], *(entry["set"].get(name) for name in KINDS[kind])))
    return found


def tables(primary: str) -> Iterable[str]:
    """CREATE statements of the bare tables: primary key and four indexes in all, ids of the engine's own type."""
    for kind, fields in KINDS.items():
        columns = ", ".join(f'"{name}" {_type(name, primary)}' for name in fields)
        yield f"CREATE TABLE bare_{kind} (id {primary} PRIMARY KEY, {columns})"
        for name in INDEXES[kind]:
            yield (
                f'CREATE INDEX ON bare_{kind} ("{name}")'
                if primary == "uuid"
                else (f'CREATE INDEX bare_{kind}_{name} ON bare_{kind} ("{name}")')
            )


def _type(name: str, primary: str) -> str:
    if name in ("household", "head", "mother", "father"):
        return primary
    if name in ("lat", "lon", "line"):
        return "bigint"
    return "double precision" if name == "accuracy" else "text"


def copy_limit(url: str, bare: dict[str, list[tuple[Any, ...]]]) -> float:
    """Seconds of one PostgreSQL transaction that COPYs the rows into tables with keys and indexes."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        for kind in KINDS:
            connection.execute(f"DROP TABLE IF EXISTS bare_{kind}".encode())
        for statement in tables("uuid"):
            connection.execute(statement.encode())
        connection.commit()
        begun = time.perf_counter()
        for kind, fields in KINDS.items():
            names = ", ".join(f'"{name}"' for name in ("id", *fields))
            with connection.cursor().copy(f"COPY bare_{kind} ({names}) FROM STDIN".encode()) as copy:
                for row in bare[kind]:
                    copy.write_row(row)
        connection.commit()
        return time.perf_counter() - begun


def sqlite_limit(path: Path, bare: dict[str, list[tuple[Any, ...]]]) -> float:
    """Seconds of one SQLite transaction (WAL, FULL) that inserts the rows into tables with keys and indexes."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    for statement in tables("text"):
        connection.execute(statement)
    begun = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    for kind, fields in KINDS.items():
        marks = ", ".join("?" * (len(fields) + 1))
        connection.executemany(f"INSERT INTO bare_{kind} VALUES ({marks})", bare[kind])
    connection.execute("COMMIT")
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds


def push_all(url: str, batches: list[Sealed]) -> float:
    """Seconds until every batch has its receipt; a few tablets send at the same time, each over one connection."""
    with ThreadPoolExecutor(TABLETS) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda part: _push(url, part), [batches[start::TABLETS] for start in range(TABLETS)]))
        return time.perf_counter() - begun


def _push(url: str, batches: list[Sealed]) -> None:
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        for batch in batches:
            answer = client.post("/sync/v1/batches", content=batch.body, headers=headers(batch))
            if answer.status_code != 200 or answer.json()["dispositions"]:
                raise RuntimeError(f"push refused: {answer.status_code} {answer.text[:300]}")


def measure(scale: float, rounds: int) -> None:
    """Print P1 (PostgreSQL) and P2 (SQLite)."""
    bare = rows(scale)
    server = postgres.start(postgres.packaged())
    try:
        postgresql = Engine(
            "P1 PostgreSQL, whole commune ÷ raw COPY",
            lambda: server.url(server.create()),
            lambda url, _home: copy_limit(url, bare),
            5,
        )
        _compare(postgresql, scale, rounds=rounds)
    finally:
        server.close()
    sqlite = Engine(
        "P2 SQLite, whole commune ÷ one bulk transaction",
        str,
        lambda _url, home: sqlite_limit(home / "bare.db", bare),
        4,
    )
    _compare(sqlite, scale, rounds=rounds)


@dataclass(frozen=True)
class Engine:
    """One engine's measure: a new database's address, the limit in seconds, the goal as a ratio."""

    name: str
    database: Callable[[], str]
    limit: Callable[[str, Path], float]
    goal: float


def _compare(engine: Engine, scale: float, *, rounds: int) -> None:
    ours, limits = [], []
    for number in range(rounds):
        with folder() as home:
            url = engine.database()
            node = open_node(home / "node", url)
            batches = sealed_census(node, households=BATCH_HOUSEHOLDS, scale=scale)
            node.database.close()
            limits.append(engine.limit(url, home))
            with served(home / "node", url) as server:
                ours.append(push_all(server.url, batches))
        persons = sum(batch.persons for batch in batches)
        report.told(
            f"  round {number + 1}: {persons / ours[-1]:,.0f} persons/s, limit {persons / limits[-1]:,.0f} persons/s"
        )
    report.ratios(engine.name, ours, limits, goal=engine.goal)
