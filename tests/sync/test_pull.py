"""What a tablet reads: pages, cuts, a restored server, forgotten sessions, revocation."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import orjson
import pytest

from app.database import Database
from app.main import create_app
from app.node import Node
from sync.answers import Refused, Unreachable
from sync.client import Tablet
from tests.nodes import TestNode, household_of
from tests.sync.devices import again, households
from tests.sync.network import HOME, Network, lost_after, lost_before, refusal

# receiving ---------------------------------------------------------------------------------------------


def test_a_tablet_reads_its_areas_page_by_page_and_only_news_afterwards(
    network: Network, tablet: Tablet
) -> None:
    tablet.save([each for _ in range(60) for each in household_of(2)])
    tablet.push()
    pulled = tablet.pull(page_bytes=1)
    assert pulled.rows == 240
    assert pulled.pages > 2
    assert tablet.store.count_rows() == {"household": 60, "person": 120, "visit": 60}
    tablet.save(household_of(1))
    tablet.push()
    assert tablet.pull().rows == 3
    assert tablet.pull().rows == 0


def test_own_work_is_shown_on_top_until_the_rows_contain_it(tablet: Tablet) -> None:
    operations = household_of(1)
    tablet.save(operations)
    tablet.push()
    assert [each for _, each in tablet.own_work_on_top()] == operations
    tablet.pull()
    assert tablet.own_work_on_top() == []
    sealed, entered = household_of(0), household_of(0)
    tablet.save(sealed)
    tablet.seal()
    tablet.save(entered)
    found = tablet.own_work_on_top()
    assert [each for _, each in found] == [*sealed, *entered]
    ep = next(iter(tablet.store.epochs()))
    assert [dot for dot, _ in found] == [f"{tablet.dev}:{ep}:{n}" for n in range(4, 8)]


def test_a_page_that_was_cut_is_not_applied(network: Network, tablet: Tablet) -> None:
    tablet.save(household_of(2))
    tablet.push()

    def cut(request: httpx.Request, go: Callable[[], httpx.Response]) -> httpx.Response:
        whole = go()
        return httpx.Response(200, content=whole.content[: len(whole.content) // 2], request=request)

    network.faults["/changes"] = [cut] * 4
    with pytest.raises(Unreachable):
        tablet.pull()
    assert tablet.store.count_rows() == {}
    assert tablet.store.positions() == {}
    network.faults["/changes"] = [cut]
    assert tablet.pull().rows == 4


def restore(home: TestNode, network: Network, folder: Path, *, noticed: bool) -> None:
    """Bring the node's database back from the copy taken before; its own check on starting may notice or not."""
    home.database.close()
    for each in folder.glob("node.db*"):
        each.unlink()
    shutil.copy(folder / "backup.db", folder / "node.db")
    if noticed:
        identity = next(folder.glob("node-*/node.json"))
        identity.write_bytes(orjson.dumps({**orjson.loads(identity.read_bytes()), "feed": "another"}))
    database = Database(f"sqlite:///{folder / 'node.db'}")
    restored = Node.open(home.node.settings, database=database, clock=home.node.clock)
    network.applications[HOME] = create_app(restored)


@pytest.mark.parametrize("noticed", [True, False])
def test_what_a_restored_server_lost_is_sent_again_and_everything_is_read_again(
    home: TestNode, network: Network, tablet: Tablet, tmp_path: Path, noticed: bool
) -> None:
    tablet.save(household_of(1))
    tablet.push()
    home.database.close()
    shutil.copy(tmp_path / "node.db", tmp_path / "backup.db")
    tablet.save(household_of(1))
    tablet.push()
    tablet.pull()
    restore(home, network, tmp_path, noticed=noticed)
    tablet = again(tablet, network)
    tablet.save(household_of(1))
    sent = len(network.sent("/batches"))
    tablet.push()
    tablet.pull()
    again(tablet, network).push()
    assert len(network.sent("/batches")) == sent + 2
    tablet.pull()
    assert tablet.store.count_rows() == {"household": 3, "person": 3, "visit": 3}
    assert len(tablet.store.epochs()) == 1


def test_a_session_the_node_has_forgotten_is_opened_again(network: Network, tablet: Tablet) -> None:
    tablet.save(household_of(1))
    tablet.push()
    network.faults["/changes"] = [refusal(401, "session_required")]
    assert tablet.pull().rows == 3
    assert len(network.sent("/sessions")) == 2


def test_a_lost_answer_to_a_session_costs_a_new_nonce_and_no_error(network: Network, tablet: Tablet) -> None:
    network.faults["/sessions"] = [lost_after]
    tablet.pull()
    assertions = network.sent("/sessions")
    assert len(set(assertions)) == 2


def test_a_revoked_tablet_drops_what_it_read_and_keeps_what_it_wrote(
    network: Network, tablet: Tablet
) -> None:
    tablet.save(household_of(1))
    tablet.push()
    tablet.pull()
    tablet.save(household_of(1))
    network.faults["/sessions"] = [refusal(403, "revoked")]
    stopped = again(tablet, network)
    with pytest.raises(Refused):
        stopped.pull()
    status = stopped.status()
    assert status["rows"] == {}
    assert (status["entered"], status["sealed"]) == (6, 3)
    assert [each["code"] for each in status["alarms"]] == ["revoked"]


def test_an_expired_tablet_still_delivers_its_work(home: TestNode, network: Network, tablet: Tablet) -> None:
    tablet.save(household_of(1))
    network.faults["/batches"] = [lost_before] * 4
    with pytest.raises(Unreachable):
        tablet.push()
    network.faults["/sessions"] = [refusal(403, "grant_expired")] * 2
    expired = again(tablet, network)
    with pytest.raises(Refused):
        expired.pull()
    assert expired.push().left == 0
    assert households(home) == 1
