"""The search for persons recorded twice: precision and recall on the labelled set with 95 % intervals, beside exact
match and the rules of OpenCRVS; and how long the check of one declaration takes among many acts, over the API."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import sqlalchemy as sa

from app.civil.same_child import BIRTHS
from app.civil.tables import birth
from app.demo import births, census
from app.population.duplicates.blocking import kept_under, sought_under
from app.population.duplicates.compare import LEVELS, Level, compare
from app.population.duplicates.index import MOST_COMPARED
from app.population.duplicates.record import Record, record_of
from app.population.duplicates.sweeper import sweep_some
from tests import postgres
from tests.bench import report
from tests.bench.answers import get, login, times_of
from tests.bench.workload import folder, open_node, sealed_census, served, take_over_acts
from tests.nodes import TestNode
from tests.population.labelled import rules
from tests.population.labelled.generate import SECOND_PAPERS, TWO_CHILDREN, LabelledSet, labelled_set

SEED = 20261126
TODAY = date(2026, 11, 26)
ACTS, PUBLISHED = 100_000, 83_933
MOST_CHILDREN = 400
CHILD = ("nom", "postnom", "prenom", "sex", "birth_date", "mother_name", "father_name", "multiple", "order")
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


def ours(labelled: LabelledSet) -> dict[Level, Pairs]:
    """What the search finds at each threshold, candidates found by keys as on a server."""
    records = [_record(number, paper.values) for number, paper in enumerate(labelled.papers)]
    under: dict[int, list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        for key in kept_under(record):
            under[key].append(number)
    found: dict[Level, Pairs] = {level: set() for level in LEVELS}
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


# -- how long ------------------------------------------------------------------------------------------------------


def measure(scale: float, rounds: int) -> None:
    """Print the quality, then on both engines the time of a declaration among 100,000 acts (times `scale`)."""
    measure_quality()
    server = postgres.start(postgres.packaged())
    try:
        for engine, url in (("SQLite", ""), ("PostgreSQL", server.url(server.create()))):
            with folder() as home:
                node = open_node(home / "node", url)
                person, children, words = _fill(engine, node, scale)
                node.database.close()
                with served(home / "node", url) as running:
                    _compare(
                        f"{engine}, {words}", running.url, person=person, children=children, rounds=rounds
                    )
    finally:
        server.close()


def _fill(engine: str, node: TestNode, scale: float) -> tuple[str, list[dict[str, Any]], str]:
    """Persons, acts, and their index: a person's id, children who have an act, and how many acts there are."""
    for batch in sealed_census(node, households=100, scale=0.02):
        node.door.accept(batch.data, batch.signature)
    acts = take_over_acts(node, scale * ACTS / PUBLISHED)
    begun = time.perf_counter()
    swept = sweep_some(node.door, [BIRTHS], most=2 * acts + 1000)
    report.told(f"Index, {engine}: {swept / (time.perf_counter() - begun):,.0f} records/s, {swept:,} records")
    for role, username in (("clerk", "prepose"), ("registrar", "officier")):
        node.add_officer(role, census.COMMUNE if role == "clerk" else births.COMMUNE, username=username)
    with node.database.read() as connection:
        person = str(connection.execute(sa.text("SELECT id FROM person ORDER BY id LIMIT 1")).scalar_one())
        columns = sa.select(*(birth.c[name] for name in CHILD)).order_by(birth.c.id).limit(MOST_CHILDREN)
        rows = connection.execute(columns).mappings().all()
    children = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return person, children, f"{acts:,} acts"


def _compare(engine: str, url: str, *, person: str, children: list[dict[str, Any]], rounds: int) -> None:
    """Declarations of children who have an act already, each once, against a person by id."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        clerk, registrar = login(client, "prepose"), login(client, "officier")

        def by_id(_number: int) -> None:
            get(client, f"/v1/persons/{person}", clerk, {})

        left = iter(children)

        def declare(_number: int) -> None:
            answer = client.post("/v1/births", json=next(left), headers=registrar)
            if answer.status_code != 201 or not suspected(answer.json()):
                raise RuntimeError(answer.text[:300])

        declare(0)
        rounds_of = [(times_of(by_id), times_of(declare)) for _ in range(rounds)]
    for name, at in (("", statistics.median), (", p95", _p95)):
        limits, ours = ([at(times) for times in each] for each in zip(*rounds_of, strict=True))
        title = f"MATCH {engine}, a declaration with its check ÷ a person by id{name}"
        report.ratios(title, ours, limits, goal=15)


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def suspected(declared: dict[str, Any]) -> bool:
    """Whether the declaration was told to be another's double."""
    return any(each["code"] == "possible_duplicate" for each in declared["warnings"])
