"""What the delivery of an act costs, and what a campaign changes. An amount nobody has confirmed is told as unknown."""

from __future__ import annotations

from datetime import date

from app.law.answers import Answer, cited
from app.law.delay import OUTCOME, Delay
from app.law.parameters import Parameter, law


def free_of_charge(delay: Delay, on: date) -> Answer:
    """Is the act of a birth declared in this delay delivered free on that day? Source: law 09/001, art. 16.

    Undecided where no amount is known.
    """
    found = law().one("fees", on, code=delay)
    amount = found.whole("amount") if found is not None else None
    if found is None or amount is None:
        return Answer(
            None, f"Naissance {OUTCOME[delay]} : aucun montant n'est connu{cited(found) if found else ''}."
        )
    if amount == 0:
        return Answer.of(True, f"Naissance {OUTCOME[delay]} : délivrance gratuite", by=found)
    cost = f"{amount} {found.text('currency')}".strip()
    return Answer.of(False, f"Naissance {OUTCOME[delay]} : délivrance au prix de {cost}", by=found)


def fee_of(delay: Delay, on: date) -> int | None:
    """The amount for the delivery of such an act; None where nobody knows it."""
    found = law().one("fees", on, code=delay)
    return found.whole("amount") if found is not None else None


def campaign_effects(on: date) -> list[Parameter]:
    """What campaigns may change on that day: columns `effect` and `judgment`, with the French description."""
    return law().on("campaigns", on)
