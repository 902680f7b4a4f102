"""The next number of an act: consecutive within the office's year, or within the volume where the law numbers so. Once
given it is never given again, whatever became of its act; what is irregular about its volume is pointed out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import sqlalchemy as sa

from app.civil.books.volumes import VOLUME_CLOSED, Key, Row, books_of, is_initialled, written_in
from app.civil.tables import act
from app.law.registers import Numbering, numbering_on, sheets_of_volume

Noticed = dict[str, str]


def take_number(
    connection: sa.Connection, key: Key, *, folio: str | None, today: date
) -> tuple[int, list[Noticed]]:
    """The number of the act that `today` enters a volume (office, year, volume), and what somebody should look at.

    The caller holds `lock_door` to the commit that writes the act: two registrars never get the same number. Raises
    `volume_closed` (409).
    """
    rows = books_of(connection, key)
    closed = next((row for row in rows if row["closed_on"] is not None), None)
    if closed is not None:
        raise VOLUME_CLOSED(f"Le volume {key[2]} de {key[1]} est clos depuis le {closed['closed_on']}.")
    number = next_number(connection, key, numbering=numbering_on(date(today.year, 1, 1)))
    # Opened on two servers: the first by id shows the way until a person has decided.
    opened = rows[0] if rows else None
    sheets = opened["sheets"] if opened is not None else None
    acts = written_in(connection, key).acts
    beyond = _beyond_sheets(acts, folio, sheets=sheets if sheets is not None else sheets_of_volume(today))
    return number, [*_of_opening(opened), *beyond]


def next_number(connection: sa.Connection, key: Key, *, numbering: Numbering) -> int:
    """One more than the greatest number any act bears there: drawn up, keyed from paper or annulled."""
    office, year, volume = key
    greatest = sa.select(sa.func.max(act.c.number)).where(act.c.office == office, act.c.year == year)
    if numbering == "per_volume":
        greatest = greatest.where(act.c.volume == volume)
    return int(connection.scalar(greatest) or 0) + 1


def _of_opening(opened: Row | None) -> Iterator[Noticed]:
    if opened is None:
        message = "Ce volume n'a pas été ouvert (POST /v1/registers)."
        yield {"code": "volume_not_opened", "field": "volume", "message": message}
    elif not is_initialled(opened):
        message = "La cote et le paraphe de ce volume ne sont pas inscrits."
        yield {"code": "volume_not_initialled", "field": "volume", "message": message}


def _beyond_sheets(acts: int, folio: str | None, *, sheets: int | None) -> Iterator[Noticed]:
    """A volume beyond its sheets is only pointed out: how many there are is not confirmed."""
    if sheets is None:
        return
    full = acts >= sheets
    if full or (folio is not None and folio.isdecimal() and int(folio) > sheets):
        message = f"Un volume compte {sheets} feuillets : ouvrez le volume suivant."
        yield {"code": "volume_full", "field": "volume" if full else "folio", "message": message}
