"""A server restored from a backup, or rebuilt from nothing, ends with what it had, without anyone choosing: tablets
send again, the province brings down what it holds, and no act number is given twice."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.civil.tables import act
from app.errors import Problem
from app.ledger.node import (
    IDENTITY,
    Identity,
    Marks,
    at_work,
    keep_marks,
    mark_restored,
    read_standing,
    reconcile_identity,
)
from app.ledger.relay import relay_all
from app.ledger.tables import batch, brought, fork
from app.ledger.tables import node as node_table
from tests.ledger import state
from tests.ledger.pair import Two
from tests.nodes import Tablet, TestNode, household_of, new

QUARTIER = "1017010"
CIVIL = ("birth", "act", "link", "task")
POPULATION = ("household", "person", "visit")
BOOK = {"office": "CD-KN-017-01", "volume": "1"}
CHILD = {
    "nom": "Mbuyi",
    "postnom": "Kalala",
    "prenom": "Grâce",
    "sex": "F",
    "birth_date": "2026-01-10",
    "birth_precision": "day",
    "declared_on": "2026-02-02",
}


class Desk:
    """A clerk and a registrar who go on working at whatever server stands there."""

    def __init__(self, node: TestNode) -> None:
        self.node = node
        self.clerk, self.registrar = node.officer("clerk"), node.officer("registrar")

    def declare(self) -> str:
        answer = self.node.client.post("/v1/births", json=CHILD, headers=self.clerk)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def register(self, birth: str) -> httpx.Response:
        url = f"/v1/births/{birth}/registration"
        return self.node.client.post(url, json=BOOK, headers=self.registrar)

    def act(self) -> int:
        """The number of a new act."""
        answer = self.register(self.declare())
        assert answer.status_code == 201, answer.text
        return int(answer.json()["number"])


def edited(tablet: Tablet, family: list[dict[str, Any]], first: int, **values: Any) -> list[dict[str, Any]]:
    """Changes of the people of a family this tablet wrote down from operation `first` on."""
    return [
        {"kind": "person", "id": each["id"], "set": values, "par": {key: [first + at] for key in values}}
        for at, each in enumerate(family)
        if each["kind"] == "person"
    ]


def everything(node: TestNode, *kinds: str) -> dict[str, Any]:
    """What a twin must have as well, whatever the order in which it came."""
    return {
        "rows": state.rows(node, *(kinds or POPULATION + CIVIL)),
        "conflicts": state.conflicts(node),
        "waits": state.waits(node),
        "rollups": state.rollups(node),
    }


def numbers(node: TestNode) -> list[int]:
    with node.database.read() as connection:
        return sorted(connection.execute(sa.select(act.c.number)).scalars())


def counted(node: TestNode, table: sa.Table) -> int:
    with node.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def home_of(node: TestNode) -> Path:
    return Path(node.node.settings.data)


# -- restored from a backup --------------------------------------------------------------------------------------


def test_a_commune_restored_from_an_old_copy_ends_as_an_untouched_twin_and_gives_no_number_twice(
    two: Two,
) -> None:
    commune, desk = two.commune, Desk(two.commune)
    tablet, other = commune.tablet(QUARTIER), commune.tablet(QUARTIER)
    family = household_of(3)
    commune.push(tablet, *family)
    assert desk.act() == 1
    two.exchange()
    backup = two.backup(commune)

    commune.push(tablet, *edited(tablet, family, 1, nom="Kanza"))
    commune.push(other, {"kind": "person", "id": family[1]["id"], "set": {"nom": "Kalala"}})
    commune.push(other, *household_of(2))
    assert (desk.act(), desk.act()) == (2, 3)
    two.exchange()
    last = tablet.seal(household_of(4))
    commune.push_sealed(*last)
    twin = everything(commune)

    restored = two.restored(commune, backup)
    assert restored.door.identity.ep != commune.door.identity.ep
    assert restored.door.identity.feed != commune.door.identity.feed
    desk.node = restored
    birth = desk.declare()
    waiting = desk.register(birth)
    assert (waiting.status_code, waiting.json()["code"]) == (503, "catching_up")
    assert waiting.headers["Retry-After"] == "60"

    two.exchange(restored)
    restored.push_sealed(*last)
    assert numbers(restored) == [1, 2, 3]
    assert desk.register(birth).json()["number"] == 4
    found = everything(restored)
    own = [key for key in found["rows"] if key not in twin["rows"]]
    assert sorted(key.partition(" ")[0] for key in own) == ["act", "birth", "task"]
    assert {key: found["rows"][key] for key in twin["rows"]} == twin["rows"]
    assert (found["conflicts"], found["waits"]) == (twin["conflicts"], twin["waits"])
    for rollup in ("population_cell", "nationality_cell", "census_cell"):
        assert found["rollups"][rollup] == twin["rollups"][rollup]
    assert (len(twin["conflicts"]), len(twin["rows"])) == (1, 5 + 4 + 6 + 3 * 3)


def test_what_is_sent_again_after_it_was_brought_changes_nothing(two: Two) -> None:
    commune, tablet = two.commune, two.commune.tablet(QUARTIER)
    two.exchange()
    backup = two.backup(commune)
    family = household_of(2)
    sealed = [tablet.seal(family), tablet.seal(edited(tablet, family, 1, phone="1"))]
    for each in sealed:
        commune.push_sealed(*each)
    two.exchange()
    restored = two.restored(commune, backup)
    two.exchange(restored)
    before, held = everything(restored), counted(restored, brought)
    assert before == everything(commune)
    receipts = [restored.push_sealed(*each) for each in sealed]
    assert {each["status"] for r in receipts for each in r["dispositions"].values()} == {"duplicate"}
    two.exchange(restored)
    assert (everything(restored), counted(restored, brought)) == (before, held)


def test_a_commune_that_never_joined_has_nothing_to_catch_up_with(two: Two, tmp_path: Path) -> None:
    alone = two.new_commune(tmp_path)
    backup = two.backup(alone)
    with alone.database.write() as connection:
        alone.door.write(connection, household_of(1), by="x")
    restored = two.restored(alone, backup)
    assert restored.door.identity.ep != alone.door.identity.ep
    assert not restored.door.standing.catching_up
    assert Desk(restored).act() == 1


def test_catching_up_is_shown_and_lasts_until_everything_went_up_and_came_down(two: Two) -> None:
    restored = two.restored(two.commune, two.backup(two.commune))
    assert not restored.door.standing.catching_up
    mark_restored(restored.database, home_of(restored))
    restored = two.restored(restored, restored.database)
    admin = restored.officer("admin")
    assert restored.client.get("/v1/status", headers=admin).json()["catching_up"] is True
    two.wire.nodes.clear()
    with pytest.raises(Problem):
        two.exchange(restored)
    assert restored.door.refresh().catching_up
    two.wire.nodes["province"] = two.province
    two.exchange(restored)
    assert restored.client.get("/v1/status", headers=admin).json()["catching_up"] is False


@pytest.mark.parametrize("busy", [False, True], ids=["idle since", "counters caught up"])
def test_a_province_put_back_with_its_folder_is_sent_again_what_it_had_receipted(
    two: Two, busy: bool
) -> None:
    commune, tablet = two.commune, two.commune.tablet(QUARTIER)
    commune.push(tablet, *household_of(1))
    two.exchange()
    backup = two.backup(two.province)
    commune.push(tablet, *household_of(2))
    two.exchange()
    home = home_of(two.province)
    Identity.read(home).write(home)
    feed = two.province.door.identity.feed
    province = two.restored_unmarked(two.province, backup)
    assert province.door.identity.feed == feed, "nobody there can tell"
    assert len(state.rows(province, "household")) == 1
    if busy:
        for _ in range(3):
            commune.push(tablet, *household_of(1))
    two.exchange()
    assert state.rows(province) == state.rows(commune)
    assert len(state.rows(province, "household")) == (5 if busy else 2)
    assert two.exchange().batches == 0, "once is enough"


def test_a_restore_nobody_noticed_gives_no_operation_number_twice(two: Two) -> None:
    commune, desk = two.commune, Desk(two.commune)
    assert desk.act() == 1
    two.exchange()
    backup = two.backup(commune)
    assert desk.act() == 2
    two.exchange()
    home = home_of(commune)
    Identity.read(home).write(home)
    unnoticed = two.restored_unmarked(commune, backup)
    assert unnoticed.door.identity.ep == commune.door.identity.ep
    two.exchange(unnoticed)
    desk.node = unnoticed
    assert desk.act() == 3
    two.exchange(unnoticed)
    assert state.rows(unnoticed, *CIVIL) == state.rows(two.province, *CIVIL)
    assert len(state.rows(unnoticed, "act")) == 3
    assert counted(unnoticed, fork) == counted(two.province, fork) == 0


def test_what_was_brought_shows_when_it_came(two: Two) -> None:
    commune, tablet = two.commune, two.commune.tablet(QUARTIER)
    two.exchange()
    family = household_of(1)
    two.province.door.accept(*tablet.seal(family), grant=tablet.grant)
    two.exchange()
    clerk = commune.officer("clerk")
    answer = commune.client.get(f"/v1/persons/{family[1]['id']}/history", headers=clerk)
    assert answer.status_code == 200, answer.text
    assert '"received_at":"2026-02-02T09:00:00.000Z"' in answer.text


# -- noticing it -------------------------------------------------------------------------------------------------


def test_a_copy_with_the_same_number_of_starts_is_known_by_its_batches(two: Two) -> None:
    commune, home = two.commune, home_of(two.commune)
    with at_work(commune.database, home):
        backup = two.backup(commune)
        commune.push(commune.tablet(QUARTIER), *household_of(1))
        keep_marks(commune.database, home)
        before = Identity.read(home)
        assert reconcile_identity(commune.database, home).ep == before.ep
        assert reconcile_identity(backup, home).ep != before.ep
        assert reconcile_identity(backup, home).ep == Identity.read(home).ep


def test_a_copy_from_before_the_last_start_is_known_by_the_starts(two: Two) -> None:
    commune, home = two.commune, home_of(two.commune)
    backup = two.backup(commune)
    with at_work(commune.database, home):
        pass
    assert Marks.read(home).starts == 2
    before = Identity.read(home)
    assert reconcile_identity(commune.database, home).ep == before.ep
    assert reconcile_identity(backup, home).ep != before.ep


def test_a_crash_between_database_and_file_is_no_restore(two: Two) -> None:
    commune, home = two.commune, home_of(two.commune)
    before = Identity.read(home)
    with commune.database.write() as connection:
        connection.execute(node_table.update().values(starts=node_table.c.starts + 1))
    commune.push(commune.tablet(QUARTIER), *household_of(1))
    assert reconcile_identity(commune.database, home).ep == before.ep


def test_a_directory_from_before_there_were_marks_stays_valid(two: Two) -> None:
    commune, home = two.commune, home_of(two.commune)
    text = (home / IDENTITY).read_text()
    assert '"starts"' in text
    old = {name: value for name, value in json.loads(text).items() if name not in ("starts", "batches")}
    (home / IDENTITY).write_text(json.dumps(old))
    assert reconcile_identity(commune.database, home).ep == commune.door.identity.ep
    keep_marks(commune.database, home)
    with commune.database.read() as connection:
        assert Marks.read(home) == Marks.of(connection)


# -- rebuilt from nothing ----------------------------------------------------------------------------------------


def test_a_commune_rebuilt_from_nothing_gets_everything_of_its_own_back(two: Two, tmp_path: Path) -> None:
    commune, desk = two.commune, Desk(two.commune)
    tablet = commune.tablet(QUARTIER)
    family = household_of(3)
    commune.push(tablet, *family)
    commune.push(tablet, *edited(tablet, family, 1, nom="Kanza"))
    orphan = new("person", {"nom": "Ilunga", "household": str(uuid.uuid4())})
    commune.push(tablet, orphan)
    assert (desk.act(), desk.act()) == (1, 2)
    two.exchange()
    kept = tablet.seal(household_of(2))
    commune.push_sealed(*kept)
    twin = everything(commune, *POPULATION, *CIVIL)

    rebuilt = two.new_commune(tmp_path)
    two.join(rebuilt)
    waiting = [rebuilt.door.standing.catching_up]
    two.exchange(rebuilt)
    assert [*waiting, rebuilt.door.standing.catching_up] == [True, False]
    assert rebuilt.door.sender(tablet.dev) is not None
    rebuilt.push_sealed(*kept)
    assert everything(rebuilt, *POPULATION, *CIVIL) == twin
    assert Desk(rebuilt).act() == 3
    two.exchange(rebuilt)
    assert state.rows(two.province) == state.rows(rebuilt)


# -- the province restored ---------------------------------------------------------------------------------------


def test_a_province_restored_after_it_said_settled_gets_everything_again(two: Two) -> None:
    commune, tablet = two.commune, two.commune.tablet(QUARTIER)
    commune.push(tablet, *household_of(2))
    two.exchange()
    backup = two.backup(two.province)
    commune.push(tablet, *household_of(3))
    commune.push(tablet, *household_of(1))
    two.exchange()
    with commune.database.read() as connection:
        receipts = connection.execute(sa.select(batch.c.sha256, batch.c.province_receipt)).all()
    assert all(each.province_receipt for each in receipts)
    two.restored(two.province, backup)
    assert state.rows(two.province) != state.rows(commune)
    done = two.exchange()
    assert (done.batches, done.receipts) == (len(receipts),) * 2
    assert (state.rows(two.province), state.rollups(two.province)) == (
        state.rows(commune),
        state.rollups(commune),
    )
    with commune.database.read() as connection:
        assert connection.execute(sa.select(batch.c.sha256, batch.c.province_receipt)).all() == receipts
        assert read_standing(connection).upstream_feed == two.province.door.identity.feed
    assert two.exchange().batches == 0


def test_a_sending_again_that_was_cut_goes_on_where_it_stood(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    commune, tablet = two.commune, two.commune.tablet(QUARTIER)
    for _ in range(5):
        commune.push(tablet, *household_of(1))
    two.exchange()
    two.restored(two.province, two.backup(two.province))
    mark_restored(two.province.database, home_of(two.province))
    two.restored(two.province, two.province.database)
    monkeypatch.setattr("app.ledger.relay.MOST_BATCHES", 2)
    sent: list[int] = []

    class Cut(Exception):
        pass

    def cut(done: Any) -> None:
        sent.append(done.batches)
        raise Cut

    with pytest.raises(Cut):
        relay_all(commune.door, two.client, most_bytes=1 << 20, told=cut)
    rest = two.exchange()
    assert sent == [2]
    assert rest.batches == counted(commune, batch) - 2
