"""What a clerk is told to look at again: every warning with the smallest declaration that brings it, and the
nearest that does not."""

from __future__ import annotations

import uuid
from typing import Any

from tests.civil.conftest import Headers, household
from tests.nodes import TestNode

CHILD: dict[str, Any] = {
    "nom": "Mbuyi", "sex": "F", "birth_date": "2026-01-10", "birth_precision": "day", "declared_on": "2026-02-02",
}  # fmt: skip


def told(node: TestNode, clerk: Headers, **fields: Any) -> list[tuple[str, str]]:
    """(code, field) of every warning about a declaration that is received; each says in French what to do."""
    answer = node.client.post("/v1/births", json=CHILD | fields, headers=clerk)
    assert answer.status_code == 201, answer.text
    warnings = answer.json()["warnings"]
    assert all(each["message"].endswith(".") and each["advice"] for each in warnings)
    # One child declared with this and that: that it looks like itself is no question here (test_same_child).
    return [(each["code"], each["field"]) for each in warnings if each["code"] != "possible_duplicate"]


CASES: list[tuple[dict[str, Any], list[tuple[str, str]], dict[str, Any]]] = [
    ({"mode": "procuration"}, [("proxy_paper_missing", "paper_ref")], {"paper_ref": "Procuration 7"}),
    ({"mode": "transcription"}, [("foreign_act_missing", "paper_ref")], {"paper_ref": "Bruxelles, acte 512"}),
    ({"mode": "judgment"}, [("judgment_paper_missing", "paper")], {"paper": "judgment"}),
    (
        {"mode": "direct", "facility": "home"},
        [("home_report_missing", "paper")],
        {"paper": "home_report", "paper_ref": "Chef Mputu"},
    ),
    ({"paper": "home_report"}, [("home_report_unsigned", "paper_ref")], {"paper_ref": "Chef Mputu"}),
    ({"facility": "journey"}, [("journey_report_missing", "paper")], {"paper": "journey_report"}),
    ({"declarant_relation": "voisin"}, [("declarant_doubtful", "declarant_relation")], {"declarant_relation": "mère"}),
    (
        {"declarant_relation": "mandataire"},
        [("written_power_missing", "declarant_relation")],
        {"paper_ref": "Procuration 7"},
    ),
    ({"birth_date": "2026-01-01"}, [("first_of_january", "birth_date")], {"birth_date": "2026-01-02"}),
    (
        {"birth_date": "2026-01-01", "birth_precision": "day"},
        [("first_of_january", "birth_date")],
        {"birth_precision": "year"},
    ),
    # ten and sixty years old on the day of birth are possible
    ({"mother_birth_date": "2016-01-11"}, [("mother_age", "mother_birth_date")], {"mother_birth_date": "2016-01-10"}),
    ({"mother_birth_date": "1965-01-10"}, [("mother_age", "mother_birth_date")], {"mother_birth_date": "1965-01-11"}),
    ({"mother_birth_date": "2017"}, [("mother_age", "mother_birth_date")], {"mother_birth_date": "2016-01"}),
    ({"birth_date": "2025-11-03"}, [("judgment_needed", "declared_on")], {"birth_date": "2025-11-04"}),
    (
        {"birth_date": "2015-05-01"},
        [("judgment_needed", "declared_on")],
        {"mode": "judgment", "paper": "judgment"},
    ),
    # the mother lives in another commune and no father is named
    ({"mother_quartier": "1008010"}, [("office_not_competent", "commune")], {"mother_quartier": "1017010"}),
    ({"mother_quartier": "1008010"}, [("office_not_competent", "commune")], {"father_name": "Jean Kabeya"}),
]  # fmt: skip


def test_a_clerk_is_told_what_to_look_at_and_the_birth_is_received_all_the_same(
    kintambo: TestNode, clerk: Headers
) -> None:
    for fields, warned, cured in CASES:
        assert (fields, told(kintambo, clerk, **fields)) == (fields, warned)
        assert (cured, told(kintambo, clerk, **fields | cured)) == (cured, [])


def test_an_unknown_father_an_unusual_name_and_no_witness_are_no_matter(
    kintambo: TestNode, clerk: Headers
) -> None:
    assert told(kintambo, clerk, nom="Ô-Ngbandi'a", mother_name="Marie", mode="direct") == []


def test_the_court_is_named_for_a_late_birth(kintambo: TestNode, clerk: Headers) -> None:
    late = kintambo.client.post("/v1/births", json=CHILD | {"birth_date": "2008-02-02"}, headers=clerk).json()
    (warning,) = late["warnings"]
    assert "18 ans, donc tribunal de paix" in warning["message"]
    minor = kintambo.client.post(
        "/v1/births", json=CHILD | {"birth_date": "2008-02-03"}, headers=clerk
    ).json()
    assert "17 ans, donc tribunal pour enfants" in minor["warnings"][0]["message"]


def test_a_mother_has_no_two_children_within_270_days_unless_they_are_twins(
    kintambo: TestNode, clerk: Headers
) -> None:
    _, (mother, other) = household(
        kintambo, {"prenom": "Marie", "sex": "F", "relation": "head"}, {"prenom": "Anne", "sex": "F"}
    )
    close = [("sibling_too_close", "birth_date")]
    assert told(kintambo, clerk, mother=mother, birth_date="2025-11-20", multiple="twin", order=1) == []
    assert told(kintambo, clerk, mother=mother, birth_date="2025-11-21", multiple="twin", order=2) == []
    assert told(kintambo, clerk, mother=mother, birth_date="2026-01-10") == close
    # The same day without a word of twins is looked at too.
    assert told(kintambo, clerk, mother=mother, birth_date="2025-11-20") == close
    assert told(kintambo, clerk, mother=other, birth_date="2025-11-20") == []
    # Approximate dates that leave 270 days between the two are no reason.
    assert told(kintambo, clerk, mother=other, birth_date="2025", birth_precision="year", mode="judgment",
                paper="judgment") == []  # fmt: skip
    unknown = told(kintambo, clerk, mother=str(uuid.uuid4()))
    assert unknown == [("mother_unknown", "mother")]


def test_where_the_register_has_the_mother_counts_as_her_residence(
    kintambo: TestNode, clerk: Headers
) -> None:
    _, (mother,) = household(kintambo, {"prenom": "Marie", "sex": "F", "relation": "head"})
    assert told(kintambo, clerk, mother=mother) == []
