"""Whose keys the stored signatures are checked with: this node's, the province's, and those of the devices, each by a
grant that chains to the thumbprint of the province (protocol section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from app.audit.report import Findings
from app.ledger.tables import admitted, device, node
from sync.seal import BadSignature, PublicKey, bounds_of, check_grant, check_node_cert

CommuneOf = Callable[[str], str | None]
SERVERS = ("province", "both")


@dataclass(slots=True)
class Device:
    """A device as its grant describes it; `commune` is where an entity of unknown place is kept."""

    public: PublicKey | None
    role: str
    commune: str | None


def _commune(areas: Iterable[str], commune_of: CommuneOf) -> str | None:
    """The commune of the first area that lies in one."""
    for code in areas:
        found = code if code.startswith("CD-") else commune_of(code)
        if found:
            return found
    return None


def _json(text: str | None) -> Any:
    try:
        return orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return None


class Trust:
    """The node's standing and every device it knows. Adds a difference for whatever does not chain."""

    def __init__(
        self, connection: sa.Connection, findings: Findings, *, key: PublicKey | None, commune_of: CommuneOf
    ) -> None:
        row = connection.execute(sa.select(node)).mappings().one()
        self.dev: str = row["dev"]
        self.is_province = row["kind"] in SERVERS
        self.province: str | None = row["province"]
        self.upstream_node: str | None = row["upstream_node"]
        self.upstream: PublicKey | None = None
        self._findings = findings
        self._commune_of = commune_of
        self.key = self._own_key(row, key)
        self._read_upstream(row)
        role = "province" if self.is_province else "node"
        self.devices: dict[str, Device] = {}
        self._read_admitted(connection)
        self._read_devices(connection)
        self.devices[self.dev] = Device(self.key, role, row["commune"])

    def _own_key(self, row: Any, key: PublicKey | None) -> PublicKey | None:
        """The node's key as its certificate says; a commune that has not joined has it only in its own folder."""
        certified: PublicKey | None = None
        if row["node_cert"] and self.province:
            try:
                claims = check_node_cert(row["node_cert"], self.province)
                certified = PublicKey.from_jwk(claims["key"])
                if claims["node"] != self.dev:
                    raise BadSignature("node")
            except BadSignature as error:
                self._findings.add("trust", f"ce serveur : son certificat ne tient pas ({error})")
        if key is not None and certified is not None and key.jwk() != certified.jwk():
            self._findings.add("trust", "ce serveur : sa clé n'est pas celle de son certificat")
        return key or certified

    def _read_upstream(self, row: Any) -> None:
        if row["grant"] and self.province:
            self._claims(self.dev, row["grant"])
        if row["upstream_key"]:
            try:
                self.upstream = PublicKey.from_jwk(_json(row["upstream_key"]) or {})
            except (BadSignature, AttributeError):
                self._findings.add("trust", "province : sa clé n'est pas lisible")
            else:
                if self.upstream.thumbprint() != self.province:
                    self._findings.add("trust", "province : sa clé n'a pas l'empreinte attendue")

    def _claims(self, dev: str, grant: str) -> dict[str, Any] | None:
        """The grant's claims where it chains; a difference otherwise."""
        if self.province is None:
            self._findings.add("trust", f"appareil {dev} : autorisé sans province connue")
            return None
        try:
            claims = check_grant(grant, self.province)
        except BadSignature as error:
            self._findings.add(
                "trust", f"appareil {dev} : l'autorisation ne remonte pas à la clé de la province ({error})"
            )
            return None
        bounds = bounds_of(grant)
        areas = map(str, claims.get("areas", []))
        if bounds is not None and any({each, self._commune_of(each)}.isdisjoint(bounds) for each in areas):
            self._findings.add("trust", f"appareil {dev} : autorisé hors de la commune de son serveur")
            return None
        if claims["dev"] != dev:
            self._findings.add("trust", f"appareil {dev} : l'autorisation est celle de {claims['dev']}")
            return None
        return claims

    def _read_admitted(self, connection: sa.Connection) -> None:
        for row in connection.execute(sa.select(admitted).order_by(admitted.c.dev)):
            claims = self._claims(row.dev, row.grant)
            if claims is not None:
                self._add(row.dev, claims)
                if orjson.dumps(claims).decode() != row.claims:
                    self._findings.add(
                        "trust", f"appareil {row.dev} : ses droits ne sont pas ceux de l'autorisation"
                    )

    def _read_devices(self, connection: sa.Connection) -> None:
        columns = (device.c.id, device.c.key, device.c.role, device.c.grant)
        for row in connection.execute(sa.select(*columns).order_by(device.c.id)):
            if row.id == self.dev or not row.key:
                continue
            if not row.grant:
                self._findings.add("trust", f"appareil {row.id} : aucune autorisation gardée")
                continue
            claims = self._claims(row.id, row.grant)
            if claims is None:
                continue
            first = self.devices.get(row.id)
            if first is not None and first.public is not None and first.public.jwk() != claims["key"]:
                self._findings.add(
                    "trust", f"appareil {row.id} : une autorisation lui donne une autre clé que la première"
                )
                continue
            self._add(row.id, claims)
            if _json(row.key) != claims["key"] or (row.role or "agent") != claims["role"]:
                self._findings.add("trust", f"appareil {row.id} : clé ou rôle autres que dans l'autorisation")

    def _add(self, dev: str, claims: dict[str, Any]) -> None:
        commune = _commune(map(str, claims.get("areas", [])), self._commune_of)
        self.devices[dev] = Device(PublicKey.from_jwk(claims["key"]), claims["role"], commune)
