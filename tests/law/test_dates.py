"""Which days a date written on paper may mean."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.dates import estimate_margins, possible_days
from app.law.parameters import law

FAR = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("written", "precision", "earliest", "latest"),
    [
        ("1987-05-03", "day", "1987-05-03", "1987-05-03"),
        ("1987-05", "month", "1987-05-01", "1987-05-31"),
        ("1988-02", "month", "1988-02-01", "1988-02-29"),
        ("1900-02", "month", "1900-02-01", "1900-02-28"),
        ("1987", "year", "1987-01-01", "1987-12-31"),
        # longer than its precision: cut
        ("1987-05-03", "year", "1987-01-01", "1987-12-31"),
        ("1987-05-03", "month", "1987-05-01", "1987-05-31"),
        # shorter than its precision: no more is known than is written
        ("1987", "day", "1987-01-01", "1987-12-31"),
        ("1987-05", None, "1987-05-01", "1987-05-31"),
        # estimates are widened
        ("1987", "estimated", "1985-01-01", "1989-12-31"),
        ("1987-05", "estimated", "1986-11-01", "1987-11-30"),
        ("1988-03-31", "estimated", "1988-02-29", "1988-04-30"),
        ("0001", "estimated", "0001-01-01", "0003-12-31"),
    ],
)
def test_a_written_date_means_these_days(
    written: str, precision: str | None, earliest: str, latest: str
) -> None:
    expected = (date.fromisoformat(earliest), date.fromisoformat(latest))
    assert possible_days(written, precision, declared_on=FAR) == expected


def test_a_birth_cannot_be_after_its_declaration() -> None:
    declared = date(2026, 3, 10)
    assert possible_days("2026", "year", declared_on=declared) == (date(2026, 1, 1), declared)
    assert possible_days("2025", "estimated", declared_on=declared) == (date(2023, 1, 1), declared)


def test_days_that_contradict_the_declaration_come_back_as_written() -> None:
    assert possible_days("2027", "year", declared_on=FAR) == (date(2027, 1, 1), date(2027, 12, 31))


@pytest.mark.parametrize(("written", "precision"), [(None, "day"), (None, None), ("1987", "unknown")])
def test_an_unknown_date_means_no_day_in_particular(written: str | None, precision: str | None) -> None:
    assert possible_days(written, precision, declared_on=FAR) is None


@pytest.mark.parametrize(
    "written",
    [
        "",
        "87",
        "1987-13",
        "1987-00",
        "2023-02-29",
        "1987-02-30",
        "1987-5-3",
        "1987-05-03T00:00",
        "٢٠٢٤",
        "0000",
        "1987\n",
    ],
)
def test_what_is_no_date_is_refused(written: str) -> None:
    for precision in ("day", "year", "estimated"):
        with pytest.raises(ValueError):
            possible_days(written, precision, declared_on=FAR)


def test_a_precision_outside_the_list_is_refused() -> None:
    with pytest.raises(ValueError, match="precision"):
        possible_days("1987", "circa", declared_on=FAR)


def test_the_margin_of_an_estimate_is_wider_where_less_is_written() -> None:
    margins = estimate_margins(law())
    assert margins["year"] > margins["month"] > margins["day"] > 0


@given(
    born=st.dates(date(1850, 1, 1), FAR), length=st.sampled_from([4, 7, 10]), cut=st.sampled_from([4, 7, 10])
)
def test_the_true_day_is_always_possible_however_little_is_written(born: date, length: int, cut: int) -> None:
    written = born.isoformat()[:length]
    for precision in ({4: "year", 7: "month", 10: "day"}[cut], "estimated"):
        span = possible_days(written, precision, declared_on=FAR)
        assert span is not None
        assert span.earliest <= born <= span.latest
        assert span.exact == (span.earliest == span.latest)
