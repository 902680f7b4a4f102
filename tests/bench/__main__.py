"""`make bench`, or `python -m tests.bench [P1 P8 P10 P16] [--scale 1] [--rounds 3]`: ratios against limits."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from tests.bench import answers, commune, report, safety, wire
from tests.bench.workload import SEED


def main() -> None:
    """Run the benchmarks asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "what", nargs="*", choices=["P1", "P8", "P10", "P16", []], help="P1 also does P2; P10 also the search"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="part of the census (1 = 9,361 households)")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    wanted = asked.what or ["P1", "P8", "P10", "P16"]
    report.told(
        f"{datetime.now(UTC):%Y-%m-%d}, {report.machine()}, seed {SEED}, scale {asked.scale:g}, {asked.rounds} rounds"
    )
    if "P1" in wanted:
        commune.measure(asked.scale, asked.rounds)
    if "P8" in wanted:
        wire.measure(asked.scale)
    if "P10" in wanted:
        answers.measure(asked.scale, asked.rounds)
    if "P16" in wanted:
        safety.measure(asked.scale)


if __name__ == "__main__":
    main()
