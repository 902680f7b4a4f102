"""`mboka upgrade`: bring a node's schema to this program's, after a copy that was read back and checked."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import migrations
from app.clock import Clock
from app.database import Database
from app.ledger.areas import add_areas
from app.settings import Settings
from app.territory.load import load_territory
from app.territory.places import Territory


class SchemaDiffers(RuntimeError):
    """The database is older or newer than the program; the message (French) names the command that helps."""


def check_schema(database: Database, data: Path) -> None:
    """Raise SchemaDiffers unless the database stands exactly at this program's revision."""
    found, wanted = migrations.current(database), migrations.head()
    if found == wanted:
        return
    if found is None or found in migrations.revisions():
        raise SchemaDiffers(
            f"Le schéma de la base ({found}) est plus ancien que ce programme ({wanted}) : "
            f"lancez « mboka upgrade --data {data} »."
        )
    raise SchemaDiffers(
        f"Le schéma de la base ({found}) est plus récent que ce programme ({wanted}) : "
        "installez la version qui l'a écrit."
    )


def upgrade_node(settings: Settings, data: Path, *, clock: Clock, copy_made: bool) -> str:
    """Copy, check the copy, migrate, refresh the territory; the French sentence to print. Raises SchemaDiffers."""
    database = Database(settings.url)
    try:
        found = migrations.current(database)
        if found == migrations.head():
            refresh_territory(database)
            return f"Le schéma est déjà à jour ({found})."
        if found is not None and found not in migrations.revisions():
            check_schema(database, data)
        copy = _copy(database, data, clock) if database.is_sqlite else None
        if copy is None and not copy_made:
            raise SchemaDiffers(
                "PostgreSQL : faites d'abord une sauvegarde (pg_dump) et vérifiez-la, puis relancez avec --copy-made."
            )
        migrations.upgrade(database)
        refresh_territory(database)
        kept = f" Copie vérifiée : {copy}." if copy else ""
        return f"Schéma mis à jour de {found} à {migrations.head()}.{kept}"
    finally:
        database.close()


def refresh_territory(database: Database) -> None:
    """Bring territory and areas to this program's data; what was there stays."""
    with database.write() as connection:
        load_territory(connection)
        add_areas(connection, Territory.read(connection))


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608 - a table's own name


def _free_name(data: Path, stem: str) -> Path:
    """A new empty file: never over the copy of another upgrade, which may have changed the schema since, or died."""
    target, at = data / f"{stem}.db", 1
    while True:
        try:
            target.touch(0o600, exist_ok=False)
        except FileExistsError:
            at += 1
            target = data / f"{stem}-{at}.db"
        else:
            return target


def _copy(database: Database, data: Path, clock: Clock) -> Path:
    original, stem = str(database.url.database), f"before-upgrade-{clock.now():%Y%m%dT%H%M%S}"
    try:
        target = _free_name(data, stem)
        with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            said = copy.execute("PRAGMA integrity_check").fetchone()[0]
            names = [
                name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            same = all(_count(source, name) == _count(copy, name) for name in names)
    except (OSError, sqlite3.Error) as error:
        raise SchemaDiffers(
            f"La copie {data / stem}.db ne peut être écrite ({error}) : rien n'a été changé."
        ) from error
    if said != "ok" or not same:
        raise SchemaDiffers(f"La copie {target} n'est pas bonne ({said}) : rien n'a été changé.")
    return target
