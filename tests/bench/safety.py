"""P16: registers made again from the signed batches, against accepting these batches at the same door; and what a
backup of them costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from app.clock import Clock
from app.keeping_safe.backup import back_up
from app.keeping_safe.rebuild import rebuild
from app.keeping_safe.recovery import make_recovery_key
from app.serving import calm_collector
from tests import postgres
from tests.bench import report
from tests.bench.workload import folder, open_node, sealed_census
from tests.nodes import TestNode

BATCH_HOUSEHOLDS = 100
GOAL = 1


def timed(work: Callable[[], object]) -> float:
    """Seconds of doing it once."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _accept(node: TestNode, scale: float) -> tuple[float, int]:
    batches = sealed_census(node, households=BATCH_HOUSEHOLDS, scale=scale)
    seconds = timed(lambda: [node.door.accept(each.data, each.signature) for each in batches])
    return seconds, sum(each.data.count(b"\n") - 1 for each in batches)


def _one(name: str, home: Path, *, url: str, scale: float) -> None:
    node = open_node(home, url)
    # As `mboka serve` and `mboka rebuild` do; accepting is without HTTP here.
    calm_collector()
    accepting, operations = _accept(node, scale)
    rebuilding = timed(lambda: rebuild(node.node, told=lambda done, total: None))
    make_recovery_key(home, home.with_suffix(".pem"), passphrase="four words without ties")
    file = home.with_suffix(".mbk")
    saving = timed(
        lambda: back_up(node.database, home, to=file, clock=Clock(), told=lambda done, total: None)
    )
    ratio = accepting / rebuilding
    report.told(
        f"P16 {name}, {operations} operations, rebuilt ÷ accepted: {ratio:.2f} × (goal ≥ {GOAL}: "
        f"{'reached' if ratio >= GOAL else 'NOT reached'}); accepted {operations / accepting:,.0f}/s, "
        f"rebuilt {operations / rebuilding:,.0f}/s; backup {saving:.1f} s, "
        f"{file.stat().st_size / operations:.0f} bytes an operation"
    )
    node.database.close()


def measure(scale: float) -> None:
    """Both engines, each once."""
    with folder() as home:
        _one("SQLite", home / "sqlite", url="", scale=scale)
        server = postgres.start(postgres.packaged())
        try:
            _one("PostgreSQL", home / "postgresql", url=server.url(server.create()), scale=scale)
        finally:
            server.close()
