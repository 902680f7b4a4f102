"""Voiding, restoring, merging and parting records at the clerk's desk."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.nodes import new
from tests.population.conftest import FAR_QUARTIER, NEXT_QUARTIER, QUARTIER, Clerk


def act(clerk: Clerk, path: str, body: Any = None) -> Any:
    """The answer to an act on what the clerk sees there now."""
    seen = clerk.get(path.rpartition("/")[0])
    assert seen.status_code == 200, seen.text
    return clerk.post(path, body, **{"If-Match": seen.headers["etag"]})


def listed(clerk: Clerk, path: str, **wanted: Any) -> list[str]:
    return [each["id"] for each in clerk.get(path, **wanted).json()["items"]]


def test_a_void_person_is_seen_by_his_id_alone_until_he_is_restored(clerk: Clerk) -> None:
    one = clerk.person(nom="Mbuyi", sex="F")
    path = f"persons/{one['id']}"
    answer = act(clerk, f"{path}/void")
    assert answer.status_code == 200, answer.text
    assert answer.json()["void"] is True
    assert clerk.get(path).json() == answer.json()
    assert answer.json()["nom"] == "Mbuyi"
    assert listed(clerk, "persons", q="mbuyi") == listed(clerk, "persons") == []
    assert clerk.get(f"households/{one['household']}").json()["members"] == []
    refused = clerk.patch(path, {"sex": "M"}, answer.headers["etag"])
    assert (refused.status_code, refused.json()["code"]) == (409, "record_void")
    assert act(clerk, f"{path}/void").json()["code"] == "record_void"
    back = act(clerk, f"{path}/restore")
    assert back.status_code == 200, back.text
    assert "void" not in back.json()
    assert listed(clerk, "persons", q="mbuyi") == [one["id"]]
    assert act(clerk, f"{path}/restore").json()["code"] == "not_void"
    history = clerk.get(f"{path}/history").json()
    assert [(each["value"]["act"], each["live"]) for each in history["acts"]] == [
        ("void", False),
        ("restore", False),
    ]


def test_two_households_merged_show_the_members_of_both_and_part_again(clerk: Clerk) -> None:
    one, two = clerk.household(avenue="Kasaï"), clerk.household(quartier=NEXT_QUARTIER, avenue="Kasai")
    people = [clerk.person(household=each["id"], nom="Mbuyi")["id"] for each in (one, two)]
    body = {"into": two["id"], "set": {"avenue": "Kasaï"}}
    merged = act(clerk, f"households/{one['id']}/merge", body)
    assert merged.status_code == 200, merged.text
    assert (merged.json()["id"], merged.json()["merged_ids"]) == (two["id"], [one["id"]])
    assert (merged.json()["avenue"], merged.json()["quartier"]) == ("Kasaï", NEXT_QUARTIER)
    assert "conflicts" not in merged.json()
    assert clerk.get(f"persons/{people[0]}").json()["quartier"] == NEXT_QUARTIER
    found = clerk.get(f"households/{one['id']}")
    assert found.json()["id"] == two["id"]
    assert {each["id"] for each in found.json()["members"]} == set(people)
    assert listed(clerk, "households") == [two["id"]]

    changed = clerk.patch(f"households/{one['id']}", {"tenure": "tenant"}, found.headers["etag"])
    assert (changed.json()["id"], changed.json()["tenure"]) == (two["id"], "tenant")
    history = clerk.get(f"households/{two['id']}/history").json()
    assert [each.get("under") for each in history["registers"]["commune"]] == [one["id"], None, one["id"]]
    assert [(each["value"]["act"], each["live"]) for each in history["acts"]] == [("merge", True)]

    parted = act(clerk, f"households/{one['id']}/unmerge")
    assert parted.status_code == 200, parted.text
    assert (parted.json()["id"], parted.json()["quartier"], parted.json()["avenue"]) == (
        one["id"],
        QUARTIER,
        "Kasaï",
    )
    # What was written on the screen of the one that stayed, stays with it.
    assert clerk.get(f"households/{two['id']}").json()["tenure"] == "tenant"
    assert clerk.get(f"households/{two['id']}").json()["avenue"] == "Kasai"
    assert act(clerk, f"households/{one['id']}/unmerge").json()["code"] == "not_merged"


def test_answers_close_the_cases_that_a_merge_would_open(clerk: Clerk) -> None:
    home = clerk.household()["id"]
    one, two = (clerk.person(household=home, nom=nom, sex="F") for nom in ("Mbuyi", "Mbuya"))
    merged = act(clerk, f"persons/{one['id']}/merge", {"into": two["id"], "set": {"nom": "Mbuyi"}})
    assert merged.status_code == 200, merged.text
    assert merged.json()["nom"] == "Mbuyi"
    assert "conflicts" not in merged.json()
    assert listed(clerk, "persons", q="mbuyi") == [two["id"]]
    three = clerk.person(household=home, nom="Mbuyu")
    again = act(clerk, f"persons/{three['id']}/merge", {"into": one["id"]})
    assert again.json()["id"] == two["id"]
    assert again.json()["merged_ids"] == sorted([one["id"], three["id"]])
    assert {each["value"]["nom"] for each in again.json()["conflicts"]["nom"]} == {"Mbuyi", "Mbuyu"}
    parted = act(clerk, f"persons/{two['id']}/unmerge")
    assert "merged_ids" not in parted.json()
    assert sorted(listed(clerk, "persons")) == sorted([one["id"], two["id"], three["id"]])


def test_a_clerk_refuses_an_agents_request_to_void_by_a_restore(clerk: Clerk) -> None:
    one = clerk.person(nom="Mbuyi")
    agent = clerk.node.tablet("CD-KN-017")
    dot = next(iter(clerk.get(f"persons/{one['id']}/history").json()["registers"]["nom"]))["dot"]
    void = {"kind": "person", "id": one["id"], "act": "void", "par": {"nom": [dot], "household": [dot]}}
    clerk.node.push(agent, void)
    found = clerk.get(f"persons/{one['id']}").json()
    assert [each["value"] for each in found["conflicts"]["void"]] == [True]
    (case,) = clerk.get("conflicts").json()["items"]
    assert (case["id"], case["register"], case["weight"]) == (one["id"], "void", 1)
    assert [(each["value"], each["dev"]) for each in case["values"]] == [(True, agent.dev)]
    assert "conflicts" not in act(clerk, f"persons/{one['id']}/restore").json()
    assert clerk.get("conflicts").json()["items"] == []


@pytest.mark.parametrize(
    ("into", "status", "code"),
    [("itself", 409, "same_record"), ("nobody", 422, "invalid_input"), ("far", 403, "other_commune")],
)
def test_a_merge_into_what_cannot_be_is_refused(clerk: Clerk, into: str, status: int, code: str) -> None:
    one = clerk.person(nom="Mbuyi")
    far = [
        new("household", {"quartier": FAR_QUARTIER}, identity=str(uuid.uuid4())),
        new("person", {"nom": "Mbuyi"}, identity=str(uuid.uuid4())),
    ]
    far[1]["set"]["household"] = far[0]["id"]
    clerk.node.push(clerk.node.tablet("CD-KN-017"), *far)
    target = {"itself": one["id"], "nobody": str(uuid.uuid4()), "far": far[1]["id"]}[into]
    answer = act(clerk, f"persons/{one['id']}/merge", {"into": target})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("what", ["void", "restore", "merge", "unmerge"])
def test_an_act_needs_the_record_as_it_was_seen(clerk: Clerk, what: str) -> None:
    one = clerk.household()
    body = {"into": str(uuid.uuid4())} if what == "merge" else None
    path = f"households/{one['id']}/{what}"
    assert clerk.post(path, body).status_code == 428
    assert clerk.post(path, body, **{"If-Match": '"perimee"'}).status_code == 412
    unknown = f"households/{uuid.uuid4()}/{what}"
    assert clerk.post(unknown, body, **{"If-Match": one["etag"]}).status_code == 404
