"""The thread of a running server that looks through what changed for persons recorded twice: what tablets, paper and
the other communes brought. A declaration made at a desk is looked at there and then."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import sqlalchemy as sa
import structlog

from app.ledger.bulk import lock_door
from app.ledger.door import Door
from app.population.duplicates.index import CHUNK, Source, sweep

log = structlog.get_logger("duplicates")


def sweep_some(door: Door, sources: Iterable[Source], *, most: int) -> int:
    """Sweep at most about `most` records of each register, a chunk in a transaction so that others get their turn."""
    done = 0
    for source in sources:
        for _ in range(0, most, CHUNK):
            with door.database.write() as connection:
                lock_door(connection)
                swept = len(sweep(connection, door, source, most=CHUNK))
            done += swept
            if swept < CHUNK:
                break
    return done


class Sweeper(threading.Thread):
    """Sweeps every `pause` seconds, while something is left; an accident of the database is logged and waited out."""

    def __init__(self, door: Door, sources: Iterable[Source], *, pause: float) -> None:
        super().__init__(name="duplicates", daemon=True)
        self._door = door
        self._sources = tuple(sources)
        self._pause = pause
        self._stopped = threading.Event()

    def run(self) -> None:
        """Sweep until stopped."""
        while not self._stopped.wait(self._pause):
            try:
                while (
                    done := sweep_some(self._door, self._sources, most=CHUNK)
                ) and not self._stopped.is_set():
                    log.debug("swept", records=done)
            except sa.exc.SQLAlchemyError:
                log.exception("sweep_postponed")

    def stop(self) -> None:
        """Ask the thread to end and wait for the chunk under way."""
        self._stopped.set()
        self.join(timeout=65)
