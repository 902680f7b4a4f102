"""Whoever knows part of a name, in any order and spelling, finds the person, the nearest name first."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from typing import Any

import pytest
import sqlalchemy as sa

from app.population.names import SLOT_COLUMNS, name_key, slots, tokens
from app.population.search import Place, Wanted, find_persons
from app.population.tables import person
from tests.nodes import TestNode, new
from tests.population.conftest import (
    FAR_QUARTIER,
    HOME,
    NEXT_QUARTIER,
    QUARTIER,
    Clerk,
    refusal,
    wrong_fields,
)

FAMILY = {
    "jean": {"nom": "MBUYI", "postnom": "Kalala", "prenom": "Jean", "sex": "M", "birth_date": "1987-05-03"},
    "grace": {"nom": "Mbuyi", "postnom": "Mwamba", "prenom": "Grâce", "sex": "F", "birth_date": "1987"},
    "tshala": {"nom": "Tshimbumbu", "postnom": "N'Sefu", "sex": "F", "birth_date": "2001-01-01"},
    "alone": {"nom": "Ilunga", "sex": "M"},
    "nameless": {"sex": "F", "birth_date": "1950"},
    "long": {"nom": "Kabongo", "postnom": "wa Mulumba Tshibangu", "prenom": "Marie Josée Anne"},
}  # fmt: skip


@pytest.fixture
def ids(clerk: Clerk, node: TestNode) -> dict[str, str]:
    """The family on the node: name in FAMILY → id."""
    home = clerk.household()["id"]
    people = {who: new("person", {"household": home} | values) for who, values in FAMILY.items()}
    node.push(node.tablet(QUARTIER), *people.values())
    return {who: operation["id"] for who, operation in people.items()}


def found(clerk: Clerk, ids: dict[str, str], **asked: Any) -> list[str]:
    """Whom a search finds, best first."""
    names = {identity: who for who, identity in ids.items()}
    answer = clerk.get("persons", **asked)
    assert answer.status_code == 200, answer.text
    return [names[each["id"]] for each in answer.json()["items"]]


def test_accents_case_order_spelling_and_missing_elements_do_not_matter(
    clerk: Clerk, ids: dict[str, str]
) -> None:
    for q in ("Grace", "GRÂCE mwamba", "mwamba grace mbuyi", "Mouamba grâce", "Mbuyi Mwamba Grâce"):
        assert found(clerk, ids, q=q)[0] == "grace", q
    for q in ("Cimbumbu", "nsefu", "N SEFU tchimbumbu", "Sefu Tshimbumbu Alphonsine"):
        assert found(clerk, ids, q=q) == ["tshala"], q
    for q in (
        "kabongo",
        "mulumba",
        "TSHIBANGU",
        "marie",
        "josee",
        "Anne",
        "anne cibangu",
        "josé marie kabongo",
    ):
        assert found(clerk, ids, q=q) == ["long"], q
    assert found(clerk, ids, q="Ilunga wa Kasongo") == ["alone"]


def test_the_nearest_name_comes_first(clerk: Clerk, ids: dict[str, str]) -> None:
    mbuyi = clerk.post("persons", {"nom": "Mbuyi"}).json()["id"]
    spelt = clerk.post("persons", {"nom": "Mboui"}).json()["id"]
    ids |= {"mbuyi": mbuyi, "mboui": spelt}
    # The name itself, as spelt; then names that hold it.
    assert found(clerk, ids, q="mbuyi")[:2] == ["mbuyi", "mboui"]
    assert found(clerk, ids, q="Mboui")[:2] == ["mboui", "mbuyi"]
    assert set(found(clerk, ids, q="mbuyi")[2:]) == {"jean", "grace"}
    # The whole name; then one element less, one element another, then only one in common with nothing more said.
    assert found(clerk, ids, q="Jean Kalala Mbuyi")[0] == "jean"
    assert set(found(clerk, ids, q="Jean Kalala Mbuyi")[1:]) == {"mbuyi", "mboui"}
    assert found(clerk, ids, q="Mbuyi Mwamba Thérèse")[0] == "grace"
    # Two names of which nobody bears both: whoever bears one, and only then.
    assert found(clerk, ids, q="Kalala Thérèse") == ["jean"]
    assert found(clerk, ids, q="Kalala Mbuyi") == ["jean", *found(clerk, ids, q="Kalala Mbuyi")[1:]]
    assert "grace" not in found(clerk, ids, q="Kalala Mbuyi")


def test_what_is_no_part_of_the_name_finds_nobody(clerk: Clerk, ids: dict[str, str]) -> None:
    for q in ("Kasongo", "Bola Lutete Kasongo", "'", "%", "- -", "_", "' OR 1=1 --", "\U0001f600"):
        assert found(clerk, ids, q=q) == [], q


def test_sex_year_and_place_narrow_the_search(clerk: Clerk, ids: dict[str, str]) -> None:
    assert found(clerk, ids, q="mbuyi", sex="F") == ["grace"]
    assert set(found(clerk, ids, birth_year=1987)) == {"jean", "grace"}
    assert found(clerk, ids, birth_year=1987, sex="M") == ["jean"]
    assert found(clerk, ids, birth_year=1988) == []
    assert len(found(clerk, ids)) == len(found(clerk, ids, commune=HOME)) == len(FAMILY)
    assert found(clerk, ids, q="ilunga", quartier=QUARTIER) == ["alone"]
    assert found(clerk, ids, q="ilunga", quartier=NEXT_QUARTIER) == []


def test_nobody_finds_another_communes_person(clerk: Clerk, ids: dict[str, str], node: TestNode) -> None:
    stranger = Clerk(node, node.officer("clerk", "CD-KN-008"))
    there = stranger.person(household=stranger.household(quartier=FAR_QUARTIER)["id"], nom="Mbuyi")
    ids["there"] = there["id"]
    assert found(stranger, ids, q="mbuyi") == found(stranger, ids) == ["there"]
    assert set(found(clerk, ids, q="mbuyi")) == {"jean", "grace"}
    assert refusal(clerk.get("persons", q="mbuyi", commune="CD-KN-008")) == (403, "other_commune")
    assert refusal(clerk.get("persons", q="mbuyi", quartier=FAR_QUARTIER)) == (403, "other_commune")


def test_a_renamed_person_is_found_by_the_new_name_only(clerk: Clerk, ids: dict[str, str]) -> None:
    before = clerk.get(f"persons/{ids['alone']}").json()
    clerk.patch(f"persons/{ids['alone']}", {"nom": "Kasongo"}, before["etag"])
    assert found(clerk, ids, q="kasongo") == ["alone"]
    assert found(clerk, ids, q="ilunga") == []


def test_what_cannot_be_asked_is_refused_by_field(clerk: Clerk) -> None:
    assert wrong_fields(clerk.get("persons", sex="X")) == ["sex"]
    assert wrong_fields(clerk.get("persons", birth_year=1600)) == ["birth_year"]
    assert wrong_fields(clerk.get("persons", q="x" * 201)) == ["q"]
    assert wrong_fields(clerk.get("persons", limit=1000)) == ["limit"]
    assert wrong_fields(clerk.get("persons", quartier="9999999")) == ["quartier"]
    for cursor in ("x", "WzEsMl0", "WyIxIiwiMiJd", "Wy0xLCJ4Il0"):
        assert refusal(clerk.get("persons", q="mbuyi", cursor=cursor)) == (400, "bad_cursor")


def _rows(names: Iterable[tuple[str | None, str | None, str | None]], areas: int) -> list[dict[str, Any]]:
    return [
        {
            "id": str(uuid.UUID(int=(at * 2654435761 % (1 << 32)) << 64, version=4)),
            "nom": nom,
            "postnom": postnom,
            "prenom": prenom,
            "sex": "MF"[at % 2],
            "birth_date": str(1950 + at % 60),
            "origin": 1,
            "n": at + 1,
            "area": 1 + at % areas,
            "seq": 1,
            "rev": 1,
            **dict(zip(SLOT_COLUMNS, slots(nom, postnom, prenom), strict=True)),
        }
        for at, (nom, postnom, prenom) in enumerate(names)
    ]


def _wanted_by_hand(q: str, rows: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Whom a query must find and how near each is, (common elements, elements too many): said without an index."""
    asked = set(name_key(q).split())
    near: dict[str, tuple[int, int]] = {}
    for row in rows:
        held = set(tokens(row["nom"], row["postnom"], row["prenom"]))
        common = len(asked & held)
        if common and (held <= asked or common >= max(len(asked) - 1, 2) or asked <= held):
            near[row["id"]] = common, len(held) - common
    if not near and len(asked) == 2:
        # Nobody bears both: whoever bears one.
        for row in rows:
            if asked & set(tokens(row["nom"], row["postnom"], row["prenom"])):
                near[row["id"]] = 1, 1
    return near


def test_pages_give_everybody_meant_once_the_nearest_first(node: TestNode) -> None:
    rng = random.Random(8)
    words = ("Mbuyi", "Kalala", "Ilunga", "Jean", "Grâce", "Bola", "Lutete", "Nzuzi", "Pombi")

    def element(most: int) -> str | None:
        return " ".join(rng.sample(words, rng.randrange(most + 1))) or None

    rows = _rows([(element(1), element(2), element(2)) for _ in range(400)], areas=3)
    with node.database.write() as connection:
        connection.execute(sa.text("UPDATE area SET seq = 1"))
        connection.execute(person.insert(), rows)
        for size in (1, 1, 2, 2, 2, 3, 3, 4, 5):
            q = " ".join(rng.sample((*words, "Zacharie"), size))
            near = _wanted_by_hand(q, rows)
            seen: list[str] = []
            after: Place | None = None
            for _ in range(100):
                page, after = find_persons(connection, Wanted(q), after=after, limit=7)
                assert len(page) == 7 or after is None
                seen += [row["id"] for row in page]
                if after is None:
                    break
            assert len(seen) == len(set(seen))
            assert set(seen) == near.keys(), q
            common = [near[identity][0] for identity in seen]
            assert common == sorted(common, reverse=True), q
            whole = [identity for identity in seen if near[identity] == (size, 0)]
            assert seen[: len(whole)] == whole


def test_filters_hold_on_every_page(node: TestNode) -> None:
    rows = _rows([("Mbuyi", f"Postnom{at % 7}", None) for at in range(120)], areas=4)
    wanted = Wanted("mbuyi", areas=(1, 3), birth_year=1952, sex="M")
    meant = {
        row["id"]
        for row in rows
        if (row["area"] in {1, 3}, row["birth_date"], row["sex"]) == (True, "1952", "M")
    }
    assert len(meant) == 2
    with node.database.write() as connection:
        connection.execute(sa.text("UPDATE area SET seq = 1"))
        connection.execute(person.insert(), rows)
        for q in ("mbuyi", None):
            first, after = find_persons(
                connection, Wanted(q, wanted.areas, wanted.birth_year, wanted.sex), after=None, limit=1
            )
            assert after is not None
            rest, end = find_persons(
                connection, Wanted(q, wanted.areas, wanted.birth_year, wanted.sex), after=after, limit=1
            )
            assert (end, {row["id"] for row in first + rest}) == (None, meant)
