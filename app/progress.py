"""Progress on work over two seconds: a bar with rate and remaining time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

PATIENCE = 2.0


class Progress:
    """`with Progress("Relais", 94, unit="lots") as p: p.at(12)`. `total` None while it is not known."""

    def __init__(self, what: str, total: int | None, *, unit: str) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        self._begun = time.monotonic()
        self._told = self._begun
        self._bar: Bar | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            begun = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            rate = TextColumn("{task.fields[rate]}")
            console = Console(stderr=True)
            self._bar = Bar(*begun, rate, TimeRemainingColumn(), console=console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=self.total, rate="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at_of(self, done: int, total: int | None) -> None:
        """`done` of `total` (which may have become known meanwhile)."""
        self.total = total
        self.at(done)

    def at(self, done: int) -> None:
        """So much is done now."""
        now = time.monotonic()
        rate = done / max(now - self._begun, 0.001)
        text = f"{rate:,.0f} {self.unit}/s".replace(",", " ")
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self.total, rate=text)
        elif now - self._told >= PATIENCE:
            self._told = now
            left = f", encore {max(self.total - done, 0) / rate:.0f} s" if self.total and rate else ""
            of = f" / {self.total}" if self.total else ""
            sys.stderr.write(f"{self.what} : {done}{of} {self.unit}, {text}{left}\n")
            sys.stderr.flush()
