"""A paper reaches somebody: to whom, when, for how much; and who has not come for his is known."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.documents.delivery import delivered_shares
from tests.civil.conftest import rows
from tests.conftest import TestClock
from tests.documents.conftest import BOOK, Headers, annul
from tests.nodes import TestNode, new

ActOf = Callable[..., tuple[str, str]]
MOTHER = {"to_name": "Kapinga Ngalula", "to_relation": "mère", "identity": "carte d'électeur 123"}


def issue(node: TestNode, officer: Headers, act: str) -> str:
    answer = node.client.post(f"/v1/acts/{act}/documents", json={"type": "extract"}, headers=officer)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"].rpartition("/")[2]


def test_the_first_paper_of_a_birth_declared_in_time_is_free_and_the_birth_is_delivered(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, birth = act_of()
    before = kintambo.client.get(f"/v1/births/{birth}", headers=clerk)
    answer = kintambo.client.post(
        f"/v1/documents/{issue(kintambo, clerk, act)}/delivery", json=MOTHER, headers=clerk
    )
    assert answer.status_code == 201, answer.text
    done = answer.json()
    assert (done["free"], done["fee"], done["delivered_on"], done["act"]) == (True, 0, "2026-02-02", act)
    assert "gratuite" in done["fee_rule"]
    after = kintambo.client.get(f"/v1/births/{birth}", headers=clerk)
    assert (before.json()["stage"], after.json()["stage"]) == ("registered", "delivered")
    assert after.json()["delivered_on"] == "2026-02-02"
    assert before.headers["etag"] != after.headers["etag"]
    again = kintambo.client.post(
        f"/v1/documents/{issue(kintambo, clerk, act)}/delivery", json=MOTHER, headers=clerk
    )
    assert (again.json()["free"], again.json()["fee"]) == (False, None)


def test_a_late_birth_has_no_known_price_unless_its_campaign_waived_it(
    kintambo: TestNode, clerk: Headers, registrar: Headers, declare: Callable[..., str]
) -> None:
    judgment = {"court": "Tribunal pour enfants", "number": "RCE 1", "date": "2026-01-15"}
    said = []
    for waived in (False, True):
        birth = declare(birth_date="2019-05-01")
        if waived:
            file = {"birth": birth, "commune": "CD-KN-017", "fee_waived": True}
            with kintambo.database.write() as connection:
                kintambo.door.write(connection, [new("procedure", file)], by=str(uuid.uuid4()))
        answer = kintambo.client.post(
            f"/v1/births/{birth}/registration", json=BOOK | {"judgment": judgment}, headers=registrar
        )
        document = issue(kintambo, clerk, answer.json()["id"])
        done = kintambo.client.post(f"/v1/documents/{document}/delivery", json=MOTHER, headers=clerk).json()
        said.append((done["free"], done["fee"], done["fee_status"]))
    assert said == [(False, None, "unverified"), (True, 0, "unverified")]


def test_a_paper_is_handed_over_once_and_a_receipt_never(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, birth = act_of()
    document = issue(kintambo, clerk, act)
    path = f"/v1/documents/{document}/delivery"
    key = clerk | {"Idempotency-Key": "remise-00001"}
    first, repeated = (kintambo.client.post(path, json=MOTHER, headers=key) for _ in range(2))
    assert first.json() == repeated.json()
    assert kintambo.client.post(path, json=MOTHER, headers=clerk).json()["code"] == "already_delivered"
    receipt = kintambo.client.post(f"/v1/births/{birth}/receipt", json={}, headers=clerk).headers["location"]
    refused = kintambo.client.post(f"{receipt}/delivery", json=MOTHER, headers=clerk)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_act_to_deliver")
    nobody = kintambo.client.post(f"/v1/documents/{uuid.uuid4()}/delivery", json=MOTHER, headers=clerk)
    assert nobody.json()["code"] == "document_unknown"
    with pytest.raises(sa.exc.DatabaseError), kintambo.database.write() as connection:
        connection.execute(sa.text("UPDATE civil_delivery SET to_name = 'autre'"))
    assert [row["to_name"] for row in rows(kintambo, "delivery")] == ["Kapinga Ngalula"]


def test_acts_nobody_fetched_are_listed_with_whom_to_remind_longest_waiting_first(
    kintambo: TestNode, clerk: Headers, act_of: ActOf, clock: TestClock
) -> None:
    first, _ = act_of(prenom="Aînée")
    clock.forward(timedelta(days=10))
    officer, registrar = kintambo.officer("clerk"), kintambo.officer("registrar")
    more = []
    for name in ("Deux", "Trois", "Quatre"):
        birth = kintambo.client.post(
            "/v1/births",
            json={"nom": name, "sex": "M", "birth_date": "2026-01-10", "declarant_name": "Ilunga"},
            headers=officer,
        )
        path = f"/v1/births/{birth.json()['id']}/registration"
        more.append(kintambo.client.post(path, json=BOOK, headers=registrar).json()["id"])
    kintambo.client.post(
        f"/v1/documents/{issue(kintambo, officer, more[0])}/delivery", json=MOTHER, headers=officer
    )
    annul(kintambo, more[1])
    get = kintambo.client.get
    page = get("/v1/acts/undelivered?limit=1", headers=officer).json()
    assert [(each["id"], each["days"], each["declarant_name"]) for each in page["items"]] == [
        (first, 10, "Kapinga Ngalula")
    ]
    rest = get(f"/v1/acts/undelivered?limit=1&cursor={page['next']}", headers=officer).json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([more[2]], None)
    waiting = get("/v1/acts/undelivered?days=5", headers=officer).json()["items"]
    assert [each["id"] for each in waiting] == [first]
    assert get("/v1/acts/undelivered?cursor=x", headers=officer).json()["code"] == "bad_cursor"
    assert get("/v1/acts/undelivered?commune=CD-KN-008", headers=officer).status_code == 403
    with kintambo.database.read() as connection:
        everywhere = delivered_shares(connection, communes=None)
        elsewhere = delivered_shares(connection, communes={"CD-KN-008"})
    assert (everywhere, elsewhere) == ({"CD-KN-017": (1, 3)}, {})
