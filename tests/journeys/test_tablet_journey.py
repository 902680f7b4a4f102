"""What an agent's tablet of another make lives through at the commune Kintambo, over HTTP, on both engines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from .client import Receipt, Refused, Sealed, Tablet
from .families import HIDDEN_FROM_AGENTS, MBUYI, family, household_fields, known_family
from .nodes import ITIMBIRI, KINTAMBO, SALONGO, World
from .rows import Entity
from .signatures import JSON, check_grant, check_node_cert


def values(tablet: Tablet, about: Entity, *, field: str) -> list[Any]:
    return sorted(shown.value for shown in tablet.on_screen(about, field))


def elements(value: Any) -> Iterable[Any]:
    """Every element of every list within a JSON value."""
    if isinstance(value, list):
        yield from value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from elements(one)


def listed_conflict(page: JSON, about: Entity) -> str:
    """What a list of conflicts says of an entity, as text."""
    texts = [json.dumps(element, ensure_ascii=False) for element in elements(page)]
    return "\n".join(text for text in texts if about[1] in text)


def provinces_receipt(tablet: Tablet, batch: Sealed) -> Receipt:
    """The province's own receipt for a batch, as the commune passed it down."""
    assert tablet.home is not None
    wanted = (tablet.home.province, batch.sha256)
    held = [one for one in tablet.ask_receipts() if (one.claims["node"], one.claims["sha256"]) == wanted]
    assert len(held) == 1, f"one receipt of the province for {wanted}"
    return held[0]


# A household on its way


def test_a_tablet_enrols_under_the_province_key_of_its_invitation(world: World) -> None:
    tablet = world.invited()
    assert tablet.invitation.url == world.commune.url, "the QR leads to the server that made it"
    greeting = tablet.connection.get("/sync/v1/hello")
    assert "no-store" in greeting.headers["cache-control"]
    hello = tablet.hello()
    node = check_node_cert(hello["node_cert"], tablet.invitation.province)
    assert (hello["kind"], node.kind, node.node) == ("commune", "commune", hello["node"])
    assert 1 in hello["protocols"]

    answer = tablet.enrol()
    assert (answer["role"], answer["areas"]) == ("agent", [ITIMBIRI])
    claims = check_grant(tablet.grant, node)
    assert claims["role"] == "agent"
    assert check_node_cert(claims["node_cert"], tablet.invitation.province) == node
    assert tablet.login()["expires_in"] > 0


def test_a_household_written_on_a_tablet_is_settled_by_the_province(world: World) -> None:
    tablet = world.tablet()
    household, person = family(tablet)
    visit = {"household": household[1], "commune": KINTAMBO, "quartier": ITIMBIRI, "outcome": "completed"}
    visited = tablet.create("visit", {**visit, "members": [person[1]]})
    batch = tablet.seal()

    receipt = tablet.push(batch)
    said = {name: receipt.claims[name] for name in ("dev", "ep", "from", "to", "sha256", "dispositions")}
    assert said == {
        "dev": tablet.dev,
        "ep": tablet.ep,
        "from": 1,
        "to": 3,
        "sha256": batch.sha256,
        "dispositions": {},
    }
    for again in (tablet.push(batch), tablet.push(batch, coding="identity")):
        assert (again.body, again.signature) == (receipt.body, receipt.signature)
    assert tablet.status() == {"through": 3, "holes": []}

    tablet.pull()
    assert tablet.rows.have == {tablet.ep: [[1, 3]]}
    assert household_fields().items() <= tablet.rows.rows[household]["set"].items()
    row = tablet.rows.rows[person]
    assert {k: v for k, v in MBUYI.items() if k not in HIDDEN_FROM_AGENTS}.items() <= row["set"].items()
    assert not HIDDEN_FROM_AGENTS & row["set"].keys()
    assert not {"conflict", "doubtful", "void"} & row.keys()
    assert (row["area"], row["dot"]) == (ITIMBIRI, f"{tablet.dev}:{tablet.ep}:2")
    assert tablet.rows.rows[visited]["set"]["members"] == [person[1]]

    world.relay()
    assert provinces_receipt(tablet, batch).dispositions == {}
    assert tablet.settled(batch)


def test_a_batch_signed_anew_gets_the_receipt_it_already_has(world: World) -> None:
    tablet = world.witness()
    tablet.create("household", household_fields())
    batch = tablet.seal()
    again = tablet.seal_bytes(batch.data)
    assert again.signature != batch.signature
    first, second = tablet.push(batch), tablet.push(again)
    assert (first.body, first.signature) == (second.body, second.signature)


def test_a_tablet_reads_its_quartier_and_no_other(world: World) -> None:
    here, there = world.tablet(), world.tablet(SALONGO)
    household, person = family(there, SALONGO)
    there.push(there.seal())
    there.pull()
    here.pull()
    assert {household, person} <= there.rows.rows.keys()
    assert not {household, person} & here.rows.rows.keys()
    asked = here.connection.get(
        "/sync/v1/changes",
        params={"after": f"{SALONGO}:0"},
        headers={"Authorization": f"Bearer {here.token}"},
    )
    assert asked.status_code < 500
    assert person[1] not in asked.text


def test_a_tablet_that_has_read_further_than_the_server_counts_reads_anew_and_loses_nothing(
    world: World,
) -> None:
    tablet = world.tablet()
    person = known_family(tablet)
    own = tablet.edit(person, {"occupation": "couturière"})
    tablet.rows.after[ITIMBIRI] = "9" * 12
    with pytest.raises(Refused) as answer:
        tablet.get("/sync/v1/changes", [("after", f"{ITIMBIRI}:{'9' * 12}")])
    assert (answer.value.status, answer.value.code) == (409, "feed_changed")
    tablet.pull()
    assert person in tablet.rows.rows
    assert [shown.dot for shown in tablet.on_screen(person, "occupation")] == [own.dot]


# A cloned tablet


@pytest.mark.parametrize("first", ["the original", "the clone"])
def test_two_lines_of_one_dot_stay_visible_whichever_comes_first(world: World, first: str) -> None:
    original = world.tablet()
    person = known_family(original)
    twin = original.clone()
    mine = original.edit(person, {"phone": "+243820000001"})
    other = twin.edit(person, {"phone": "+243820000002"})
    assert mine.dot == other.dot

    order = [original, twin] if first == "the original" else [twin, original]
    batches = [tablet.seal() for tablet in order]
    receipts = [tablet.push(batch) for tablet, batch in zip(order, batches, strict=True)]
    assert receipts[0].dispositions == {}
    assert receipts[1].dispositions[mine.n]["status"] == "fork"

    witness = world.witness()
    assert values(witness, person, field="phone") == ["+243820000001", "+243820000002"]
    assert {shown.dot for shown in witness.on_screen(person, "phone")} == {mine.dot}
    case = listed_conflict(world.read(world.commune, "commis", path="/v1/conflicts"), person)
    assert "+243820000001" in case
    assert "+243820000002" in case

    witness.edit(person, {"phone": "+243820000003"}, par={"phone": [mine.dot]})
    assert witness.push(witness.seal()).dispositions[witness.n]["status"] == "conflict"
    witness.pull()
    assert values(witness, person, field="phone") == [f"+24382000000{n}" for n in (1, 2, 3)]

    original.new_epoch()
    original.edit(person, {"occupation": "maçon"})
    assert original.push(original.seal()).dispositions == {}


def test_a_fork_that_reaches_the_province_by_another_road_is_seen_there(world: World) -> None:
    original = world.tablet()
    person = known_family(original)
    world.relay()
    twin = original.clone()
    mine = original.edit(person, {"phone": "+243830000001"})
    twin.edit(person, {"phone": "+243830000002"})

    direct = twin.seal()
    assert twin.push(direct, to=world.province.url).dispositions == {}
    assert twin.settled(direct)
    batch = original.seal()
    assert original.push(batch).dispositions == {}
    world.relay()
    assert provinces_receipt(original, batch).dispositions[mine.n]["status"] == "fork"
    case = listed_conflict(world.read(world.province, "division", path="/v1/conflicts"), person)
    assert "+243830000001" in case
    assert "+243830000002" in case


# Order and company


def test_an_edit_that_arrives_before_its_person_waits_for_nothing(world: World) -> None:
    tablet = world.tablet()
    _, person = family(tablet)
    batches = [tablet.seal()]
    tablet.edit(person, {"occupation": "vendeuse"})
    batches.append(tablet.seal())
    later = tablet.edit(person, {"phone": "+243840000001"})
    batches.append(tablet.seal())

    early = tablet.push(batches[2])
    assert early.dispositions[later.n]["status"] == "deferred"
    assert tablet.status() == {"through": 0, "holes": [[1, 3]]}
    assert tablet.push(batches[0]).dispositions == {}
    assert tablet.push(batches[1]).dispositions == {}
    assert tablet.push(batches[2]).body == early.body
    assert tablet.status() == {"through": 4, "holes": []}

    witness = world.witness()
    shown = witness.rows.rows[person]["set"]
    assert (shown["phone"], shown["occupation"], shown["nom"]) == ("+243840000001", "vendeuse", "Mbuyi")
    assert "conflict" not in witness.rows.rows[person]
    assert witness.rows.rows[person]["area"] == ITIMBIRI


def test_two_agents_who_did_not_see_each_other_both_stay_readable(world: World) -> None:
    here, there = world.tablet(), world.tablet()
    person = known_family(here)
    there.pull()
    mine = here.edit(person, {"phone": "+243850000001"})
    other = there.edit(person, {"phone": "+243850000002"})
    here.edit(person, {"marital_status": "married"}, ev="document")
    there.edit(person, {"marital_status": "widowed"})
    here.edit(person, {"birth_date": "1987", "birth_precision": "year"})
    there.edit(person, {"birth_date": "1987-05-04", "birth_precision": "day"})

    assert here.push(here.seal()).dispositions == {}
    dispositions = there.push(there.seal()).dispositions
    assert {"status": "conflict", "fields": ["phone"]}.items() <= dispositions[other.n].items()

    witness = world.witness()
    row = witness.rows.rows[person]
    seen = {value["dot"]: value["value"] for value in row["conflict"]["phone"]}
    assert seen == {mine.dot: "+243850000001", other.dot: "+243850000002"}
    # Same evidence and depth on both sides: the greatest dot is shown, until someone decides.
    assert row["set"]["phone"] == seen[max((mine, other), key=lambda w: (w.dot.split(":")[0], w.ep, w.n)).dot]
    assert {value["value"] for value in row["conflict"]["marital_status"]} == {"married", "widowed"}
    assert row["set"]["marital_status"] == "married"
    assert "birth_date" not in row["conflict"]
    assert row["set"]["birth_date"] == "1987-05-04"

    witness.edit(person, {"phone": "+243850000003"})
    assert witness.push(witness.seal()).dispositions == {}
    here.pull()
    assert "phone" not in here.rows.rows[person]["conflict"]
    assert values(here, person, field="phone") == ["+243850000003"]


# After all this


def test_both_registers_are_sound_after_these_journeys(world: World) -> None:
    world.relay()
    for server in (world.commune, world.province):
        server.run("verify")
