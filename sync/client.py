"""A tablet without a screen: enters, seals, pushes and pulls, and knows which of its work the province holds.

What it remembers is sync.store's, how a node is spoken to sync.contact's; here is the order of things.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import httpx

from sync.answers import Refused, SyncError, Unreachable, Untrusted
from sync.contact import Contact, Met, Patience
from sync.download import FirstDownload, Pulled
from sync.outbox import Outbox, contains, is_held, is_missing
from sync.pace import after_failure, next_size
from sync.protocol import BATCH_BYTES
from sync.seal import BadSignature, Key, check_grant, peek
from sync.store import Facts, Held, Store, held_of

FIRST_BATCH_BYTES, LEAST_BATCH_BYTES = 64 << 10, 16 << 10
CONTACT_SECONDS = 300.0
PAGE_BYTES = 512 << 10
OTHER_HOME = "Le serveur à cette adresse est celui d'une autre commune : rien ne lui est envoyé."
# Stands where the feed of a node stood that has lost something.
LOST = ""
# A node's no about one batch, not about this device: the others go on.
_ABOUT_THE_BATCH = frozenset({"bad_signature", "too_large", "unreadable_body", "invalid_input"})

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: batches and operations whose receipt came, bytes on the wire both ways, operations `left`."""

    batches: int = 0
    operations: int = 0
    wire_bytes: int = 0
    left: int = 0


class Tablet(Outbox):
    """An enrolled device with a network: the outbox, and the calls that empty it and bring rows."""

    def __init__(
        self,
        store: Store,
        http: httpx.Client,
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(store, clock=clock)
        self._http = http
        self._patience = patience or Patience()
        self._contacts: dict[str, tuple[float, Contact]] = {}

    @classmethod
    def enrol(
        cls,
        store: Store,
        *,
        url: str,
        code: str,
        province: str,
        name: str,
        http: httpx.Client,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "Tablet":
        """Enrol this store's device by the content of the QR code: `url`, `code`, thumbprint of the `province` key.

        Raises Untrusted, Refused, Unreachable; after a cut the same call gives the same device.
        """
        facts = store.facts()
        if "grant" in facts:
            raise SyncError("already_enrolled", "Cet appareil est déjà enrôlé.")
        if "key" not in facts:
            # Kept before it is sent: the answer may be lost, and the code is good for one key only.
            store.remember({"key": Key.generate().pem().decode()})
        key = Key.from_pem(store.facts()["key"].encode())
        contact = Contact(http, url, province=province, patience=patience or Patience())
        answer = contact.enrol(key=key, code=code, name=name)
        store.remember({**_check_enrolment(answer, contact, key=key, province=province), "name": name})
        return cls(store, http, patience=patience, clock=clock)

    # -- pushing -------------------------------------------------------------------------------------------

    def push(self, told: Callable[[Pushed], None] | None = None, *, to: str | None = None) -> Pushed:
        """Send all that the node has no receipt for, oldest first, sealing the rest as the line allows.

        `to` is the address of another node of the commune or of the province. Raises Unreachable (what has a receipt
        stays received), Refused, Untrusted.
        """
        contact = self._contact(to)
        before, node = contact.wire_bytes, contact.met.node
        done = Pushed(left=self.left(node))
        for held in self._waiting(contact):
            if self._send(contact, held):
                done = Pushed(
                    batches=done.batches + 1,
                    operations=done.operations + held.operations,
                    wire_bytes=contact.wire_bytes - before,
                    left=max(0, done.left - held.operations),
                )
                if told is not None:
                    told(done)
        self.store.remember({"feeds": {**self.store.facts().get("feeds", {}), node: contact.met.feed}})
        self.forget_settled()
        return replace(done, wire_bytes=contact.wire_bytes - before, left=self.left(node))

    def _waiting(self, contact: Contact) -> Iterator[Held]:
        """Sealed batches this node lacks, then what is still open, each batch sealed at the size the line can take."""
        yield from self._to_send(contact)
        while True:
            most_bytes = min(contact.met.batch_bytes, self._batch_bytes)
            sealed = self.seal_one(contact.met.batch_operations, most_bytes)
            if sealed is None:
                return
            yield held_of(sealed)

    def _to_send(self, contact: Contact) -> list[Held]:
        node, feed = contact.met.node, contact.met.feed
        waiting = [each for each in self.store.batches() if node not in each.nodes and each.kept]
        restored = self.store.facts().get("feeds", {}).get(node, feed) != feed
        if restored or any(each.tries for each in waiting):
            return self._ask_what_is_held(contact, waiting)
        return waiting

    def _ask_what_is_held(self, contact: Contact, waiting: list[Held]) -> list[Held]:
        """After a cut or a restored server: take receipts instead of sending again, and send again what was lost."""
        try:
            held = self._in_session(contact, contact.status)
        except Refused:
            # Expiry and revocation stop sessions, not writing (section 5).
            return waiting
        self.notice_older_copy(held)
        for ep in {each.ep for each in waiting if each.tries and is_held(held, each)}:
            first = min(each.first for each in waiting if each.ep == ep)
            self.take(contact.receipts(dev=self.dev, ep=ep, first=first))
        node = contact.met.node
        known = [each for each in self.store.batches() if each.kept]
        return [each for each in known if node not in each.nodes or is_missing(held, each)]

    def _send(self, contact: Contact, held: Held) -> bool:
        self.store.note_try(held.sha256)
        troubles, started = (contact.failures, contact.busy), time.monotonic()
        try:
            receipt = contact.push(
                self.store.content(held.sha256),
                signature=held.signature,
                grant=self.store.facts()["grant"],
                sha256=held.sha256,
                dev=self.dev,
                stranger=self._is_stranger(contact.met.node),
            )
        except Unreachable:
            self._aim(after_failure(self._batch_bytes, least=LEAST_BATCH_BYTES))
            raise
        except Refused as refused:
            if refused.code not in _ABOUT_THE_BATCH:
                raise
            self.store.note_try(held.sha256, refused.code)
            return False
        self.take([receipt])
        seconds, now = time.monotonic() - started, self._batch_bytes
        if contact.failures > troubles[0]:
            self._aim(after_failure(now, least=LEAST_BATCH_BYTES))
        elif contact.busy == troubles[1]:
            self._aim(
                next_size(now, size=held.size, seconds=seconds, least=LEAST_BATCH_BYTES, most=BATCH_BYTES)
            )
        return True

    def _is_stranger(self, node: str) -> bool:
        """Tell whether this node has never taken anything from this device, nor enrolled it."""
        return node != self.store.facts()["node"] and not any(
            node in each.nodes for each in self.store.batches()
        )

    @property
    def _batch_bytes(self) -> int:
        """Decoded bytes to seal a batch at: what this line bore last, little on an unknown one."""
        found: int = self.store.facts().get("batch_bytes", FIRST_BATCH_BYTES)
        return found

    def _aim(self, batch_bytes: int) -> None:
        if batch_bytes != self._batch_bytes:
            self.store.remember({"batch_bytes": batch_bytes})

    # -- receipts ------------------------------------------------------------------------------------------

    def fetch_receipts(self) -> int:
        """Bring the receipts of unsettled batches, the province's included; gives how many are new.

        Then deletes the bytes of batches settled for 30 days of the province's dates (section 1).
        """
        contact = self._contact()
        oldest: dict[int, int] = {}
        for each in self.store.batches():
            if each.settled_at is None:
                oldest[each.ep] = min(each.first, oldest.get(each.ep, each.first))
        new = 0
        for ep, first in oldest.items():
            call = partial(contact.receipts, dev=self.dev, ep=ep, first=first)
            new += self.take(self._in_session(contact, call))
        self.forget_settled()
        return new

    # -- pulling -------------------------------------------------------------------------------------------

    def pull(self, told: Callable[[Pulled], None] | None = None, *, page_bytes: int = PAGE_BYTES) -> Pulled:
        """Read what changed in this device's areas from its home node, page by page until there is no more; at first,
        and after a restart from 0, areas come whole from packs where the node has them.

        Raises Unreachable (what was read stays read), Refused (`revoked`: rows are dropped, the outbox is not).
        """
        contact = self._contact()
        before, done, more = contact.wire_bytes, Pulled(), True
        while more:
            try:
                more, step = self._pull_step(contact, page_bytes, told=told)
            except Refused as refused:
                if refused.code == "revoked":
                    self.store.drop_rows()
                    self.store.remember({"revoked": True})
                raise
            done = Pulled(
                pages=done.pages + step.pages,
                rows=done.rows + step.rows,
                removed=done.removed + step.removed,
                wire_bytes=contact.wire_bytes - before,
            )
            if told is not None:
                told(done)
        self._notice_loss(contact.met.node)
        return done

    def _pull_step(
        self, contact: Contact, page_bytes: int, *, told: Callable[[Pulled], None] | None
    ) -> tuple[bool, Pulled]:
        """A first download where nothing was read yet, else one page; (is there more, what was done)."""
        if self.store.positions():
            return self._in_session(contact, partial(self._pull_page, contact, page_bytes))
        in_session = partial(self._in_session, contact)
        return FirstDownload(self.store, contact, in_session, self.unsettled_entities, told).run()

    def _notice_loss(self, node: str) -> None:
        """After a page that lacks a batch this node gave a receipt for: the node was restored, knowingly or not.

        The next push asks what it holds, the next pull begins from 0.
        """
        facts = self.store.facts()
        received = [each for each in self.store.batches() if node in each.nodes and each.kept]
        if not all(contains(facts["have"], each) for each in received):
            self.store.remember({"feeds": {**facts.get("feeds", {}), node: LOST}})
            self.store.restart()

    def _pull_page(self, contact: Contact, page_bytes: int) -> tuple[bool, Pulled]:
        """Read and apply one page; (is there more, what was done). A changed feed begins again from 0; areas that the
        node withdrew are dropped by its page, those it newly names there are read on the next one."""
        positions, facts = self.store.positions(), self.store.facts()
        try:
            page = contact.changes(positions, limit_bytes=page_bytes)
        except Refused as refused:
            if refused.code not in ("feed_changed", "area_not_granted"):
                raise
            self.store.restart()
            return True, Pulled()
        if page.feed != facts.get("feed"):
            self.store.restart()
            return True, Pulled()
        if page.more and page.after == positions:
            raise SyncError(
                "no_progress", "Le serveur renvoie toujours la même page : prévenez l'administrateur."
            )
        newly = not page.after.keys() <= positions.keys()
        written, removed = self.store.apply(page, self.unsettled_entities)
        return page.more or newly, Pulled(1, written, removed)

    # -- contact -------------------------------------------------------------------------------------------

    def _contact(self, url: str | None = None) -> Contact:
        """The node at this address (home without one), greeted now or some minutes ago; each greeting is a contact."""
        facts = self.store.facts()
        url = url or facts["url"]
        since, contact = self._contacts.get(url, (0.0, None))
        if contact is None or time.monotonic() - since > CONTACT_SECONDS:
            contact = Contact(self._http, url, province=facts["province"], patience=self._patience)
            met = contact.hello()
            if url == facts["url"] and met.node != facts["node"]:
                self._take_new_home(met)
            self._contacts[url] = time.monotonic(), contact
            self.store.remember({"contacts": facts.get("contacts", 0) + 1})
        return contact

    def _take_new_home(self, met: Met) -> None:
        """Another server stands at the home address: a commune's server rebuilt, when the province certified it for
        the areas of the old one. It gave no receipt yet, so all that is kept goes to it; its feed makes the rows be
        read from 0."""
        try:
            old = peek(str(peek(self.store.facts()["grant"])[1].get("node_cert")))[1].get("areas")
            fresh = peek(met.node_cert)[1].get("areas")
        except BadSignature as error:
            raise Untrusted("other_home", OTHER_HOME) from error
        if met.kind != "province" and not set(old or []) <= set(fresh or []):
            raise Untrusted("other_home", OTHER_HOME)
        self.store.remember({"node": met.node, "node_name": met.name})

    def _in_session(self, contact: Contact, call: Callable[[], Answer]) -> Answer:
        """Make a call that needs a session, once more in a fresh one when the node has forgotten it."""
        if contact.session is None:
            self._open_session(contact)
        try:
            return call()
        except Refused as refused:
            if refused.code != "session_required":
                raise
        self._open_session(contact)
        return call()

    def _open_session(self, contact: Contact) -> None:
        grant = self.store.facts()["grant"]
        told = contact.open_session(key=self.key, dev=self.dev, grant=grant, at=self._clock())
        self._renew(told.grant)

    def _renew(self, grant: str | None) -> None:
        """Keep the grant as the node has it now, when it is this device's and chains to the province."""
        facts = self.store.facts()
        if grant is None or grant == facts["grant"]:
            return
        try:
            claims = check_grant(grant, facts["province"])
        except BadSignature:
            return
        if claims["dev"] == self.dev and claims["key"] == self.key.public.jwk():
            self.store.remember({"grant": grant, "areas": list(claims.get("areas") or [])})


def _check_enrolment(answer: Mapping[str, Any], contact: Contact, *, key: Key, province: str) -> Facts:
    """The facts to keep of an enrolment; Untrusted when the grant is not this key's or does not chain."""
    met = contact.met
    try:
        claims = check_grant(str(answer.get("grant")), province)
    except BadSignature as error:
        raise Untrusted("bad_grant", "L'autorisation reçue ne vient pas de la province attendue.") from error
    if (
        claims["key"] != key.public.jwk()
        or claims["dev"] != answer.get("dev")
        or met.node != answer.get("node")
    ):
        raise Untrusted("bad_grant", "L'autorisation reçue est celle d'un autre appareil.")
    return {
        "dev": claims["dev"],
        "agent": str(claims.get("agent", "")),
        "role": claims["role"],
        "areas": list(claims.get("areas") or []),
        "grant": answer["grant"],
        "node": met.node,
        "node_name": met.name,
        "url": contact.url,
        "province": province,
    }
