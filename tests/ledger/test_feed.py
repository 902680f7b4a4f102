"""A tablet is sent the rows of its areas, page by page, none twice and none left out, and nothing it must not know."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import orjson
import pytest
import sqlalchemy as sa

from app.ledger.feed import Feed, areas_of, read_positions
from tests.nodes import Tablet, TestNode, household_of, new

HERE, THERE = "1017010", "1017021"
COMMUNE = "CD-KN-017"
Page = tuple[list[dict[str, Any]], dict[str, Any]]


def page(node: TestNode, tablet: Tablet, after: list[str], limit: int = 1) -> Page:
    """(rows, last line) as `changes` answers."""
    sender = node.door.sender(tablet.dev)
    assert sender is not None
    with node.database.read() as connection:
        granted = areas_of(sender, node.door.areas, communes=node.door.territory.communes)
        lines = list(Feed(connection, node.door, sender).page(read_positions(after, granted), limit))
    read = [orjson.loads(line) for line in lines]
    return read[:-1], read[-1]


def positions(last: dict[str, Any]) -> list[str]:
    return [f"{code}:{position}" for code, position in last["after"].items()]


def every_page(node: TestNode, tablet: Tablet, limit: int, after: list[str] | None = None) -> list[Page]:
    pages = [page(node, tablet, after or [], limit)]
    while pages[-1][1]["more"]:
        pages.append(page(node, tablet, positions(pages[-1][1]), limit))
        assert len(pages) < 500
    return pages


def rows_of(pages: list[Page]) -> list[dict[str, Any]]:
    return [row for rows, _ in pages for row in rows]


def identities(rows: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return sorted((row["kind"], row.get("id") or "leaves " + row["leave"], row["rev"]) for row in rows)


def move(home: str, quartier: str, par: list[Any]) -> dict[str, Any]:
    address = {"commune": COMMUNE, "quartier": quartier, "avenue": "Kimpwanza", "number": "3"}
    return {"kind": "household", "id": home, "set": address, "par": {"commune": par}}


@pytest.fixture
def tablet(lasting: TestNode, agent: str) -> Tablet:
    return lasting.tablet(HERE, THERE, officer=agent)


@pytest.mark.parametrize("limit", [1, 16 << 10, 50_000, 1 << 30])
def test_pages_of_any_size_bring_the_rows_of_one_page(lasting: TestNode, tablet: Tablet, limit: int) -> None:
    whole, last = page(lasting, tablet, [], 1 << 30)
    for each in range(3):
        batch = [line for _ in range(25) for line in household_of(3, quartier=(HERE, THERE)[each % 2])]
        lasting.push(tablet, *batch)
        lasting.push(tablet, move(batch[0]["id"], (THERE, HERE)[each % 2], [tablet.n - len(batch) + 1]))
    expected, _ = page(lasting, tablet, [], 1 << 30)
    assert len(expected) >= len(whole) + 375
    pages = every_page(lasting, tablet, limit)
    assert identities(rows_of(pages)) == identities(expected)
    assert len(pages) > 3 or limit > 16 << 10
    since = every_page(lasting, tablet, limit, positions(last))
    assert [r for r in rows_of(since) if "set" in r] == [
        r for r in expected if "set" in r and r["seq"] > last["after"][r["area"]]
    ]


def test_two_entities_with_one_id_are_never_parted_by_a_page(lasting: TestNode, agent: str) -> None:
    """An id is meant to be unique, but a strange tablet may write a household and a person under one."""
    tablet = lasting.tablet("1017030", officer=agent)
    family = household_of(120, quartier="1017030")
    shared = [new("household", {"quartier": "1017030", "avenue": "x" * 200}) for _ in range(60)]
    twins = [
        new("person", {"household": each["id"], "nom": "y" * 200}, identity=each["id"]) for each in shared
    ]
    lasting.push(tablet, *family, *shared, *twins)
    for limit in range(16 << 10, 20 << 10, 173):
        assert len(rows_of(every_page(lasting, tablet, limit))) == 122 + 60 + 60


def test_two_kinds_under_one_id_leave_an_area_together(lasting: TestNode, tablet: Tablet) -> None:
    home = str(uuid.uuid4())
    lasting.push(
        tablet,
        new("household", {"commune": COMMUNE, "quartier": HERE}, identity=home),
        new("person", {"household": home, "nom": "Mbuyi"}, identity=home),
    )
    _, last = page(lasting, tablet, [])
    lasting.push(tablet, move(home, THERE, [1]))
    rows = rows_of(every_page(lasting, tablet, 1, positions(last)))
    assert sorted(
        (r["kind"], r["area"], "leave" in r) for r in rows if home in (r.get("id"), r.get("leave"))
    ) == [
        ("household", HERE, True),
        ("household", THERE, False),
        ("person", HERE, True),
        ("person", THERE, False),
    ]


def test_a_household_that_comes_back_is_held_whichever_area_is_read_first(
    lasting: TestNode, agent: str
) -> None:
    tablet = lasting.tablet(HERE, THERE, officer=agent)
    family = household_of(2)
    lasting.push(tablet, *family)
    lasting.push(tablet, move(family[0]["id"], THERE, [1]))
    lasting.push(tablet, move(family[0]["id"], HERE, [len(family) + 1]))
    ids = {line["id"] for line in family}
    rows, _ = page(lasting, tablet, [], 1 << 30)
    for order in ([HERE, THERE], [THERE, HERE]):
        held: dict[str, tuple[int, str | None]] = {}
        for code in order:
            for row in rows:
                identity = row.get("id") or row["leave"]
                if row["area"] == code and identity in ids and row["rev"] > held.get(identity, (0, ""))[0]:
                    held[identity] = (row["rev"], row["area"] if "set" in row else None)
        assert {held[line["id"]][1] for line in family[:-1]} == {HERE}


def test_rev_grows_with_every_change_and_seq_with_every_commit(lasting: TestNode, tablet: Tablet) -> None:
    person = new("person", {"nom": "Mbuyi"})
    home = new("household", {"commune": COMMUNE, "quartier": HERE})
    person["set"]["household"] = home["id"]
    lasting.push(tablet, home, person)
    seen: list[tuple[int, int]] = []
    for phone in ("1", "2", "3"):
        lasting.push(tablet, {"kind": "person", "id": person["id"], "set": {"phone": phone}})
        row = next(r for r in lasting.changes(tablet) if r.get("id") == person["id"])
        seen.append((row["rev"], row["seq"]))
    assert [rev for rev, _ in seen] == [2, 3, 4]
    assert seen == sorted(set(seen))
    assert seen[0][1] < seen[1][1] < seen[2][1]


def test_the_last_line_says_what_the_page_contains_of_the_tablets_own_work(
    lasting: TestNode, agent: str
) -> None:
    tablet = lasting.tablet(HERE, officer=agent)
    assert page(lasting, tablet, [])[1]["have"] == {}
    lasting.push(tablet, *household_of(1))
    lasting.push(tablet, *household_of(1), start=10)
    _, last = page(lasting, tablet, [])
    assert last["have"] == {"7": [[1, 3], [10, 12]]}
    assert last["feed"] == lasting.door.identity.feed


def ask(node: TestNode, tablet: Tablet, query: str) -> httpx.Response:
    from tests.ledger.test_sessions import bearer

    return node.client.get(f"/sync/v1/changes{query}", headers=bearer(node, tablet))


def test_a_position_beyond_the_counter_means_that_the_server_was_restored(
    lasting: TestNode, tablet: Tablet
) -> None:
    lasting.push(tablet, *household_of(1))
    answer = ask(lasting, tablet, f"?after={HERE}:999999")
    assert (answer.status_code, answer.json()["code"]) == (409, "feed_changed")
    last = orjson.loads(ask(lasting, tablet, f"?after={HERE}:0").content.splitlines()[-1])
    assert [area for area, position in last["after"].items() if position] == [HERE]
    assert ask(lasting, tablet, f"?after={HERE}:{last['after'][HERE]}").content.count(b"\n") == 1


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "", "1,abc", "9" * 19, "٣"])
def test_a_position_that_is_none_is_told_so(lasting: TestNode, tablet: Tablet, wrong: str) -> None:
    answer = ask(lasting, tablet, f"?after={HERE}:{wrong}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_position")


@pytest.mark.parametrize("code", ["1017070", f"commune:{COMMUNE}", "ref", "civil:CD-KN-001"])
def test_an_area_that_is_not_granted_is_told_to_be_dropped(
    lasting: TestNode, tablet: Tablet, code: str
) -> None:
    lines = [orjson.loads(line) for line in ask(lasting, tablet, f"?after={code}:0").content.splitlines()]
    assert lines[0] == {"drop": code}
    assert len(lines) == 2
    assert code not in lines[1]["after"]


@pytest.mark.parametrize("code", ["9999999", "CD-KN-017", "quartier", ""])
def test_an_area_that_does_not_exist_is_refused(lasting: TestNode, tablet: Tablet, code: str) -> None:
    answer = ask(lasting, tablet, f"?after={code}:0")
    assert (answer.status_code, answer.json()["code"]) == (403, "area_not_granted")


def test_a_tablet_sees_its_quartiers_and_no_other_family(lasting: TestNode, agent: str) -> None:
    mine, theirs = lasting.tablet("1017040", officer=agent), lasting.tablet("1017050", officer=agent)
    lasting.push(mine, *household_of(2, quartier="1017040"))
    lasting.push(mine, *household_of(2, quartier="1017050"))
    lasting.push(theirs, *household_of(3, quartier="1017050"))
    assert {row["area"] for row in lasting.changes(mine)} == {"1017040"}
    assert {row["area"] for row in lasting.changes(theirs)} == {"1017050"}
    whole = lasting.tablet(COMMUNE, officer=agent)
    assert {"1017040", "1017050"} <= {row["area"] for row in lasting.changes(whole)}


def test_an_agent_is_never_sent_nationality_nor_the_words_about_a_birth(
    lasting: TestNode, agent: str
) -> None:
    here = "1017060"
    tablet, other = lasting.tablet(here, officer=agent), lasting.tablet(here, officer=agent)
    clerk = lasting.tablet(here, role="clerk")
    family = household_of(1, quartier=here)
    child = family[1]["id"]
    secret = {"nationality": "AO", "birth_words": "née pendant la fuite"}
    family[1]["set"] |= secret
    lasting.push(tablet, *family)
    edit = {"birth_date": "1991", "birth_words": "née à Luanda", "nationality": "CD"}
    lasting.push(other, {"kind": "person", "id": child, "set": edit})
    lasting.push(other, {"kind": "person", "id": child, "set": {"nationality": "nulle part"}})
    seen = next(row for row in lasting.changes(tablet) if row["id"] == child)
    assert set(seen["conflict"]) == {"birth_date"}
    told = orjson.dumps(seen).decode()
    for word in ("AO", "fuite", "Luanda", "nulle part", "birth_words"):
        assert word not in told, told
    assert {value["value"]["birth_date"] for value in seen["conflict"]["birth_date"]} == {"1990", "1991"}
    whole = next(row for row in lasting.changes(clerk) if row["id"] == child)
    assert {value["value"] for value in whole["conflict"]["nationality"]} == {"AO", "CD", "nulle part"}
    assert {value["value"]["birth_words"] for value in whole["conflict"]["birth_date"]} == {
        "née pendant la fuite",
        "née à Luanda",
    }


def test_of_very_many_values_some_are_sent_and_it_is_said(lasting: TestNode, tablet: Tablet) -> None:
    family = household_of(1)
    lasting.push(tablet, *family)
    for at in range(34):
        lasting.push(tablet, {"kind": "person", "id": family[1]["id"], "set": {"occupation": f"métier {at}"}})
    row = next(r for r in lasting.changes(tablet) if r.get("id") == family[1]["id"])
    assert row["more_values"] is True
    assert len(row["conflict"]["occupation"]) == 32


def test_own_births_are_sent_back_and_those_of_others_are_not(lasting: TestNode, agent: str) -> None:
    one, two = lasting.tablet(HERE, officer=agent), lasting.tablet(HERE, officer=agent)
    mine = new("birth", {"nom": "Mbuyi", "commune": COMMUNE})
    lasting.push(one, mine)
    lasting.push(two, new("birth", {"nom": "Kapinga", "commune": COMMUNE}))
    births = [row["id"] for row in lasting.changes(one) if row["kind"] == "birth"]
    assert births == [mine["id"]]


STRANGE = ('Jean "Papa" \\ /', "l\u0001\n\tigne", "Élodie 👪 d\u0301", "null", "{}", "\u2028\x7f")


@pytest.mark.parametrize("role", ["agent", "clerk"])
def test_a_row_nobody_touched_is_sent_as_any_other(lasting: TestNode, role: str) -> None:
    tablet = lasting.tablet(HERE, THERE, role=role)
    home, *people, visit = household_of(len(STRANGE), quartier=HERE)
    for person, text in zip(people, STRANGE, strict=True):
        person["set"] |= {"nom": text, "birth_words": text, "line": 3}
    exact, many = 12.5, 0.1 + 0.2
    visit["set"] |= {"members": [each["id"] for each in people], "accuracy": exact}
    further = new("visit", {"household": home["id"], "quartier": HERE, "accuracy": many})
    written = [home, *people, visit, further]
    lasting.push(tablet, *written)
    sent = {row.get("id"): row for row in rows_of(every_page(lasting, tablet, limit=1 << 20))}
    sender = lasting.door.sender(tablet.dev)
    assert sender is not None
    with lasting.database.read() as connection:
        feed = Feed(connection, lasting.door, sender)
        for each in written:
            shape = lasting.door.registry.shapes[each["kind"]]
            query = sa.select(shape.table).where(shape.table.c.id == each["id"])
            row = dict(connection.execute(query).mappings().one())
            assert sent[each["id"]] == orjson.loads(orjson.dumps(feed.row(shape, row, code=HERE)))
    assert [sent[each["id"]]["set"]["accuracy"] for each in (visit, further)] == [exact, many]
    assert ("birth_words" in sent[people[0]["id"]]["set"]) == (role == "clerk")
