"""What the harness plants in a server it starts: a death at a named point, another clock, weak durability, or a bug
that the judge must find. Applied in the forked process only; nothing in app/ knows of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from app.clock import Clock
from app.database import Database
from app.ledger import exchange, relay
from app.ledger.door import Door
from app.ledger.keeping import Receipt

# Long enough for an answer to leave, short against everything else.
ANSWER_SECONDS = 0.15


def die() -> None:
    """End this process as a power cut would: nothing is flushed, nobody is told."""
    os.kill(os.getpid(), signal.SIGKILL)


class Passage:
    """Dies at the nth time it is passed."""

    def __init__(self, nth: str) -> None:
        self._left = int(nth)
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                die()


def _before_commit(nth: str) -> None:
    """Every row of a batch is written, the transaction is not committed."""
    passage, taking, take = Passage(nth), threading.local(), Door._take

    def marked(*arguments: Any) -> Receipt:
        taking.now = True
        return take(*arguments)

    def committing(_connection: sa.Connection) -> None:
        if getattr(taking, "now", False):
            taking.now = False
            passage()

    Door._take = marked  # type: ignore[method-assign, assignment]
    sa.event.listen(Engine, "commit", committing)


def _after(module: Any, name: str, *, nth: str) -> None:
    passage, original = Passage(nth), getattr(module, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        found = original(*arguments, **named)
        passage()
        return found

    setattr(module, name, wrapped)


def _before_receipt(nth: str) -> None:
    """Committed, and the receipt does not leave."""
    _after(Door, "accept", nth=nth)


def _province_before_receipts(nth: str) -> None:
    """The province committed a bundle, and its receipts do not leave."""
    _after(exchange, "accept_bundle", nth=nth)


def _commune_before_keeping(nth: str) -> None:
    """The province's receipts arrived, and the commune dies before it stored them."""
    passage, keep = Passage(nth), relay._keep_receipts

    def wrapped(*arguments: Any) -> tuple[int, int]:
        passage()
        return keep(*arguments)

    relay._keep_receipts = wrapped  # type: ignore[assignment]


def _in_migration(nth: str) -> None:
    """After so many statements of a migration."""
    passage = Passage(nth)

    def executed(*_arguments: Any) -> None:
        passage()

    sa.event.listen(Engine, "after_cursor_execute", executed)


def _clock(text: str) -> None:
    """The machine's clock is wrong: `+seconds`, `-seconds`, or an absolute moment at which it starts."""
    now, begun = Clock.now, time.monotonic()

    def shifted(clock: Clock) -> datetime:
        if text[0] in "+-":
            return now(clock) + timedelta(seconds=float(text))
        return datetime.fromisoformat(text) + timedelta(milliseconds=int((time.monotonic() - begun) * 1000))

    Clock.now = shifted  # type: ignore[method-assign, assignment]


def _weak(_nothing: str) -> None:
    """The settings under which app.database refuses to start."""

    def spoil(raw: Any, _record: Any) -> None:
        if hasattr(raw, "autocommit"):  # psycopg
            raw.execute("SET synchronous_commit = off")
            raw.commit()
        else:
            raw.execute("PRAGMA synchronous=OFF")

    def opened(database: Database, url: str) -> None:
        opening(database, url)
        sa.event.listen(database.engine, "connect", spoil)

    opening = Database.__init__
    Database.__init__ = opened  # type: ignore[method-assign, assignment]
    Database.assert_durable = lambda _database: None  # type: ignore[method-assign, assignment]


class _NotStored(Exception):
    """Undoes a transaction whose receipt leaves all the same."""


def _early(nth: str) -> None:
    """A planted bug: at the nth batch the receipt leaves, the transaction does not, and then the server dies."""
    left, lock, accept = [int(nth)], threading.Lock(), Door.accept

    def hasty(door: Door, data: bytes, signature: str, *, grant: str | None = None) -> Receipt:
        with lock:
            left[0] -= 1
        if left[0] != 0:
            return accept(door, data, signature, grant=grant)
        found: list[Receipt] = []
        try:
            with door.database.write() as connection:
                envelope = door.verify(connection, data, signature, grant=grant)
                found += door.accept_many(connection, [envelope])
                raise _NotStored
        except _NotStored:
            threading.Timer(ANSWER_SECONDS, die).start()
        return found[0]

    Door.accept = hasty  # type: ignore[method-assign, assignment]


def _counts_again(_nothing: str) -> None:
    """A planted bug: figures are counted before anybody looks whether the batch is held already."""
    accept = Door.accept
    seen: set[str] = set()

    def counting(door: Door, data: bytes, signature: str, *, grant: str | None = None) -> Receipt:
        again = signature in seen
        seen.add(signature)
        receipt = accept(door, data, signature, grant=grant)
        if again:
            with door.database.write() as connection:
                connection.execute(
                    sa.text("UPDATE census_cell SET count = count + 1 WHERE what = 'households'")
                )
        return receipt

    Door.accept = counting  # type: ignore[method-assign, assignment]


PLANTS: dict[str, Callable[[str], None]] = {
    "before_commit": _before_commit,
    "before_receipt": _before_receipt,
    "province_before_receipts": _province_before_receipts,
    "commune_before_keeping": _commune_before_keeping,
    "in_migration": _in_migration,
    "clock": _clock,
    "weak": _weak,
    "early": _early,
    "counts_again": _counts_again,
}


def plant(wanted: Sequence[str]) -> None:
    """Apply each of `name=argument` to this process."""
    for each in wanted:
        name, _, argument = each.partition("=")
        PLANTS[name](argument)
