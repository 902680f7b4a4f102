"""The tray of files that wait and the campaigns they join."""

from __future__ import annotations

from typing import Any

from tests.civil.conftest import Headers, row
from tests.civil.late.conftest import COURT, STEPS, Json, Open, read, transcribe, walk
from tests.nodes import TestNode

CAMPAIGN = {
    "name": "Audience foraine 2026", "starts_on": "2026-01-15", "ends_on": "2026-03-15", "most_age": 17,
    "court": COURT, "fee_waived": True, "decision": "Circulaire n° 4/2026",
}  # fmt: skip


def tray(node: TestNode, clerk: Headers, **query: Any) -> Json:
    answer = node.client.get("/v1/procedures", params=query, headers=clerk)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def campaign(node: TestNode, clerk: Headers, **said: Any) -> Json:
    answer = node.client.post("/v1/campaigns", json=CAMPAIGN | said, headers=clerk)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_the_longest_waiting_comes_first_and_every_step_is_counted(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    fresh = open_file()
    judged = walk(kintambo, clerk, open_file("2018-01-01"), *STEPS[:3])
    asked = walk(kintambo, clerk, open_file("2017-01-01"), *STEPS[:2])
    done = walk(kintambo, clerk, open_file("2016-01-01"), *STEPS)
    assert transcribe(kintambo, registrar, done).status_code == 201
    found = tray(kintambo, clerk)
    assert [each["id"] for each in found["items"]] == [asked["id"], judged["id"], fresh["id"]]
    assert [each["days"] for each in found["items"]] == [147, 105, 0]
    assert {step: count for step, count in found["counts"].items() if count} == {
        "opened": 1, "requested": 1, "judged": 1, "closed": 1,
    }  # fmt: skip
    assert [each["id"] for each in tray(kintambo, clerk, older_than=105)["items"]] == [asked["id"]]
    assert [each["id"] for each in tray(kintambo, clerk, stage="judged")["items"]] == [judged["id"]]
    assert [each["id"] for each in tray(kintambo, clerk, stage="closed")["items"]] == [done["id"]]
    assert tray(kintambo, clerk, commune="CD-KN-017")["items"] == found["items"]
    pages, cursor = [], None
    for _ in range(3):
        page = tray(kintambo, clerk, limit=1, **({"cursor": cursor} if cursor else {}))
        pages += page["items"]
        cursor = page["next"]
    assert (pages, cursor) == (found["items"], None)


def test_a_file_joined_to_a_campaign_says_whether_the_fee_is_waived_and_why(
    kintambo: TestNode, clerk: Headers, open_file: Open
) -> None:
    made = campaign(kintambo, clerk)
    child = open_file("2019-05-02", campaign=made["id"])
    assert (child["fee_waived"], child["campaign_name"]) == (True, "Audience foraine 2026")
    assert child["fee_explanation"] == (
        "Gratuit : 6 ans et demande du 02/02/2026 dans les dates de la campagne."
    )
    assert row(kintambo, "birth", child["birth"])["campaign"] == "Audience foraine 2026"
    adult = open_file("1995-05-02", campaign=made["id"])
    assert (adult["fee_waived"], "hors des âges" in adult["fee_explanation"]) == (False, True)
    vague = open_file("2008", campaign=made["id"])
    assert vague["fee_waived"] is None
    early = walk(kintambo, clerk, child, {"step": "requested", "on": "2026-01-10", "court": COURT})
    assert (early["fee_waived"], "hors des dates" in early["fee_explanation"]) == (False, True)
    assert row(kintambo, "procedure", child["id"])["fee_waived"] is False
    alone = open_file("2018-05-02")
    assert (alone["fee_waived"], alone["campaign"]) == (False, None)


def test_a_waiting_file_can_join_a_campaign_later_and_keeps_the_name_the_declaration_gave(
    kintambo: TestNode, clerk: Headers, open_file: Open
) -> None:
    made = campaign(kintambo, clerk)
    file = open_file(birth={"campaign": "Unicef 2025"})
    file = walk(
        kintambo, clerk, file,
        {"step": "requested", "on": "2026-01-20", "court": COURT, "campaign": made["id"]},
    )  # fmt: skip
    assert (file["campaign"], file["fee_waived"]) == (made["id"], True)
    assert row(kintambo, "birth", file["birth"])["campaign"] == "Unicef 2025"
    assert read(kintambo, clerk, file)["campaign_name"] == CAMPAIGN["name"]


def test_a_campaign_counts_its_files_and_the_acts_that_came_of_them(
    kintambo: TestNode, clerk: Headers, registrar: Headers, open_file: Open
) -> None:
    made, other = campaign(kintambo, clerk), campaign(kintambo, clerk, name="Deuxième")
    files = [open_file(f"201{n}-01-01", campaign=made["id"]) for n in range(3)]
    done = transcribe(kintambo, registrar, walk(kintambo, clerk, files[0], *STEPS))
    assert done.status_code == 201, done.text
    act = kintambo.client.get(f"/v1/acts/{done.json()['id']}", headers=clerk).json()
    assert act["original"]["campaign"] == "Audience foraine 2026"
    listed = kintambo.client.get("/v1/campaigns", headers=clerk).json()["items"]
    counted = {each["id"]: (each["procedures"], each["waiting"], each["acts"]) for each in listed}
    assert counted == {made["id"]: (3, 2, 1), other["id"]: (0, 0, 0)}
    of_it = tray(kintambo, clerk, campaign=made["id"])
    assert (len(of_it["items"]), of_it["counts"]["closed"]) == (2, 1)


def test_a_campaign_that_cannot_be_is_refused(kintambo: TestNode, clerk: Headers, declare: Any) -> None:
    for said, field in (
        ({"ends_on": "2026-01-14"}, "ends_on"),
        ({"least_age": 18}, "most_age"),
        ({"commune": "CD-KN-099"}, "commune"),
    ):
        answer = kintambo.client.post("/v1/campaigns", json=CAMPAIGN | said, headers=clerk)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    birth = declare(birth_date="2019-05-02")
    unknown = {"campaign": "7b0f2f4e-5f55-4c3a-9a0c-2f1e6a3d9b10"}
    answer = kintambo.client.post(f"/v1/births/{birth}/procedure", json=unknown, headers=clerk)
    assert (answer.status_code, answer.json()["code"]) == (404, "campaign_unknown")
