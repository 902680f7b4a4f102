"""Numbers follow one another and are never given twice: not by two registrars at once, not after an annulment, not
beside acts keyed from paper."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.civil.books.numbering import next_number
from app.law.parameters import apply_law, law, read_law
from app.law.registers import Numbering
from tests.civil.conftest import BOOK, Headers, register, rows
from tests.nodes import TestNode, new

Declare = Callable[..., str]
OFFICE = BOOK["office"]


def held(node: TestNode, *numbers: int, volume: str = "1", year: int = 2026) -> list[str]:
    """Acts that stand already."""
    place = {"office": OFFICE, "year": year, "volume": volume, "commune": "CD-KN-017"}
    acts = [new("act", {**place, "number": number}) for number in numbers]
    with node.database.write() as connection:
        node.door.write(connection, acts, by=str(uuid.uuid4()))
    return [each["id"] for each in acts]


@pytest.fixture
def numbered_by_volume(kintambo: TestNode) -> Iterator[TestNode]:
    """Kintambo's server, for which a jurist has written that each volume is numbered by itself from 2026 on."""
    kept = law()
    lines = "in_force_from,in_force_to,numbering,source,status\n2026-01-01,,per_volume,arrêté,verified\n"
    apply_law(read_law({"numbering.csv": lines}))
    yield kintambo
    apply_law(kept)


def following(node: TestNode, volume: str, numbering: Numbering) -> int:
    with node.database.read() as connection:
        return next_number(connection, (OFFICE, 2026, volume), numbering=numbering)


def together(work: Callable[[], None], times: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_paper_act_of_this_year_never_gives_its_number_to_the_next_child(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    assert register(kintambo, registrar, declare()).json()["number"] == 1
    paper = {"office": OFFICE, "year": 2026, "volume": "1", "number": 40, "registered_on": "2026-01-20"}
    line = json.dumps(paper | {"nom": "Nzuzi", "birth_date": "2026-01-02"})
    headers = registrar | {"Idempotency-Key": "papier-000001"}
    assert kintambo.client.post("/v1/imports/acts", content=line, headers=headers).status_code == 201
    numbers = [register(kintambo, registrar, declare(), volume=volume).json()["number"] for volume in "12"]
    assert numbers == [41, 42]


def test_the_number_of_an_annulled_act_is_not_given_again(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    last = [register(kintambo, registrar, declare()).json() for _ in range(3)][-1]
    court = {"court": "Tribunal de paix", "reference": "RC 1", "date": "2026-02-02", "stage": "confirmed"}
    annulled = new("annulment", {"act": last["id"], "commune": "CD-KN-017", **court})
    void = {"kind": "act", "id": last["id"], "act": "void"}
    with kintambo.database.write() as connection:
        kintambo.door.write(connection, [annulled, void], by=str(uuid.uuid4()))
    assert register(kintambo, registrar, declare()).json()["number"] == 4


def test_a_year_is_numbered_through_its_volumes_or_each_volume_by_itself(kintambo: TestNode) -> None:
    held(kintambo, 1, 2, 3)
    held(kintambo, 4, volume="2")
    held(kintambo, 9, year=2025)
    assert [following(kintambo, volume, "per_year") for volume in "123"] == [5, 5, 5]
    assert [following(kintambo, volume, "per_volume") for volume in "123"] == [4, 5, 1]


def test_registrars_at_once_in_two_volumes_leave_no_gap_and_no_double(
    kintambo: TestNode, declare: Declare, registrar: Headers
) -> None:
    births = [declare() for _ in range(8)]

    def work() -> None:
        while births:
            birth = births.pop()
            answer = register(kintambo, registrar, birth, volume="12"[len(births) % 2])
            assert answer.status_code == 201, answer.text

    together(work, 4)
    assert sorted(act["number"] for act in rows(kintambo, "act")) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_registrars_at_once_share_no_number_of_a_volume_numbered_by_itself(
    numbered_by_volume: TestNode, declare: Declare, registrar: Headers
) -> None:
    node = numbered_by_volume
    work = [(declare(), volume) for volume in "11112222"]

    def draw_up() -> None:
        birth, volume = work.pop()
        answer = register(node, registrar, birth, volume=volume)
        assert answer.status_code == 201, answer.text

    together(draw_up, len(work))
    given: dict[str, list[Any]] = {"1": [], "2": []}
    for act in rows(node, "act"):
        given[act["volume"]].append(act["number"])
        assert act["number_key"] == f"{OFFICE}|2026|{act['volume']}|{act['number']}"
    numbers = [1, 2, 3, 4]
    assert {volume: sorted(found) for volume, found in given.items()} == {"1": numbers, "2": numbers}
    asked = {"office": OFFICE, "year": 2026}
    gaps = node.client.get("/v1/registers/gaps", params=asked, headers=registrar).json()["items"]
    assert {each["code"] for each in gaps} == {"volume_not_opened"}
