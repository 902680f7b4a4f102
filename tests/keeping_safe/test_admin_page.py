"""The administrator's page, done as it says: every command runs in the order of the page, every answer is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_user_pages import TWO_SCREENS, Told, make_reader, missing, page, steps

NAME, BREAK = "admin", 3


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What came of the page in an empty folder, typed in two sittings: the reader has two minutes for each."""
    folder: Path = tmp_path_factory.mktemp("admin")
    reader, asked = make_reader(folder / "reader", COLUMNS="200"), steps(page(NAME))
    first, second = reader.do(asked[:BREAK]), reader.do(asked[BREAK:])
    code, errors = first.code or second.code, first.errors + second.errors
    return Told(code, errors, first.outputs[:BREAK] + second.outputs, [])


def test_an_administrator_can_type_every_command_of_the_page(told: Told) -> None:
    assert told.code == 0, f"after step {len(told.outputs) - 1}: {told.outputs[-1]}{told.errors}"


def test_the_answers_on_the_page_are_those_he_gets(told: Told) -> None:
    for step, output in zip(steps(page(NAME)), told.outputs, strict=False):
        assert not missing(step, output), output


def test_the_page_is_read_in_two_screens() -> None:
    assert len(page(NAME).splitlines()) <= TWO_SCREENS
    assert sum(bool(step.answers) for step in steps(page(NAME))) >= 5
