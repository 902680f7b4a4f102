"""What waits for a person: each list tells who, on which device and why, in pages, for the officer's communes only; and
nothing in any of them holds anything up."""

from __future__ import annotations

import base64
import uuid
from datetime import timedelta
from typing import Any

import pytest

from app.access.journal import readings_of
from app.ledger.supervision import REASONS
from sync.seal import sign_compact
from tests.conftest import TestClock
from tests.ledger.pair import Two
from tests.ledger.test_statements import asked
from tests.nodes import Tablet, TestNode, household_of, new

QUARTIER = "1017010"
LONG = 5000


@pytest.fixture(scope="module")
def readers(lasting: TestNode) -> dict[str, dict[str, str]]:
    return {role: lasting.officer(role) for role in ("clerk", "supervisor", "agent")}


@pytest.fixture
def tablet(lasting: TestNode, agent: str) -> Tablet:
    return lasting.tablet(QUARTIER, officer=agent)


def pages(node: TestNode, path: str, headers: dict[str, str], *, limit: int = 2) -> list[Any]:
    """All lines of a list, read in small pages."""
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        mark = "&" if "?" in path else "?"
        answer = node.client.get(f"{path}{mark}limit={limit}&cursor={cursor}", headers=headers)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) <= limit
        found += answer.json()["items"]
        cursor = answer.json()["next"]
    return found


def edit(kind: str, identity: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "id": identity, "set": values, **more}


# -- conflicts -------------------------------------------------------------------------------------------------------


def test_conflicts_come_heavy_first_then_oldest_in_pages_without_a_gap(
    node: TestNode, clock: TestClock
) -> None:
    tablet = node.tablet(QUARTIER)
    wanted: dict[int, list[str]] = {1: [], 0: []}
    for at in range(7):
        family = household_of(1, quartier=QUARTIER)
        person = family[1]["id"]
        values = {"sex": "F"} if at % 2 else {"phone": "1"}
        first = [edit("person", person, {"phone": "0"})] if "phone" in values else []
        node.push(tablet, *family, *first, edit("person", person, values))
        wanted[1 if "sex" in values else 0].append(person)
        clock.forward(timedelta(days=1))
    clerk = node.officer("clerk")
    found = pages(node, "/v1/conflicts", clerk)
    assert [each["id"] for each in found] == wanted[1] + wanted[0]
    assert [each["weight"] for each in found] == [1, 1, 1, 0, 0, 0, 0]
    assert [each["id"] for each in pages(node, "/v1/conflicts?weight=0", clerk)] == wanted[0]
    late = pages(node, "/v1/conflicts?opened_from=2026-02-05&opened_before=2026-02-07", clerk)
    assert {each["opened_at"][:10] for each in late} == {"2026-02-05", "2026-02-06"}
    assert pages(node, "/v1/conflicts?kind=household", clerk) == []
    assert len(pages(node, f"/v1/conflicts?area={QUARTIER}&kind=person", clerk)) == 7
    assert pages(node, "/v1/conflicts?area=1017021", clerk) == []


def test_many_conflicts_ask_the_database_as_often_as_few(lasting: TestNode, readers: Any, agent: str) -> None:
    counts = []
    for size in (2, 40):
        for _ in range(3):
            tablet = lasting.tablet(QUARTIER, officer=agent)
            for _ in range(size // 2):
                family = household_of(1, quartier=QUARTIER)
                lasting.push(tablet, *family, edit("person", family[1]["id"], {"sex": "F"}))
        with asked(lasting) as statements:
            answer = lasting.client.get("/v1/conflicts?limit=500", headers=readers["clerk"])
        values = [value for each in answer.json()["items"] for value in each["values"]]
        assert all(value["received_at"] and value["dev_name"] == "Tablette" for value in values)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_person_shown_in_a_tray_stands_in_the_journal(
    lasting: TestNode, readers: Any, tablet: Tablet
) -> None:
    family = household_of(1, quartier=QUARTIER)
    person = family[1]["id"]
    lasting.push(tablet, *family, edit("person", person, {"sex": "F"}), edit("person", person, {"line": 0}))
    for path in ("/v1/conflicts?limit=500", "/v1/doubtful?limit=500&kind=person"):
        assert person in lasting.client.get(path, headers=readers["clerk"]).text
    with lasting.database.read() as connection:
        read = readings_of(connection, [person])
    assert {each.route for each in read} == {"GET /v1/conflicts", "GET /v1/doubtful"}
    assert {(each.kind, each.commune) for each in read} == {("person", "CD-KN-017")}


# -- lines set aside -------------------------------------------------------------------------------------------------


def test_a_line_set_aside_says_why_and_is_shown_as_its_bytes_are(
    lasting: TestNode, readers: Any, tablet: Tablet
) -> None:
    long = b'{"kind":"person", "nom":"' + "é".encode() * LONG
    receipt = lasting.push(
        tablet, b"{", b"\xff\xfe", long, {"kind": "act", "id": str(uuid.uuid4()), "set": {}}
    )
    found = pages(lasting, f"/v1/quarantine?dev={tablet.dev}", readers["supervisor"])
    assert [each["n"] for each in found] == [4, 3, 2, 1]
    assert {each["sha256"] for each in found} == {receipt["sha256"]}
    assert {(each["dev_name"], each["agent"]) for each in found} == {("Tablette", tablet.agent)}
    beyond, cut, bytes_, text = found
    assert (beyond["reason"], beyond["reason_text"]) == ("beyond_role", REASONS["beyond_role"])
    assert (text["line"], text["line_base64"], text["cut"]) == ("{", None, False)
    assert (bytes_["line"], bytes_["line_base64"]) == (None, base64.b64encode(b"\xff\xfe").decode())
    assert (cut["cut"], cut["bytes"], cut["line"]) == (True, len(long), long[:4096].decode(errors="ignore"))
    whole = lasting.client.get(f"/v1/quarantine/{cut['id']}", headers=readers["supervisor"]).json()
    assert (whole["line"], whole["cut"]) == (long.decode(), False)
    only = pages(lasting, f"/v1/quarantine?dev={tablet.dev}&reason=beyond_role", readers["supervisor"])
    assert [each["id"] for each in only] == [beyond["id"]]
    assert pages(lasting, f"/v1/quarantine?dev={tablet.dev}&area={QUARTIER}", readers["supervisor"]) == []
    missing = lasting.client.get(f"/v1/quarantine/{2**62}", headers=readers["supervisor"])
    assert (missing.status_code, missing.json()["code"]) == (404, "quarantined_not_found")


def test_every_reason_of_the_protocol_is_told_in_french() -> None:
    import inspect
    import re

    from app.ledger import door
    from sync import ledger, protocol

    source = "".join(map(inspect.getsource, (protocol, ledger)))
    told = set(re.findall(r'Unreadable\("([a-z_0-9]+)"\)', source)) | set(
        re.findall(r'return "([a-z_]+)"', source)
    )
    told |= set(re.findall(r'return "(foreign_[a-z]+)"', inspect.getsource(door)))
    assert len(told) > 15
    assert told - set(REASONS) <= {"agent"}


# -- doubtful values -------------------------------------------------------------------------------------------------


def test_doubtful_values_are_found_by_area_kind_and_field_and_leave_when_corrected(node: TestNode) -> None:
    tablet, clerk = node.tablet(QUARTIER), node.officer("clerk")
    family = household_of(2, quartier=QUARTIER)
    home, one, two_ = (each["id"] for each in family[:3])
    node.push(
        tablet, *family,
        edit("household", home, {"tenure": "?"}, par={}), edit("person", one, {"line": 0, "marital_status": "x"}),
        edit("person", two_, {"blood_group": "A"}), new("person", {"household": home, "line": "un"}),
    )  # fmt: skip
    found = pages(node, "/v1/doubtful", clerk, limit=1)
    assert [(each["kind"], [field["field"] for field in each["fields"]]) for each in found[:1]] == [
        ("household", ["tenure"])
    ]
    assert sorted(str(each["fields"][0]["value"]) for each in found) == ["0", "?", "un"]
    assert found[0]["fields"][0]["expected"].startswith("Une de ces valeurs est attendue : co_owner")
    assert {each["kind"] for each in pages(node, "/v1/doubtful?field=line", clerk)} == {"person"}
    assert len(pages(node, "/v1/doubtful?field=marital_status&kind=person", clerk)) == 1
    assert pages(node, "/v1/doubtful?field=marital%25status", clerk) == []
    assert pages(node, "/v1/doubtful?area=1017021", clerk) == []
    etag = node.client.get(f"/v1/households/{home}", headers=clerk).headers["ETag"]
    corrected = node.client.patch(
        f"/v1/households/{home}", json={"tenure": "owner"}, headers=clerk | {"If-Match": etag}
    )
    assert corrected.status_code == 200, corrected.text
    assert {each["kind"] for each in pages(node, "/v1/doubtful", clerk)} == {"person"}


def test_doubtful_values_are_found_without_reading_every_row(node: TestNode) -> None:
    where = "doubtful IS NOT NULL AND area = 3"
    tablet = node.tablet(QUARTIER)
    lines = [line for _ in range(100) for line in household_of(4, quartier=QUARTIER)]
    node.push(tablet, *lines)
    with node.database.write() as connection:
        query = f"SELECT id FROM person WHERE {where} ORDER BY area, id LIMIT 9"
        if node.database.is_sqlite:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
        else:
            connection.exec_driver_sql("ANALYZE person")
            plan = connection.exec_driver_sql(f"EXPLAIN {query}").all()
    assert "ix_person_doubtful" in str(plan)


# -- what waits ------------------------------------------------------------------------------------------------------


def test_an_operation_waits_in_the_list_until_what_it_names_comes(
    lasting: TestNode, readers: Any, tablet: Tablet
) -> None:
    family = household_of(1, quartier=QUARTIER)
    person = family[1]["id"]
    first = tablet.seal(family)
    second = tablet.seal([edit("person", person, {"phone": "1"})])
    third = tablet.seal([edit("person", person, {"phone": "2"}, par={"phone": [tablet.dot(4)]})])
    lasting.push_sealed(*third)
    path = f"/v1/deferred?dev={tablet.dev}"
    waits = pages(lasting, path, readers["clerk"], limit=1)
    assert {(each["kind"], each["id"], each["dot"]) for each in waits} == {("person", person, tablet.dot(5))}
    assert {each["awaited"] for each in waits} == {None, tablet.dot(4)}
    assert {(each["dev_name"], each["agent"], each["area"]) for each in waits} == {
        ("Tablette", tablet.agent, "commune:CD-KN-017")
    }
    assert pages(lasting, f"{path}&kind=household", readers["clerk"]) == []
    lasting.push_sealed(*second)
    assert {each["awaited"] for each in pages(lasting, path, readers["clerk"])} == {None}
    lasting.push_sealed(*first)
    assert pages(lasting, path, readers["clerk"]) == []


# -- devices ---------------------------------------------------------------------------------------------------------


def listed(node: TestNode, headers: dict[str, str], query: str = "") -> dict[str, Any]:
    answer = node.client.get(f"/v1/devices{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return {each["dev"]: each for each in answer.json()["items"]}


def open_session(node: TestNode, tablet: Tablet, **told: Any) -> None:
    hello = node.client.get("/sync/v1/hello").json()
    claims = {"dev": tablet.dev, "aud": hello["node"], "nonce": hello["nonce"], **told}
    assertion = sign_compact(tablet.key, claims, kid=tablet.dev, typ="session")
    assert node.client.post("/sync/v1/sessions", json={"assertion": assertion}).status_code == 201


def test_a_device_with_a_hole_a_broken_chain_or_a_wrong_clock_needs_a_look(
    node: TestNode, clock: TestClock
) -> None:
    supervisor = node.officer("supervisor")
    officer, name = node.add_officer("agent")
    well, hole, chain, late, quiet = (node.tablet(QUARTIER, officer=officer) for _ in range(5))
    for each in (well, hole, chain, late):
        node.push(each, *household_of(1))
    hole.seal(household_of(1))
    node.push(hole, *household_of(1))
    chain.prev = "0" * 64
    node.push(chain, *household_of(1))
    open_session(node, well, time=(clock.now() + timedelta(seconds=2)).isoformat())
    open_session(node, late, time=(clock.now() - timedelta(hours=5)).isoformat())
    found = listed(node, supervisor)
    assert {dev for dev, each in found.items() if each["trouble"]} == {hole.dev, chain.dev, late.dev}
    assert found[hole.dev]["epochs"]["7"]["holes"] == [[4, 6]]
    assert found[chain.dev]["prev_gap"] is True
    assert (found[well.dev]["clock_offset"], found[late.dev]["clock_offset"]) == (2.0, -18000.0)
    assert found[well.dev]["agent_name"] == name.title()
    assert set(listed(node, supervisor, "?silent=true")) == {quiet.dev}
    clock.forward(timedelta(days=4))
    open_session(node, well, time="yesterday")
    supervisor = node.officer("supervisor")
    assert listed(node, supervisor, "?silent=false").keys() == {well.dev}
    assert listed(node, supervisor)[well.dev]["clock_offset"] == 2.0
    assert set(listed(node, supervisor, "?trouble=true")) == {hole.dev, chain.dev, late.dev}


def test_many_devices_ask_the_database_as_often_as_few(lasting: TestNode, readers: Any, agent: str) -> None:
    counts = []
    for _ in range(2):
        with asked(lasting) as statements:
            listed(lasting, readers["supervisor"])
        counts.append(len(statements))
        for _ in range(10):
            lasting.push(lasting.tablet(QUARTIER, officer=agent), *household_of(1))
    assert counts[0] == counts[1]


def test_the_province_sees_which_commune_is_silent_by_what_its_tablets_sent(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.commune.push(tablet, *household_of(1))
    old = two.commune.node.clock.now() - timedelta(days=20)
    assert listed(two.commune, two.commune.officer("supervisor"))[tablet.dev]["unsettled_days"] == 0
    two.relay()
    clock: Any = two.province.node.clock
    _, name = two.province.add_officer("supervisor")
    clock.forward(timedelta(days=2))
    two.commune.push(tablet, *household_of(1))
    two.relay()
    clock.forward(timedelta(days=2))
    told = {"username": name, "password": "tiges de bambou 2026"}
    token = two.province.client.post("/v1/sessions", json=told).json()["token"]
    servers = listed(two.province, {"Authorization": f"Bearer {token}"}, "?role=node")
    assert servers[two.commune.door.identity.dev]["silent"] is False
    assert servers[two.commune.door.identity.dev]["areas"] == ["CD-KN-017"]
    clock.forward(timedelta(days=2))
    token = two.province.client.post("/v1/sessions", json=told).json()["token"]
    servers = listed(two.province, {"Authorization": f"Bearer {token}"}, "?role=node&silent=true")
    assert two.commune.door.identity.dev in servers
    assert old < two.commune.node.clock.now()


# -- nothing holds anything up -----------------------------------------------------------------------------------


def test_with_every_tray_full_work_goes_on(lasting: TestNode, readers: Any, tablet: Tablet) -> None:
    family = household_of(1, quartier=QUARTIER)
    home, person = family[0]["id"], family[1]["id"]
    stranger = str(uuid.uuid4())
    receipt = lasting.push(
        tablet, *family, b"{", edit("person", person, {"sex": "F", "line": 0}),
        edit("household", home, {"card": "1"}, par={"card": [f"{stranger}:1:1"]}),
    )  # fmt: skip
    assert {each["status"] for each in receipt["dispositions"].values()} == {
        "quarantined", "conflict", "deferred",
    }  # fmt: skip
    supervisor = readers["supervisor"]
    case = next(
        each for each in pages(lasting, "/v1/conflicts", supervisor, limit=500) if each["id"] == person
    )
    asking = lasting.client.post(
        f"/v1/conflicts/{case['conflict']}/resolution",
        json={"ask": "Laquelle ?"}, headers=supervisor | {"If-Match": case["etag"]},
    )  # fmt: skip
    assert asking.status_code == 200, asking.text

    assert lasting.push(tablet, edit("person", person, {"phone": "1"}))["dispositions"] == {}
    etag = lasting.client.get(f"/v1/persons/{person}", headers=readers["clerk"]).headers["ETag"]
    changed = lasting.client.patch(
        f"/v1/persons/{person}", json={"occupation": "maçon"}, headers=readers["clerk"] | {"If-Match": etag}
    )
    assert changed.status_code == 200, changed.text
    rows = {each.get("id"): each for each in lasting.changes(tablet)}
    assert {"phone": "1", "occupation": "maçon"}.items() <= rows[person]["set"].items()
    assert rows[home]["set"]["card"] == "1"
    for path in ("conflicts", "doubtful", "deferred", "quarantine"):
        assert pages(lasting, f"/v1/{path}", supervisor, limit=500), path
