"""The acts of a checked file enter the register, a thousand to a transaction, each transaction with the place reached:
killed in the middle, the same call goes on. The rules and the writing are the reprise's."""

from __future__ import annotations

import json
import time
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import communes_of
from app.access.officers import Officer
from app.civil.reprise import take_over
from app.civil.takeover import tables
from app.civil.takeover.checking import Checker, Fault, Keyed, Pages
from app.civil.takeover.mapping import read_mapping
from app.civil.takeover.receiving import (
    MOST_FAULTS,
    Compared,
    Told,
    chunks,
    compare,
    file_row,
    judge,
    keep_faults,
    open_pages,
)
from app.database import Database
from app.errors import problem
from app.ledger.bulk import lock_door
from app.ledger.door import Door

IMPORT_WRONG = problem(
    "import_wrong",
    409,
    "Lignes à corriger d'abord",
    "Corrigez-les et renvoyez le fichier, ou demandez de les laisser de côté (skip_wrong).",
)
IMPORT_IN_KEYING = problem(
    "import_in_keying",
    409,
    "Fichier d'une double saisie",
    "Ses actes entrent par POST /v1/keyings/{id}/run.",
)
IMPORT_NOT_CHECKED = problem(
    "import_not_checked", 409, "Fichier pas encore lu", "Renvoyez le fichier : la lecture a été interrompue."
)
IMPORT_BUSY = problem(
    "import_busy", 409, "Déjà en cours", "Quelqu'un d'autre fait entrer ce fichier en ce moment."
)

# SQLite's waiting writers look again every 100 ms at most: as long a pause lets each of them in.
PAUSE = 0.12


def enter(
    database: Database,
    door: Door,
    *,
    officer: Officer,
    file: str,
    skip_wrong: bool,
    seconds: float | None = None,
    told: Told | None = None,
) -> None:
    """Go on entering a file until it is done, or until so many seconds are gone (None = however long it takes).

    Raises `import_unknown`, `other_commune`, `import_wrong` (while lines are wrong, unless `skip_wrong`),
    `import_in_keying`, `import_not_checked`, `import_busy`, `catching_up`.
    """
    with database.read() as connection:
        row = file_row(connection, officer, file=file, kind=door.standing.kind)
        content = connection.execute(
            sa.select(tables.file.c.content).where(tables.file.c.id == file)
        ).scalar()
    if row["state"] == "done":
        return
    if row["state"] in ("checking", "keying") or content is None:
        raise IMPORT_IN_KEYING() if row["state"] == "keying" else IMPORT_NOT_CHECKED()
    if row["wrong"] and not skip_wrong and row["state"] == "checked":
        raise IMPORT_WRONG(f"{row['wrong']} ligne(s) à corriger sur {row['lines']}.")
    pages = open_pages(zlib.decompress(content), read_mapping(row["mapping"]), sheet=row["sheet"])
    communes = communes_of(officer, door.standing.kind)
    checker = Checker(pages, door, communes=communes, today=door.clock.clock.today())
    run = _Run(door, officer, file=file, pages=pages, begun_by=row["officer_name"])
    until = time.monotonic() + seconds if seconds is not None else None
    gone = 0
    for chunk in chunks(pages):
        gone += len(chunk)
        if chunk[-1].row <= row["done"]:
            for keyed in chunk:
                checker.seen(keyed)
            continue
        with database.read() as connection:
            right, faults, _ = judge(connection, chunk, checker=checker)
        with database.write() as connection:
            run.enter(connection, chunk, right=right, faults=faults)
        if told is not None:
            told(gone, pages.sheet.total)
        if until is not None and time.monotonic() >= until:
            break
        time.sleep(PAUSE)
    if gone >= pages.sheet.total:
        with database.write() as connection:
            finish = tables.file.update().where(tables.file.c.id == file)
            connection.execute(finish.values(state="done", content=None))


class _Run:
    """One officer entering one file."""

    def __init__(self, door: Door, officer: Officer, *, file: str, pages: Pages, begun_by: str) -> None:
        self.door, self.officer, self.file, self.pages = door, officer, file, pages
        self.keyed = {"keyed_by": [begun_by]}

    def enter(
        self, connection: sa.Connection, chunk: list[Keyed], *, right: list[Any], faults: list[Fault]
    ) -> None:
        """One chunk in the caller's transaction, with the counters and the place reached."""
        lock_door(connection)
        table = tables.file
        row = connection.execute(sa.select(table).where(table.c.id == self.file)).mappings().one()
        first = row["state"] == "checked"
        if row["done"] >= chunk[0].row or row["state"] not in ("checked", "entering"):
            raise IMPORT_BUSY()
        found = compare(connection, self.door, right, pages=self.pages)
        delays: Counter[str] = Counter(json.loads(row["delays"]))
        if found.new:
            lines = [replace(line, keyed=self.keyed) for line in found.new]
            delays.update(take_over(connection, self.door, self.officer, lines=lines).delays)
        if first:
            connection.execute(tables.fault.delete().where(tables.fault.c.file == self.file))
        values = self._counted({} if first else dict(row), found, faults) | {
            "state": "entering", "done": chunk[-1].row, "delays": json.dumps(delays),
        }  # fmt: skip
        connection.execute(table.update().where(table.c.id == self.file).values(values))
        room = MOST_FAULTS - (0 if first else row["faults"])
        keep_faults(connection, self.file, [*faults, *found.faults][: max(room, 0)])

    def _counted(self, before: Mapping[str, Any], found: Compared, faults: list[Fault]) -> dict[str, int]:
        more = {
            "entered": len(found.new),
            "known": len(found.known),
            "wrong": len({fault.row for fault in faults} | found.faulty),
            "faults": len(faults) + len(found.faults),
        }
        return {name: before.get(name, 0) + count for name, count in more.items()}
