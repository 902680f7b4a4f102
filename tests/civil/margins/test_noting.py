"""A note stands in the margin: the act reads otherwise from its day on, the original stays beside it, and the child's
file follows."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.civil.conftest import Headers, row, rows
from tests.civil.margins.conftest import annotate, read
from tests.nodes import TestNode

Json = dict[str, Any]


def test_an_act_reads_as_rectified_from_the_day_of_the_decision_and_the_original_stays_beside_it(
    kintambo: TestNode, act: Json, registrar: Headers, clerk: Headers
) -> None:
    before = row(kintambo, "act", act["id"])
    written = annotate(kintambo, registrar, act["id"], date="2026-01-20")
    assert written.status_code == 201, written.text
    assert written.json()["text"] == (
        "Rectification d'une erreur matérielle : n° OR 12/2026, le vingtième jour du mois de janvier de l'an deux "
        "mille vingt-six, président du tribunal de paix. "
        "Lire : nom « Mbuya » au lieu de « Mbuyi »."
    )
    early = read(kintambo, clerk, act["id"], on="2026-01-19")
    assert (early["reads"]["nom"], early["changed"], early["notes"][0]["counts"]) == ("Mbuyi", [], False)
    now = read(kintambo, clerk, act["id"], on="2026-01-20")
    assert (now["reads"]["nom"], now["original"]["nom"], now["changed"]) == ("Mbuya", "Mbuyi", ["nom"])
    assert now == read(kintambo, clerk, act["id"]) | {"on": "2026-01-20"}
    assert (now["stands"], now["annulled"], now["line"]) == (True, False, "Acte en vigueur, 1 mention.")
    assert {n: v for n, v in row(kintambo, "act", act["id"]).items() if n != "seq"} == {
        n: v for n, v in before.items() if n != "seq"
    }


def test_what_a_note_changes_enters_the_childs_file_as_a_fact_of_the_act(
    kintambo: TestNode, born_at_home: Json, registrar: Headers, clerk: Headers
) -> None:
    changes = {"prenom": None, "sex": "M", "birth_date": "2026-01-11", "father_name": "Jean Kabeya"}
    answer = annotate(
        kintambo,
        registrar,
        born_at_home["id"],
        type="court_ordered_change",
        court="Tribunal",
        changes=changes,
    )
    assert answer.status_code == 201, answer.text
    child = row(kintambo, "person", born_at_home["person"])
    shown = {name: child[name] for name in ("nom", "postnom", "prenom", "sex", "birth_date", "father_name")}
    assert shown == {
        "nom": "Mbuyi", "postnom": "Kalala", "prenom": None, "sex": "M", "birth_date": "2026-01-11",
        "father_name": "Jean Kabeya",
    }  # fmt: skip
    assert child["birth_precision"] == "day"
    path = f"/v1/persons/{born_at_home['person']}"
    tag = kintambo.client.get(path, headers=clerk).headers["etag"]
    refused = kintambo.client.patch(path, json={"sex": "F"}, headers=clerk | {"If-Match": tag})
    assert (refused.status_code, refused.json()["code"]) == (409, "fact_of_act")
    assert kintambo.client.get("/v1/conflicts", headers=clerk).json()["items"] == []


def test_an_earlier_decision_that_arrives_later_does_not_undo_a_later_one(
    kintambo: TestNode, born_at_home: Json, registrar: Headers, clerk: Headers
) -> None:
    act = born_at_home["id"]
    for day, name in (("2026-01-30", "Mbuya"), ("2026-01-20", "Mboyi")):
        assert annotate(kintambo, registrar, act, date=day, changes={"nom": name}).status_code == 201
    found = read(kintambo, clerk, act)
    assert [note["date"] for note in found["notes"]] == ["2026-01-20", "2026-01-30"]
    assert found["reads"]["nom"] == row(kintambo, "person", born_at_home["person"])["nom"] == "Mbuya"
    assert read(kintambo, clerk, act, on="2026-01-25")["reads"]["nom"] == "Mboyi"


def test_a_marriage_or_a_death_is_noted_and_changes_nothing(
    kintambo: TestNode, act: Json, registrar: Headers, clerk: Headers
) -> None:
    for kind in ("marriage", "divorce", "death", "nationality", "judgment"):
        said = {"type": kind, "court": "Tribunal de paix", "text": f"Mention : {kind}."}
        refused = annotate(kintambo, registrar, act["id"], **said)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "changes.nom"), kind
        noted = annotate(kintambo, registrar, act["id"], changes={}, **said)
        assert (noted.status_code, noted.json()["text"]) == (201, f"Mention : {kind}.")
    found = read(kintambo, clerk, act["id"])
    assert (len(found["notes"]), found["changed"], found["reads"]) == (5, [], found["original"])


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"type": "legend"}, "type"),
        ({"type": "annulment"}, "type"),
        ({"type": "transcription"}, "type"),
        ({"date": "2026-02-03"}, "date"),
        ({"date": "2026-01-09"}, "date"),
        ({"changes": {"birth_date": "2026-02-03"}}, "changes.birth_date"),
        ({"changes": {"nom": None, "postnom": None, "prenom": None}}, "changes"),
        ({"changes": {"mother_quartier": "1017010"}}, "changes.mother_quartier"),
        ({"type": "recognition", "changes": {"sex": "M"}}, "changes.sex"),
    ],
)
def test_a_note_that_cannot_be_is_refused_with_the_field_that_is_wrong(
    kintambo: TestNode, act: Json, registrar: Headers, said: Json, field: str
) -> None:
    answer = annotate(kintambo, registrar, act["id"], **said)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert rows(kintambo, "annotation") == []


def test_a_missing_court_is_pointed_out_and_blocks_nothing(
    kintambo: TestNode, act: Json, registrar: Headers
) -> None:
    answer = annotate(kintambo, registrar, act["id"], type="adoption")
    assert answer.status_code == 201
    assert [each["code"] for each in answer.json()["warnings"]] == ["court_missing"]


def test_the_same_note_sent_twice_under_one_key_is_written_once(
    kintambo: TestNode, act: Json, registrar: Headers
) -> None:
    keyed = registrar | {"Idempotency-Key": "mention-1"}
    first, again = (annotate(kintambo, keyed, act["id"]) for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    assert len(rows(kintambo, "annotation")) == 1


def test_an_act_nobody_drew_up_is_unknown(kintambo: TestNode, registrar: Headers) -> None:
    for act in (str(uuid.uuid4()), "1"):
        answers = [
            kintambo.client.get(f"/v1/acts/{act}", headers=registrar),
            annotate(kintambo, registrar, act),
        ]
        assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, "act_unknown")] * 2


def test_a_day_that_is_none_is_refused(kintambo: TestNode, act: Json, registrar: Headers) -> None:
    for day in ("2026", "2026-02-30", "hier"):
        answer = kintambo.client.get(f"/v1/acts/{act['id']}", params={"on": day}, headers=registrar)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "on")
