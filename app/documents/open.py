"""What anybody may ask without a login: the public keys, the list of annulled acts, and whether a signed text is valid.
Answers nothing about a name or a number."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from app.access.guards import public
from app.civil.desk import Store, TheDoor
from app.documents import annulled, keys, pages, seal
from app.documents.schemas import AnnulledOut, KeySet
from app.documents.verifying import annulled_on, lines_of
from app.documents.visitors import Visitors

router = APIRouter(tags=["Vérification"], dependencies=[Depends(public())])
# Nothing of the text asked about is kept by whoever stands between: it holds a name.
_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}


def counted_visit(request: Request) -> None:
    """Count the visitor (a FastAPI dependency); raises `too_many_visits` (429)."""
    visitors: Visitors = request.app.state.visitors
    address = request.client.host if request.client is not None else ""
    visitors.take(address, request.app.state.clock.now())


@router.get(
    "/v1/keys",
    response_model=KeySet,
    summary="Les clés publiques des serveurs",
    dependencies=[Depends(counted_visit)],
)
def list_keys(store: Store, door: TheDoor) -> dict[str, Any]:
    """Pour vérifier sans connexion (`mboka verify-document --keys`) : aucune clé privée, aucune donnée de personne."""
    with store.read() as connection:
        return keys.key_set(connection, door)


@router.get(
    "/v1/annulled",
    response_model=AnnulledOut,
    summary="La liste signée des actes annulés",
    dependencies=[Depends(counted_visit)],
)
def list_annulled(store: Store, door: TheDoor) -> dict[str, str]:
    """Empreintes d'actes et jours, à télécharger pour `mboka verify-document --annulled`. Ni nom ni numéro."""
    with store.read() as connection:
        return annulled.signed_list(connection, door)


@router.get(
    "/verify",
    response_class=HTMLResponse,
    summary="Vérifier un document",
    dependencies=[Depends(counted_visit)],
)
def verify_page(
    store: Store,
    door: TheDoor,
    *,
    code: Annotated[
        str, Query(max_length=20_000, description="Texte signé du QR.", examples=["MBK1:6BF+70790…"])
    ] = "",
) -> HTMLResponse:
    """Page pour tout le monde : montre ce que le papier doit montrer, ou pourquoi le texte n'est pas valable."""
    demo = door.standing.demo
    if not code.strip():
        return HTMLResponse(pages.empty_page(demo=demo), headers=_PRIVATE)
    with store.read() as connection:
        signers = seal.read_keys(keys.key_set(connection, door))
        try:
            paper, signer = seal.verify(code, signers)
        except seal.NotValid as refusal:
            return HTMLResponse(pages.refused_page(str(refusal), demo=demo), headers=_PRIVATE)
        said = annulled_on(paper, annulled.annulled_acts(connection))
    return HTMLResponse(pages.valid_page(lines_of(paper, signer), annulled=said, demo=demo), headers=_PRIVATE)
