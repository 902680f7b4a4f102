"""DOCS: extracts of many acts in one call, as an archive of PDFs, against as many persons by id over the same API and
against typst alone; and how long the signed text of a birth is."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import orjson

from app.documents.printing import SAMPLE_CODE, SAMPLE_MOMENT, Press, Print
from app.documents.sheet import sample_sheet
from tests import postgres
from tests.bench import report
from tests.bench.workload import folder, open_node, served
from tests.nodes import PASSWORD, TestNode, household_of

EXTRACTS = 500
OFFICE = "CD-KN-017-01"


def measure(scale: float, rounds: int) -> None:
    """Print the ratios on both engines."""
    number = max(5, int(EXTRACTS * min(scale, 1)))
    server = postgres.start(postgres.packaged())
    try:
        for engine, url in (("SQLite", ""), ("PostgreSQL", server.url(server.create()))):
            with folder() as home:
                node = open_node(home / "node", url)
                acts, person = _fill(node, number)
                node.database.close()
                with served(home / "node", url) as running:
                    _compare(
                        engine, running.url, acts=acts, person=person, rounds=rounds, press=home / "press"
                    )
    finally:
        server.close()


def _fill(node: TestNode, number: int) -> tuple[list[str], str]:
    """Acts of a year keyed from paper (ids), a person (id), and a clerk to ask for both."""
    family = household_of(1)
    node.push(node.tablet("1017010"), *family)
    lines = (
        {
            "nom": f"Mbuyi {n}", "postnom": "Kalala", "prenom": "Grâce", "sex": "F", "birth_date": "2015-06-03",
            "birth_place": "Maternité de Kintambo", "mother_name": "Kapinga Ngalula", "father_name": "Ilunga Kabongo",
            "office": OFFICE, "year": 2016, "volume": "1", "number": n + 1, "registered_on": "2016-02-01",
        }
        for n in range(number)
    )  # fmt: skip
    headers = node.officer("registrar", "CD-KN-017") | {
        "Content-Type": "application/x-ndjson",
        "Idempotency-Key": "bench-2016",
    }
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    answer = node.client.post("/v1/imports/acts", content=body, headers=headers)
    if answer.status_code >= 300:
        raise RuntimeError(answer.text[:500])
    node.add_officer("clerk", "CD-KN-017", username="prepose")
    table = node.door.registry.shapes["act"].table
    with node.database.read() as connection:
        acts = [
            str(each) for each in connection.execute(table.select().with_only_columns(table.c.id)).scalars()
        ]
    return acts, family[1]["id"]


def _compare(engine: str, url: str, *, acts: list[str], person: str, rounds: int, press: Path) -> None:
    with httpx.Client(base_url=url, timeout=600, trust_env=False) as client:
        login = {"username": "prepose", "password": PASSWORD, "purpose": "mesure"}
        token = client.post("/v1/sessions", json=login).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        _extracts(client, acts[:2])
        by_id, printed, bare, one_by_one = [], [], [], []
        for _ in range(rounds):
            by_id.append(_persons(client, person, len(acts)))
            printed.append(_extracts(client, acts))
            one_by_one.append(_one_by_one(client, acts[:50]) / len(acts[:50]))
            bare.append(_typst(press, len(acts)))
        code = client.get(f"/v1/acts/{acts[0]}/documents").json()[0]["signed_code"]
    many = f"{len(acts)} extracts as PDF/A in one call"
    report.ratios(f"DOCS {engine}, {many} ÷ as many persons by id", printed, by_id, goal=10)
    report.ratios(f"DOCS {engine}, {many} ÷ typst alone on the same pages", printed, bare, goal=2)
    single = [each / len(acts) for each in by_id]
    report.ratios(f"DOCS {engine}, one extract ÷ a person by id", one_by_one, single, goal=20)
    report.figure(f"DOCS {engine}, signed text of a birth", [len(code)], goal=440, unit="letters")


def _persons(client: httpx.Client, person: str, number: int) -> float:
    begun = time.perf_counter()
    for _ in range(number):
        _good(client.get(f"/v1/persons/{person}"))
    return time.perf_counter() - begun


def _extracts(client: httpx.Client, acts: list[str]) -> float:
    begun = time.perf_counter()
    _good(client.post("/v1/acts/documents", json={"acts": acts, "type": "extract"}))
    return time.perf_counter() - begun


def _one_by_one(client: httpx.Client, acts: list[str]) -> float:
    begun = time.perf_counter()
    for act in acts:
        _good(client.post(f"/v1/acts/{act}/documents", json={"type": "extract"}))
    return time.perf_counter() - begun


def _typst(home: Path, number: int) -> float:
    """The same pages from a warm press, no register and no signature asked."""
    press = Press(home)
    template = press.template_for(None, "extract")
    sheet = sample_sheet("extract") | {"annulled": None, "notes": []}
    code = SAMPLE_CODE + "A1" * 203
    prints = [
        (Print("extract", sheet | {"number": str(n)}, code, SAMPLE_MOMENT), template) for n in range(number)
    ]
    press.pdfs(prints[:2])
    begun = time.perf_counter()
    press.pdfs(prints)
    return time.perf_counter() - begun


def _good(answer: httpx.Response) -> None:
    if answer.status_code >= 300:
        raise RuntimeError(f"{answer.url}: {answer.status_code} {answer.text[:300]}")
