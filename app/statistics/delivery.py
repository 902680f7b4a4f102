"""Acts that reached their family: of those drawn up here, how many were handed over. Counted on the acts themselves: a
paper is handed over long after its act was counted among the births."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa

from app.documents.delivery import delivered_shares
from app.statistics.figures import Figures, Key, Ratio, in_order, rates, read_cutoff

DIMENSIONS = ("commune",)
COUNTS = ("acts", "delivered")
RATIOS = {"delivered_rate": Ratio(above="delivered", below="acts")}
_DEFINITION = (
    "Actes (acts) : actes de naissance dressés à un bureau de la commune, sauf ceux repris du papier, dont nul ne "
    "sait qui les détient, et ceux qu'un tribunal a annulés. Remis (delivered) : ceux dont un extrait ou une copie "
    "intégrale a été remis à quelqu'un. Part (delivered_rate) = remis ÷ actes, en fraction de 1. "
    "Une ligne absente compte zéro."
)


def delivery(connection: sa.Connection, *, by: tuple[str, ...], communes: frozenset[str] | None) -> Figures:
    """Acts drawn up here and those handed over, by commune or in all, in these communes (None = all)."""
    found: dict[Key, Counter[str]] = {} if by else {(): Counter()}
    for commune, (delivered, acts) in delivered_shares(connection, communes=communes).items():
        count = found.setdefault((commune,) if by else (), Counter())
        count.update({"acts": acts, "delivered": delivered})
    rows: list[dict[str, Any]] = [
        {**dict(zip(by, key, strict=True)), **{name: count[name] for name in COUNTS}, **rates(count, RATIOS)}
        for key, count in found.items()
    ]
    return Figures(
        name="delivery",
        by=by,
        counts=COUNTS,
        ratios=RATIOS,
        rows=in_order(rows, by),
        cutoff=read_cutoff(connection),
        definition=_DEFINITION,
        filters={},
    )
