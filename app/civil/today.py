"""The day an act is dated: the server's own calendar day in Kinshasa, as long as its clock can be believed, and an
admin's confirmation where it cannot. Orders and authorises nothing else."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import sqlalchemy as sa

from app.access.officers import Officer
from app.clock import moment, stamp
from app.errors import problem
from app.ledger.door import Door
from app.ledger.node import Standing, read_standing
from app.ledger.tables import node

CLOCK_UNSURE = problem(
    "clock_unsure",
    409,
    "Date du serveur incertaine",
    "Un administrateur vérifie la date et l'heure du serveur, puis confirme la date (POST /v1/clock/confirmation).",
)
CLOCK_DATE_DIFFERS = problem(
    "clock_date_differs",
    422,
    "La date confirmée n'est pas celle du serveur",
    "Corrigez l'horloge du serveur.",
)

# Two machines' clocks may differ by as much without anybody noticing.
TOLERANCE = timedelta(seconds=60)


def day_of_registration(connection: sa.Connection, door: Door, *, ahead_hours: float) -> date:
    """Today in Kinshasa, which dates an act; raises `clock_unsure` (409) while nobody should believe it.

    Unsure is a clock behind the newest time this server stored, or more than `ahead_hours` ahead of the province
    (as measured at the last relay). An admin's confirmation holds from its own moment for `ahead_hours`: a clock
    that falls behind it again, or jumps on by more than that, has to be confirmed anew.
    """
    hold = timedelta(hours=ahead_hours)
    standing = read_standing(connection)
    reason = _doubt(door, standing, hold=hold)
    if reason is not None and not _is_confirmed(door, standing, hold=hold):
        raise CLOCK_UNSURE(reason)
    return door.clock.clock.today()


def confirm_day(
    connection: sa.Connection, door: Door, officer: Officer, *, day: date, ahead_hours: float
) -> tuple[str, str]:
    """Write down that `day`, read off a calendar, is today; gives the moment confirmed and until when it holds.

    Raises `clock_date_differs` (422) when the server's clock says another day. The caller refreshes the door's
    standing after the commit.
    """
    now = door.clock.clock.now()
    today = door.clock.clock.today()
    if day != today:
        raise CLOCK_DATE_DIFFERS(f"L'horloge du serveur est au {today:%d/%m/%Y}, pas au {day:%d/%m/%Y}.")
    values = {"confirmed_at": stamp(now), "confirmed_by": officer.id, "node": door.identity.dev}
    confirmation = {"kind": "clock", "id": str(uuid.uuid4()), "new": True, "set": values}
    door.write(connection, [confirmation], by=officer.id)
    connection.execute(node.update().values(clock_confirmed_at=stamp(now)))
    return stamp(now), stamp(now + timedelta(hours=ahead_hours))


def _doubt(door: Door, standing: Standing, *, hold: timedelta) -> str | None:
    today = door.clock.clock.today()
    if door.clock.behind() > TOLERANCE.total_seconds():
        return f"L'horloge du serveur ({today:%d/%m/%Y}) retarde sur ce qu'il a déjà enregistré."
    if (standing.upstream_offset or 0.0) > hold.total_seconds():
        hours = f"{hold.total_seconds() / 3600:g}"
        return f"L'horloge du serveur ({today:%d/%m/%Y}) avance de plus de {hours} h sur la province."
    return None


def _is_confirmed(door: Door, standing: Standing, *, hold: timedelta) -> bool:
    if standing.clock_confirmed_at is None:
        return False
    since = door.clock.clock.now() - moment(standing.clock_confirmed_at)
    return -TOLERANCE <= since <= hold
