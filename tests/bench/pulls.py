"""P6 and P7: what a device pulls over HTTP, against the database's own answer to the same question. P9: the relay."""

from __future__ import annotations

import contextlib
import gzip
import time
from collections import defaultdict
from typing import Any

import httpx
import orjson

from app.demo import census
from app.ledger.enrolment import invite
from app.ledger.relay import join, relay_all
from sync.seal import sign_compact
from tests.bench import report
from tests.bench.engines import KINDS, Place, places
from tests.bench.workload import folder, open_node, sealed_census, served
from tests.nodes import Tablet, TestNode, Wire

BATCH_HOUSEHOLDS = 100
PAGE = 8 << 20
# One person in so many is changed.
CHANGED = 100
BUNDLE_BYTES = 4 << 20


def measure(scale: float, rounds: int) -> None:
    """Print P6 and P7 on both engines."""
    figures: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    goals: dict[str, float] = {}

    def note(name: str, goal: float, ours: float, limit: float) -> None:
        goals[name] = goal
        figures[name][0].append(ours)
        figures[name][1].append(limit)

    with places(rounds) as found:
        for place in found:
            node = open_node(place.home / "node", place.url)
            for batch in sealed_census(node, households=BATCH_HOUSEHOLDS, scale=scale):
                node.door.accept(batch.data, batch.signature)
            device, clerk = node.tablet(census.COMMUNE), node.tablet(census.COMMUNE, role="clerk")
            with (
                served(place.home / "node", place.url) as server,
                httpx.Client(base_url=server.url, timeout=300, trust_env=False) as client,
            ):
                session = _session(client, device)
                began = _pull(client, session, {})
                whole = _json_aggregate(place)
                note(f"P6 {place.engine}, full pull ÷ the database's own JSON", 1.5, began.seconds, whole)
                packed = _pull_packs(client, session)
                if packed is not None:
                    note(f"P6 {place.engine}, packs ÷ COPY OUT", 2, packed, _copy_out(place))
                _change(node, clerk, place)
                again = _pull(client, session, began.after)
                plain = _changed_rows(place, again.lines)
                note(f"P7 {place.engine}, pull of 1 % changed ÷ its SQL", 2.5, again.seconds, plain)
            node.database.close()
    for name, (ours, limits) in figures.items():
        report.ratios(name, ours, limits, goal=goals[name])


class _Pulled:
    def __init__(self, seconds: float, lines: int, after: dict[str, Any]) -> None:
        self.seconds, self.lines, self.after = seconds, lines, after


def _session(client: httpx.Client, device: Tablet) -> dict[str, str]:
    hello = client.get("/sync/v1/hello").json()
    said = {"dev": device.dev, "aud": hello["node"], "nonce": hello["nonce"]}
    assertion = sign_compact(device.key, said, kid=device.dev, typ="session")
    answer = client.post("/sync/v1/sessions", json={"assertion": assertion})
    return {"Authorization": f"Bearer {answer.json()['token']}", "Accept-Encoding": "identity"}


def _pull(client: httpx.Client, session: dict[str, str], after: dict[str, Any]) -> _Pulled:
    """Every page since `after`, as a client on a good line takes them."""
    lines, begun = 0, time.perf_counter()
    while True:
        asked = [("after", f"{area}:{position}") for area, position in after.items()]
        answer = client.get("/sync/v1/changes", params=[*asked, ("limit_bytes", str(PAGE))], headers=session)
        answer.raise_for_status()
        page = answer.content.rstrip(b"\n")
        lines += page.count(b"\n")
        last = orjson.loads(page[page.rfind(b"\n") + 1 :])
        after = last["after"]
        if not last["more"]:
            return _Pulled(time.perf_counter() - begun, lines, after)


def _pull_packs(client: httpx.Client, session: dict[str, str]) -> float | None:
    """Seconds of taking every pack that is offered; None where the node offers none. They are made beforehand."""
    if client.get("/sync/v1/packs", headers=session).status_code != 200:
        return None
    begun = time.perf_counter()
    for pack in client.get("/sync/v1/packs", headers=session).json():
        answer = client.get(f"/sync/v1/packs/{pack['sha256']}", headers=session)
        answer.raise_for_status()
        gzip.decompress(answer.content)
    return time.perf_counter() - begun


def _json_aggregate(place: Place) -> float:
    """Seconds in which the database itself hands out the same rows as JSON, without their nulls where it can."""
    with contextlib.closing(place.node_database()) as connection:
        begun = time.perf_counter()
        for kind, fields in KINDS.items():
            names = ("id", *fields, "area", "seq", "rev", "origin", "n")
            if place.is_postgresql:
                columns = ", ".join(f'"{name}"' for name in names)
                rows = f"(SELECT {columns} FROM {kind}) r"
                statement = f"SELECT json_agg(json_strip_nulls(row_to_json(r)))::text FROM {rows}"
            else:
                columns = ", ".join(f"'{name}', \"{name}\"" for name in names)
                statement = f"SELECT json_group_array(json_object({columns})) FROM {kind}"
            connection.execute(statement).fetchone()
        return time.perf_counter() - begun


def _copy_out(place: Place) -> float:
    with contextlib.closing(place.node_database()) as connection:
        begun = time.perf_counter()
        for kind in KINDS:
            if place.is_postgresql:
                with connection.cursor().copy(f"COPY {kind} TO STDOUT") as copy:
                    for _ in copy:
                        pass
            else:
                connection.execute(f"SELECT * FROM {kind}").fetchall()
        return time.perf_counter() - begun


def _change(node: TestNode, clerk: Tablet, place: Place) -> None:
    with contextlib.closing(place.node_database()) as connection:
        ids = sorted(str(row[0]) for row in connection.execute("SELECT id FROM person"))[::CHANGED]
    changes = [{"kind": "person", "id": each, "set": {"occupation": "enseignante"}} for each in ids]
    node.push(clerk, *changes)


def _changed_rows(place: Place, lines: int) -> float:
    """Seconds of the plain query for what changed since: every area from its position, in the feed's order."""
    with contextlib.closing(place.node_database()) as connection:
        areas = [row[0] for row in connection.execute("SELECT DISTINCT area FROM person")]
        last = connection.execute("SELECT max(rev) FROM person").fetchone()[0]
        begun = time.perf_counter()
        found = 0
        for area in areas:
            query = (
                f"SELECT * FROM person WHERE area = {int(area)} AND seq >= "
                f"(SELECT max(seq) FROM person WHERE area = {int(area)} AND rev = {int(last)}) ORDER BY seq, id"
            )
            found += len(connection.execute(query).fetchall())
        seconds = time.perf_counter() - begun
    if found != lines:
        raise RuntimeError(f"{lines} lines pulled, {found} rows changed")
    return seconds


# -- the relay -------------------------------------------------------------------------------------------------


def measure_relay(scale: float, rounds: int) -> None:
    """Print P9: commune to province in process, bytes both ways per household and pace against accepting."""
    accepting: dict[str, list[float]] = defaultdict(list)
    relaying: dict[str, list[float]] = defaultdict(list)
    sizes: dict[str, list[float]] = defaultdict(list)
    with places(rounds) as found:
        for place in found:
            with folder() as home:
                province = open_node(home / "province", place.url, kind="province")
                commune = open_node(place.home / "node", "", kind="commune")
                wire = Wire(province=province, commune=commune)
                with httpx.Client(transport=wire) as client:
                    _join(commune, province, client)
                    batches = sealed_census(commune, households=BATCH_HOUSEHOLDS, scale=scale)
                    begun = time.perf_counter()
                    for batch in batches:
                        commune.door.accept(batch.data, batch.signature)
                    accepting[place.engine].append(time.perf_counter() - begun)
                    begun = time.perf_counter()
                    done = relay_all(commune.door, client, most_bytes=BUNDLE_BYTES)
                    relaying[place.engine].append(time.perf_counter() - begun)
                if done.receipts < len(batches):
                    raise RuntimeError(f"{done.receipts} receipts for {len(batches)} batches")
                sizes[place.engine].append(done.wire_bytes / sum(each.households for each in batches))
                commune.database.close()
                province.database.close()
    for engine in sizes:
        name = f"P9 province on {engine}, relay"
        report.figure(f"{name}, bytes per household with receipts", sizes[engine], goal=330, unit="B")
        report.ratios(f"{name}, pace ÷ accepting", accepting[engine], relaying[engine], goal=1, least=True)


def _join(commune: TestNode, province: TestNode, client: httpx.Client) -> None:
    officer, _ = province.add_officer("admin")
    with province.database.write() as connection:
        code = invite(
            connection,
            province.door,
            agent=officer,
            role="admin",
            areas=[census.COMMUNE],
            at=province.node.clock.now(),
            minutes=15,
        ).code
    standing = province.door.standing
    join(commune.door, url="http://province", code=code, province=standing.province or "", client=client)
