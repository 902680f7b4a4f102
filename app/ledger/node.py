"""Who this server is: its key, epoch and feed, kept in the database and in a file outside backups, and the clock that
never goes back. Starting it draws a new epoch and feed where the two disagree (a restored database)."""

from __future__ import annotations

import json
import secrets
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.clock import Clock, moment, stamp
from app.database import Database
from app.errors import problem
from app.ledger.tables import batch, node
from app.settings import write_durably
from sync.seal import Key

IDENTITY = "node.json"
NODE_DIFFERS = problem(
    "node_differs",
    409,
    "Dossier et base de deux serveurs différents",
    "Rendez au dossier sa propre base, ou à la base le dossier avec sa clé.",
)


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

    def write(self, data: Path) -> None:
        """Durably, readable by the owner only."""
        stored = {"dev": self.dev, "key": self.key.pem().decode(), "ep": self.ep, "feed": self.feed}
        write_durably(data / IDENTITY, json.dumps(stored, indent=2).encode() + b"\n")


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


def reconcile_identity(database: Database, data: Path) -> Identity:
    """The identity to run under: where file and database differ (a restored backup) epoch and feed are drawn anew.

    Raises `node_differs` where they are of two servers.
    """
    identity = Identity.read(data)
    with database.write() as connection:
        row = connection.execute(sa.select(node.c.ep, node.c.feed, node.c.dev)).one()
        if row.dev != identity.dev:
            raise NODE_DIFFERS(
                f"Le dossier est celui du nœud {identity.dev}, la base celle du nœud {row.dev}."
            )
        if (row.ep, row.feed) != (identity.ep, identity.feed):
            identity = Identity(identity.dev, identity.key, new_epoch(), str(uuid.uuid4()))
            identity.write(data)
            connection.execute(node.update().values(ep=identity.ep, feed=identity.feed))
    return identity


class SteadyClock:
    """The machine's clock made monotone against what is stored: no batch is received before an earlier one."""

    def __init__(self, clock: Clock, connection: sa.Connection) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        newest = connection.execute(
            sa.select(batch.c.received_at).order_by(batch.c.id.desc()).limit(1)
        ).scalar()
        self.greatest: datetime | None = moment(newest) if newest else None

    def received_at(self) -> str:
        """The moment to stamp on a batch: now, or the greatest moment stored where the machine's clock is behind it."""
        now = self.clock.now()
        with self._lock:
            self.greatest = max(now, self.greatest) if self.greatest else now
            return stamp(self.greatest)

    def behind(self) -> float:
        """Seconds by which the machine's clock is behind the newest time stored (0 when it is not)."""
        return max(0.0, (self.greatest - self.clock.now()).total_seconds()) if self.greatest else 0.0
