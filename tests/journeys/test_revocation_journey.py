"""A stolen tablet: what came after its last honest batch is set aside, it reads nothing more and loses nothing it
wrote, and what turns out to be good comes back. Over HTTP and the command line, on both engines."""

from __future__ import annotations

import pytest

from .acts import Desk
from .client import Refused, Sealed, Tablet
from .families import family, household_fields, known_family
from .nodes import World
from .rows import Entity
from .signatures import JSON


def revoke(world: World, tablet: Tablet, *, after: Sealed) -> None:
    told = ("--after", after.sha256, "--reason", "tablette volée")
    world.commune.run("device", "revoke", tablet.dev, *told)


def is_told_to_stop(tablet: Tablet) -> None:
    """Reading is refused, with a session opened before as with a new one; the rows go, the work stays."""
    written = list(tablet.written), list(tablet.sealed)
    for read in (tablet.pull, tablet.login):
        with pytest.raises(Refused) as refused:
            read()
        assert (refused.value.status, refused.value.code) == (403, "revoked")
    tablet.drop_rows()
    assert (tablet.written, tablet.sealed) == written


def shown(world: World, people: list[Entity]) -> list[bool]:
    listed = Desk(world.witness()).listed("person")
    return [person in listed for person in people]


def set_aside(tablet: Tablet, batch: Sealed) -> None:
    """The batch gets its receipt like any other; every line of it is said to be set aside."""
    aside: JSON = {"status": "quarantined", "reason": "revoked"}
    assert tablet.push(batch).dispositions == dict.fromkeys(range(batch.first, batch.last + 1), aside)


def test_what_a_revoked_tablet_wrote_later_is_set_aside_everywhere_and_comes_back_when_released(
    world: World,
) -> None:
    tablet, people = world.tablet(), list[Entity]()
    batches = []
    for _ in range(3):
        people.append(family(tablet)[1])
        batches.append(tablet.seal())
    for batch in batches[:2]:
        assert tablet.push(batch).dispositions == {}
    world.relay()
    assert shown(world, people) == [True, True, False]

    revoke(world, tablet, after=batches[0])
    assert shown(world, people) == [True, False, False]
    is_told_to_stop(tablet)
    set_aside(tablet, batches[2])
    assert shown(world, people) == [True, False, False]
    world.relay()
    lines = world.read(world.province, "division", path=f"/v1/quarantine?reason=revoked&dev={tablet.dev}")
    assert len(lines["items"]) == 4
    path = f"/v1/persons/{people[1][1]}"
    assert world.ask(world.province, "division", path=path).status_code == 404
    assert world.read(world.province, "division", path=f"/v1/persons/{people[0][1]}")["nom"] == "Mbuyi"

    world.commune.run("device", "release", tablet.dev, "--batch", batches[2].sha256)
    assert shown(world, people) == [True, False, True]
    world.commune.run("device", "release", tablet.dev, "--batch", batches[1].sha256)
    assert shown(world, people) == [True, True, True]
    world.relay()
    assert world.read(world.province, "division", path=path)["nom"] == "Mbuyi"


def test_what_others_wrote_about_the_same_person_stands_without_the_revoked_tablets_words(
    world: World,
) -> None:
    honest, thief = world.witness(), world.tablet()
    person = known_family(honest)
    thief.pull()
    thief.create("household", household_fields())
    last_good = thief.seal()
    thief.push(last_good)
    thief.edit(person, {"phone": "+243860000009", "status": "dead"})
    thief.push(thief.seal())
    honest.edit(person, {"phone": "+243860000001"})
    assert "phone" in honest.push(honest.seal()).dispositions[honest.n]["fields"]

    revoke(world, thief, after=last_good)
    row = world.witness().rows.rows[person]
    assert (row["set"]["phone"], row["set"]["status"]) == ("+243860000001", "present")
    assert "conflict" not in row
