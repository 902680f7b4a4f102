"""An admin's care of the accounts over REST."""

from __future__ import annotations

from typing import Any

import pytest

from app.access.tables import ROLES
from tests.access.conftest import PASSWORD, AddOfficer, log_in
from tests.web.client import InProcess

NEW = {"username": "kalala", "name": "Kalala", "role": "clerk", "password": "une phrase assez longue"}


def test_an_admin_adds_changes_and_closes_an_account(client: InProcess, add: AddOfficer) -> None:
    add("chef", "admin")
    headers = log_in(client, "chef")
    added = client.post("/v1/officers", json=NEW, headers=headers)
    assert added.status_code == 201
    body = added.json()
    assert (body["username"], body["role"], body["commune"]) == ("kalala", "clerk", "CD-KN-017")
    assert "password" not in added.text

    address = f"/v1/officers/{body['id']}"
    login = {"username": "kalala", "password": NEW["password"]}
    mine = {"Authorization": "Bearer " + client.post("/v1/sessions", json=login).json()["token"]}
    changed = client.patch(
        address, json={"role": "registrar", "commune": "CD-KN-008"}, headers=headers
    ).json()
    assert (changed["name"], changed["role"], changed["commune"]) == ("Kalala", "registrar", "CD-KN-008")
    assert client.delete("/v1/sessions/current", headers=mine).status_code == 401

    assert client.patch(address, json={"disabled": True}, headers=headers).json()["disabled_at"] is not None
    assert client.post("/v1/sessions", json=login).status_code == 401
    assert client.patch(address, json={"disabled": False}, headers=headers).json()["disabled_at"] is None
    assert client.patch(address, json={"password": PASSWORD}, headers=headers).status_code == 200
    log_in(client, "kalala")


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
def test_only_an_admin_sees_the_accounts(client: InProcess, add: AddOfficer, role: str) -> None:
    add("mbuyi", role)
    headers = log_in(client, "mbuyi")
    answers = [
        client.get("/v1/officers", headers=headers),
        client.post("/v1/officers", json=NEW, headers=headers),
        client.patch("/v1/officers/0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10", json={}, headers=headers),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "role_forbidden")}
    assert client.delete("/v1/sessions/current", headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"commune": "CD-KN-099"}, 404, "commune_unknown"),
        ({"username": "chef"}, 409, "username_taken"),
        ({"password": "short"}, 422, "weak_password"),
        ({"role": "mayor"}, 422, "invalid_input"),
        ({"colour": "red"}, 422, "invalid_input"),
        ({"name": "   "}, 422, "name_invalid"),
    ],
)
def test_an_account_with_a_mistake_is_not_made(
    client: InProcess, add: AddOfficer, change: dict[str, Any], status: int, code: str
) -> None:
    add("chef", "admin")
    headers = log_in(client, "chef")
    refused = client.post("/v1/officers", json={**NEW, **change}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert len(client.get("/v1/officers", headers=headers).json()["items"]) == 1


def test_the_list_of_accounts_comes_in_pages(client: InProcess, add: AddOfficer) -> None:
    names = ["agent-a", "agent-b", "agent-c", "chef"]
    for name in names[:3]:
        add(name, "agent")
    add("chef", "admin")
    headers, found, cursor = log_in(client, "chef"), [], None
    for size in (2, 2):
        page = client.get("/v1/officers", params={"limit": 2, "cursor": cursor or ""}, headers=headers).json()
        assert len(page["items"]) == size
        found += [item["username"] for item in page["items"]]
        cursor = page["next"]
    assert (found, cursor) == (names, None)
    bad = client.get("/v1/officers", params={"cursor": "###"}, headers=headers)
    assert (bad.status_code, bad.json()["code"]) == (400, "bad_cursor")


def test_the_last_admin_keeps_his_account_and_his_role(client: InProcess, add: AddOfficer) -> None:
    chef, deputy = add("chef", "admin"), add("adjoint", "admin")
    headers = log_in(client, "chef")
    assert (
        client.patch(f"/v1/officers/{deputy.id}", json={"disabled": True}, headers=headers).status_code == 200
    )
    for change in ({"disabled": True}, {"role": "clerk", "commune": "CD-KN-017"}):
        answer = client.patch(f"/v1/officers/{chef.id}", json=change, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    assert client.patch(f"/v1/officers/{chef.id}", json={"name": "Chef"}, headers=headers).status_code == 200
    assert (
        client.patch(f"/v1/officers/{deputy.id}", json={"disabled": False}, headers=headers).status_code
        == 200
    )
    assert (
        client.patch(f"/v1/officers/{chef.id}", json={"disabled": True}, headers=headers).status_code == 200
    )


def test_who_logs_out_gets_an_answer_without_content(client: InProcess, add: AddOfficer) -> None:
    add("mbuyi", "clerk")
    answer = client.delete("/v1/sessions/current", headers=log_in(client, "mbuyi"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers


def test_an_account_that_does_not_exist_is_not_found(client: InProcess, add: AddOfficer) -> None:
    add("chef", "admin")
    headers = log_in(client, "chef")
    answer = client.patch(
        "/v1/officers/0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10", json={"name": "X"}, headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "officer_unknown")
    assert client.patch("/v1/officers/12", json={"name": "X"}, headers=headers).status_code == 422
