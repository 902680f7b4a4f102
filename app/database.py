"""The engine, the metadata and the only commit of the server. Refuses to run on settings that could lose
an acknowledged write. Knows no table of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# A UUID: 16 bytes on PostgreSQL, its lower-case text on SQLite; always text in Python.
Id = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=30000",
    "PRAGMA wal_autocheckpoint=16000",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)


class NotDurable(RuntimeError):
    """The database could lose a write after acknowledging it; the message (French) says which setting."""


class Database:
    """One database, embedded (SQLite file) or PostgreSQL.

    `write()` is one serialisable-enough transaction committed on leaving the block; `read()` is one snapshot.
    """

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._writing = threading.RLock()
        if self.is_sqlite:
            self.engine = sa.create_engine(
                self.url,
                pool_size=8,
                max_overflow=32,
                hide_parameters=True,
                connect_args={"check_same_thread": False},
            )
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = sa.create_engine(
                self.url.set(drivername="postgresql+psycopg"),
                pool_size=8,
                max_overflow=32,
                hide_parameters=True,
                pool_pre_ping=True,
            )

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that may write: committed when the block ends, rolled back when it raises.

        SQLite has one writer: the lock makes its threads wait in line instead of polling the file.
        """
        if not self.is_sqlite:
            with self.engine.connect() as connection, connection.begin():
                yield connection
            return
        with self._writing, self.engine.connect() as connection:
            connection = connection.execution_options(mboka_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent snapshot; nothing is written."""
        with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    def assert_durable(self) -> None:
        """Raise NotDurable unless every acknowledged commit survives a power cut (storage settings of both engines)."""
        with self.engine.connect() as connection:
            wanted = SQLITE_DURABLE if self.is_sqlite else POSTGRES_DURABLE
            for setting, good in wanted.items():
                query = f"PRAGMA {setting}" if self.is_sqlite else f"SHOW {setting}"
                found = str(connection.exec_driver_sql(query).scalar_one()).lower()
                if found not in good:
                    raise NotDurable(
                        f"Le serveur refuse de démarrer : {setting} vaut « {found} » au lieu de « {good[0]} » ; "
                        "une coupure de courant pourrait effacer des données déjà confirmées."
                    )

    def close(self) -> None:
        """Give all connections back; the object is not used afterwards."""
        self.engine.dispose()


SQLITE_DURABLE = {"journal_mode": ("wal",), "synchronous": ("2", "3")}
POSTGRES_DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_write", "remote_apply", "local"),
}


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("mboka_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
