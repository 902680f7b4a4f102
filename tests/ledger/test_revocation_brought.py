"""What a revoked tablet took to the province itself and the commune brought down: it stands no more than what came
home."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.audit import verify
from app.errors import Problem
from app.keeping_safe.rebuild import rebuild
from app.ledger.bringing import bring_all
from app.ledger.revoking import release, revoke
from app.ledger.standing import devices
from app.ledger.tables import brought_batch, quarantine
from tests.ledger import state
from tests.ledger.pair import Two
from tests.nodes import Tablet, TestNode, household_of

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


def gone_from(two: Two, node: TestNode, **kinds: int) -> None:
    """So many rows of each kind are left, province and commune agree, and so does what a rebuild makes of it."""
    alike(two)
    for kind, count in kinds.items():
        assert len(state.rows(node, kind)) == count, kind
    aside = set_aside(node)
    rebuild(node.node, told=lambda done, total: None)
    assert set_aside(node) == aside
    alike(two)


def set_aside(node: TestNode) -> int:
    count = sa.select(sa.func.count()).select_from(quarantine).where(quarantine.c.reason == "revoked")
    with node.database.read() as connection:
        return int(connection.execute(count).scalar_one())


def test_what_was_brought_of_a_tablet_revoked_afterwards_stands_no_more_though_its_batch_never_comes_home(
    two: Two,
) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    data, _ = sealed_at_province(two, tablet, *household_of(2))
    assert bring_all(two.commune.door, two.client).lines == 4
    put_out(two, tablet)
    assert len(state.rows(two.commune, "person")) == 2, "nobody has told the commune of this batch yet"
    two.exchange()
    gone_from(two, two.commune, household=0, person=0)
    assert set_aside(two.commune) == 4
    sha256 = hashlib.sha256(data).hexdigest()
    with two.commune.database.write() as connection:
        release(connection, two.commune.door, tablet.dev, batches=[sha256], by=tablet.agent)
    assert set_aside(two.commune) == 0
    two.exchange()
    gone_from(two, two.commune, household=1, person=2)


def test_a_batch_told_of_and_left_out_changes_nothing_when_it_comes_home_at_last(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    elsewhere = {"kind": "household", "id": str(uuid.uuid4()), "new": True, "set": {"quartier": "1008010"}}
    direct = sealed_at_province(two, tablet, *household_of(1), elsewhere)
    bring_all(two.commune.door, two.client)
    put_out(two, tablet)
    two.exchange()
    before = state.rows(two.commune)
    assert set_aside(two.commune) == 3, "the family of the other commune was never brought"
    receipt = two.commune.door.accept(*direct)
    assert receipt.text.count('"revoked"') == 4
    assert (state.rows(two.commune), set_aside(two.commune)) == (before, 4)
    two.exchange()
    gone_from(two, two.commune, household=0, person=0)


def test_what_a_revoked_tablet_told_before_stands_where_only_the_province_holds_a_batch_in_between(
    two: Two,
) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.commune.push(tablet, *household_of(1))
    two.exchange()
    sealed_at_province(two, tablet, *household_of(2))
    two.commune.push(tablet, *household_of(3))
    last = tablet.prev
    assert last is not None
    two.commune.push(tablet, *household_of(4))
    with two.commune.database.write() as connection:
        revoke(connection, two.commune.door, tablet.dev, after=last, reason="volée", by=tablet.agent)
    two.exchange()
    two.exchange()
    gone_from(two, two.commune, household=3, person=6)


def test_a_link_of_the_chain_that_reaches_the_province_late_is_told_to_the_commune(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.commune.push(tablet, *household_of(1))
    late = tablet.seal([{"kind": "clock", "id": str(uuid.uuid4()), "new": True, "set": {}}])
    two.commune.push(tablet, *household_of(3))
    with two.commune.database.write() as connection:
        revoke(
            connection,
            two.commune.door,
            tablet.dev,
            after=tablet.prev or "",
            reason="perdue",
            by=tablet.agent,
        )
    two.exchange()
    gone_from(two, two.commune, household=1, person=3)
    two.province.door.accept(*late, grant=tablet.grant)
    two.exchange()
    gone_from(two, two.commune, household=2, person=4)


def test_what_another_communes_tablet_wrote_about_our_families_falls_with_it(
    two: Two, tmp_path: Path
) -> None:
    other = two.new_commune(tmp_path, code="CD-KN-008")
    two.join(other, area="CD-KN-008")
    honest, thief = two.commune.tablet(QUARTIER), other.tablet("1008010")
    family = household_of(1)
    two.commune.push(honest, *family)
    two.exchange()
    touched = {"kind": "person", "id": family[1]["id"], "set": {"nom": "Faux"}}
    other.push(thief, *household_of(2), touched)
    two.exchange(other)
    two.exchange()
    assert len(state.rows(two.commune, "household")) == 2, "it wrote a family into our quartier"
    with other.database.write() as connection:
        revoke(connection, other.door, thief.dev, after="none", reason="volée", by=thief.agent)
    two.exchange(other)
    two.exchange()
    gone_from(two, two.commune, household=1, person=1)
    assert set_aside(two.commune) == 5
    with two.commune.database.read() as connection:
        listed = devices(connection, door=two.commune.door, now=two.clock.now())
    assert thief.dev not in {each["dev"] for each in listed}, (
        "who lost a tablet elsewhere is not for this list"
    )
    assert honest.dev in {each["dev"] for each in listed}


def test_an_audit_sees_a_batch_the_province_never_named_and_one_that_is_left_out_no_more(two: Two) -> None:
    tablet = two.commune.tablet(QUARTIER)
    two.exchange()
    sealed_at_province(two, tablet, *household_of(2))
    bring_all(two.commune.door, two.client)
    put_out(two, tablet)
    two.exchange()
    alike(two)
    for change, named in (
        ({"unfolded": None}, "devrait être écarté"),
        ({"unfolded": True, "prev": "0" * 64}, "n'est pas dans la réponse signée"),
    ):
        with two.commune.database.write() as connection:
            connection.execute(brought_batch.update().values(change))
        report = verify(two.commune.database, key=two.commune.door.identity.key.public)
        assert not report.ok
        assert named in str(report.first_difference)
