"""The whole way of a child declared too late: from the file to the act on the court's judgment, over REST."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from app.audit import verify
from tests.civil.conftest import Headers, row, rows
from tests.civil.late.conftest import COURT, STEPS, Json, Open, codes, read, step, transcribe, walk
from tests.nodes import TestNode


def test_a_child_declared_too_late_gets_its_act_on_a_judgment_step_by_step(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    file = open_file(requester="Marie Kapinga, mère")
    assert (file["path"], file["stage"], file["court_kind"]) == ("judgment", "opened", "children")
    assert file["court_explanation"].startswith("Âge au jour de la requête (02/02/2026) : 6 ans")
    assert file["next"]["step"] == "sent"
    wanted = ["requested", "judged", "served", "no_appeal", "transcription"]
    for said, following in zip(STEPS, wanted, strict=True):
        file = walk(kintambo, clerk, file, said)
        assert (file["stage"], file["since"], file["next"]["step"]) == (said["step"], said["on"], following)
    assert file["next"]["to_do"] == "Transcrire au registre de l'année en cours : n° RCE 1204 du 20/10/2025."
    assert (file["days"], file["blocked"]) == (54, [])
    days = [(each["step"], each["days"]) for each in file["steps"]]
    assert days[1:] == [("sent", 7), ("requested", 42), ("judged", 14), ("served", 37), ("no_appeal", 54)]
    done = transcribe(kintambo, registrar, file)
    assert done.status_code == 201, done.text
    act = done.json()
    assert (act["year"], act["number"], act["folio"], act["delay"]) == (2026, 1, "7", "out_of_delay")
    closed = read(kintambo, clerk, file)
    assert (closed["stage"], closed["next"], closed["act"]) == ("closed", None, act["id"])
    assert (closed["transcribed_on"], closed["closed_reason"]) == ("2026-02-02", "transcrit")
    shown = kintambo.client.get(f"/v1/acts/{act['id']}", headers=clerk).json()
    assert shown["judgment"] == {"court": COURT, "number": "RCE 1204", "date": "2025-10-20"}
    (note,) = shown["notes"]
    assert (note["id"], note["type"], note["reference"]) == (act["annotation"], "transcription", "RCE 1204")
    assert note["text"] == (
        "Transcrit le jugement supplétif n° RCE 1204 rendu le vingtième jour du mois d'octobre de l'an deux mille "
        f"vingt-cinq par : {COURT}, signifié le troisième jour du mois de novembre de l'an deux mille vingt-cinq, "
        "certificat de non-appel n° CNA 9 délivré le dixième jour du mois de décembre de l'an deux mille vingt-cinq ; "
        "inscrit le deuxième jour du mois de février de l'an deux mille vingt-six au registre de l'année 2026."
    )
    assert verify(kintambo.database, key=kintambo.door.identity.key.public).first_difference is None


def test_act_note_and_closing_are_one_batch(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    file = walk(kintambo, clerk, open_file(), *STEPS)
    before = kintambo.door.database
    with before.read() as connection:
        last = connection.exec_driver_sql("SELECT max(id) FROM batch").scalar_one()
    assert transcribe(kintambo, registrar, file).status_code == 201
    with before.read() as connection:
        assert connection.exec_driver_sql("SELECT max(id) FROM batch").scalar_one() == last + 1


def test_a_missing_step_is_a_reason_and_stops_only_the_transcription(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    file = walk(kintambo, clerk, open_file(court=COURT), STEPS[2])
    assert (file["stage"], codes(file), file["next"]["step"]) == ("judged", ["step_missing"], "requested")
    refused = transcribe(kintambo, registrar, file)
    assert (refused.status_code, refused.json()["code"]) == (409, "procedure_blocked")
    missing = [each["message"] for each in refused.json()["reasons"]]
    assert missing == [
        "Il manque une étape : Requête déposée.",
        "Il manque une étape : Jugement signifié.",
        "Il manque une étape : Certificat de non-appel.",
    ]
    assert rows(kintambo, "act") == []


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"step": "requested", "on": "2026-02-03"}, "on"),
        ({"step": "requested", "on": "2019-05-01"}, "on"),
        ({"step": "requested", "on": "2025-10-21"}, "on"),
        ({"step": "served", "on": "2025-10-19", "to": "la mère"}, "on"),
        ({"step": "homologated", "on": "2026-01-01"}, "step"),
        ({"step": "served", "on": "2025-11-01", "slip": "B 1"}, "slip"),
        ({"step": "closed", "on": "2026-02-02"}, "note"),
    ],
)
def test_a_step_that_contradicts_what_is_noted_is_refused(
    kintambo: TestNode, clerk: Headers, open_file: Open, said: Json, field: str
) -> None:
    """The child is born on 2 May 2019, the judgment is of 20 October 2025, today is 2 February 2026."""
    file = walk(kintambo, clerk, open_file(court=COURT), STEPS[2])
    answer = step(kintambo, clerk, file, **said)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_a_granted_judgment_needs_its_court_and_number_and_a_refused_one_nothing(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    file = open_file()
    answer = step(kintambo, clerk, file, step="judged", on="2025-10-20")
    assert [each["field"] for each in answer.json()["errors"]] == ["number", "court"]
    file = walk(kintambo, clerk, file, {"step": "judged", "on": "2025-10-20", "outcome": "refused"})
    assert codes(file) == ["step_missing", "judgment_refused"]
    assert file["next"]["step"] == "closed"
    assert "judgment_refused" in transcribe(kintambo, registrar, file).text
    file = walk(kintambo, clerk, file, {"step": "closed", "on": "2026-01-05", "note": "rejeté"})
    assert (file["stage"], file["next"], file["blocked"]) == ("closed", None, [])
    late = step(kintambo, clerk, file, **STEPS[3])
    assert (late.status_code, late.json()["code"]) == (409, "procedure_closed")
    assert transcribe(kintambo, registrar, file).json()["code"] == "procedure_closed"


def test_a_correction_takes_the_place_of_what_was_noted_and_both_stay_to_be_read(
    kintambo: TestNode, clerk: Headers, open_file: Open
) -> None:
    file = walk(kintambo, clerk, open_file(), *STEPS[:3])
    file = walk(kintambo, clerk, file, {"step": "judged", "on": "2025-10-21", "number": "RCE 1205"})
    assert file["since"] == "2025-10-21"
    written = read(kintambo, clerk, file)["history"]
    judged = [(each["value"], each["stands"]) for each in written if each["field"] == "judged_on"]
    assert judged == [("2025-10-20", False), ("2025-10-21", True)]
    assert {each["by_name"] for each in written} == {"Clerk1"}
    assert kintambo.client.get("/v1/conflicts", headers=clerk).json()["items"] == []


def test_the_time_for_appeal_and_a_certificate_too_early_are_pointed_out_and_block_nothing(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    served = {"step": "served", "on": "2026-01-20", "to": "le père"}
    file = walk(kintambo, clerk, open_file(), *STEPS[:3], served)
    (reason,) = file["blocked"]
    assert (reason["code"], reason["blocks"]) == ("appeal_running", False)
    assert "jusqu'au 19/02/2026" in reason["message"]
    file = walk(kintambo, clerk, file, {"step": "no_appeal", "on": "2026-02-01", "number": "CNA 1"})
    assert codes(file) == ["appeal_short"]
    assert transcribe(kintambo, registrar, file).status_code == 201


def test_a_contested_birth_waits_until_the_conflict_is_settled(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    kintambo.join_a_province()
    file = walk(kintambo, clerk, open_file(), *STEPS)
    tablet = kintambo.tablet("CD-KN-017")
    kintambo.push(tablet, {"kind": "birth", "id": file["birth"], "set": {"nom": "Ilunga"}})
    found = read(kintambo, clerk, file)
    assert codes(found) == ["birth_contested"]
    refused = transcribe(kintambo, registrar, file)
    assert [each["code"] for each in refused.json()["reasons"]] == ["birth_contested"]


def test_the_court_goes_by_the_age_on_the_day_of_the_request(
    kintambo: TestNode, clerk: Headers, open_file: Open
) -> None:
    """Born on 10 September 2007: a minor when the file was opened and asked for, of age today."""
    file = open_file("2007-09-10")
    assert file["court_kind"] == "adults"
    file = walk(kintambo, clerk, file, {"step": "requested", "on": "2025-09-09", "court": COURT})
    assert (file["court_kind"], file["blocked"]) == ("children", [])
    file = walk(kintambo, clerk, file, {"step": "requested", "on": "2025-09-10"})
    assert (file["court_kind"], codes(file)) == ("adults", ["other_court"])
    assert file["blocked"][0]["blocks"] is False
    assert row(kintambo, "procedure", file["id"])["court_kind"] == "adults"
    vague = open_file("2008")
    assert (vague["court_kind"], codes(vague)) == ("undetermined", ["court_undetermined"])


def test_who_was_born_before_the_code_may_take_the_way_of_notoriety(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    file = open_file("1970")
    assert (file["path"], file["path_label"]) == ("notoriety", "acte de notoriété supplétif")
    court = "Tribunal de paix de Kinshasa/Ngaliema"
    file = walk(
        kintambo, clerk, file,
        {"step": "requested", "on": "2025-09-08", "court": court},
        {"step": "judged", "on": "2025-10-20", "number": "AN 12"},
        {"step": "homologated", "on": "2025-11-20", "number": "H 3"},
    )  # fmt: skip
    assert (file["next"]["step"], file["blocked"]) == ("transcription", [])
    done = transcribe(kintambo, registrar, file)
    assert done.status_code == 201, done.text
    (note,) = rows(kintambo, "annotation")
    assert note["text"].startswith("Transcrit l'acte de notoriété supplétif n° AN 12 rendu le vingtième jour")
    assert "homologué n° H 3 le vingtième jour du mois de novembre" in note["text"]
    assert open_file("1970", path="judgment")["path"] == "judgment"


def test_who_was_born_under_the_code_needs_a_judgment(
    kintambo: TestNode, clerk: Headers, declare: Any
) -> None:
    birth = declare(birth_date="1990-01-01")
    answer = kintambo.client.post(f"/v1/births/{birth}/procedure", json={"path": "notoriety"}, headers=clerk)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "path")


def test_a_file_is_opened_once_and_only_for_a_birth_that_needs_one(
    kintambo: TestNode, clerk: Headers, registrar: Headers, declare: Any, open_file: Open
) -> None:
    def opened(birth: str) -> tuple[int, str]:
        answer = kintambo.client.post(f"/v1/births/{birth}/procedure", json={}, headers=clerk)
        return answer.status_code, answer.json()["code"]

    file = open_file()
    assert opened(file["birth"]) == (409, "procedure_open")
    in_time = declare()
    assert opened(in_time) == (409, "procedure_not_needed")
    assert opened(str(uuid.uuid4())) == opened("1") == (404, "birth_unknown")
    assert transcribe(kintambo, registrar, walk(kintambo, clerk, file, *STEPS)).status_code == 201
    assert opened(file["birth"]) == (409, "already_registered")
    strange = kintambo.client.get(f"/v1/procedures/{uuid.uuid4()}", headers=clerk)
    assert (strange.status_code, strange.json()["code"]) == (404, "procedure_unknown")


def test_a_birth_registered_on_its_judgment_without_a_file_leaves_the_open_file_with_the_reason(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    file = open_file()
    judgment = {"court": COURT, "number": "RCE 1", "date": "2025-10-20"}
    entry = {"office": "CD-KN-017-01", "volume": "1", "judgment": judgment}
    path = f"/v1/births/{file['birth']}/registration"
    assert kintambo.client.post(path, json=entry, headers=registrar).status_code == 201
    assert codes(read(kintambo, clerk, file)) == ["already_registered"]


def test_what_a_registrar_signs_beside_an_act_asks_for_his_second_factor(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    """Once the window of his last code is over he is asked for another, and nothing is written until he gives it."""
    file = walk(kintambo, clerk, open_file(), *STEPS)
    act = transcribe(kintambo, registrar, file).json()["id"]
    waiting = walk(kintambo, clerk, open_file("2018-01-01"), *STEPS)
    note = {"type": "rectification", "reference": "OR 12", "date": "2026-02-02", "changes": {"nom": "Mbuya"}}
    with kintambo.database.write() as connection:
        connection.exec_driver_sql("UPDATE officer_session SET second_factor_at = NULL")
    answers = [
        transcribe(kintambo, registrar, waiting),
        kintambo.client.post(f"/v1/acts/{act}/annotations", json=note, headers=registrar),
        kintambo.client.post(f"/v1/annulments/{uuid.uuid4()}/confirmation", json={}, headers=registrar),
    ]
    found = [(each.status_code, each.json()["code"]) for each in answers]
    assert found == [(401, "second_factor_required")] * 3
    assert (len(rows(kintambo, "act")), len(rows(kintambo, "annotation"))) == (1, 1)
