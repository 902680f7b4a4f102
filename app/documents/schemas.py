"""What travels over REST about documents: orders, issues, deliveries, acts nobody fetched, public keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.civil.schemas import Entity, Short, Strict

ActDocument = Literal["full_copy", "extract"]
DocumentType = Literal["full_copy", "extract", "court_request", "receipt"]
MOST_AT_ONCE = 500
_ACT = "3f0c6f1e-0d5a-4a53-9f3b-6a2f1f1f9d11"
_DOCUMENT = "8e4b6f6a-31c5-4f0e-9a0b-5b8f3f4b2c77"

Purpose = Annotated[
    Short | None,
    Field(
        description="Pour quoi le document est demandé ; imprimé et inscrit.",
        examples=["inscription à l'école"],
    ),
]


class DocumentIn(Strict):
    """Délivrance d'un document tiré d'un acte."""

    type: ActDocument = Field(
        description="`full_copy` : copie intégrale ; `extract` : extrait.", examples=["extract"]
    )
    purpose: Purpose = None


class DocumentsIn(Strict):
    """Délivrance du même document pour beaucoup d'actes."""

    acts: Annotated[list[Entity], Field(min_length=1, max_length=MOST_AT_ONCE)] = Field(
        description="Identifiants des actes, 500 au plus, dans l'ordre d'impression.", examples=[[_ACT]]
    )
    type: ActDocument = Field(
        description="`full_copy` : copie intégrale ; `extract` : extrait.", examples=["extract"]
    )
    purpose: Purpose = None
    format: Literal["zip", "pdf"] = Field(
        "zip",
        description="`zip` : un PDF par acte ; `pdf` : un seul PDF, une page ou plus par acte.",
        examples=["zip"],
    )


class ReceiptIn(Strict):
    """Récépissé d'une déclaration."""

    purpose: Purpose = None


class CourtRequestIn(Strict):
    """Requête au tribunal pour une naissance hors délai."""

    court: Short | None = Field(
        None,
        description="Tribunal ; sinon celui du dossier, sinon une ligne à remplir.",
        examples=["Tribunal pour enfants de Kinshasa/Gombe"],
    )
    requester: Short | None = Field(
        None, description="Qui demande ; sinon le déclarant.", examples=["Kapinga Ngalula"]
    )
    purpose: Purpose = None


class DocumentOut(BaseModel):
    """Un document délivré, tel qu'il est inscrit."""

    id: str = Field(description="Identifiant du document.", examples=[_DOCUMENT])
    type: DocumentType = Field(description="Type de document.", examples=["extract"])
    act: str | None = Field(description="L'acte ; null pour un récépissé ou une requête.", examples=[_ACT])
    birth: str | None = Field(description="La déclaration.", examples=[_ACT])
    commune: str = Field(description="Code de la commune.", examples=["CD-KN-017"])
    office: str = Field(description="Bureau de l'état civil.", examples=["CD-KN-017-01"])
    year: int = Field(description="Année de la délivrance.", examples=[2026])
    number: int = Field(description="Numéro de délivrance dans le bureau et l'année.", examples=[12])
    issued_on: str = Field(description="Jour de la délivrance à Kinshasa.", examples=["2026-11-26"])
    issued_at: str = Field(
        description="Moment de la délivrance (UTC).", examples=["2026-11-26T09:14:03.000Z"]
    )
    issued_name: str = Field(description="Officier ou préposé qui l'a délivré.", examples=["Marie Mbuyi"])
    purpose: str | None = Field(description="Pour quoi il a été demandé.", examples=["inscription à l'école"])
    signed_code: str = Field(description="Texte signé du QR.", examples=["MBK1:6BF+70790…"])
    key_id: str = Field(description="Serveur dont la clé a signé (GET /v1/keys).", examples=[_DOCUMENT])
    template: str = Field(
        description="Jeu de modèles employé : `shipped-…` est celui d'origine.",
        examples=["shipped-09125742df7142d1"],
    )


class DeliveryIn(Strict):
    """Remise d'un document à quelqu'un."""

    to_name: Short = Field(description="À qui le document est remis.", examples=["Kapinga Ngalula"])
    to_relation: Short = Field(description="Son lien avec l'enfant, ou sa qualité.", examples=["mère"])
    identity: Short | None = Field(
        None, description="Pièce d'identité présentée.", examples=["carte d'électeur 1234567"]
    )


class DeliveryOut(BaseModel):
    """Un document remis : à qui, quand, à quel prix."""

    id: str = Field(description="Identifiant de la remise.", examples=[_DOCUMENT])
    document: str = Field(description="Le document.", examples=[_DOCUMENT])
    act: str = Field(description="L'acte.", examples=[_ACT])
    birth: str | None = Field(description="La déclaration.", examples=[_ACT])
    to_name: str = Field(description="À qui il a été remis.", examples=["Kapinga Ngalula"])
    to_relation: str = Field(description="Son lien avec l'enfant, ou sa qualité.", examples=["mère"])
    identity: str | None = Field(description="Pièce d'identité.", examples=["carte d'électeur 1234567"])
    delivered_on: str = Field(description="Jour de la remise à Kinshasa.", examples=["2026-11-26"])
    free: bool = Field(description="Gratuit.", examples=[True])
    fee: int | None = Field(description="Prix en francs congolais ; null si aucun n'est connu.", examples=[0])
    fee_rule: str = Field(
        description="La règle du prix et son article.",
        examples=["Naissance dans les délais : délivrance gratuite (art. 16 de la loi n° 09/001)."],
    )
    fee_status: str = Field(description="`unverified` : règle à confirmer.", examples=["unverified"])


class UndeliveredOut(BaseModel):
    """Un acte dressé que personne n'est venu chercher."""

    id: str = Field(description="Identifiant de l'acte.", examples=[_ACT])
    birth: str | None = Field(description="La déclaration.", examples=[_ACT])
    commune: str | None = Field(description="Code de la commune.", examples=["CD-KN-017"])
    office: str = Field(description="Bureau.", examples=["CD-KN-017-01"])
    year: int = Field(description="Année du registre.", examples=[2026])
    number: int = Field(description="Numéro de l'acte.", examples=[3])
    registered_on: str = Field(description="Jour de l'acte.", examples=["2026-02-02"])
    nom: str | None = Field(description="Nom de l'enfant.", examples=["Mbuyi"])
    postnom: str | None = Field(description="Post-nom de l'enfant.", examples=["Kalala"])
    prenom: str | None = Field(description="Prénom de l'enfant.", examples=["Grâce"])
    declarant_name: str | None = Field(description="Déclarant.", examples=["Kapinga Ngalula"])
    days: int = Field(description="Jours depuis l'acte.", examples=[31])


class PublicKeyOut(BaseModel):
    """Clé publique d'un serveur (JWK)."""

    kty: str = Field(description="Type de clé.", examples=["EC"])
    crv: str = Field(description="Courbe.", examples=["P-256"])
    x: str = Field(description="Abscisse.", examples=["f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"])
    y: str = Field(description="Ordonnée.", examples=["x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"])
    use: str = Field(description="Emploi.", examples=["sig"])
    alg: str = Field(description="Algorithme.", examples=["ES256"])
    kid: str = Field(description="Identifiant du serveur.", examples=[_DOCUMENT])
    commune: str | None = Field(
        description="Commune pour laquelle il signe ; null : la province.", examples=["CD-KN-017"]
    )
    name: str = Field(description="Nom de la commune.", examples=["Kintambo"])


class KeySet(BaseModel):
    """Jeu de clés publiques (JWK Set, RFC 7517)."""

    keys: list[PublicKeyOut] = Field(description="Les clés connues de ce serveur.")


class AnnulledOut(BaseModel):
    """Liste signée des actes annulés : des empreintes et des jours, rien d'autre."""

    list: str = Field(
        description="Texte JSON : `{node, at, acts: [{act, date}]}`, `act` étant l'empreinte de l'acte.",
        examples=['{"node":"…","at":"2026-11-26T09:14:03.000Z","acts":[]}'],
    )
    signature: str = Field(
        description="JWS détaché de ce serveur sur ce texte.", examples=["eyJhbGciOi…..MEUC"]
    )


class IssuedOut(BaseModel):
    """Ce qu'une demande a délivré : gardé sous son Idempotency-Key, pour imprimer la même chose à nouveau."""

    documents: list[str] = Field(description="Identifiants des documents.", examples=[[_DOCUMENT]])


def document_out(values: Any) -> DocumentOut:
    """A document's row as REST shows it."""
    return DocumentOut.model_validate({name: values[name] for name in DocumentOut.model_fields})
