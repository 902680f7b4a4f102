"""How a benchmark says its result: limit, figure, ratio, spread, goal. One line each, the same for all."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Sequence


def machine() -> str:
    """Cores, interpreter and system, without a name."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def ratios(
    name: str,
    ours: Sequence[float],
    limits: Sequence[float],
    *,
    goal: float,
    unit: str = "s",
    least: bool = False,
) -> float:
    """Print the median of ours, of the limit and of their quotient round by round; gives the median quotient.

    `least`: the goal is the least the quotient should be.
    """
    quotients = [a / b for a, b in zip(ours, limits, strict=True)]
    median = statistics.median(quotients)
    sign, reached = ("≥", median >= goal) if least else ("≤", median <= goal)
    told(
        f"{name}: {median:.2f} × its limit (min {min(quotients):.2f}, max {max(quotients):.2f}; "
        f"goal {sign} {goal:g} ×: "
        f"{'reached' if reached else 'NOT reached'}); ours {statistics.median(ours):.4g} {unit}, "
        f"limit {statistics.median(limits):.4g} {unit}, {len(ours)} rounds"
    )
    return median


def figure(name: str, values: Sequence[float], *, goal: float, unit: str) -> float:
    """Print the median of a figure that is its own measure (bytes)."""
    median = statistics.median(values)
    told(
        f"{name}: {median:.1f} {unit} (min {min(values):.1f}, max {max(values):.1f}; goal ≤ {goal:g}: "
        f"{'reached' if median <= goal else 'NOT reached'}), {len(values)} samples"
    )
    return median


def told(text: str) -> None:
    """A line of the report."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
