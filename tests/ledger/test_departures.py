"""What left a commune by somebody else's hand is gone from its lists and figures, and nothing more is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from app.audit import verify
from app.keeping_safe.rebuild import rebuild
from app.ledger.tables import brought
from tests.ledger import state
from tests.ledger.pair import COMMUNE, Two
from tests.nodes import Tablet, TestNode, household_of, new

GOMBE, HERE, THERE = "CD-KN-001", "1017010", "1001010"


class Three:
    """Kintambo, Gombe and their province."""

    def __init__(self, two: Two, gombe: TestNode) -> None:
        self.two, self.kintambo, self.gombe, self.province = two, two.commune, gombe, two.province
        self.tablet: Tablet = gombe.tablet(GOMBE)

    def write(self, *operations: dict[str, Any]) -> None:
        """A tablet of Gombe writes, and every server hears of it."""
        self.gombe.push(self.tablet, *operations)
        self.two.exchange(self.gombe)
        self.two.exchange()

    def shown(self, node: TestNode) -> dict[str, dict[str, Any]]:
        """What lies in Kintambo for this node."""
        rows = state.rows(node)
        with node.database.read() as connection:
            for kind in ("household", "person", "visit"):
                table = node.door.registry.shape(kind).table
                for identity, area in connection.execute(sa.select(table.c.id, table.c.area)):
                    if node.door.areas.commune(node.door.areas.code(area)) != COMMUNE:
                        del rows[f"{kind} {identity}"]
        return rows

    def figures(self, node: TestNode) -> dict[str, dict[tuple[Any, ...], int]]:
        """What is counted of Kintambo."""
        return {
            name: {key: count for key, count in cells.items() if HERE in key or COMMUNE in key}
            for name, cells in state.rollups(node).items()
        }

    def agree(self, *present: str) -> None:
        """Kintambo shows these and no others, as the province does, counts them, and its audit finds nothing."""
        assert self.shown(self.kintambo) == self.shown(self.province)
        assert {key.split()[1] for key in self.shown(self.kintambo)} == set(present)
        assert self.figures(self.kintambo) == self.figures(self.province)
        report = verify(self.kintambo.database, key=self.kintambo.door.identity.key.public)
        assert report.ok, report.first_difference

    def lines(self) -> list[dict[str, Any]]:
        """Every line Kintambo was ever brought."""
        with self.kintambo.database.read() as connection:
            return [orjson.loads(line) for line in connection.execute(sa.select(brought.c.line)).scalars()]


@pytest.fixture
def three(two: Two, tmp_path: Path) -> Three:
    gombe = two.new_commune(tmp_path, code=GOMBE)
    two.join(gombe, area=GOMBE)
    return Three(two, gombe)


def moved(home: str, commune: str, quartier: str) -> dict[str, Any]:
    address = {"commune": commune, "quartier": quartier, "avenue": "x", "number": "1"}
    return {"kind": "household", "id": home, "set": address}


def test_a_family_another_commune_takes_back_leaves_our_list_and_our_figures(three: Three) -> None:
    family = household_of(2, quartier=THERE, commune=GOMBE)[:-1]
    home = family[0]["id"]
    three.write(*family, moved(home, COMMUNE, HERE) | {"par": {"commune": [1]}})
    three.agree(*(each["id"] for each in family))
    three.write(moved(home, GOMBE, THERE) | {"par": {"commune": [len(family) + 1]}})
    three.agree()


def test_a_member_who_moves_to_a_family_of_another_commune_leaves_with_nothing_said_of_that_family(
    three: Three,
) -> None:
    family, theirs = household_of(2)[:-1], household_of(3, quartier=THERE, commune=GOMBE)[:-1]
    three.write(*family, *theirs)
    three.agree(*(each["id"] for each in family))
    leaving = family[1]["id"]
    card = {"kind": "household", "id": theirs[0]["id"], "set": {"card": "K-77"}}
    three.write(
        card,
        {"kind": "person", "id": leaving, "set": {"household": theirs[0]["id"]}, "par": {"household": [2]}},
    )
    three.agree(family[0]["id"], family[2]["id"])
    told = {each["id"] for each in three.lines()}
    assert not told & {each["id"] for each in theirs[1:]}, "those who live there are nobody's business here"
    assert card not in [
        {key: each[key] for key in ("kind", "id", "set") if key in each} for each in three.lines()
    ]


def test_what_is_written_of_a_family_after_it_left_is_not_told(three: Three) -> None:
    family = household_of(1)[:-1]
    three.write(*family)
    home, member = family[0]["id"], family[1]["id"]
    phone = {"kind": "person", "id": member, "set": {"phone": "+243810000000"}}
    three.write(moved(home, GOMBE, THERE) | {"par": {"commune": [1]}}, phone)
    three.agree()
    assert not any("phone" in each.get("set", {}) for each in three.lines())
    three.write(phone | {"set": {"phone": "+243820000000"}})
    assert not any("phone" in each.get("set", {}) for each in three.lines())


def test_a_person_found_to_be_one_of_another_commune_is_no_longer_shown_here(three: Three) -> None:
    family, theirs = household_of(2)[:-1], household_of(1, quartier=THERE, commune=GOMBE)[:-1]
    clerk = three.gombe.tablet(GOMBE, role="clerk")
    three.write(*family, *theirs)
    merge = {"kind": "person", "id": family[1]["id"], "act": "merge", "into": theirs[1]["id"]}
    three.gombe.push(clerk, merge)
    three.write(new("person", {"nom": "Sans foyer"}))
    three.agree(family[0]["id"], family[2]["id"])


def test_a_family_that_comes_back_is_complete_again(three: Three) -> None:
    family = household_of(2)[:-1]
    home, member = family[0]["id"], family[1]["id"]
    three.write(*family)
    three.write(moved(home, GOMBE, THERE) | {"par": {"commune": [1]}})
    three.agree()
    three.write({"kind": "person", "id": member, "set": {"phone": "+243810000000"}})
    three.write(moved(home, COMMUNE, HERE) | {"par": {"commune": [len(family) + 1]}})
    for _ in range(2):
        three.agree(*(each["id"] for each in family))
        assert three.shown(three.kintambo)[f"person {member}"]["set"]["phone"] == "+243810000000"
        rebuild(three.kintambo.node, told=lambda done, total: None)


@pytest.mark.parametrize("under", ["the one merged", "the one shown"])
def test_a_person_who_was_another_communes_after_all_is_shown_here_again(three: Three, under: str) -> None:
    family, theirs = household_of(2)[:-1], household_of(1, quartier=THERE, commune=GOMBE)[:-1]
    clerk = three.gombe.tablet(GOMBE, role="clerk")
    three.write(*family, *theirs)
    mine, other = family[1]["id"], theirs[1]["id"]
    three.gombe.push(clerk, {"kind": "person", "id": mine, "act": "merge", "into": other})
    three.write(new("person", {"nom": "Sans foyer"}))
    three.agree(family[0]["id"], family[2]["id"])
    named = {"the one merged": mine, "the one shown": other}[under]
    three.gombe.push(
        clerk, {"kind": "person", "id": named, "act": "unmerge", "par": {"merge": [clerk.dot(1)]}}
    )
    three.write(new("person", {"nom": "Sans foyer"}))
    three.agree(*(each["id"] for each in family))
