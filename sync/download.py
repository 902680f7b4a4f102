"""The first download: areas whole from the node's packs, resumed where a cut left them, the rest by `changes`.

What a row may replace and when old rows go are sync.store's rules; here is only what is asked for, and in which order.
"""

import hashlib
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from sync.answers import NotTheNode, Refused, check_lines
from sync.contact import Contact, Offer
from sync.pace import next_size
from sync.store import Entity, Page, Store

# Enough to know the areas, and for a small place everything.
GLANCE_BYTES = 16 << 10
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 64 << 10, 16 << 10, 4 << 20
PORTION = 1000
READ_BYTES = 256 << 10

InSession = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did: pages and packs read, rows written and removed, bytes on the wire both ways; `expected` rows
    of the packs, 0 where there are none."""

    pages: int = 0
    rows: int = 0
    removed: int = 0
    wire_bytes: int = 0
    expected: int = 0


@dataclass
class FirstDownload:
    """One device reading from 0. `in_session` makes a call that needs a session."""

    store: Store
    contact: Contact
    in_session: InSession
    unsettled: Callable[[], set[Entity]]
    told: Callable[[Pulled], None] | None = None
    _areas: list[str] = field(default_factory=list, init=False)
    _pages: int = field(default=0, init=False)
    _rows: int = field(default=0, init=False)
    _removed: int = field(default=0, init=False)
    _expected: int = field(default=0, init=False)

    def run(self) -> tuple[bool, Pulled]:
        """Read what packs hold; (is there more to read by `changes`, what was done). Positions are set at the very end:
        cut before, it goes on with what it had fetched and applied."""
        page: Page = self.in_session(partial(self.contact.changes, {}, limit_bytes=GLANCE_BYTES))
        # As they were for this page: a session opened again later may bring others.
        self._areas = self.store.facts()["areas"]
        after = dict(page.after)
        if page.more:
            after |= self._take_packs(page)
        self.store.remember({"packed": None})
        self._apply(Page(page.lines, after, page.feed, page.more, page.have))
        self.store.forget_parts()
        return page.more, self._done()

    def _take_packs(self, page: Page) -> dict[str, str]:
        """Area → position of those that were read whole from a pack, now or before a cut."""
        offers = [each for each in self._offers() if each.feed == page.feed and each.area in page.after]
        areas = self._applied_before(page.feed)
        self._expected = sum(each.rows for each in offers if each.area not in areas)
        for each in offers:
            if each.area not in areas and self._take(each):
                areas[each.area] = each.after
                self.store.remember({"packed": {**self._reading(page.feed), "after": areas}})
        return {area: position for area, position in areas.items() if area in page.after}

    def _offers(self) -> list[Offer]:
        try:
            found: list[Offer] = self.in_session(self.contact.packs)
        except Refused as refused:
            # A node of before packs.
            if refused.code != "not_found":
                raise
            return []
        return found

    def _reading(self, feed: str) -> dict[str, Any]:
        return {"feed": feed, "areas": self._areas, "pass": self.store.facts().get("pass", 0)}

    def _applied_before(self, feed: str) -> dict[str, str]:
        """What an earlier try applied; nothing of it counts when the node was restored or the areas are others."""
        packed = self.store.facts().get("packed")
        if not packed:
            return {}
        after: dict[str, str] = packed["after"]
        if {**self._reading(feed), "after": after} == packed:
            return dict(after)
        self.store.restart()
        return {}

    # -- one pack ------------------------------------------------------------------------------------------

    def _take(self, offer: Offer) -> bool:
        """Fetch and apply one pack; False when the node has it no longer or it is not what its name says: the area is
        then read by `changes`."""
        try:
            self._fetch(offer)
            if self._digest(offer) != offer.sha256:
                self.store.forget_parts()
                self._fetch(offer)
            if self._digest(offer) != offer.sha256:
                return False
            self._apply_lines(offer)
        except (NotTheNode, zlib.error):
            return False
        except Refused as refused:
            if refused.code != "pack_unknown":
                raise
            return False
        self._pages += 1
        return True

    def _fetch(self, offer: Offer) -> None:
        """Bring what is missing of the file, piece by piece: a cut costs the piece under way."""
        aim = FIRST_PIECE
        with self.store.part(offer.sha256) as file:
            while (first := file.seek(0, 2)) < offer.bytes:
                last = min(first + aim, offer.bytes) - 1
                failures, begun = self.contact.failures, time.monotonic()
                piece: bytes = self.in_session(partial(self.contact.piece, offer, first, last=last))
                file.write(piece)
                file.flush()
                if self.contact.failures == failures:
                    seconds = time.monotonic() - begun
                    aim = next_size(aim, size=len(piece), seconds=seconds, least=LEAST_PIECE, most=MOST_PIECE)
                self._tell()

    def _digest(self, offer: Offer) -> str:
        digest = hashlib.sha256()
        for piece in self._pieces(offer):
            digest.update(piece)
        return digest.hexdigest()

    def _pieces(self, offer: Offer) -> Iterator[bytes]:
        with self.store.part(offer.sha256) as file:
            file.seek(0)
            while piece := file.read(READ_BYTES):
                yield piece

    def _apply_lines(self, offer: Offer) -> None:
        """Apply the rows in portions; what was applied of a pack that then breaks off is met again by `changes`."""
        portion: list[dict[str, Any]] = []
        ended = False
        for line in _lines(self._pieces(offer)):
            try:
                found = orjson.loads(line)
                ended = "after" in found and str(found["after"][offer.area]) == offer.after
                if not ended:
                    check_lines([found])
                    portion.append(found)
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
                raise NotTheNode from error
            if len(portion) >= PORTION:
                self._apply_portion(portion, offer.feed)
                portion = []
        if not ended:
            raise NotTheNode
        self._apply_portion(portion, offer.feed)

    def _apply_portion(self, lines: list[dict[str, Any]], feed: str) -> None:
        self._apply(Page(lines, {}, feed, more=True, have=self.store.facts().get("have", {})))
        self._tell()

    def _apply(self, page: Page) -> None:
        written, removed = self.store.apply(page, self.unsettled)
        self._pages += bool(page.after)
        self._rows += written
        self._removed += removed

    def _done(self) -> Pulled:
        return Pulled(self._pages, self._rows, self._removed, expected=self._expected)

    def _tell(self) -> None:
        if self.told is not None:
            self.told(self._done())


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a gzip file given in pieces; raises zlib.error. A last line without its end is none."""
    unpacker = zlib.decompressobj(31)
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + unpacker.decompress(piece)).split(b"\n")
        yield from whole
    yield from (rest + unpacker.flush()).split(b"\n")[:-1]
