"""The commune's server is killed ten times while tablets push: nothing acknowledged is lost, nothing counted twice."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle, groupby
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from app.demo import census, figures, totals
from app.demo.run import Demonstration, demonstrate
from sync.answers import SyncError
from sync.client import Tablet
from sync.contact import Patience

SCALE = 0.02
KILLS = 10
SEED = 17


class Watched(httpx.HTTPTransport):
    """Says when the bytes of a batch are about to leave."""

    def __init__(self) -> None:
        super().__init__()
        self.sending = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        if request.url.path == "/sync/v1/batches":
            self.sending.set()
        return super().handle_request(request)


@pytest.fixture
def shown(tmp_path: Path, fresh_database_url: Callable[[], str | None]) -> Iterator[Demonstration]:
    urls = tuple(fresh_database_url() or "" for _ in range(3))
    (tmp_path / "tablets").mkdir()
    made = Demonstration(
        tmp_path, SEED, SCALE, Console(quiet=True), database_urls=(urls[0], urls[1], urls[2])
    )
    made.patience = Patience(tries=1)
    yield made
    made.close()


def entered(demonstration: Demonstration) -> None:
    """All households are written down on the tablets, one batch each, before the first is sent."""
    tours = groupby(census.households(SEED, SCALE), key=lambda plan: plan.tablet)
    for number, plans in tours:
        for plan in plans:
            demonstration.tablets[number - 1].load([plan.line])
            demonstration.tablets[number - 1].seal()


def rows_at(demonstration: Demonstration) -> int:
    """Population rows the commune's server holds, read over its own API."""
    status = demonstration.kintambo.ask(demonstration.client, "GET /v1/status", officer="admin").json()
    return int(status["rows"]["household"] + status["rows"]["person"] + status["rows"]["visit"])


def push_one(tablet: Tablet, failed: list[Exception]) -> None:
    """Push until done; a failed request ends this push, as a tablet's would."""
    try:
        tablet.push()
    except SyncError as error:
        failed.append(error)


def killed_inside_a_push(
    demonstration: Demonstration, tablet: Tablet, watched: Watched, *, after: float
) -> bool:
    """Kill the server `after` seconds into a request and start it again; whether that request failed."""
    failed: list[Exception] = []
    watched.sending.clear()
    pushing = threading.Thread(target=push_one, args=(tablet, failed))
    pushing.start()
    if watched.sending.wait(20):
        time.sleep(after)
    demonstration.kintambo.kill()
    pushing.join(60)
    assert not pushing.is_alive()
    demonstration.kintambo.start()
    return bool(failed)


def test_ten_kills_inside_a_push_end_with_the_published_figures(shown: Demonstration) -> None:
    watched = Watched()
    shown.start()
    with httpx.Client(transport=watched, timeout=30, trust_env=False) as client:
        demonstrations_own, shown.client = shown.client, client
        shown.enrol()
        shown.client = demonstrations_own
        entered(shown)
        end = sum(tablet.status()["entered"] for tablet in shown.tablets)
        delays = random.Random(SEED)
        kills, held = 0, []
        tablets = cycle(shown.tablets)
        shown.tablets[0].push()
        for _ in range(6 * KILLS):
            if kills == KILLS:
                break
            tablet = next(each for each in tablets if each.status()["received"] < each.status()["entered"])
            if killed_inside_a_push(shown, tablet, watched, after=delays.uniform(0, 0.03)):
                count = rows_at(shown)
                if 0 < count < end:
                    kills += 1
                    held.append(count)
        assert kills == KILLS, f"only {kills} kills fell inside a push: {held}"
        for tablet in shown.tablets:
            tablet.push()
    assert rows_at(shown) == end
    shown.reprise()
    shown.relay()
    assert figures.first_difference(shown.figures(), totals.expected(SCALE)) is None
    for server in shown.servers:
        server.stop()
        server.run("verify")


def test_one_birth_lost_before_the_relay_is_named_by_its_cell_and_the_demo_ends_with_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class OneBirthMissing(Demonstration):
        def births(self) -> Iterator[dict[str, Any]]:
            lines = super().births()
            next(lines)
            yield from lines

    out = tmp_path / "figures.json"
    code = demonstrate(
        once=True, out=out, scale=0.005, keep=tmp_path / "nodes", seed=SEED, script=OneBirthMissing
    )
    assert code == 1
    said = capfd.readouterr().err
    assert "Différence : Kimbanseke 2011 " in said
    published = totals.expected(0.005)["kimbanseke"][0]
    found = json.loads(out.read_text())["kimbanseke"][0]
    assert found["in_delay"] + found["out_of_delay"] == published["in_delay"] + published["out_of_delay"] - 1
