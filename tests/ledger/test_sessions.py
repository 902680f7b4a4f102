"""A tablet opens its session with a nonce of the server, used once and soon; an expired grant still hands in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.clock import stamp
from app.errors import Problem
from app.ledger.tables import device
from app.ledger.tables import node as node_table
from sync.seal import Key, check_grant, sign_compact
from tests.conftest import TestClock
from tests.nodes import Tablet, TestNode, household_of, stranger

QUARTIER = "1017010"


def assertion(node: TestNode, tablet: Tablet, **changed: Any) -> str:
    hello = node.client.get("/sync/v1/hello").json()
    claims = {"dev": tablet.dev, "aud": hello["node"], "nonce": hello["nonce"], **changed}
    return sign_compact(tablet.key, claims, kid=tablet.dev, typ="session")


def log_in(node: TestNode, signed: str, *, grant: str = "") -> httpx.Response:
    shown = {"Device-Grant": grant} if grant else {}
    return node.client.post("/sync/v1/sessions", json={"assertion": signed}, headers=shown)


def bearer(node: TestNode, tablet: Tablet) -> dict[str, str]:
    answer = log_in(node, assertion(node, tablet))
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def forward(node: TestNode, clock: TestClock, *, days: int) -> None:
    """Time passes, and an admin says that the calendar agrees."""
    clock.forward(timedelta(days=days))
    with node.database.write() as connection:
        values = {"clock_confirmed_at": stamp(clock.now()), "clock_jumped_at": None}
        connection.execute(node_table.update().values(**values))


def test_a_tablet_proves_its_key_and_may_then_ask(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    lasting.push(tablet, *household_of(1))
    answer = lasting.client.get("/sync/v1/status", headers=bearer(lasting, tablet))
    assert answer.json() == {"7": {"through": 3, "holes": []}}
    assert lasting.client.get("/sync/v1/status").json()["code"] == "session_required"
    wrong = lasting.client.get("/sync/v1/status", headers={"Authorization": "Bearer x"})
    assert wrong.status_code == 401


def test_a_nonce_serves_once_however_it_is_spelt(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    nonce = lasting.client.get("/sync/v1/hello").json()["nonce"]
    assert log_in(lasting, assertion(lasting, tablet, nonce=nonce)).status_code == 201
    last = nonce[-1]
    twin = next(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" if c != last)
    for spelt in (
        nonce,
        f"{nonce[:5]}!{nonce[5:]}",
        f"{nonce[:5]}\n{nonce[5:]}",
        nonce + "=",
        nonce[:-1] + twin,
    ):
        again = log_in(lasting, assertion(lasting, tablet, nonce=spelt))
        assert (again.status_code, again.json()["code"]) == (401, "bad_assertion"), spelt


def test_two_calls_with_one_nonce_at_the_same_moment_open_one_session(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    signed = assertion(lasting, tablet)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: log_in(lasting, signed).status_code, range(6)))
    assert sorted(answers) == [201, 401, 401, 401, 401, 401]


def test_a_nonce_is_good_for_five_minutes(node: TestNode, clock: TestClock) -> None:
    tablet = node.tablet(QUARTIER)
    early, late = assertion(node, tablet), assertion(node, tablet)
    clock.forward(timedelta(minutes=4, seconds=59))
    assert log_in(node, early).status_code == 201
    clock.forward(timedelta(seconds=2))
    assert log_in(node, late).json()["detail"] == "Le nonce a plus de cinq minutes."


@pytest.mark.parametrize("nonce", ["", "abc", "é", None, 5, ["x"], "A" * 43, "A" * 400])
def test_a_nonce_this_server_did_not_make_is_refused(lasting: TestNode, agent: str, nonce: Any) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    assert log_in(lasting, assertion(lasting, tablet, nonce=nonce)).json()["code"] == "bad_assertion"


@pytest.mark.parametrize(
    "change",
    [
        lambda node, tablet: assertion(node, tablet, aud="5b0f3a3c-6f0e-4f7e-8f63-2a9d5a2b7c11"),
        lambda node, tablet: assertion(node, tablet, dev="personne"),
        lambda node, tablet: assertion(node, Tablet(tablet.dev, Key.generate(), "", "")),
        lambda node, tablet: sign_compact(tablet.key, {"dev": tablet.dev}, kid=tablet.dev, typ="grant"),
        lambda node, tablet: "pas un jws",
    ],
    ids=["other node", "no device id", "other key", "other type", "garbage"],
)
def test_whoever_cannot_prove_the_device_gets_no_session(
    lasting: TestNode, agent: str, change: Callable[[TestNode, Tablet], str]
) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    answer = log_in(lasting, change(lasting, tablet))
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_assertion")


def test_a_tablet_nobody_told_this_server_of_shows_its_grant(node: TestNode) -> None:
    guest, other = stranger(node, "CD-KN-001"), stranger(node, "CD-KN-001")
    answer = log_in(node, assertion(node, guest))
    assert (answer.status_code, answer.json()["code"]) == (401, "grant_required")
    for grant in ("x", other.grant):
        refused = log_in(node, assertion(node, guest), grant=grant)
        assert (refused.status_code, refused.json()["code"]) == (401, "unknown_device")
    thief = Tablet(guest.dev, Key.generate(), guest.grant, "")
    assert log_in(node, assertion(node, thief), grant=guest.grant).json()["code"] == "bad_assertion"
    assert log_in(node, assertion(node, guest), grant=guest.grant).status_code == 201
    assert log_in(node, assertion(node, guest)).status_code == 201


def test_a_rebuilt_server_renews_what_the_one_before_it_granted_in_its_commune(
    node: TestNode, clock: TestClock
) -> None:
    mine, theirs = (stranger(node, home) for home in ("CD-KN-017", "CD-KN-001"))
    forward(node, clock, days=300)
    renewed = log_in(node, assertion(node, mine), grant=mine.grant).json()["grant"]
    assert renewed != mine.grant
    claims = check_grant(renewed, node.door.standing.province or "")
    assert (claims["dev"], claims["areas"], claims["role"]) == (mine.dev, ["CD-KN-017"], "agent")
    assert claims["expires"] > "2027-01-01"
    assert log_in(node, assertion(node, theirs), grant=theirs.grant).json()["grant"] == theirs.grant
    forward(node, clock, days=100)
    assert log_in(node, assertion(node, mine)).status_code == 201
    assert log_in(node, assertion(node, theirs)).json()["code"] == "grant_expired"


def test_a_communes_server_grants_nothing_outside_its_certificate(node: TestNode) -> None:
    """A lying server could give a tablet of its own the families of another commune."""
    for home, certified, taken in (
        ("CD-KN-017", "CD-KN-001", False),
        ("1017010", "CD-KN-001", False),
        ("1017010", "CD-KN-017", True),
        ("CD-KN-017", "CD-KN-017", True),
        ("9999999", "CD-KN-017", False),
    ):
        guest = stranger(node, home, certified=certified)
        answer = log_in(node, assertion(node, guest), grant=guest.grant)
        assert (answer.status_code == 201) == taken, (home, certified)


def test_an_expired_grant_hands_in_but_is_told_nothing(node: TestNode, clock: TestClock) -> None:
    tablet = node.tablet(QUARTIER)
    forward(node, clock, days=366)
    answer = log_in(node, assertion(node, tablet))
    assert (answer.status_code, answer.json()["code"]) == (403, "grant_expired")
    assert node.push(tablet, *household_of(2))["dispositions"] == {}


def test_after_a_jump_of_the_clock_grants_count_as_valid_until_somebody_confirms_it(
    node: TestNode, clock: TestClock
) -> None:
    """A flat battery set the server's clock years on: no tablet of the commune may be shut out for that."""
    tablet = node.tablet(QUARTIER)
    clock.forward(timedelta(days=4000))
    answer = log_in(node, assertion(node, tablet))
    assert (answer.status_code, answer.json()["grant"]) == (201, tablet.grant)
    node.push(tablet, *household_of(1))
    assert log_in(node, assertion(node, tablet)).status_code == 201
    admin = node.officer("admin")
    assert node.client.get("/v1/status", headers=admin).json()["clock_unsure"] is True
    today = clock.today().isoformat()
    said = node.client.post("/v1/clock/confirmation", headers=admin, json={"date": today})
    assert said.status_code == 201
    assert node.client.get("/v1/status", headers=admin).json()["clock_unsure"] is False
    assert log_in(node, assertion(node, tablet)).json()["code"] == "grant_expired"
    assert node.push(tablet, *household_of(1))["dispositions"] == {}


def test_a_day_without_batches_is_no_jump(node: TestNode, clock: TestClock) -> None:
    tablet = node.tablet(QUARTIER)
    for _ in range(366):
        clock.forward(timedelta(days=1))
        node.door.clock.received_at()
    assert log_in(node, assertion(node, tablet)).json()["code"] == "grant_expired"


def test_a_grant_is_renewed_in_its_second_half_and_stays_the_same_device(
    node: TestNode, clock: TestClock
) -> None:
    tablet = node.tablet(QUARTIER)
    assert log_in(node, assertion(node, tablet)).json()["grant"] == tablet.grant
    forward(node, clock, days=200)
    renewed = log_in(node, assertion(node, tablet)).json()["grant"]
    old, new = (check_grant(each, node.door.standing.province or "") for each in (tablet.grant, renewed))
    assert new["expires"] > old["expires"]
    assert {name: new[name] for name in ("dev", "role", "key", "areas")} == {
        name: old[name] for name in ("dev", "role", "key", "areas")
    }
    forward(node, clock, days=200)
    assert log_in(node, assertion(node, tablet)).status_code == 201
    with node.database.read() as connection:
        row = connection.execute(sa.select(device).where(device.c.id == tablet.dev)).mappings().one()
    assert row["grant"] != renewed


def test_a_session_ends_and_a_revoked_tablet_is_told_so_at_once(node: TestNode, clock: TestClock) -> None:
    tablet = node.tablet(QUARTIER)
    old = bearer(node, tablet)
    clock.forward(timedelta(hours=13))
    assert node.client.get("/sync/v1/changes", headers=old).json()["code"] == "session_required"
    headers = bearer(node, tablet)
    assert node.client.get("/sync/v1/changes", headers=headers).status_code == 200
    revoked = {"kind": "device", "id": tablet.dev, "set": {"revoked": {"7": None}}}
    with node.database.write() as connection:
        node.door.write(connection, [revoked], by=tablet.agent)
    answer = node.client.get("/sync/v1/changes", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "revoked")
    assert log_in(node, assertion(node, tablet)).json()["code"] == "revoked"


def test_a_session_of_an_officer_is_none_of_a_tablet(lasting: TestNode) -> None:
    headers = lasting.officer("supervisor")
    assert lasting.client.get("/sync/v1/changes", headers=headers).json()["code"] == "session_required"


def test_a_device_row_written_by_another_server_opens_no_door(lasting: TestNode, agent: str) -> None:
    """A commune could relay a row that gives a key of its own the role it likes: only the grant is believed."""
    tablet = lasting.tablet(QUARTIER, officer=agent)
    forger = Key.generate()
    forged = {"key": forger.public.jwk(), "role": "province", "grant": tablet.grant}
    with lasting.database.write() as connection:
        told = {"kind": "device", "id": tablet.dev, "set": forged}
        lasting.door.write(connection, [told], by=agent)
    thief = Tablet(tablet.dev, forger, tablet.grant, agent)
    assert log_in(lasting, assertion(lasting, thief)).json()["code"] == "bad_assertion"
    with pytest.raises(Problem) as refused:
        lasting.push(thief, *household_of(1))
    assert refused.value.type.code == "bad_signature"
    assert log_in(lasting, assertion(lasting, tablet)).status_code == 201
