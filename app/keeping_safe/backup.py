"""`mboka backup`: one snapshot of every table while the server goes on, sealed for the recovery key, read back and
compared before it takes its name; the last good one is remembered in DIR/backup.json."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import migrations
from app.clock import Clock, stamp
from app.database import Database
from app.errors import problem
from app.keeping_safe.contents import (
    FORMAT,
    End,
    Manifest,
    Rows,
    Tally,
    check_end,
    encoded_rows,
    frame,
    in_records,
    read_records,
)
from app.keeping_safe.envelope import Opening, Sealing, Stream
from app.keeping_safe.recovery import PUBLIC, read_public
from app.law.topics import TOPICS
from app.ledger.node import IDENTITY
from app.ledger.tables import batch, node
from app.settings import CONFIGURATION, write_durably

REMEMBERED = "backup.json"
# What a burnt machine needs to come back as itself, beside its database.
LAW_FILES = tuple(f"law/{topic.file}" for topic in TOPICS)
FILES = (IDENTITY, PUBLIC, CONFIGURATION, *LAW_FILES)
NOT_BACKED_UP = problem(
    "not_backed_up",
    507,
    "La sauvegarde n'a pas pu être écrite",
    "L'ancienne sauvegarde est intacte. Vérifiez la place et le support, puis recommencez.",
)
Told = Callable[[int, int], None]


def back_up(database: Database, data: Path, *, to: Path, clock: Clock, told: Told) -> dict[str, Any]:
    """Write the backup to `to` (a file, or a folder where it gets a name with its date); what DIR/backup.json says.

    `told(done, total)` counts rows, written and read back. Raises `no_recovery_key`, `not_backed_up`.
    """
    public = read_public(data)
    now = stamp(clock.now())
    beside: Path | None = None
    try:
        with database.read() as connection:
            manifest = _manifest(connection, data, at=now)
            high = connection.execute(sa.select(sa.func.max(batch.c.id))).scalar() or 0
            target = to / _name(manifest) if to.is_dir() else to
            beside = target.with_name(target.name + ".new")
            total = 2 * sum(_count(connection, name) for name in manifest.tables)
            sealing = Sealing(beside, public)
            try:
                end = _write(connection, sealing, manifest, told=lambda done: told(done, total))
                sealing.close()
            finally:
                sealing.abandon()
        sha256 = _read_back(beside, sealing.key, end, told=lambda done: told(total // 2 + done, total))
        _take_its_name(beside, target)
    except OSError as error:
        raise NOT_BACKED_UP(f"{error.strerror or error} : {error.filename or to}") from error
    finally:
        if beside is not None:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
    return remember(data, target, at=now, sha256=sha256, batches=high, rows=total // 2)


def remember(data: Path, file: Path, *, at: str, sha256: str, batches: int, rows: int) -> dict[str, Any]:
    """Note in DIR/backup.json that `file` holds this node as it was at `at`, up to the batch numbered `batches`."""
    told = {"at": at, "file": str(file.resolve()), "sha256": sha256, "batches": batches}
    told |= {"bytes": file.stat().st_size, "rows": rows}
    write_durably(data / REMEMBERED, json.dumps(told, indent=2).encode() + b"\n")
    return told


def last_backup(data: Path) -> dict[str, Any] | None:
    """What DIR/backup.json says of the last good backup; None before the first."""
    try:
        found: dict[str, Any] = json.loads((data / REMEMBERED).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found


def remove_older(newest: Path, *, keep: int) -> list[Path]:
    """Remove the older backups of this node beside `newest`, all but `keep` in all; those removed."""
    place = newest.stem.rpartition("-")[0]
    found = sorted(newest.parent.glob(f"{place}-*{newest.suffix}"))
    old = [each for each in found[: max(len(found) - keep, 0)] if each != newest]
    for each in old:
        each.unlink()
    return old


def _name(manifest: Manifest) -> str:
    place = manifest.node["commune"] or manifest.node["kind"]
    moment = "".join(c for c in manifest.taken_at[:19] if c.isalnum())
    return f"mboka-{place}-{moment}.mbk"


def _manifest(connection: sa.Connection, data: Path, *, at: str) -> Manifest:
    columns = ("dev", "kind", "commune", "demo", "created_at")
    row = connection.execute(sa.select(*(node.c[name] for name in columns))).mappings().one()
    revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
    tables = {
        str(table.name): [str(c.name) for c in table.columns] for table in migrations.metadata().sorted_tables
    }
    files = {name: (data / name).read_text(encoding="utf-8") for name in FILES if (data / name).exists()}
    return Manifest(
        format=FORMAT,
        node=dict(row),
        taken_at=at,
        program=version("mboka"),
        revision=revision,
        tables=tables,
        files=files,
    )


def _count(connection: sa.Connection, table: str) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(sa.table(table))).scalar_one())


def _write(
    connection: sa.Connection, sealing: Sealing, manifest: Manifest, *, told: Callable[[int], None]
) -> End:
    sealing.write(frame(manifest))
    tallies = {name: Tally() for name in manifest.tables}
    done = 0
    for name, columns in manifest.tables.items():
        rows = encoded_rows(connection, name, columns=columns)
        for record in in_records(name, rows, tally=tallies[name]):
            sealing.write(frame(record))
            done += len(record.rows)
            told(done)
    end = End({name: tally.counted() for name, tally in tallies.items()})
    sealing.write(frame(end))
    return end


def _read_back(path: Path, key: bytes, end: End, *, told: Callable[[int], None]) -> str:
    """Decrypt what the disk gives back and compare it with what was read from the database."""
    opening = Opening(path, key=key)
    if check_records(opening, told=told) != end:
        raise NOT_BACKED_UP("Le fichier relu n'est pas celui qui a été écrit.")
    return opening.sha256


def check_records(opening: Opening, *, told: Callable[[int], None]) -> End:
    """Read a whole backup and compare its rows with its last record, which is given. Raises `backup_damaged`."""
    tallies: dict[str, Tally] = {}
    done = 0
    end = End({})
    for record in read_records(Stream(opening).take):
        if isinstance(record, Manifest):
            tallies = {name: Tally() for name in record.tables}
        elif isinstance(record, Rows):
            for row in record.rows:
                tallies[record.table].add(row)
            done += len(record.rows)
            told(done)
        else:
            check_end(record, tallies)
            end = record
    return end


def _take_its_name(beside: Path, target: Path) -> None:
    os.replace(beside, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
