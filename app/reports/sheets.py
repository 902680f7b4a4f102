"""A report as a neutral table, and that table as CSV, as an XLSX workbook or as printed PDF/A pages. Counts nothing."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

import typst
import xlsxwriter  # type: ignore[import-untyped]

from app.clock import KINSHASA
from app.reports.forms import FICTITIOUS, Cell, cell_text, csv_text

MEDIA = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
STANDARD: Final = "a-2b"
MOST_TAGGED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One table on paper: what it is about (label, value), its columns and rows, what must be said below it."""

    title: str
    about: Sequence[tuple[str, Cell]]
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    fictitious: bool = False
    signed: bool = False

    @property
    def name(self) -> str:
        """The file's name without its ending, in ASCII."""
        bare = unicodedata.normalize("NFKD", self.title).encode("ascii", "ignore").decode().lower()
        words = "".join(letter if letter.isalnum() else " " for letter in bare).split()
        return "-".join(words) + ("-DONNEES-FICTIVES" if self.fictitious else "")


def write(report: Report, form: str, *, at: datetime) -> bytes:
    """The report in one of the forms of MEDIA, as at that moment."""
    if form == "csv":
        return csv_text(_lines(report)).encode()
    return _workbook(report, at) if form == "xlsx" else _pdf(report, at)


def _lines(report: Report) -> Iterator[Sequence[Cell]]:
    """The table first, so that a program reads it without looking for it."""
    yield report.columns
    yield from report.rows
    yield []
    yield ["# Tableau", report.title]
    if report.fictitious:
        yield ["# Avertissement", FICTITIOUS]
    for label, value in report.about:
        yield [f"# {label}", value]
    for note in report.notes:
        yield ["# Note", note]


def _workbook(report: Report, at: datetime) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"title": report.title, "created": at.replace(tzinfo=None)})
    sheet = book.add_worksheet("Tableau")
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    widths = [len(name) for name in report.columns]
    for column, name in enumerate(report.columns):
        sheet.write_string(0, column, name, bold)
    for at_row, row in enumerate(report.rows, 1):
        for column, cell in enumerate(row):
            _write_cell(sheet, at_row, column, cell=cell, day=day)
            widths[column] = max(widths[column], len(cell_text(cell)))
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(width + 2, 50))
    sheet.freeze_panes(1, 0)
    said = book.add_worksheet("À propos")
    notes = [("Avertissement", FICTITIOUS)] if report.fictitious else []
    for at_row, (label, value) in enumerate(
        [("Tableau", report.title), *notes, *report.about, *(("Note", note) for note in report.notes)]
    ):
        said.write_string(at_row, 0, label, bold)
        _write_cell(said, at_row, 1, cell=value, day=day)
    said.set_column(0, 1, 40)
    book.close()
    return out.getvalue()


def _write_cell(sheet: Any, row: int, column: int, *, cell: Cell, day: Any) -> None:
    # Typed writes only: a text that begins like a formula stays a text.
    if isinstance(cell, str):
        sheet.write_string(row, column, cell)
    elif isinstance(cell, date):
        sheet.write_datetime(row, column, datetime(cell.year, cell.month, cell.day), day)  # noqa: DTZ001
    elif cell is not None:
        sheet.write_number(row, column, cell)


def _pdf(report: Report, at: datetime) -> bytes:
    told = {
        "title": report.title,
        "about": [[label, _printed(value)] for label, value in report.about],
        "columns": list(report.columns),
        "numeric": _numeric(report),
        "widths": _widths(report),
        "rows": [[_printed(cell) for cell in row] for row in report.rows],
        "notes": list(report.notes),
        "notice": FICTITIOUS if report.fictitious else "",
        "printed": f"{at.astimezone(KINSHASA):%d/%m/%Y à %H:%M}",
        "signed": report.signed,
    }
    made = typst.compile(
        _template(),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(told, ensure_ascii=False)},
        pdf_standards=[STANDARD],
        # Tags of every cell would make the index of a year ten times as heavy.
        pdf_tags=len(report.rows) <= MOST_TAGGED,
        timestamp=at.replace(microsecond=0),
    )
    if not isinstance(made, bytes):
        raise TypeError("typst gave no single file")
    return made


def _printed(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell_text(cell)


def _widths(report: Report) -> list[int]:
    """The share of the page each column takes, by its longest text: measuring cells is slow on a year's index."""
    return [
        min(max(5, len(name) // 2, *(len(_printed(row[at])) for row in report.rows)), 40)
        for at, name in enumerate(report.columns)
    ]


def _numeric(report: Report) -> list[bool]:
    return [
        any(isinstance(row[at], int | float) for row in report.rows)
        and all(row[at] is None or isinstance(row[at], int | float) for row in report.rows)
        for at in range(len(report.columns))
    ]


@cache
def _template() -> bytes:
    return files("app.reports").joinpath("templates", "report.typ").read_bytes()
