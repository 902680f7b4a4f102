"""The running server process: uvicorn around the application, garbage collector calmed, address written down."""

from __future__ import annotations

import gc
import json
import logging
import time
from pathlib import Path

import structlog
import uvicorn

from app.ledger.relay import Relay
from app.main import Node, create_app
from app.settings import write_durably

ADDRESS = "serving.json"
KEEP_ALIVE_SECONDS = 75


def address(data: Path) -> str:
    """Where the node in `data` serves, or last served; the default address before it ever did."""
    try:
        return str(json.loads((data / ADDRESS).read_text(encoding="utf-8"))["url"])
    except (FileNotFoundError, ValueError, KeyError):
        return "http://127.0.0.1:8017"


def run(
    node: Node, *, host: str, port: int, tls_cert: Path | None, tls_key: Path | None, behind_proxy: bool
) -> None:
    """Serve until the process is told to end; what was begun is finished first."""
    configure_log(node.settings.log_level)
    scheme = "https" if tls_cert else "http"
    shown = f"[{host}]" if ":" in host else host
    data = Path(node.settings.data)
    write_durably(data / ADDRESS, json.dumps({"url": f"{scheme}://{shown}:{port}"}).encode())
    application = create_app(node, secure=behind_proxy or tls_cert is not None, relay=True)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_level=node.settings.log_level.lower(),
        access_log=False,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        proxy_headers=behind_proxy,
        forwarded_allow_ips="127.0.0.1" if behind_proxy else None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
    )


def relay_for_ever(node: Node) -> None:
    """`mboka sync` without --once: relay like the server does, until interrupted."""
    configure_log(node.settings.log_level)
    relay = Relay(node.door, pause=node.settings.relay_seconds, most_bytes=node.settings.relay_bytes)
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
