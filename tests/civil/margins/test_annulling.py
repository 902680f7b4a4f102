"""Only a court annuls an act, and two officers say so: the act stays to be seen, its number is never given again, and
it counts no more."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from app.audit import verify
from app.keeping_safe.rebuild import rebuild
from app.node import Node
from app.settings import Settings
from app.statistics.tables import birth_cell, birth_year
from tests.civil.conftest import Headers, row, rows
from tests.civil.margins.conftest import BOOK, DECISION, Register, annotate, annul, read
from tests.nodes import TestNode

Json = dict[str, Any]


def counted(node: TestNode) -> dict[str, int]:
    """Births by delay, as the statistics answer them by year of registration and of birth."""
    asked = {"by": "delay", "commune": "CD-KN-017"}
    clerk = node.officer("clerk")
    found = {}
    for basis in ("registration", "birth"):
        answer = node.client.get("/v1/statistics/births", params=asked | {"basis": basis}, headers=clerk)
        assert answer.status_code == 200, answer.text
        found[basis] = sum(each["births"] for each in answer.json()["rows"])
    return found


def assert_clean(node: TestNode) -> None:
    """The audit counts everything a second time, from what was signed."""
    report = verify(node.database, key=node.door.identity.key.public)
    assert report.first_difference is None
    assert report.ok


def test_an_act_is_annulled_when_a_second_officer_confirms_and_not_before(
    kintambo: TestNode, act: Json, registrar: Headers, clerk: Headers
) -> None:
    path = f"/v1/acts/{act['id']}/annulment"
    proposed = kintambo.client.post(path, json=DECISION, headers=registrar)
    assert (proposed.status_code, proposed.json()["stage"]) == (201, "proposed")
    assert read(kintambo, clerk, act["id"])["stands"] is True
    confirmation = f"/v1/annulments/{proposed.json()['id']}/confirmation"
    alone = kintambo.client.post(confirmation, json={}, headers=registrar)
    assert (alone.status_code, alone.json()["code"]) == (409, "same_officer")
    assert rows(kintambo, "annotation") == []
    second = kintambo.officer("registrar")
    done = kintambo.client.post(confirmation, json={}, headers=second)
    assert (done.status_code, done.json()["stage"]) == (200, "confirmed")
    found = read(kintambo, clerk, act["id"])
    assert (found["stands"], found["annulled"], found["original"]["nom"]) == (False, True, "Mbuyi")
    assert found["line"].startswith("Acte ANNULÉ par jugement n° RC 31.204 du 02/02/2026, Tribunal de grande")
    (note,) = found["notes"]
    assert (note["type"], note["id"]) == ("annulment", done.json()["annotation"])
    assert note["recorded_name"] != note["confirmed_name"]
    early = read(kintambo, clerk, act["id"], on="2026-02-01")
    assert (early["stands"], early["annulled"]) == (True, True)
    assert early["line"] == found["line"]
    listed = kintambo.client.get("/v1/annulments", params={"stage": "confirmed"}, headers=clerk).json()
    assert [each["act"] for each in listed["items"]] == [act["id"]]


def test_an_annulled_act_takes_no_more_notes_and_is_annulled_once(
    kintambo: TestNode, act: Json, registrar: Headers
) -> None:
    proposal = annul(kintambo, act["id"])
    answers = [
        annotate(kintambo, registrar, act["id"]),
        kintambo.client.post(f"/v1/acts/{act['id']}/annulment", json=DECISION, headers=registrar),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "act_annulled")] * 2
    for step in ("confirmation", "withdrawal"):
        again = kintambo.client.post(f"/v1/annulments/{proposal}/{step}", json={}, headers=registrar)
        assert (again.status_code, again.json()["code"]) == (409, "annulment_settled")


def test_a_proposal_can_be_withdrawn_and_then_made_again(
    kintambo: TestNode, act: Json, registrar: Headers, clerk: Headers
) -> None:
    path = f"/v1/acts/{act['id']}/annulment"
    first = kintambo.client.post(path, json=DECISION, headers=registrar).json()["id"]
    second = kintambo.client.post(path, json=DECISION, headers=registrar)
    assert (second.status_code, second.json()["code"]) == (409, "annulment_proposed")
    gone = kintambo.client.post(
        f"/v1/annulments/{first}/withdrawal", json={"note": "Frappé d'appel"}, headers=registrar
    )
    assert (gone.status_code, gone.json()["stage"], gone.json()["note"]) == (
        200,
        "withdrawn",
        "Frappé d'appel",
    )
    assert kintambo.client.post(path, json=DECISION, headers=registrar).status_code == 201
    stages = kintambo.client.get("/v1/annulments", headers=clerk).json()["items"]
    assert sorted(each["stage"] for each in stages) == ["proposed", "withdrawn"]


@pytest.mark.parametrize("day", ["2026-02-03", "2026-02-01"])
def test_a_decision_before_the_act_or_in_the_future_is_refused(
    kintambo: TestNode, act: Json, registrar: Headers, day: str
) -> None:
    path = f"/v1/acts/{act['id']}/annulment"
    answer = kintambo.client.post(path, json=DECISION | {"date": day}, headers=registrar)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "date")


def test_an_annulment_nobody_proposed_is_unknown(kintambo: TestNode, registrar: Headers) -> None:
    for proposal in (str(uuid.uuid4()), "1"):
        for step in ("confirmation", "withdrawal"):
            answer = kintambo.client.post(f"/v1/annulments/{proposal}/{step}", json={}, headers=registrar)
            assert (answer.status_code, answer.json()["code"]) == (404, "annulment_unknown")


def test_a_birth_whose_act_was_annulled_is_registered_anew_for_the_same_child_under_a_new_number(
    kintambo: TestNode, born_at_home: Json, registrar: Headers, clerk: Headers
) -> None:
    birth, person = born_at_home["birth"], born_at_home["person"]
    annul(kintambo, born_at_home["id"])
    waiting = kintambo.client.get(f"/v1/births/{birth}", headers=clerk).json()
    assert (waiting["act"], waiting["annulled_acts"]) == (None, [born_at_home["id"]])
    (item,) = kintambo.client.get("/v1/births", headers=clerk).json()["items"]
    assert (item["id"], item["act"]) == (birth, None)
    again = kintambo.client.post(f"/v1/births/{birth}/registration", json=BOOK, headers=registrar)
    assert again.status_code == 201, again.text
    assert (again.json()["number"], again.json()["person"]) == (born_at_home["number"] + 1, person)
    shown = kintambo.client.get(f"/v1/births/{birth}", headers=clerk).json()
    assert (shown["act"]["id"], shown["annulled_acts"]) == (again.json()["id"], [born_at_home["id"]])
    (item,) = kintambo.client.get("/v1/births", headers=clerk).json()["items"]
    assert item["act"]["id"] == again.json()["id"]
    third = kintambo.client.post(f"/v1/births/{birth}/registration", json=BOOK, headers=registrar)
    assert (third.status_code, third.json()["act"]) == (409, again.json()["id"])
    assert counted(kintambo) == {"registration": 1, "birth": 1}
    assert_clean(kintambo)


def test_the_child_of_an_annulled_act_is_without_act_and_its_file_can_be_corrected_again(
    kintambo: TestNode, born_at_home: Json, clerk: Headers
) -> None:
    annul(kintambo, born_at_home["id"])
    child = row(kintambo, "person", born_at_home["person"])
    assert (child["birth_act"], child["birth_act_ref"], child["nom"]) == ("none", None, "Mbuyi")
    path = f"/v1/persons/{child['id']}"
    tag = kintambo.client.get(path, headers=clerk).headers["etag"]
    changed = kintambo.client.patch(path, json={"sex": "M"}, headers=clerk | {"If-Match": tag})
    assert changed.status_code == 200, changed.text
    assert kintambo.client.get("/v1/conflicts", headers=clerk).json()["items"] == []


def test_a_child_with_two_acts_keeps_the_one_that_stands(
    kintambo: TestNode, born_at_home: Json, registered: Register
) -> None:
    """The same child was declared twice: a court annuls the second act."""
    second = registered(person=born_at_home["person"], nom="Mbuya")
    child = row(kintambo, "person", born_at_home["person"])
    assert (child["nom"], child["birth_act_ref"]) == ("Mbuya", "CD-KN-017-01 vol. 1/2026 n° 2")
    annul(kintambo, second["id"])
    child = row(kintambo, "person", born_at_home["person"])
    assert (child["nom"], child["birth_act"]) == ("Mbuyi", "seen")
    assert child["birth_act_ref"] == "CD-KN-017-01 vol. 1/2026 n° 1"


def test_an_annulled_act_counts_no_more_in_any_figure_nor_in_the_audits_own_count(
    kintambo: TestNode, registered: Register
) -> None:
    kept = registered()
    gone = registered(sex="M", mother_quartier="1017010", birth_date="2026-01", birth_precision="month",
                      declared_on="2026-01-31")  # fmt: skip
    assert counted(kintambo) == {"registration": 2, "birth": 2}
    annul(kintambo, gone["id"])
    assert counted(kintambo) == {"registration": 1, "birth": 1}
    with kintambo.database.read() as connection:
        cells = connection.execute(birth_cell.select().where(birth_cell.c.births != 0)).all()
        years = connection.execute(birth_year.select().where(birth_year.c.births != 0)).all()
    assert {(each.sex, each.births) for each in cells} == {("F", 1)}
    assert sum(each.births for each in years) == 2
    assert_clean(kintambo)
    assert row(kintambo, "act", kept["id"])["number"] == 1


def test_a_note_that_claims_facts_no_act_can_have_takes_nothing_away(kintambo: TestNode, act: Json) -> None:
    strange: list[Any] = [
        None, [], "x", {}, {"year": "2026"}, {"year": True}, {"year": 0},
        *({"year": 2026} | each for each in (
            {"birth_date": "hier"}, {"commune": {"a": 1}}, {"mode": "x" * 101}, {"registered_on": 20260101},
        )),
    ]  # fmt: skip
    for facts in strange:
        said = {"act": act["id"], "commune": "CD-KN-017", "type": "annulment", "facts": facts}
        note = {"kind": "annotation", "id": str(uuid.uuid4()), "new": True, "set": said}
        with kintambo.database.write() as connection:
            kintambo.door.write(connection, [note], by=str(uuid.uuid4()))
    assert counted(kintambo) == {"registration": 1, "birth": 1}
    assert_clean(kintambo)


def test_a_rebuild_from_what_was_signed_finds_the_annulled_act_and_its_figures_again(
    kintambo: TestNode, registered: Register, registrar: Headers, clerk: Headers
) -> None:
    registered()
    gone = registered(sex="M")
    annotate(kintambo, registrar, gone["id"])
    annul(kintambo, gone["id"])
    before = {kind: rows(kintambo, kind) for kind in ("act", "annotation", "annulment")}
    settings = Settings(
        data=kintambo.node.settings.data,
        database_url=kintambo.database.url.render_as_string(hide_password=False),
    )
    opened = Node.open(settings)
    try:
        assert rebuild(opened, told=lambda done, total: None).differences == []
    finally:
        opened.database.close()

    def by_id(found: list[Json]) -> dict[str, Json]:
        return {each["id"]: {n: v for n, v in each.items() if n not in ("seq", "rev")} for each in found}

    assert {kind: by_id(rows(kintambo, kind)) for kind in before} == {
        kind: by_id(found) for kind, found in before.items()
    }
    assert counted(kintambo) == {"registration": 1, "birth": 1}
    assert read(kintambo, clerk, gone["id"])["annulled"] is True
