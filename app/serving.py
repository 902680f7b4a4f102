"""The running server process: uvicorn around the application, garbage collector calmed, address written down."""

from __future__ import annotations

import errno
import fcntl
import gc
import json
import logging
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from app.ledger.creating import Creating
from app.ledger.node import at_work
from app.ledger.reading import reading_beside
from app.ledger.relay import Relay
from app.node import Node
from app.settings import write_durably

ADDRESS = "serving.json"
LOCK = "serving.lock"
KEEP_ALIVE_SECONDS = 75
SWITCH_SECONDS = 0.0005


class CannotListen(RuntimeError):
    """The server cannot have the address it was told to serve on; the message (French) says why."""


class AlreadyServing(RuntimeError):
    """Another process serves this folder, or rewrites it whole; the message (French) says what to do."""


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold the folder for this process: serving, restoring and rebuilding exclude one another. Raises AlreadyServing.

    The lock is the kernel's: it ends with the process, however that ends.
    """
    with (data / LOCK).open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyServing(
                f"Un serveur tourne déjà sur {data} (ou une restauration, une reconstruction) : arrêtez-le d'abord."
            ) from error
        yield


def address(data: Path) -> str:
    """Where the node in `data` serves, or last served; the default address before it ever did."""
    try:
        return str(json.loads((data / ADDRESS).read_text(encoding="utf-8"))["url"])
    except (FileNotFoundError, ValueError, KeyError):
        return "http://127.0.0.1:8017"


def run(
    node: Node, *, host: str, port: int, tls_cert: Path | None, tls_key: Path | None, behind_proxy: bool
) -> None:
    """Serve until the process is told to end; what was begun is finished first. Raises CannotListen."""
    configure_log(node.settings.log_level)
    calm_collector()
    door, settings = node.door, node.settings
    # First of all: a forked process must not hold the address, and there are no threads yet.
    with reading_beside(
        Creating(door.registry), processes=settings.reading, as_text=not node.database.is_sqlite
    ) as door.reader:
        _serve(
            node, listen(host, port), host=host, tls_cert=tls_cert, tls_key=tls_key, behind_proxy=behind_proxy
        )


def _serve(
    node: Node,
    listening: socket.socket,
    *,
    host: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    behind_proxy: bool,
) -> None:
    scheme = "https" if tls_cert else "http"
    shown = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{shown}:{listening.getsockname()[1]}"
    # Only now: until the address is ours, the one in the file may be that of the server which has it.
    write_durably(Path(node.settings.data) / ADDRESS, json.dumps({"url": url}).encode())
    # Here, not above: the API is half of what a program loads, and most commands serve nothing.
    import uvicorn

    from app.main import create_app
    from app.web.deadlines import protocol_within

    application = create_app(node, secure=behind_proxy or tls_cert is not None, relay=True)
    calm_collector()
    # Who waits for the database must not wait 5 ms more, at every answer, for a thread that decodes.
    sys.setswitchinterval(SWITCH_SECONDS)
    config = uvicorn.Config(
        application,
        host=host,
        log_level=node.settings.log_level.lower(),
        access_log=False,
        http=protocol_within(node.settings.request_seconds),
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        proxy_headers=behind_proxy,
        forwarded_allow_ips="127.0.0.1" if behind_proxy else None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
    )
    server = uvicorn.Server(config)
    try:
        with at_work(node.database, Path(node.settings.data)):
            server.run(sockets=[listening])
    except KeyboardInterrupt:
        return
    if not server.started:
        sys.exit(1)


def calm_collector() -> None:
    """What lives as long as the process is not looked through again and again for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to this address (port 0: any free one); raises CannotListen."""
    if not 0 <= port <= 65535:
        raise CannotListen(f"Le port {port} n'existe pas : choisissez de 1 à 65535.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            told = (
                f"Le port {port} est déjà utilisé par un autre programme : arrêtez-le ou choisissez --port."
            )
        elif error.errno == errno.EACCES:
            told = f"Le port {port} est réservé à l'administrateur de la machine : choisissez --port."
        else:
            told = f"Cette machine n'a pas l'adresse {host} : vérifiez --host."
        raise CannotListen(told) from error


def relay_for_ever(node: Node) -> None:
    """`mboka sync` without --once: relay like the server does, until interrupted."""
    configure_log(node.settings.log_level)
    relay = Relay(node.door, pause=node.settings.relay_seconds, most_bytes=node.settings.relay_bytes)
    with at_work(node.database, Path(node.settings.data)):
        relay.start()
        try:
            while relay.is_alive():
                time.sleep(1)
        except KeyboardInterrupt:
            relay.stop()


def configure_log(level: str) -> None:
    """One JSON line per event, ids only, never a name."""
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=True,
    )
