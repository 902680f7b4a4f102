"""What the registers of civil status ask for before an act is drawn up: a judgment or not, and how many sheets a
volume has. Judges no delay itself."""

from __future__ import annotations

import csv
from datetime import date
from importlib.resources import files

from app.law.delay import Delay


def judgment_needed(delay: Delay, mode: str | None) -> bool:
    """Whether the act may only be drawn up on a judgment (Family Code, art. 106 to 109 and 116).

    Out of delay always, and in the mode `judgment` whatever the delay. Undetermined too: as long as a late declaration
    cannot be excluded an act without judgment might be void, and a registered act can only be undone by a court. A
    more precise date of birth lifts the doubt.
    """
    return delay != "in_delay" or mode == "judgment"


def sheets_of_volume(day: date) -> int | None:
    """How many sheets a volume opened on that day has; None where no rule is known."""
    found = [sheets for first, last, sheets in _SHEETS if first <= day and (last is None or day <= last)]
    return found[-1] if found else None


def _read(text: str) -> list[tuple[date, date | None, int]]:
    return sorted(
        (
            (
                date.fromisoformat(line["in_force_from"]),
                date.fromisoformat(line["in_force_to"]) if line["in_force_to"] else None,
                int(line["sheets"]),
            )
            for line in csv.DictReader(text.splitlines())
        ),
        key=lambda row: row[0],
    )


_SHEETS = _read(files("app.law").joinpath("data", "register_sheets.csv").read_text(encoding="utf-8"))
