"""A commune's server whose January 2026 a registrar keyed: nineteen acts counted by hand."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from app.database import Database
from tests.civil.conftest import rows
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node, new

Headers = dict[str, str]
COMMUNE, OFFICE = "CD-KN-017", "CD-KN-017-01"


def acts_of_january() -> list[dict[str, Any]]:
    """Number, sex, birth, mode, mother's and father's nationality; drawn up on 20 January 2026 unless said."""
    told = [
        (1, "M", "2026-01-02", "procuration", "CD", "CD"),
        (2, "F", "2026-01-03", "procuration", "CD", "CD"),
        (3, "F", "2026-01-04", "procuration", "CD", "AO"),
        (4, "M", "2026-01-05", "direct", "AO", "CG"),
        (5, "F", "2026-01-06", "direct", "CD", None),
        (6, "M", "2026-01-07", "direct", "indeterminate", "CD"),
        (7, "M", "2008-01-20", "judgment", "CD", "CD"),  # eighteen that very day
        (8, "M", "2008-01-21", "judgment", "CD", "CD"),  # eighteen the day after
        (9, "F", "1990", "judgment", "CD", "CD"),
        (10, "F", "2008", "judgment", "CD", "CD"),  # perhaps eighteen
        (11, None, "2026-01-08", "direct", "CD", "CD"),
        (12, "M", "2025-12-01", "transcription", "BE", "BE"),
        (13, "F", "2026-01-09", None, "CD", "CD"),
    ]
    acts = []
    for number, sex, born, mode, mother, father in told:
        act = {
            "office": OFFICE, "year": 2026, "volume": "1", "number": number, "folio": str(number),
            "registered_on": "2026-01-20", "sex": sex, "birth_date": born, "mode": mode,
            "mother_nationality": mother, "father_nationality": father, "nom": f"Nom{number:02d}",
        }  # fmt: skip
        if mode == "judgment":
            act["judgment"] = {"court": "Tribunal", "number": "RC 1", "date": "2025-11-03"}
        acts.append({name: value for name, value in act.items() if value is not None})
    return acts


@pytest.fixture
def kintambo(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """Kintambo's server; it is 2 February 2026."""
    return make_node(database, tmp_path, kind="commune", commune=COMMUNE, clock=clock)


@pytest.fixture
def clerk(kintambo: TestNode) -> Headers:
    return kintambo.officer("clerk")


def key_in(node: TestNode, *acts: dict[str, Any]) -> None:
    """A registrar takes these paper acts over."""
    body = "\n".join(json.dumps(act, ensure_ascii=False) for act in acts).encode()
    kind = {"Content-Type": "application/x-ndjson", "Idempotency-Key": str(uuid.uuid4())}
    answer = node.client.post("/v1/imports/acts", content=body, headers=node.officer("registrar") | kind)
    assert answer.status_code == 201, answer.text


def annul(node: TestNode, number: int) -> None:
    """A court annuls the act of this number."""
    (act,) = [each for each in rows(node, "act") if each["number"] == number]
    note = {"act": act["id"], "commune": COMMUNE, "type": "annulment", "court": "TGI", "date": "2026-01-28"}
    with node.database.write() as connection:
        node.door.write(connection, [new("annotation", note)], by=str(uuid.uuid4()))


def open_book(node: TestNode, **fields: Any) -> str:
    """A volume of the register of 2026, as opened: its id."""
    book = {
        "commune": COMMUNE,
        "office": OFFICE,
        "register": "birth",
        "year": 2026,
        "volume": "1",
        "sheets": 534,
    }
    operation = new("book", book | fields)
    with node.database.write() as connection:
        node.door.write(connection, [operation], by=str(uuid.uuid4()))
    return str(operation["id"])
