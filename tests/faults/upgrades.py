"""Faults of `mboka upgrade`: two at once, and one killed between two statements of a migration. What an older program
had acknowledged must be there afterwards, byte for byte."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

import migrations
from app.database import Database
from app.settings import save
from tests.faults.world import Server, World

OLDER = "2026_11_22_ledger"
BATCHES = 40
# Fewer than any upgrade from there executes.
MOST_STATEMENTS = 60
Rows = list[tuple[Any, ...]]


def at_once(world: World, count: int) -> None:
    """Two operators type the command at the same moment."""
    for at in range(count):
        server, before = _older(world, f"upgraded-twice-{at}")
        world.book.inject("two upgrades at once", ends=False)
        both = [server.fork("upgrade", "--copy-made") for _ in range(2)]
        codes = [each.wait(120) for each in both]
        if 0 not in codes or not set(codes) <= {0, 1}:
            world.wrong.append(f"two upgrades at once: codes {codes}: {server.said()[-600:]}")
        _demand(world, server, before)


def killed(world: World, count: int) -> None:
    """One dies in the middle; the same command afterwards ends well."""
    for at in range(count):
        server, before = _older(world, f"upgrade-killed-{at}")
        nth = world.random.randint(3, MOST_STATEMENTS)
        victim = server.fork("upgrade", "--copy-made", plants=[f"in_migration={nth}"])
        if victim.wait(120) != -9:
            world.wrong.append(f"an upgrade outlived {nth} statements")
        world.book.inject("upgrade killed", ends=False)
        begun = time.monotonic()
        server.run("upgrade", "--copy-made")
        world.book.recovered["upgrade killed"].append(time.monotonic() - begun)
        _demand(world, server, before)


def _older(world: World, name: str) -> tuple[Server, Rows]:
    """A node's folder and database as an older program left them, with batches it had acknowledged."""
    server = world.spare(name)
    server.directory.mkdir(parents=True)
    save(server.directory, {"database_url": server.database_url})
    database, live = Database(world.url(server)), Database(world.url(world.commune))
    try:
        migrations.upgrade(database, OLDER)
        with live.read() as connection:
            rows = connection.execute(sa.text("SELECT * FROM batch ORDER BY id LIMIT :n"), {"n": BATCHES})
            found = [dict(row) | {"origin": None} for row in rows.mappings()]
        with database.write() as connection:
            table = sa.Table("batch", sa.MetaData(), autoload_with=connection)
            names = set(table.c.keys())
            connection.execute(
                table.insert(), [{k: v for k, v in row.items() if k in names} for row in found]
            )
        return server, _batches(database)
    finally:
        database.close()
        live.close()


def _batches(database: Database) -> Rows:
    query = sa.text("SELECT sha256, content, receipt, receipt_signature FROM batch ORDER BY id")
    with database.read() as connection:
        return [
            tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
            for row in connection.execute(query)
        ]


def _demand(world: World, server: Server, before: Rows) -> None:
    database = Database(world.url(server))
    try:
        if migrations.current(database) != migrations.head():
            world.wrong.append(f"{server.name} stands at {migrations.current(database)}")
        if _batches(database) != before or len(before) == 0:
            world.wrong.append(f"{server.name} lost acknowledged batches")
    finally:
        database.close()
