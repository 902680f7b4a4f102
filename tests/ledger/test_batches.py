"""Nothing a tablet signed is refused for its content: what is strange is kept aside, visible, and holds nobody up."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.ledger.standing import devices
from app.ledger.tables import conflict, quarantine, waiting
from app.population.tables import household, person
from sync.protocol import Header, write_batch, write_line
from tests.conftest import TestClock
from tests.ledger import state
from tests.nodes import Tablet, TestNode, household_of, new

HERE, THERE = "1017010", "1017021"


@pytest.fixture
def tablet(lasting: TestNode, agent: str) -> Tablet:
    return lasting.tablet(HERE, officer=agent)


def aside(node: TestNode, tablet: Tablet) -> list[tuple[int | None, str]]:
    query = sa.select(quarantine.c.n, quarantine.c.reason).where(quarantine.c.dev == tablet.dev)
    with node.database.read() as connection:
        return [(row.n, row.reason) for row in connection.execute(query.order_by(quarantine.c.id))]


def person_row(node: TestNode, identity: str) -> dict[str, Any]:
    with node.database.read() as connection:
        query = sa.select(person).where(person.c.id == identity)
        return dict(connection.execute(query).mappings().one())


def seen(node: TestNode, tablet: Tablet) -> dict[str, Any]:
    with node.database.read() as connection:
        found = devices(connection, door=node.door, now=node.node.clock.now(), agent=tablet.agent)
    return next(each for each in found if each["dev"] == tablet.dev)


# -- what cannot be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"no header\n",
        b'{"v":1}\n',
        b'{"v":2,"dev":"%s","ep":7,"from":1,"to":1,"prev":null}\n{}\n',
        b'{"v":1,"dev":"%s","ep":7,"from":1,"to":2,"prev":null}\n{}\n',
        b'{"v":1,"dev":"%s","ep":7,"from":2,"to":1,"prev":null}\n',
        b'{"v":1,"dev":"%s","ep":-7,"from":1,"to":1,"prev":null}\n{}\n',
        b'{"v":1,"dev":"%s","ep":7,"from":1,"to":1,"prev":null}\n{}',
        b'{"v":1,"dev":"5b0f3a3c-6f0e-4f7e-8f63-2a9d5a2b7c11","ep":7,"from":1,"to":1,"prev":null}\n{}\n',
    ],
)
def test_a_batch_whose_header_cannot_be_read_is_kept_whole_and_receipted(
    lasting: TestNode, tablet: Tablet, data: bytes
) -> None:
    whole = data.replace(b"%s", tablet.dev.encode()) + b" " * (len(data) == 0)
    told = lasting.push_sealed(*tablet.seal_bytes(whole))
    assert [told[name] for name in ("ep", "from", "to")] == [None, None, None]
    assert told["dispositions"]["0"]["status"] == "quarantined"
    [(n, reason)] = aside(lasting, tablet)
    assert (n, reason) == (None, told["dispositions"]["0"]["reason"])
    assert lasting.push_sealed(*tablet.seal_bytes(whole)) == told
    assert lasting.push(tablet, *household_of(1))["dispositions"] == {}


def test_a_tablet_cannot_number_operations_of_another(lasting: TestNode, agent: str, tablet: Tablet) -> None:
    other = lasting.tablet(HERE, officer=agent)
    header = Header(1, other.dev, 7, 1, 1, None, None)
    forged = write_batch(header, [write_line(new("person", {"nom": "Mbuyi"}))])
    told = lasting.push_sealed(*tablet.seal_bytes(forged))
    assert told["dispositions"] == {"0": {"status": "quarantined", "reason": "foreign_header"}}
    assert lasting.push(other, *household_of(1))["dispositions"] == {}


def test_what_is_beyond_an_agents_role_is_set_aside_and_its_neighbours_count(
    lasting: TestNode, tablet: Tablet
) -> None:
    mine = new("person", {"nom": "Mbuyi"})
    beyond = [
        {"kind": "person", "id": mine["id"], "act": "merge", "into": str(uuid.uuid4())},
        {"kind": "person", "id": mine["id"], "act": "resolve", "set": {"nom": "Kapinga"}},
        new("act", {"number": 1}),
        new("device", {"role": "province"}),
        new("something_of_tomorrow", {"a": 1}),
        {"kind": "person", "id": mine["id"], "act": "dance"},
    ]
    told = lasting.push(tablet, mine, *beyond, new("person", {"nom": "Ilunga"}))
    reasons = ["beyond_role"] * 5 + ["unknown_act"]
    assert aside(lasting, tablet) == list(zip(range(2, 8), reasons, strict=True))
    assert told["dispositions"] == {
        str(n): {"status": "quarantined", "reason": reason} for n, reason in aside(lasting, tablet)
    }
    assert lasting.push_sealed(*tablet.seal(beyond[:1], start=2))["dispositions"] == {
        "2": {"status": "duplicate"}
    }
    assert len(aside(lasting, tablet)) == 6


@pytest.mark.parametrize("role", ["clerk", "agent"])
def test_who_may_void_may_not_always_merge(lasting: TestNode, role: str) -> None:
    tablet = lasting.tablet(HERE, role=role)
    one = new("person", {"nom": "Mbuyi"})
    acts: list[dict[str, Any]] = [
        {"kind": "person", "id": one["id"], "act": "void", "par": {"nom": [1]}},
        {"kind": "person", "id": one["id"], "act": "restore", "par": {"void": [2]}},
    ]
    told = lasting.push(tablet, one, *acts)
    refused = {"3": {"status": "quarantined", "reason": "beyond_role"}}
    assert told["dispositions"] == ({} if role == "clerk" else refused)
    assert person_row(lasting, one["id"])["nom"] == ("Mbuyi" if role == "clerk" else None)


# -- strange, but readable: must not stand in the way ------------------------------------------------------------


def test_a_whole_number_written_with_a_point_is_that_number(lasting: TestNode, tablet: Tablet) -> None:
    people = [new("person", {"nom": "Mbuyi", "line": 5}) for _ in range(70)]
    people[3]["set"]["line"] = 5.0
    home = new("household", {"quartier": HERE, "lat": -4300000.0, "accuracy": 12})
    assert lasting.push(tablet, home, *people)["dispositions"] == {}
    assert person_row(lasting, people[3]["id"])["line"] == 5
    with lasting.database.read() as connection:
        row = connection.execute(sa.select(household).where(household.c.id == home["id"])).mappings().one()
    assert (row["lat"], row["accuracy"]) == (-4300000, 12.0)


def test_two_thousand_people_can_be_changed_in_one_batch(lasting: TestNode, tablet: Tablet) -> None:
    people = [new("person", {"nom": "Mbuyi"}) for _ in range(2000)]
    lasting.push(tablet, *people)
    edits = [{"kind": "person", "id": each["id"], "set": {"phone": "1"}} for each in people]
    assert lasting.push(tablet, *edits)["dispositions"] == {}
    copy = [{"kind": "person", "id": each["id"], "set": {"phone": "2"}} for each in people]
    assert len(lasting.push(tablet, *copy, start=2001)["dispositions"]) == 2000
    assert seen(lasting, tablet)["forks"] == 2000


def test_conflicts_of_two_kinds_under_one_id_are_two_cases(lasting: TestNode, tablet: Tablet) -> None:
    shared, other = str(uuid.uuid4()), str(uuid.uuid4())
    lasting.push(
        tablet,
        new("household", {"quartier": HERE, "card": "A"}, identity=shared),
        new("person", {"phone": "1"}, identity=shared),
        new("household", {"quartier": HERE, "card": "A"}, identity=other),
        {"kind": "person", "id": shared, "set": {"phone": "2"}},
        {"kind": "household", "id": shared, "set": {"card": "B"}},
    )
    lasting.push(tablet, {"kind": "household", "id": other, "set": {"card": "B"}})
    lasting.push(tablet, {"kind": "household", "id": shared, "set": {"card": "C"}, "par": {"card": [1, 5]}})
    cases = {case[:3] for case in state.conflicts(lasting)}
    assert {("person", shared, "phone"), ("household", other, "card")} <= cases
    assert ("household", shared, "card") not in cases


# -- chain and forks ---------------------------------------------------------------------------------------------


def test_a_batch_that_does_not_follow_the_one_before_flags_its_tablet(lasting: TestNode, agent: str) -> None:
    good, gap, late = (lasting.tablet(HERE, officer=agent) for _ in range(3))
    for _ in range(3):
        lasting.push(good, *household_of(1))
    lasting.push(gap, *household_of(1))
    gap.prev = "0" * 64
    lasting.push(gap, *household_of(1))
    batches = [late.seal(household_of(1)) for _ in range(3)]
    for each in (batches[2], batches[0], batches[1]):
        lasting.push_sealed(*each)
    assert [seen(lasting, each)["prev_gap"] for each in (good, gap, late)] == [False, True, False]


def test_a_gap_is_flagged_also_when_the_later_batch_comes_first(lasting: TestNode, tablet: Tablet) -> None:
    first = tablet.seal(household_of(1))
    tablet.prev = "1" * 64
    lasting.push_sealed(*tablet.seal(household_of(1)))
    assert not seen(lasting, tablet)["prev_gap"]
    lasting.push_sealed(*first)
    assert seen(lasting, tablet)["prev_gap"]


def test_the_same_line_in_another_batch_is_a_duplicate_whoever_is_named_on_it(
    lasting: TestNode, agent: str
) -> None:
    """One device, one line, two headers with two names: both nodes keep the lesser name, whichever came first."""
    found = []
    for names in (("a", "b"), ("b", "a")):
        tablet = lasting.tablet(HERE, officer=agent)
        one = new("person", {"nom": "Mbuyi"})
        told = [
            lasting.push_sealed(
                *tablet.seal_bytes(write_batch(Header(1, tablet.dev, 7, 1, 1, None, name), [write_line(one)]))
            )["dispositions"]
            for name in names
        ]
        assert told == [{}, {"1": {"status": "duplicate"}}]
        found.append(state.rows(lasting, "person")[f"person {one['id']}"]["writes"]["nom"][0][3])
    assert found == ["a", "a"]


# -- what waits --------------------------------------------------------------------------------------------------


def waits_of(node: TestNode, entity: str) -> list[Any]:
    query = sa.select(waiting.c.awaited_n).where(waiting.c.entity == entity).order_by(waiting.c.id)
    with node.database.read() as connection:
        return list(connection.execute(query).scalars())


def test_every_change_of_somebody_not_written_down_yet_waits(lasting: TestNode, agent: str) -> None:
    early, late = lasting.tablet(HERE, officer=agent), lasting.tablet(HERE, officer=agent)
    one = new("person", {"nom": "Mbuyi"})
    for phone in ("1", "2"):
        change = {
            "kind": "person",
            "id": one["id"],
            "set": {"occupation" if phone == "1" else "phone": phone},
        }
        told = lasting.push(early, change)["dispositions"]
        assert list(told.values()) == [{"status": "deferred", "reason": "entity_not_arrived"}]
    assert waits_of(lasting, one["id"]) == [None, None]
    assert lasting.push(late, one)["dispositions"] == {}
    assert waits_of(lasting, one["id"]) == []
    row = person_row(lasting, one["id"])
    assert (row["nom"], row["phone"], row["occupation"]) == ("Mbuyi", "2", "1")


def test_a_parent_of_the_same_epoch_that_fell_into_a_hole_is_waited_for(
    lasting: TestNode, tablet: Tablet
) -> None:
    one = new("person", {"nom": "Mbuyi", "phone": "1"})
    lasting.push(tablet, one)
    missing = tablet.seal([{"kind": "person", "id": one["id"], "set": {"phone": "2"}, "par": {"phone": [1]}}])
    change = {"kind": "person", "id": one["id"], "set": {"phone": "3"}, "par": {"phone": [2]}}
    told = lasting.push(tablet, change)["dispositions"]
    assert told["3"]["status"] in {"deferred", "conflict"}
    assert waits_of(lasting, one["id"]) == [2]
    lasting.push_sealed(*missing)
    assert waits_of(lasting, one["id"]) == []
    row = person_row(lasting, one["id"])
    assert row["phone"] == "3"
    assert ("person", one["id"], "phone", 0) not in state.conflicts(lasting)


def test_a_parent_another_tablet_holds_is_waited_for_by_its_dot(lasting: TestNode, agent: str) -> None:
    here, there = lasting.tablet(HERE, officer=agent), lasting.tablet(HERE, officer=agent)
    one = new("person", {"nom": "Mbuyi", "phone": "1"})
    lasting.push(here, one)
    held = there.seal(
        [{"kind": "person", "id": one["id"], "set": {"phone": "2"}, "par": {"phone": [here.dot(1)]}}]
    )
    seen_both = {"phone": [there.dot(1)], "occupation": [there.dot(9)]}
    change = {"kind": "person", "id": one["id"], "set": {"phone": "3", "occupation": "x"}, "par": seen_both}
    lasting.push(here, change)
    assert waits_of(lasting, one["id"]) == [1, 9]
    lasting.push_sealed(*held)
    assert waits_of(lasting, one["id"]) == [9]


def test_a_person_whose_household_comes_later_moves_into_its_area(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet("CD-KN-017", officer=agent)
    home, *rest = household_of(2, quartier=THERE)
    lasting.push(tablet, *rest)
    codes = lasting.door.areas
    person_id, visit_id = rest[0]["id"], rest[-1]["id"]
    assert codes.code(person_row(lasting, person_id)["area"]) == "commune:CD-KN-017"
    lasting.push(tablet, home)
    assert codes.code(person_row(lasting, person_id)["area"]) == THERE
    rows = [r for r in lasting.changes(tablet) if person_id in (r.get("id"), r.get("leave"))]
    assert {(r["area"], "leave" in r) for r in rows} == {("commune:CD-KN-017", True), (THERE, False)}
    assert next(r for r in lasting.changes(tablet) if r.get("id") == visit_id)["area"] == THERE


# -- conflicts ---------------------------------------------------------------------------------------------------


def test_a_case_keeps_the_day_it_was_opened_until_somebody_closes_it(
    node: TestNode, clock: TestClock
) -> None:
    tablet = node.tablet(HERE)
    one = new("person", {"nom": "Mbuyi"})
    node.push(tablet, one, {"kind": "person", "id": one["id"], "set": {"nom": "Kapinga"}})

    def cases() -> dict[str, str]:
        with node.database.read() as connection:
            found = connection.execute(sa.select(conflict.c.register, conflict.c.opened_at))
            return {row.register: row.opened_at for row in found}

    first = cases()
    assert list(first) == ["nom"]
    clock.forward(timedelta(days=3))
    node.push(tablet, {"kind": "person", "id": one["id"], "set": {"nom": "Ilunga"}})
    assert cases() == first
    closing = {"kind": "person", "id": one["id"], "set": {"nom": "Ilunga"}, "par": {"nom": [1, 2, 3]}}
    node.push(tablet, closing)
    assert cases() == first, "an agent who replaces several names decides nothing"
    with node.database.write() as connection:
        dots = [tablet.dot(n) for n in range(1, 5)]
        decided = {"kind": "person", "id": one["id"], "act": "resolve", "set": {"nom": "Mbuyi"}}
        node.door.write(connection, [decided | {"par": {"nom": dots}}], by=tablet.agent)
    assert cases() == {}


def test_two_acts_that_claim_one_number_both_stay_and_both_are_listed(node: TestNode) -> None:
    place = {"office": "Bangala", "year": 2026, "volume": "1", "number": 12, "commune": "CD-KN-017"}
    acts = [new("act", place | {"nom": name}) for name in ("Mbuyi", "Kapinga", "Ilunga")]
    with node.database.write() as connection:
        node.door.write(connection, acts[:1], by="x")
        told = node.door.write(connection, acts[1:], by="x")
    assert told == {}
    shape = node.door.registry.shape("act")
    with node.database.read() as connection:
        rows = {row["id"]: row for row in connection.execute(sa.select(shape.table)).mappings()}
    assert [rows[act["id"]]["number_key"] is None for act in acts] == [False, True, True]
    assert [rows[act["id"]]["nom"] for act in acts] == ["Mbuyi", "Kapinga", "Ilunga"]
    assert state.conflicts(node) == {("act", act["id"], "number_key", 1) for act in acts}
