"""`mboka restore`: a sealed backup becomes a node again, on either engine, or nothing at all changes. It keeps its
own key and draws a new epoch and feed; tablets and province then bring what came after the backup."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

import migrations
from app.clock import Clock
from app.database import Database
from app.errors import problem
from app.keeping_safe.backup import LAW_FILES, check_records, remember
from app.keeping_safe.contents import End, Manifest, Rows, decode_row, read_records, tally_of
from app.keeping_safe.envelope import BACKUP_DAMAGED, Opening, Stream
from app.keeping_safe.recovery import PUBLIC
from app.ledger import bulk
from app.ledger.node import IDENTITY, NODE_DIFFERS, Identity, mark_restored
from app.ledger.tables import batch, node
from app.settings import CONFIGURATION, save, write_durably
from app.upgrading import refresh_territory

SQLITE = "mboka.db"
NOT_EMPTY = problem(
    "restore_not_empty",
    409,
    "Il y a déjà un registre ici",
    "Choisissez un dossier vide et une base vide ; avec SQLite, --replace met d'abord l'ancien fichier de côté.",
)
BACKUP_NEWER = problem(
    "backup_newer",
    409,
    "Sauvegarde d'un programme plus récent",
    "Installez la version du programme qui l'a écrite, ou une plus récente.",
)
Told = Callable[[int, int], None]


def restore(
    data: Path,
    file: Path,
    *,
    recovery: ec.EllipticCurvePrivateKey,
    database_url: str | None,
    replace: bool,
    clock: Clock,
    told: Told,
) -> tuple[Manifest, Identity]:
    """Put the backup in `file` into the folder `data` and its database; its manifest and the identity drawn.

    `database_url` None: the database the folder names already, else SQLite in it. The whole file is read and checked
    before anything is changed. Raises `backup_damaged`, `recovery_key_wrong`, `restore_not_empty`, `node_differs`,
    `backup_newer`.
    """
    opening = Opening(file, recovery=recovery)
    manifest = _manifest(opening)
    if manifest.revision not in migrations.revisions():
        raise BACKUP_NEWER(f"Son schéma est {manifest.revision}, celui de ce programme {migrations.head()}.")
    _same_node(data, manifest)
    url = _stored_url(data) if database_url is None else database_url
    _require_room(data, url, replace=replace)
    end = check_records(opening, told=lambda done: told(done, 0))
    total = 2 * sum(each.rows for each in end.tables.values())
    forget(data)
    beside = data / f"{SQLITE}.restoring"
    database = Database(url or f"sqlite:///{beside}")
    try:
        migrations.upgrade(database, manifest.revision)
        _load(database, opening, told=lambda done: told(total // 2 + done, total))
        migrations.upgrade(database)
        refresh_territory(database)
    finally:
        database.close()
    if not url:
        _put_in_place(beside, data / SQLITE, clock=clock)
    _write_files(data, manifest, url=url)
    rows = sum(each.rows for each in end.tables.values())
    database = Database(url or f"sqlite:///{data / SQLITE}")
    try:
        with database.read() as connection:
            high = connection.execute(sa.select(sa.func.max(batch.c.id))).scalar() or 0
        identity = mark_restored(database, data)
    finally:
        database.close()
    remember(data, file, at=manifest.taken_at, sha256=opening.sha256, batches=high, rows=rows)
    return manifest, identity


# -- before anything is changed ----------------------------------------------------------------------------------


def _manifest(opening: Opening) -> Manifest:
    first = next(read_records(Stream(opening).take))
    if not isinstance(first, Manifest):
        raise BACKUP_DAMAGED()
    return first


def _same_node(data: Path, manifest: Manifest) -> None:
    if (data / IDENTITY).exists() and (dev := Identity.read(data).dev) != manifest.node["dev"]:
        raise NODE_DIFFERS(
            f"Le dossier est celui du nœud {dev}, la sauvegarde celle du nœud {manifest.node['dev']}."
        )
    if not (data / IDENTITY).exists() and IDENTITY not in manifest.files:
        raise BACKUP_DAMAGED("La clé du nœud n'y est pas.")


def _stored_url(data: Path) -> str:
    if not (data / CONFIGURATION).exists():
        return ""
    return str(json.loads((data / CONFIGURATION).read_text(encoding="utf-8")).get("database_url", ""))


def _require_room(data: Path, url: str, *, replace: bool) -> None:
    if not url:
        if (data / SQLITE).exists() and not replace:
            raise NOT_EMPTY(f"{data / SQLITE} existe.")
        return
    database = Database(url)
    try:
        with database.read() as connection:
            held = (
                sa.inspect(connection).has_table(node.name)
                and connection.execute(sa.select(node.c.dev)).first()
            )
    finally:
        database.close()
    if held:
        raise NOT_EMPTY("La base PostgreSQL contient déjà un nœud : créez-en une vide.")


# -- loading -----------------------------------------------------------------------------------------------------


def _load(database: Database, opening: Opening, *, told: Callable[[int], None]) -> None:
    """All tables in one transaction, compared with the backup before it is committed."""
    with database.write() as connection, _deferred_keys(connection):
        done = 0
        columns: dict[str, list[str]] = {}
        for record in read_records(Stream(opening).take):
            if isinstance(record, Manifest):
                columns = record.tables
                _empty(connection, list(columns))
            elif isinstance(record, Rows):
                _insert(connection, record, columns=columns[record.table])
                done += len(record.rows)
                told(done)
            else:
                _compare(connection, record, columns=columns)
        if bulk.is_postgresql(connection):
            _advance_counters(connection)


def _empty(connection: sa.Connection, tables: list[str]) -> None:
    """A migration may have put rows there that the backup holds too."""
    for name in reversed(tables):
        connection.execute(sa.table(name).delete())


def _insert(connection: sa.Connection, record: Rows, *, columns: list[str]) -> None:
    rows = [tuple(decode_row(row)) for row in record.rows]
    names = ", ".join(f'"{name}"' for name in columns)
    if bulk.is_postgresql(connection):
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f'COPY "{record.table}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(columns))
    statement = f'INSERT INTO "{record.table}" ({names}) VALUES ({marks})'  # noqa: S608 - the backup's own names
    connection.exec_driver_sql(statement, rows)


def _compare(connection: sa.Connection, end: End, *, columns: dict[str, list[str]]) -> None:
    for name, counted in end.tables.items():
        if tally_of(connection, name, columns=columns[name]) != counted:
            raise BACKUP_DAMAGED(f"La table {name} n'a pas été rendue telle quelle.")


class _deferred_keys:
    """Foreign keys are checked when everything is there: a table may refer to itself."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._keys: list[tuple[str, str]] = []

    def __enter__(self) -> None:
        if not bulk.is_postgresql(self._connection):
            self._connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            return
        query = (
            "SELECT conrelid::regclass::text, conname FROM pg_constraint "
            "WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND NOT condeferrable"
        )
        self._keys = [(row[0], row[1]) for row in self._connection.exec_driver_sql(query)]
        self._alter("DEFERRABLE INITIALLY DEFERRED")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None and self._keys:
            self._connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
            self._alter("NOT DEFERRABLE")

    def _alter(self, how: str) -> None:
        for table, name in self._keys:
            self._connection.exec_driver_sql(f'ALTER TABLE {table} ALTER CONSTRAINT "{name}" {how}')


def _advance_counters(connection: sa.Connection) -> None:
    """PostgreSQL gives the next number of a column from a counter that loading does not move."""
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND (column_default LIKE 'nextval(%' OR is_identity = 'YES')"
    )
    for table, column in connection.execute(sa.text(query)).all():
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), "  # noqa: S608 - the catalogue's names
            f'coalesce(max("{column}"), 0) + 1, false) FROM "{table}"'
        )


# -- the folder --------------------------------------------------------------------------------------------------


def _database_files(path: Path) -> Iterator[Path]:
    yield from (path.with_name(path.name + tail) for tail in ("", "-wal", "-shm", "-journal"))


def forget(data: Path) -> None:
    """Remove what an attempt that failed has left beside the database."""
    _remove(data / f"{SQLITE}.restoring")


def _remove(path: Path) -> None:
    for each in _database_files(path):
        each.unlink(missing_ok=True)


def _put_in_place(beside: Path, target: Path, *, clock: Clock) -> None:
    """The old file goes aside with its journal, which is part of it; nothing of it is deleted."""
    if target.exists():
        old = target.with_name(f"before-restore-{clock.now():%Y%m%dT%H%M%S}.db")
        for source, aside in zip(_database_files(target), _database_files(old), strict=True):
            if source.exists():
                source.rename(aside)
    beside.rename(target)


def _write_files(data: Path, manifest: Manifest, *, url: str) -> None:
    """What the folder lacks comes from the backup; the key and settings that are there stay."""
    if not (data / IDENTITY).exists():
        write_durably(data / IDENTITY, manifest.files[IDENTITY].encode())
    if not (data / PUBLIC).exists() and PUBLIC in manifest.files:
        write_durably(data / PUBLIC, manifest.files[PUBLIC].encode())
    if not (data / "law").exists():
        for name in LAW_FILES:
            if name in manifest.files:
                (data / name).parent.mkdir(exist_ok=True)
                write_durably(data / name, manifest.files[name].encode())
    if (data / CONFIGURATION).exists():
        stored = json.loads((data / CONFIGURATION).read_text(encoding="utf-8"))
    else:
        stored = json.loads(manifest.files.get(CONFIGURATION, "{}"))
    save(data, stored | {"database_url": url})
