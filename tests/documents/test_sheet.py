"""What stands on a paper, in French: dates as people say them, and no sign that cannot be printed."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import pytest

from app.documents.printing import SAMPLE_MOMENT, Press, Print
from app.documents.sheet import french_date, printable, sample_sheet


@pytest.mark.parametrize("text,precision,said", [
    ("2026-01-01", "day", "1er janvier 2026"), ("2026-08-31", None, "31 août 2026"), ("1987-05", "month", "mai 1987"),
    ("1960", "year", "1960"), ("1960", "estimated", "vers 1960"), (None, None, "—"), ("", None, "—"),
])  # fmt: skip
def test_a_date_is_said_as_people_say_it(text: str | None, precision: str | None, said: str) -> None:
    assert french_date(text, precision) == said


def test_a_sign_without_a_letter_is_shown_as_a_square_and_a_line_break_as_a_space() -> None:
    assert printable("Mbuyi\n李\u202e𓀀 Ɛkɔlɔ́") == "Mbuyi □ □ Ɛkɔlɔ́"


def test_every_sign_that_is_let_through_has_a_letter_in_the_fonts(tmp_path: Path) -> None:
    signs = [chr(each) for each in range(sys.maxunicode + 1)]
    let_through = [each for each in signs if printable(each) == each]
    assert len(let_through) > 1500
    rows = []
    for at in range(0, len(let_through), 80):
        part = (f"a{each}" if unicodedata.combining(each) else each for each in let_through[at : at + 80])
        rows.append(("", " ".join(part)))
    press = Press(tmp_path)
    template = press.template_for(None, "extract")
    sheet = sample_sheet("extract") | {"rows": rows}
    assert press.pdf([Print("extract", sheet, "MBK1:0", SAMPLE_MOMENT)], template).startswith(b"%PDF")
