"""The promises of the API's description, and what is said once for every table."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from app.access.guards import classification
from app.statistics.endpoints import router
from app.statistics.schemas import BirthsOut, CensusOut, FiguresOut, PopulationOut
from tests.statistics.conftest import KINTAMBO, Ask, Register, act, household, person, visit

TABLES: list[tuple[str, type[FiguresOut]]] = [
    ("births?by=commune,year,month,delay,quartier,sex,mode", BirthsOut),
    ("births?by=commune&from=2000&to=2020", BirthsOut),
    ("population?by=commune,quartier,sex,age_group", PopulationOut),
    ("population?by=nationality_group", PopulationOut),
    ("census?by=commune,quartier", CensusOut),
]


@pytest.mark.parametrize(("path", "model"), TABLES)
def test_every_table_is_what_the_description_promises(
    ask: Ask, register: Register, path: str, model: type[FiguresOut]
) -> None:
    for times in (2, 20):
        register.add(act(KINTAMBO, year=2011, sex="F"), person(), household(), visit("refused"), times=times)
        register.add(act(KINTAMBO), person("commune:?", nationality="AO", birth_date="1990"), times=times)
    register.receive("2026-01-05T10:00:00.000Z")
    body = ask(path).json()
    model.model_validate(body, strict=True)
    assert body["rows"]
    assert body["cutoff"] == "2026-01-05T10:00:00.000Z"
    assert body["definition"].endswith(".")
    assert body["territory"] == register.territory.version


def test_the_description_has_both_forms_in_french_with_examples() -> None:
    application = FastAPI()
    application.include_router(router)
    paths = application.openapi()["paths"]
    assert set(paths) == {f"/v1/statistics/{name}" for name in ("births", "population", "census", "delivery")}
    for path in paths.values():
        content = path["get"]["responses"]["200"]["content"]
        assert set(content) == {"application/json", "text/csv"}
        assert "Ventilations admises" in path["get"]["description"]
        assert all(parameter["description"] for parameter in path["get"]["parameters"])


def test_every_table_asks_for_the_permission_to_see_figures() -> None:
    application = FastAPI(openapi_url=None)
    application.include_router(router)
    assert {path.rpartition("/")[2]: right for (_, path), right in classification(application).items()} == {
        "births": "statistics",
        "population": "statistics",
        "census": "progress|statistics",
        "delivery": "statistics",
    }


def test_figures_are_not_kept_by_caches(ask: Ask) -> None:
    assert ask("births").headers["cache-control"] == "private, no-store"
