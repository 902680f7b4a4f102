"""What a commune brought from its province: answers the province signed, and the lines kept of them. A line counts as
an operation of this node only as long as the signed answer says the same."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from backports import zstd

from app.audit.chain import SCALE, Chains, holds
from app.audit.refold import Told, refused
from app.audit.report import Findings
from app.audit.trust import Trust
from app.ledger.tables import brought, brought_answer, brought_batch
from sync.protocol import Unreadable, read_line

TYP = "operations"
# Dot, line, role, person, batch.
Said = tuple[str, bytes, str, str | None, str]


class Bringings:
    """The answers kept, and their lines as operations; `forked`: numbers the province says bear another line too."""

    def __init__(
        self, connection: sa.Connection, trust: Trust, *, chains: Chains, findings: Findings
    ) -> None:
        self._connection = connection
        self._trust = trust
        self._chains = chains
        self._findings = findings
        self.forked: set[str] = set()
        query = sa.select(brought_batch).order_by(brought_batch.c.sha256)
        self._batches = connection.execute(query).all()

    def chain(self, origin: int) -> dict[str, str | None]:
        """The batches of an origin of which the province told, each with the one before, unchecked."""
        return {row.sha256: row.prev for row in self._batches if row.origin == origin}

    def left_out(self) -> set[str]:
        """Those of them that this node keeps as left out."""
        return {row.sha256 for row in self._batches if row.unfolded}

    def check(self) -> Iterator[tuple[str, Told]]:
        """(its batch, line) of every line to be folded, its answer checked first; a difference for each that the answer
        does not hold."""
        told_in: dict[int, list[sa.Row[Any]]] = defaultdict(list)
        for each in self._batches:
            told_in[each.answer].append(each)
        for row in self._connection.execute(sa.select(brought_answer).order_by(brought_answer.c.id)).all():
            said, named = self._open(row)
            for each in told_in[row.id]:
                if (each.sha256, each.prev) not in named.get(each.origin, set()):
                    text = "n'est pas dans la réponse signée de la province"
                    self._findings.add("brought", f"lot {each.sha256} : {text}")
            for line in self._rows(brought.c.answer == row.id):
                told = self._told(line, row.after_batch)
                if told is None:
                    self._findings.add("brought", f"ligne rapportée {line.id} : illisible")
                elif (told.dot, told.raw, told.role, told.by, line.batch) not in said:
                    text = "n'est pas dans la réponse signée de la province"
                    self._findings.add("brought", f"opération rapportée {told.dot} : {text}")
                elif refused(told.operation, told.role) is None:
                    yield line.batch, told

    def every(self) -> Iterator[tuple[str, Told]]:
        """(its batch, line) of every line that can be read, unchecked."""
        for row in self._rows(sa.true()):
            told = self._told(row, 0)
            if told is not None:
                yield row.batch, told

    def at(self, origin: int, n: int) -> list[tuple[str, Told]]:
        """(its batch, line) of every line brought under one number."""
        after = dict(
            self._connection.execute(sa.select(brought_answer.c.id, brought_answer.c.after_batch)).all()
        )
        rows = self._rows(sa.and_(brought.c.origin == origin, brought.c.n == n))
        found = ((row.batch, self._told(row, after[row.answer])) for row in rows)
        return [(sha256, told) for sha256, told in found if told is not None]

    def names(self) -> Iterator[tuple[str, str]]:
        """(kind, id) of everything they are about."""
        for row in self._rows(sa.true()):
            told = self._told(row, 0)
            if told is not None:
                yield told.operation.kind, told.operation.id

    def _rows(self, where: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
        return list(self._connection.execute(sa.select(brought).where(where).order_by(brought.c.id)))

    def _told(self, row: sa.Row[Any], after: int) -> Told | None:
        chain = self._chains.chains[row.origin]
        try:
            operation = read_line(row.line, row.n, dev=chain.dev, ep=chain.ep)
        except Unreadable:
            return None
        # After every batch that was held then, before every later one.
        order = after * SCALE + row.id
        return Told(order, row.origin, chain.dev, chain.ep, row.n, row.role, row.by, row.line, operation)

    def _open(self, row: sa.Row[Any]) -> tuple[set[Said], dict[int, set[tuple[str, str | None]]]]:
        """What a kept answer says, nothing when it is not the province's own word: its lines, and the batches it names
        of each origin here."""
        name = f"réponse {row.sha256} de la province"
        try:
            content = zstd.decompress(row.content)
        except zstd.ZstdError:
            content = b""
        key, node = self._trust.upstream, self._trust.upstream_node or ""
        if hashlib.sha256(content).hexdigest() != row.sha256:
            self._findings.add("brought", f"{name} : un octet a changé")
            return set(), {}
        if key is None or not holds(key, content, signature=row.signature, kid=node, typ=TYP):
            self._findings.add("brought", f"{name} : la signature n'est pas la sienne")
            return set(), {}
        records = [orjson.loads(line) for line in content.splitlines()[:-1]]
        said = [each for record in records for each in record["operations"]]
        self.forked |= {each["dot"] for each in said if each.get("fork")}
        chains = {record["id"]: record["chains"] for record in records if "chains" in record}
        named = {
            origin: {(sha256, prev) for sha256, prev in chains.get(each.dev, {}).get(str(each.ep), ())}
            for origin, each in self._chains.chains.items()
            if each.dev in chains
        }
        return {(e["dot"], e["line"].encode(), e["role"], e["by"], e["batch"]) for e in said}, named
