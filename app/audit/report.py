"""What an audit found: differences counted by kind, the first of them in words, and how much was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

Told = Callable[[int, int], None]

# From the signed bytes outwards: what stands earlier explains what stands later.
KINDS = (
    "trust",
    "batch",
    "receipt",
    "chain",
    "range",
    "fork",
    "quarantine",
    "brought",
    "row",
    "register",
    "area",
    "conflict",
    "rollup",
)
LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an audit; `differences` counts them by kind, `seconds` is the time it took."""

    ok: bool
    batches: int
    operations: int
    entities: int
    first_difference: str | None
    differences: dict[str, int]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The form of `mboka verify --json`."""
        return {
            "ok": self.ok,
            "batches": self.batches,
            "operations": self.operations,
            "entities": self.entities,
            "first_difference": self.first_difference,
            "differences": self.differences,
            "seconds": round(self.seconds, 3),
        }


class Findings:
    """Collects differences: all are counted, of each kind the first is kept in words."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, kind: str, text: str) -> None:
        """One difference of this kind, in French."""
        self.counts[kind] += 1
        self._first.setdefault(kind, text)

    @property
    def first(self) -> str | None:
        """The first difference, nearest to the signed bytes; None when there is none."""
        return next((self._first[kind] for kind in KINDS if kind in self._first), None)


def said(value: Any) -> str:
    """A value as a reader sees it in a message."""
    if value is None:
        return "rien"
    if isinstance(value, bool):
        return "vrai" if value else "faux"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"« {text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + '…'} »"
