"""An agent's tablet is enrolled with a code read aloud, once, and only where there is a province behind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.database import Database
from app.errors import Problem
from app.ledger.enrolment import AREA_UNKNOWN, NOT_JOINED, invite
from app.ledger.tables import device, invitation
from sync.seal import Key, check_grant, sign_compact
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node

QUARTIER = "1017010"


def code_for(
    node: TestNode, officer: str, *, role: str = "agent", areas: tuple[str, ...] = (QUARTIER,)
) -> str:
    with node.database.write() as connection:
        made = invite(
            connection,
            node.door,
            agent=officer,
            role=role,
            areas=areas,
            at=node.node.clock.now(),
            minutes=15,
        )
    return made.code


def ask(node: TestNode, code: str, key: Key, *, signed: str | None = None, **more: Any) -> httpx.Response:
    claims = {"code": signed or code, "node": node.door.identity.dev}
    proof = sign_compact(key, claims, kid=key.public.thumbprint(), typ="enrol")
    body = {"code": code, "public_key": key.public.jwk(), "name": "Tablette 3", "proof": proof, **more}
    return node.client.post("/sync/v1/enrolments", json=body)


def test_a_code_makes_one_tablet_with_a_grant_that_chains_to_the_province(
    lasting: TestNode, agent: str
) -> None:
    key = Key.generate()
    answer = ask(lasting, code_for(lasting, agent), key)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    claims = check_grant(told["grant"], lasting.door.standing.province or "")
    assert (claims["dev"], claims["role"], claims["areas"]) == (told["dev"], "agent", [QUARTIER])
    assert claims["key"] == key.public.jwk()
    with lasting.database.read() as connection:
        row = connection.execute(sa.select(device).where(device.c.id == told["dev"])).mappings().one()
    assert (row["name"], row["agent"], row["server"]) == ("Tablette 3", agent, False)


def test_a_code_is_understood_in_small_letters_with_look_alikes_and_a_dash(
    lasting: TestNode, agent: str
) -> None:
    codes = (code_for(lasting, agent) for _ in range(200))
    code = next(each for each in codes if set(each) & {"0", "1"})
    typed = f"{code[:4]}-{code[4:]} ".lower().replace("0", "o").replace("1", "l")
    assert ask(lasting, typed, Key.generate()).status_code == 201


def test_the_same_code_and_key_get_the_same_answer_again_and_another_key_none(
    lasting: TestNode, agent: str
) -> None:
    code, key = code_for(lasting, agent), Key.generate()
    first = ask(lasting, code, key)
    again = ask(lasting, code, key)
    assert (again.status_code, again.json()) == (201, first.json())
    other = ask(lasting, code, Key.generate())
    assert (other.status_code, other.json()["code"]) == (409, "invitation_used")


def test_the_answer_comes_again_when_the_code_has_run_out_meanwhile(node: TestNode, clock: TestClock) -> None:
    officer, _ = node.add_officer("agent")
    code, late, key = code_for(node, officer), code_for(node, officer), Key.generate()
    first = ask(node, code, key)
    clock.forward(timedelta(minutes=16))
    assert ask(node, code, key).json() == first.json()
    refused = ask(node, late, Key.generate())
    assert (refused.status_code, refused.json()["code"]) == (410, "invitation_expired")


def test_a_proof_over_another_code_or_node_is_refused_and_after_five_the_code_is_closed(
    lasting: TestNode, agent: str
) -> None:
    code, key = code_for(lasting, agent), Key.generate()
    for _ in range(5):
        wrong = ask(lasting, code, key, signed="00000000")
        assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_proof")
    right = ask(lasting, code, key)
    assert (right.status_code, right.json()["code"]) == (410, "invitation_expired")


def test_a_proof_by_a_key_other_than_the_one_sent_is_refused(lasting: TestNode, agent: str) -> None:
    code, sent, used = code_for(lasting, agent), Key.generate(), Key.generate()
    claims = {"code": code, "node": lasting.door.identity.dev}
    proof = sign_compact(used, claims, kid=sent.public.thumbprint(), typ="enrol")
    body = {"code": code, "public_key": sent.public.jwk(), "name": "x", "proof": proof}
    answer = lasting.client.post("/sync/v1/enrolments", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_proof")


@pytest.mark.parametrize("code", ["ABCD2345", "ABC", "", "ABCD23456", "ÀBCD2345", "UUUUUUUU"])
def test_a_code_nobody_gave_is_unknown(lasting: TestNode, code: str) -> None:
    answer = ask(lasting, code, Key.generate())
    assert answer.json()["code"] in {"invitation_unknown", "invalid_input"}
    assert answer.status_code in {404, 422}


def test_the_code_itself_is_not_stored(lasting: TestNode, agent: str) -> None:
    code = code_for(lasting, agent)
    with lasting.database.read() as connection:
        stored = connection.execute(sa.select(invitation)).all()
    assert stored
    assert not any(code in str(row) for row in stored)


def test_a_tablet_is_given_only_areas_that_exist(lasting: TestNode, agent: str) -> None:
    for areas in ((), ("9999999",), ("CD-KN-017", "CD-KN-099")):
        with pytest.raises(Problem) as refused:
            code_for(lasting, agent, areas=areas)
        assert refused.value.type is AREA_UNKNOWN


def test_a_commune_that_has_not_joined_enrols_no_tablet(
    database: Database, tmp_path: Path, clock: TestClock
) -> None:
    node = make_node(database, tmp_path, kind="commune", clock=clock)
    officer, _ = node.add_officer("agent")
    with pytest.raises(Problem) as refused:
        code_for(node, officer)
    assert refused.value.type is NOT_JOINED
    node.join_a_province()
    answer = ask(node, code_for(node, officer), Key.generate())
    assert answer.status_code == 201
    assert answer.json()["node_cert"] == node.door.standing.node_cert


def test_a_demonstration_server_never_becomes_part_of_a_real_province(lasting: TestNode) -> None:
    officer, _ = lasting.add_officer("admin")
    code, key = code_for(lasting, officer, role="admin", areas=("CD-KN-017",)), Key.generate()
    wanted = {"dev": "5b0f3a3c-6f0e-4f7e-8f63-2a9d5a2b7c11"}
    apart = ask(lasting, code, key, demo=True, **wanted)
    assert (apart.status_code, apart.json()["code"]) == (409, "demo_apart")
    joined = ask(lasting, code, key, demo=False, **wanted)
    assert joined.status_code == 201, joined.text
    assert (joined.json()["dev"], joined.json()["role"]) == (wanted["dev"], "node")
    assert joined.json()["own_node_cert"]
    other = ask(
        lasting, code_for(lasting, officer, role="admin", areas=("CD-KN-017",)), Key.generate(), **wanted
    )
    assert (other.status_code, other.json()["code"]) == (409, "device_known")
