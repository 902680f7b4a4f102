"""A bad line on loopback: stands between a client and a node, one request per connection, and does to the next request
what it was armed with."""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_HEAD = 64 << 10
PORTAL = b"<html><title>Bienvenue sur le Wi-Fi</title>Achetez un forfait.</html>"


@dataclass(eq=False)
class Exchange:
    """One request that came in whole, and what may be done with it."""

    proxy: Proxy
    client: socket.socket
    request: bytes

    @property
    def path(self) -> str:
        """The path asked for, without its query."""
        return self.request.split(b" ", 2)[1].split(b"?")[0].decode()

    def forward(self, most: int | None = None) -> bytes:
        """Send the request (or its first bytes, then cut) to the node; its whole answer, empty when there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.proxy.target), timeout=60) as upstream:
                upstream.sendall(self.request[:most])
                if most is not None:
                    _reset(upstream)
                    return b""
                answer = b"".join(iter(lambda: upstream.recv(65536), b""))
        except OSError:
            return b""
        self.proxy.answers[self.path] = answer
        return answer

    def say(self, answer: bytes) -> None:
        """Give the client these bytes, if it is still there."""
        try:
            self.client.sendall(answer)
        except OSError:
            return

    def cut(self) -> None:
        """Reset the client's connection."""
        _reset(self.client)

    def pass_on(self) -> None:
        """Do as a good line would."""
        answer = self.forward()
        if answer:
            self.say(answer)
        else:
            self.cut()


Act = Callable[[Exchange, random.Random], None]


@dataclass
class Proxy:
    """Listens on a free port; `told` hears the name of each fault as it is injected."""

    target: int
    told: Callable[[str], None]
    seed: int = 0
    answers: dict[str, bytes] = field(default_factory=dict)
    # What befalls every request, armed or not.
    always: Act | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._armed: deque[tuple[str, str, Act]] = deque()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def arm(self, name: str, act: Act, *, path: str = "") -> None:
        """The next request whose path ends with `path` meets this fault."""
        with self._lock:
            self._armed.append((name, path, act))

    @property
    def armed(self) -> int:
        """Faults that have not happened yet."""
        return len(self._armed)

    def cut_all(self) -> int:
        """Cut every connection that is open now; gives how many."""
        with self._lock:
            cut = list(self._open)
        for each in cut:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        return len(cut)

    def close(self) -> None:
        """Stop listening."""
        self._listening.close()
        self.cut_all()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            with self._lock:
                self._open.add(client)
            try:
                request = _read_request(client)
                if request:
                    self._carry(Exchange(self, client, request))
            except OSError:
                return
            finally:
                with self._lock:
                    self._open.discard(client)

    def _carry(self, exchange: Exchange) -> None:
        with self._lock:
            due = None
            if self._armed and exchange.path.endswith(self._armed[0][1]):
                due = self._armed.popleft()
            drawn = random.Random(self._random.random())
        if due is not None:
            self.told(due[0])
            due[2](exchange, drawn)
        elif self.always is not None:
            self.always(exchange, drawn)
        else:
            exchange.pass_on()


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _read_request(client: socket.socket) -> bytes:
    """A request with a Content-Length or without a body; told to close its connection afterwards."""
    client.settimeout(60)
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more or len(data) > MOST_HEAD:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0:
        more = client.recv(65536)
        if not more:
            return b""
        body += more
        missing -= len(more)
    head = re.sub(rb"\r\nconnection:[^\r]*", b"", head, flags=re.IGNORECASE)
    return head + b"\r\nConnection: close\r\n\r\n" + body


# -- what a bad line does -----------------------------------------------------------------------------------------


def reset(exchange: Exchange, _drawn: random.Random) -> None:
    """The request never arrives."""
    exchange.cut()


def cut_request(exchange: Exchange, drawn: random.Random) -> None:
    """The line breaks at some byte of the request."""
    exchange.forward(drawn.randrange(1, len(exchange.request)))
    exchange.cut()


def cut_answer(exchange: Exchange, drawn: random.Random) -> None:
    """The request arrives whole, the line breaks at some byte of the answer (perhaps before the first)."""
    answer = exchange.forward()
    exchange.say(answer[: drawn.randrange(max(1, len(answer)))])
    exchange.cut()


def truncated(exchange: Exchange, drawn: random.Random) -> None:
    """A whole-looking answer with less in it: the length says what is left."""
    head, _, body = exchange.forward().partition(b"\r\n\r\n")
    kept = body[: drawn.randrange(max(1, len(body)))]
    told = re.sub(rb"(content-length: *)\d+", rb"\g<1>%d" % len(kept), head, flags=re.IGNORECASE)
    exchange.say(told + b"\r\n\r\n" + kept)


def half_open(exchange: Exchange, drawn: random.Random) -> None:
    """The line takes the request, brings it or not, and never answers."""
    if drawn.random() < 0.5:
        exchange.forward()
    exchange.client.settimeout(5)
    exchange.client.recv(1)


def late(exchange: Exchange, drawn: random.Random) -> None:
    """The request arrives when the client has given it up and perhaps asked again."""
    time.sleep(0.4 + drawn.random() / 5)
    exchange.pass_on()


def replayed(exchange: Exchange, _drawn: random.Random) -> None:
    """The answer to an earlier request of this kind comes once more; this request goes nowhere."""
    exchange.say(exchange.proxy.answers.get(exchange.path) or exchange.forward())


def portal(exchange: Exchange, _drawn: random.Random) -> None:
    """A captive portal answers in the node's place."""
    exchange.say(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PORTAL) + PORTAL
    )


def redirected(exchange: Exchange, _drawn: random.Random) -> None:
    """A captive portal sends the client elsewhere."""
    exchange.say(b"HTTP/1.1 302 Found\r\nLocation: http://portail.invalid/\r\nContent-Length: 0\r\n\r\n")


def sent_twice(exchange: Exchange, _drawn: random.Random) -> None:
    """The request arrives twice at the same time; one of the answers comes back."""
    other = threading.Thread(target=exchange.forward)
    other.start()
    exchange.pass_on()
    other.join()


def slow(exchange: Exchange, _drawn: random.Random) -> None:
    """Each request takes its time."""
    time.sleep(0.04)
    exchange.pass_on()


def lossy(exchange: Exchange, drawn: random.Random) -> None:
    """40 % of the requests or answers are lost, and each round trip takes 30 ms (3 s scaled down)."""
    time.sleep(0.03)
    chance = drawn.random()
    if chance >= 0.4:
        exchange.pass_on()
        return
    exchange.proxy.told("40 % loss")
    if chance >= 0.2:
        exchange.forward()
    exchange.cut()
