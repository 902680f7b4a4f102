"""A tablet's first download: packs where the node has them, resumed after a cut, and never fewer rows than by pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.ledger.packs import Packs
from sync import download
from sync.answers import Refused, Unreachable
from sync.client import Tablet
from sync.sqlite_store import SqliteStore
from sync.store import MemoryStore, Page, Store
from tests.nodes import TestNode, household_of
from tests.sync.devices import again, enrol
from tests.sync.network import Network, lost_before, portal, refusal

ROWS = 3 * 120
PIECE = 5_000


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces that a test's little pack has several of."""
    monkeypatch.setattr(download, "FIRST_PIECE", PIECE)
    monkeypatch.setattr(download, "MOST_PIECE", PIECE)


@pytest.fixture
def packs(home: TestNode) -> Packs:
    """The home node's packs, made from few rows on."""
    folder = home.node.settings.data / "packs"
    made = Packs(home.door, folder, clock=home.node.clock, least_rows=20)
    home.app.state.packs = made
    return made


@pytest.fixture
def full(home: TestNode, network: Network, packs: Packs, tmp_path: Path) -> TestNode:
    """The home node with 120 households, entered on another tablet."""
    other = enrol(home, network, tmp_path / "other")
    for _ in range(4):
        other.save([each for _ in range(30) for each in household_of(1)])
        other.push()
    network.calls.clear()
    return home


@pytest.fixture(params=["memory", "sqlite"])
def reader(request: pytest.FixtureRequest, full: TestNode, network: Network, tmp_path: Path) -> Tablet:
    """A tablet enrolled at the full node that has read nothing yet, on either store."""
    tablet = enrol(full, network, tmp_path / "reader")
    if request.param == "sqlite":
        return tablet
    memory = MemoryStore()
    memory.remember(tablet.store.facts())
    return again(tablet, network, store=memory)


def packs_fetched(network: Network) -> list[str]:
    return [path for _, path, _ in network.calls if re.search(r"/packs/\w+$", path)]


def by_pages(reader: Tablet, network: Network) -> dict[str, int]:
    """What the same tablet would hold without packs."""
    memory = MemoryStore()
    memory.remember({**reader.store.facts(), "packed": None})
    plain = again(reader, network, store=memory)
    network.faults["/packs"] = [refusal(404, "not_found")]
    plain.pull()
    assert not network.faults["/packs"]
    return memory.count_rows()


def test_a_first_pull_reads_packs_and_then_only_what_changed_since(
    full: TestNode, network: Network, reader: Tablet, tmp_path: Path
) -> None:
    told: list[download.Pulled] = []
    done = reader.pull(told.append)
    assert reader.store.count_rows() == {"household": 120, "person": 120, "visit": 120}
    assert (done.rows, reader.store.positions()["1017010"]) == (ROWS, "4")
    assert len(packs_fetched(network)) > 2
    assert told[0].expected == ROWS
    fetched = len(packs_fetched(network))
    late = enrol(full, network, tmp_path / "late")
    late.save(household_of(2))
    late.push()
    assert reader.pull().rows == 4
    assert len(packs_fetched(network)) == fetched
    assert reader.own_work_on_top() == []
    assert by_pages(reader, network) == reader.store.count_rows()


def test_changes_between_the_pack_and_the_pull_are_read_after_it(
    full: TestNode, network: Network, reader: Tablet, packs: Packs, tmp_path: Path
) -> None:
    reader.pull()
    late = enrol(full, network, tmp_path / "late")
    late.save(household_of(2))
    late.push()
    late.pull()
    assert late.store.count_rows() == {"household": 121, "person": 122, "visit": 121}
    assert late.store.positions()["1017010"] == "5"


def test_a_cut_download_goes_on_where_it_was(network: Network, reader: Tablet) -> None:
    ranges: list[str] = []

    def note(request: httpx.Request, go: Callable[[], httpx.Response]) -> httpx.Response:
        ranges.append(request.headers["Range"])
        return go()

    first = packs_of(network, reader)
    path = f"/packs/{first}"
    network.faults[path] = [note, note, *[lost_before] * 4]
    with pytest.raises(Unreachable):
        reader.pull()
    assert reader.store.count_rows() == {}
    assert reader.store.positions() == {}
    network.faults[path] = [note] * 50
    assert again(reader, network, store=kept(reader)).pull().rows == ROWS
    starts = [int(re.split(r"[=-]", each)[1]) for each in ranges]
    assert starts == list(range(0, PIECE * len(starts), PIECE))


def packs_of(network: Network, reader: Tablet) -> str:
    """The hash of the one pack there is."""
    contact = reader._contact()
    [offer] = reader._in_session(contact, contact.packs)
    return offer.sha256


def kept(reader: Tablet) -> Store:
    """The store as a program started anew finds it."""
    if isinstance(reader.store, SqliteStore):
        folder = Path(reader.store._db.execute("PRAGMA database_list").fetchone()[2]).parent
        reader.store.close()
        return SqliteStore(folder)
    return reader.store


def test_a_cut_after_a_pack_was_applied_costs_no_second_download_of_it(
    network: Network, reader: Tablet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crash comes between the rows and the positions."""
    apply = type(reader.store).apply

    def crash(store: Any, page: Any, unsettled: Any) -> Any:
        if page.after:
            raise MemoryError
        return apply(store, page, unsettled)

    monkeypatch.setattr(type(reader.store), "apply", crash)
    with pytest.raises(MemoryError):
        reader.pull()
    monkeypatch.undo()
    fetched = len(packs_fetched(network))
    assert reader.store.positions() == {}
    again(reader, network, store=kept(reader)).pull()
    assert len(packs_fetched(network)) == fetched


def strange_200(request: httpx.Request, _go: Callable[[], httpx.Response]) -> httpx.Response:
    return httpx.Response(200, content=b"\x1f\x8b" + b"x" * (PIECE - 2), request=request)


def other_range(request: httpx.Request, go: Callable[[], httpx.Response]) -> httpx.Response:
    right = go()
    headers = {**right.headers, "content-range": "bytes 1-5000/9"}
    return httpx.Response(206, headers=headers, content=right.content, request=request)


def garbled(request: httpx.Request, go: Callable[[], httpx.Response]) -> httpx.Response:
    right = go()
    return httpx.Response(206, headers=right.headers, content=right.content[::-1], request=request)


def whole(request: httpx.Request, go: Callable[[], httpx.Response]) -> httpx.Response:
    """A proxy that does not know Range."""
    del request.headers["Range"]
    return go()


def test_what_only_looks_like_a_piece_is_never_written_down(network: Network, reader: Tablet) -> None:
    network.faults[f"/packs/{packs_of(network, reader)}"] = [None, portal, strange_200, other_range, whole]
    assert reader.pull().rows == ROWS


def test_a_file_that_is_not_what_its_name_says_is_fetched_once_more_and_then_left(
    network: Network, reader: Tablet
) -> None:
    path = f"/packs/{packs_of(network, reader)}"
    network.faults[path] = [garbled]
    reader.pull()
    assert reader.store.count_rows()["household"] == 120
    reader.store.restart()
    network.faults[path] = [garbled] * 50
    reader.pull()
    assert reader.store.count_rows()["household"] == 120
    assert reader.store.positions()["1017010"] == "4"


def test_a_pack_that_is_gone_meanwhile_is_made_good_by_pages(network: Network, reader: Tablet) -> None:
    network.faults[f"/packs/{packs_of(network, reader)}"] = [None, refusal(404, "pack_unknown")]
    assert reader.pull().rows == ROWS


def test_a_node_of_before_packs_is_read_by_pages(network: Network, reader: Tablet) -> None:
    network.faults["/packs"] = [refusal(404, "not_found")]
    assert reader.pull().rows == ROWS
    assert packs_fetched(network) == []


def test_rows_that_left_since_the_last_reading_go_when_a_pack_replaces_it(
    full: TestNode, network: Network, reader: Tablet
) -> None:
    reader.pull()
    gone = {"kind": "household", "id": "gone", "area": "1017010", "rev": 99, "set": {}}
    facts = reader.store.facts()
    page = Page([gone], {"1017010": "4"}, facts["feed"], more=True, have=facts["have"])
    reader.store.apply(page, reader.unsettled_entities)
    reader.store.restart()
    reader.pull()
    assert reader.store.row("household", "gone") is None
    assert reader.store.count_rows() == {"household": 120, "person": 120, "visit": 120}


def test_what_was_applied_for_other_areas_or_another_feed_counts_no_more(
    network: Network, reader: Tablet
) -> None:
    reader.pull()
    for changed in ({"feed": "another"}, {"areas": ["CD-KN-001"]}, {"pass": -1}):
        facts = reader.store.facts()
        of = {"feed": facts["feed"], "areas": facts["areas"], "pass": facts.get("pass", 0) + 1}
        reader.store.restart()
        reader.store.remember({"packed": {**of, **changed, "after": {"1017010": "3"}}})
        network.calls.clear()
        reader.pull()
        assert len(packs_fetched(network)) > 2
        assert reader.store.facts()["packed"] is None


def test_a_revoked_tablet_keeps_nothing_of_a_pack(network: Network, reader: Tablet) -> None:
    path = f"/packs/{packs_of(network, reader)}"
    network.faults[path] = [None, refusal(403, "revoked")]
    with pytest.raises(Refused):
        reader.pull()
    assert reader.store.count_rows() == {}
    with reader.store.part(path.rpartition("/")[2]) as file:
        assert file.seek(0, 2) == 0


def test_nothing_of_a_pack_is_left_behind_when_it_is_applied(
    full: TestNode, network: Network, tmp_path: Path
) -> None:
    tablet = enrol(full, network, tmp_path / "reader")
    tablet.pull()
    assert list((tmp_path / "reader" / "packs").iterdir()) == []
