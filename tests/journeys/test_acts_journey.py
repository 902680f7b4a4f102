"""What clerks and agents do to whole families and to contradictions, over HTTP, on both engines: annul, take back,
merge in a circle, settle; and what every tablet and the province show of it."""

from __future__ import annotations

from .acts import Desk
from .client import Tablet
from .families import MBUYI, family, household_fields, known_family
from .nodes import ITIMBIRI, SALONGO, World
from .rows import Entity
from .signatures import JSON


def clerk(world: World, area: str = ITIMBIRI) -> Desk:
    """The clerk's tablet, with everything of the area pulled."""
    return Desk(world.witness(area, officer="commis"))


def send(tablet: Tablet) -> dict[int, JSON]:
    """Push what is written and pull; what was said of it."""
    said = tablet.push(tablet.seal()).dispositions
    tablet.pull()
    return said


def two_names(world: World) -> tuple[Entity, list[str]]:
    """A woman two agents wrote down under two names without seeing each other: (she, the dots of both)."""
    here = world.tablet()
    person = known_family(here)
    there = world.witness()
    names = [{"nom": nom, "postnom": "Kalala", "prenom": "Béatrice"} for nom in ("Mbuya", "Mbuji")]
    dots = [tablet.edit(person, fields).dot for tablet, fields in zip((here, there), names, strict=True)]
    assert send(here) == {}
    assert send(there)[there.n] == {"status": "conflict", "fields": ["nom"]}
    return person, dots


# Annulling


def test_an_annulled_person_is_gone_everywhere_until_the_clerk_takes_it_back(world: World) -> None:
    agent, desk = world.witness(), clerk(world)
    person = known_family(agent)
    desk.tablet.pull()
    void = desk.void(person)
    assert desk.is_hidden(person), "the clerk sees it at once, before anything is sent"
    assert send(desk.tablet) == {}
    agent.pull()
    assert agent.rows.rows[person]["void"] is True
    assert person not in Desk(agent).listed("person")

    desk.restore(person, [void.written.dot])
    assert send(desk.tablet) == {}
    agent.pull()
    assert person in Desk(agent).listed("person")
    assert agent.rows.rows[person]["set"]["nom"] == MBUYI["nom"]


def test_what_an_agent_wrote_unseen_shows_an_annulled_person_again_as_a_case(world: World) -> None:
    agent, desk = world.witness(), clerk(world)
    person = known_family(agent)
    desk.tablet.pull()
    void = desk.void(person)
    agent.edit(person, {"occupation": "couturière"})
    assert send(desk.tablet) == {}
    send(agent)
    assert Desk(agent).cases(person, "void") == {void.written.dot: True}
    assert agent.rows.rows[person]["set"]["occupation"] == "couturière"
    assert world.case(world.commune, "commis", about=person, register="void") is not None

    desk.tablet.pull()
    desk.restore(person, [*desk.cases(person, "void")])
    assert send(desk.tablet) == {}
    assert Desk(world.witness()).cases(person, "void") == {}
    assert world.case(world.commune, "commis", about=person, register="void") is None


def test_an_agent_annuls_his_own_work_and_only_asks_about_anothers(world: World) -> None:
    here, there = Desk(world.tablet()), Desk(world.witness())
    person = known_family(here.tablet)
    there.tablet.pull()
    asked = there.void(person)
    assert send(there.tablet)[there.tablet.n] == {"status": "conflict", "fields": ["void"]}
    here.tablet.pull()
    assert here.cases(person, "void") == {asked.written.dot: True}
    assert person in here.listed("person")
    here.void(person)
    assert send(here.tablet) == {}
    assert here.is_hidden(person)
    assert person not in Desk(world.witness()).listed("person")


# Merging


def test_one_household_written_down_twice_is_merged_edited_under_the_losing_id_and_parted_again(
    world: World,
) -> None:
    here, there, desk = world.tablet(), world.witness(), clerk(world)
    (first, one), (second, two) = family(here), family(there)
    for tablet in (here, there):
        assert send(tablet) == {}
    desk.tablet.pull()
    answer = {**household_fields(), "avenue": "Bangala", "number": "12 bis"}
    merge = desk.merge(first, second, answers=answer)
    assert desk.shown_under(first) == second
    here.edit(first, {"card": "K-12"})
    assert send(desk.tablet) == {}
    assert here.push(here.seal()).dispositions == {}

    seen = Desk(world.witness())
    assert (seen.shown_under(first), seen.shown_under(second)) == (second, second)
    row = seen.tablet.rows.rows
    assert row[first]["set"] == {}
    assert {**answer, "tenure": "owner", "card": "K-12"}.items() <= row[second]["set"].items()
    assert "conflict" not in row[second]
    assert {row[member]["set"]["household"] for member in (one, two)} == {first[1], second[1]}
    assert not {first} & seen.listed("household")
    world.relay()
    shown = world.read(world.province, "division", path=f"/v1/households/{second[1]}")
    assert shown["number"] == "12 bis"

    desk.unmerge(first, [merge.written.dot])
    assert send(desk.tablet) == {}
    seen = Desk(world.witness())
    assert {first, second} <= seen.listed("household")
    row = seen.tablet.rows.rows
    assert {**household_fields(), "card": "K-12"}.items() <= row[first]["set"].items()
    assert household_fields().items() <= row[second]["set"].items()
    assert "card" not in row[second]["set"]


def test_two_clerks_who_merge_in_a_circle_are_listed_until_one_takes_it_back(world: World) -> None:
    agent = world.witness(SALONGO)
    low, high = sorted(family(agent, SALONGO)[1] for _ in range(2))
    assert send(agent) == {}
    mine, other = clerk(world, SALONGO), Desk(world.tablet(SALONGO, officer="commis"))
    other.tablet.pull()
    one, two = mine.merge(low, high), other.merge(high, low)
    assert (mine.shown_under(low), other.shown_under(high)) == (high, low)
    assert send(mine.tablet) == {}
    assert send(other.tablet)[other.tablet.n] == {"status": "conflict", "fields": ["merged_into"]}

    everything = {one.written.dot: high[1], two.written.dot: low[1]}
    agent.pull()
    mine.tablet.pull()
    world.relay()
    for seen in (mine, other, Desk(agent)):
        assert (seen.shown_under(low), seen.shown_under(high)) == (low, low)
        assert seen.cases(low, "merged_into") == everything
        assert seen.listed("person") & {low, high} == {low}
    for server, officer in ((world.commune, "commis"), (world.province, "division")):
        case = world.case(server, officer, about=low, register="merged_into")
        assert case is not None
        assert {each["dot"]: each["value"] for each in case["values"]} == everything
        assert world.case(server, officer, about=high, register="merged_into") is None

    mine.unmerge(low, [one.written.dot])
    assert send(mine.tablet) == {}
    agent.pull()
    for seen in (mine, Desk(agent)):
        assert (seen.shown_under(high), seen.cases(low, "merged_into")) == (low, {})
    assert world.case(world.commune, "commis", about=low, register="merged_into") is None

    other.tablet.pull()
    other.unmerge(high, [two.written.dot])
    assert send(other.tablet) == {}
    agent.pull()
    assert {low, high} <= Desk(agent).listed("person")
    assert agent.rows.rows[high]["set"]["nom"] == MBUYI["nom"]


# Settling


def test_a_clerk_settles_a_name_at_the_desk_and_the_tablets_and_the_province_show_it(world: World) -> None:
    person, dots = two_names(world)
    world.relay()
    assert world.case(world.province, "division", about=person, register="nom") is not None
    case = world.case(world.commune, "commis", about=person, register="nom")
    assert case is not None
    assert {each["dot"] for each in case["values"]} == set(dots)

    path = f"/v1/conflicts/{case['conflict']}/resolution"
    stale = world.ask(world.commune, "commis", path=path, body={"choose": dots[1]}, etag='"0"')
    assert stale.status_code == 412
    answer = world.ask(world.commune, "commis", path=path, body={"choose": dots[1]}, etag=case["etag"])
    assert (answer.status_code, answer.json()["settled"]) == (200, True), answer.text
    again = world.ask(world.commune, "commis", path=path, body={"choose": dots[0]}, etag=case["etag"])
    assert (again.status_code, again.json()["code"]) == (404, "conflict_not_found")

    row = world.witness().rows.rows[person]
    assert (row["set"]["nom"], "conflict" in row) == ("Mbuji", False)
    assert row["dots"].keys() - {row["dot"]}, "the decision has a dot of its own"
    world.relay()
    assert world.case(world.province, "division", about=person, register="nom") is None
    shown = world.read(world.province, "division", path=f"/v1/persons/{person[1]}")
    assert shown["nom"] == "Mbuji"


def test_a_clerk_settles_a_name_on_his_tablet_and_an_agent_cannot(world: World) -> None:
    person, _ = two_names(world)
    agent, desk = Desk(world.witness()), clerk(world)
    named = {"nom": "Mbuyi", "postnom": "Kalala", "prenom": "Béatrice"}
    agent.resolve(person, named)
    said = agent.tablet.push(agent.tablet.seal()).dispositions[agent.tablet.n]
    assert said == {"status": "quarantined", "reason": "beyond_role"}
    desk.resolve(person, named)
    assert send(desk.tablet) == {}
    row = world.witness().rows.rows[person]
    assert (row["set"]["nom"], "conflict" in row) == ("Mbuyi", False)
    assert world.case(world.commune, "commis", about=person, register="nom") is None
