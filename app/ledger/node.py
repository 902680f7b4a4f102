"""Who this server is: its key, epoch and feed, kept in the database and in a file outside backups, and the clock that
never goes back. Opening it draws a new epoch and feed where the two disagree or the database has fallen behind."""

from __future__ import annotations

import json
import secrets
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog

from app.clock import Clock, moment, stamp
from app.database import Database
from app.errors import problem
from app.ledger.bulk import lock_door
from app.ledger.tables import batch, node
from app.settings import write_durably
from sync.seal import Key

IDENTITY = "node.json"
JUMP = timedelta(days=1)
NODE_DIFFERS = problem(
    "node_differs",
    409,
    "Dossier et base de deux serveurs différents",
    "Rendez au dossier sa propre base, ou à la base le dossier avec sa clé.",
)
CATCHING_UP = problem(
    "catching_up",
    503,
    "Registre en cours de rattrapage",
    "Ce serveur a été restauré : aucun acte n'est dressé avant que la province ait rendu ce qu'elle tient de lui. "
    "Déclarez la naissance ; l'acte viendra après.",
)
MARK_SECONDS = 30.0
log = structlog.get_logger("node")


def new_epoch() -> int:
    """A random unsigned 32-bit epoch (protocol section 2)."""
    return secrets.randbits(32)


@dataclass(frozen=True, slots=True)
class Identity:
    """What distinguishes this server from every other: never part of a backup."""

    dev: str
    key: Key
    ep: int
    feed: str

    @classmethod
    def draw(cls) -> Identity:
        """A fresh identity for a new node."""
        return cls(str(uuid.uuid4()), Key.generate(), new_epoch(), str(uuid.uuid4()))

    @classmethod
    def read(cls, data: Path) -> Identity:
        """From DIR/node.json; raises FileNotFoundError where no node was made."""
        stored = json.loads((data / IDENTITY).read_text(encoding="utf-8"))
        return cls(stored["dev"], Key.from_pem(stored["key"].encode()), stored["ep"], stored["feed"])

    def write(self, data: Path, marks: Marks | None = None) -> None:
        """Durably, readable by the owner only, with how far the database had come."""
        stored = {"dev": self.dev, "key": self.key.pem().decode(), "ep": self.ep, "feed": self.feed}
        content = stored | (marks or Marks())._asdict()
        write_durably(data / IDENTITY, json.dumps(content, indent=2).encode() + b"\n")


class Marks(NamedTuple):
    """How far a database has come: how often it was opened for work or closed after it, and its newest batch."""

    starts: int = 0
    batches: int = 0

    @classmethod
    def read(cls, data: Path) -> Marks:
        """As DIR/node.json last said; a file that says nothing (it is older) is behind every database."""
        stored = json.loads((data / IDENTITY).read_text(encoding="utf-8"))
        return cls(stored.get("starts", 0), stored.get("batches", 0))

    @classmethod
    def of(cls, connection: sa.Connection) -> Marks:
        """As they stand in the database."""
        batches = sa.select(sa.func.coalesce(sa.func.max(batch.c.id), 0)).scalar_subquery()
        row = connection.execute(sa.select(node.c.starts, batches)).one()
        return cls(row[0], row[1])

    def is_behind(self, other: Marks) -> bool:
        """Whether something `other` knows of is missing here."""
        return self.starts < other.starts or self.batches < other.batches


class Standing:
    """The node's row in the database: kind, commune, certificate, grant, province (re-read after every change)."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.dev: str = row["dev"]
        self.kind: str = row["kind"]
        self.commune: str | None = row["commune"]
        self.demo: bool = bool(row["demo"])
        self.province: str | None = row["province"]
        self.node_cert: str | None = row["node_cert"]
        self.grant: str | None = row["grant"]
        self.upstream_url: str | None = row["upstream_url"]
        self.upstream_node: str | None = row["upstream_node"]
        self.upstream_key: dict[str, str] | None = (
            json.loads(row["upstream_key"]) if row["upstream_key"] else None
        )
        self.upstream_offset: float | None = row["upstream_offset"]
        self.relayed_at: str | None = row["relayed_at"]
        self.clock_confirmed_at: str | None = row["clock_confirmed_at"]
        self.clock_jumped_at: str | None = row["clock_jumped_at"]
        self.upstream_feed: str | None = row["upstream_feed"]
        self.resent_through: int | None = row["resent_through"]
        self.heard_sha256: str | None = row["heard_sha256"]
        self.heard_at: str | None = row["heard_at"]
        self.catching_up: bool = bool(row["catching_up"])

    @property
    def is_province(self) -> bool:
        """Kinds `province` and `both` certify themselves and are the root of trust."""
        return self.kind in ("province", "both")

    @property
    def role(self) -> str:
        """The role under which the server's own operations are folded."""
        return "province" if self.is_province else "node"


def read_standing(connection: sa.Connection) -> Standing:
    """The node's row; raises sa.exc.NoResultFound on a database without a node."""
    return Standing(dict(connection.execute(sa.select(node)).mappings().one()))


# -- a database that was restored ------------------------------------------------------------------------------


def reconcile_identity(database: Database, data: Path) -> Identity:
    """The identity to run under: where file and database differ, or the database is behind what the file knows of it
    (a restored backup), epoch and feed are drawn anew.

    The file is written after the database, so a crash between the two leaves it behind, never ahead. Raises
    `node_differs` where they are of two servers.
    """
    identity, marks = Identity.read(data), Marks.read(data)
    with database.write() as connection:
        row = _own_row(connection, identity)
        if (row.ep, row.feed) != (identity.ep, identity.feed) or Marks.of(connection).is_behind(marks):
            identity = _draw_anew(connection, identity, data)
    return identity


def mark_restored(database: Database, data: Path) -> Identity:
    """What whoever puts a backup in place must call before the node is opened: the new epoch and feed, in both places.

    Raises `node_differs` where database and file are of two servers.
    """
    identity = Identity.read(data)
    with database.write() as connection:
        _own_row(connection, identity)
        return _draw_anew(connection, identity, data)


def _own_row(connection: sa.Connection, identity: Identity) -> sa.Row[int, str, str]:
    row = connection.execute(sa.select(node.c.ep, node.c.feed, node.c.dev)).one()
    if row.dev != identity.dev:
        raise NODE_DIFFERS(f"Le dossier est celui du nœud {identity.dev}, la base celle du nœud {row.dev}.")
    return row


def _draw_anew(connection: sa.Connection, identity: Identity, data: Path) -> Identity:
    """A commune must then catch up; one that never joined has nowhere to learn from what it lost."""
    fresh = Identity(identity.dev, identity.key, new_epoch(), str(uuid.uuid4()))
    fresh.write(data, Marks.of(connection))
    changed = {"ep": fresh.ep, "feed": fresh.feed, "catching_up": node.c.upstream_url.is_not(None)}
    connection.execute(node.update().values(changed))
    return fresh


def require_caught_up(connection: sa.Connection) -> None:
    """Raise `catching_up` (503) while this server may have forgotten act numbers it has given."""
    if connection.execute(sa.select(node.c.catching_up)).scalar_one():
        raise CATCHING_UP(headers={"Retry-After": "60"})


def keep_marks(database: Database, data: Path) -> None:
    """Write into the file how far the database has come; never less than it says already."""
    with database.write() as connection:
        # Nothing is written to the database: the lock keeps two processes from overwriting each other's file.
        lock_door(connection)
        identity, marks = Identity.read(data), Marks.of(connection)
        if not marks.is_behind(Marks.read(data)):
            identity.write(data, marks)


def _count_start(database: Database, data: Path) -> None:
    with database.write() as connection:
        connection.execute(node.update().values(starts=node.c.starts + 1))
    keep_marks(database, data)


@contextmanager
def at_work(database: Database, data: Path, *, pause: float = MARK_SECONDS) -> Iterator[None]:
    """Around the time a process may write operations: counts its beginning and its clean end, and in between keeps the
    newest batch in the file every `pause` seconds. Processes that only read do without."""
    _count_start(database, data)
    stopped = threading.Event()

    def keep() -> None:
        while not stopped.wait(pause):
            try:
                with database.read() as connection:
                    grown = Marks.read(data).batches < Marks.of(connection).batches
                if grown:
                    keep_marks(database, data)
            except (OSError, sa.exc.SQLAlchemyError) as error:
                # A mark not written is a restore noticed later; the server goes on.
                log.warning("mark_not_kept", reason=type(error).__name__)

    keeper = threading.Thread(target=keep, name="marks", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopped.set()
        keeper.join()
        _count_start(database, data)


class SteadyClock:
    """The machine's clock made monotone against what is stored: no batch is received before an earlier one."""

    def __init__(self, clock: Clock, connection: sa.Connection) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        newest = connection.execute(
            sa.select(batch.c.received_at).order_by(batch.c.id.desc()).limit(1)
        ).scalar()
        self.greatest: datetime | None = moment(newest) if newest else None
        self.jumped_at: datetime | None = None

    def received_at(self) -> str:
        """The moment to stamp on a batch: now, or the greatest moment stored where the machine's clock is behind it."""
        now = self.clock.now()
        with self._lock:
            self._notice_jump(now)
            self.greatest = max(now, self.greatest) if self.greatest else now
            return stamp(self.greatest)

    def jump(self) -> datetime | None:
        """When this clock was seen to stand more than a day after the newest time stored; None when it never was."""
        with self._lock:
            self._notice_jump(self.clock.now())
            return self.jumped_at

    def _notice_jump(self, now: datetime) -> None:
        if self.greatest is not None and now - self.greatest > JUMP:
            self.jumped_at = now
            self.greatest = now

    def believe(self) -> None:
        """The province's clock says about the same: a jump there was is over."""
        with self._lock:
            self.jumped_at = None

    def behind(self) -> float:
        """Seconds by which the machine's clock is behind the newest time stored (0 when it is not)."""
        return max(0.0, (self.greatest - self.clock.now()).total_seconds()) if self.greatest else 0.0
