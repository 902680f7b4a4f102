"""A revoked device: what it wrote up to a batch stands, the rest is taken out of every register, figure and list and
kept aside, whatever came first; released batches come back."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from app.audit import verify
from app.errors import Problem
from app.ledger.revocation import Verdict, judge, may_revoke
from app.ledger.revoking import release, revoke
from app.ledger.tables import device, quarantine
from tests.ledger import state
from tests.ledger.test_sessions import assertion, bearer, log_in
from tests.nodes import Tablet, TestNode, household_of, new, stranger

QUARTIER, ELSEWHERE = "1017010", "1017021"
BY = str(uuid.uuid4())


def put_out(node: TestNode, tablet: Tablet, *, after: str = "none") -> Any:
    with node.database.write() as connection:
        return revoke(connection, node.door, tablet.dev, after=after, reason="volée", by=BY)


def let_back(node: TestNode, tablet: Tablet, *batches: str) -> Any:
    with node.database.write() as connection:
        return release(connection, node.door, tablet.dev, batches=batches, by=BY)


def told(node: TestNode) -> dict[str, Any]:
    """All that must not depend on what came first."""
    with node.database.read() as connection:
        aside = sa.select(quarantine.c.sha256, quarantine.c.n, quarantine.c.reason)
        return {
            "rows": state.rows(node),
            "conflicts": state.conflicts(node),
            "rollups": state.rollups(node),
            "waits": state.waits(node),
            "aside": sorted(tuple(row) for row in connection.execute(aside)),
        }


def audited(node: TestNode) -> None:
    report = verify(node.database, key=node.door.identity.key.public)
    assert report.ok, report.first_difference


# -- the decision ------------------------------------------------------------------------------------------------


def test_a_value_leaves_standing_the_batch_it_names_and_what_came_before_it() -> None:
    chain = {"a": None, "b": "a", "c": "b", "d": "c"}
    assert judge([{"7": "b"}], []).stands(7, chain) == {"a", "b"}
    assert judge([{"7": None}], []).stands(7, chain) == set()
    assert judge([{"8": "b"}], []).stands(7, chain) == set()
    assert judge([{}], []).stands(7, chain) == set()
    assert judge([], []).stands(7, chain) == set(chain)
    assert judge([None, "b", ["b"]], []).stands(7, chain) == set(chain)


def test_all_values_that_stand_count_and_a_release_counts_more() -> None:
    chain = {"a": None, "b": "a", "c": "b"}
    assert judge([{"7": "b"}, {"7": "a"}], []).stands(7, chain) == {"a"}
    assert judge([{"7": "a"}], [["c", "x", 3], "b"]).stands(7, chain) == {"a", "c"}


def test_the_chain_is_followed_only_through_what_is_held() -> None:
    assert judge([{"7": "d"}], []).stands(7, {"a": None, "b": "a", "d": "c"}) == {"d"}
    assert judge([{"7": "d"}], []).stands(7, {"a": None, "b": "a"}) == set()
    assert judge([{"7": "a"}], []).stands(7, {"a": "b", "b": "a"}) == {"a", "b"}
    assert Verdict().stands(7, {"a": "z"}) == {"a"}


def test_nobody_can_be_revoked_by_whom_he_may_revoke() -> None:
    one, two = "CD-KN-017", "CD-KN-008"
    may = {
        (role, target, where)
        for role, target in itertools.product(("agent", "clerk", "node", "province", ""), repeat=2)
        for where in ("here", "elsewhere")
        if may_revoke(role, one, target=target, home=one if where == "here" else two)
    }
    assert may == {
        *(
            ("province", target, where)
            for target in ("agent", "clerk", "node", "")
            for where in ("here", "elsewhere")
        ),
        *(("node", target, "here") for target in ("agent", "clerk", "")),
    }


# -- one server --------------------------------------------------------------------------------------------------


def test_what_a_revoked_tablet_wrote_is_taken_out_and_comes_back_when_released(node: TestNode) -> None:
    honest, thief = node.tablet(QUARTIER), node.tablet(QUARTIER)
    family = household_of(2)
    node.push(honest, *family)
    first = told(node)
    node.push(thief, *household_of(3))
    head = family[1]["id"]
    works = {"kind": "person", "id": head, "set": {"occupation": "voleur", "nom": "Ilunga"}}
    receipt = node.push(thief, works)
    before = told(node)
    assert before["conflicts"]
    done = put_out(node, thief)
    assert (done.standing, done.set_aside, done.operations) == (0, 2, 6)
    after = told(node)
    assert {name: after[name] for name in first if name != "aside"} == {
        name: first[name] for name in first if name != "aside"
    }
    assert [reason for _, _, reason in after["aside"]] == ["revoked"] * 6
    audited(node)
    back = let_back(node, thief, receipt["sha256"])
    assert (back.standing, back.set_aside, back.operations) == (1, 1, 5)
    assert state.rows(node, "person")[f"person {head}"] == before["rows"][f"person {head}"]
    assert state.conflicts(node) == before["conflicts"]
    audited(node)


def test_a_tablet_is_told_what_left_and_what_came_back(node: TestNode) -> None:
    thief = node.tablet(QUARTIER)
    receipt = node.push(thief, *household_of(1))
    seen = {line["id"]: line for line in node.changes(node.tablet(QUARTIER))}
    put_out(node, thief)
    left = {line["leave"]: line for line in node.changes(node.tablet(QUARTIER))}
    assert left.keys() == seen.keys()
    assert all(left[each]["rev"] > seen[each]["rev"] for each in seen)
    let_back(node, thief, receipt["sha256"])
    again = {line["id"]: line for line in node.changes(node.tablet(QUARTIER)) if "id" in line}
    assert again.keys() == seen.keys()
    assert all(again[each]["rev"] > left[each]["rev"] for each in seen)


def test_members_whose_household_falls_lie_where_those_lie_whose_household_never_came(node: TestNode) -> None:
    honest, thief = node.tablet(ELSEWHERE), node.tablet(QUARTIER)
    home = str(uuid.uuid4())
    node.push(thief, new("household", {"commune": "CD-KN-017", "quartier": QUARTIER}, identity=home))
    member = new("person", {"nom": "Mbuyi", "household": home})
    node.push(honest, member)
    put_out(node, thief)
    (row,) = [
        line
        for line in node.changes(node.tablet("CD-KN-017"))
        if line.get("kind") == "person" and "id" in line
    ]
    assert row["area"] == "commune:CD-KN-017"
    audited(node)


def test_an_edit_of_what_nobody_wrote_down_any_more_waits(node: TestNode) -> None:
    honest, thief = node.tablet(QUARTIER), node.tablet(QUARTIER)
    person = new("person", {"nom": "Mbuyi"})
    made = node.push(thief, person)
    node.push(honest, {"kind": "person", "id": person["id"], "set": {"phone": "1"}})
    assert state.waits(node) == []
    put_out(node, thief)
    assert [wait[0] for wait in state.waits(node)] == [honest.dot(1)]
    assert state.rows(node, "person")[f"person {person['id']}"]["set"] == {"phone": "1"}
    audited(node)
    let_back(node, thief, made["sha256"])
    assert state.waits(node) == []
    audited(node)


def test_a_batch_that_comes_after_the_revocation_is_kept_and_set_aside(node: TestNode) -> None:
    thief = node.tablet(QUARTIER)
    stands = node.push(thief, *household_of(1))
    put_out(node, thief, after=stands["sha256"])
    before = told(node)
    late = household_of(2)
    receipt = node.push(thief, *late)
    assert receipt["dispositions"] == {
        str(n): {"status": "quarantined", "reason": "revoked"} for n in range(4, 8)
    }
    after = told(node)
    assert len(after.pop("aside")) == len(late)
    before.pop("aside")
    assert after == before
    audited(node)


def test_a_clones_lines_are_a_fork_no_more_once_it_is_left_out(node: TestNode) -> None:
    tablet = node.tablet(QUARTIER)
    person = new("person", {"nom": "Mbuyi", "occupation": "élève"})
    stands = node.push(tablet, person)
    clone = tablet.clone()
    works = {"kind": "person", "id": person["id"], "par": {"occupation": [1]}}
    kept = node.push(tablet, {**works, "set": {"occupation": "couturière"}})
    node.push(clone, {**works, "set": {"occupation": "voleur"}})
    assert node.push(tablet, {**works, "set": {"occupation": "mère"}, "par": {"occupation": [2]}})
    assert state.conflicts(node)
    put_out(node, tablet, after=tablet.prev or "")
    row = state.rows(node, "person")[f"person {person['id']}"]
    assert row["set"]["occupation"] == "mère"
    assert "conflict" not in row
    assert stands["sha256"] != kept["sha256"]
    audited(node)


def test_a_line_that_stands_in_another_batch_too_stays(node: TestNode) -> None:
    tablet = node.tablet(QUARTIER)
    family = household_of(1)
    good = node.push(tablet, *family)
    node.push(tablet, *family[1:], new("person", {"nom": "Faux"}), start=2)
    assert len(state.rows(node)) == 4
    put_out(node, tablet, after=good["sha256"])
    assert len(state.rows(node)) == 3
    audited(node)


def test_earlier_epochs_stand_and_later_ones_fall(node: TestNode) -> None:
    tablet = node.tablet(QUARTIER)
    node.push(tablet, *household_of(1))
    old = tablet.prev
    later = Tablet(tablet.dev, tablet.key, tablet.grant, tablet.agent, ep=8)
    named = node.push(later, *household_of(1))
    node.push(later, *household_of(1))
    latest = Tablet(tablet.dev, tablet.key, tablet.grant, tablet.agent, ep=9)
    node.push(latest, *household_of(1))
    done = put_out(node, tablet, after=named["sha256"])
    assert (done.standing, done.set_aside) == (2, 2)
    with node.database.read() as connection:
        row = connection.execute(sa.select(device).where(device.c.id == tablet.dev)).mappings().one()
    assert row["revoked"] == f'{{"7":"{old}","8":"{named["sha256"]}","9":null}}'
    assert row["revoked_reason"] == "volée"
    audited(node)


def test_an_unknown_device_or_batch_is_not_revoked(node: TestNode) -> None:
    tablet = node.tablet(QUARTIER)
    for dev, after, code in (
        (str(uuid.uuid4()), "none", "device_not_found"),
        (tablet.dev, "0" * 64, "batch_not_found"),
        (node.door.identity.dev, "none", "device_not_found"),
    ):
        with pytest.raises(Problem) as refused, node.database.write() as connection:
            revoke(connection, node.door, dev, after=after, reason="", by=BY)
        assert refused.value.type.code == code


def test_a_tablet_known_only_by_its_grant_is_revoked_like_any_other(node: TestNode) -> None:
    guest = stranger(node, "CD-KN-001")
    node.door.accept(*guest.seal(household_of(1)), grant=guest.grant)
    headers = bearer(node, guest)
    assert node.client.get("/sync/v1/changes", headers=headers).status_code == 200
    put_out(node, guest)
    assert state.rows(node) == {}
    answer = node.client.get("/sync/v1/changes", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "revoked")
    assert log_in(node, assertion(node, guest)).json()["code"] == "revoked"
    audited(node)


# -- what a supervisor sees --------------------------------------------------------------------------------------


def test_a_supervisor_sees_who_is_revoked_and_what_was_written_elsewhere_or_for_another(
    node: TestNode,
) -> None:
    tablet = node.tablet(QUARTIER)
    node.push(tablet, *household_of(1), *household_of(2, quartier=ELSEWHERE))
    node.push(
        tablet,
        new("person", {"nom": "Sans ménage"}),
        {**new("person", {"nom": "X"}), "by": str(uuid.uuid4())},
    )
    server = {"kind": "device", "id": tablet.dev, "set": {"name": "Tablette 12"}}
    with node.database.write() as connection:
        node.door.write(connection, [server], by=BY)
    put_out(node, tablet)
    headers = node.officer("supervisor")
    (shown,) = [
        each
        for each in node.client.get("/v1/devices", headers=headers).json()["items"]
        if each["dev"] == tablet.dev
    ]
    assert (shown["outside_areas"], shown["other_author"]) == (4, 1)
    assert (shown["revoked"], shown["set_aside"], shown["operations"]) == (True, 9, 9)


def test_an_admin_revokes_releases_and_changes_areas_over_http(node: TestNode) -> None:
    tablet = node.tablet(QUARTIER)
    sha256 = node.push(tablet, *household_of(1))["sha256"]
    admin, address = node.officer("admin"), f"/v1/devices/{tablet.dev}"
    done = node.client.post(f"{address}/revocation", headers=admin, json={"after": "none", "reason": "volée"})
    assert (done.status_code, done.json()) == (201, {"standing": 0, "set_aside": 1, "operations": 3})
    done = node.client.post(f"{address}/release", headers=admin, json={"batches": [sha256]})
    assert (done.status_code, done.json()) == (201, {"standing": 1, "set_aside": 0, "operations": 0})
    wrong = node.client.post(f"{address}/release", headers=admin, json={"batches": ["0" * 64]})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "batch_not_found")
    done = node.client.request("PUT", f"{address}/areas", headers=admin, json={"areas": [ELSEWHERE]})
    assert (done.status_code, done.json()["areas"]) == (200, [ELSEWHERE])
