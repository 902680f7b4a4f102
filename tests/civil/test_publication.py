"""The law on the wall: what anybody may read, and what a jurist puts beside the shipped files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.law.parameters import LawError
from app.main import create_app
from app.node import Node
from app.settings import UnreadableLaw
from tests.nodes import TestNode
from tests.web.client import InProcess

SHEETS = "in_force_from,in_force_to,sheets,source,status\n1988-08-01,,250,arrêté n° 12,verified\n"


pytestmark = pytest.mark.usefixtures("shipped_law")


def topics(node: TestNode, query: str = "") -> dict[str, list[dict[str, Any]]]:
    answer = node.client.get(f"/v1/law{query}")
    assert answer.status_code == 200, answer.text
    return {topic["topic"]: topic["parameters"] for topic in answer.json()["topics"]}


def test_anybody_reads_the_law_of_a_day_with_its_articles_and_its_doubts(kintambo: TestNode) -> None:
    found = topics(kintambo)
    assert [each["values"]["days"] for each in found["delay"]] == [30, 90, 90]
    assert {each["status"] for each in found["delay"]} == {"unverified"}
    for day, article in (
        ("2009-01-09", "art. 116 du Code de la famille (loi n° 87-010 du 1er août 1987)"),
        ("2009-01-10", "art. 16 de la loi n° 09/001 du 10 janvier 2009 portant protection de l'enfant"),
        ("2016-07-15", "art. 116 du Code de la famille modifié par la loi n° 16/008 du 15 juillet 2016"),
    ):
        (rule,) = topics(kintambo, f"?on={day}")["delay"]
        assert rule["article"] == article
    assert topics(kintambo, "?on=1980-01-01")["delay"] == []
    courts = {each["code"]: each for each in found["courts"]}
    assert courts["children"]["values"] == {
        "court_kind": "tribunal pour enfants", "from_age": 0, "below_age": 18
    }  # fmt: skip
    assert courts["adults"]["status"] == "unverified"


def test_a_day_that_does_not_exist_is_refused(kintambo: TestNode) -> None:
    for day in ("2026-02-30", "2026", "hier", "2026-02"):
        answer = kintambo.client.get(f"/v1/law?on={day}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


def reopened(node: TestNode, directory: Path | None = None) -> Node:
    settings = node.node.settings.model_copy(update={"law": directory})
    return Node.open(settings, database=node.database, clock=node.node.clock)


def test_a_jurists_files_beside_the_node_are_applied_when_it_starts(
    kintambo: TestNode, clerk: dict[str, str]
) -> None:
    directory = kintambo.node.settings.data / "law"
    directory.mkdir()
    (directory / "register_sheets.csv").write_text(SHEETS, encoding="utf-8")
    delays = "in_force_from,in_force_to,days,article,source,status\n2026-01-01,,10,art. 1,loi,verified\n"
    (directory / "legal_delay_rules.csv").write_text(delays, encoding="utf-8")
    client = InProcess(create_app(reopened(kintambo), secure=True))
    found = {topic["topic"]: topic["parameters"] for topic in client.get("/v1/law").json()["topics"]}
    assert [each["values"]["sheets"] for each in found["register_sheets"]] == [250]
    child = {"nom": "Mbuyi", "birth_date": "2026-01-10", "declared_on": "2026-02-02"}
    declared = client.post("/v1/births", json=child, headers=clerk).json()
    assert (declared["delay"], declared["delay_limit"], declared["delay_article"]) == (
        "out_of_delay",
        10,
        "art. 1",
    )


def test_a_file_with_a_fault_keeps_the_server_from_starting_and_says_where(
    kintambo: TestNode, tmp_path: Path
) -> None:
    directory = tmp_path / "lois"
    with pytest.raises(UnreadableLaw, match="n'existe pas"):
        reopened(kintambo, directory)
    directory.mkdir()
    (directory / "register_sheets.csv").write_text(SHEETS.replace("250", "mille"), encoding="utf-8")
    with pytest.raises(LawError, match=r"register_sheets\.csv, ligne 2 : « sheets » n'est pas un nombre"):
        reopened(kintambo, directory)
    (directory / "register_sheets.csv").write_bytes(SHEETS.encode("latin-1"))
    with pytest.raises(UnreadableLaw, match="UTF-8"):
        reopened(kintambo, directory)
