"""Whether a birth was declared in time (art. 116 of the Family Code). The number of days is dated data; which rule
judges, how days are counted and what an approximate date allows is decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, cast

from app.law.dates import PossibleDays
from app.law.parameters import Law, Parameter, law, read_topic
from app.law.topics import TOPICS

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
    """The rules of a CSV text in order of time; LawError (a ValueError) when two are in force on one day."""
    topic = next(each for each in TOPICS if each.name == "delay")
    return _rules(read_topic(topic, text))


@lru_cache(maxsize=8)
def rules_of(applied: Law) -> tuple[DelayRule, ...]:
    """The delays of a law in order of time."""
    return _rules(applied.all("delay"))


def _rules(parameters: Iterable[Parameter]) -> tuple[DelayRule, ...]:
    return tuple(
        DelayRule(
            in_force_from=each.in_force_from or date.min,
            in_force_to=each.in_force_to,
            days=each.whole("days") or 0,
            article=each.article,
            source=each.source,
            status=each.status,
        )
        for each in parameters
    )


def rule_on(day: date, rules: Sequence[DelayRule] | None = None) -> DelayRule | None:
    """The rule in force on a day, of the law applied or of `rules`; None before the first one."""
    for rule in reversed(rules_of(law()) if rules is None else rules):
        if rule.in_force(day):
            return rule
    return None


def delay_of(
    *,
    declared_on: date | None,
    birth: PossibleDays | None,
    rules: Sequence[DelayRule] | None = None,
    judged_on: JudgedOn | None = None,
) -> DelayAnswer:
    """Was the birth declared in the legal delay? Source: Family Code art. 116, law 09/001 art. 16.

    The day of birth is day 0 and the last day of the limit is in time; holidays change nothing. The rule in force on
    the day of declaration judges (`judged_on` is the parameter of that day, for the law does not say it in so many
    words; `rules` those of the law applied). All possible days late → out of delay, all in time → in delay, else, and
    without a rule for the day, undetermined.
    Pass None for what is unknown. Never raises.
    """
    if declared_on is None or birth is None:
        return DelayAnswer("undetermined", None, None, None, ())
    most = (declared_on - birth.earliest).days
    if most < 0:
        return DelayAnswer("undetermined", (declared_on - birth.latest).days, most, None, ())
    rules = rules_of(law()) if rules is None else rules
    judged_on = judged_on or judged_on_day(declared_on)
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


def judged_on_day(declared_on: date) -> JudgedOn:
    """Whether the rule of the declaration's or of the birth's day judges a declaration of that day."""
    found = law().one("delay_judged_on", declared_on)
    return cast("JudgedOn", found.text("judged_on")) if found is not None else "declaration"


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
