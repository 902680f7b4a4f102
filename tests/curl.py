"""Stands in for curl in the tests of the user pages, so that they need no curl: the few options the pages may use.
Unlike curl it fails on a server error (5xx), and notes each answer's status where CURL_LOG says."""

from __future__ import annotations

import argparse
import http.client
import os
import sys
import urllib.parse
from pathlib import Path

FORM = "application/x-www-form-urlencoded"


class Data(argparse.Action):
    """Collects -d, --data-binary and --data-urlencode in the order they were written."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        asked: argparse.Namespace,
        text: object,
        option: str | None = None,
    ) -> None:
        """Add the bytes that one option stands for."""
        asked.data = [*(asked.data or []), _content(str(text), str(option))]


def _content(text: str, option: str) -> bytes:
    if option == "--data-urlencode":
        name, _, value = text.partition("=")
        return f"{name}={urllib.parse.quote(value)}".encode()
    if not text.startswith("@"):
        return text.encode()
    content = sys.stdin.buffer.read() if text == "@-" else Path(text[1:]).read_bytes()
    return content if option == "--data-binary" else content.replace(b"\r", b"").replace(b"\n", b"")


def arguments() -> argparse.ArgumentParser:
    """Only what the pages may use: another option ends the test."""
    parser = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
    parser.add_argument("url")
    for quiet in ("-s", "-S"):
        parser.add_argument(quiet, action="store_true")
    parser.add_argument("-G", dest="get", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-o", dest="output")
    parser.add_argument("-D", dest="dump")
    parser.add_argument("-d", "--data-binary", "--data-urlencode", dest="data", action=Data)
    return parser


def _write(target: str | None, content: bytes) -> None:
    if target in {None, "-"}:
        sys.stdout.buffer.write(content)
    else:
        Path(str(target)).write_bytes(content)


def main(words: list[str]) -> int:
    """Ask once and write the answer: 0, or curl's 22 on a server error."""
    asked = arguments().parse_args(words)
    parts = urllib.parse.urlsplit(asked.url)
    body = None if asked.data is None else b"&".join(asked.data)
    query = [parts.query] if parts.query else []
    if asked.get and body is not None:
        query, body = [*query, body.decode()], None
    path = "?".join([parts.path, *(["&".join(query)] if query else [])])
    headers = {} if body is None else {"Content-Type": FORM}
    headers |= {
        name.title(): value.strip() for name, _, value in (each.partition(":") for each in asked.headers)
    }
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request(
        asked.method or ("GET" if body is None else "POST"),
        path,
        body,
        {name: value.encode() for name, value in headers.items()},
    )
    answer = connection.getresponse()
    content = answer.read()
    if asked.dump is not None:
        lines = [
            f"HTTP/1.1 {answer.status} {answer.reason}",
            *(f"{n}: {v}" for n, v in answer.getheaders()),
            "",
            "",
        ]
        _write(asked.dump, "\r\n".join(lines).encode())
    _write(asked.output, content)
    if "CURL_LOG" in os.environ:
        with Path(os.environ["CURL_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{answer.status}\n")
    return 22 if answer.status >= 500 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
