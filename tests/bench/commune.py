"""P1 and P2: a whole commune accepted over HTTP with all duties on, against its bare rows in one durable commit.
P4: how long the slowest batches take. P5: forty tablets at once. P15: what the server's memory grows by."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench import report
from tests.bench.engines import Place, Rows, census_rows, load, make_tables, places
from tests.bench.sending import send
from tests.bench.tablets import Sent
from tests.bench.workload import Sealed, open_node, sealed_census, served

BATCH_HOUSEHOLDS = 100
TABLETS = 4
CROWD = 40
SAMPLE_SECONDS = 0.1
GOALS = {
    "PostgreSQL": ("P1 PostgreSQL, whole commune ÷ raw COPY", 5),
    "SQLite": ("P2 SQLite, whole commune ÷ one bulk transaction", 4),
}


def limit(place: Place, bare: Rows) -> float:
    """Seconds of one durable transaction that puts the rows into tables with keys and indexes."""
    with contextlib.closing(place.connect()) as connection:
        make_tables(place, connection)
        begun = time.perf_counter()
        load(place, connection, bare)
        return time.perf_counter() - begun


def _sealed(place: Place, scale: float) -> list[Sealed]:
    node = open_node(place.home / "node", place.url)
    batches = sealed_census(node, households=BATCH_HOUSEHOLDS, scale=scale)
    node.database.close()
    return batches


def measure(scale: float, rounds: int) -> None:
    """Print P1 (PostgreSQL) and P2 (SQLite)."""
    bare = census_rows(scale)
    ours: dict[str, list[float]] = defaultdict(list)
    limits: dict[str, list[float]] = defaultdict(list)
    with places(rounds) as found:
        for place in found:
            batches = _sealed(place, scale)
            limits[place.engine].append(limit(place, bare))
            with served(place.home / "node", place.url) as server:
                ours[place.engine].append(send(server.url, batches, tablets=TABLETS).seconds)
            persons = len(bare["person"])
            report.told(
                f"  {place.engine}: {persons / ours[place.engine][-1]:,.0f} persons/s, "
                f"limit {persons / limits[place.engine][-1]:,.0f} persons/s"
            )
    for engine, (name, goal) in GOALS.items():
        report.ratios(name, ours[engine], limits[engine], goal=goal)


def measure_crowd(scale: float, rounds: int) -> None:
    """Print P4 and P5: each batch by one tablet, then the same number of batches by forty at once."""
    alone: dict[str, list[Sent]] = defaultdict(list)
    crowd: dict[str, list[Sent]] = defaultdict(list)
    lost: dict[str, int] = defaultdict(int)
    with places(rounds * 2) as found:
        for number, place in enumerate(found):
            batches = _sealed(place, scale)
            seen = (alone, crowd)[number % 2]
            with served(place.home / "node", place.url) as server:
                seen[place.engine].append(send(server.url, batches, tablets=(1, CROWD)[number % 2]))
            lost[place.engine] += sum(each.persons for each in batches) - _persons(place)
    for engine, sent in alone.items():
        slow, middle = [each.percentile(0.99) for each in sent], [each.median for each in sent]
        report.ratios(f"P4 {engine}, p99 ÷ p50 of a batch of 100 households", slow, middle, goal=4)
        at_once = crowd[engine]
        report.ratios(
            f"P5 {engine}, throughput of 40 tablets at once ÷ one tablet's",
            [each.seconds for each in sent],
            [each.seconds for each in at_once],
            goal=1,
            least=True,
        )
        report.told(
            f"  postponed {sum(each.postponed for each in at_once)}, errors {sum(each.errors for each in at_once)}, "
            f"persons lost {lost[engine]}"
        )


def _persons(place: Place) -> int:
    with contextlib.closing(place.node_database()) as connection:
        return int(connection.execute("SELECT count(*) FROM person").fetchone()[0])


def measure_memory(scale: float, rounds: int) -> None:
    """Print P15: the greatest memory of the server's processes under push against the same server idle."""
    idle: dict[str, list[float]] = defaultdict(list)
    busy: dict[str, list[float]] = defaultdict(list)
    with places(rounds) as found:
        for place in found:
            batches = _sealed(place, scale)
            with served(place.home / "node", place.url) as server:
                pid = server.process.pid if server.process is not None else 0
                idle[place.engine].append(_mebibytes(pid))
                with ThreadPoolExecutor(1) as pool:
                    pushing = pool.submit(send, server.url, batches, tablets=CROWD)
                    most = 0.0
                    while not pushing.done():
                        most = max(most, _mebibytes(pid))
                        time.sleep(SAMPLE_SECONDS)
                    pushing.result()
                busy[place.engine].append(most)
    for engine in idle:
        name = f"P15 {engine}, memory under push ÷ idle"
        report.ratios(name, busy[engine], idle[engine], goal=2, unit="MiB")
        middle = statistics.median(busy[engine])
        report.told(f"  {middle:.0f} MiB (goal ≤ 200: {'reached' if middle <= 200 else 'NOT reached'})")


def _mebibytes(pid: int) -> float:
    """Memory of a process and its children (Linux); what they share counts once."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    shares = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in shares if line.startswith("Pss:")) / 1024
    return own + sum(_mebibytes(int(child)) for child in children)
