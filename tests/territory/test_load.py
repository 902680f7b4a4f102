"""What `mboka init` puts into the territory tables."""

from __future__ import annotations

import sqlalchemy as sa

from app.database import Database
from app.territory import load
from app.territory.load import load_territory
from app.territory.places import Territory
from app.territory.tables import commune, office, quartier, quartier_alias, territory_version


def counts(database: Database) -> dict[str, int]:
    tables = (commune, quartier, quartier_alias, office, territory_version)
    with database.read() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in tables
        }


LOADED = {"commune": 24, "quartier": 379, "quartier_alias": 44, "office": 24, "territory_version": 1}


def test_the_whole_province_is_there_after_loading(database: Database) -> None:
    assert counts(database) == LOADED


def test_loading_twice_adds_nothing(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(territory_version))
        load_territory(connection)
    assert counts(database) == LOADED


def test_a_later_list_corrects_a_name_and_keeps_what_was_added_by_hand(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.update(commune).where(commune.c.code == "CD-KN-017").values(name="Kitambo"))
        connection.execute(
            sa.insert(office),
            [{"code": "CD-KN-017-02", "commune": "CD-KN-017", "name": "Bureau secondaire", "main": False}],
        )
        connection.execute(sa.update(territory_version).values(version="older"))
        load_territory(connection)
    with database.read() as connection:
        territory = Territory.read(connection)
    assert territory.commune_names["CD-KN-017"] == "Kintambo"
    assert territory.offices_of("CD-KN-017") == ("CD-KN-017-01", "CD-KN-017-02")
    assert territory.version == load.lists_version()


def test_every_commune_has_its_district_and_the_two_counted_ones_all_their_quartiers(
    database: Database, territory: Territory
) -> None:
    with database.read() as connection:
        districts = connection.execute(
            sa.select(commune.c.district, sa.func.count()).group_by(commune.c.district)
        ).all()
    assert {row[0]: row[1] for row in districts} == {"Lukunga": 7, "Mont-Amba": 5, "Funa": 7, "Tshangu": 5}
    assert len(territory.quartiers_of("CD-KN-008")) == 46
    assert len(territory.quartiers_of("CD-KN-017")) == 9


def test_an_alias_that_may_mean_two_quartiers_leads_to_none(database: Database) -> None:
    with database.read() as connection:
        unsure = connection.execute(
            sa.select(quartier_alias.c.alias).where(quartier_alias.c.quartier.is_(None))
        ).all()
    assert [row.alias for row in unsure] == ["Lisala"]
