"""What a revoked tablet took to the province itself and the commune brought down: it stands no more than what came
home."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from app.audit import verify
from app.errors import Problem
from app.keeping_safe.rebuild import rebuild
from app.ledger.bringing import bring_all
from app.ledger.revoking import release, revoke
from tests.ledger import state
from tests.ledger.pair import Two
from tests.nodes import Tablet, household_of

QUARTIER = "1017010"


def sealed_at_province(two: Two, tablet: Tablet, *operations: dict[str, Any]) -> tuple[bytes, str]:
    data, signature = tablet.seal(operations)
    two.province.door.accept(data, signature, grant=tablet.grant)
    return data, signature


def put_out(two: Two, tablet: Tablet) -> None:
    with two.commune.database.write() as connection:
        revoke(connection, two.commune.door, tablet.dev, after="none", reason="volée", by=tablet.agent)


def alike(two: Two) -> None:
    for found in (state.rows, state.conflicts, state.rollups):
        assert found(two.commune) == found(two.province)
    for node in (two.commune, two.province):
        report = verify(node.database, key=node.door.identity.key.public)
        assert report.ok, report.first_difference


@pytest.mark.parametrize("knew", [False, True], ids=["revoked afterwards", "revoked before"])
def test_what_was_brought_of_a_revoked_tablet_is_set_aside_when_its_batch_comes_home(
    two: Two, knew: bool
) -> None:
    tablet, honest = two.commune.tablet(QUARTIER), two.commune.tablet(QUARTIER)
    family = household_of(2)
    two.commune.push(honest, *family)
    two.exchange()
    stood = state.rows(two.commune)
    touched = {"kind": "person", "id": family[1]["id"], "set": {"nom": "Faux"}}
    direct = sealed_at_province(two, tablet, *household_of(1), touched)
    if knew:
        put_out(two, tablet)
    assert bring_all(two.commune.door, two.client).lines == 4
    if not knew:
        put_out(two, tablet)
    two.commune.door.accept(*direct)
    assert state.rows(two.commune) == stood
    two.exchange()
    assert state.rows(two.province) == stood
    alike(two)
    rebuild(two.commune.node, told=lambda done, total: None)
    alike(two)


def test_a_province_that_does_not_know_yet_brings_nothing_of_a_revoked_tablet_back(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    direct = sealed_at_province(two, tablet, *household_of(1))
    put_out(two, tablet)
    receipt = two.commune.door.accept(*direct)
    assert '"revoked"' in receipt.text
    bring_all(two.commune.door, two.client)
    assert state.rows(two.commune, "household") == {}
    two.exchange()
    alike(two)
    assert rebuild(two.commune.node, told=lambda done, total: None).differences == []
    sha256 = hashlib.sha256(direct[0]).hexdigest()
    with two.commune.database.write() as connection:
        release(connection, two.commune.door, tablet.dev, batches=[sha256], by=tablet.agent)
    two.exchange()
    alike(two)
    assert len(state.rows(two.province, "household")) == 1


def test_a_portal_on_the_way_is_no_province_that_has_everything(two: Two) -> None:
    two.commune.push(two.commune.tablet(QUARTIER), *household_of(1))

    def portal(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/bundles"):
            return httpx.Response(200, html="<html>Bienvenue sur notre Wi-Fi</html>")
        return two.wire.handle_request(request)

    with (
        httpx.Client(transport=httpx.MockTransport(portal)) as client,
        pytest.raises(Problem, match="upstream_unreachable"),
    ):
        two.relay(client)
