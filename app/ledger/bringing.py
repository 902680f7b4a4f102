"""At the commune: bringing down what reached the province by other paths, and folding what is lacking here. A brought
line is no batch of this node: it is kept with the province's signed answer, so that it stays provable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import sqlalchemy as sa
import structlog

from app.errors import Problem
from app.ledger.brought import Chains, Group, batch_of, fold_group, left_out, set_brought_aside, unheard_of
from app.ledger.bulk import lock_door
from app.ledger.door import Door
from app.ledger.holding import Held, compare
from app.ledger.keeping import keep_brought, note_forks, numbers_of
from app.ledger.lines import compress, decompress, falls, lines_brought_of
from app.ledger.node import Marks
from app.ledger.operations import MOST_HAVE, TYP, areas_of_commune
from app.ledger.senders import admit
from app.ledger.tables import brought, brought_answer, brought_batch, node, origin, upstream_position
from app.ledger.upstream import NOT_THE_PROVINCE, UPSTREAM_REFUSED, UPSTREAM_UNREACHABLE, ask, open_session
from sync.protocol import Batch, Line, Unreadable, dot, parse_dot, read_line
from sync.seal import BadSignature, PublicKey, verify_detached

PAGE_BYTES = 4 << 20
log = structlog.get_logger("bringing")


@dataclass(frozen=True, slots=True)
class Brought:
    """What one bringing did: answers read, lines folded that were lacking here, bytes of the answers."""

    answers: int = 0
    lines: int = 0
    wire_bytes: int = 0

    def __add__(self, other: Brought) -> Brought:
        return Brought(
            self.answers + other.answers, self.lines + other.lines, self.wire_bytes + other.wire_bytes
        )


@dataclass(frozen=True, slots=True)
class Told:
    """One operation as the province tells it; `forked`: another line stands under its dot, about somebody else."""

    dev: str
    ep: int
    line: Line
    role: str
    by: str | None
    batch: str
    forked: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer whose signature was checked."""

    content: bytes
    signature: str
    operations: list[Told]
    entities: int
    after: Mapping[str, int | str]
    more: bool
    feed: str
    grants: list[str]
    chains: Mapping[str, Chains]


# -- asking ----------------------------------------------------------------------------------------------------


def bring_all(door: Door, client: httpx.Client, *, page_bytes: int = PAGE_BYTES) -> Brought:
    """Bring what changed at the province in this commune's areas since the last time, page by page.

    Raises `upstream_unreachable`, `upstream_refused`, `not_the_province`; pages folded stay folded.
    """
    done, more = Brought(), True
    headers = open_session(door, client)
    while more:
        positions = _positions(door)
        try:
            answer = fetch(door, client, session=headers, positions=positions, page_bytes=page_bytes)
        except Problem as refused:
            if refused.members.get("reason") != "feed_changed" or set(positions.values()) == {"0"}:
                raise
            with door.database.write() as connection:
                connection.execute(upstream_position.delete())
            continue
        if answer.feed != door.standing.upstream_feed:
            raise UPSTREAM_UNREACHABLE("La province vient d'être restaurée.")
        if answer.more and {code: str(each) for code, each in answer.after.items()} == positions:
            raise UPSTREAM_REFUSED("La province renvoie toujours la même page.")
        done += Brought(1, take_answer(door, answer), len(answer.content))
        more = answer.more
    return done


def fetch(
    door: Door,
    client: httpx.Client,
    *,
    session: Mapping[str, str],
    positions: Mapping[str, str],
    page_bytes: int,
) -> Answer:
    """One answer of the province after these positions. Raises `not_the_province` where its signature does not hold."""
    params = [("after", f"{code}:{position}") for code, position in positions.items()]
    params += [("have", each) for each in _have(door)]
    url = f"{door.standing.upstream_url}/sync/v1/operations"
    response = ask(
        client, "GET", url=url, headers=dict(session), params=[*params, ("limit_bytes", str(page_bytes))]
    )
    return check_answer(door, response.content, signature=response.headers.get("Answer-Signature", ""))


def check_answer(door: Door, content: bytes, *, signature: str) -> Answer:
    """Read an answer the province signed for this server; raises `not_the_province`."""
    standing = door.standing
    try:
        if standing.upstream_key is None or standing.upstream_node is None:
            raise BadSignature("unknown")
        key = PublicKey.from_jwk(standing.upstream_key)
        verify_detached(key, content, signature, kid=standing.upstream_node, typ=TYP)
    except BadSignature as error:
        raise NOT_THE_PROVINCE() from error
    answer, reader = _parse(content, signature)
    if reader != standing.dev:
        raise NOT_THE_PROVINCE("La réponse est faite pour un autre serveur.")
    return answer


def _parse(content: bytes, signature: str) -> tuple[Answer, str]:
    """What an answer says, and for whom it was made."""
    *records, last = (orjson.loads(line) for line in content.splitlines())
    told = [each for record in records for each in _read(record["operations"])]
    chains = {record["id"]: record["chains"] for record in records if "chains" in record}
    after, more, feed, grants = last["after"], last["more"], last["feed"], last["grants"]
    return Answer(content, signature, told, len(records), after, more, feed, grants, chains), last["for"]


def _read(operations: Iterable[Mapping[str, Any]]) -> Iterator[Told]:
    for each in operations:
        dev, ep, n = parse_dot(each["dot"])
        raw = each["line"].encode()
        try:
            line = Line(n, raw, read_line(raw, n, dev=dev, ep=ep))
        except Unreadable as error:
            # The province folded it: a newer program than this one, whose word must not stop the rest.
            log.warning("brought_line_unreadable", dot=each["dot"], reason=error.reason)
            continue
        yield Told(dev, ep, line, each["role"], each["by"], each["batch"], each.get("fork", False))


def _positions(door: Door) -> dict[str, str]:
    sender = door.own_sender()
    codes = areas_of_commune(sender, door.areas, communes=door.territory.communes)
    with door.database.read() as connection:
        held = {row.area: row.position for row in connection.execute(sa.select(upstream_position))}
    return {code: held.get(code, "0") for code in codes}


def _have(door: Door) -> list[str]:
    """The operations held here, the longest ranges first where there are too many to name."""
    with door.database.read() as connection:
        rows = connection.execute(sa.select(origin)).all()
    spans = [
        (last - first, f"{row.dev}:{row.ep}:{first}-{last}")
        for row in rows
        for first, last in numbers_of(row).to_list()
    ]
    return [text for _, text in sorted(spans, reverse=True)[:MOST_HAVE]]


# -- folding ---------------------------------------------------------------------------------------------------


def take_answer(door: Door, answer: Answer) -> int:
    """Fold what an answer holds and this node does not, keep it, and move the positions: one transaction.

    Gives how many lines were lacking.
    """
    with door.database.write() as connection:
        lock_door(connection)
        at = door.clock.received_at()
        for grant in answer.grants:
            admit(connection, door.standing, grant)
        lacking, told = _keep(connection, door, answer, at=at)
        for group in lacking:
            told |= fold_group(connection, door, group, at=at)
        if told:
            door.settle(connection, told, at=at)
        _move(connection, answer.after)
    return sum(len(group.batch.lines) for group in lacking)


def fold_answer_again(connection: sa.Connection, door: Door, kept: sa.Row[Any]) -> int:
    """Fold a stored answer (a row of `brought_answer`) into registers that hold only what came before it; how many
    lines it brought. Its lines are stored anew, the answer stays as it is."""
    answer, _ = _parse(decompress(kept.content), kept.signature)
    lacking, _ = _keep(connection, door, answer, at=kept.at, kept=kept.id, before=kept.after_batch + 1)
    for group in lacking:
        fold_group(connection, door, group, at=kept.at)
    return sum(len(group.batch.lines) for group in lacking)


def _keep(
    connection: sa.Connection,
    door: Door,
    answer: Answer,
    *,
    at: str,
    kept: int | None = None,
    before: int | None = None,
) -> tuple[list[Group], set[str]]:
    """Store the lines that are lacking, all of them before any is folded: none of them shall wait for another; and the
    batches of revoked devices nobody had told of. Gives the groups to fold, and whose batches were named.

    `kept`: the number under which the answer is stored already; `before`: as if later batches were not here.
    """
    groups: list[Group] = []
    named = unheard_of(connection, door, answer.chains)
    if named:
        kept = kept or _keep_answer(connection, answer, at=at)
        connection.execute(
            brought_batch.insert(), [row | {"answer": kept} for rows in named.values() for row in rows]
        )
    out = left_out(connection, {each.batch for each in answer.operations})
    for (dev, ep, by, role, _), tolds in _grouped(answer.operations).items():
        place = door.origin_of(connection, dev, ep)
        whole = batch_of(dev, ep, by=by, lines=[told.line for told in tolds])
        held = compare(connection, whole, origin=place, at=at, before=before)
        _hear_of_forks(connection, tolds, held, at=at)
        here = {
            (each.line.n, each.line.raw)
            for sha256 in out.keys() & {told.batch for told in tolds}
            for each in lines_brought_of(connection, place.local, sha256=sha256)
        }
        fresh = [
            told
            for told in tolds
            if not _is_known(held, told.line.n) and (told.line.n, told.line.raw) not in here
        ]
        if not fresh and not held.entities:
            continue
        if kept is None:
            kept = _keep_answer(connection, answer, at=at)
        rows = [
            {"n": told.line.n, "line": told.line.raw, "role": role, "by": by, "batch": told.batch}
            for told in fresh
        ]
        if rows:
            connection.execute(
                brought.insert(), [row | {"origin": place.local, "answer": kept} for row in rows]
            )
            keep_brought(connection, place, (told.line.n for told in fresh))
        apart = {told.batch for told in fresh if out.get(told.batch) is False}
        set_brought_aside(connection, door, place, dev=dev, ep=ep, batches=apart, at=at)
        standing = [told.line for told in fresh if told.batch not in out or not falls(told.line)]
        groups.append(Group(Batch(whole.header, standing), role, place, held))
    return groups, set(named)


def _grouped(operations: Iterable[Told]) -> dict[tuple[str, int, str | None, str, int], list[Told]]:
    """Lines by author; a second line under a number goes into a group of its own, where it meets the first."""
    found: dict[tuple[str, int, str | None, str, int], dict[int, Told]] = {}
    for told in operations:
        turn = 0
        while (
            other := found.setdefault((told.dev, told.ep, told.by, told.role, turn), {}).setdefault(
                told.line.n, told
            )
        ) is not told and other.line.raw != told.line.raw:
            turn += 1
    return {key: [lines[n] for n in sorted(lines)] for key, lines in found.items()}


def _hear_of_forks(connection: sa.Connection, tolds: Iterable[Told], held: Held, *, at: str) -> None:
    """Numbers that bear another line elsewhere: what stands here under them is contested from now on."""
    forked = {dot(told.dev, told.ep, told.line.n): told for told in tolds if told.forked}
    fresh = note_forks(connection, forked, dev=next(iter(forked.values())).dev, at=at) if forked else []
    for each in fresh:
        operation = forked[each].line.operation
        if operation is not None:
            held.entities.append((operation.kind, operation.id))


def _is_known(held: Held, n: int) -> bool:
    """Whether this very line, under this very person, is here already."""
    return held.skip.get(n, {}).get("status") == "duplicate" and n not in held.again


def _keep_answer(connection: sa.Connection, answer: Answer, *, at: str) -> int:
    statement = brought_answer.insert().values(
        sha256=hashlib.sha256(answer.content).hexdigest(),
        signature=answer.signature,
        content=compress(answer.content),
        after_batch=Marks.of(connection).batches,
        at=at,
    )
    return int(connection.execute(statement.returning(brought_answer.c.id)).scalar_one())


def _move(connection: sa.Connection, after: Mapping[str, int | str]) -> None:
    connection.execute(upstream_position.delete().where(upstream_position.c.area.in_(after)))
    rows = [{"area": code, "position": str(position)} for code, position in after.items()]
    if rows:
        connection.execute(upstream_position.insert(), rows)


# -- catching up -----------------------------------------------------------------------------------------------


def finish_catching_up(door: Door) -> None:
    """Everything went up and everything came down: acts may be drawn up again."""
    if door.refresh().catching_up:
        with door.database.write() as connection:
            connection.execute(node.update().values(catching_up=False))
        door.refresh()
        log.info("caught_up")


def catch_up_if_needed(door: Door, client: httpx.Client) -> None:
    """After joining: a province that holds data of this commune has to be read before acts are drawn up here."""
    page = fetch(
        door,
        client,
        session=open_session(door, client),
        positions={code: at for code, at in _positions(door).items() if code.startswith("civil:")},
        page_bytes=1,
    )
    if not page.entities:
        finish_catching_up(door)
