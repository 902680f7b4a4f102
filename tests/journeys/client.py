"""A tablet of its own make: enrols, seals, pushes, believes only receipts that verify, pulls, asks what is settled.
It follows the protocol page and shares no line with the product; everything it holds lives in memory."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from .rows import Entity, FeedChanged, Rows, Shown, Written, register_of
from .signatures import (
    JSON,
    Node,
    Untrusted,
    check_grant,
    check_node_cert,
    check_seal,
    compact,
    jwk_of,
    seal,
    sign,
    thumbprint,
    unb64,
)

NDJSON = "application/x-ndjson"
PATIENCE_SECONDS = 60.0
WRONG_CLOCK = "1970-01-01T01:00:00+01:00"
"""This tablet's battery died: its time is testimony, nothing may depend on it."""


class Refused(Exception):
    """A problem answer: HTTP status, stable code and the whole answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.answer = answer
        self.code = ""
        if answer.headers.get("content-type", "").startswith("application/problem+json"):
            self.code = str(answer.json().get("code", ""))
        super().__init__(f"{self.status} {self.code} {answer.text[:500]}")


@dataclass(frozen=True)
class Invitation:
    """What the enrolment QR holds: where, with which one-time code, under which province key."""

    url: str
    code: str
    province: str


@dataclass(frozen=True)
class Sealed:
    """A batch as it was signed: never made again, sent as often as needed."""

    data: bytes
    signature: str
    ep: int
    first: int
    last: int

    @property
    def sha256(self) -> str:
        """Identity of the batch: lower-case hex over its decoded bytes."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Receipt:
    """A receipt whose signature held: its exact bytes, its signature and what it says."""

    body: bytes
    signature: str
    claims: JSON

    @property
    def dispositions(self) -> dict[int, JSON]:
        """What is said of single operations, by number; an unlisted one was applied."""
        return {int(n): disposition for n, disposition in self.claims["dispositions"].items()}


def http(url: str) -> httpx.Client:
    """A connection to one server; no proxy and no settings of the surroundings."""
    return httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False)


def expect(answer: httpx.Response, status: int) -> httpx.Response:
    """The answer, when it has this status; else Refused."""
    if answer.status_code != status:
        raise Refused(answer)
    return answer


def believe(body: bytes, signature: str, keys: Mapping[str, JSON]) -> Receipt:
    """The receipt, when one of these servers (node → JWK) signed these very bytes; else Untrusted."""
    try:
        claims = json.loads(body)
    except ValueError as error:
        raise Untrusted("not a receipt") from error
    if not isinstance(claims, dict) or claims.get("node") not in keys:
        raise Untrusted("not a receipt of a server we can check")
    check_seal(signature, body, jwk=keys[claims["node"]], typ="receipt", kid=claims["node"])
    return Receipt(body, signature, claims)


def login_officer(connection: httpx.Client, username: str, *, password: str) -> dict[str, str]:
    """The headers that carry an officer's token. Raises Refused."""
    answer = expect(connection.post("/v1/sessions", json={"username": username, "password": password}), 201)
    return {"Authorization": f"Bearer {answer.json()['token']}"}


class Tablet:
    """One device: its key, epoch and counter, its sealed batches, the receipts it believes and the rows it pulled."""

    def __init__(
        self, invitation: Invitation, *, name: str = "tablette", connect: Callable[[str], httpx.Client] = http
    ) -> None:
        self.invitation = invitation
        self.connect = connect
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.dev = ""
        self.agent = ""
        self.grant = ""
        self.token = ""
        self.home: Node | None = None
        self.keys: dict[str, JSON] = {}
        self.areas: list[str] = []
        self.written: list[Written] = []
        self.sealed: list[Sealed] = []
        self.proven: set[tuple[str, str]] = set()
        self.rows = Rows()
        self.connection = connect(invitation.url)
        self.new_epoch()

    def new_epoch(self) -> None:
        """A new install, a restore or a fork: number anew from 1. What was sealed keeps its epoch."""
        self.ep = secrets.randbits(32)
        self.n = 0
        self.prev: str | None = None
        self.unsealed: list[bytes] = []

    def clone(self) -> Tablet:
        """The same tablet a second time, as a copied disk image would be: same dev, key, epoch and next number."""
        twin = copy.copy(self)
        for name in ("written", "sealed", "proven", "rows", "unsealed", "keys"):
            setattr(twin, name, copy.deepcopy(getattr(self, name)))
        twin.token = ""
        return twin

    # Enrolment and session

    def hello(self, connection: httpx.Client | None = None) -> JSON:
        """What a server says of itself, believed only where the certificate says the same; its key is kept."""
        answer: JSON = expect((connection or self.connection).get("/sync/v1/hello"), 200).json()
        node = check_node_cert(answer["node_cert"], self.invitation.province)
        if node.node != answer["node"]:
            raise Untrusted("the certificate is another server's")
        self._trust(node)
        return answer

    def _trust(self, node: Node) -> Node:
        self.keys |= {node.node: node.key, node.province: node.province_key}
        return node

    def enrolment(
        self, node: str, *, code: str | None = None, proof_key: ec.EllipticCurvePrivateKey | None = None
    ) -> JSON:
        """The body that asks for enrolment at `node`; another code or another proof key only to be refused."""
        code = code or self.invitation.code
        jwk = jwk_of(self.key)
        proof = sign(proof_key or self.key, {"code": code, "node": node}, typ="enrol", kid=thumbprint(jwk))
        return {"code": code, "public_key": jwk, "name": self.name, "proof": proof}

    def enrol(self) -> JSON:
        """Redeem the invitation and check everything that comes back. Raises Refused, Untrusted."""
        node = self.hello()["node"]
        answer: JSON = expect(
            self.connection.post("/sync/v1/enrolments", json=self.enrolment(node)), 201
        ).json()
        home = check_node_cert(answer["node_cert"], self.invitation.province)
        if (home.node, thumbprint(home.key)) != (node, thumbprint(answer["node_key"])) or answer[
            "node"
        ] != node:
            raise Untrusted("the enrolling server is not the one that said hello")
        self.home = self._trust(home)
        self.dev = answer["dev"]
        claims = self._keep_grant(answer["grant"])
        self.agent = claims["agent"]
        if any(claims[name] != answer[name] for name in ("dev", "agent", "role", "areas")):
            raise Untrusted("the grant says something else than the answer")
        return answer

    def _keep_grant(self, grant: str) -> JSON:
        if self.home is None:
            raise Untrusted("not enrolled")
        claims = check_grant(grant, self.home)
        if (claims["dev"], thumbprint(claims["key"])) != (self.dev, thumbprint(jwk_of(self.key))):
            raise Untrusted("the grant is another device's")
        self.grant, self.areas = grant, claims["areas"]
        return claims

    def assertion(self, *, aud: str, nonce: str) -> JSON:
        """The body that opens a session with a nonce of hello."""
        claims = {"dev": self.dev, "aud": aud, "nonce": nonce}
        return {"assertion": sign(self.key, claims, typ="session", kid=self.dev)}

    def login(self) -> JSON:
        """A session at the home node; the renewed grant is kept. Raises Refused, Untrusted."""
        hello = self.hello()
        body = self.assertion(aud=hello["node"], nonce=hello["nonce"])
        answer: JSON = expect(self.connection.post("/sync/v1/sessions", json=body), 201).json()
        self._keep_grant(answer["grant"])
        self.token = answer["token"]
        return answer

    # Writing

    def on_screen(self, about: Entity, field: str) -> list[Shown]:
        """The live values of a field's register as this tablet shows them."""
        return self.rows.on_screen(about, register_of(field), own=self.written)

    def create(self, kind: str, fields: JSON) -> Entity:
        """First write an entity down; its id is made here."""
        about = (kind, str(uuid.uuid4()))
        self.edit(about, fields, new=True)
        return about

    def edit(
        self,
        about: Entity,
        fields: JSON,
        *,
        new: bool = False,
        ev: str | None = None,
        par: Mapping[str, Sequence[str]] | None = None,
    ) -> Written:
        """Write fields, replacing the dots on the screen unless `par` (register → full dots) says which."""
        registers = sorted({register_of(name) for name in fields})
        if par is None:
            par = {
                register: [value.dot for value in self.on_screen(about, register)] for register in registers
            }
        replaces = {register: tuple(dict.fromkeys(dots)) for register, dots in par.items() if dots}
        operation: JSON = {"kind": about[0], "id": about[1], "set": fields, "at": WRONG_CLOCK}
        if new:
            operation["new"] = True
        if ev is not None:
            operation["ev"] = ev
        if replaces:
            operation["par"] = {
                register: [self._short(dot) for dot in dots] for register, dots in replaces.items()
            }
        n = self.say(compact(operation))
        own = Written(f"{self.dev}:{self.ep}:{n}", self.ep, n, about, fields, replaces)
        self.written.append(own)
        return own

    def say(self, line: bytes) -> int:
        """Give the next number to a line, whatever it holds."""
        self.n += 1
        self.unsealed.append(line)
        return self.n

    def _short(self, dot: str) -> int | str:
        own = f"{self.dev}:{self.ep}:"
        return int(dot.removeprefix(own)) if dot.startswith(own) else dot

    def seal(self) -> Sealed:
        """Close everything not yet sealed into one signed batch."""
        first = self.n - len(self.unsealed) + 1
        header = {
            "v": 1,
            "dev": self.dev,
            "ep": self.ep,
            "from": first,
            "to": self.n,
            "prev": self.prev,
            "by": self.agent,
        }
        batch = self.seal_bytes(
            b"".join(line + b"\n" for line in [compact(header), *self.unsealed]), first=first
        )
        self.prev, self.unsealed = batch.sha256, []
        self.sealed.append(batch)
        return batch

    def seal_bytes(self, data: bytes, *, first: int = 0, typ: str = "batch") -> Sealed:
        """Sign any bytes with this device's key; kept nowhere."""
        return Sealed(data, seal(self.key, data, typ=typ, kid=self.dev), self.ep, first, self.n)

    # Exchange

    def push(self, batch: Sealed, *, to: str | None = None, coding: str = "gzip") -> Receipt:
        """Send a batch to the home node or to the server at `to`; the grant goes along only when asked for.

        Raises Refused on a problem and Untrusted where a 200 is no receipt for these bytes: nothing was received.
        """
        connection = self.connect(to) if to else self.connection
        node = self.hello(connection)["node"]
        body = gzip.compress(batch.data, mtime=0) if coding == "gzip" else batch.data
        headers = {"Content-Type": NDJSON, "Content-Encoding": coding, "Batch-Signature": batch.signature}
        answer = self.post_batch(body, headers, connection=connection)
        if answer.status_code == 401 and Refused(answer).code == "grant_required":
            answer = self.post_batch(body, headers | {"Device-Grant": self.grant}, connection=connection)
        return self.take_receipt(expect(answer, 200), batch, node=node)

    def post_batch(
        self, body: bytes, headers: Mapping[str, str], *, connection: httpx.Client | None = None
    ) -> httpx.Response:
        """The bare call, for bodies and headers no honest tablet would send."""
        return (connection or self.connection).post("/sync/v1/batches", content=body, headers=dict(headers))

    def take_receipt(self, answer: httpx.Response, batch: Sealed, *, node: str) -> Receipt:
        """Count the batch as received by `node`, when its receipt for these very bytes verifies; else Untrusted."""
        receipt = believe(answer.content, answer.headers.get("Receipt-Signature", ""), self.keys)
        if (receipt.claims["node"], receipt.claims["sha256"]) != (node, batch.sha256):
            raise Untrusted("a receipt for something else")
        self.proven.add((node, batch.sha256))
        return receipt

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> httpx.Response:
        """A call with this tablet's session. Raises Refused."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return expect(self.connection.get(path, params=list(params), headers=headers), 200)

    def status(self) -> JSON:
        """What the home node says it holds of this epoch: `through` and `holes`; empty before the first batch."""
        held: JSON = self.get("/sync/v1/status").json().get(str(self.ep), {"through": 0, "holes": []})
        return held

    def pull(self, *, limit_bytes: int = 1 << 18) -> None:
        """Read `changes` to the end; when the feed changed, from 0, keeping the old rows until that is done."""
        try:
            self._read(self.rows, limit_bytes)
        except FeedChanged:
            fresh = Rows()
            self._read(fresh, limit_bytes)
            self.rows = fresh

    def _read(self, rows: Rows, limit_bytes: int) -> None:
        unsettled = {own.about for own in self.written if not self._covered(own)}
        more = True
        while more:
            before = dict(rows.after)
            params = [("after", f"{area}:{seq}") for area, seq in before.items()]
            try:
                page = self.get("/sync/v1/changes", [*params, ("limit_bytes", str(limit_bytes))])
            except Refused as refused:
                if refused.code == "feed_changed":
                    raise FeedChanged(refused.code) from refused
                raise
            more = rows.apply(page.content, unsettled=unsettled)
            if more and rows.after == before:
                raise Untrusted("a page that promises more and does not move on")

    def drop_rows(self) -> None:
        """What a revoked device does: everything read goes, what was written stays."""
        self.rows, self.token = Rows(), ""

    def ask_receipts(self) -> list[Receipt]:
        """Receipts the home node holds for this device, the province's included; those that verify are kept."""
        believed = []
        for ep in sorted({batch.ep for batch in self.sealed}):
            answer = self.get("/sync/v1/receipts", [("ep", str(ep)), ("from", "1")])
            for line in filter(None, answer.content.split(b"\n")):
                record = json.loads(line)
                body = unb64(record["receipt"])
                if json.loads(body)["node"] in self.keys:
                    believed.append(believe(body, record["signature"], self.keys))
        self.proven |= {(receipt.claims["node"], receipt.claims["sha256"]) for receipt in believed}
        return believed

    def settled(self, batch: Sealed) -> bool:
        """Does this tablet hold the province's own receipt with the SHA-256 of these very bytes?"""
        return self.home is not None and (self.home.province, batch.sha256) in self.proven

    def _covered(self, own: Written) -> bool:
        batches = [
            batch for batch in self.sealed if batch.ep == own.ep and batch.first <= own.n <= batch.last
        ]
        return any(self.settled(batch) for batch in batches)
