"""A server without a proxy before it lets nobody hold a connection by saying little, nothing, or far too much."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.journeys.nodes import KINTAMBO, Server, free_port

SECONDS = 2.0
LATE = 15.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A node served in its own process, with short deadlines."""
    folder = tmp_path_factory.mktemp("deadlines") / "node"
    made = Server("both", folder, f"http://127.0.0.1:{free_port()}")
    made.run("init", "--kind", "both", "--commune", KINTAMBO)
    settings = json.loads((folder / "mboka.json").read_text())
    (folder / "mboka.json").write_text(json.dumps(settings | {"request_seconds": SECONDS}))
    made.start()
    yield made
    made.stop()


@dataclass
class Answer:
    """What came back before the server hung up, and after how many seconds it did."""

    text: str
    seconds: float
    sent: int

    @property
    def status(self) -> int:
        """The status of the (last) answer."""
        return int(self.text.rpartition("HTTP/1.1 ")[2][:3])


def trickle(server: Server, start: bytes, piece: bytes, *, pause: float = 0.2, most: int = 1 << 30) -> Answer:
    """Send `start`, then `piece` every `pause` seconds, until the server closes the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    begun, sent = time.monotonic(), 0
    with socket.create_connection((host, int(port)), timeout=LATE) as line:
        received = bytearray()
        gone = threading.Event()

        def listen() -> None:
            try:
                while data := line.recv(65536):
                    received.extend(data)
            except OSError:
                pass
            gone.set()

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            line.sendall(start)
            while piece and not gone.wait(pause) and sent < most:
                line.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        assert gone.wait(LATE), "the connection was held"
        listener.join()
    return Answer(received.decode(errors="replace"), time.monotonic() - begun, sent)


POST = (
    b"POST /sync/v1/batches HTTP/1.1\r\nHost: here\r\nContent-Type: application/x-ndjson\r\n"
    b"Content-Length: %d\r\n\r\n"
)


def test_a_header_that_trickles_is_ended(server: Server) -> None:
    answer = trickle(server, b"GET /health HTTP/1.1\r\nHost: here\r\nX-Slow: ", b"a")
    assert (answer.status, '"too_slow"' in answer.text) == (408, True)
    assert SECONDS * 0.9 <= answer.seconds < LATE


def test_a_connection_on_which_nothing_is_said_is_ended(server: Server) -> None:
    answer = trickle(server, b"", b"")
    assert answer.status == 408
    assert SECONDS * 0.9 <= answer.seconds < LATE


def test_a_second_header_on_one_connection_is_awaited_no_longer_than_the_first(server: Server) -> None:
    whole = b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n"
    answer = trickle(server, whole + b"GET /health HTTP/1.1\r\nX-Slow: ", b"a")
    assert answer.text.startswith("HTTP/1.1 200")
    assert answer.status == 408
    assert answer.seconds < LATE


def test_a_header_without_end_is_ended_by_its_size(server: Server) -> None:
    start = b"GET /health HTTP/1.1\r\nHost: here\r\nX-Long: "
    answer = trickle(server, start, b"a" * 16384, pause=0.01)
    assert (answer.status, '"headers_too_large"' in answer.text) == (431, True)
    assert answer.sent < 1 << 20


def test_a_body_that_trickles_is_ended(server: Server) -> None:
    answer = trickle(server, POST % 1000, b"a")
    assert (answer.status, '"too_slow"' in answer.text) == (408, True)
    assert SECONDS * 0.9 <= answer.seconds < LATE


def test_a_body_of_200_megabytes_is_refused_before_it_is_read(server: Server) -> None:
    answer = trickle(server, POST % (200 << 20), b"a" * 65536, pause=0.001, most=200 << 20)
    assert answer.status == 413
    assert answer.sent < 20 << 20


def test_a_chunked_body_of_any_length_is_cut(server: Server) -> None:
    start = b"POST /sync/v1/batches HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    answer = trickle(server, start, piece, pause=0.001, most=200 << 20)
    assert answer.status == 413
    assert answer.sent < 20 << 20


def test_fifty_slow_connections_do_not_keep_others_out(server: Server, tmp_path: Path) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port)), timeout=LATE) for _ in range(50)]
    try:
        for each in held:
            each.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{")
        assert httpx.get(f"{server.url}/health", trust_env=False, timeout=5).status_code == 200
    finally:
        for each in held:
            each.close()


def test_a_request_in_its_time_is_answered_as_ever_on_one_connection(server: Server) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for _ in range(3):
            assert client.get("/health").status_code == 200
            assert client.post("/v1/sessions", json={}).status_code == 422
            time.sleep(SECONDS * 0.75)
