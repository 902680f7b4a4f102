"""The figures of the demonstration as the province publishes them, beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from app.demo.nodes import Server

KIMBANSEKE, KINTAMBO = "CD-KN-008", "CD-KN-017"
KINTAMBO_NAMES = {
    "households": "Ménages",
    "persons": "Habitants",
    "contacted": "Chefs de ménage contactés",
    "refused": "dont refus",
    "under18_no_act": "Moins de 18 ans sans acte",
}
Figures = Mapping[str, Any]


def read(province: Server, client: httpx.Client) -> dict[str, Any]:
    """What the province answers its registrar (true counts at any scale): nothing is computed from anything else."""
    births = province.ask(
        client,
        "GET /v1/statistics/births",
        officer="registraire",
        params={"by": "commune,year,delay", "basis": "registration", "commune": KIMBANSEKE},
    ).json()
    cells: dict[int, dict[str, int]] = {}
    for row in births["rows"]:
        cells.setdefault(row["year"], {})[row["delay"]] = row["births"]
    kimbanseke = [
        {"year": year, "in_delay": found.get("in_delay", 0), "out_of_delay": found.get("out_of_delay", 0)}
        for year, found in sorted(cells.items())
    ]
    census = province.ask(
        client,
        "GET /v1/statistics/census",
        officer="registraire",
        params={"by": "commune", "commune": KINTAMBO},
    ).json()
    rows = census["rows"] or [{}]
    return {"kimbanseke": kimbanseke, "kintambo": {name: rows[0].get(name, 0) for name in KINTAMBO_NAMES}}


def first_difference(found: Figures, published: Figures) -> str | None:
    """The first cell that differs, named in French; None when every figure is as published."""
    by_year = {row["year"]: row for row in found["kimbanseke"]}
    for row in published["kimbanseke"]:
        for name in ("in_delay", "out_of_delay"):
            got = by_year.get(row["year"], {}).get(name, 0)
            if got != row[name]:
                return f"Kimbanseke {row['year']} {name} : {got} au lieu de {row[name]}"
    extra = sorted(set(by_year) - {row["year"] for row in published["kimbanseke"]})
    if extra:
        return f"Kimbanseke {extra[0]} : année qui n'est pas publiée"
    for name in KINTAMBO_NAMES:
        if found["kintambo"][name] != published["kintambo"][name]:
            return f"Kintambo {name} : {found['kintambo'][name]} au lieu de {published['kintambo'][name]}"
    return None


def show(console: Console, found: Figures, published: Figures) -> None:
    """Both tables, the province's figure beside the published one."""
    console.print("[bold yellow]DONNÉES FICTIVES[/] — chiffres lus à la province")
    births = Table(title="Kimbanseke : naissances enregistrées, par année d'enregistrement")
    for head in ("Année", "Dans les délais", "publié", "Hors délai", "publié", "Total"):
        births.add_column(head, justify="right")
    by_year = {row["year"]: row for row in found["kimbanseke"]}
    sums = [0, 0, 0, 0]
    for row in published["kimbanseke"]:
        got = by_year.get(row["year"], {"in_delay": 0, "out_of_delay": 0})
        cells = [got["in_delay"], row["in_delay"], got["out_of_delay"], row["out_of_delay"]]
        sums = [a + (b or 0) for a, b in zip(sums, cells, strict=True)]
        births.add_row(str(row["year"]), *map(_number, cells), _number((cells[0] or 0) + (cells[2] or 0)))
    births.add_section()
    births.add_row("Total", *map(_number, sums), _number(sums[0] + sums[2]))
    console.print(births)
    census = Table("Recensement pilote", title="Kintambo")
    census.add_column("Province", justify="right")
    census.add_column("publié", justify="right")
    for name, label in KINTAMBO_NAMES.items():
        census.add_row(label, _number(found["kintambo"][name]), _number(published["kintambo"][name]))
    console.print(census)


def _number(value: int | None) -> str:
    return "…" if value is None else f"{value:,}".replace(",", " ")
