"""A CSV or XLSX file as headings and numbered rows of cells. Knows nothing of acts; refuses what no register page is:
broken files, compressed bombs, sheets wider or longer than any register."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import python_calamine

from app.errors import TOO_LARGE, problem

FILE_UNREADABLE = problem(
    "file_unreadable",
    422,
    "Fichier illisible",
    "Enregistrez la feuille à nouveau depuis le tableur, en XLSX ou en CSV (UTF-8).",
)
SHEET_UNKNOWN = problem("sheet_unknown", 422, "Feuille inconnue", "Donnez le nom d'une feuille du classeur.")

Cell = str | int | float | bool | date | datetime | time | timedelta | None
MOST_CELL = 2000
MOST_COLUMNS = 78
# What a workbook may become once inflated: some 80,000 acts with thirty columns take 150 MiB.
MOST_INFLATED = 256 << 20
_ZIP = b"PK\x03\x04"
_SEPARATORS = ";,\t"
# Calamine lays the used area out as a full rectangle: one cell in a far corner would fill the memory. So a cell beyond
# column BZ or row 199,999 is refused, and one that does not say where it stands.
_FAR = re.compile(
    rb"""[\s]r\s*=\s*["'](?:(?:[A-Z]{3,}|[C-Z][A-Z])[0-9]|[A-Z]{0,2}(?:[2-9][0-9]{5}|[0-9]{7,})["'])"""
)
_NOWHERE = re.compile(rb"""<c(?:\s+(?!r\s*=)[a-z]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>""")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: `name` of the sheet (None for CSV), `encoding` of the text (None for XLSX), the row of the headings
    (from 1, as the spreadsheet numbers them), how many rows stand below it."""

    name: str | None
    encoding: str | None
    headings: tuple[str, ...]
    top: int
    total: int
    source: Any

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """(row number, cells) of every row below the headings that is not empty."""
        for at, cells in enumerate(_records(self.source), 1):
            if at > self.top and any(text_of(cell) for cell in cells):
                yield at, cells


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    separator: str


def read_sheet(content: bytes, sheet: str | None = None) -> Sheet:
    """Read a file: XLSX (the sheet of that name, else the first) or CSV (`;`, `,`, tabs; UTF-8 or Windows-1252).

    Raises `file_unreadable`, `sheet_unknown` (422), `too_large` (413).
    """
    if content.startswith(_ZIP):
        name, source, encoding = *_workbook(content, sheet), None
    else:
        text, encoding = _decoded(content)
        name, source = None, _Text(text, _separator(text))
    top, total = 0, 0
    headings: tuple[str, ...] = ()
    for at, cells in enumerate(_records(source), 1):
        if not any(text_of(cell) for cell in cells):
            continue
        if not top:
            top, headings = at, tuple(text_of(cell) for cell in cells)
            if len(headings) > MOST_COLUMNS:
                raise TOO_LARGE(f"Le fichier compte {len(headings)} colonnes ; au plus {MOST_COLUMNS}.")
        else:
            total += 1
    if not top:
        raise FILE_UNREADABLE("Le fichier est vide.")
    return Sheet(name, encoding, headings, top, total, source)


def text_of(cell: Cell) -> str:
    """A cell as a person reads it: one line without outer blanks, dates JJ/MM/AAAA, whole numbers without decimals."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return " ".join(cell.split())[:MOST_CELL]
    if isinstance(cell, bool):
        return "oui" if cell else "non"
    if isinstance(cell, datetime):
        return f"{cell:%d/%m/%Y}" if cell.time() == time() else f"{cell:%d/%m/%Y %H:%M}"
    if isinstance(cell, date):
        return f"{cell:%d/%m/%Y}"
    if isinstance(cell, time):
        return f"{cell:%H:%M}"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)[:MOST_CELL]


def _records(source: Any) -> Iterator[list[Cell]]:
    if not isinstance(source, _Text):
        yield from source.iter_rows()
        return
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=source.separator, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise FILE_UNREADABLE(f"CSV illisible à la ligne {reader.line_num} : {_said(error)}.") from error


def _said(error: csv.Error) -> str:
    return "cellule trop longue" if "larger than" in str(error) else "guillemet mal placé"


def _decoded(content: bytes) -> tuple[str, str]:
    if content.startswith(b"\xef\xbb\xbf"):
        encoding, name = "utf-8-sig", "UTF-8 (BOM)"
    else:
        encoding, name = "utf-8", "UTF-8"
    try:
        return content.decode(encoding), name
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError as error:
        raise FILE_UNREADABLE("Le texte n'est ni en UTF-8 ni en Windows-1252.") from error


def _separator(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip(_SEPARATORS + " ")), "")
    return max(_SEPARATORS, key=lambda each: (first.count(each), -_SEPARATORS.index(each)))


def _workbook(content: bytes, sheet: str | None) -> tuple[str, Any]:
    _require_sound(content)
    try:
        book = python_calamine.CalamineWorkbook.from_object(io.BytesIO(content))
        names = book.sheet_names
        if sheet is not None and sheet not in names:
            raise SHEET_UNKNOWN(
                f"Le classeur n'a pas de feuille « {sheet} » ; il a : {', '.join(names)[:500]}."
            )
        if not names:
            raise FILE_UNREADABLE("Le classeur n'a pas de feuille.")
        name = sheet if sheet is not None else names[0]
        return name, book.get_sheet_by_name(name)
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise FILE_UNREADABLE("Ce n'est pas un classeur XLSX lisible.") from error


def _require_sound(content: bytes) -> None:
    """Inflate every part, bounded, before the reader does: the sizes a zip announces may be lies."""
    left = MOST_INFLATED
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                data = _inflated(content, member, left)
                left -= len(data)
                if b"<sheetData" in data and (b"\x00" in data or _NOWHERE.search(data)):
                    raise FILE_UNREADABLE("Une cellule ne dit pas où elle se trouve.")
                if b"<sheetData" in data and _FAR.search(data):
                    raise TOO_LARGE(
                        "Une feuille compte plus de 78 colonnes ou de 199 999 lignes ; supprimez le vide."
                    )
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError) as error:
        raise FILE_UNREADABLE("Ce n'est pas un classeur XLSX lisible.") from error


def _inflated(content: bytes, member: zipfile.ZipInfo, most: int) -> bytes:
    head = content[member.header_offset : member.header_offset + 30]
    if len(head) < 30 or member.flag_bits & 1:
        raise zipfile.BadZipFile
    skipped = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    start = member.header_offset + 30 + skipped
    packed = content[start : start + member.compress_size]
    if member.compress_type == zipfile.ZIP_STORED:
        data = packed
    elif member.compress_type == zipfile.ZIP_DEFLATED:
        data = zlib.decompressobj(-15).decompress(packed, most + 1)
    else:
        raise zipfile.BadZipFile
    if len(data) > most:
        raise TOO_LARGE(f"Le classeur dépasse {MOST_INFLATED >> 20} Mio une fois décompressé.")
    return data
