"""The two engines a benchmark runs on: a new database of each, and the bare tables that are its limit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from app.demo import census
from tests import postgres
from tests.bench.workload import SEED, folder

Rows = dict[str, list[tuple[Any, ...]]]
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


@dataclass(frozen=True)
class Place:
    """A new database of one engine: its address (empty = SQLite in the node's folder) and a folder to work in."""

    engine: str
    url: str
    home: Path

    @property
    def is_postgresql(self) -> bool:
        """Whether it is PostgreSQL."""
        return bool(self.url)

    def connect(self) -> Any:
        """A driver's connection to the bare tables, without them: beside the node's own on PostgreSQL."""
        if self.is_postgresql:
            return psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True)
        connection = sqlite3.connect(self.home / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def node_database(self) -> Any:
        """A driver's connection to the node's database, to read it as a program without the server would."""
        if self.is_postgresql:
            return self.connect()
        return sqlite3.connect(self.home / "node" / "mboka.db", isolation_level=None)


@contextmanager
def places(rounds: int = 1) -> Iterator[Iterator[Place]]:
    """New databases, `rounds` of each engine in turn."""
    server = postgres.start(postgres.packaged())

    def each() -> Iterator[Place]:
        for engine in ("PostgreSQL", "SQLite"):
            for _ in range(rounds):
                with folder() as home:
                    yield Place(engine, server.url(server.create()) if engine == "PostgreSQL" else "", home)

    try:
        yield each()
    finally:
        server.close()


def census_rows(scale: float) -> Rows:
    """The census as plain rows: id and one value per field."""
    found: Rows = {kind: [] for kind in KINDS}
    for plan in census.households(SEED, scale):
        for kind, row in household_rows(plan.line):
            found[kind].append(row)
    return found


def household_rows(line: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """(kind, row) of everything one visit wrote down."""
    entries = [("household", line["household"])] if "household" in line else []
    entries += [("person", each) for each in line.get("persons", ())] + [("visit", line["visit"])]
    for kind, entry in entries:
        yield kind, (entry["id"], *(entry["set"].get(name) for name in KINDS[kind]))


def make_tables(place: Place, connection: Any) -> None:
    """The bare tables: primary key and four indexes in all, ids of the engine's own type."""
    primary = "uuid" if place.is_postgresql else "text"
    for kind, fields in KINDS.items():
        columns = ", ".join(f'"{name}" {_type(name, primary)}' for name in fields)
        connection.execute(f"CREATE TABLE bare_{kind} (id {primary} PRIMARY KEY, {columns})")
        for name in INDEXES[kind]:
            connection.execute(f'CREATE INDEX bare_{kind}_{name} ON bare_{kind} ("{name}")')


def _type(name: str, primary: str) -> str:
    if name in ("household", "head", "mother", "father"):
        return primary
    if name in ("lat", "lon", "line"):
        return "bigint"
    return "double precision" if name == "accuracy" else "text"


def load(place: Place, connection: Any, rows: Rows) -> None:
    """All rows in one durable transaction, the fastest way the engine has."""
    connection.execute("BEGIN IMMEDIATE" if not place.is_postgresql else "BEGIN")
    for kind, fields in KINDS.items():
        names = ", ".join(f'"{name}"' for name in ("id", *fields))
        if place.is_postgresql:
            with connection.cursor().copy(f"COPY bare_{kind} ({names}) FROM STDIN") as copy:
                for row in rows[kind]:
                    copy.write_row(row)
        else:
            marks = ", ".join("?" * (len(fields) + 1))
            connection.executemany(f"INSERT INTO bare_{kind} ({names}) VALUES ({marks})", rows[kind])
    connection.execute("COMMIT")
