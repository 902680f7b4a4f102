"""The search for persons recorded twice: precision and recall on the labelled set with 95 % intervals, beside exact
match and the rules of OpenCRVS; and how long the check of one declaration takes among many acts, over the API."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date

from app.population.duplicates.blocking import kept_under, sought_under
from app.population.duplicates.compare import LEVELS, compare
from app.population.duplicates.index import MOST_COMPARED
from app.population.duplicates.record import Record, record_of
from tests.bench import report
from tests.population.labelled import rules
from tests.population.labelled.generate import SECOND_PAPERS, TWO_CHILDREN, LabelledSet, labelled_set

SEED = 20261126
TODAY = date(2026, 11, 26)
Pairs = set[tuple[int, int]]


@dataclass(frozen=True)
class Share:
    """So many of so many, with the 95 % interval of Wilson."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        return self.part / self.whole if self.whole else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        if not self.whole:
            return 0.0, 1.0
        z, n, p = 1.96, self.whole, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({100 * low:.1f}–{100 * high:.1f}; {self.part}/{self.whole})"


@dataclass(frozen=True)
class Quality:
    """What a search found of a labelled set: `recall` by difficulty, `alarms` of two children's papers."""

    precision: Share
    whole_recall: Share
    recall: dict[str, Share]
    alarms: dict[str, Share]
    strangers: int


def quality(labelled: LabelledSet, found: Pairs) -> Quality:
    """Precision over all pairs found, recall over the labelled ones; `strangers`: pairs found that nobody labelled."""
    positive = {pair for difficulty in SECOND_PAPERS for pair in labelled.pairs(difficulty)}
    traps = {pair for difficulty in TWO_CHILDREN for pair in labelled.pairs(difficulty)}
    right = sum(labelled.same(*pair) for pair in found)
    return Quality(
        Share(right, len(found)),
        Share(len(positive & found), len(positive)),
        {each: _share(labelled.pairs(each), found) for each in SECOND_PAPERS},
        {each: _share(labelled.pairs(each), found) for each in TWO_CHILDREN},
        len(found - positive - traps),
    )


def _share(pairs: list[tuple[int, int]], found: Pairs) -> Share:
    return Share(sum(pair in found for pair in pairs), len(pairs))


def ours(labelled: LabelledSet) -> dict[str, Pairs]:
    """What the search finds at each threshold, candidates found by keys as on a server."""
    records = [_record(number, paper.values) for number, paper in enumerate(labelled.papers)]
    under: dict[int, list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        for key in kept_under(record):
            under[key].append(number)
    found: dict[str, Pairs] = {level: set() for level in LEVELS}
    for number, record in enumerate(records):
        near = Counter(each for key in sought_under(record) for each in under[key] if each != number)
        for other, _ in near.most_common(MOST_COMPARED):
            score = compare(record, records[other]).score
            for level, least in LEVELS.items():
                if score >= least:
                    found[level].add((min(number, other), max(number, other)))
    return found


def _record(number: int, values: dict[str, str]) -> Record:
    return record_of(values, TODAY, identity=f"{number:08d}", of="birth", commune=values["commune"])


def told(name: str, found: Quality) -> None:
    """Print one search's figures."""
    report.told(
        f"{name}: precision {found.precision}, recall {found.whole_recall}, {found.strangers} pairs of strangers"
    )
    for difficulty, share in found.recall.items():
        report.told(f"    {difficulty}: found {share}")
    for difficulty, share in found.alarms.items():
        report.told(f"    {difficulty}: false alarms {share}")


def measure_quality(seed: int = SEED) -> None:
    """Print precision and recall of the search and of what others ship, on one labelled set."""
    labelled = labelled_set(seed)
    papers = [paper.values for paper in labelled.papers]
    report.told(f"Labelled set: {len(papers)} papers, seed {seed}")
    for level, found in ours(labelled).items():
        told(f"Search, {level} (score ≥ {LEVELS[level]})", quality(labelled, found))
    told("Exact match", quality(labelled, rules.exact(papers)))
    by_rule = rules.opencrvs(papers)
    for name, found in by_rule.items():
        told(f"OpenCRVS rule: {name}", quality(labelled, found))
    told("OpenCRVS, all three rules", quality(labelled, set().union(*by_rule.values())))


if __name__ == "__main__":
    import sys

    measure_quality(int(sys.argv[1]) if len(sys.argv) > 1 else SEED)
