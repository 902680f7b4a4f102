"""Bodies of requests: compressed, too large, too slow, broken."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from backports import zstd
from fastapi import FastAPI

from app.web.bodies import BOUNDS, DEFAULT, BoundedBodies
from tests.web.client import InProcess, trickle
from tests.web.conftest import LIMIT, refusal

NOISE = random.Random(7).randbytes(LIMIT)
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "zstd": zstd.compress,
    "": bytes,
    "identity": bytes,
}

CHECKED: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
WIDE: dict[int, int] = {
    zstd.CompressionParameter.window_log: 27,
    zstd.CompressionParameter.content_size_flag: 0,
}


def send(client: InProcess, content: Any, *, coding: str = "", path: str = "/small") -> Any:
    headers = {"Content-Encoding": coding} if coding else {}
    return client.post(path, content=content, headers=headers)


def test_the_published_bounds_are_those_of_the_protocol() -> None:
    assert BOUNDS["/sync/v1/batches"].bytes == 1 << 20
    assert BOUNDS["/sync/v1/bundles"].bytes == 64 << 20
    assert DEFAULT.bytes == 8 << 20


@pytest.mark.parametrize("coding", list(PACK))
@pytest.mark.parametrize("length", [0, 1, LIMIT - 1, LIMIT])
def test_a_body_arrives_as_it_was_before_compression(client: InProcess, coding: str, length: int) -> None:
    plain = NOISE[:length]
    answer = send(client, PACK[coding](plain), coding=coding)
    assert answer.status_code == 200
    digest = hashlib.sha256(plain).hexdigest()
    assert answer.json() == {
        "length": length,
        "sha256": digest,
        "coding": None,
        "content-length": str(length),
    }


@pytest.mark.parametrize("coding", list(PACK))
def test_one_byte_more_than_the_limit_is_too_large(client: InProcess, coding: str) -> None:
    assert refusal(send(client, PACK[coding](NOISE + b"x"), coding=coding)) == (413, "too_large")


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_pieces_of_any_size_give_the_same_body(client: InProcess, coding: str) -> None:
    packed = PACK[coding](NOISE[:3000])
    pieces = [packed[at : at + 7] for at in range(0, len(packed), 7)]
    answer = send(client, trickle(pieces, pause=0), coding=coding)
    assert answer.json()["sha256"] == hashlib.sha256(NOISE[:3000]).hexdigest()


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_of_several_members_is_one_body(client: InProcess, coding: str) -> None:
    answer = send(client, PACK[coding](b"mbo") + PACK[coding](b"ka"), coding=coding)
    assert answer.json()["sha256"] == hashlib.sha256(b"mboka").hexdigest()
    many = PACK[coding](b"") * 1000
    assert refusal(send(client, many, coding=coding)) == (400, "unreadable_body")


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_bomb_is_stopped_before_it_fills_the_memory(client: InProcess, coding: str) -> None:
    bomb = PACK[coding](bytes(200 << 20))
    tracemalloc.start()
    try:
        started = time.process_time()
        assert refusal(send(client, bomb, coding=coding)) == (413, "too_large")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        assert time.process_time() - started < 1
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "trailing", "plain", "empty"])
def test_a_damaged_body_is_unreadable(client: InProcess, coding: str, damage: str) -> None:
    whole = PACK[coding](NOISE[:5000])
    if coding == "zstd":
        whole = zstd.compress(NOISE[:5000], options=CHECKED)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    broken = {
        "cut": whole[:-1],
        "flipped": bytes(flipped),
        "trailing": whole + b"garbage",
        "plain": NOISE[:5000],
        "empty": b"",
    }[damage]
    assert refusal(send(client, broken, coding=coding)) == (400, "unreadable_body")


def test_a_claimed_window_of_128_mib_is_refused(client: InProcess) -> None:
    packer = zstd.ZstdCompressor(options=WIDE)
    wide = packer.compress(NOISE[:1000]) + packer.flush()
    assert refusal(send(client, wide, coding="zstd")) == (400, "unreadable_body")


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "gzip,zstd", "§"])
def test_an_unknown_coding_is_refused_and_the_known_ones_named(client: InProcess, coding: str) -> None:
    answer = client.post("/small", content=b"x", headers={"Content-Encoding": coding.encode()})
    assert refusal(answer) == (400, "unknown_coding")
    assert answer.headers["Accept-Encoding"] == "gzip, zstd"


def test_a_body_that_trickles_is_cut_off(client: InProcess) -> None:
    started = time.monotonic()
    answer = send(client, trickle([b"x"] * 100, pause=0.05), path="/slow")
    assert refusal(answer) == (408, "too_slow")
    assert answer.headers["Connection"] == "close"
    assert time.monotonic() - started < 2


def test_the_memory_for_all_bodies_together_is_bounded(application: FastAPI) -> None:
    waiting = asyncio.Event()
    codes: list[int] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await waiting.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    edge = BoundedBodies(app, most_held=3000)

    async def request() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": bytes(1000), "more_body": False}

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])

        scope = {"type": "http", "path": "/", "query_string": b"", "headers": [(b"content-length", b"1000")]}
        await edge(scope, receive, answer)

    async def five_at_once() -> None:
        tasks = [asyncio.create_task(request()) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert codes == [503, 503]
        waiting.set()
        await asyncio.gather(*tasks)

    asyncio.run(five_at_once())
    assert sorted(codes) == [200, 200, 200, 503, 503]
    assert edge.held == 0


def test_a_sender_who_hangs_up_is_not_answered() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError("half a body reached the application")

    edge = BoundedBodies(app)
    messages = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def answer(_message: Any) -> None:
        raise AssertionError("answered to nobody")

    scope = {"type": "http", "path": "/", "query_string": b"", "headers": [(b"content-length", b"9")]}
    asyncio.run(edge(scope, receive, answer))
    assert edge.held == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"{'nom': 1}", b'{"nom": NaN}', b'{"nom": 1e400}', b'{"nom": "\xff"}', b'{"nom": "a\x01"}',
        b'{"nom": "A", "nom": "B"}', b'{"a": {"b": 1, "c": 2, "b": 3}}', b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}",
        b'\xef\xbb\xbf{"nom": "A"}', b'{"nom": "A"} x',
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)  # fmt: skip
def test_json_that_is_not_strictly_json_is_unreadable(client: InProcess, body: bytes) -> None:
    answer = client.post("/births", content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert refusal(answer)[0] in {400, 422}
    if body:
        assert refusal(answer) == (400, "unreadable_body")


@pytest.mark.parametrize("escape", ["\\u0000", "\\u001b", "\\ud800", "\\uDFFF", "\\u007F", "\\u0008"])
def test_a_control_character_is_refused_where_it_stands(client: InProcess, escape: str) -> None:
    body = b'{"nom": "A", "witnesses": ["ok", "b' + escape.encode() + b'"]}'
    answer = client.post("/births", content=body, headers={"Content-Type": "application/json"})
    assert refusal(answer) == (422, "invalid_input")
    assert answer.json()["errors"][0]["field"] == "witnesses.1"


@pytest.mark.parametrize("name", ["MBUYI\\u00e9", "\\ud83d\\ude00", "a\\nb", "\\\\u0000", "Ñ́é"])
def test_every_other_letter_is_welcome(client: InProcess, name: str) -> None:
    body = f'{{"nom": "{name}"}}'.encode()
    assert (
        client.post("/births", content=body, headers={"Content-Type": "application/json"}).status_code == 200
    )


def test_a_control_character_in_a_long_json_is_refused_too(client: InProcess) -> None:
    body = b'{"nom": "' + b"x" * (300 << 10) + b'\\u0000"}'
    answer = client.post("/births", content=body, headers={"Content-Type": "application/json"})
    assert refusal(answer) == (422, "invalid_input")


@pytest.mark.parametrize(
    "address", ["/persons/1?q=a%00b", "/persons/1?q=a%1Bb", "/persons/1%00", "/persons/1?q=%7f"]
)
def test_an_address_with_a_control_character_is_refused(client: InProcess, address: str) -> None:
    assert refusal(client.get(address)) == (422, "invalid_input")


def test_an_address_with_accents_is_read(client: InProcess) -> None:
    assert client.get("/persons/1", params={"q": "Ngolé mbo 10%"}).json() == {
        "number": 1,
        "q": "Ngolé mbo 10%",
    }
