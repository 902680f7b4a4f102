"""P8: bytes a household costs going up: a day's batch of sixty households as a tablet's browser can send it (gzip)."""

from __future__ import annotations

from tests.bench import report
from tests.bench.workload import folder, open_node, sealed_census

DAY = 60


def measure(scale: float) -> None:
    """Print P8 over the full days of the census."""
    with folder() as home:
        node = open_node(home / "node", "")
        days = [
            batch
            for batch in sealed_census(node, households=DAY, scale=scale)
            if batch.households >= DAY * 0.9
        ]
        node.database.close()
    sizes = [len(batch.body) / batch.households for batch in days]
    report.figure("P8 bytes per household up, a day's batch of 60, gzip", sizes, goal=420, unit="B")
    total = sum(len(batch.body) for batch in days) / sum(batch.households for batch in days)
    report.told(f"  mean over {len(days)} days: {total:.1f} B per household")
