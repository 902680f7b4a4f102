"""A clerk writes households down, changes them, finds them again, and sees who lives there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.access.journal import readings_of
from tests.conftest import TestClock
from tests.nodes import TestNode, household_of
from tests.population.conftest import (
    FAR_QUARTIER,
    HOME,
    NEXT_QUARTIER,
    QUARTIER,
    Clerk,
    refusal,
    wrong_fields,
)

REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"quartier": "9999999"}, ["quartier"]),
    ({"commune": "CD-KN-099"}, ["commune"]),
    ({"commune": HOME, "quartier": FAR_QUARTIER}, ["quartier"]),
    ({"tenure": "squatter"}, ["tenure"]),
    ({"lat": 95_000_000}, ["lat"]),
    ({"lat": 1.5}, ["lat"]),
    ({"accuracy": -1}, ["accuracy"]),
    ({"avenue": "x" * 201}, ["avenue"]),
    ({"avenue": "a\tb"}, ["avenue"]),
    ({"avenue": "  "}, ["avenue"]),
    ({"avenue": 12}, ["avenue"]),
    ({"head": "nobody"}, ["head"]),
    ({"colour": "red", "number": "x" * 10_000}, ["number", "colour"]),
]


def test_a_clerk_writes_a_household_down_and_reads_it_with_its_members(clerk: Clerk, node: TestNode) -> None:
    made = clerk.household(avenue="Kasaï", number="12 bis", tenure="tenant", lat=-4_326_500, accuracy=7.5)
    assert (made["commune"], made["avenue"], made["number"]) == (HOME, "Kasaï", "12 bis")
    second = clerk.person(household=made["id"], line=2, nom="Kapinga")
    first = clerk.person(household=made["id"], line=1, nom="Mbuyi", relation="head")
    answer = clerk.get(f"households/{made['id']}")
    body = answer.json()
    assert answer.headers["etag"] == made["etag"]
    assert [member["id"] for member in body["members"]] == [first["id"], second["id"]]
    assert body | {"members": None} == made | {"members": None}
    # Not on the card: after all who are, the youngest last.
    newborn = clerk.person(household=made["id"], nom="Mbuyi", birth_date="2026-01-10")
    guest = clerk.person(household=made["id"], nom="Ilunga", birth_date="1990")
    members = clerk.get(f"households/{made['id']}").json()["members"]
    assert [member["id"] for member in members] == [first["id"], second["id"], guest["id"], newborn["id"]]
    with node.database.read() as connection:
        *_, reading = readings_of(connection, [first["id"]])
    assert (reading.route, reading.commune, reading.purpose) == ("GET /v1/households/{id}", HOME, "essai")


def test_a_household_lies_in_its_quartiers_commune_or_in_the_clerks(clerk: Clerk) -> None:
    assert clerk.household()["commune"] == HOME
    nowhere = clerk.post("households", {"avenue": "Kasaï"}).json()
    assert (nowhere["commune"], nowhere["quartier"]) == (HOME, None)
    assert refusal(clerk.post("households", {"quartier": FAR_QUARTIER})) == (403, "other_commune")
    assert refusal(clerk.post("households", {"commune": "CD-KN-008"})) == (403, "other_commune")


def test_what_a_household_cannot_be_is_refused_by_field(clerk: Clerk) -> None:
    for body, fields in REFUSED:
        assert wrong_fields(clerk.post("households", body)) == fields
    assert clerk.get("households").json()["items"] == []


def test_a_household_that_moves_takes_its_members_along(clerk: Clerk) -> None:
    home = clerk.household()
    member = clerk.person(household=home["id"], nom="Mbuyi")
    assert member["quartier"] == QUARTIER
    moved = clerk.patch(f"households/{home['id']}", {"quartier": NEXT_QUARTIER}, home["etag"])
    assert (moved.status_code, moved.json()["quartier"]) == (200, NEXT_QUARTIER)
    after = clerk.get(f"persons/{member['id']}").json()
    assert (after["quartier"], after["etag"]) == (NEXT_QUARTIER, member["etag"])
    assert [each["id"] for each in clerk.get("persons", quartier=NEXT_QUARTIER).json()["items"]] == [
        member["id"]
    ]
    assert clerk.get("persons", quartier=QUARTIER).json()["items"] == []


def test_one_part_of_an_address_changes_and_the_rest_stays(clerk: Clerk) -> None:
    home = clerk.household(avenue="Kasaï", number="12")
    path = f"households/{home['id']}"
    changed = clerk.patch(path, {"number": "14"}, home["etag"]).json()
    assert {name: changed[name] for name in ("commune", "quartier", "avenue", "number")} == {
        "commune": HOME, "quartier": QUARTIER, "avenue": "Kasaï", "number": "14",
    }  # fmt: skip
    emptied = clerk.patch(path, {"quartier": None, "avenue": None}, changed["etag"]).json()
    assert (emptied["commune"], emptied["quartier"], emptied["avenue"]) == (HOME, None, None)
    assert wrong_fields(clerk.patch(path, {"commune": None}, emptied["etag"])) == ["commune"]
    assert refusal(clerk.patch(path, {"quartier": FAR_QUARTIER}, emptied["etag"])) == (403, "other_commune")


def test_the_history_of_an_address_names_who_wrote_it_and_what_is_shown(
    clerk: Clerk, node: TestNode, clock: TestClock
) -> None:
    tablet = node.tablet(QUARTIER)
    operations = household_of(0)
    node.push(tablet, *operations)
    identity = operations[0]["id"]
    clock.forward(timedelta(minutes=5))
    clerk.patch(
        f"households/{identity}", {"number": "14"}, clerk.get(f"households/{identity}").json()["etag"]
    )
    body = clerk.get(f"households/{identity}/history").json()
    before, after = body["registers"]["commune"]
    assert (body["kind"], before["dev"], before["by"], before["role"]) == (
        "household", tablet.dev, tablet.agent, "agent",
    )  # fmt: skip
    assert (before["value"]["number"], before["live"], before["shown"]) == ("12", False, False)
    assert (after["value"]["number"], after["live"], after["shown"]) == ("14", True, True)
    assert (after["by_name"], after["ev"]) == ("Clerk1", "declared")
    assert before["received_at"] < after["received_at"] == "2026-02-02T09:05:00.000Z"


def test_a_list_gives_each_household_of_the_quartier_once(clerk: Clerk) -> None:
    here = {clerk.household()["id"] for _ in range(5)}
    clerk.household(quartier=NEXT_QUARTIER)
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = clerk.get("households", quartier=QUARTIER, limit=2, **cursor).json()
        found += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        assert len(page["items"]) == 2
        cursor = {"cursor": page["next"]}
    assert (set(found), len(found)) == (here, 5)
    assert len(clerk.get("households", commune=HOME).json()["items"]) == 6
    assert wrong_fields(clerk.get("households", quartier="9999999")) == ["quartier"]
    assert wrong_fields(clerk.get("households", commune="CD-KN-099")) == ["commune"]
    assert refusal(clerk.get("households", cursor="WyJub3BlIl0")) == (400, "bad_cursor")


def test_the_same_form_sent_twice_is_one_household(clerk: Clerk) -> None:
    key = {"Idempotency-Key": "formulaire-0001"}
    first = clerk.post("households", {"quartier": QUARTIER, "number": "1"}, **key)
    again = clerk.post("households", {"quartier": QUARTIER, "number": "1"}, **key)
    assert (again.status_code, again.text, again.headers["etag"]) == (201, first.text, first.headers["etag"])
    assert first.headers["location"] == again.headers["location"] == f"/v1/households/{first.json()['id']}"
    assert len(clerk.get("households").json()["items"]) == 1
    other = clerk.post("households", {"quartier": QUARTIER, "number": "2"}, **key)
    assert refusal(other) == (422, "idempotency_conflict")


def test_another_communes_clerk_neither_sees_nor_changes_the_household(clerk: Clerk, node: TestNode) -> None:
    home = clerk.household()
    stranger = Clerk(node, node.officer("clerk", "CD-KN-008"))
    path = f"households/{home['id']}"
    answers = [
        stranger.get(path),
        stranger.get(f"{path}/history"),
        stranger.patch(path, {"number": "1"}, home["etag"]),
        stranger.get("households", commune=HOME),
        stranger.get("households", quartier=QUARTIER),
        stranger.post("persons", {"household": home["id"], "nom": "Mbuyi"}),
    ]
    assert {refusal(answer) for answer in answers} == {(403, "other_commune")}
    assert stranger.get("households").json()["items"] == []
    assert refusal(clerk.get("households/0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10")) == (
        404,
        "household_not_found",
    )
    assert refusal(clerk.get("households/12"))[0] == 422


def test_only_clerks_and_registrars_work_on_households(clerk: Clerk, node: TestNode) -> None:
    home = clerk.household()
    for role in ("agent", "planner", "admin", "supervisor"):
        other = Clerk(node, node.officer(role))
        answers = [
            other.get(f"households/{home['id']}"),
            other.get("households"),
            other.get("persons", q="mbuyi"),
            other.post("households", {}),
            other.patch(f"households/{home['id']}", {"number": "1"}, home["etag"]),
        ]
        assert {refusal(answer) for answer in answers} == {(403, "role_forbidden")}, role
