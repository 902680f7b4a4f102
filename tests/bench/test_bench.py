"""Every benchmark runs to its end and prints its ratio; how fast anything was is not judged here."""

from __future__ import annotations

import re

import pytest

from tests.bench.__main__ import BENCHES

SCALE = 0.01
BOTH = {"PostgreSQL", "SQLite"}
PRINTED = {
    "P1": {"P1", "P2"},
    "P4": {"P4", "P5"},
    "P6": {"P6", "P7"},
    "P10": {"P10", "Search"},
}


@pytest.mark.full
@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_prints_its_limit_its_figure_and_whether_the_goal_is_reached(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    BENCHES[name](0.3 if name == "P8" else SCALE, 1)
    said = capsys.readouterr().out
    for measure in PRINTED.get(name, {name}):
        lines = [line for line in said.splitlines() if line.startswith(measure + " ")]
        assert lines, said
        assert all(re.search(r"goal [≤≥] [0-9.]+.*: (NOT )?reached", line) for line in lines)
        engines = {engine for engine in BOTH if any(engine in line for line in lines)}
        assert engines in (BOTH, {"PostgreSQL"}, {"SQLite"}) or name == "P8"
