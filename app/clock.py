"""The only place that asks what time it is. Kinshasa's calendar day counts for the law (UTC+1, no summer time)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

KINSHASA = timezone(timedelta(hours=1), "Africa/Kinshasa")


class Clock:
    """The machine's clock. Tests hand in a clock of their own with the same two methods."""

    def now(self) -> datetime:
        """The present moment in UTC, cut to the millisecond (what is stored is what is compared)."""
        moment = datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def today(self) -> date:
        """The calendar day in Kinshasa."""
        return self.now().astimezone(KINSHASA).date()


def stamp(moment: datetime) -> str:
    """RFC 3339 text in UTC with milliseconds: sorts as text on both engines."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def moment(text: str) -> datetime:
    """The inverse of `stamp`; raises ValueError on anything that is no RFC 3339 time with an offset."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("time without an offset")
    return value
