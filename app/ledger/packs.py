"""Packs: all rows of one area in one unchanging gzip file for a first download (protocol section 7). Owns their making,
index and removal in DIR/packs; who may fetch one is asked of the caller's grant, never of the file's name."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import orjson
import sqlalchemy as sa

from app.clock import Clock, stamp
from app.errors import BUSY, problem
from app.ledger.door import Door
from app.ledger.feed import POPULATION_KINDS, Feed
from app.ledger.senders import Sender
from app.ledger.tables import area
from app.settings import write_durably

PACK_UNKNOWN = problem(
    "pack_unknown",
    404,
    "Paquet introuvable",
    "Demandez la liste (GET /sync/v1/packs) ; sans paquet, lisez par GET /sync/v1/changes.",
)
INDEX = "index.json"
LEVEL = 6
# Whoever asks for the list waits for what is made meanwhile: so long at most, the rest is made at the next asking.
MOST_SECONDS = 10.0
NEWEST, MOST_KEPT = 2, 5
UNREAD_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Pack:
    """One file: `after` is the area's number it is complete through, `audience` who may see its fields."""

    area: str
    audience: str
    sha256: str
    bytes: int
    rows: int
    after: int
    feed: str
    made_at: str

    def offer(self) -> dict[str, Any]:
        """As a device is told of it."""
        return {name: value for name, value in asdict(self).items() if name != "audience"}


def audience_of(sender: Sender) -> str:
    """Agents never read `nationality` and `birth_words`: they have packs of their own."""
    return "agent" if sender.role == "agent" else "full"


class Packs:
    """The packs of a serving node, in `folder`. One instance per process; safe for threads.

    An area has a pack from `least_rows` rows on, and a new one when that many rows changed since the last.
    """

    def __init__(self, door: Door, folder: Path, *, clock: Clock, least_rows: int) -> None:
        self._door = door
        self._folder = folder
        self._clock = clock
        self._least_rows = least_rows
        self._making = threading.Lock()
        self._packs = self._read_index()

    def offered(self, sender: Sender, codes: Iterable[str]) -> list[Pack]:
        """The newest pack of each of these areas, made now where it is due. Raises `busy` while another call makes one
        without which the list would be short."""
        audience = audience_of(sender)
        wanted = [code for code in codes if not code.startswith("civil:")]
        due = self._due(wanted, audience)
        if due and self._making.acquire(blocking=False):
            try:
                self._make_all(due, audience)
            finally:
                self._making.release()
        elif any(self._newest(code, audience) is None for code in due):
            raise BUSY("Les paquets sont en préparation.", headers={"Retry-After": str(int(MOST_SECONDS))})
        found = (self._newest(code, audience) for code in wanted)
        return [each for each in found if each is not None]

    def path(self, sha256: str, sender: Sender, *, codes: Sequence[str]) -> Path:
        """The file of this hash if the grant opens its area; else `pack_unknown`, whether there is one or not."""
        audience = audience_of(sender)
        for each in self._packs:
            if (each.sha256, each.audience) == (sha256, audience) and each.area in codes:
                file = self._file(sha256)
                if file.exists():
                    now = self._clock.now().timestamp()
                    os.utime(file, (now, now))
                    return file
        raise PACK_UNKNOWN()

    # -- what is there ---------------------------------------------------------------------------------------------

    def _newest(self, code: str, audience: str) -> Pack | None:
        found = [each for each in self._packs if (each.area, each.audience) == (code, audience)]
        return found[-1] if found else None

    def _due(self, codes: Sequence[str], audience: str) -> list[str]:
        due = []
        with self._door.database.read() as connection:
            counters = dict(connection.execute(sa.select(area.c.code, area.c.seq)).all())
            self._forget_other_feeds(counters)
            for code in codes:
                newest = self._newest(code, audience)
                since = newest.after if newest is not None else 0
                if counters.get(code, 0) > since and self._changed(connection, code, since):
                    due.append(code)
        return due

    def _changed(self, connection: sa.Connection, code: str, since: int) -> bool:
        """Whether enough rows of the area changed after this number; counts no further than that."""
        local, changed = self._door.areas.number(code), 0
        for kind in POPULATION_KINDS:
            table = self._door.registry.shapes[kind].table
            rows = sa.select(table.c.id).where(table.c.area == local, table.c.seq > since)
            some = rows.limit(self._least_rows - changed).subquery()
            changed += connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
            if changed >= self._least_rows:
                return True
        return False

    def _forget_other_feeds(self, counters: dict[str, int]) -> None:
        """A restored database may be behind its packs: what they hold never happened here."""
        feed = self._door.identity.feed
        kept = [
            each for each in self._packs if each.feed == feed and each.after <= counters.get(each.area, 0)
        ]
        if len(kept) != len(self._packs):
            self._packs = kept

    # -- making ----------------------------------------------------------------------------------------------------

    def _make_all(self, codes: Sequence[str], audience: str) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        begun = time.monotonic()
        for code in codes:
            made = self._make(code, audience)
            self._packs = self._without_old([*self._packs, made])
            if time.monotonic() - begun > MOST_SECONDS:
                break
        write_durably(self._folder / INDEX, orjson.dumps([asdict(each) for each in self._packs]))
        self._sweep()

    def _make(self, code: str, audience: str) -> Pack:
        reader = Sender("", self._door.identity.key.public, audience, "", (), "", None)
        beside = self._folder / "making"
        with open(beside, "wb", opener=_for_owner) as file:
            written = _Hashed(file)
            with (
                gzip.GzipFile("", "wb", LEVEL, written, mtime=0) as packed,
                self._door.database.read() as connection,
            ):
                rows, last = -1, b""
                for last in Feed(connection, self._door, reader).whole(code):
                    packed.write(last)
                    rows += 1
            file.flush()
            os.fsync(file.fileno())
        sha256 = written.sha256.hexdigest()
        os.replace(beside, self._file(sha256))
        ended = orjson.loads(last)
        made_at = stamp(self._clock.now())
        return Pack(code, audience, sha256, written.size, rows, ended["after"][code], ended["feed"], made_at)

    def _without_old(self, packs: list[Pack]) -> list[Pack]:
        """All but the packs that two newer ones replace and that nobody fetched for a day; a handful at most."""
        now = self._clock.now().timestamp()
        kept: list[Pack] = []
        newer: dict[tuple[str, str], int] = {}
        for each in reversed(packs):
            rank = newer[each.area, each.audience] = newer.get((each.area, each.audience), 0) + 1
            file = self._file(each.sha256)
            read = file.exists() and now - file.stat().st_mtime < UNREAD_SECONDS
            if rank <= NEWEST or (read and rank <= MOST_KEPT):
                kept.append(each)
        return kept[::-1]

    def _sweep(self) -> None:
        known = {self._file(each.sha256) for each in self._packs}
        for file in self._folder.glob("*.ndjson.gz"):
            if file not in known:
                file.unlink(missing_ok=True)

    def _file(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.ndjson.gz"

    def _read_index(self) -> list[Pack]:
        """The packs made before; an index or a file that is not there or not whole is as if nothing had been made."""
        try:
            found = [Pack(**each) for each in orjson.loads((self._folder / INDEX).read_bytes())]
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
            return []
        return [each for each in found if self._is_whole(each)]

    def _is_whole(self, pack: Pack) -> bool:
        file = self._file(pack.sha256)
        return file.exists() and file.stat().st_size == pack.bytes


class _Hashed:
    """A file that is hashed and counted while it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
