"""A tablet on a bad line before a real node: enrolling and sending through cuts, portals and forgeries."""

from __future__ import annotations

import gzip
import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from sync.answers import Refused, SyncError, Unreachable, Untrusted
from sync.client import FIRST_BATCH_BYTES, Tablet
from sync.contact import check_url
from sync.outbox import BadOperation
from sync.seal import Key, sign_detached
from sync.sqlite_store import SqliteStore
from sync.store import MemoryStore
from tests.nodes import TestNode, household_of
from tests.sync.devices import again, enrol, households, invitation, thumbprint
from tests.sync.network import HOME, Network, Waits, busy, lost_after, lost_before, portal, refusal

# enrolling ---------------------------------------------------------------------------------------------


def test_a_lost_answer_to_an_enrolment_is_asked_again_and_gives_one_device(
    home: TestNode, network: Network, tmp_path: Path
) -> None:
    network.faults["/enrolments"] = [lost_after, portal]
    tablet = enrol(home, network, tmp_path / "tablet")
    keys = [orjson.loads(body)["public_key"] for body in network.sent("/enrolments")]
    assert len(keys) == 3
    assert keys[0] == keys[1] == keys[2]
    assert tablet.store.facts()["areas"] == ["1017010"]
    assert tablet.store.facts()["key"].startswith("-----BEGIN PRIVATE KEY")


def test_a_program_started_anew_after_a_lost_enrolment_keeps_its_key_and_gets_the_same_device(
    home: TestNode, network: Network, tmp_path: Path
) -> None:
    code = invitation(home)
    network.faults["/enrolments"] = [lost_after] * 4
    asked: dict[str, Any] = {"url": HOME, "code": code, "province": thumbprint(home), "name": "T"}
    with pytest.raises(Unreachable):
        Tablet.enrol(SqliteStore(tmp_path / "t"), **asked, http=network.client(), patience=Waits().patience())
    tablet = Tablet.enrol(SqliteStore(tmp_path / "t"), **asked, http=network.client())
    bodies = {orjson.dumps(orjson.loads(body)["public_key"]) for body in network.sent("/enrolments")}
    assert len(bodies) == 1
    with pytest.raises(SyncError, match="déjà enrôlé"):
        Tablet.enrol(tablet.store, **asked, http=network.client())


def test_a_node_of_another_province_gets_neither_the_code_nor_a_device(
    home: TestNode, network: Network
) -> None:
    store = MemoryStore()
    with pytest.raises(Untrusted):
        Tablet.enrol(
            store,
            url=HOME,
            code=invitation(home),
            province=Key.generate().public.thumbprint(),
            name="T",
            http=network.client(),
        )
    assert network.sent("/enrolments") == []
    assert "grant" not in store.facts()


@pytest.mark.parametrize(
    "url", ["http://kintambo.example", "http://10.0.0.1:8017", "ftp://127.0.0.1", "127.0.0.1", "https://"]
)
def test_an_address_without_encryption_is_refused(url: str) -> None:
    with pytest.raises(Untrusted):
        check_url(url)


@pytest.mark.parametrize("url", ["https://kintambo.example/", "http://127.0.0.1:8017", "http://[::1]:8017"])
def test_https_and_the_machine_itself_are_accepted(url: str) -> None:
    assert check_url(url) == url.rstrip("/")


def test_an_invitation_code_of_nobody_is_refused_in_french(network: Network, home: TestNode) -> None:
    with pytest.raises(Refused) as refused:
        Tablet.enrol(
            MemoryStore(),
            url=HOME,
            code="AAAAAAAA",
            province=thumbprint(home),
            name="T",
            http=network.client(),
        )
    assert refused.value.code == "invitation_unknown"


# sending -----------------------------------------------------------------------------------------------


def test_what_was_sent_over_a_line_that_loses_answers_is_counted_once(
    home: TestNode, network: Network, tablet: Tablet
) -> None:
    tablet.save(household_of(4))
    network.faults["/batches"] = [lost_before, lost_after, lost_after]
    pushed = tablet.push()
    assert (pushed.batches, pushed.operations, pushed.left) == (1, 6, 0)
    assert len(set(network.sent("/batches"))) == 1
    assert households(home) == 1


def test_after_a_cut_the_receipt_is_taken_and_no_batch_is_sent_again(
    home: TestNode, network: Network, tablet: Tablet
) -> None:
    tablet.save(household_of(4))
    network.faults["/batches"] = [lost_after] * 4
    with pytest.raises(Unreachable):
        tablet.push()
    assert tablet.status()["received"] == 0
    sent = len(network.sent("/batches"))
    pushed = again(tablet, network).push()
    assert (pushed.operations, pushed.left) == (0, 0)
    assert len(network.sent("/batches")) == sent
    assert tablet.status()["received"] == 6
    assert households(home) == 1


def test_a_cut_costs_at_most_one_batch_sent_twice(home: TestNode, network: Network, tablet: Tablet) -> None:
    for _ in range(5):
        tablet.save(household_of(1))
        tablet.seal()
    network.faults["/batches"] = [None, None, lost_after, *[lost_before] * 3]
    with pytest.raises(Unreachable):
        tablet.push()
    network.faults.clear()
    assert again(tablet, network).push().left == 0
    arrived = network.sent("/batches")
    arrived = arrived[:3] + arrived[6:]
    assert len(arrived) == len(set(arrived)) == 5
    assert households(home) == 5


def test_sealed_bytes_are_never_made_again(network: Network, tablet: Tablet, tmp_path: Path) -> None:
    tablet.save(household_of(2))
    network.faults["/batches"] = [lost_before] * 4
    with pytest.raises(Unreachable):
        tablet.push()
    tablet.save(household_of(2))
    again(tablet, network, store=SqliteStore(tmp_path / "tablet")).push()
    bodies = network.sent("/batches")
    assert len(set(bodies[:5])) == 1
    assert len(bodies) == 6
    first, second = (gzip.decompress(bodies[at]) for at in (4, 5))
    assert orjson.loads(second.split(b"\n")[0])["prev"] == hashlib.sha256(first).hexdigest()


def test_a_captive_portal_is_never_taken_for_success(
    home: TestNode, network: Network, tablet: Tablet
) -> None:
    tablet.save(household_of(2))
    network.faults["/batches"] = [portal] * 4
    with pytest.raises(Unreachable, match="portail"):
        tablet.push()
    assert tablet.status()["received"] == 0
    network.faults["/hello"] = [portal] * 4
    with pytest.raises(Unreachable):
        again(tablet, network).pull()
    assert again(tablet, network).push().left == 0
    assert households(home) == 1


def test_a_receipt_for_other_bytes_or_by_another_hand_is_none(
    home: TestNode, network: Network, tablet: Tablet
) -> None:
    tablet.save(household_of(1))
    stored: list[httpx.Response] = []

    def keep(_request: httpx.Request, go: Callable[[], httpx.Response]) -> httpx.Response:
        stored.append(go())
        return stored[0]

    network.faults["/batches"] = [keep]
    tablet.push()

    def replay(_request: httpx.Request, _go: Callable[[], httpx.Response]) -> httpx.Response:
        return stored[0]

    def forge(request: httpx.Request, _go: Callable[[], httpx.Response]) -> httpx.Response:
        digest = hashlib.sha256(gzip.decompress(request.content)).hexdigest()
        text = orjson.dumps({**stored[0].json(), "sha256": digest})
        forged = sign_detached(Key.generate(), text, kid=home.door.identity.dev, typ="receipt")
        headers = {"Receipt-Signature": forged, "Content-Type": "application/json"}
        return httpx.Response(200, content=text, headers=headers, request=request)

    tablet.save(household_of(1))
    network.faults["/batches"] = [replay, forge, replay, forge]
    with pytest.raises(Unreachable):
        tablet.push()
    assert tablet.status()["received"] == 3


def test_waits_grow_with_jitter_and_never_undercut_what_the_node_asks(
    home: TestNode, network: Network, tmp_path: Path
) -> None:
    waits = Waits()
    tablet = enrol(home, network, tmp_path / "patient", waits=waits)
    tablet.save(household_of(1))
    network.faults["/batches"] = [lost_before, lost_before, busy]
    tablet.push()
    assert 0.5 <= waits.seconds[0] <= 1 <= waits.seconds[1] <= 2
    assert 7 <= waits.seconds[2] <= 7.7
    assert len(waits.seconds) == 3


def test_one_batch_a_node_will_not_take_does_not_hold_up_the_others(
    home: TestNode, network: Network, tablet: Tablet
) -> None:
    for _ in range(2):
        tablet.save(household_of(1))
        tablet.seal()
    network.faults["/batches"] = [refusal(400, "bad_signature")]
    pushed = tablet.push()
    assert (pushed.batches, pushed.left) == (1, 3)
    assert [each["code"] for each in tablet.status()["alarms"]] == ["refused"]
    assert again(tablet, network).push().left == 0
    assert tablet.status()["alarms"] == []
    assert households(home) == 2


def test_batches_are_sealed_smaller_on_a_bad_line_and_larger_on_a_good_one(
    network: Network, tablet: Tablet
) -> None:
    tablet.save(household_of(1))
    tablet.push()
    tablet.save(household_of(1))
    network.faults["/batches"] = [lost_before] * 4
    with pytest.raises(Unreachable):
        tablet.push()
    assert tablet.store.facts()["batch_bytes"] == FIRST_BATCH_BYTES // 2
    tablet.store.remember({"batch_bytes": 16 << 10})
    tablet.save([each for _ in range(120) for each in household_of(3)])
    again(tablet, network).push()
    sizes = [len(gzip.decompress(body)) for body in dict.fromkeys(network.sent("/batches"))]
    assert sizes[2] <= 16 << 10 < sizes[3] <= 64 << 10


def test_what_no_node_could_read_is_refused_before_it_gets_a_number(tablet: Tablet) -> None:
    person = household_of(1)[1]
    bad = [
        {**person, "set": {"nom": "x" * 70_000}},
        {**person, "id": "12"},
        {**person, "set": {"nom": "a\0b"}},
        {**person, "set": {"line": 2**60}},
        {**person, "par": {"nom": [5]}},
    ]
    for operation in bad:
        with pytest.raises(BadOperation):
            tablet.save([person, operation])
    assert tablet.status()["entered"] == 0


# loading households ------------------------------------------------------------------------------------


def door(nom: str = "Mbuyi") -> dict[str, Any]:
    household, person = str(uuid.uuid4()), str(uuid.uuid4())
    visit = {"id": str(uuid.uuid4()), "set": {"household": household, "outcome": "completed"}}
    return {
        "visit": visit,
        "persons": [{"id": person, "set": {"household": household, "nom": nom}}],
        "household": {"id": household, "set": {"commune": "CD-KN-017", "quartier": "1017010"}},
    }


def test_a_line_loaded_twice_is_entered_once(home: TestNode, network: Network, tablet: Tablet) -> None:
    lines = [door(), door(), {"visit": {"id": str(uuid.uuid4()), "set": {"outcome": "refused"}}}]
    assert tablet.load([*lines, lines[0]]) == 7
    assert tablet.load(lines) == 0
    assert tablet.save_household(door()) == 3
    assert again(tablet, network).save_household(lines[2]) == 0
    tablet.push()
    assert households(home) == 3


def test_a_household_is_written_before_those_who_live_in_it(tablet: Tablet) -> None:
    tablet.save_household(door())
    found = [orjson.loads(line) for _, _, line in tablet.store.open_lines()]
    assert [each["kind"] for each in found] == ["household", "person", "visit"]
    assert all(each["new"] for each in found)


def test_a_line_of_another_form_is_refused(tablet: Tablet) -> None:
    lines: list[dict[str, Any]] = [{}, {"houses": []}, {"household": []}, {"persons": {"id": "x"}}]
    for line in [*lines, {"device": {"id": "x"}}, {"visit": {"set": {}}}]:
        with pytest.raises(BadOperation):
            tablet.load([door(), line])
    assert tablet.status()["entered"] == 0
