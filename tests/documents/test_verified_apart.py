"""Extracts asked for over REST are verified from the pictures of their pages by another process, which has no more of
the server than its public keys."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import orjson
from pypdf import PdfReader

from app.documents.issuing import documents_by_id
from tests.civil.conftest import rows
from tests.conftest import FULL
from tests.documents.conftest import Headers
from tests.nodes import TestNode

EXTRACTS = 500 if FULL else 40
ROOT = Path(__file__).parent.parent.parent
NAMES = ("Mbuyi", "Kanku", "Ilunga", "Kapinga", "Ngalula", "Tshibangu", "Mutombo", "Lukusa")


def taken_over(node: TestNode, registrar: Headers, number: int) -> list[str]:
    """Acts of a year keyed from paper: ids in the order of their numbers."""
    lines = [
        {
            "nom": NAMES[n % 8], "postnom": NAMES[n // 8 % 8], "prenom": f"Enfant {n}", "sex": "FM"[n % 2],
            "birth_date": f"2015-{n % 12 + 1:02}-{n % 28 + 1:02}", "birth_place": "Kintambo", "mother_name": "Kapinga",
            "office": "CD-KN-017-01", "year": 2016, "volume": "1", "number": n + 1, "registered_on": "2016-02-01",
        }
        for n in range(number)
    ]  # fmt: skip
    headers = registrar | {"Content-Type": "application/x-ndjson", "Idempotency-Key": "reprise-2016"}
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    answer = node.client.post("/v1/imports/acts", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return [row["id"] for row in sorted(rows(node, "act"), key=lambda row: int(row["number"]))]


def verified_apart(keys: Path, pages: Path) -> dict[str, Any]:
    """What a process of its own makes of the pictures; it is given no database, no node and no address."""
    command = [sys.executable, "-m", "tests.documents.apart", str(keys), str(pages)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_extract_is_verified_from_its_picture_by_a_process_with_public_keys_only(
    kintambo: TestNode, clerk: Headers, registrar: Headers, tmp_path: Path, declare: Callable[..., str]
) -> None:
    acts = taken_over(kintambo, registrar, EXTRACTS)
    order = {"acts": acts, "type": "extract", "purpose": "rentrée scolaire"}
    answer = kintambo.client.post("/v1/acts/documents", json=order, headers=clerk)
    assert (answer.status_code, answer.headers["documents"]) == (201, str(EXTRACTS))
    with ZipFile(BytesIO(answer.content)) as archive:
        names = archive.namelist()
        shown = [PdfReader(BytesIO(archive.read(name))).pages[0].extract_text() for name in names]
    assert names == [f"CD-KN-017-01-2026-{n + 1}-extract.pdf" for n in range(EXTRACTS)]
    assert all(f"Enfant {n}\n" in text for n, text in enumerate(shown))

    pages = tmp_path / "pages"
    pages.mkdir()
    press = kintambo.app.state.press
    issued = sorted(rows(kintambo, "document"), key=lambda row: int(row["number"]))
    with kintambo.database.read() as connection:
        documents = documents_by_id(connection, [row["id"] for row in issued])
    for name, document in zip(names, documents, strict=True):
        # The same source and the same sheet as the PDF, as a scanner would see the page.
        picture = press.picture(document.to_print(), document.template, ppi=110)
        (pages / name.replace(".pdf", ".png")).write_bytes(picture)
    keys = tmp_path / "keys.json"
    keys.write_bytes(kintambo.client.get("/v1/keys").content)
    found = verified_apart(keys, pages)
    assert sorted(found) == sorted(name.replace(".pdf", ".png") for name in names)
    for n, name in enumerate(names):
        read = found[name.replace(".pdf", ".png")]
        assert read is not None, f"{name}: not verified"
        assert (read["number"], read["facts"]["prenom"]) == (n + 1, f"Enfant {n}")
        assert read["altered_refused"], name


def test_a_process_with_other_keys_verifies_none_of_them(
    kintambo: TestNode, clerk: Headers, act_of: Callable[..., tuple[str, str]], tmp_path: Path
) -> None:
    act, _ = act_of()
    answer = kintambo.client.post(f"/v1/acts/{act}/documents", json={"type": "extract"}, headers=clerk)
    assert answer.status_code == 201
    with kintambo.database.read() as connection:
        document = documents_by_id(connection, [rows(kintambo, "document")[0]["id"]])[0]
    page = kintambo.app.state.press.picture(document.to_print(), document.template, ppi=110)
    (tmp_path / "page.png").write_bytes(page)
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    assert verified_apart(keys, tmp_path) == {"page.png": None}
