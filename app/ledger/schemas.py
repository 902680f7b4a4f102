"""Shapes of the sync calls and of the trays, as OpenAPI shows them (descriptions in French)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE_JWS = "eyJhbGciOiJFUzI1NiJ9.eyJjb2RlIjoiN0szTTlRVFgifQ.MEUCIQD…"
EXAMPLE_DEV = "7b0c5a52-8d0e-4c63-9a3b-0a2f5d1c9e44"


class Advice(BaseModel):
    """Tailles de lot conseillées par ce serveur."""

    batch_bytes: int = Field(description="Octets décodés par lot.", examples=[1048576])
    batch_operations: int = Field(description="Opérations par lot.", examples=[5000])


class Hello(BaseModel):
    """Qui est ce serveur, et un nonce pour ouvrir une session."""

    node: str = Field(description="Identifiant du nœud.", examples=[EXAMPLE_DEV])
    kind: str = Field(description="commune, province ou both.", examples=["commune"])
    name: str = Field(description="Nom lisible.", examples=["Kintambo"])
    time: str = Field(description="Heure du serveur (RFC 3339).", examples=["2026-11-22T08:14:03.000Z"])
    protocols: list[int] = Field(description="Versions du protocole.", examples=[[1]])
    feed: str = Field(description="Change quand le serveur a été restauré.")
    key: dict[str, str] = Field(description="Clé publique (JWK), à titre d'indice seulement.")
    node_cert: str | None = Field(description="Certificat de la province sur ce serveur (JWS).")
    nonce: str = Field(description="À signer dans l'assertion, une fois, dans les 5 minutes.")
    advice: Advice = Field(description="Tailles de lot conseillées.")
    demo: bool = Field(description="Vrai : DONNÉES FICTIVES, serveur de démonstration.")


class EnrolmentIn(BaseModel):
    """Demande d'enrôlement d'un appareil."""

    model_config = ConfigDict(extra="ignore")

    code: str = Field(max_length=32, description="Code d'invitation, 8 caractères.", examples=["7K3M9QTX"])
    public_key: dict[str, Any] = Field(
        description="Clé publique P-256 de l'appareil (JWK).",
        examples=[{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1B…", "y": "x_FEzRu9m36H…"}],
    )
    name: str = Field(max_length=200, description="Nom de l'appareil.", examples=["Tablette 12"])
    proof: str = Field(
        max_length=4096,
        description="JWS (typ enrol) de la nouvelle clé sur {code, node}.",
        examples=[EXAMPLE_JWS],
    )
    dev: str | None = Field(
        None,
        max_length=36,
        description="Identifiant d'un serveur qui rejoint la province.",
        examples=[EXAMPLE_DEV],
    )
    demo: bool = Field(False, description="Vrai pour un serveur de démonstration.", examples=[False])


class EnrolmentOut(BaseModel):
    """L'appareil enrôlé et son autorisation."""

    dev: str = Field(description="Identifiant de l'appareil.", examples=[EXAMPLE_DEV])
    agent: str = Field(description="Identifiant de l'agent.")
    role: str = Field(description="Rôle fixé dans l'autorisation.", examples=["agent"])
    areas: list[str] = Field(description="Zones.", examples=[["1017010"]])
    grant: str = Field(description="Autorisation (JWS du nœud).")
    node: str = Field(description="Nœud qui enrôle.")
    node_key: dict[str, str] = Field(description="Clé publique du nœud (JWK).")
    node_cert: str | None = Field(description="Certificat de la province sur le nœud (JWS).")
    own_node_cert: str | None = Field(None, description="Pour un serveur : son propre certificat.")


class SessionIn(BaseModel):
    """Ouverture de session d'un appareil."""

    assertion: str = Field(
        max_length=4096, description="JWS (typ session) sur {dev, aud, nonce}.", examples=[EXAMPLE_JWS]
    )


class SessionOut(BaseModel):
    """Jeton d'une session d'appareil."""

    token: str = Field(description="Jeton à envoyer en Authorization: Bearer.")
    expires_in: int = Field(description="Durée de vie en secondes.", examples=[43200])
    grant: str | None = Field(description="Autorisation, renouvelée si elle approche de sa fin.")


class Receipt(BaseModel):
    """Reçu d'un lot ; la signature est dans l'en-tête Receipt-Signature et porte sur ces octets exacts."""

    node: str = Field(description="Serveur qui donne le reçu.", examples=[EXAMPLE_DEV])
    dev: str = Field(description="Appareil qui a signé.", examples=[EXAMPLE_DEV])
    ep: int | None = Field(description="Époque ; null si l'en-tête est illisible.", examples=[3735928559])
    from_: int | None = Field(alias="from", description="Première opération.", examples=[1])
    to: int | None = Field(description="Dernière opération.", examples=[40])
    sha256: str = Field(description="SHA-256 des octets décodés du lot.")
    received_at: str = Field(description="Reçu le (UTC).", examples=["2026-11-22T08:14:03.000Z"])
    dispositions: dict[str, Any] = Field(
        description="Seulement les opérations qui ne sont pas simplement appliquées."
    )


class ConflictValue(BaseModel):
    """Une des valeurs en présence."""

    dot: str = Field(description="Opération qui l'a écrite.")
    value: Any = Field(description="La valeur.")
    by: str | None = Field(description="Auteur.")
    by_name: str | None = Field(None, description="Son nom, s'il a un compte ici.", examples=["Marie Mbuyi"])
    dev: str = Field(description="Appareil.")
    ev: str = Field(description="Preuve : act, document, declared ou estimated.", examples=["declared"])
    at: str | None = Field(description="Heure de l'appareil (témoignage).")
    received_at: str | None = Field(description="Reçu par ce serveur le.")


class Conflict(BaseModel):
    """Un registre d'une entité sur lequel plusieurs valeurs se contredisent."""

    kind: str = Field(description="Nature de la fiche.", examples=["person"])
    id: str = Field(description="Entité.", examples=[EXAMPLE_DEV])
    register_: str = Field(alias="register", description="Registre.", examples=["nom"])
    area: str = Field(description="Zone.", examples=["1017010"])
    weight: int = Field(description="1 : une personne doit décider ; 0 : une visite suivante peut clore.")
    opened_at: str = Field(description="Ouvert le.")
    values: list[ConflictValue] = Field(description="Les valeurs en présence.")


class DeviceOut(BaseModel):
    """Un appareil et ce que ce serveur a reçu de lui."""

    dev: str = Field(description="Identifiant de l'appareil.", examples=[EXAMPLE_DEV])
    name: str | None = Field(description="Nom de l'appareil.", examples=["Tablette 12"])
    agent: str | None = Field(description="Identifiant de l'agent.")
    role: str | None = Field(description="Rôle de l'autorisation.", examples=["agent"])
    areas: list[str] = Field(description="Zones de l'autorisation.", examples=[["1017010"]])
    expires: str | None = Field(description="Fin de l'autorisation (UTC).")
    last_contact: str | None = Field(description="Dernier lot ou dernière session.")
    operations: int = Field(description="Opérations reçues.", examples=[4021])
    settled: int = Field(description="Opérations dont la province a donné reçu.", examples=[4021])
    epochs: dict[str, Any] = Field(description="Par époque : reçu sans trou jusqu'à, et trous.")
    prev_gap: bool = Field(description="Un lot ne s'enchaîne pas au précédent.")
    forks: int = Field(description="Opérations dont deux versions sont arrivées (appareil cloné).")
    silent: bool = Field(description="Aucun contact depuis plus de 3 jours.")


class QuarantineOut(BaseModel):
    """Une ligne signée mise de côté : gardée, visible, non comptée."""

    id: int = Field(description="Numéro dans la liste.", examples=[12])
    dev: str = Field(description="Appareil qui a signé.", examples=[EXAMPLE_DEV])
    ep: int | None = Field(description="Époque ; null si l'en-tête est illisible.")
    n: int | None = Field(description="Numéro de l'opération ; null si l'en-tête est illisible.")
    reason: str = Field(description="Pourquoi, en un code stable.", examples=["duplicate_key"])
    sha256: str = Field(description="Lot qui la contient.")
    at: str = Field(description="Mise de côté le (UTC).")
    line: str = Field(description="La ligne telle que reçue (octets illisibles remplacés).")


class InvitationIn(BaseModel):
    """Invitation d'un appareil par un administrateur."""

    agent: str = Field(max_length=64, description="Nom d'utilisateur de l'agent.", examples=["agent1"])
    areas: list[str] = Field(
        min_length=1, max_length=400, description="Communes ou quartiers.", examples=[["1017010"]]
    )


class InvitationOut(BaseModel):
    """Contenu du code QR d'enrôlement."""

    url: str = Field(description="Adresse du serveur.", examples=["https://kintambo.example"])
    code: str = Field(description="Code d'invitation, montré une seule fois.", examples=["7K3M9QTX"])
    province: str = Field(description="Empreinte RFC 7638 de la clé de la province.")
    expires_at: str = Field(description="Fin de validité du code (UTC).")


class StatusOut(BaseModel):
    """État du nœud, en nombres."""

    node: str = Field(description="Identifiant du nœud.", examples=[EXAMPLE_DEV])
    kind: str = Field(description="commune, province ou both.", examples=["commune"])
    commune: str | None = Field(description="Commune du nœud.", examples=["CD-KN-017"])
    demo: bool = Field(description="Vrai : DONNÉES FICTIVES, serveur de démonstration.")
    schema_: str | None = Field(alias="schema", description="Version du schéma de la base.")
    batches: int = Field(description="Lots gardés.")
    operations: int = Field(description="Opérations gardées.")
    unsettled_batches: int = Field(description="Lots que la province n'a pas encore reçus.")
    unsettled_operations: int = Field(description="Opérations que la province n'a pas encore reçues.")
    own_unsettled_operations: int = Field(description="Dont écrites sur ce serveur : à sauvegarder.")
    devices: int = Field(description="Appareils connus.")
    conflicts: int = Field(description="Registres en conflit.")
    quarantined: int = Field(description="Lignes mises de côté.")
    waiting: int = Field(description="Opérations qui attendent ce qui les précède.")
    relayed_at: str | None = Field(description="Dernier échange avec la province (UTC).")
    catching_up: bool = Field(description="Vrai : serveur restauré, aucun acte avant le rattrapage.")
    rows: dict[str, int] = Field(description="Nombre de fiches par nature.")
