"""Brings a node's database to the schema of this program, on both engines, from the installed package.
Decides neither when nor after which copy: that is the operator's command."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import app
from app.database import METADATA, Database

UPGRADING = 20_251_125


class BrokenReference(RuntimeError):
    """A migration left rows that point at nothing; it has been undone."""


def metadata() -> sa.MetaData:
    """The tables of every package of the server."""
    for package in pkgutil.walk_packages(app.__path__, "app."):
        if package.ispkg and importlib.util.find_spec(f"{package.name}.tables"):
            importlib.import_module(f"{package.name}.tables")
    return METADATA


def upgrade(database: Database, revision: str = "heads") -> None:
    """Run the missing migrations up to `revision`, all in one transaction; raises BrokenReference on dangling keys."""
    with database.engine.connect() as connection:
        connection = connection.execution_options(mboka_write=True)
        if not database.is_sqlite:
            with connection.begin():
                # Two upgrades at once: the second waits here, then finds nothing left to do.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADING})")
                command.upgrade(configuration(connection), revision)
            return
        # A rebuilt table is dropped and renamed, which would delete the rows that refer to it; the pragma
        # can only be changed outside a transaction.
        _foreign_keys(connection, "OFF")
        try:
            with connection.begin():
                command.upgrade(configuration(connection), revision)
                dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if dangling:
                    raise BrokenReference(f"{dangling[0]} → {dangling[2]}")
        finally:
            _foreign_keys(connection, "ON")


def current(database: Database) -> str | None:
    """The revision the database stands at; None before the first."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The revision this program needs."""
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    if revision is None:
        raise RuntimeError("the package contains no migration")
    return revision


def configuration(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration without its ini file; `connection` is in a transaction of the caller's."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _foreign_keys(connection: sa.Connection, state: str) -> None:
    raw = connection.connection.driver_connection
    if raw is None:
        raise RuntimeError("the connection is closed")
    raw.execute(f"PRAGMA foreign_keys={state}")


def revisions() -> frozenset[str]:
    """Every revision this program knows."""
    return frozenset(
        script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()
    )
