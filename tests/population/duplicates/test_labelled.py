"""How good the search is on a labelled set it knows nothing of: floors that a planted fault breaks. The whole set, with
intervals and beside what others ship, is printed by `python -m tests.bench MATCH`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.population.duplicates import blocking, compare
from app.population.duplicates.record import Record
from tests.bench.matching import Quality, Share, ours, quality
from tests.population.labelled import rules
from tests.population.labelled.generate import LabelledSet, labelled_set

SEED, OF_EACH, OTHERS = 20261126, 40, 600
# Found at "possible" of 40 pairs of each difficulty; false alarms at "likely" of 40.
FOUND_AT_LEAST = {
    "as_written": 39, "other_order": 39, "missing_element": 38, "other_spelling": 38, "other_commune": 39,
    "date_days": 38, "year_only": 36, "mother_differs": 26, "twin_again": 38, "mixture": 35, "worn": 30,
}  # fmt: skip
FOUND_LIKELY = {
    "as_written": 38, "other_order": 38, "missing_element": 38, "other_spelling": 30, "other_commune": 38,
    "date_days": 22, "twin_again": 38, "mixture": 28, "worn": 18,
}  # fmt: skip
ALARMS_AT_MOST = {
    "twins": 1, "twins_unmarked": 3, "homonyms": 0, "close_homonyms": 1, "siblings": 0, "siblings_by_year": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def labelled() -> LabelledSet:
    return labelled_set(SEED, of_each=OF_EACH, others=OTHERS)


def shortfalls(labelled: LabelledSet) -> list[str]:
    """Every floor that is not reached."""
    found = {level: quality(labelled, pairs) for level, pairs in ours(labelled).items()}
    recall, alarms = found["possible"].recall, found["likely"].alarms
    short = [name for name, least in FOUND_AT_LEAST.items() if recall[name].part < least]
    likely = found["likely"].recall
    short += [f"{name} at likely" for name, least in FOUND_LIKELY.items() if likely[name].part < least]
    loud = [name for name, most in ALARMS_AT_MOST.items() if alarms[name].part > most]
    loud += ["twins at possible"] if found["possible"].alarms["twins"].part > 2 else []
    return short + loud + _imprecise(found["likely"])


def _imprecise(found: Quality) -> list[str]:
    return ["precision"] if found.precision.value < 0.98 or found.strangers > 1 else []


def test_the_search_reaches_its_floors(labelled: LabelledSet) -> None:
    assert shortfalls(labelled) == []


def _one_word(record: Record) -> tuple[str, ...]:
    written = " ".join(name for name in (record.nom, record.postnom, record.prenom) if name)
    return (written.upper(),) if written else ()


FAULTS: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "the order of elements counts": (compare, "_elements", _one_word, "other_order"),
    "no spelling is near another": (compare, "_alike", lambda _one, _other: 0.0, "other_spelling at likely"),
    "twins are not thought of": (compare, "_are_twins", lambda *_records, **_said: False, "twins at possible"),
    "days are compared, not dates": (compare, "_between_days", lambda *days: "apart", "date_days"),
    "mothers are not compared": (compare, "_mother", lambda _one, _other: None, "year_only"),
    "every element leads nowhere": (blocking, "tokens", lambda *_names: (), "mother_differs"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_breaks_a_floor(
    labelled: LabelledSet, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    module, name, wrong, broken = FAULTS[fault]
    monkeypatch.setattr(module, name, wrong)
    assert broken in shortfalls(labelled)


def test_it_finds_more_than_exact_match_and_the_three_rules_with_fewer_false_alarms(
    labelled: LabelledSet,
) -> None:
    papers = [paper.values for paper in labelled.papers]
    mine = quality(labelled, ours(labelled)["possible"])
    exact = quality(labelled, rules.exact(papers))
    three = quality(labelled, set().union(*rules.opencrvs(papers).values()))
    assert mine.whole_recall.value > max(exact.whole_recall.value, three.whole_recall.value)
    assert mine.precision.value > three.precision.value


def test_the_set_is_the_same_for_the_same_seed_and_holds_enough_twins_and_homonyms(
    labelled: LabelledSet,
) -> None:
    again = labelled_set(SEED, of_each=OF_EACH, others=OTHERS)
    assert again.papers == labelled.papers
    assert labelled_set(SEED + 1, of_each=OF_EACH, others=OTHERS).papers != labelled.papers
    wanted = ("twins", "twins_unmarked"), ("homonyms", "close_homonyms")
    for names in wanted:
        assert 2 * sum(len(labelled.pairs(name)) for name in names) / len(labelled.papers) >= 0.05


def test_the_interval_is_wilsons() -> None:
    """Against the worked example of 10 of 20: 0.299 to 0.701."""
    low, high = Share(10, 20).interval
    assert (round(low, 3), round(high, 3)) == (0.299, 0.701)
    assert Share(0, 0).interval == (0.0, 1.0)


def test_an_edit_distance_counts_as_elasticsearch_does() -> None:
    assert rules.similar("Kalala Jean", "KALALA jaen") is True
    assert rules.similar("Kalala", "Kabila") is True
    assert rules.similar("Ada", "Ida") is True
    assert rules.similar("Bo", "Ba") is False
    assert rules.similar("Kalala", "Jean") is False
    assert rules.similar(None, None) is False
