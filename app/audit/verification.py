"""The audit of a whole node, in one snapshot and one pass over its batches. It writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Set
from time import perf_counter

import sqlalchemy as sa

from app.audit import sweep
from app.audit.brought import Bringings
from app.audit.chain import SCALE, Chains, Seals, Stored, batches, batches_of
from app.audit.compare import Comparison, make_shapes
from app.audit.figures import Recount
from app.audit.joined import Joined
from app.audit.refold import Told, refused
from app.audit.report import Findings, Report
from app.audit.report import Told as Progress
from app.audit.revoked import REASON, falls, left_out
from app.audit.standing import undone_in
from app.audit.trust import Trust
from app.database import Database
from app.territory.countries import COUNTRIES
from app.territory.places import Territory
from sync.seal import PublicKey


class Audit:
    """One audit under way: reads each batch, sorts its lines as the protocol says and hands them to the comparison."""

    def __init__(self, connection: sa.Connection, territory: Territory, *, key: PublicKey | None) -> None:
        self.connection = connection
        self.findings = Findings()
        commune_of = territory.commune_of
        self.trust = Trust(connection, self.findings, key=key, commune_of=commune_of)
        self.chains = Chains(connection)
        self.seals = Seals(self.trust, self.chains, findings=self.findings)
        self.bringings = Bringings(connection, self.trust, chains=self.chains, findings=self.findings)
        self.left_out = left_out(
            connection, self.trust, chains=self.chains, bringings=self.bringings, findings=self.findings
        )
        codes = {"commune": territory.communes, "quartier": territory.quartiers, "country": COUNTRIES}
        self.recount = Recount(commune_of=commune_of, communes=territory.communes)
        self.comparison = Comparison(
            connection,
            make_shapes(connection, codes),
            trust=self.trust,
            findings=self.findings,
            recount=self.recount,
        )
        self.aside: list[sweep.Aside] = []
        self._lines: dict[tuple[int, int], list[bytes]] = defaultdict(list)

    @property
    def forked(self) -> Set[str]:
        """The dots under which two different lines stand."""
        chains = self.chains.chains
        return self.bringings.forked | frozenset(
            f"{chains[origin].dev}:{chains[origin].ep}:{n}"
            for (origin, n), lines in self._lines.items()
            if len(lines) > 1
        )

    def run(self, told: Progress | None) -> None:
        """Check everything; `told(done, total)` counts operations."""
        done = 0
        for row in batches(self.connection):
            stored = self.seals.open(row)
            if stored is not None:
                self._take(stored)
                done += len(stored.readable.lines) if stored.readable else 0
            if told is not None:
                told(min(done, self.chains.operations), self.chains.operations)
        for sha256, brought in self.bringings.check():
            if sha256 in self.left_out and falls(brought.operation):
                if not self.chains.holds(sha256):
                    self.aside.append((brought.dev, brought.ep, brought.n, sha256, REASON, brought.raw))
                continue
            contested = self.chains.is_told_twice(brought.origin, brought.n)
            if contested:
                self._is_repeated(brought.origin, brought.n, brought.raw)
            self.comparison.take(brought, contested=contested)
        self.chains.check(self.connection, self.findings)
        comparison, forked = self.comparison, self.forked
        sweep.check_forks(self.connection, self.findings, forked)
        sweep.check_quarantine(self.connection, self.findings, self.aside)
        acted, rows = comparison.finish(forked, self._find)
        joined = Joined(comparison, forked=forked, undone=undone_in(acted))
        for kind, known in acted.items():
            joined.compare(kind, rows=rows[kind], known=known)
        sweep.check_extra_rows(comparison, self._names)
        sweep.check_numbers(comparison, self._batch_of)
        sweep.check_followers(comparison, {key: each.dev for key, each in self.chains.chains.items()})
        sweep.check_positions(comparison)
        sweep.check_conflicts(comparison)
        self.recount.compare(self.connection, self.findings)

    # -- the lines of a batch ----------------------------------------------------------------------------------

    def _take(self, stored: Stored) -> None:
        if stored.readable is None:
            self.aside.append((stored.dev, None, None, stored.sha256, stored.reason or "", stored.data))
            return
        ep = stored.readable.header.ep
        for n, raw, reason, told in self._sorted(stored):
            contested = self.chains.is_told_twice(stored.origin or 0, n)
            fallen = reason == REASON
            repeated = contested and not fallen and self._is_repeated(stored.origin or 0, n, raw)
            if told is not None:
                self.comparison.take(told, contested=contested)
            elif reason is not None and not repeated:
                self.aside.append((stored.dev, ep, n, stored.sha256, reason, raw))

    def _is_repeated(self, origin: int, n: int, raw: bytes) -> bool:
        lines = self._lines[origin, n]
        if raw in lines:
            return True
        lines.append(raw)
        return False

    def _sorted(self, stored: Stored) -> Iterator[tuple[int, bytes, str | None, Told | None]]:
        """(n, line, why it is set aside, the operation to fold) of each line."""
        readable = stored.readable
        if readable is None or stored.origin is None:
            return
        device = self.trust.devices.get(stored.dev)
        role = device.role if device else "agent"
        header = readable.header
        out = stored.sha256 in self.left_out
        for line in readable.lines:
            operation = line.operation
            if out and falls(operation):
                yield line.n, line.raw, REASON, None
            elif operation is None:
                yield line.n, line.raw, line.reason, None
            elif (reason := refused(operation, role)) is not None:
                yield line.n, line.raw, reason, None
            else:
                told = Told(
                    stored.id * SCALE,
                    stored.origin,
                    header.dev,
                    header.ep,
                    line.n,
                    role,
                    header.by,
                    line.raw,
                    operation,
                )
                yield line.n, line.raw, None, told

    # -- reading again -----------------------------------------------------------------------------------------

    def _find(self, origin: int, n: int) -> list[Told]:
        quiet = Seals(self.trust, self.chains, findings=Findings())
        opened = (quiet.open(row) for row in batches_of(self.connection, origin, n=n))
        brought = self.bringings.at(origin, n)
        return [t for sha256, t in brought if sha256 not in self.left_out or not falls(t.operation)] + [
            t
            for each in opened
            if each is not None
            for *_, t in self._sorted(each)
            if t is not None and t.n == n
        ]

    def _batch_of(self, origin: int, n: int) -> int | None:
        found = [row.id * SCALE for row in batches_of(self.connection, origin, n=n)]
        return min(found + [told.batch for _, told in self.bringings.at(origin, n)], default=None)

    def _names(self) -> dict[str, set[str]]:
        """Kind → keys of everything written: a second pass, made only when rows and operations do not agree."""
        quiet = Seals(self.trust, self.chains, findings=Findings())
        found: dict[str, set[str]] = defaultdict(set)
        for row in batches(self.connection):
            stored = quiet.open(row)
            for *_, told in self._sorted(stored) if stored is not None else ():
                if told is not None:
                    shape = self.comparison.shape(told.operation.kind)
                    found[shape.kind].add(shape.key(told.operation.id, told.operation.kind))
        for kind, identity in self.bringings.names():
            shape = self.comparison.shape(kind)
            found[shape.kind].add(shape.key(identity, kind))
        return found


def verify(
    database: Database,
    *,
    key: PublicKey | None = None,
    territory_of: Callable[[sa.Connection], Territory] = Territory.read,
    told: Progress | None = None,
) -> Report:
    """Audit a node against the bytes it stored and name the first difference.

    `key` is the node's own public key (DIR/node.json), without which a commune that has not joined a province cannot
    have its own signatures checked; `told(done, total)` counts operations.
    """
    started = perf_counter()
    with database.read() as connection:
        audit = Audit(connection, territory_of(connection), key=key)
        audit.run(told)
    findings = audit.findings
    return Report(
        ok=not findings.counts,
        batches=audit.chains.batches,
        operations=audit.chains.operations,
        entities=audit.comparison.entities,
        first_difference=findings.first,
        differences=dict(sorted(findings.counts.items())),
        seconds=perf_counter() - started,
    )
