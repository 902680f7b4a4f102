"""How many of the acts drawn up reached their family, counted by hand."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from app.statistics.schemas import DeliveryOut
from tests.civil.conftest import clerk, declare, kintambo, registrar
from tests.documents.conftest import act_of, annul
from tests.nodes import TestNode
from tests.statistics.conftest import KIMBANSEKE, KINTAMBO, rows

__all__ = ["act_of", "clerk", "declare", "kintambo", "registrar"]

Headers = dict[str, str]
ActOf = Callable[..., tuple[str, str]]
PAPER_ACT = (
    b'{"nom":"Ilunga","sex":"M","birth_date":"2011-01-05","office":"CD-KN-017-01","year":2011,"volume":"1","number":1,'
    b'"registered_on":"2011-02-01"}'
)


def figures(node: TestNode, headers: Headers, query: str = "") -> httpx.Response:
    return node.client.get(f"/v1/statistics/delivery{query}", headers=headers)


def hand_over(node: TestNode, headers: Headers, act: str) -> None:
    issued = node.client.post(f"/v1/acts/{act}/documents", json={"type": "extract"}, headers=headers)
    assert issued.status_code == 201, issued.text
    document = issued.headers["location"].rpartition("/")[2]
    given = {"to_name": "Kapinga Ngalula", "to_relation": "mère"}
    done = node.client.post(f"/v1/documents/{document}/delivery", json=given, headers=headers)
    assert done.status_code == 201, done.text


def test_the_share_of_acts_in_the_hands_of_their_family_and_what_a_planner_sees_of_it(
    kintambo: TestNode, clerk: Headers, registrar: Headers, act_of: ActOf
) -> None:
    planner = kintambo.officer("planner")
    assert rows(figures(kintambo, clerk)) == []
    assert rows(figures(kintambo, clerk, "?by=")) == [{"acts": 0, "delivered": 0, "delivered_rate": None}]
    acts = [act_of(prenom=f"Enfant {number}")[0] for number in range(7)]
    annul(kintambo, acts[6])
    taken = kintambo.client.post(
        "/v1/imports/acts", content=PAPER_ACT, headers=registrar | {"Idempotency-Key": "reprise-1"}
    )
    assert taken.status_code == 201, taken.text
    # Seven drawn up, one of them annulled; the act keyed from paper does not count: 6. Two papers of one act: 4 acts.
    for act in (acts[0], *acts[:4]):
        hand_over(kintambo, clerk, act)
    answer = figures(kintambo, clerk)
    assert rows(answer) == [{"commune": KINTAMBO, "acts": 6, "delivered": 4, "delivered_rate": 0.666667}]
    assert answer.json()["filters"] == {"commune": KINTAMBO}
    DeliveryOut.model_validate(answer.json(), strict=True)
    hidden = {"delivered": None, "delivered_rate": None, "suppressed": True}
    assert rows(figures(kintambo, planner)) == [{"commune": KINTAMBO, "acts": 6, **hidden}]

    hand_over(kintambo, clerk, acts[4])
    seen = {"acts": 6, "delivered": 5, "delivered_rate": 0.833333}
    assert rows(figures(kintambo, planner)) == [{"commune": KINTAMBO, **seen}]
    assert rows(figures(kintambo, planner, "?by=")) == [seen]
    csv = figures(kintambo, planner, "?format=csv")
    assert "remises.csv" in csv.headers["content-disposition"]
    assert "CD-KN-017;Kintambo;6;5;0,833333;" in csv.text
    assert figures(kintambo, planner, f"?commune={KIMBANSEKE}").status_code == 403
    assert figures(kintambo, planner, "?by=sex").json()["code"] == "dimension_unknown"
