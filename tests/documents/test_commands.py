"""`mboka verify-document`: anybody with a file of public keys, and no server, learns what a paper must show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import save
from tests.documents.conftest import Headers, annul
from tests.nodes import TestNode
from tests.test_cli import Said, mboka

__all__ = ["mboka"]


@pytest.fixture
def paper(
    kintambo: TestNode, clerk: Headers, act_of: Callable[..., tuple[str, str]], tmp_path: Path
) -> tuple[str, Path, str]:
    """(text of the QR, folder with keys.json and paper.pdf, id of the act)."""
    act, _ = act_of()
    answer = kintambo.client.post(f"/v1/acts/{act}/documents", json={"type": "full_copy"}, headers=clerk)
    folder = tmp_path / "verifier"
    folder.mkdir()
    (folder / "paper.pdf").write_bytes(answer.content)
    (folder / "keys.json").write_bytes(kintambo.client.get("/v1/keys").content)
    code: str = kintambo.client.get(answer.headers["location"], headers=clerk).json()["signed_code"]
    return code, folder, act


def test_a_true_paper_is_told_line_by_line(paper: tuple[str, Path, str], mboka: Said) -> None:
    code, folder, _ = paper
    (folder / "code.txt").write_text(code + "\n", encoding="utf-8")
    keys = ("--keys", folder / "keys.json")
    ways = [(code,), ("--file", folder / "code.txt"), ("--file", folder / "paper.pdf")]
    told = [mboka("verify-document", *way, *keys) for way in ways]
    told.append(mboka("verify-document", "-", *keys, typed=code + "\n"))
    assert [left for left, _ in told] == [0, 0, 0, 0], told
    assert len({said for _, said in told}) == 1
    for shown in (
        "Copie intégrale",
        "Nom : Mbuyi",
        "Prénom : Grâce",
        "10 janvier 2026",
        "CD-KN-017-01 / 2026 / 1",
    ):
        assert shown in told[0][1], shown


def test_what_is_not_valid_ends_with_1_and_says_why(
    paper: tuple[str, Path, str], mboka: Said, tmp_path: Path
) -> None:
    code, folder, _ = paper
    keys = folder / "keys.json"
    (tmp_path / "none.json").write_text('{"keys": []}')
    (tmp_path / "other.pdf").write_bytes(b"%PDF-1.7 nothing signed")
    letter = "0" if code[60] != "0" else "1"
    wrong = {
        (code[:60] + letter + code[61:], "--keys", keys): "Non valable",
        ("Mbuyi", "--keys", keys): "MBK1:",
        (code, "--keys", tmp_path / "none.json"): "clés connues",
        (code, "--keys", tmp_path / "other.pdf"): "ne se lit pas",
        (code, "--keys", tmp_path / "absent.json"): "ne se lit pas",
        ("--file", tmp_path / "other.pdf", "--keys", keys): "lisez le QR",
        ("--file", tmp_path / "absent.txt", "--keys", keys): "ne se lit pas",
        (code, "--keys", keys, "--annulled", tmp_path / "none.json"): "actes annulés",
    }
    for words, why in wrong.items():
        left, said = mboka("verify-document", *words)
        assert (left, why in said) == (1, True), said


def test_the_downloaded_list_says_that_an_act_was_annulled_since(
    kintambo: TestNode, paper: tuple[str, Path, str], mboka: Said
) -> None:
    code, folder, act = paper
    listed = folder / "annulled.json"
    words = ("verify-document", code, "--keys", folder / "keys.json", "--annulled", listed)
    listed.write_bytes(kintambo.client.get("/v1/annulled").content)
    assert mboka(*words)[0] == 0
    annul(kintambo, act)
    listed.write_bytes(kintambo.client.get("/v1/annulled").content)
    left, said = mboka(*words)
    assert left == 1
    assert "ANNULÉ par jugement du 1er février 2026" in said
    assert mboka(*words[:-2])[0] == 0, "without the list nobody can know"


def test_the_keys_of_a_node_are_exported_without_its_secret(kintambo: TestNode, mboka: Said) -> None:
    data = Path(kintambo.node.settings.data)
    save(data, {"database_url": kintambo.node.settings.database_url})
    left, said = mboka("keys", "export", "--data", data)
    assert left == 0, said
    assert json.loads(said) == kintambo.client.get("/v1/keys").json()
    assert kintambo.door.identity.key.pem().decode().split("\n")[1] not in said


def test_a_communes_templates_are_checked_before_anybody_stands_at_the_desk(
    kintambo: TestNode, mboka: Said
) -> None:
    data = Path(kintambo.node.settings.data)
    save(data, {"database_url": kintambo.node.settings.database_url})
    words = ("templates", "check", "--data", data, "--commune", "CD-KN-017")
    left, said = mboka(*words)
    assert (left, "shipped-" in said) == (0, True), said
    (data / "templates" / "CD-KN-017").mkdir(parents=True)
    (data / "templates" / "CD-KN-017" / "extract.typ").write_text("#nothing", encoding="utf-8")
    left, said = mboka(*words)
    assert (left, "template_broken" in said, "unknown variable: nothing" in said) == (1, True, True), said
