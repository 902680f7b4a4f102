"""300 tablets come at once to one server that works on few: all are told when to come again, and all finish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from app.database import Database
from app.ledger.tables import batch
from app.serving import ADDRESS, address
from app.settings import save
from sync.client import Tablet
from sync.contact import Patience
from sync.store import MemoryStore
from tests.ledger.test_receipts import count, persons_counted
from tests.nodes import TestNode, household_of, make_node, stranger

TABLETS = 300
QUARTIER = "1017010"


@dataclass
class Crowd:
    """What 300 tablets were answered: outcomes by status or error, and how long they were told to wait."""

    answers: Counter[str] = field(default_factory=Counter)
    waits: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, outcome: str, wait: str | None) -> None:
        with self.lock:
            self.answers[outcome] += 1
            if wait is not None:
                self.waits.append(int(wait))


class Watched(httpx.HTTPTransport):
    """One tablet's line; tells the crowd what came back."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(limits=httpx.Limits(max_connections=1, keepalive_expiry=60))
        self._crowd = crowd

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        try:
            answer = super().handle_request(request)
        except httpx.HTTPError as error:
            self._crowd.note(type(error).__name__, None)
            raise
        self._crowd.note(str(answer.status_code), answer.headers.get("Retry-After"))
        return answer


@pytest.fixture
def node(database: Database, tmp_path: Path) -> TestNode:
    return make_node(database, tmp_path)


@pytest.fixture
def served(node: TestNode) -> Iterator[str]:
    """The address of the node served by a process of its own that works on two things at a time, ten waiting."""
    data = node.node.settings.data
    url = node.database.url.render_as_string(hide_password=False)
    save(data, {"database_url": url, "accepting": 2, "waiting": 10, "log_level": "ERROR"})
    command = [sys.executable, "-m", "app", "serve", "--data", str(data), "--port", "0"]
    process = subprocess.Popen(command, env={**os.environ})
    try:
        while not (data / ADDRESS).exists():
            assert process.poll() is None
            time.sleep(0.1)
        yield address(data)
    finally:
        process.terminate()
        assert process.wait(30) in (0, -signal.SIGTERM)


def unknown_tablet(node: TestNode, url: str, http: httpx.Client) -> Tablet:
    """A tablet another commune of the province enrolled: this server has yet to admit it."""
    made = stranger(node, QUARTIER)
    store = MemoryStore()
    store.remember(
        {
            "dev": made.dev,
            "agent": made.agent,
            "role": "agent",
            "areas": [QUARTIER],
            "grant": made.grant,
            "node": node.door.identity.dev,
            "url": url,
            "province": node.door.standing.province,
            "key": made.key.pem().decode(),
        }
    )
    return Tablet(store, http, patience=Patience(first=0.2, longest=5))


def test_300_tablets_at_once_all_finish_and_nothing_is_lost_or_counted_twice(
    node: TestNode, served: str
) -> None:
    crowd, start = Crowd(), threading.Barrier(TABLETS)

    def work(number: int) -> tuple[int, int]:
        with httpx.Client(transport=Watched(crowd), timeout=60) as http:
            tablet = unknown_tablet(node, served, http)
            tablet.save(household_of(1))
            start.wait()
            left = tablet.push().left
            if number % 10 == 0:
                tablet.pull()
                assert tablet.own_work_on_top() == []
            return left, tablet.status()["received"]

    with ThreadPoolExecutor(TABLETS) as threads:
        done = list(threads.map(work, range(TABLETS)))
    assert done == [(0, 3)] * TABLETS
    # Beside the tablets' batches stand the grants this server renewed.
    own = sa.select(sa.func.count()).where(batch.c.dev == node.door.identity.dev)
    with node.database.read() as connection:
        renewed = int(connection.execute(own).scalar_one())
    assert (persons_counted(node), count(node, batch) - renewed) == (TABLETS, TABLETS)
    assert crowd.answers["503"] > 0
    assert set(crowd.answers) <= {"200", "201", "206", "401", "503"}
    assert len(crowd.waits) == crowd.answers["503"]
    assert len(set(crowd.waits)) > 1
