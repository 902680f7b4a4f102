"""A receipt means that the batch is stored: it is sent after the commit, and every retry gets the same one."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest
import sqlalchemy as sa

from app.errors import Problem
from app.ledger.tables import batch, device, device_session, invitation, origin
from app.ledger.turnstile import Turnstile
from app.population.tables import person
from app.statistics.tables import population_cell
from sync.bundle import Record, write_bundle
from sync.seal import Key, sign_detached, verify_detached
from tests.ledger.test_enrolment import ask, code_for
from tests.ledger.test_sessions import assertion, bearer, log_in
from tests.nodes import Tablet, TestNode, household_of, stranger

QUARTIER = "1017010"


def send(node: TestNode, data: bytes, signature: str, **headers: str) -> httpx.Response:
    told = {"Batch-Signature": signature, "Content-Type": "application/x-ndjson", **headers}
    return node.client.post("/sync/v1/batches", content=data, headers=told)


def count(node: TestNode, table: sa.Table) -> int:
    with node.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def persons_counted(node: TestNode) -> int:
    query = sa.select(sa.func.coalesce(sa.func.sum(population_cell.c.persons), 0))
    with node.database.read() as connection:
        return int(connection.execute(query).scalar_one())


def receipts(node: TestNode, tablet: Tablet, *, ep: int = 7, first: int = 1) -> list[dict[str, Any]]:
    query = {"ep": ep, "from": first}
    answer = node.client.get("/sync/v1/receipts", params=query, headers=bearer(node, tablet))
    found = []
    for line in answer.content.splitlines():
        told = orjson.loads(line)
        text = base64.urlsafe_b64decode(told["receipt"] + "=" * (-len(told["receipt"]) % 4))
        key, dev = node.door.identity.key.public, node.door.identity.dev
        verify_detached(key, text, told["signature"], kid=dev, typ="receipt")
        found.append(orjson.loads(text))
    return found


def test_the_receipt_is_signed_by_the_node_over_exactly_what_is_sent(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    data, signature = tablet.seal(household_of(2))
    answer = send(lasting, data, signature)
    assert answer.status_code == 200, answer.text
    key, dev = lasting.door.identity.key.public, lasting.door.identity.dev
    verify_detached(key, answer.content, answer.headers["Receipt-Signature"], kid=dev, typ="receipt")
    told = answer.json()
    assert {name: told[name] for name in ("node", "dev", "ep", "from", "to", "dispositions")} == {
        "node": dev,
        "dev": tablet.dev,
        "ep": 7,
        "from": 1,
        "to": 4,
        "dispositions": {},
    }
    again = send(lasting, data, signature)
    assert (again.content, again.headers["Receipt-Signature"]) == (
        answer.content,
        answer.headers["Receipt-Signature"],
    )


def test_retries_that_come_while_the_first_is_being_folded_count_once(node: TestNode) -> None:
    """The acknowledgement was lost twice: three copies of one batch are at the door at the same moment."""
    tablet = node.tablet(QUARTIER)
    lines = [line for _ in range(60) for line in household_of(4)]
    data, signature = tablet.seal(lines)
    start = threading.Barrier(3)

    def push(_: int) -> Any:
        start.wait()
        return node.door.accept(data, signature)

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(push, range(3)))
    assert len(set(answers)) == 1
    assert persons_counted(node) == 240
    assert count(node, person) == 240


def test_a_tablet_hears_what_has_arrived_and_what_is_missing(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    lasting.push(tablet, *household_of(1))
    lasting.push(tablet, *household_of(1), start=10)
    tablet.ep = 4_294_967_295
    lasting.push(tablet, *household_of(1), start=2)
    answer = lasting.client.get("/sync/v1/status", headers=bearer(lasting, tablet))
    assert answer.json() == {
        "7": {"through": 3, "holes": [[4, 9]]},
        "4294967295": {"through": 0, "holes": [[1, 1]]},
    }


def test_a_tablet_gets_its_receipts_again_from_any_number_on(lasting: TestNode, agent: str) -> None:
    tablet, other = (lasting.tablet(QUARTIER, officer=agent) for _ in range(2))
    sent = [lasting.push(tablet, *household_of(1)) for _ in range(3)]
    lasting.push(other, *household_of(1))
    assert receipts(lasting, tablet) == sent
    assert receipts(lasting, tablet, first=4) == sent[1:]
    assert receipts(lasting, tablet, first=9) == sent[2:]
    assert receipts(lasting, tablet, first=10) == []
    assert receipts(lasting, tablet, ep=8) == []


def test_a_batch_nobody_can_read_has_its_receipt_too(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    data, signature = tablet.seal_bytes(b"\xff not a header\n")
    told = lasting.push_sealed(data, signature)
    assert (told["from"], told["dispositions"]["0"]["status"]) == (None, "quarantined")
    assert receipts(lasting, tablet) == [told]


# -- the commit --------------------------------------------------------------------------------------------------


class DiskGone(Exception):
    """The commit that does not happen."""


@contextmanager
def no_commit(node: TestNode) -> Iterator[None]:
    """Every transaction that wrote something fails at its commit."""
    engine = node.database.engine
    writers: set[int] = set()

    def note(connection: sa.Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            writers.add(id(connection.connection.driver_connection))

    def fail(connection: sa.Connection) -> None:
        if id(connection.connection.driver_connection) in writers:
            writers.clear()
            raise DiskGone

    sa.event.listen(engine, "before_cursor_execute", note)
    sa.event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
        sa.event.remove(engine, "commit", fail)


def push_one(node: TestNode, tablet: Tablet, _agent: str) -> httpx.Response:
    return send(node, *tablet.seal(household_of(2)))


def push_bundle(node: TestNode, tablet: Tablet, _agent: str) -> httpx.Response:
    data, signature = tablet.seal(household_of(2))
    return node.client.post(
        "/sync/v1/bundles",
        content=write_bundle([Record("batch", data, signature)]),
        headers={"Content-Type": "application/octet-stream"},
    )


def enrol_one(node: TestNode, _tablet: Tablet, agent: str) -> httpx.Response:
    return ask(node, code_for(node, agent), Key.generate())


def open_one(node: TestNode, tablet: Tablet, _agent: str) -> httpx.Response:
    return log_in(node, assertion(node, tablet))


@pytest.mark.parametrize("call", [push_one, push_bundle, enrol_one, open_one])
def test_a_commit_that_fails_is_never_answered_with_success(
    lasting: TestNode, agent: str, call: Callable[[TestNode, Tablet, str], httpx.Response]
) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    code = code_for(lasting, agent)
    tables = (batch, origin, device, device_session, person)
    held = [count(lasting, table) for table in tables]
    with no_commit(lasting):
        enrols = call is enrol_one
        answer = ask(lasting, code, Key.generate()) if enrols else call(lasting, tablet, agent)
    assert answer.status_code >= 500, answer.text
    assert [count(lasting, table) for table in tables] == held
    with lasting.database.read() as connection:
        assert None in connection.execute(sa.select(invitation.c.answer)).scalars().all()
    assert call(lasting, tablet, agent).status_code in {200, 201}


def test_the_receipt_leaves_only_when_the_commit_has_ended(node: TestNode) -> None:
    tablet = node.tablet(QUARTIER)
    data, signature = tablet.seal(household_of(2))
    reached, go_on = threading.Event(), threading.Event()

    def hold(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if options.get("mboka_write") or (not node.database.is_sqlite and "isolation_level" not in options):
            reached.set()
            go_on.wait(20)

    with ThreadPoolExecutor(1) as threads:
        sa.event.listen(node.database.engine, "commit", hold)
        answer = threads.submit(send, node, data, signature)
        assert reached.wait(20)
        assert not answer.done()
        go_on.set()
        assert answer.result().status_code == 200
        sa.event.remove(node.database.engine, "commit", hold)
    assert count(node, person) == 2


# -- how many at once --------------------------------------------------------------------------------------------


def test_more_batches_than_may_wait_are_told_when_to_come_again(node: TestNode) -> None:
    node.app.state.turnstile = Turnstile(working=1, waiting=0)
    tablet = node.tablet(QUARTIER)
    inside, go_on = threading.Event(), threading.Event()

    def hold(_connection: sa.Connection) -> None:
        if threading.current_thread().name.startswith("turnstile"):
            inside.set()
            go_on.wait(20)

    sa.event.listen(node.database.engine, "commit", hold)
    first, second = tablet.seal(household_of(1)), tablet.seal(household_of(1))
    with ThreadPoolExecutor(1) as threads:
        taken = threads.submit(send, node, *first)
        assert inside.wait(20)
        refused = send(node, *second)
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) > 0
        go_on.set()
        assert taken.result().status_code == 200
    sa.event.remove(node.database.engine, "commit", hold)
    assert send(node, *second).status_code == 200


# -- who may send ------------------------------------------------------------------------------------------------


def test_a_signature_that_does_not_fit_stores_nothing(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    data, signature = tablet.seal(household_of(1))
    held = count(lasting, batch)
    head, _, tail = signature.rpartition(".")
    swapped = f"{head}.{tail[:-6]}{'A' * 6}"
    for wrong in (swapped, "", "x", "a..b", signature + "x", f"{'e30'}..{tail}"):
        answer = send(lasting, data, wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature"), wrong
    assert send(lasting, data + b" ", signature).status_code == 400
    assert count(lasting, batch) == held
    assert send(lasting, data, signature).status_code == 200


def test_an_unknown_tablet_is_asked_for_its_grant_and_taken_on_one_that_chains(
    lasting: TestNode, agent: str
) -> None:
    tablet = stranger(lasting)
    data, signature = tablet.seal(household_of(1))
    asked = send(lasting, data, signature)
    assert (asked.status_code, asked.json()["code"]) == (401, "grant_required")
    foreign = lasting.tablet(QUARTIER, officer=agent)
    refused = send(lasting, data, signature, **{"Device-Grant": foreign.grant})
    assert (refused.status_code, refused.json()["code"]) == (401, "unknown_device")
    forged = send(lasting, data, signature, **{"Device-Grant": tablet.grant[:-4] + "AAAA"})
    assert (forged.status_code, forged.json()["code"]) == (401, "unknown_device")
    assert send(lasting, data, signature, **{"Device-Grant": tablet.grant}).status_code == 200
    assert send(lasting, *tablet.seal(household_of(1))).status_code == 200


def test_a_device_id_that_is_none_is_unknown_and_nothing_worse(lasting: TestNode) -> None:
    nobody = Tablet("personne", Key.generate(), "", "")
    data, signature = Tablet("5b0f3a3c-6f0e-4f7e-8f63-2a9d5a2b7c11", nobody.key, "", "").seal(household_of(1))
    wrong = sign_detached(nobody.key, data, kid=nobody.dev, typ="batch")
    for signed in (wrong, signature):
        answer = send(lasting, data, signed)
        assert (answer.status_code, answer.json()["code"]) == (401, "grant_required")
    with pytest.raises(Problem):
        lasting.push_sealed(data, wrong)
