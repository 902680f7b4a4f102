"""What a commune gathers reaches the province whole and once, however often the line is cut; its receipts come back."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
import sqlalchemy as sa

from app.errors import Problem
from app.ledger.enrolment import invite
from app.ledger.relay import Relayed, accept_bundle, join
from app.ledger.tables import batch
from app.population.tables import person
from sync.bundle import Record, read_bundle, write_bundle
from sync.seal import verify_detached
from tests.ledger.pair import Two
from tests.ledger.test_receipts import count, persons_counted
from tests.ledger.test_sessions import bearer
from tests.nodes import Tablet, TestNode, Wire, household_of, stranger

QUARTIER = "1017010"
MIB = 1 << 20


def bundle(*sealed: tuple[bytes, str], grant: str | None = None) -> bytes:
    return write_bundle([Record("batch", data, signature, grant) for data, signature in sealed])


def said(answer: bytes) -> list[tuple[str, dict[str, Any]]]:
    return [(record.type, orjson.loads(record.body)) for record in read_bundle(answer)]


def hand_in(node: TestNode, data: bytes) -> list[tuple[str, dict[str, Any]]]:
    return said(accept_bundle(node.door, data))


# -- a bundle ----------------------------------------------------------------------------------------------------


def test_many_batches_come_in_one_body_and_each_has_its_receipt(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    sealed = [tablet.seal(household_of(1)) for _ in range(3)]
    answer = accept_bundle(lasting.door, bundle(*sealed))
    told = said(answer)
    assert [(kind, each["from"], each["to"]) for kind, each in told] == [
        ("receipt", 1, 3),
        ("receipt", 4, 6),
        ("receipt", 7, 9),
    ]
    key, dev = lasting.door.identity.key.public, lasting.door.identity.dev
    for record in read_bundle(answer):
        verify_detached(key, record.body, record.signature or "", kid=dev, typ="receipt")
    assert accept_bundle(lasting.door, bundle(*sealed)) == answer
    assert orjson.loads(lasting.door.accept(*sealed[0]).text) == told[0][1]


def test_a_bundle_cut_anywhere_counts_up_to_its_last_whole_record(node: TestNode) -> None:
    tablet = node.tablet(QUARTIER)
    whole = bundle(*(tablet.seal(household_of(1)) for _ in range(3)))
    ends = [0]
    for _ in range(3):
        head = orjson.loads(whole[ends[-1] : whole.index(b"\n", ends[-1])])
        ends.append(whole.index(b"\n", ends[-1]) + 1 + head["len"] + 1)
    assert ends[-1] == len(whole)
    for cut in sorted({1, 40, *(end + step for end in ends[1:] for step in (-2, -1, 0, 1, 30))}):
        complete = sum(end <= cut for end in ends[1:])
        assert len(hand_in(node, whole[:cut])) == complete, cut
    assert count(node, person) == 3


@pytest.mark.parametrize(
    "tail",
    [
        b"{}\n",
        b"[]\nx\n",
        b'{"type":"batch","len":-1}\n\n',
        b'{"type":"batch","len":"5"}\n12345\n',
        b"\xff\n",
    ],
)
def test_what_follows_unreadable_framing_is_left_and_what_was_before_counts(
    lasting: TestNode, agent: str, tail: bytes
) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    good = bundle(tablet.seal(household_of(1)))
    more = bundle(tablet.seal(household_of(1)))
    assert [kind for kind, _ in hand_in(lasting, good + tail + more)] == ["receipt"]


def test_a_batch_of_an_unknown_tablet_is_told_so_and_the_others_count(lasting: TestNode, agent: str) -> None:
    tablet, unknown = lasting.tablet(QUARTIER, officer=agent), stranger(lasting)
    sealed = unknown.seal(household_of(1))
    forged = (tablet.seal(household_of(1))[0], sealed[1])
    unreadable = Record("grant", b"\xff\xfe")
    records = write_bundle([unreadable, Record("batch", b"", None), Record("note", b"?")])
    told = hand_in(lasting, records + bundle(sealed, forged, tablet.seal(household_of(1))))
    assert [(kind, each.get("code")) for kind, each in told] == [
        ("problem", "unknown_device"),
        ("problem", "bad_signature"),
        ("problem", "grant_required"),
        ("problem", "grant_required"),
        ("receipt", None),
    ]
    assert told[2][1]["sha256"] != told[3][1]["sha256"]
    foreign = hand_in(lasting, bundle(sealed, grant=tablet.grant))
    assert [each["code"] for _, each in foreign] == ["unknown_device"]
    assert [kind for kind, _ in hand_in(lasting, bundle(sealed, grant=unknown.grant))] == ["receipt"]


def test_a_grant_of_another_province_opens_nothing(lasting: TestNode, node: TestNode) -> None:
    foreign = stranger(node)
    grant = write_bundle([Record("grant", foreign.grant.encode())])
    told = hand_in(lasting, grant + bundle(foreign.seal(household_of(1)), grant=foreign.grant))
    assert [each["code"] for _, each in told] == ["unknown_device", "unknown_device"]


# -- commune and province ----------------------------------------------------------------------------------------


def province_receipts(two: Two, tablet: Tablet) -> list[dict[str, Any]]:
    query = {"ep": tablet.ep, "from": 1}
    answer = two.commune.client.get("/sync/v1/receipts", params=query, headers=bearer(two.commune, tablet))
    found = []
    for line in answer.content.splitlines():
        told = orjson.loads(line)
        text = base64.urlsafe_b64decode(told["receipt"] + "=" * (-len(told["receipt"]) % 4))
        receipt = orjson.loads(text)
        if receipt["node"] == two.province.door.identity.dev:
            key = two.province.door.identity.key.public
            verify_detached(key, text, told["signature"], kid=receipt["node"], typ="receipt")
            found.append(receipt)
    return found


def test_what_the_commune_has_reaches_the_province_and_its_receipts_go_down_unchanged(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    receipts = [two.commune.push(tablet, *household_of(2)) for _ in range(3)]
    assert province_receipts(two, tablet) == []
    done = two.relay()
    assert (done.batches, done.receipts, done.refused) == (count(two.commune, batch),) * 2 + (0,)
    assert persons_counted(two.province) == persons_counted(two.commune) == 6
    assert [each["sha256"] for each in province_receipts(two, tablet)] == [
        each["sha256"] for each in receipts
    ]
    assert two.relay() == Relayed()


def test_a_relay_whose_answer_was_lost_is_made_again_and_counts_once(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.commune.push(tablet, *household_of(4))

    class Deaf(Wire):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if request.url.path.endswith("/bundles"):
                raise httpx.ReadTimeout("the answer was lost", request=request)
            return answer

    with httpx.Client(transport=Deaf(province=two.province)) as client, pytest.raises(Problem) as lost:
        two.relay(client)
    assert lost.value.type.code == "upstream_unreachable"
    assert province_receipts(two, tablet) == []
    taken = (
        sa.select(batch.c.sha256, batch.c.receipt).where(batch.c.receipt.is_not(None)).order_by(batch.c.id)
    )
    with two.province.database.read() as connection:
        first = connection.execute(taken).all()
    assert two.relay().receipts == len(first)
    with two.province.database.read() as connection:
        assert connection.execute(taken).all() == first
    assert persons_counted(two.province) == 4


def test_a_receipt_the_province_did_not_sign_settles_nothing(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.commune.push(tablet, *household_of(1))

    class Portal(Wire):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if request.url.path.endswith("/bundles"):
                changed = answer.content.replace(b'"dispositions":{}', b'"dispositions":[]')
                return httpx.Response(200, content=changed)
            return answer

    with httpx.Client(transport=Portal(province=two.province)) as client, pytest.raises(Problem) as refused:
        two.relay(client)
    assert refused.value.type.code == "not_the_province"
    assert province_receipts(two, tablet) == []


def test_batches_the_province_refuses_do_not_hold_up_the_later_ones(two: Two) -> None:
    """More refused batches than one bundle takes stand in front of the line."""
    tablet = two.commune.tablet(QUARTIER)
    unknown = Tablet(tablet.dev, tablet.key, tablet.grant, tablet.agent, ep=9)
    two.commune.push(unknown, *household_of(1))
    with two.commune.database.write() as connection:
        row = connection.execute(sa.select(batch).where(batch.c.dev == tablet.dev)).mappings().one()
        spoilt = [
            {
                **row,
                "id": None,
                "sha256": f"{at:064}",
                "from_n": at,
                "to_n": at,
                "origin": None,
                "signature": "x",
            }
            for at in range(2, 232)
        ]
        for each in spoilt:
            connection.execute(batch.insert().values({k: v for k, v in each.items() if k != "id"}))
    two.commune.push(tablet, *household_of(3))
    done = two.relay()
    assert (done.refused, persons_counted(two.province)) == (230, 4)


def test_the_commune_knows_how_far_its_clock_is_ahead_of_the_provinces(two: Two) -> None:
    two.relay()
    assert two.commune.door.standing.upstream_offset == 0
    two.clock.forward(timedelta(hours=30))
    two.relay()
    assert two.commune.door.standing.upstream_offset == 30 * 3600


def test_a_commune_joins_only_the_province_whose_key_it_was_given(two: Two) -> None:
    officer, _ = two.province.add_officer("admin")
    with two.province.database.write() as connection:
        made = invite(
            connection,
            two.province.door,
            agent=officer,
            role="admin",
            areas=("CD-KN-017",),
            at=two.province.node.clock.now(),
            minutes=15,
        )
    with pytest.raises(Problem) as refused:
        join(
            two.commune.door,
            url="http://province",
            code=made.code,
            province="0" * 43,
            client=two.client,
        )
    assert refused.value.type.code == "not_the_province"
    with pytest.raises(Problem) as nowhere:
        join(two.commune.door, url="http://elsewhere", code=made.code, province="x", client=two.client)
    assert nowhere.value.type.code == "upstream_unreachable"
