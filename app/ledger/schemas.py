"""Shapes of the sync calls and of the trays, as OpenAPI shows them (descriptions in French)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.ledger.values import readable

EXAMPLE_JWS = "eyJhbGciOiJFUzI1NiJ9.eyJjb2RlIjoiN0szTTlRVFgifQ.MEUCIQD…"
EXAMPLE_DEV = "7b0c5a52-8d0e-4c63-9a3b-0a2f5d1c9e44"
EXAMPLE_DOT = f"{EXAMPLE_DEV}:3735928559:17"


def _asked(text: str | None) -> str | None:
    return None if text is None else readable(text)


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
    holds: bool | None = Field(
        None, description="Le lot nommé par `heard` est tenu sous ce reçu ; sans `heard`, absent."
    )


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


class PackOut(BaseModel):
    """Un paquet : toutes les fiches d'une zone en un fichier."""

    area: str = Field(description="Zone.", examples=["1017010"])
    sha256: str = Field(description="SHA-256 du fichier : son nom, et de quoi le vérifier.")
    bytes: int = Field(description="Taille du fichier.", examples=[1048576])
    rows: int = Field(description="Nombre de fiches.", examples=[9361])
    after: int = Field(description="Position dans la zone : la suite se lit par `changes`.", examples=[412])
    feed: str = Field(description="Flux auquel appartient cette position.")
    made_at: str = Field(description="Fait le (UTC).", examples=["2026-11-22T08:14:03.000Z"])


class ConflictValue(BaseModel):
    """Une valeur écrite dans un registre."""

    dot: str = Field(description="Opération qui l'a écrite.", examples=[EXAMPLE_DOT])
    value: Any = Field(
        description="La valeur ; un objet pour les champs écrits ensemble.", examples=[{"nom": "MBUYI"}]
    )
    by: str | None = Field(description="Auteur.", examples=[EXAMPLE_DEV])
    by_name: str | None = Field(None, description="Son nom, s'il a un compte ici.", examples=["Marie Mbuyi"])
    dev: str = Field(description="Appareil.", examples=[EXAMPLE_DEV])
    dev_name: str | None = Field(None, description="Nom de l'appareil.", examples=["Tablette 12"])
    role: str = Field(description="Rôle de l'appareil.", examples=["agent"])
    ev: str = Field(description="Preuve : act, document, declared ou estimated.", examples=["declared"])
    at: str | None = Field(
        description="Heure de l'appareil (témoignage).", examples=["2026-11-22T09:14:03+01:00"]
    )
    received_at: str | None = Field(
        description="Reçu par ce serveur le.", examples=["2026-11-22T08:20:00.000Z"]
    )
    live: bool = Field(description="Cette valeur subsiste-t-elle ?", examples=[True])
    shown: bool = Field(description="Est-ce la valeur provisoire, celle qui est montrée ?", examples=[True])


class Question(BaseModel):
    """Une question posée à l'agent sur un conflit."""

    id: str = Field(description="Identifiant de la question.", examples=[EXAMPLE_DEV])
    text: str | None = Field(description="La question.", examples=["Avez-vous vu la carte d'électeur ?"])
    agent: str | None = Field(description="Agent interrogé.", examples=[EXAMPLE_DEV])
    agent_name: str | None = Field(None, description="Son nom.", examples=["Jean Ilunga"])
    device: str | None = Field(description="Sa tablette.", examples=[EXAMPLE_DEV])
    asked_by: str | None = Field(description="Qui demande.", examples=[EXAMPLE_DEV])
    asked_by_name: str | None = Field(None, description="Son nom.", examples=["Marie Mbuyi"])
    asked_on: str | None = Field(description="Demandé le.", examples=["2026-11-22"])
    stage: str = Field(description="open : sans réponse ; answered : répondu ou tranché.", examples=["open"])


class Conflict(BaseModel):
    """Un registre d'une entité sur lequel plusieurs valeurs se contredisent."""

    conflict: str = Field(description="Identifiant du conflit, pour le lire et le trancher.")
    kind: str = Field(description="Nature de la fiche.", examples=["person"])
    id: str = Field(description="Entité.", examples=[EXAMPLE_DEV])
    register_: str = Field(alias="register", description="Registre.", examples=["nom"])
    area: str = Field(description="Zone.", examples=["1017010"])
    weight: int = Field(
        description="1 : une personne doit décider ; 0 : une visite suivante peut clore.", examples=[1]
    )
    opened_at: str = Field(description="Ouvert le.", examples=["2026-11-22T08:20:00.000Z"])
    etag: str | None = Field(
        description="À renvoyer en If-Match pour trancher.", examples=['"5f2b6c3e9a7d4c10b8e6f0a1d2c3b4a5"']
    )
    values: list[ConflictValue] = Field(description="Les valeurs en présence.")
    questions: list[Question] = Field(description="Les questions posées aux agents.")


class ConflictFile(Conflict):
    """Un conflit et toute l'histoire de son registre."""

    history: list[ConflictValue] = Field(
        description="Toutes les valeurs jamais écrites, dans l'ordre d'arrivée."
    )


class ResolutionIn(BaseModel):
    """Une réponse et une seule : `choose`, `value` ou `ask`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"choose": EXAMPLE_DOT},
                {"value": {"birth_date": "1987-05-03"}, "evidence": "document"},
                {"ask": "Avez-vous vu la carte d'électeur ?"},
            ]
        },
    )

    choose: Annotated[
        str | None,
        Field(max_length=80, description="Garder cette valeur (son `dot`).", examples=[EXAMPLE_DOT]),
    ] = None
    value: Any = Field(
        None,
        description="Une autre valeur ; un objet pour les champs écrits ensemble, null efface.",
        examples=[{"birth_date": "1987-05-03"}],
    )
    ask: Annotated[
        str | None,
        Field(
            max_length=500,
            description="Une question à l'agent ; le conflit reste ouvert.",
            examples=["Avez-vous vu la carte d'électeur ?"],
        ),
        AfterValidator(_asked),
    ] = None
    evidence: Literal["document", "declared", "estimated"] = Field(
        "declared", description="Sur quoi repose `value`.", examples=["document"]
    )

    @model_validator(mode="after")
    def _one_answer(self) -> ResolutionIn:
        given = {"choose", "value", "ask"} & self.model_fields_set
        if len(given) != 1 or (given.isdisjoint({"value"}) and self.choose is None and self.ask is None):
            raise ValueError("Donnez une réponse et une seule : choose, value ou ask.")
        return self


class Resolved(BaseModel):
    """Ce que la fiche montre après la décision."""

    conflict: str = Field(description="Identifiant du conflit.")
    kind: str = Field(description="Nature de la fiche.", examples=["person"])
    id: str = Field(description="Entité.", examples=[EXAMPLE_DEV])
    register_: str = Field(alias="register", description="Registre.", examples=["birth_date"])
    settled: bool = Field(description="Le conflit est-il clos ?", examples=[True])
    value: Any = Field(description="La valeur montrée.", examples=[{"birth_date": "1987-05-03"}])
    ev: str | None = Field(description="Sa preuve.", examples=["document"])
    etag: str = Field(description="ETag de la fiche.", examples=['"5f2b6c3e9a7d4c10b8e6f0a1d2c3b4a5"'])
    questions: list[Question] = Field(description="Les questions posées aux agents.")


class DeviceOut(BaseModel):
    """Un appareil et ce que ce serveur a reçu de lui."""

    dev: str = Field(description="Identifiant de l'appareil.", examples=[EXAMPLE_DEV])
    name: str | None = Field(description="Nom de l'appareil.", examples=["Tablette 12"])
    agent: str | None = Field(description="Identifiant de l'agent.", examples=[EXAMPLE_DEV])
    agent_name: str | None = Field(description="Son nom, s'il a un compte ici.", examples=["Jean Ilunga"])
    role: str | None = Field(description="Rôle de l'autorisation ; node : serveur.", examples=["agent"])
    areas: list[str] = Field(description="Zones de l'autorisation.", examples=[["1017010"]])
    expires: str | None = Field(
        description="Fin de l'autorisation (UTC).", examples=["2027-11-22T08:20:00.000Z"]
    )
    last_contact: str | None = Field(
        description="Dernier lot ou dernière session ; d'un serveur, aussi celui des appareils qu'il a enrôlés.",
        examples=["2026-11-22T08:20:00.000Z"],
    )
    operations: int = Field(description="Opérations reçues.", examples=[4021])
    settled: int = Field(description="Opérations dont la province a donné reçu.", examples=[4021])
    unsettled_since: str | None = Field(
        description="Arrivée du plus ancien lot que la province n'a pas encore reçu.",
        examples=["2026-11-20T08:20:00.000Z"],
    )
    unsettled_days: int | None = Field(description="Son âge en jours.", examples=[2])
    epochs: dict[str, Any] = Field(description="Par époque : reçu sans trou jusqu'à, et trous.")
    prev_gap: bool = Field(description="Un lot ne s'enchaîne pas au précédent.")
    forks: int = Field(
        description="Opérations dont deux versions sont arrivées (appareil cloné).", examples=[0]
    )
    clock_offset: float | None = Field(
        description="Secondes d'avance de son horloge sur la nôtre, dites à sa dernière session ; null : inconnu.",
        examples=[-3605.2],
    )
    silent: bool = Field(description="Aucun contact depuis plus de 3 jours.")
    revoked: bool = Field(description="L'appareil est révoqué : il ne reçoit plus rien.")
    set_aside: int = Field(description="Opérations mises de côté par la révocation.", examples=[0])
    outside_areas: int = Field(description="Opérations sur des fiches hors de ses zones.", examples=[0])
    other_author: int = Field(description="Opérations au nom d'une autre personne que l'agent.", examples=[0])
    trouble: bool = Field(
        description="À voir : trous, chaîne rompue, versions doubles, lot non reçu par la province depuis 14 jours, ou "
        "horloge fausse d'une heure et plus."
    )


class Sender(BaseModel):
    """L'appareil derrière une ligne."""

    dev: str = Field(description="Appareil qui a signé.", examples=[EXAMPLE_DEV])
    dev_name: str | None = Field(None, description="Nom de l'appareil.", examples=["Tablette 12"])
    agent: str | None = Field(None, description="Agent de son autorisation.", examples=[EXAMPLE_DEV])
    agent_name: str | None = Field(
        None, description="Son nom, s'il a un compte ici.", examples=["Jean Ilunga"]
    )


class QuarantineOut(Sender):
    """Une ligne signée mise de côté : gardée, visible, non comptée."""

    id: int = Field(description="Numéro dans la liste.", examples=[12])
    ep: int | None = Field(description="Époque ; null si l'en-tête est illisible.", examples=[3735928559])
    n: int | None = Field(
        description="Numéro de l'opération ; null si l'en-tête est illisible.", examples=[17]
    )
    area: str | None = Field(description="Zone de l'appareil.", examples=["commune:CD-KN-017"])
    reason: str = Field(description="Pourquoi, en un code stable.", examples=["duplicate_key"])
    reason_text: str = Field(description="Pourquoi, en clair.", examples=["Une même clé figure deux fois."])
    sha256: str = Field(description="Lot qui la contient.")
    at: str = Field(description="Mise de côté le (UTC).", examples=["2026-11-22T08:20:00.000Z"])
    line: str | None = Field(description="La ligne telle que reçue, si c'est du texte UTF-8.", examples=["{"])
    line_base64: str | None = Field(description="Sinon ses octets, en base64.", examples=["//4="])
    bytes_: int = Field(alias="bytes", description="Sa longueur en octets.", examples=[1])
    cut: bool = Field(description="Coupée à 4 096 octets : GET /v1/quarantine/{id} la donne entière.")


class DoubtfulField(BaseModel):
    """Un champ dont la valeur est gardée sans être crue."""

    field: str = Field(description="Champ.", examples=["sex"])
    value: Any = Field(description="La valeur telle qu'écrite.", examples=["X"])
    expected: str = Field(
        description="Ce qui est attendu.", examples=["Une de ces valeurs est attendue : F, M."]
    )


class DoubtfulOut(BaseModel):
    """Une fiche avec des valeurs douteuses : gardées telles qu'écrites, comptées comme inconnues."""

    kind: str = Field(description="Nature de la fiche.", examples=["person"])
    id: str = Field(description="Entité.", examples=[EXAMPLE_DEV])
    area: str = Field(description="Zone.", examples=["1017010"])
    fields: list[DoubtfulField] = Field(description="Les champs douteux.")


class DeferredOut(Sender):
    """Une opération arrivée avant ce à quoi elle se réfère : prise en compte, notée ici jusqu'à ce que cela vienne."""

    kind: str = Field(description="Nature de la fiche.", examples=["person"])
    id: str = Field(description="Entité.", examples=[EXAMPLE_DEV])
    area: str | None = Field(description="Zone.", examples=["1017010"])
    dot: str = Field(description="Opération qui attend.", examples=[EXAMPLE_DOT])
    awaited: str | None = Field(
        description="Opération attendue ; null : la première écriture de la fiche.", examples=[EXAMPLE_DOT]
    )
    since: str = Field(description="Depuis (UTC).", examples=["2026-11-22T08:20:00.000Z"])


class RevocationIn(BaseModel):
    """Révocation d'un appareil."""

    after: str = Field(
        pattern="^(none|[0-9a-f]{64})$",
        description="SHA-256 du dernier lot qui tient ; none : aucun.",
        examples=["none"],
    )
    reason: str = Field(min_length=1, max_length=500, description="Pourquoi.", examples=["Tablette volée"])


class ReleaseIn(BaseModel):
    """Lots repris malgré une révocation."""

    batches: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        min_length=1, max_length=5000, description="SHA-256 des lots.", examples=[["e3" * 32]]
    )


class EffectOut(BaseModel):
    """Ce qui tient de l'appareil, et ce qui est mis de côté."""

    standing: int = Field(description="Lots qui tiennent.", examples=[12])
    set_aside: int = Field(description="Lots mis de côté.", examples=[3])
    operations: int = Field(description="Opérations de ces lots.", examples=[140])


class AreasIn(BaseModel):
    """Nouvelles zones d'un appareil."""

    areas: list[str] = Field(
        min_length=1, max_length=400, description="Communes ou quartiers.", examples=[["1017010"]]
    )


class AreasOut(AreasIn):
    """Les zones accordées et l'autorisation qui les porte."""

    dev: str = Field(description="Identifiant de l'appareil.", examples=[EXAMPLE_DEV])
    grant: str = Field(description="Nouvelle autorisation (JWS du nœud).")


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
    clock_unsure: bool = Field(
        description="L'horloge a sauté de plus d'un jour sans être confirmée : les autorisations valent toutes."
    )
    rows: dict[str, int] = Field(description="Nombre de fiches par nature.")
