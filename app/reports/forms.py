"""In which form an answer is wanted, and the cells of a French CSV file: `;`, decimal comma, UTF-8 with BOM, CRLF,
nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date

BOM = "\ufeff"
FICTITIOUS = "DONNÉES FICTIVES"
# What a spreadsheet would take for a formula (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
JSON = "application/json"

Cell = str | int | float | date | None


def csv_text(lines: Iterable[Iterable[Cell]]) -> str:
    """A whole file as text, its BOM included."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for line in lines:
        writer.writerow([cell_text(cell) for cell in line])
    return BOM + text.getvalue()


def cell_text(cell: Cell) -> str:
    """A cell as French text: empty for None, a number with a comma, a day as JJ/MM/AAAA, a text that is no formula."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(FORMULA) else cell
    if isinstance(cell, date):
        return f"{cell:%d/%m/%Y}"
    return str(cell) if isinstance(cell, int) else f"{cell:.6f}".rstrip("0").rstrip(".").replace(".", ",")


def form_wanted(accept: str, form: str | None, *, offered: Mapping[str, str]) -> str:
    """The form of an answer: `form` where it is said, else the one of `offered` (form → media type) that the Accept
    header names above JSON, else "json"."""
    if form is not None:
        return form
    weights = dict(_weighed(part) for part in accept.split(","))
    best = max(offered, key=lambda each: weights.get(offered[each], 0.0))
    return best if weights.get(offered[best], 0.0) > weights.get(JSON, 0.0) else "json"


def _weighed(part: str) -> tuple[str, float]:
    media, _, parameters = part.strip().lower().partition(";")
    weight = parameters.replace(" ", "").removeprefix("q=")
    try:
        return media.strip(), float(weight) if "q=" in parameters else 1.0
    except ValueError:
        return media.strip(), 0.0
