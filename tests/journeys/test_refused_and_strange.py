"""What a server must neither believe nor lose nor stumble over: poison lines, false signatures, bombs, used codes."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from .client import NDJSON, Tablet
from .families import HIDDEN_FROM_AGENTS, MBUYI, family, household_fields, refused
from .nodes import KINTAMBO, SALONGO, World
from .rows import Entity
from .signatures import JSON, compact, jwk_of, peek, seal, sign

MIB = 1 << 20


# Strange lines


def said_of_a_person(household: str, body: str) -> bytes:
    """A line that first writes a member of the household down, with `body` inside `set`."""
    head = f'"kind":"person","id":"{uuid.uuid4()}","new":true'
    return f'{{{head},"set":{{"household":"{household}",{body}}}}}'.encode()


def poison(household: str) -> list[bytes]:
    """One line of each kind that cannot be read, and of each that the agent's role does not allow."""
    unreadable = [
        '"nom":"A","nom":"B"',
        '"nom":"A\\u0000"',
        '"nom":"\\ud800"',
        '"line":1e400',
        '"line":NaN',
        '"line":9007199254740992',
        '"line":-9007199254740992',
        '"nom":' + "[" * 40 + "]" * 40,
        '"nom":"' + "a" * (66 << 10) + '"',
        '"nom":"A"},"par":{"nom":[4999]',
    ]
    member = {"kind": "person", "id": str(uuid.uuid4()), "set": {"household": household}}
    return [
        *(said_of_a_person(household, body) for body in unreadable),
        said_of_a_person(household, '"nom":"A"').replace(b'"A"', b'"\xff\xfe"'),
        said_of_a_person(household, '"nom":"A"')[:-1],
        b"",
        b"[]",
        compact({**member, "new": True, "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}),
        compact({**member, "new": True, "act": "explode"}),
        compact({**member, "act": "restore"}),
        compact({**member, "new": True, "kind": "campaign"}),
    ]


def strange_but_readable() -> list[JSON]:
    """Fields no list knows and values at the edge of what can be read: written down like any other."""
    return [
        {"nom": "Ilunga", "sex": "X"},
        {"nom": "Ilunga", "birth_date": "2001-02-30", "birth_precision": "day"},
        {"nom": "Ilunga", "coiffure": "tresses"},
        {"nom": "Ilunga", "compte": 9007199254740991},
        {"nom": "Ilunga 👪 d\u0301", "phone": ""},
    ]


def fill(tablet: Tablet, household: Entity, *, lines: list[bytes]) -> tuple[dict[Entity, JSON], set[int]]:
    """Write until 1 MiB is full, the given lines spread among neighbours; the neighbours, the given lines' numbers."""
    usual = {name: value for name, value in MBUYI.items() if name not in HIDDEN_FROM_AGENTS}
    room = MIB - 400 - sum(len(line) + 1 for line in [*lines, *tablet.unsealed])
    neighbours: dict[Entity, JSON] = {}
    numbers = set()
    strange = strange_but_readable()
    while room > 800:
        if lines and len(neighbours) % 7 == 6:
            numbers.add(tablet.say(lines.pop()))
        fields = strange.pop() if strange else {**usual, "prenom": f"Jean {len(neighbours)}"}
        neighbours[tablet.create("person", {"household": household[1], **fields})] = fields
        room -= len(tablet.unsealed[-1]) + 1
    return neighbours, numbers


def test_one_poison_line_of_each_kind_in_a_full_batch_harms_no_neighbour(world: World) -> None:
    tablet = world.tablet(SALONGO)
    household = tablet.create("household", household_fields(SALONGO))
    neighbours, poisoned = fill(tablet, household, lines=poison(household[1]))
    batch = tablet.seal()
    assert MIB - 2000 < len(batch.data) <= MIB
    assert len(poisoned) == len(poison(household[1]))

    receipt = tablet.push(batch)
    assert {n for n, said in receipt.dispositions.items() if said["status"] == "quarantined"} == poisoned
    assert receipt.dispositions.keys() == poisoned
    assert all(said["reason"] for said in receipt.dispositions.values())

    tablet.pull()
    for about, fields in neighbours.items():
        assert fields.items() <= tablet.rows.rows[about]["set"].items(), fields
    doubtful = {
        name
        for about, row in tablet.rows.rows.items()
        for name in row.get("doubtful", [])
        if about in neighbours
    }
    assert doubtful == {"sex", "birth_date"}
    members = {
        about for about, row in tablet.rows.rows.items() if row["set"].get("household") == household[1]
    }
    assert members == neighbours.keys()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"\x00\xff",
        lambda data: data + b'{"kind":"person"}\n',
        lambda data: data.rstrip(b"\n"),
        lambda data: data.replace(b'"v":1', b'"v":9', 1),
        lambda data: data.replace(b'"from":', b'"from":-', 1),
    ],
    ids=["no header", "a line too many", "no last LF", "another version", "from below 1"],
)
def test_whatever_is_signed_gets_a_receipt(world: World, spoil: Callable[[bytes], bytes]) -> None:
    tablet = world.witness()
    tablet.create("household", household_fields())
    batch = tablet.seal_bytes(spoil(tablet.clone().seal().data))
    receipt = tablet.push(batch)
    again = tablet.push(batch)
    assert (again.body, again.signature) == (receipt.body, receipt.signature)
    assert isinstance(receipt.dispositions, dict)
    tablet.push(tablet.seal())


# What is refused, and leaves nothing behind


def batch_headers(signature: str, coding: str = "identity") -> dict[str, str]:
    return {"Content-Type": NDJSON, "Content-Encoding": coding, "Batch-Signature": signature}


def test_a_wrong_signature_or_coding_is_refused_and_nothing_is_stored(world: World) -> None:
    tablet = world.tablet()
    family(tablet)
    batch = tablet.seal()
    thief = ec.generate_private_key(ec.SECP256R1())
    wrong = [
        seal(thief, batch.data, typ="batch", kid=tablet.dev),
        seal(tablet.key, batch.data, typ="receipt", kid=tablet.dev),
        seal(tablet.key, batch.data + b"\n", typ="batch", kid=tablet.dev),
        "abc",
        "",
    ]
    for signature in wrong:
        refused(tablet.post_batch(batch.data, batch_headers(signature)), 400)
    packed = gzip.compress(batch.data, mtime=0)
    for body, coding in ((batch.data, "gzip"), (packed[:-12], "gzip"), (batch.data, "rot13")):
        refused(tablet.post_batch(body, batch_headers(batch.signature, coding)), 400)
    assert tablet.status() == {"through": 0, "holes": []}
    assert tablet.push(batch).dispositions == {}


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_body_beyond_one_mebibyte_is_refused_packed_or_not(world: World, coding: str) -> None:
    tablet = world.witness()
    data = bytes(MIB + 1) if coding == "identity" else bytes(64 * MIB)
    signature = tablet.seal_bytes(data).signature
    body = gzip.compress(data, mtime=0) if coding == "gzip" else data
    refused(tablet.post_batch(body, batch_headers(signature, coding)), 413)


def test_a_device_nobody_granted_is_refused_and_a_grant_it_made_itself_too(world: World) -> None:
    stranger = world.witness().clone()
    stranger.key = ec.generate_private_key(ec.SECP256R1())
    stranger.dev = str(uuid.uuid4())
    stranger.create("household", household_fields())
    batch = stranger.seal()
    assert refused(stranger.post_batch(batch.data, batch_headers(batch.signature)), 401) == "grant_required"
    jwk = jwk_of(stranger.key)
    claims = {**peek(stranger.grant)[1], "dev": stranger.dev, "key": jwk}
    own = sign(stranger.key, claims, typ="grant", kid=stranger.hello()["node"])
    self_made = sign(
        stranger.key,
        {"node": "n", "kind": "commune", "key": jwk, "areas": [KINTAMBO], "province_key": jwk},
        typ="node",
        kid="p",
    )
    chained = sign(stranger.key, {**claims, "node_cert": self_made}, typ="grant", kid="n")
    for grant in (own, chained, "abc"):
        headers = {**batch_headers(batch.signature), "Device-Grant": grant}
        refused(stranger.post_batch(batch.data, headers), 401)


def test_a_nonce_opens_one_session_at_one_server(world: World) -> None:
    tablet = world.witness()
    hello = tablet.hello()
    body = tablet.assertion(aud=hello["node"], nonce=hello["nonce"])
    assert tablet.connection.post("/sync/v1/sessions", json=body).status_code == 201
    refused(tablet.connection.post("/sync/v1/sessions", json=body), 400, 401, 403, 409)
    fresh = tablet.hello()["nonce"]
    elsewhere = tablet.assertion(aud=str(uuid.uuid4()), nonce=fresh)
    refused(tablet.connection.post("/sync/v1/sessions", json=elsewhere), 400, 401, 403)
    invented = tablet.assertion(aud=hello["node"], nonce="inventé")
    refused(tablet.connection.post("/sync/v1/sessions", json=invented), 400, 401, 403)
    refused(tablet.connection.get("/sync/v1/changes"), 401)


def test_an_invitation_serves_one_key_and_answers_it_twice_alike(world: World) -> None:
    tablet = world.invited()
    node = tablet.hello()["node"]

    def ask(body: JSON) -> httpx.Response:
        return tablet.connection.post("/sync/v1/enrolments", json=body)

    refused(ask(tablet.enrolment(node, code="ZZZZZZZZ")), 400, 401, 403, 404, 410)
    thief = ec.generate_private_key(ec.SECP256R1())
    refused(ask(tablet.enrolment(node, proof_key=thief)), 400, 401, 403)
    first = tablet.enrol()
    assert first["dev"] == tablet.dev
    again = ask(tablet.enrolment(node))
    assert again.status_code in (200, 201)
    assert again.json() == first
    tablet.key = thief
    refused(ask(tablet.enrolment(node)), 400, 401, 403, 404, 409, 410)
