"""Kimbanseke's paper registers as a clerk's spreadsheet: French headings, French words, dates JJ/MM/AAAA. Writes files
only; the acts are those of app.demo.births."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

_SEX = {"M": "garçon", "F": "fille"}
_MODE = {"direct": "directe", "procuration": "procuration", "judgment": "jugement supplétif"}
_FACILITY = {"facility": "maternité", "home": "domicile", "journey": "voyage", "other": "autre"}
_MULTIPLE = {"single": "non", "twin": "jumeaux"}
COLUMNS: dict[str, str] = {
    "Bureau": "office",
    "Année du registre": "year",
    "Volume": "volume",
    "Folio": "folio",
    "N° acte": "number",
    "Date de l'acte": "registered_on",
    "Date de déclaration": "declared_on",
    "Nom": "nom",
    "Post-nom": "postnom",
    "Prénom": "prenom",
    "Sexe": "sex",
    "Date de naissance": "birth_date",
    "Heure de naissance": "birth_time",
    "Lieu de naissance": "birth_place",
    "Établissement ou domicile": "facility",
    "Jumeaux": "multiple",
    "Rang": "order",
    "Nom de la mère": "mother_name",
    "Adresse de la mère": "mother_residence",
    "Nom du père": "father_name",
    "Déclarant": "declarant_name",
    "Qualité du déclarant": "declarant_relation",
    "Mode de déclaration": "mode",
    "Langue": "language",
    "Témoins": "witnesses",
    "Tribunal": "judgment.court",
    "N° du jugement": "judgment.number",
    "Date du jugement": "judgment.date",
}
DATES = frozenset({"registered_on", "declared_on", "birth_date", "judgment.date"})
_WORDS = {"sex": _SEX, "mode": _MODE, "facility": _FACILITY, "multiple": _MULTIPLE}


def rows(acts: Iterable[dict[str, Any]]) -> Iterator[list[Any]]:
    """Each act as the cells of COLUMNS: dates as datetime.date, "" where the paper says nothing."""
    for act in acts:
        judgment = {f"judgment.{name}": value for name, value in act.get("judgment", {}).items()}
        yield [_cell(name, {**act, **judgment}.get(name)) for name in COLUMNS.values()]


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return ""
    if name in DATES:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a calendar day has no zone
    if name in _WORDS:
        return _WORDS[name][value]
    return " ; ".join(value) if isinstance(value, list) else value


def workbook(acts: Iterable[dict[str, Any]], *, sheet: str = "Registres") -> bytes:
    """An XLSX file of these acts with real date cells."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "constant_memory": True})
    page = book.add_worksheet(sheet)
    days = book.add_format({"num_format": "dd/mm/yyyy"})
    page.write_row(0, 0, list(COLUMNS))
    dated = [name in DATES for name in COLUMNS.values()]
    for at, cells in enumerate(rows(acts), 1):
        for column, cell in enumerate(cells):
            if cell == "":
                continue
            if dated[column]:
                page.write_datetime(at, column, cell, days)
            else:
                page.write(at, column, cell)
    book.close()
    return out.getvalue()


def csv_file(acts: Iterable[dict[str, Any]], *, encoding: str = "utf-8-sig") -> bytes:
    """The same as CSV with `;` and dates JJ/MM/AAAA."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    dated = [name in DATES for name in COLUMNS.values()]
    for cells in rows(acts):
        writer.writerow(
            f"{cell:%d/%m/%Y}" if date and cell else cell for cell, date in zip(cells, dated, strict=True)
        )
    return text.getvalue().encode(encoding)
