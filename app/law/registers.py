"""What the registers of civil status ask for: a judgment before an act is drawn up or not, how many sheets a volume
has, how acts are numbered, to whom each volet goes and in which language acts are. Judges no delay itself."""

from __future__ import annotations

from datetime import date
from typing import Literal, cast

from app.law.delay import Delay
from app.law.parameters import law

Numbering = Literal["per_year", "per_volume"]
Holder = Literal["parents", "court", "interior", "commune"]


def judgment_needed(delay: Delay, mode: str | None) -> bool:
    """Whether the act may only be drawn up on a judgment (Family Code, art. 106 to 109 and 116).

    Out of delay always, and in the mode `judgment` whatever the delay. Undetermined too: as long as a late declaration
    cannot be excluded an act without judgment might be void, and a registered act can only be undone by a court. A
    more precise date of birth lifts the doubt.
    """
    return delay != "in_delay" or mode == "judgment"


def sheets_of_volume(day: date) -> int | None:
    """How many sheets a volume opened on that day has; None where no rule is known."""
    found = law().one("register_sheets", day)
    return found.whole("sheets") if found is not None else None


def numbering_on(day: date) -> Numbering:
    """Whether the acts of an office follow one another through the year or begin anew in each volume.

    Through the year where no rule is known for the day: the register had one volume more often than several.
    """
    found = law().one("numbering", day)
    return cast("Numbering", found.text("numbering")) if found is not None else "per_year"


def volets_on(day: date) -> dict[int, Holder]:
    """To whom each volet of a sheet goes on that day: {1: "parents", …}; empty where no rule is known."""
    found = [each for each in law().on("volets", day) if each.code in {"1", "2", "3", "4"}]
    return {int(each.code): cast("Holder", each.text("holder")) for each in found}


def language_of_acts(day: date) -> str:
    """The language acts are drawn up in on that day, in French ("français"); empty where no rule is known."""
    found = law().one("languages", day)
    return found.text("language") if found is not None else ""
