"""What a run of the harness found, as a table, and whether it failed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Line = dict[str, Any]


def outcomes(found: Sequence[Line], *, control: bool = False) -> list[Line]:
    """The outcome of every kind on every engine; of the control leg where asked for."""
    return [line for line in found if line["type"] == "kind" and (line.get("leg") == "control") == control]


def failed(found: Sequence[Line], *, control: bool) -> list[str]:
    """Why the run is no success; nothing when it is. `control`: a leg on weak settings was to lose something."""
    reasons = [f"{line['engine']}: {line['said']}" for line in found if line["type"] == "wrong"]
    for line in outcomes(found):
        where = f"{line['engine']}, {line['kind']}"
        reasons += [f"{where}: {line[what]} {what}" for what in ("lost", "doubled") if line[what]]
        reasons += [] if line["injected"] else [f"{where}: no fault was injected"]
    skipped = {line["engine"] for line in found if line["type"] == "skipped" and line["kind"] == "power cut"}
    weak = {line["engine"]: line["lost"] for line in outcomes(found, control=True)}
    silent = [
        engine for engine in sorted({line["engine"] for line in found} - skipped) if not weak.get(engine)
    ]
    nothing = "the control leg on weak settings lost nothing, the judge proves nothing"
    return reasons + ([f"{engine}: {nothing}" for engine in silent] if control else [])


def show(found: Sequence[Line], *, seconds: float, seed: int) -> None:
    """Print the table of kinds, the control legs and what was skipped."""
    console = Console(width=100)
    table = Table(
        title=f"Faults (seed {seed}, {seconds:.0f} s)", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for name in (
        "kind",
        "engine",
        "injected",
        "acknowledged",
        "lost",
        "doubled",
        "recovery (ms)",
    ):
        table.add_column(name, justify="left" if name in ("kind", "engine") else "right")
    for line in outcomes(found):
        numbers = [str(line[name]) for name in ("injected", "acknowledged", "lost", "doubled")]
        table.add_row(line["kind"], line["engine"], *numbers, _recovery(found, line))
    console.print(table)
    kinds = {line["kind"] for line in outcomes(found)}
    sums = {
        name: sum(line[name] for line in outcomes(found))
        for name in ("injected", "acknowledged", "lost", "doubled")
    }
    console.print(
        f"{sums['injected']} faults of {len(kinds)} kinds, {sums['acknowledged']} operations acknowledged, "
        f"{sums['lost']} lost, {sums['doubled']} counted twice.",
        soft_wrap=True,
    )
    for line in outcomes(found, control=True):
        console.print(
            f"Control on weak settings, {line['engine']}: {line['lost']} of {line['acknowledged']} acknowledged "
            "operations lost, as they must be.",
            soft_wrap=True,
        )
    for line in found:
        if line["type"] == "skipped":
            console.print(f"NOT RUN: {line['kind']} on {line['engine']}: {line['said']}", soft_wrap=True)


def _recovery(found: Sequence[Line], outcome: Line) -> str:
    times = [
        line["recovered_ms"]
        for line in found
        if line["type"] == "fault"
        and (line["engine"], line["kind"]) == (outcome["engine"], outcome["kind"])
        and "leg" not in line
    ]
    return f"{median(times):,.0f} / {max(times):,.0f}" if times else "–"
