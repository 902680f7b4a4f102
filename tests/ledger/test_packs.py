"""A pack holds exactly the rows `changes` would send from 0, for those who may read them, and never changes."""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from typing import Any

import httpx
import orjson
import pytest

from app.errors import Problem
from app.ledger.feed import areas_of
from app.ledger.packs import Packs
from app.main import create_app
from app.node import Node
from tests.conftest import TestClock
from tests.ledger.test_sessions import bearer
from tests.nodes import Tablet, TestNode, household_of, new
from tests.web.client import InProcess

QUARTIER, OTHER = "1017010", "1017030"
LEAST = 5


def packs_of(node: TestNode, least_rows: int = LEAST) -> Packs:
    """The node's packs with a least size that a test can write; they stand in for the ones it would have alone."""
    made = Packs(node.door, node.node.settings.data / "packs", clock=node.node.clock, least_rows=least_rows)
    node.app.state.packs = made
    return made


def offered(node: TestNode, tablet: Tablet) -> list[dict[str, Any]]:
    answer = node.client.get("/sync/v1/packs", headers=bearer(node, tablet))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def fetch(node: TestNode, tablet: Tablet, sha256: str, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | bearer(node, tablet)
    return node.client.get(f"/sync/v1/packs/{sha256}", headers=sent)


def lines_of(content: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in gzip.decompress(content).splitlines()]


@pytest.fixture
def tablet(node: TestNode) -> Tablet:
    packs_of(node)
    return node.tablet(QUARTIER)


def test_a_pack_holds_the_rows_of_its_area_and_the_position_they_are_complete_through(
    node: TestNode, tablet: Tablet
) -> None:
    for _ in range(3):
        node.push(tablet, *household_of(2))
    [told] = offered(node, tablet)
    answer = fetch(node, tablet, told["sha256"])
    assert hashlib.sha256(answer.content).hexdigest() == told["sha256"]
    assert answer.headers["etag"] == f'"{told["sha256"]}"'
    assert "immutable" in answer.headers["cache-control"]
    assert "content-encoding" not in answer.headers
    *rows, last = lines_of(answer.content)
    assert last == {"after": {QUARTIER: 3}, "more": False, "feed": node.door.identity.feed}
    assert (told["area"], told["rows"], told["bytes"], told["after"]) == (
        QUARTIER,
        12,
        len(answer.content),
        3,
    )
    by_id = {each["id"]: each for each in rows}
    assert by_id == {each["id"]: each for each in node.changes(tablet) if each["kind"] != "birth"}


def test_what_changes_after_a_pack_is_read_from_its_position(node: TestNode, tablet: Tablet) -> None:
    node.push(tablet, *household_of(5))
    [told] = offered(node, tablet)
    later = new("household", {"quartier": QUARTIER, "commune": "CD-KN-017"})
    node.push(tablet, later)
    assert offered(node, tablet) == [told]
    after = f"{told['area']}:{told['after']}"
    page = node.client.get("/sync/v1/changes", params={"after": after}, headers=bearer(node, tablet))
    rows = [orjson.loads(line) for line in page.content.splitlines()]
    assert [each["id"] for each in rows[:-1]] == [later["id"]]


def test_equal_rows_make_the_same_file_and_enough_changes_a_new_one(node: TestNode, tablet: Tablet) -> None:
    node.push(tablet, *household_of(5))
    [first] = offered(node, tablet)
    folder = node.node.settings.data / "packs"
    (folder / "index.json").unlink()
    packs_of(node)
    assert [each["sha256"] for each in offered(node, tablet)] == [first["sha256"]]
    node.push(tablet, *household_of(5))
    [second] = offered(node, tablet)
    assert second["sha256"] != first["sha256"]
    assert (second["rows"], second["after"]) == (14, 2)


def test_agents_get_a_pack_without_what_they_may_not_read(node: TestNode, tablet: Tablet) -> None:
    home, *rest = household_of(4)
    person = rest[0]
    person["set"] |= {"nationality": "CD", "birth_words": "saison des pluies"}
    node.push(tablet, home, *rest)
    clerk = node.tablet(QUARTIER, role="clerk")
    [of_agent], [of_clerk] = offered(node, tablet), offered(node, clerk)
    assert of_agent["sha256"] != of_clerk["sha256"]
    agent_lines = fetch(node, tablet, of_agent["sha256"]).content
    assert b"pluies" not in gzip.decompress(agent_lines)
    assert b"nationality" not in gzip.decompress(agent_lines)
    [shown] = [
        e for e in lines_of(fetch(node, clerk, of_clerk["sha256"]).content) if e.get("id") == person["id"]
    ]
    assert (shown["set"]["nationality"], shown["set"]["birth_words"]) == ("CD", "saison des pluies")
    assert fetch(node, tablet, of_clerk["sha256"]).json()["code"] == "pack_unknown"


def test_a_pack_of_another_area_is_as_if_there_were_none(node: TestNode, tablet: Tablet) -> None:
    node.push(tablet, *household_of(5))
    [told] = offered(node, tablet)
    stranger = node.tablet(OTHER)
    assert offered(node, stranger) == []
    unknown = fetch(node, stranger, "0" * 64)
    foreign = fetch(node, stranger, told["sha256"])
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())
    assert foreign.status_code == 404
    assert node.client.get(f"/sync/v1/packs/{told['sha256']}").status_code == 401


def test_births_are_in_no_pack(node: TestNode) -> None:
    packs_of(node)
    commune = node.tablet("CD-KN-017")
    births = [new("birth", {"nom": "Mbuyi", "sex": "M", "commune": "CD-KN-017"}) for _ in range(2 * LEAST)]
    node.push(commune, *births, *household_of(5))
    found = offered(node, commune)
    assert [each["area"] for each in found] == [QUARTIER]
    assert {each.get("kind") for each in lines_of(fetch(node, commune, found[0]["sha256"]).content)} == {
        "household",
        "person",
        "visit",
        None,
    }


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=5-99999999", 206, slice(5, None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("lines=0-1", 200, slice(None)),
        ("bytes=9-3", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
    ],
)
def test_one_range_is_sent_and_anything_stranger_gets_the_whole_file(
    lasting: TestNode, agent: str, asked: str, status: int, part: slice
) -> None:
    packs_of(lasting)
    tablet = lasting.tablet(QUARTIER, officer=agent)
    lasting.push(tablet, *household_of(5))
    [told] = offered(lasting, tablet)
    whole = fetch(lasting, tablet, told["sha256"]).content
    answer = fetch(lasting, tablet, told["sha256"], Range=asked)
    assert (answer.status_code, answer.content) == (status, whole[part])
    assert int(answer.headers["content-length"]) == len(answer.content)
    if status == 206:
        first = range(len(whole))[part][0]
        last = first + len(answer.content) - 1
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"


def test_a_range_beyond_the_file_is_told_so_and_another_file_is_sent_whole(
    lasting: TestNode, agent: str
) -> None:
    packs_of(lasting)
    tablet = lasting.tablet(QUARTIER, officer=agent)
    lasting.push(tablet, *household_of(5))
    [told] = offered(lasting, tablet)
    size, sha256 = told["bytes"], told["sha256"]
    beyond = fetch(lasting, tablet, sha256, Range=f"bytes={size}-")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_beyond")
    assert beyond.headers["content-range"] == f"bytes */{size}"
    same = fetch(lasting, tablet, sha256, Range="bytes=4-", If_Range=f'"{sha256}"')
    other = fetch(lasting, tablet, sha256, Range="bytes=4-", If_Range='"another"')
    assert (same.status_code, other.status_code) == (206, 200)


def test_old_packs_go_when_two_newer_stand_and_nobody_fetched_them_for_a_day(
    node: TestNode, tablet: Tablet, clock: TestClock
) -> None:
    from datetime import timedelta

    made = []
    for _ in range(3):
        node.push(tablet, *household_of(5))
        made += [each["sha256"] for each in offered(node, tablet)]
        assert fetch(node, tablet, made[-1]).status_code == 200
    assert all(fetch(node, tablet, each).status_code == 200 for each in made)
    clock.forward(timedelta(days=2))
    node.push(tablet, *household_of(5))
    made += [each["sha256"] for each in offered(node, tablet)]
    folder = node.node.settings.data / "packs"
    assert {file.name.partition(".")[0] for file in folder.glob("*.gz")} == set(made[2:])
    assert fetch(node, tablet, made[0]).status_code == 404


def test_packs_of_a_feed_that_ended_are_offered_no_more(node: TestNode, tablet: Tablet) -> None:
    node.push(tablet, *household_of(5))
    [told] = offered(node, tablet)
    folder = node.node.settings.data / "packs"
    index = orjson.loads((folder / "index.json").read_bytes())
    for strange in ({"feed": "before the restore"}, {"after": told["after"] + 7}):
        (folder / "index.json").write_bytes(orjson.dumps([{**index[0], **strange}]))
        packs_of(node)
        assert offered(node, tablet) == [told]


def test_a_file_a_power_cut_left_short_is_made_again(node: TestNode, tablet: Tablet) -> None:
    node.push(tablet, *household_of(5))
    [told] = offered(node, tablet)
    file = node.node.settings.data / "packs" / f"{told['sha256']}.ndjson.gz"
    os.truncate(file, 10)
    packs_of(node)
    assert offered(node, tablet) == [told]
    assert fetch(node, tablet, told["sha256"]).status_code == 200
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_rows_written_while_a_pack_is_made_are_after_it(
    node: TestNode, tablet: Tablet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.ledger.feed import Feed

    for _ in range(3):
        node.push(tablet, *household_of(5))
    whole = Feed.whole

    def meanwhile(feed: Feed, code: str) -> Any:
        for at, line in enumerate(whole(feed, code)):
            if at == 4:
                writer = threading.Thread(target=node.push, args=(tablet, *household_of(5)))
                writer.start()
                writer.join()
            yield line

    monkeypatch.setattr(Feed, "whole", meanwhile)
    [told] = offered(node, tablet)
    *rows, last = lines_of(fetch(node, tablet, told["sha256"]).content)
    assert (len(rows), last["after"]) == (21, {QUARTIER: 3})


def test_who_asks_while_packs_are_being_made_is_told_to_come_again(node: TestNode, tablet: Tablet) -> None:
    node.push(tablet, *household_of(5))
    packs = packs_of(node)
    sender = node.door.sender(tablet.dev)
    assert sender is not None
    codes = areas_of(sender, node.door.areas, communes=node.door.territory.communes)
    with packs._making, pytest.raises(Problem) as busy:
        packs.offered(sender, codes)
    assert (busy.value.type.status, busy.value.headers["Retry-After"]) == (503, "10")
    [first] = packs.offered(sender, codes)
    node.push(tablet, *household_of(5))
    with packs._making:
        assert packs.offered(sender, codes) == [first]


def test_packs_outlive_the_program(node: TestNode, tablet: Tablet) -> None:
    node.push(tablet, *household_of(5))
    [told] = offered(node, tablet)
    again = Node.open(node.node.settings, database=node.database, clock=node.node.clock)
    started = TestNode(again, create_app(again), InProcess(create_app(again)))
    assert fetch(started, tablet, told["sha256"]).status_code == 200
