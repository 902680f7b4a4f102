"""The JSON calls of the takeover, for the tests of strange input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEADINGS = "Bureau;Année;Volume;N° acte;Date de l'acte;Nom;Sexe\n"
PAGE = "CD-KN-017-01;2011;8;1;01/02/2011;{};M\n"
NUMBER = {"office": "CD-KN-017-01", "year": 2011, "volume": "8", "number": 1}
WRITES: list[tuple[str, str, str | None, Mapping[str, Any]]] = [
    ("POST", "/v1/imports/{import_id}/run", "registrar", {"skip_wrong": True}),
    (
        "POST",
        "/v1/keyings",
        "clerk",
        {"name": "Page 1", "first": "1f0f4e0c-6a0e-4a0e-9d53-0f6c0b1c7a11", "second": "1"},
    ),
    (
        "POST",
        "/v1/keyings/{keying_id}/arbitration",
        "registrar",
        {**NUMBER, "values": {"nom": "Ilunga", "birth_date": "02/01/2011"}},
    ),
]


def plant(desk: Any) -> dict[str, str]:
    """A file, two keyings of one page that differ, and a clerk who keyed neither."""
    client = desk.node.client
    sheet = {"Content-Type": "text/csv"}
    brought = []
    for keyer, name in ((desk.headers["clerk"], "Ilunga"), (desk.node.officer("clerk"), "Ilonga")):
        body = (HEADINGS + PAGE.format(name)).encode()
        answer = client.post("/v1/imports", content=body, headers=keyer | sheet)
        assert answer.status_code == 201, answer.text
        brought.append(answer.json()["id"])
    body = (HEADINGS + PAGE.format("Mbuyi").replace(";8;", ";6;")).encode()
    other = client.post("/v1/imports", content=body, headers=desk.headers["clerk"] | sheet)
    pair = {"name": "Page 1", "first": brought[0], "second": brought[1]}
    keying = client.post("/v1/keyings", json=pair, headers=desk.headers["clerk"])
    assert keying.status_code == 201, keying.text
    return {"import_id": other.json()["id"], "keying_id": keying.json()["id"]}
