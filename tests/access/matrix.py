"""Who may call what, written down by hand from the description of the roles: nothing here is taken from the program.
One entry per call; what a call answers whom follows from the rights it names."""

from __future__ import annotations

from tests.access.call import (
    BOOK,
    DEVICE,
    ELSEWHERE,
    NOBODY,
    NOTHING,
    OWN,
    PROOF,
    PUBLIC,
    QUARTIER,
    STALE,
    Call,
    Ids,
)
from tests.topics import topics


def _paper_act(_ids: Ids, n: int) -> bytes:
    return (
        b'{"nom":"Ilunga","sex":"M","birth_date":"2011-01-05","office":"CD-KN-017-01","year":2011,"volume":"9",'
        b'"number":%d,"registered_on":"2011-02-01"}' % n
    )


def _officer(_ids: Ids, n: int) -> dict[str, str]:
    return {
        "username": f"nouveau{n}",
        "name": "Nouveau",
        "role": "agent",
        "commune": OWN,
        "password": "tiges de bambou 2026",
    }


def _member(ids: Ids, _n: int) -> dict[str, str]:
    return {"nom": "Kanku", "household": ids["household"]}


OTHER_RECORD = "7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"
TREE = {"/v1/persons/{id}": "person", "/v1/households/{id}": "household"}


def _records() -> list[Call]:
    calls = []
    for route, kind in TREE.items():
        path = f"/v1/{kind}s/{{{kind}}}"
        calls += [
            Call("GET", f"/v1/{kind}s", "read persons", elsewhere=NOTHING),
            Call("GET", f"/v1/{kind}s", "read persons", elsewhere=ELSEWHERE, path=f"/v1/{kind}s?commune={OWN}"),
            Call("GET", f"/v1/{kind}s", "read persons", elsewhere=ELSEWHERE, path=f"/v1/{kind}s?quartier={QUARTIER}"),
            Call("GET", route, "read persons", elsewhere=ELSEWHERE, path=path),
            Call("GET", f"{route}/history", "read persons", elsewhere=ELSEWHERE, path=f"{path}/history"),
            Call(
                "PATCH", route, "write persons", "412 precondition_failed", ELSEWHERE, path,
                body={}, headers=STALE,
            ),
            *(
                Call(
                    "POST", f"{route}/{act}", "write persons", "412 precondition_failed", ELSEWHERE, f"{path}/{act}",
                    body={"into": OTHER_RECORD} if act == "merge" else None, headers=STALE,
                )
                for act in ("void", "restore", "merge", "unmerge")
            ),
        ]  # fmt: skip
    return calls


def _tables() -> list[Call]:
    calls = []
    for table in ("births", "population", "census", "delivery"):
        route = f"/v1/statistics/{table}"
        right = "statistics|progress" if table == "census" else "statistics"
        calls.append(Call("GET", route, right, elsewhere=NOTHING))
        calls.append(Call("GET", route, right, elsewhere=ELSEWHERE, path=f"{route}?commune={OWN}"))
    return calls


CALLS: list[Call] = [
    *(
        Call("GET", route, PUBLIC)
        for route in ("/health", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc")
    ),
    Call("POST", "/v1/sessions", PUBLIC, "422 invalid_input", body={}),
    Call("GET", "/sync/v1/hello", PROOF),
    Call("POST", "/sync/v1/enrolments", PROOF, "404 invitation_unknown", body={
        "code": "7K3M9QTX", "public_key": {}, "name": "Tablette", "proof": "a.b.c",
    }),
    Call("POST", "/sync/v1/sessions", PROOF, "401 bad_assertion", body={"assertion": "a.b.c"}),
    Call("POST", "/sync/v1/batches", PROOF, "400 bad_signature", body=b"{}\n"),
    Call("POST", "/sync/v1/bundles", PROOF, body=b""),
    Call("GET", "/sync/v1/status", DEVICE),
    Call("GET", "/sync/v1/changes", DEVICE),
    Call("GET", "/sync/v1/operations", DEVICE, "403 not_a_server"),
    Call("GET", "/sync/v1/packs", DEVICE, NOTHING),
    Call("GET", "/sync/v1/packs/{sha256}", DEVICE, "404 pack_unknown", path="/sync/v1/packs/0"),
    Call("GET", "/sync/v1/receipts", DEVICE, path="/sync/v1/receipts?ep=7"),
    Call("GET", "/v1/communes", "territory"),
    Call("GET", "/v1/communes/{code}/quartiers", "territory", path=f"/v1/communes/{OWN}/quartiers"),
    Call("GET", "/v1/officers", "officers"),
    Call("POST", "/v1/officers", "officers", "201", body=_officer),
    Call("PATCH", "/v1/officers/{officer_id}", "officers", path="/v1/officers/{spare}", body={"name": "Autre"}),
    Call(
        "POST", "/v1/invitations", "invitations", "201", body={"agent": "agent1", "areas": [QUARTIER]},
    ),
    Call("GET", "/v1/status", "status"),
    Call(
        "POST", "/v1/devices/{dev}/revocation", "invitations", "404 device_not_found",
        path=f"/v1/devices/{NOBODY}/revocation",
        body={"after": "none", "reason": "volée"},
    ),
    Call(
        "POST", "/v1/devices/{dev}/release", "invitations", "404 device_not_found",
        path=f"/v1/devices/{NOBODY}/release",
        body={"batches": ["0" * 64]},
    ),
    Call(
        "PUT", "/v1/devices/{dev}/areas", "invitations", "404 device_not_found", path=f"/v1/devices/{NOBODY}/areas",
        body={"areas": [QUARTIER]},
    ),
    Call("POST", "/v1/clock/confirmation", "settings", "201", body={"date": "2026-02-02"}),
    Call("GET", "/v1/devices", "own devices|devices", elsewhere=NOTHING),
    Call("GET", "/v1/conflicts", "conflicts", elsewhere=NOTHING),
    Call("GET", "/v1/conflicts", "conflicts", elsewhere=NOTHING, path=f"/v1/conflicts?area={QUARTIER}"),
    Call("GET", "/v1/conflicts/{id}", "conflicts", elsewhere=ELSEWHERE, path="/v1/conflicts/{conflict}"),
    Call(
        "POST", "/v1/conflicts/{id}/resolution", "decide", "412 precondition_failed", ELSEWHERE,
        "/v1/conflicts/{conflict}/resolution", body={"value": None}, headers=STALE,
    ),
    Call("GET", "/v1/quarantine", "quarantine", elsewhere=NOTHING),
    Call("GET", "/v1/quarantine/{id}", "quarantine", elsewhere=ELSEWHERE, path="/v1/quarantine/{quarantined}"),
    Call("GET", "/v1/doubtful", "conflicts", elsewhere=NOTHING),
    Call("GET", "/v1/deferred", "conflicts", elsewhere=NOTHING),
    *_records(),
    Call("POST", "/v1/households", "write persons", "201", ELSEWHERE, body={"commune": OWN, "avenue": "Kasaï"}),
    Call("POST", "/v1/persons", "write persons", "201", ELSEWHERE, body=_member),
    Call("POST", "/v1/births", "declare", "201", ELSEWHERE, body={"nom": "Mbuyi", "commune": OWN}),
    Call("GET", "/v1/births", "read declarations", elsewhere=NOTHING),
    Call("GET", "/v1/births", "read declarations", elsewhere=ELSEWHERE, path=f"/v1/births?commune={OWN}"),
    Call("GET", "/v1/births/{birth_id}", "read declarations", elsewhere=ELSEWHERE, path="/v1/births/{birth}"),
    Call(
        "PATCH", "/v1/births/{birth_id}", "declare", "412 precondition_failed", ELSEWHERE, "/v1/births/{birth}",
        body={}, headers=STALE,
    ),
    Call("GET", "/v1/tasks", "read declarations", elsewhere=NOTHING),
    Call("GET", "/v1/tasks", "read declarations", elsewhere=ELSEWHERE, path=f"/v1/tasks?commune={OWN}"),
    Call("POST", "/v1/tasks/{task_id}/done", "declare", elsewhere=ELSEWHERE, path="/v1/tasks/{task}/done", body={}),
    Call(
        "POST", "/v1/births/{birth_id}/registration", "register", "409 already_registered", ELSEWHERE,
        "/v1/births/{birth}/registration", body=BOOK,
    ),
    Call(
        "POST", "/v1/imports/acts", "reprise", "201", "422 import_refused", body=_paper_act,
        headers={"Idempotency-Key": "reprise-{n}"},
    ),
    *_tables(),
    *(call for topic in topics("tests.access", "calls") for call in topic.CALLS),
    # Last: nobody who logged out could ask anything more.
    Call("DELETE", "/v1/sessions/current", "own session", "204"),
]  # fmt: skip
