"""P3: one household per request against the bare commit of its rows. P14: bytes stored per person, journal and feed
included, against the bare tables."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from itertools import islice

from app.demo import census
from tests.bench import report
from tests.bench.engines import KINDS, Place, census_rows, household_rows, load, make_tables, places
from tests.bench.sending import send
from tests.bench.workload import SEED, open_node, sealed_census, served

MOST_SINGLES = 400
DAY = 60


def measure(scale: float, rounds: int) -> None:
    """Print P3: a household with its persons and visit, p50 over HTTP ÷ p50 of the bare commit."""
    ours: dict[str, list[float]] = defaultdict(list)
    limits: dict[str, list[float]] = defaultdict(list)
    with places(rounds) as found:
        for place in found:
            node = open_node(place.home / "node", place.url)
            batches = sealed_census(node, households=1, scale=scale)[:MOST_SINGLES]
            node.database.close()
            limits[place.engine].append(_bare_commit(place, scale))
            with served(place.home / "node", place.url) as server:
                ours[place.engine].append(send(server.url, batches, tablets=1).median)
    for engine in ours:
        report.ratios(f"P3 {engine}, one household ÷ bare commit", ours[engine], limits[engine], goal=4)


def _bare_commit(place: Place, scale: float) -> float:
    """The median of one transaction per household: pipelined INSERTs on PostgreSQL, prepared ones on SQLite."""
    seconds = []
    with contextlib.closing(place.connect()) as connection:
        make_tables(place, connection)
        mark = "%s" if place.is_postgresql else "?"
        statements = {
            kind: f"INSERT INTO bare_{kind} VALUES ({', '.join([mark] * (len(fields) + 1))})"
            for kind, fields in KINDS.items()
        }
        for plan in islice(census.households(SEED, scale), MOST_SINGLES):
            rows = list(household_rows(plan.line))
            begun = time.perf_counter()
            with connection.pipeline() if place.is_postgresql else contextlib.nullcontext():
                connection.execute("BEGIN")
                for kind, row in rows:
                    connection.execute(statements[kind], row)
                connection.execute("COMMIT")
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def measure_bytes(scale: float) -> None:
    """Print P14 for day batches and for one household per batch (a third as many, for it takes long)."""
    for name, households, part, goal in (
        ("day batches", DAY, scale, 2.0),
        ("one household per batch", 1, scale / 3, 2.5),
    ):
        with places() as found:
            for place in found:
                ours, limit, persons = _stored(place, households, part)
                title = f"P14 {place.engine}, bytes stored per person ÷ bare tables, {name}"
                report.ratios(title, [ours / persons], [limit / persons], goal=goal, unit="B")


def _stored(place: Place, households: int, scale: float) -> tuple[int, int, int]:
    rows = census_rows(scale)
    node = open_node(place.home / "node", place.url)
    batches = sealed_census(node, households=households, scale=scale)
    before = _size(place, node_made=True)
    for batch in batches:
        node.door.accept(batch.data, batch.signature)
    node.database.close()
    ours = _size(place, node_made=True) - before
    with contextlib.closing(place.connect()) as connection:
        start = _size(place)
        make_tables(place, connection)
        load(place, connection, rows)
        limit = _size(place) - start
    return ours, limit, len(rows["person"])


def _size(place: Place, *, node_made: bool = False) -> int:
    with contextlib.closing(place.node_database() if node_made else place.connect()) as connection:
        if place.is_postgresql:
            return int(connection.execute("SELECT pg_database_size(current_database())").fetchone()[0])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        return int(connection.execute(pages).fetchone()[0])
