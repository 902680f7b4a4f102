"""What a supervisor is shown of a device's work beside its content: how much lies outside its areas, and how much is
said to be by somebody else than its agent. Blocks nothing (protocol section 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from app.ledger.areas import Areas
from app.ledger.entry import Touched
from app.ledger.revocation import SERVERS
from app.ledger.senders import Sender
from sync.protocol import Header, Line


@dataclass(frozen=True, slots=True)
class Remarks:
    """Operations of one batch that were folded outside the areas of the grant, or that name another author."""

    outside_areas: int = 0
    other_author: int = 0


NOTHING_REMARKED = Remarks()


def remarks(
    sender: Sender, header: Header, *, lines: Iterable[Line], touched: Touched, areas: Areas
) -> Remarks:
    """Count them in a folded batch, of which `lines` are those that stand in no block.

    A server writes about its whole commune, in the name of its officers.
    """
    if sender.role in SERVERS:
        return NOTHING_REMARKED
    rows = _placed(touched)
    homes = {areas.commune(code) or code for code in sender.areas}
    places = rows.keys() | {entry.area for entry in touched}
    beyond = {
        code
        for code in places
        if code not in sender.areas
        and (home := areas.commune(code)) is not None
        and home not in sender.areas
        and (":" not in code or home not in homes)
    }
    outside = sum(len(e.operations) for e in touched if e.area in beyond) if beyond else 0
    outside += sum(rows[code] for code in beyond & rows.keys())
    agent = sender.agent
    authors = (each.operation.by or header.by for each in lines if each.operation is not None)
    others = sum(author is not None and author != agent for author in authors)
    # A line with an author of its own stands in no block.
    others += sum(rows.values()) if header.by not in (None, agent) else 0
    return Remarks(outside, others)


def _placed(touched: Touched) -> Counter[str]:
    """Area → new rows in blocks."""
    found: Counter[str] = Counter()
    for block in touched.blocks.values():
        found.update({code: len(heads) for code, heads in block.placed.items()})
        found.update({code: number for code, (number, _) in block.texts.items()})
    return found
