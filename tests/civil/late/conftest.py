"""A child of Kintambo declared too late, and the calls about its file. It is 2 February 2026."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.civil.conftest import Headers
from tests.nodes import TestNode

COURT = "Tribunal pour enfants de Kinshasa/Ngaliema"
BOOK = {"office": "CD-KN-017-01", "volume": "1", "folio": "7"}
# A judgment of last year, served, and not appealed.
STEPS: list[dict[str, str]] = [
    {"step": "sent", "on": "2025-09-01", "slip": "B 12/2025", "court": COURT},
    {"step": "requested", "on": "2025-09-08", "number": "RQ 77"},
    {"step": "judged", "on": "2025-10-20", "number": "RCE 1204"},
    {"step": "served", "on": "2025-11-03", "to": "le père"},
    {"step": "no_appeal", "on": "2025-12-10", "number": "CNA 9"},
]

Json = dict[str, Any]
Open = Callable[..., Json]


@pytest.fixture
def open_file(kintambo: TestNode, clerk: Headers, declare: Callable[..., str]) -> Open:
    """Declare a child born on this day and open its file: gives the file."""

    def opening(birth_date: str = "2019-05-02", *, birth: Json | None = None, **said: Any) -> Json:
        declared = declare(birth_date=birth_date, **({"birth_precision": None} | (birth or {})))
        answer = kintambo.client.post(f"/v1/births/{declared}/procedure", json=said, headers=clerk)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return opening


def step(node: TestNode, clerk: Headers, file: Json, **said: Any) -> httpx.Response:
    """One step as the clerk notes it."""
    return node.client.post(f"/v1/procedures/{file['id']}/steps", json=said, headers=clerk)


def walk(node: TestNode, clerk: Headers, file: Json, *steps: Json) -> Json:
    """Several steps, each noted: gives the file after the last."""
    for said in steps:
        answer = step(node, clerk, file, **said)
        assert answer.status_code == 201, answer.text
        file = dict(answer.json())
    return file


def transcribe(node: TestNode, registrar: Headers, file: Json, **said: Any) -> httpx.Response:
    """The registrar draws the act up on the judgment of the file."""
    path = f"/v1/procedures/{file['id']}/transcription"
    return node.client.post(path, json=BOOK | said, headers=registrar)


def read(node: TestNode, clerk: Headers, file: Json) -> Json:
    """The whole file."""
    answer = node.client.get(f"/v1/procedures/{file['id']}", headers=clerk)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def codes(file: Json) -> list[str]:
    """Why the file cannot move yet."""
    return [each["code"] for each in file["blocked"]]
