"""A commune's own template prints its papers; a mistyped one keeps nobody waiting; what was printed prints again."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from app.documents.printing import SAMPLE_MOMENT, TEMPLATE_BROKEN, Press, Print
from app.documents.sheet import TITLES, sample_sheet
from app.errors import Problem
from tests.documents.conftest import Headers
from tests.nodes import TestNode

HEAD = "#let head(sheet) = align(center)[MAIRIE DE #upper(sheet.commune) À SA FAÇON]\n"


def sample(kind: str = "extract") -> Print:
    return Print(kind, sample_sheet(kind), "MBK1:0", SAMPLE_MOMENT)


def own_head(folder: Path, text: str = HEAD) -> None:
    (folder / "CD-KN-017").mkdir(parents=True, exist_ok=True)
    (folder / "CD-KN-017" / "head.typ").write_text(text, encoding="utf-8")


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


@pytest.mark.parametrize("kind", TITLES)
def test_every_type_of_document_prints_as_pdf_a_the_same_each_time(kind: str, tmp_path: Path) -> None:
    press = Press(tmp_path)
    template = press.template_for("CD-KN-017", kind)
    made = press.pdf([sample(kind)], template)
    assert b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in made
    assert TITLES[kind].split()[0] in text_of(made)
    assert made == press.pdf([sample(kind)], template) == Press(tmp_path).pdf([sample(kind)], template)


def test_a_communes_own_head_prints_on_its_papers_and_on_no_others(tmp_path: Path) -> None:
    own_head(tmp_path)
    press = Press(tmp_path)
    own, other = press.template_for("CD-KN-017", "extract"), press.template_for("CD-KN-008", "extract")
    assert own.startswith("CD-KN-017-")
    assert other.startswith("shipped-")
    assert "MAIRIE DE KINTAMBO À SA FAÇON" in text_of(press.pdf([sample()], own))
    assert "À SA FAÇON" not in text_of(press.pdf([sample()], other))


def test_a_paper_printed_before_the_template_changed_still_prints_as_it_was(tmp_path: Path) -> None:
    own_head(tmp_path)
    press = Press(tmp_path)
    before = press.template_for("CD-KN-017", "extract")
    printed = press.pdf([sample()], before)
    own_head(tmp_path, HEAD.replace("À SA FAÇON", "AUTREMENT"))
    after = press.template_for("CD-KN-017", "extract")
    assert after != before
    assert press.pdf([sample()], before) == printed
    assert "AUTREMENT" in text_of(press.pdf([sample()], after))


@pytest.mark.parametrize(
    "broken", ["#let head(sheet) = [", "#let head(sheet) = sheet.nothing", "", "#let head = 1"]
)
def test_a_mistyped_template_is_named_and_the_shipped_one_prints(tmp_path: Path, broken: str) -> None:
    own_head(tmp_path, broken)
    press = Press(tmp_path)
    template = press.template_for("CD-KN-017", "extract")
    assert template.startswith("shipped-")
    assert "COMMUNE DE KINTAMBO" in text_of(press.pdf([sample()], template))
    with pytest.raises(Problem) as refused:
        press.check("CD-KN-017")
    assert refused.value.type is TEMPLATE_BROKEN
    assert "CD-KN-017" in refused.value.detail


def test_a_template_that_stumbles_over_a_real_child_gives_way_to_the_shipped_one(tmp_path: Path) -> None:
    own_head(tmp_path, '#let head(sheet) = { assert(sheet.officer == "Officier"); [ICI] }\n')
    press = Press(tmp_path)
    template = press.template_for("CD-KN-017", "extract")
    assert template.startswith("CD-KN-017-")
    real = Print("extract", {**sample_sheet("extract"), "officer": "Marie"}, "MBK1:0", SAMPLE_MOMENT)
    assert "COMMUNE DE KINTAMBO" in text_of(press.pdf([real], template))


def test_a_template_reads_nothing_outside_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text("secret", encoding="utf-8")
    own_head(tmp_path / "templates", '#let head(sheet) = read("/../../node.json")\n')
    press = Press(tmp_path / "templates")
    assert press.template_for("CD-KN-017", "extract").startswith("shipped-")


def test_many_documents_print_each_alone_and_in_order(tmp_path: Path) -> None:
    press = Press(tmp_path)
    template = press.template_for(None, "extract")
    prints = [
        Print("extract", {**sample_sheet("extract"), "number": f"essai {n}"}, f"MBK1:{n}", SAMPLE_MOMENT)
        for n in range(12)
    ]
    pages = press.pdfs([(each, template) for each in prints])
    assert [f"essai {n}" in text_of(page) for n, page in enumerate(pages)] == [True] * 12
    assert pages == [press.pdf([each], template) for each in prints]


def test_a_paper_says_with_which_templates_it_was_printed(
    kintambo: TestNode, clerk: Headers, act_of: Callable[..., tuple[str, str]]
) -> None:
    own_head(Path(kintambo.node.settings.data) / "templates")
    act, _ = act_of()
    answer = kintambo.client.post(f"/v1/acts/{act}/documents", json={"type": "extract"}, headers=clerk)
    assert answer.headers["document-template"].startswith("CD-KN-017-")
    assert "MAIRIE DE KINTAMBO" in text_of(answer.content)
