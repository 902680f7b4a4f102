"""What reached the province by another path comes down to the commune, signed; nothing about other families does."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import sqlalchemy as sa
from backports import zstd

from app.errors import Problem
from app.ledger.bringing import bring_all, check_answer
from app.ledger.tables import brought, brought_answer, device, fork, upstream_position
from app.ledger.upstream import open_session
from sync.protocol import read_batch
from sync.seal import Key, sign_detached, verify_detached
from tests.ledger import state
from tests.ledger.pair import MIB, Two
from tests.ledger.test_sessions import bearer
from tests.ledger.test_statements import asked
from tests.nodes import Tablet, TestNode, Wire, household_of, new, stranger

QUARTIER, ELSEWHERE = "1017010", "1001010"


def at_province(two: Two, tablet: Tablet, *operations: dict[str, Any]) -> tuple[bytes, str]:
    """A tablet that could not reach its commune brings its work to the province itself."""
    data, signature = tablet.seal(operations)
    two.province.door.accept(data, signature, grant=tablet.grant)
    return data, signature


def ask(two: Two, *after: str, have: list[str] | None = None, limit_bytes: int = MIB) -> httpx.Response:
    """The commune's server asks the province."""
    params = [("after", each) for each in after] + [("have", each) for each in have or []]
    return two.client.get(
        "http://province/sync/v1/operations",
        params=[*params, ("limit_bytes", str(limit_bytes))],
        headers=open_session(two.commune.door, two.client),
    )


def records(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [orjson.loads(line) for line in answer.content.splitlines()]


def count(node: TestNode, table: sa.Table) -> int:
    with node.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_work_taken_to_the_province_itself_comes_down_to_the_commune(two: Two) -> None:
    commune, tablet, other = two.commune, two.commune.tablet(QUARTIER), two.commune.tablet(QUARTIER)
    family = household_of(2)
    commune.push(tablet, *family)
    two.exchange()
    change = {"kind": "person", "id": family[1]["id"], "set": {"nom": "Ilunga"}}
    direct = [at_province(two, tablet, *household_of(3)), at_province(two, other, change)]
    assert bring_all(commune.door, two.client).lines == 6
    assert state.rows(commune) == state.rows(two.province)
    assert state.rollups(commune)["population_cell"] == state.rollups(two.province)["population_cell"]
    assert state.conflicts(commune) == state.conflicts(two.province) != set()
    assert bring_all(commune.door, two.client).lines == 0
    rows = state.rows(commune)
    for data, signature in direct:
        receipt = commune.push_sealed(data, signature)
        assert {each["status"] for each in receipt["dispositions"].values()} == {"duplicate"}
    assert state.rows(commune) == rows
    assert count(commune, brought_answer) == 2


def test_an_answer_is_signed_whole_and_gives_the_very_bytes_of_each_line(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    head = f'"kind":"person","id":"{uuid.uuid4()}"'
    odd = "{" + head + ', "new":true,"set":{"nom":"Ngalulé \\u00e9"},"x":1}'
    data, signature = tablet.seal([odd.encode(), *household_of(1)])
    two.province.door.accept(data, signature, grant=tablet.grant)
    answer = ask(two)
    province = two.province.door.identity
    verify_detached(
        province.key.public,
        answer.content,
        answer.headers["Answer-Signature"],
        kid=province.dev,
        typ="operations",
    )
    *found, last = records(answer)
    told = {each["dot"]: each for record in found for each in record["operations"]}
    for line in read_batch(data).lines:
        each = told[tablet.dot(line.n)]
        assert each["line"].encode() == line.raw
        assert (each["role"], each["batch"]) == ("agent", hashlib.sha256(data).hexdigest())
        assert each["by"] == tablet.agent
    assert (last["more"], last["for"]) == (False, two.commune.door.identity.dev)
    assert last["feed"] == two.province.door.identity.feed


def test_nothing_about_another_communes_families_comes_down(two: Two, tmp_path: Path) -> None:
    gombe = two.new_commune(tmp_path, code="CD-KN-001")
    two.join(gombe, area="CD-KN-001")
    theirs = household_of(2, quartier=ELSEWHERE, commune="CD-KN-001")
    tablet = gombe.tablet("CD-KN-001")
    gombe.push(tablet, *theirs, new("person", {"nom": "Sans foyer"}), new("birth", {"nom": "Né ailleurs"}))
    two.exchange(gombe)
    two.commune.push(two.commune.tablet(QUARTIER), *household_of(1))
    two.exchange()
    found = records(ask(two))[:-1]
    ids = {record["id"] for record in found}
    assert not ids & {each["id"] for each in theirs}
    assert {record["kind"] for record in found} == {"household", "person", "visit", "device"}
    assert all(record["area"] in (QUARTIER, "ref") for record in found)
    assert not ids & {tablet.dev, gombe.door.identity.dev}
    for foreign in (f"{ELSEWHERE}:0", "civil:CD-KN-001:0", "commune:CD-KN-001:0"):
        refused = ask(two, foreign)
        assert (refused.status_code, refused.json()["code"]) == (403, "area_not_granted")
    assert len(state.rows(two.commune)) == 3


def test_a_family_that_moves_here_comes_with_everything_written_before(two: Two, tmp_path: Path) -> None:
    gombe = two.new_commune(tmp_path, code="CD-KN-001")
    two.join(gombe, area="CD-KN-001")
    tablet = gombe.tablet("CD-KN-001")
    family = household_of(2, quartier=ELSEWHERE, commune="CD-KN-001")
    del family[-1]
    gombe.push(tablet, *family)
    two.exchange(gombe)
    two.exchange()
    assert state.rows(two.commune) == {}
    address = {"commune": "CD-KN-017", "quartier": QUARTIER, "avenue": "x", "number": "1"}
    gombe.push(tablet, {"kind": "household", "id": family[0]["id"], "set": address, "par": {"commune": [1]}})
    two.exchange(gombe)
    two.exchange()
    assert state.rows(two.commune) == state.rows(two.province)
    assert state.rollups(two.commune) == state.rollups(two.province)
    with two.commune.database.read() as connection:
        assert connection.execute(sa.select(device.c.id).where(device.c.id == tablet.dev)).first() is None
    assert two.commune.door.sender(tablet.dev) is not None


def test_what_the_commune_says_it_holds_is_not_sent(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.commune.push(tablet, *household_of(2))
    two.exchange()
    dot = f"{tablet.dev}:{tablet.ep}"
    assert len([r for r in records(ask(two))[:-1] if r["area"] == QUARTIER]) == 4
    assert [r for r in records(ask(two, have=[f"{dot}:1-4"]))[:-1] if r["area"] == QUARTIER] == []
    rest = [r for r in records(ask(two, have=[f"{dot}:1-3", "nonsense"]))[:-1] if r["area"] == QUARTIER]
    assert [r["kind"] for r in rest] == ["visit"]


def test_small_pages_bring_the_same_as_one_large(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    for _ in range(4):
        at_province(two, tablet, *household_of(8, quartier=QUARTIER), *household_of(8, quartier="1017021"))
    done = bring_all(two.commune.door, two.client, page_bytes=1)
    assert done.answers > 2
    assert done.lines == 80
    assert state.rows(two.commune) == state.rows(two.province)


def test_a_page_of_many_families_asks_the_database_as_often_as_one_of_few(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    counts = []
    for households in (2, 60):
        at_province(two, tablet, *[line for _ in range(households) for line in household_of(3)])
        with asked(two.province) as statements:
            ask(two)
        counts.append(len([each for each in statements if not each.startswith("PRAGMA")]))
    assert counts[0] == counts[1]


def test_two_lines_under_one_number_are_known_as_such_on_both_sides(two: Two) -> None:
    commune, tablet = two.commune, two.commune.tablet(QUARTIER)
    two.exchange()
    clone = tablet.clone()
    family, theirs = household_of(1), household_of(1, quartier="1017021")
    commune.push(tablet, *family)
    at_province(two, clone, *theirs)
    two.exchange()
    assert count(commune, fork) == count(two.province, fork) == 3
    assert state.rows(commune) == state.rows(two.province)
    assert len(state.rows(commune)) == 6


def test_the_other_line_of_a_cloned_tablet_is_not_told_where_it_is_about_another_commune(
    two: Two, tmp_path: Path
) -> None:
    commune, tablet = two.commune, two.commune.tablet(QUARTIER)
    two.exchange()
    clone = tablet.clone()
    at_province(two, clone, new("household", {"commune": "CD-KN-001", "quartier": ELSEWHERE, "avenue": "y"}))
    commune.push(tablet, new("household", {"commune": "CD-KN-017", "quartier": QUARTIER, "avenue": "x"}))
    two.exchange()
    assert count(commune, fork) == count(two.province, fork) == 1
    assert len(state.rows(commune)) == 1
    assert count(commune, brought) == 1, "only this server's own enrolment, which the province wrote"


class Forger(Wire):
    """Somebody between the two who changes what the province answers."""

    def __init__(self, two: Two, change: Any) -> None:
        super().__init__(province=two.province)
        self.change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on, with the answer of operations changed."""
        answer = super().handle_request(request)
        if not request.url.path.endswith("/operations"):
            return answer
        content, signature = self.change(answer.content, answer.headers["Answer-Signature"])
        return httpx.Response(200, headers={"Answer-Signature": signature}, content=content)


def test_a_forged_answer_folds_nothing(two: Two) -> None:
    commune, tablet = two.commune, two.commune.tablet(QUARTIER)
    two.exchange()
    at_province(two, tablet, *household_of(1))
    stranger_key = Key.generate()
    province = two.province.door.identity.dev
    forgeries = [
        lambda content, signature: (content.replace(b"Mbuyi", b"Kanza"), signature),
        lambda content, _signature: (
            content,
            sign_detached(stranger_key, content, kid=province, typ="operations"),
        ),
        lambda content, signature: (content[content.index(b"\n") + 1 :], signature),
        lambda content, _signature: (content, ""),
    ]
    before = count(commune, upstream_position)
    with commune.database.read() as connection:
        positions = connection.execute(sa.select(upstream_position)).all()
    for each in forgeries:
        with httpx.Client(transport=Forger(two, each)) as client, pytest.raises(Problem) as refused:
            bring_all(commune.door, client)
        assert refused.value.type.code == "not_the_province"
        assert state.rows(commune) == {}
        with commune.database.read() as connection:
            assert connection.execute(sa.select(upstream_position)).all() == positions
    assert before == len(positions) > 0
    assert bring_all(commune.door, two.client).lines == 3


def test_an_answer_made_for_another_server_is_not_taken(two: Two, tmp_path: Path) -> None:
    other = two.new_commune(tmp_path)
    two.join(other)
    answer = ask(two)
    with pytest.raises(Problem) as refused:
        check_answer(other.door, answer.content, signature=answer.headers["Answer-Signature"])
    assert refused.value.type.code == "not_the_province"
    assert (
        check_answer(two.commune.door, answer.content, signature=answer.headers["Answer-Signature"]).entities
        == 2
    )


def test_a_position_beyond_the_counter_is_read_from_the_beginning_again(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    assert ask(two, f"{QUARTIER}:999").json()["code"] == "feed_changed"
    with two.commune.database.write() as connection:
        connection.execute(upstream_position.update().values(position="999"))
    at_province(two, tablet, *household_of(1))
    assert bring_all(two.commune.door, two.client).lines == 3


def test_a_tablet_may_not_ask(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    headers = bearer(two.province, tablet)
    refused = two.province.client.get("/sync/v1/operations", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_a_server")


def test_every_brought_line_stays_beside_the_signed_answer_that_brought_it(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    at_province(two, tablet, *household_of(2))
    bring_all(two.commune.door, two.client)
    with two.commune.database.read() as connection:
        kept = connection.execute(sa.select(brought_answer).order_by(brought_answer.c.id.desc())).first()
        assert kept is not None
        lines = connection.execute(sa.select(brought).where(brought.c.answer == kept.id)).all()
    content = zstd.decompress(kept.content)
    assert hashlib.sha256(content).hexdigest() == kept.sha256
    identity = two.province.door.identity
    verify_detached(identity.key.public, content, kept.signature, kid=identity.dev, typ="operations")
    told = {each["line"] for line in content.splitlines()[:-1] for each in orjson.loads(line)["operations"]}
    assert {each.line.decode() for each in lines} == told
    assert len(told) == 4


def test_a_device_known_only_to_the_province_keeps_its_role_and_commune(two: Two) -> None:
    two.exchange()
    foreign = stranger(two.province, "CD-KN-017", role="clerk")
    person = new("person", {"nom": "Ilunga"})
    at_province(two, foreign, person)
    assert bring_all(two.commune.door, two.client).lines == 1
    assert state.rows(two.commune) == state.rows(two.province)
    found = state.rows(two.commune)[f"person {person['id']}"]
    assert found["writes"]["nom"][0][5] == "clerk"
    assert two.commune.changes(two.commune.tablet("CD-KN-017"))[0]["area"] == "commune:CD-KN-017"
