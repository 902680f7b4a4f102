"""Sending a file that never changes: whole, or the one range a device asks for after a cut (RFC 9110 section 14).
Knows nothing of what is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fastapi import Response
from fastapi.responses import StreamingResponse

from app.errors import problem

RANGE_BEYOND = problem(
    "range_beyond", 416, "Passage hors du fichier", "Reprenez depuis le début, sans en-tête Range."
)
CHUNK = 256 << 10
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def send_file(path: Path, media_type: str, *, etag: str, asked: str | None, if_range: str | None) -> Response:
    """The file, or its part named by `asked` (Range) while `if_range` is still its ETag. Raises `range_beyond`.

    Several ranges, or an unknown unit, are answered with the whole file, as the RFC allows.
    """
    size = path.stat().st_size
    headers = {
        "ETag": f'"{etag}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    span = _span(asked or "", size) if if_range in (None, headers["ETag"]) else None
    first, last = span or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if span is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    body = _read(path, first, count=last - first + 1)
    return StreamingResponse(body, 206 if span else 200, headers=headers, media_type=media_type)


def _span(asked: str, size: int) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(asked.strip())
    if found is None or found[1] == found[2] == "":
        return None
    first, last = (int(each) if each else None for each in found.groups())
    if first is None:
        first, last = max(0, size - (last or 0)), size - 1
    elif last is not None and last < first:
        return None
    if first >= size:
        raise RANGE_BEYOND(headers={"Content-Range": f"bytes */{size}"})
    return first, size - 1 if last is None else min(last, size - 1)


def _read(path: Path, first: int, *, count: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while count > 0 and (piece := file.read(min(CHUNK, count))):
            count -= len(piece)
            yield piece
