"""A commune speaking to its province: asking, opening a session, noticing that the province was restored. What is sent
and brought is the business of relay and bringing."""

from __future__ import annotations

from typing import Any

import httpx
import sqlalchemy as sa

from app.errors import problem
from app.ledger.door import Door
from app.ledger.node import read_standing
from app.ledger.tables import node, upstream_position
from sync.seal import BadSignature, check_grant, sign_compact

UPSTREAM_UNREACHABLE = problem(
    "upstream_unreachable", 503, "Province injoignable", "Rien n'est perdu : le serveur réessaiera tout seul."
)
UPSTREAM_REFUSED = problem(
    "upstream_refused",
    502,
    "La province a refusé",
    "Lisez le détail et prévenez l'administrateur de la province.",
)
NOT_THE_PROVINCE = problem(
    "not_the_province",
    502,
    "Ce serveur n'est pas la province attendue",
    "Vérifiez l'adresse et l'empreinte de la province.",
)


def ask(client: httpx.Client, method: str, *, url: str, **options: Any) -> httpx.Response:
    """One request; raises `upstream_unreachable`, or `upstream_refused` with the province's own code as `reason`."""
    try:
        response = client.request(method, url, **options)
    except httpx.HTTPError as error:
        raise UPSTREAM_UNREACHABLE(str(error) or type(error).__name__) from error
    if response.status_code >= 400:
        code = None
        try:
            said = response.json()
            code, detail = said["code"], f"{said['code']} : {said['detail']}"
        except (ValueError, KeyError, TypeError):
            detail = f"HTTP {response.status_code}"
        raise UPSTREAM_REFUSED(detail, reason=code)
    return response


def open_session(door: Door, client: httpx.Client) -> dict[str, str]:
    """The headers of a session of this server with the province; keeps the renewed grant where one is given."""
    url, identity = f"{door.standing.upstream_url}/sync/v1", door.identity
    hello = ask(client, "GET", url=f"{url}/hello").json()
    claims = {"dev": identity.dev, "aud": hello["node"], "nonce": hello["nonce"]}
    assertion = sign_compact(identity.key, claims, kid=identity.dev, typ="session")
    opened = ask(client, "POST", url=f"{url}/sessions", json={"assertion": assertion}).json()
    _keep_grant(door, opened.get("grant"))
    return {"Authorization": f"Bearer {opened['token']}"}


def _keep_grant(door: Door, grant: str | None) -> None:
    if not grant or grant == door.standing.grant or door.standing.province is None:
        return
    try:
        claims = check_grant(grant, door.standing.province)
    except BadSignature:
        return
    if claims["dev"] == door.identity.dev:
        with door.database.write() as connection:
            connection.execute(node.update().values(grant=grant))
        door.refresh()


def note_feed(connection: sa.Connection, feed: str) -> None:
    """Compare the province's feed with the one known: a restored province is sent everything and read from 0 again."""
    known = read_standing(connection).upstream_feed
    if known == feed:
        return
    connection.execute(node.update().values(upstream_feed=feed))
    if known is not None:
        note_restored(connection)


def note_restored(connection: sa.Connection) -> None:
    """The province was put back to an older state: it is sent everything, and read from 0 again."""
    connection.execute(node.update().values(resent_through=0, heard_sha256=None, heard_at=None))
    connection.execute(upstream_position.delete())
