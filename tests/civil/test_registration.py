"""A registrar draws up acts: date and number from the server, a judgment where the law asks for one."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.civil.conftest import Headers, code, open_volume, register, row, rows
from tests.nodes import TestNode, new

Declare = Callable[..., str]
JUDGMENT = {
    "court": "Tribunal pour enfants de Kinshasa/Gombe",
    "number": "RCE 1204",
    "date": "2026-01-15",
}


def test_an_act_is_dated_today_and_is_the_whole_declaration(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth = declare(
        birth_date="2025-12-20",
        declared_on="2026-01-20",
        mode="procuration",
        facility="facility",
        attendant="doctor",
        mother_name="Marie Kapinga",
        witnesses=["Thérèse Ngalula"],
        mother_residence="avenue Bangala n° 12",
    )
    open_volume(kintambo, registrar)
    found = register(kintambo, registrar, birth, folio=12).json()
    expected = {
        "birth": birth,
        "commune": "CD-KN-017",
        "office": "CD-KN-017-01",
        "year": 2026,
        "volume": "1",
        "number": 1,
        "folio": "12",
        "registered_on": "2026-02-02",
        "warnings": [],
        "person": None,
        "delay": "in_delay",
        "delay_days": 31,
        "delay_limit": 90,
    }
    assert {name: found[name] for name in expected} == expected
    act = row(kintambo, "act", found["id"])
    expected = {
        "provenance": "registration",
        "drawn_at": "2026-02-02T09:00:00.000Z",
        "mode": "procuration",
        "nom": "Mbuyi",
        "declared_on": "2026-01-20",
        "mother_name": "Marie Kapinga",
        "delay_days": 31,
        "number_key": "CD-KN-017-01|2026|1|1",
        "extra": None,
        "judgment_court": None,
    }
    assert {name: act[name] for name in expected} == expected
    with kintambo.database.read() as connection:
        name = connection.exec_driver_sql(
            f"SELECT name FROM officer WHERE id = '{act['drawn_by']}'"
        ).scalar_one()
    facts = json.loads(act["facts"])
    assert facts.pop("delay_article").startswith("art. 116")
    assert facts.pop("text").startswith("Acte de naissance n° 1 de l'année 2026, volume 1, feuillet 12\n")
    assert facts == {
        "facility": "facility",
        "attendant": "doctor",
        "witnesses": ["Thérèse Ngalula"],
        "mother_residence": "avenue Bangala n° 12",
        "officer_name": name,
    }


def test_the_delay_is_that_of_the_declaration_not_of_the_act(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    """No book for months: declared on day 90, registered on day 200 without a judgment."""
    birth = declare(birth_date="2025-11-04", declared_on="2026-02-02")
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(days=110))
    found = register(kintambo, kintambo.officer("registrar"), birth).json()
    assert (found["delay"], found["delay_days"], found["registered_on"]) == ("in_delay", 90, "2026-05-23")


def test_numbers_follow_one_another_in_each_office_and_year(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    first, second, third = declare(), declare(), declare()
    assert register(kintambo, registrar, first).json()["number"] == 1
    assert register(kintambo, registrar, second, volume="2").json()["number"] == 2
    clock: Any = kintambo.node.clock
    clock.forward(timedelta(days=333))
    found = register(kintambo, kintambo.officer("registrar"), third).json()
    assert (found["year"], found["number"], found["registered_on"]) == (2027, 1, "2027-01-01")


def test_two_registrars_at_once_never_share_a_number(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    births = [declare() for _ in range(6)]
    numbers: list[int] = []
    work = [
        threading.Thread(target=lambda b=b: numbers.append(register(kintambo, registrar, b).json()["number"]))
        for b in births
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]


def test_one_birth_is_registered_once(kintambo: TestNode, declare: Declare, registrar: Headers) -> None:
    birth = declare()
    act = register(kintambo, registrar, birth).json()["id"]
    again = register(kintambo, registrar, birth)
    assert code(again) == (409, "already_registered")
    assert again.json()["act"] == act
    assert len(rows(kintambo, "act")) == 1


def test_a_registrar_whose_line_fell_gets_the_same_act_again(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth, headers = declare(), registrar | {"Idempotency-Key": "acte-000001"}
    first, again = register(kintambo, headers, birth), register(kintambo, headers, birth)
    assert (again.status_code, again.content) == (201, first.content)


def test_out_of_delay_the_act_waits_for_the_judgment(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth = declare(birth_date="2025-11-03", declared_on="2026-02-02")
    assert code(register(kintambo, registrar, birth)) == (422, "judgment_required")
    assert rows(kintambo, "act") == []
    found = register(kintambo, registrar, birth, judgment=JUDGMENT).json()
    act = row(kintambo, "act", found["id"])
    assert (found["delay"], found["delay_days"]) == ("out_of_delay", 91)
    judged = act["judgment_court"], act["judgment_number"], act["judgment_date"]
    assert judged == ("Tribunal pour enfants de Kinshasa/Gombe", "RCE 1204", "2026-01-15")


def test_while_lateness_cannot_be_excluded_a_judgment_is_asked_for(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth = declare(birth_date="2025-11", birth_precision="month", declared_on="2026-02-02")
    refused = register(kintambo, registrar, birth)
    assert code(refused) == (422, "judgment_required")
    assert "plus précise" in refused.json()["detail"]
    assert register(kintambo, registrar, birth, judgment=JUDGMENT).status_code == 201


def test_declared_on_a_judgment_the_act_names_it_even_in_delay(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth = declare(mode="judgment")
    assert code(register(kintambo, registrar, birth)) == (422, "judgment_required")
    assert register(kintambo, registrar, birth, judgment=JUDGMENT).status_code == 201


def test_a_judgment_is_neither_of_tomorrow_nor_older_than_the_child(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth = declare(birth_date="2025-10-01", declared_on="2026-02-02")
    for day, words in (("2026-02-03", "avenir"), ("2025-09-30", "antérieur"), ("2026-02-30", "calendrier")):
        answer = register(kintambo, registrar, birth, judgment=JUDGMENT | {"date": day})
        assert code(answer) == (422, "invalid_input")
        assert [e["field"] for e in answer.json()["errors"]] == ["judgment.date"]
        assert words in answer.json()["errors"][0]["message"]


def test_an_act_is_entered_in_the_books_of_its_own_commune(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    birth = declare()
    assert code(register(kintambo, registrar, birth, office="CD-KN-017-77")) == (422, "invalid_input")
    assert code(register(kintambo, registrar, birth, office="CD-KN-008-01")) == (403, "other_commune")
    assert code(register(kintambo, registrar, str(uuid.uuid4()))) == (404, "birth_unknown")
    assert code(register(kintambo, registrar, "demain")) == (404, "birth_unknown")
    assert code(register(kintambo, registrar, birth, number=7)) == (422, "invalid_input")
    assert rows(kintambo, "act") == []


def test_a_clerk_draws_up_no_act(kintambo: TestNode, declare: Declare, clerk: Headers) -> None:
    assert code(register(kintambo, clerk, declare())) == (403, "role_forbidden")


def test_a_child_without_a_name_gets_one_first(
    kintambo: TestNode, clerk: Headers, registrar: Headers
) -> None:
    answer = kintambo.client.post("/v1/births", json={"birth_date": "2026-01-10"}, headers=clerk)
    assert code(register(kintambo, registrar, answer.json()["id"])) == (422, "declaration_doubtful")


def test_no_act_stands_on_what_a_tablet_got_wrong_or_two_people_dispute(
    kintambo: TestNode, registrar: Headers
) -> None:
    def written(values: dict[str, Any], *changes: dict[str, Any]) -> str:
        birth = new("birth", {"nom": "Ilunga", "declared_on": "2026-01-20", **values})
        later = [{"kind": "birth", "id": birth["id"], "set": change} for change in changes]
        with kintambo.database.write() as connection:
            kintambo.door.write(connection, [birth, *later], by=str(uuid.uuid4()))
        return str(birth["id"])

    doubtful = register(kintambo, registrar, written({"birth_date": "2026-02-30", "sex": "M"}))
    assert code(doubtful) == (422, "declaration_doubtful")
    assert "birth_date" in doubtful.json()["detail"]
    future = register(kintambo, registrar, written({"birth_date": "2026-03-01"}))
    assert code(future) == (422, "declaration_doubtful")
    before = register(kintambo, registrar, written({"birth_date": "2026-01-21"}))
    assert code(before) == (422, "declaration_doubtful")
    disputed = register(kintambo, registrar, written({"birth_date": "2026-01-10", "sex": "M"}, {"sex": "F"}))
    assert code(disputed) == (409, "declaration_contested")
    assert "sex" in disputed.json()["detail"]


def test_a_full_volume_is_pointed_out_and_stops_nothing(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    held = [
        new(
            "act",
            {"office": "CD-KN-017-01", "year": 2026, "volume": "1", "number": n, "commune": "CD-KN-017"},
        )
        for n in range(1, 534)
    ]
    with kintambo.database.write() as connection:
        kintambo.door.write(connection, held, by=str(uuid.uuid4()))
    open_volume(kintambo, registrar)
    open_volume(kintambo, registrar, volume="2")
    last, beyond, other = declare(), declare(), declare()
    assert register(kintambo, registrar, last).json()["warnings"] == []
    full = register(kintambo, registrar, beyond).json()
    assert (full["number"], [w["code"] for w in full["warnings"]]) == (535, ["volume_full"])
    sheet = register(kintambo, registrar, other, volume="2", folio="535").json()
    assert [(w["code"], w["field"]) for w in sheet["warnings"]] == [("volume_full", "folio")]
