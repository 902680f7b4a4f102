"""The tray of possible duplicates: what is found, who sees what of it, and what becomes of a decision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.access.journal import readings_of
from app.civil.same_child import BIRTHS
from app.database import Database
from app.keeping_safe.rebuild import rebuild
from app.ledger.history import current_dots, registers_of
from app.population.duplicates import tables
from app.population.duplicates.index import CHUNK
from app.population.duplicates.sweeper import sweep_some
from tests.conftest import Engines, TestClock
from tests.ledger.pair import Two, two_of
from tests.nodes import TestNode, make_node, new

KINTAMBO, KIMBANSEKE = "CD-KN-017", "CD-KN-008"
CHILD = {
    "nom": "Tshimanga", "postnom": "Kalala", "prenom": "Grâce", "sex": "F", "birth_date": "2026-01-10",
    "birth_precision": "day", "mother_name": "Kapinga Ntumba Marie", "father_name": "Kabeya Ilunga",
}  # fmt: skip
AGAIN = CHILD | {"nom": "Kalala", "postnom": "Cimanga", "birth_date": "2026-01-12"}
STRANGER = CHILD | {
    "nom": "Mutombo",
    "postnom": "Nzeba",
    "prenom": "Paul",
    "sex": "M",
    "mother_name": "Ilunga Bea",
}


class Officer:
    """An officer at his desk."""

    def __init__(self, node: TestNode, role: str = "clerk", commune: str | None = None) -> None:
        self.node, self.headers = node, node.officer(role, commune)

    def declare(self, child: dict[str, Any]) -> str:
        answer = self.node.client.post("/v1/births", json=child, headers=self.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def tray(self, **asked: Any) -> list[dict[str, Any]]:
        answer = self.node.client.get("/v1/duplicates", params=asked, headers=self.headers)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def decide(self, one: str, other: str, verdict: str, note: str | None = None) -> dict[str, Any]:
        said = {"verdict": verdict, "note": note}
        path = f"/v1/duplicates/{one}/{other}/decision"
        answer = self.node.client.post(path, json=said, headers=self.headers)
        found: dict[str, Any] = answer.json()
        return found | {"status": answer.status_code}


@pytest.fixture
def kintambo(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    return make_node(database, tmp_path, kind="commune", clock=clock)


@pytest.fixture
def two(
    database: Database, server_name: str, engines: Engines, tmp_path: Path, clock: TestClock
) -> Iterator[Two]:
    """Kintambo, joined to its province."""
    with two_of(engines, server_name, tmp_path, database=database, clock=clock) as made:
        yield made


def declared_by_a_tablet(node: TestNode, child: dict[str, Any]) -> str:
    line = new("birth", child | {"commune": KINTAMBO, "declared_on": "2026-02-01"})
    node.push(node.tablet("1017010"), line)
    return str(line["id"])


def test_a_pair_shows_both_sides_with_score_and_reasons_and_leaves_when_it_is_decided(
    kintambo: TestNode,
) -> None:
    clerk = Officer(kintambo)
    one, other, _ = clerk.declare(CHILD), clerk.declare(AGAIN), clerk.declare(STRANGER)
    (pair,) = clerk.tray()
    assert {pair["first"]["id"], pair["second"]["id"]} == {one, other}
    assert {pair["first"]["postnom"], pair["second"]["postnom"]} == {"Kalala", "Cimanga"}
    assert (pair["level"], pair["state"], pair["verdict"]) == ("likely", "open", None)
    assert {each["code"] for each in pair["reasons"]} >= {"names_same", "birth_few_days", "mother_same"}
    assert pair["score"] == sum(each["weight"] for each in pair["reasons"])

    shown = clerk.decide(other, one, "same", "La mère confirme.")
    assert (shown["state"], shown["verdict"], shown["contested"]) == ("decided", "same", False)
    assert shown["next_step"].startswith("Annulez l'une des deux déclarations")
    assert clerk.tray() == []
    (decided,) = clerk.tray(state="decided")
    assert [each["note"] for each in decided["decisions"]] == ["La mère confirme."]


def test_a_pair_nobody_is_sure_of_stays_and_a_later_decision_replaces_the_first(kintambo: TestNode) -> None:
    clerk, colleague = Officer(kintambo), Officer(kintambo)
    one, other = clerk.declare(CHILD), clerk.declare(AGAIN)
    clerk.decide(one, other, "unsure", "Mère absente.")
    (pair,) = clerk.tray()
    assert pair["decisions"][0]["verdict"] == "unsure"
    shown = colleague.decide(one, other, "different")
    assert [(each["verdict"], each["live"]) for each in shown["decisions"]] == [
        ("unsure", False),
        ("different", True),
    ]
    colleague.decide(one, other, "different")
    assert len(colleague.tray(state="decided")[0]["decisions"]) == 2, "the same word again is no new decision"


def test_two_registered_acts_of_one_child_are_a_matter_for_the_court(kintambo: TestNode) -> None:
    clerk, registrar = Officer(kintambo), Officer(kintambo, "registrar")
    births = [clerk.declare(CHILD), clerk.declare(AGAIN)]
    for birth in births:
        entry = {"office": "CD-KN-017-01", "volume": "1"}
        path = f"/v1/births/{birth}/registration"
        answer = kintambo.client.post(path, json=entry, headers=registrar.headers)
        assert answer.status_code == 201, answer.text
    shown = clerk.decide(births[0], births[1], "same")
    assert "Seul le tribunal" in shown["next_step"]
    assert {shown[side]["reference"] for side in ("first", "second")} == {
        "CD-KN-017-01 vol. 1/2026 n° 1", "CD-KN-017-01 vol. 1/2026 n° 2",
    }  # fmt: skip


def test_what_a_tablet_sent_is_found_when_the_tray_is_read_and_a_voided_declaration_leaves(
    kintambo: TestNode,
) -> None:
    kintambo.join_a_province()
    clerk = Officer(kintambo)
    one = clerk.declare(CHILD)
    other = declared_by_a_tablet(kintambo, AGAIN)
    assert {clerk.tray()[0][side]["id"] for side in ("first", "second")} == {one, other}
    void(kintambo, other)
    assert clerk.tray() == []
    assert clerk.decide(one, other, "same")["code"] == "pair_unknown"


def void(node: TestNode, birth: str) -> None:
    with node.database.write() as connection:
        table = node.door.registry.shapes["birth"].table
        row = dict(connection.execute(table.select().where(table.c.id == birth)).mappings().one())
        registers = registers_of(connection, "birth", row)
        par = {name: current_dots(registers, "birth", register=name) for name in registers}
        node.door.write(connection, [{"kind": "birth", "id": birth, "act": "void", "par": par}], by="essai")


def test_a_long_backlog_is_swept_a_chunk_at_a_time_and_whole(kintambo: TestNode) -> None:
    with kintambo.database.write() as connection:
        names = (f"Nom{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(CHUNK + 50))
        lines = [new("birth", {"nom": nom, "birth_date": "2026-01-10", "commune": KINTAMBO}) for nom in names]
        kintambo.door.write(connection, lines, by="essai")
    assert sweep_some(kintambo.door, [BIRTHS], most=10 * CHUNK) == CHUNK + 50
    assert sweep_some(kintambo.door, [BIRTHS], most=10 * CHUNK) == 0
    with kintambo.database.read() as connection:
        entered = connection.scalar(sa.select(sa.func.count(sa.distinct(tables.match_key.c.subject))))
    assert entered == CHUNK + 50


def test_the_index_fills_again_after_a_rebuild_and_from_nothing(kintambo: TestNode) -> None:
    clerk = Officer(kintambo)
    one, other = clerk.declare(CHILD), clerk.declare(AGAIN)
    clerk.decide(clerk.declare(STRANGER), clerk.declare(STRANGER), "different")
    before = clerk.tray()
    assert {before[0]["first"]["id"], before[0]["second"]["id"]} == {one, other}
    rebuild(kintambo.node, told=lambda _done, _total: None)
    assert sweep_some(kintambo.door, [BIRTHS], most=10) == 4, "the rows have new numbers"
    assert clerk.tray() == before
    with kintambo.database.write() as connection:
        for table in (tables.match_key, tables.match_candidate, tables.match_mark):
            connection.execute(table.delete())
    assert clerk.tray() == before
    assert len(clerk.tray(state="decided")) == 1


def test_a_child_declared_in_two_communes_is_found_in_the_province_and_its_decision_reaches_both(
    two: Two, tmp_path: Path
) -> None:
    kimbanseke = two.new_commune(tmp_path, code=KIMBANSEKE)
    two.join(kimbanseke, area=KIMBANSEKE)
    here, there = Officer(two.commune), Officer(kimbanseke)
    one, other = here.declare(CHILD), there.declare(AGAIN)
    for node in (two.commune, kimbanseke):
        two.exchange(node)
    assert here.tray() == there.tray() == []

    province = Officer(two.province, "registrar")
    (pair,) = province.tray()
    assert {pair[side]["commune"] for side in ("first", "second")} == {KINTAMBO, KIMBANSEKE}
    assert [each["verdict"] for each in (province.decide(one, other, "same", "Même enfant."),)] == ["same"]
    assert province.tray() == []
    assert len(province.tray(state="decided")) == 1

    for node, officer, own, foreign in (
        (two.commune, here, one, other), (kimbanseke, there, other, one),
    ):  # fmt: skip
        two.exchange(node)
        (told,) = officer.tray(state="decided")
        sides = {told[side]["id"]: told[side] for side in ("first", "second")}
        assert sides[own]["prenom"] == "Grâce"
        assert (sides[foreign]["visible"], sides[foreign]["nom"], sides[foreign]["mother_name"]) == (
            False,
            None,
            None,
        )
        assert told["decisions"][0]["note"] == "Même enfant."
        assert officer.decide(one, other, "different")["code"] == "pair_unknown"


def test_two_nodes_that_decide_differently_end_with_the_same_rows_and_the_dispute_is_shown(two: Two) -> None:
    here, province = Officer(two.commune), Officer(two.province, "registrar", None)
    one, other = here.declare(CHILD), here.declare(AGAIN)
    two.exchange()
    here.decide(one, other, "same")
    province.decide(one, other, "different")
    two.clock.forward(timedelta(minutes=1))
    for _ in range(2):
        two.exchange()
    (mine,), (theirs,) = here.tray(state="decided"), province.tray(state="decided")
    assert mine["verdict"] == theirs["verdict"]
    assert mine["contested"]
    assert theirs["contested"]
    assert sorted(each["verdict"] for each in mine["decisions"]) == ["different", "same"]


def test_an_officer_of_one_commune_sees_nothing_of_the_other_side_and_cannot_decide(
    database: Database, tmp_path: Path, clock: TestClock
) -> None:
    node = make_node(database, tmp_path, kind="both", clock=clock)
    here, there = Officer(node, commune=KINTAMBO), Officer(node, commune=KIMBANSEKE)
    other = there.declare(AGAIN | {"commune": KIMBANSEKE})
    answer = node.client.post("/v1/births", json=CHILD | {"commune": KINTAMBO}, headers=here.headers)
    (told,) = [each for each in answer.json()["warnings"] if each["code"] == "possible_duplicate"]
    assert "Cimanga" not in told["message"]
    assert other not in told["message"]
    assert "Kimbanseke" in told["message"]
    (pair,) = here.tray()
    sides = {pair[side]["commune"]: pair[side] for side in ("first", "second")}
    assert sides[KINTAMBO]["nom"] == "Tshimanga"
    assert {sides[KIMBANSEKE][name] for name in ("nom", "birth_date", "mother_name", "declared_on")} == {None}
    assert here.decide(pair["first"]["id"], pair["second"]["id"], "same")["code"] == "other_commune"
    with node.database.read() as connection:
        assert readings_of(connection, [other]) == []


def test_a_pages_of_the_tray_follow_each_other_without_loss(kintambo: TestNode) -> None:
    clerk = Officer(kintambo)
    for _ in range(4):
        clerk.declare(CHILD)
    pairs: list[tuple[str, str]] = []
    following: str | None = ""
    while following is not None:
        asked = {"limit": 2} | ({"cursor": following} if following else {})
        page = kintambo.client.get("/v1/duplicates", params=asked, headers=clerk.headers).json()
        pairs += [(each["first"]["id"], each["second"]["id"]) for each in page["items"]]
        following = page["next"]
    assert len(pairs) == len(set(pairs)) == 6
