"""`make bench`, or `python -m tests.bench [P1 P8 P10 P16] [--scale 1] [--rounds 3]`: ratios against limits."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime

from tests.bench import answers, commune, documents, matching, pulls, report, safety, singles, wire
from tests.bench.workload import SEED

# By what they print first: P1 also does P2, P4 also P5, P6 also P7, P10 also the search.
BENCHES: dict[str, Callable[[float, int], None]] = {
    "P1": commune.measure,
    "P3": singles.measure,
    "P4": commune.measure_crowd,
    "P6": pulls.measure,
    "P8": lambda scale, _rounds: wire.measure(scale),
    "P9": pulls.measure_relay,
    "P10": answers.measure,
    "MATCH": matching.measure,
    "P14": lambda scale, _rounds: singles.measure_bytes(scale),
    "P15": commune.measure_memory,
    "P16": lambda scale, _rounds: safety.measure(scale),
    "DOCS": documents.measure,
}


def main() -> None:
    """Run the benchmarks asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="*",
        choices=[*BENCHES, []],
        help="P1 also does P2, P4 also P5, P6 also P7, P10 also the search",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="part of the census (1 = 9,361 households)")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    report.told(
        f"{datetime.now(UTC):%Y-%m-%d}, {report.machine()}, seed {SEED}, scale {asked.scale:g}, {asked.rounds} rounds"
    )
    for name in asked.what or BENCHES:
        BENCHES[name](asked.scale, asked.rounds)


if __name__ == "__main__":
    main()
