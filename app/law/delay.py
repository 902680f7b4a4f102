"""Whether a birth was declared in time (art. 116 of the Family Code). The number of days is dated data; which rule
judges, how days are counted and what an approximate date allows is decided here and nowhere else."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import Literal

from app.law.dates import PossibleDays

Delay = Literal["in_delay", "out_of_delay", "undetermined"]
JudgedOn = Literal["declaration", "birth"]

OUTCOME = {"in_delay": "dans les délais", "out_of_delay": "hors délai", "undetermined": "délai indéterminé"}


@dataclass(frozen=True, slots=True)
class DelayRule:
    """One delay, in force from a day to a day, both included (None = still). `status`: verified or unverified."""

    in_force_from: date
    in_force_to: date | None
    days: int
    article: str
    source: str
    status: str

    def in_force(self, day: date) -> bool:
        """Whether the rule holds on that day."""
        return self.in_force_from <= day and (self.in_force_to is None or day <= self.in_force_to)


@dataclass(frozen=True, slots=True)
class DelayAnswer:
    """The answer and what it rests on: `days` is None unless the day of birth is exact, `limit` and `article` are
    empty where no single rule judges."""

    delay: Delay
    fewest: int | None
    most: int | None
    applied: DelayRule | None
    judged_days: tuple[date, ...]

    @property
    def days(self) -> int | None:
        """Days from the birth (day 0) to the declaration; None when the date of birth is not exact."""
        return self.fewest if self.fewest == self.most else None

    @property
    def limit(self) -> int | None:
        """The legal delay in days; None where no rule, or more than one, judges."""
        return self.applied.days if self.applied else None

    @property
    def article(self) -> str:
        """The article in French; empty where no rule, or more than one, judges."""
        return self.applied.article if self.applied else ""

    @property
    def rule(self) -> str:
        """One French sentence saying how the answer was found."""
        if self.fewest is None or self.most is None:
            return "Date de naissance ou de déclaration inconnue : le délai ne peut pas être jugé."
        if self.most < 0:
            return "La naissance est postérieure à la déclaration : le délai ne peut pas être jugé."
        elapsed = _elapsed(self.fewest, self.most)
        if self.applied is None:
            days = " ou ".join(f"{day:%d/%m/%Y}" for day in self.judged_days)
            return f"{elapsed} ; aucune règle unique n'est connue pour le {days} : {OUTCOME[self.delay]}."
        return (
            f"{elapsed} ; le délai légal est de {self.applied.days} jours ({self.applied.article}) : "
            f"{OUTCOME[self.delay]}."
        )


def _elapsed(fewest: int, most: int) -> str:
    if fewest != most:
        return f"Déclarée entre {fewest} et {most} jours après la naissance (date de naissance approximative)"
    if fewest == 0:
        return "Déclarée le jour de la naissance"
    return f"Déclarée {fewest} jour{'s' if fewest > 1 else ''} après la naissance"


def read_rules(text: str) -> tuple[DelayRule, ...]:
    """The rules of a CSV text in order of time; ValueError when two are in force on one day."""
    rules = tuple(
        sorted(
            (
                DelayRule(
                    in_force_from=date.fromisoformat(line["in_force_from"]),
                    in_force_to=date.fromisoformat(line["in_force_to"]) if line["in_force_to"] else None,
                    days=int(line["days"]),
                    article=line["article"],
                    source=line["source"],
                    status=line["status"],
                )
                for line in csv.DictReader(text.splitlines())
            ),
            key=lambda rule: rule.in_force_from,
        )
    )
    for earlier, later in pairwise(rules):
        if earlier.in_force(later.in_force_from):
            raise ValueError(f"two delays are in force on {later.in_force_from}")
    return rules


RULES = read_rules(files("app.law").joinpath("data", "legal_delay_rules.csv").read_text(encoding="utf-8"))


def rule_on(day: date, rules: Sequence[DelayRule] = RULES) -> DelayRule | None:
    """The rule in force on a day; None before the first one."""
    for rule in reversed(rules):
        if rule.in_force(day):
            return rule
    return None


def delay_of(
    *,
    declared_on: date | None,
    birth: PossibleDays | None,
    rules: Sequence[DelayRule] = RULES,
    judged_on: JudgedOn = "declaration",
) -> DelayAnswer:
    """Was the birth declared in the legal delay? Source: Family Code art. 116, law 09/001 art. 16.

    The day of birth is day 0 and the last day of the limit is in time; holidays change nothing. The rule in force on
    the day of declaration judges (`judged_on` is a parameter, for the law does not say it in so many words). All
    possible days late → out of delay, all in time → in delay, else, and without a rule for the day, undetermined.
    Pass None for what is unknown. Never raises.
    """
    if declared_on is None or birth is None:
        return DelayAnswer("undetermined", None, None, None, ())
    most = (declared_on - birth.earliest).days
    if most < 0:
        return DelayAnswer("undetermined", (declared_on - birth.latest).days, most, None, ())
    latest = min(birth.latest, declared_on)
    fewest = (declared_on - latest).days
    if judged_on == "declaration":
        rule = rule_on(declared_on, rules)
        if rule is None:
            return DelayAnswer("undetermined", fewest, most, None, (declared_on,))
        return DelayAnswer(_judge(fewest > rule.days, most > rule.days), fewest, most, rule, (declared_on,))
    days = _days_that_differ(birth.earliest, latest, rules=rules)
    found = [(day, rule_on(day, rules)) for day in days]
    late = {rule and (declared_on - day).days > rule.days for day, rule in found}
    applied = {rule for _, rule in found}
    answer: Delay = "undetermined"
    if None not in late and len(late) == 1:
        answer = "out_of_delay" if late == {True} else "in_delay"
    single = applied.pop() if len(applied) == 1 else None
    return DelayAnswer(answer, fewest, most, single, tuple(sorted({birth.earliest, latest})))


def _judge(fewest_late: bool, most_late: bool) -> Delay:
    if fewest_late:
        return "out_of_delay"
    return "undetermined" if most_late else "in_delay"


def _days_that_differ(earliest: date, latest: date, *, rules: Sequence[DelayRule]) -> list[date]:
    """The ends of every stretch of days with one rule: between them the answer cannot turn twice."""
    edges = {earliest, latest}
    for rule in rules:
        edges |= {rule.in_force_from, rule.in_force_from - timedelta(days=1)}
        if rule.in_force_to is not None:
            edges |= {rule.in_force_to, rule.in_force_to + timedelta(days=1)}
    return sorted(day for day in edges if earliest <= day <= latest)
