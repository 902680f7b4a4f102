"""The durable outbox of a device: one SQLite file that survives a power cut, and the rows it pulled.

Implements sync.store.Store; knows nothing of signatures or of the network.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from sync.store import (
    Damaged,
    Entity,
    Facts,
    Held,
    NumberLines,
    Open,
    Page,
    Receipt,
    Row,
    Sealed,
    entity_of,
    is_newer,
    leaves,
    row_of,
    take,
)

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE epoch (position INTEGER PRIMARY KEY, ep INTEGER NOT NULL UNIQUE, last INTEGER NOT NULL, prev TEXT);
CREATE TABLE operation (
    epoch INTEGER NOT NULL, n INTEGER NOT NULL, line BLOB NOT NULL, PRIMARY KEY (epoch, n)) WITHOUT ROWID;
CREATE TABLE mark (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE batch (
    position INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, signature TEXT NOT NULL, content BLOB, size INTEGER NOT NULL, contact INTEGER NOT NULL,
    sealed_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, refused TEXT, UNIQUE (epoch, first));
CREATE TABLE receipt (
    sha256 TEXT NOT NULL, node TEXT NOT NULL, province INTEGER NOT NULL, received_at TEXT NOT NULL,
    text BLOB NOT NULL, signature TEXT NOT NULL, PRIMARY KEY (sha256, node));
CREATE TABLE position (area TEXT PRIMARY KEY, after TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE row (
    kind TEXT NOT NULL, id TEXT NOT NULL, area TEXT NOT NULL, rev INTEGER NOT NULL, feed TEXT NOT NULL,
    passed INTEGER NOT NULL, line BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
"""
_BATCHES = """
SELECT epoch.ep, batch.first, batch.last, batch.sha256, signature, size, contact, sealed_at, tries, refused,
    (SELECT group_concat(node) FROM receipt WHERE receipt.sha256 = batch.sha256),
    (SELECT min(received_at) FROM receipt WHERE receipt.sha256 = batch.sha256 AND province),
    content IS NOT NULL
FROM batch JOIN epoch ON epoch.position = batch.epoch ORDER BY batch.position
"""


class SqliteStore:
    """A device's memory in one file, `outbox.sqlite` of its folder; WAL and synchronous=FULL, or it refuses to open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "outbox.sqlite"
        self._parts = folder / "packs"
        # The key is in it: nobody else on the machine may read it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            self._open()
        except (sqlite3.Error, Damaged) as error:
            self._db.close()
            raise Damaged(f"La file d'envoi {path} ne peut pas s'ouvrir : {error}") from error

    def _open(self) -> None:
        (mode,) = self._db.execute("PRAGMA journal_mode=WAL").fetchone()
        self._db.execute("PRAGMA synchronous=FULL")
        (flush,) = self._db.execute("PRAGMA synchronous").fetchone()
        if mode != "wal" or flush != 2:
            raise Damaged("Le disque ne garantit pas l'écriture (WAL, synchronous=FULL).")
        with self._transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise Damaged(f"La file d'envoi est d'une autre version ({version}) du programme.")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One writer at a time, in this process and in others; durable at the end, undone by any exception."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise Damaged(f"Rien n'a été enregistré : {error}.") from error
                raise

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    # -- facts and epochs ----------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """As in Store."""
        return {name: orjson.loads(value) for name, value in self._rows("SELECT name, value FROM fact")}

    def remember(self, facts: Mapping[str, Any]) -> None:
        """As in Store."""
        with self._transaction():
            self._remember(facts)

    def _remember(self, facts: Mapping[str, Any]) -> None:
        values = [(name, orjson.dumps(value)) for name, value in facts.items()]
        self._db.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", values)

    def begin_epoch(self, ep: int) -> None:
        """As in Store."""
        with self._transaction():
            self._db.execute("INSERT INTO epoch (ep, last) VALUES (?, 0)", (ep,))

    def epochs(self) -> dict[int, int]:
        """As in Store."""
        return dict(self._rows("SELECT ep, last FROM epoch ORDER BY position"))

    # -- the outbox ----------------------------------------------------------------------------------------

    def save(self, number: NumberLines, marks: Iterable[str] = ()) -> int:
        """As in Store."""
        with self._transaction():
            (epoch, ep, last) = self._db.execute(
                "SELECT position, ep, last FROM epoch ORDER BY position DESC LIMIT 1"
            ).fetchone()
            lines = number(ep, last + 1)
            self._db.executemany(
                "INSERT INTO operation VALUES (?, ?, ?)",
                [(epoch, n, line) for n, line in enumerate(lines, last + 1)],
            )
            self._db.execute("UPDATE epoch SET last = ? WHERE position = ?", (last + len(lines), epoch))
            self._db.executemany("INSERT OR IGNORE INTO mark VALUES (?)", [(mark,) for mark in marks])
            return len(lines)

    def marked(self, marks: Iterable[str]) -> set[str]:
        """As in Store."""
        found: set[str] = set()
        with self._lock:
            for mark in marks:
                if self._db.execute("SELECT 1 FROM mark WHERE name = ?", (mark,)).fetchone():
                    found.add(mark)
        return found

    def seal(self, make: Callable[[Open], Sealed], *, most_operations: int, most_bytes: int) -> Sealed | None:
        """As in Store."""
        with self._transaction():
            found = self._db.execute(
                "SELECT operation.epoch, ep, n, prev FROM operation JOIN epoch ON position = operation.epoch "
                "ORDER BY operation.epoch, n LIMIT 1"
            ).fetchone()
            if found is None:
                return None
            epoch, ep, first, prev = found
            cursor = self._db.execute("SELECT line FROM operation WHERE epoch = ? ORDER BY n", (epoch,))
            lines = take((line for (line,) in cursor), most_operations=most_operations, most_bytes=most_bytes)
            cursor.close()
            sealed = make(Open(ep, first, prev, lines))
            self._keep(epoch, sealed)
            return sealed

    def _keep(self, epoch: int, sealed: Sealed) -> None:
        self._db.execute("DELETE FROM operation WHERE epoch = ? AND n <= ?", (epoch, sealed.last))
        self._db.execute(
            "INSERT INTO batch (sha256, epoch, first, last, signature, content, size, contact, sealed_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                sealed.sha256,
                epoch,
                sealed.first,
                sealed.last,
                sealed.signature,
                sealed.content,
                sealed.size,
                sealed.contact,
                sealed.sealed_at,
            ),
        )
        self._db.execute("UPDATE epoch SET prev = ? WHERE position = ?", (sealed.sha256, epoch))

    def batches(self) -> list[Held]:
        """As in Store."""
        found = self._rows(_BATCHES)
        return [Held(*(*row[:10], _split(row[10]), row[11], bool(row[12]))) for row in found]

    def content(self, sha256: str) -> bytes:
        """As in Store."""
        found = self._rows("SELECT content FROM batch WHERE sha256 = ? AND content IS NOT NULL", sha256)
        if not found:
            raise KeyError(sha256)
        return bytes(found[0][0])

    def open_lines(self) -> list[tuple[int, int, bytes]]:
        """As in Store."""
        return self._rows(
            "SELECT ep, n, line FROM operation JOIN epoch ON position = operation.epoch ORDER BY operation.epoch, n"
        )

    def note_try(self, sha256: str, refused: str | None = None) -> None:
        """As in Store."""
        with self._transaction():
            self._db.execute(
                "UPDATE batch SET tries = tries + ?, refused = ? WHERE sha256 = ?",
                (int(refused is None), refused, sha256),
            )

    def keep_receipts(self, receipts: Sequence[Receipt]) -> tuple[int, list[Receipt]]:
        """As in Store."""
        strange = []
        with self._transaction():
            before = self._db.total_changes
            for each in receipts:
                if (
                    self._db.execute("SELECT 1 FROM batch WHERE sha256 = ?", (each.sha256,)).fetchone()
                    is None
                ):
                    strange.append(each)
                    continue
                values = (
                    each.sha256,
                    each.node,
                    int(each.province),
                    each.received_at,
                    each.text,
                    each.signature,
                )
                self._db.execute("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, ?, ?, ?)", values)
            return self._db.total_changes - before, strange

    def forget(self, sha256s: Iterable[str]) -> None:
        """As in Store."""
        with self._transaction():
            self._db.executemany(
                "UPDATE batch SET content = NULL WHERE sha256 = ?", [(sha256,) for sha256 in sha256s]
            )

    # -- what was pulled -----------------------------------------------------------------------------------

    def positions(self) -> dict[str, str]:
        """As in Store."""
        return dict(self._rows("SELECT area, after FROM position ORDER BY area"))

    def restart(self) -> None:
        """As in Store."""
        with self._transaction():
            self._db.execute("DELETE FROM position")
            self._remember({"pass": self.facts().get("pass", 0) + 1, "sweeping": True})

    def apply(self, page: Page, unsettled: Callable[[], set[Entity]]) -> tuple[int, int]:
        """As in Store."""
        written = removed = 0
        with self._transaction():
            facts = self.facts()
            passed = facts.get("pass", 0)
            for line in page.lines:
                if "drop" in line:
                    removed += self._drop("area = ?", line["drop"], unsettled)
                    self._db.execute("DELETE FROM position WHERE area = ?", (line["drop"],))
                else:
                    change = self._apply(line, page.feed, passed)
                    written += change > 0
                    removed += change < 0
            self._db.executemany("INSERT OR REPLACE INTO position VALUES (?, ?)", list(page.after.items()))
            self._remember({"feed": page.feed, "have": page.have})
            if not page.more and facts.get("sweeping"):
                removed += self._drop("passed < ?", passed, unsettled)
                self._remember({"sweeping": False})
        return written, removed

    def _apply(self, line: Mapping[str, Any], feed: str, passed: int) -> int:
        entity = entity_of(line)
        found = self._db.execute(
            "SELECT area, rev, feed, passed, line FROM row WHERE kind = ? AND id = ?", entity
        ).fetchone()
        held = Row(*found) if found is not None else None
        if "leave" in line:
            if leaves(line, held, feed=feed):
                self._db.execute("DELETE FROM row WHERE kind = ? AND id = ?", entity)
                return -1
        elif is_newer(line, held, feed=feed):
            row = row_of(line, feed=feed, passed=passed)
            self._db.execute(
                "INSERT OR REPLACE INTO row VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*entity, row.area, row.rev, row.feed, row.passed, row.line),
            )
            return 1
        elif held is not None and held.passed != passed:
            self._db.execute("UPDATE row SET passed = ? WHERE kind = ? AND id = ?", (passed, *entity))
        return 0

    def _drop(self, condition: str, value: str | int, unsettled: Callable[[], set[Entity]]) -> int:
        gone = set(self._db.execute(f"SELECT kind, id FROM row WHERE {condition}", (value,)).fetchall())  # noqa: S608 - two constants of this file
        gone -= unsettled() if gone else set()
        self._db.executemany("DELETE FROM row WHERE kind = ? AND id = ?", list(gone))
        return len(gone)

    def row(self, kind: str, id: str) -> dict[str, Any] | None:  # noqa: A002 - as on the wire
        """As in Store."""
        found = self._rows("SELECT line FROM row WHERE kind = ? AND id = ?", kind, id)
        return orjson.loads(found[0][0]) if found else None

    def count_rows(self) -> dict[str, int]:
        """As in Store."""
        return dict(self._rows("SELECT kind, count(*) FROM row GROUP BY kind ORDER BY kind"))

    def part(self, sha256: str) -> BinaryIO:
        """As in Store."""
        self._parts.mkdir(mode=0o700, exist_ok=True)
        # Rows of people: nobody else on the machine may read them.
        return open(self._parts / sha256, "a+b", opener=lambda path, flags: os.open(path, flags, 0o600))

    def forget_parts(self) -> None:
        """As in Store."""
        for file in self._parts.glob("*"):
            file.unlink(missing_ok=True)

    def drop_rows(self) -> None:
        """As in Store."""
        with self._transaction():
            self._db.execute("DELETE FROM row")
            self._db.execute("DELETE FROM position")
            self._remember({"packed": None})
        self.forget_parts()


def _split(nodes: str | None) -> frozenset[str]:
    return frozenset(nodes.split(",")) if nodes else frozenset()
