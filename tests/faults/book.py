"""The keeper's ledger: what was entered, which faults were injected, which receipts were verified. Kept in a file of
its own, flushed line by line, by the one process that no fault hits."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from sync.sqlite_store import SqliteStore
from sync.store import Receipt

GONE = ("moved", "dead")
Entity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One verified receipt: the node that gave it, the batch, the fault that was on when it came, and its signature.

    A node that lost the batch and was sent it again would sign another receipt: the signature tells.
    """

    node: str
    sha256: str
    fault: str
    signature: str
    entities: tuple[Entity, ...]


def cells(kind: str, values: Mapping[str, Any]) -> list[str]:
    """What an entity counts for in the census figures."""
    if kind == "household":
        return ["households"]
    if kind == "visit":
        return [str(values["outcome"])] if values.get("outcome") else []
    return ["persons"] if values.get("status") not in GONE else []


class Book:
    """Appends a line for everything that happens, and remembers it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.RLock()
        self._open: list[tuple[str, float]] = []
        self._seen: set[tuple[str, str]] = set()
        self.fault = ""
        self.receipts: list[Acknowledged] = []
        self.recovered: dict[str, list[float]] = defaultdict(list)
        self.injected: Counter[str] = Counter()
        self.figures: Counter[str] = Counter()

    def _write(self, **line: Any) -> None:
        os.write(self._file, json.dumps({"at": round(time.time(), 4), **line}).encode() + b"\n")
        os.fsync(self._file)

    def enters(self, kind: str, identity: str, values: Mapping[str, Any]) -> None:
        """An entity is about to be written down on a tablet."""
        with self._lock:
            self._write(entered=[kind, identity])
            self.figures.update(cells(kind, values))

    def inject(self, fault: str, times: int = 1, *, ends: bool = True) -> None:
        """A fault happens now; where it `ends` with a receipt, the time until the next new one is its recovery."""
        with self._lock:
            self._write(fault=fault, times=times)
            self.injected[fault] += times
            if ends:
                self._open.append((fault, time.monotonic()))

    def acknowledge(self, receipt: Receipt, content: bytes) -> None:
        """A receipt of these bytes (gzip) was verified and kept; the first new one after a fault ends it."""
        with self._lock:
            if (receipt.node, receipt.sha256) in self._seen:
                return
            now = time.monotonic()
            for fault, at in self._open:
                self.recovered[fault].append(now - at)
            self._open.clear()
            self._seen.add((receipt.node, receipt.sha256))
            lines = [orjson.loads(line) for line in gzip.decompress(content).split(b"\n")[1:-1]]
            entities = tuple((str(each["kind"]), str(each["id"])) for each in lines)
            self._write(receipt=receipt.sha256, node=receipt.node, fault=self.fault, operations=len(lines))
            self.receipts.append(
                Acknowledged(receipt.node, receipt.sha256, self.fault, receipt.signature, entities)
            )

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class WatchedStore(SqliteStore):
    """A tablet's durable memory that tells the keeper of every receipt it kept."""

    def __init__(self, folder: Path, book: Book) -> None:
        super().__init__(folder)
        self._book = book

    def keep_receipts(self, receipts: Sequence[Receipt]) -> tuple[int, list[Receipt]]:
        """As in Store; the keeper hears of it afterwards."""
        new, strange = super().keep_receipts(receipts)
        for each in receipts:
            if each not in strange:
                self._book.acknowledge(each, self.content(each.sha256))
        return new, strange
