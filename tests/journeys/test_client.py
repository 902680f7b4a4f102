"""The second client tested alone, against RFC examples and planted lies: no server runs here."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from .client import Invitation, Sealed, Tablet, believe, http
from .rows import CutPage, FeedChanged, Rows, Shown
from .signatures import (
    JSON,
    Untrusted,
    b64,
    check,
    check_grant,
    check_node_cert,
    check_seal,
    compact,
    jwk_of,
    public_key,
    raw_verify,
    seal,
    sign,
    thumbprint,
)

PHONE = ("person", "3f0d7f7e-7f63-4d92-9d37-6b3f0a1b7c11")
RFC7638_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
    "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
    "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
    "nqDKgw"
)
RFC7515_A3 = (
    "eyJhbGciOiJFUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC7515_A3_SIGNATURE = (
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
RFC7515_A3_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def row(rev: int, *, area: str = "1017010", **more: object) -> bytes:
    """One row line of the person, as `changes` sends it."""
    base = {"kind": PHONE[0], "id": PHONE[1], "area": area, "seq": rev, "rev": rev, "dot": "d:1:1"}
    return compact({**base, "set": {"phone": str(rev)}, **more}) + b"\n"


def last(feed: str = "f", *, have: object = None) -> bytes:
    return compact({"after": {"1017010": 7}, "more": False, "feed": feed, "have": have or {}}) + b"\n"


@pytest.fixture
def tablet() -> Tablet:
    with http("http://127.0.0.1") as connection:
        made = Tablet(Invitation("", "CODE", "T"), connect=lambda url: connection)
    made.dev, made.agent = "6f1c7c52-0a35-4a38-9d0e-2f0d5d8f1b77", "agent"
    return made


def test_a_thumbprint_is_the_one_rfc_7638_prints() -> None:
    jwk = {"kty": "RSA", "n": RFC7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_signature_printed_in_rfc_7515_verifies_and_a_changed_one_does_not() -> None:
    key = public_key(RFC7515_A3_KEY)
    raw_verify(key, RFC7515_A3.encode(), signature=RFC7515_A3_SIGNATURE)
    with pytest.raises(Untrusted):
        raw_verify(key, RFC7515_A3.encode(), signature="E" + RFC7515_A3_SIGNATURE[1:])


@pytest.mark.parametrize("lie", ["payload", "kid", "typ", "key", "cut"])
def test_a_detached_signature_holds_only_for_its_bytes_key_type_and_kid(lie: str) -> None:
    key = new_key()
    signature = seal(key, b"{}\n", typ="batch", kid="dev")
    check_seal(signature, b"{}\n", jwk=jwk_of(key), typ="batch", kid="dev")
    with pytest.raises(Untrusted):
        check_seal(
            signature[:-4] if lie == "cut" else signature,
            b"{ }\n" if lie == "payload" else b"{}\n",
            jwk=jwk_of(new_key() if lie == "key" else key),
            typ="receipt" if lie == "typ" else "batch",
            kid="another" if lie == "kid" else "dev",
        )


def test_a_token_that_brings_its_own_key_or_no_algorithm_is_refused() -> None:
    key, thief = new_key(), new_key()
    own = b64(compact({"alg": "ES256", "typ": "grant", "kid": "n", "jwk": jwk_of(thief)}))
    stolen = f"{own}.{sign(thief, {}, typ='grant', kid='n').partition('.')[2]}"
    unsigned = f"{b64(compact({'alg': 'none', 'typ': 'grant', 'kid': 'n'}))}.{b64(b'{}')}."
    for token in (stolen, unsigned):
        with pytest.raises(Untrusted):
            check(token, jwk_of(key), typ="grant", kid="n")


def test_a_certificate_counts_only_under_the_province_of_the_invitation() -> None:
    province, commune = new_key(), new_key()
    claims = {"node": "c", "kind": "commune", "key": jwk_of(commune), "areas": ["CD-KN-017"]}
    cert = sign(province, {**claims, "province_key": jwk_of(province)}, typ="node", kid="p")
    node = check_node_cert(cert, thumbprint(jwk_of(province)))
    assert (node.node, node.province) == ("c", "p")
    assert check_grant(sign(commune, {"dev": "d"}, typ="grant", kid="c"), node) == {"dev": "d"}
    with pytest.raises(Untrusted):
        check_node_cert(cert, thumbprint(jwk_of(new_key())))
    forged = sign(new_key(), {**claims, "province_key": jwk_of(province)}, typ="node", kid="p")
    with pytest.raises(Untrusted):
        check_node_cert(forged, thumbprint(jwk_of(province)))
    with pytest.raises(Untrusted):
        check_grant(sign(province, {"dev": "d"}, typ="grant", kid="c"), node)


def test_a_batch_is_framed_numbered_and_chained_as_the_page_says(tablet: Tablet) -> None:
    person = tablet.create("person", {"nom": "Mbuyi", "phone": "1"})
    tablet.edit(person, {"phone": "2"})
    first = tablet.seal()
    tablet.edit(person, {"prenom": "Béatrice"}, ev="document")
    second = tablet.seal()
    header, *lines, end = first.data.split(b"\n")
    assert json.loads(header) == {
        "v": 1,
        "dev": tablet.dev,
        "ep": tablet.ep,
        "from": 1,
        "to": 2,
        "prev": None,
        "by": "agent",
    }
    assert (len(lines), end) == (2, b"")
    assert json.loads(lines[1])["par"] == {"phone": [1]}
    later = json.loads(second.data.split(b"\n")[0])
    assert (later["from"], later["to"], later["prev"]) == (3, 3, hashlib.sha256(first.data).hexdigest())
    assert json.loads(second.data.split(b"\n")[1])["par"] == {"nom": [1]}
    check_seal(second.signature, second.data, jwk=jwk_of(tablet.key), typ="batch", kid=tablet.dev)


@pytest.mark.parametrize("lie", ["portal", "flipped", "other batch", "other server", "unsigned"])
def test_an_answer_200_that_is_no_receipt_is_never_success(tablet: Tablet, lie: str) -> None:
    key = new_key()
    tablet.keys = {"n": jwk_of(key), "p": jwk_of(key)}
    tablet.create("person", {})
    batch = tablet.seal()

    def answer(what: str) -> httpx.Response:
        claims: JSON = {
            "node": "p" if what == "other server" else "n",
            "sha256": batch.sha256,
            "dispositions": {},
        }
        if what == "other batch":
            claims["sha256"] = "0" * 64
        body = b"<html>Bienvenue</html>" if what == "portal" else compact(claims)
        signature = seal(key, body, typ="receipt", kid=claims["node"])
        sent = body.replace(b"{}", b"[]") if what == "flipped" else body
        headers = {} if what == "unsigned" else {"Receipt-Signature": signature}
        return httpx.Response(200, content=sent, headers=headers)

    with pytest.raises(Untrusted):
        tablet.take_receipt(answer(lie), batch, node="n")
    assert tablet.proven == set()
    tablet.take_receipt(answer("true"), batch, node="n")
    assert tablet.proven == {("n", batch.sha256)}


def test_a_receipt_of_a_server_we_cannot_check_is_not_believed() -> None:
    body = compact({"node": "n"})
    with pytest.raises(Untrusted):
        believe(body, seal(new_key(), body, typ="receipt", kid="n"), {})


def test_a_page_cut_on_the_way_leaves_everything_as_it_was() -> None:
    rows = Rows()
    for page in (row(1), row(1) + last()[:-1], row(1) + last()[:9]):
        with pytest.raises((CutPage, ValueError)):
            rows.apply(page)
    assert (rows.rows, rows.after) == ({}, {})


def test_an_old_revision_changes_nothing_and_a_newer_one_does() -> None:
    rows = Rows()
    rows.apply(row(4) + row(3) + last())
    assert rows.rows[PHONE]["set"] == {"phone": "4"}
    rows.apply(row(5) + last())
    assert rows.rows[PHONE]["set"] == {"phone": "5"}
    with pytest.raises(FeedChanged):
        rows.apply(row(6) + last("another"))


@pytest.mark.parametrize("goes", [b'{"drop":"1017010"}\n', None])
def test_rows_leave_with_their_area_but_not_under_unsent_work(goes: bytes | None) -> None:
    leaves = {"leave": PHONE[1], "kind": "person", "area": "1017010", "seq": 9, "rev": 9}
    line = goes or compact(leaves) + b"\n"
    rows = Rows()
    rows.apply(row(1) + last())
    rows.apply(line + last(), unsettled={PHONE})
    assert PHONE in rows.rows
    rows.apply(line + last())
    assert PHONE not in rows.rows


def test_a_household_that_moved_there_and_back_is_where_it_is_in_both_reading_orders() -> None:
    leaves = compact({"leave": PHONE[1], "kind": "person", "area": "b", "seq": 9, "rev": 9}) + b"\n"
    for page in (leaves + row(9), row(9) + leaves):
        rows = Rows()
        rows.apply(row(2, area="b") + last())
        rows.apply(page + last())
        assert rows.rows[PHONE]["area"] == "1017010"


def test_own_work_the_server_has_not_folded_stands_on_top_and_is_not_doubled(tablet: Tablet) -> None:
    tablet.rows.apply(row(1) + last())
    assert tablet.on_screen(PHONE, "phone") == [Shown("d:1:1", "1")]
    own = tablet.edit(PHONE, {"phone": "mine"})
    assert tablet.on_screen(PHONE, "phone") == [Shown(own.dot, "mine")]
    folded = row(2, set={"phone": "theirs"}, dot="d:1:9")
    tablet.rows.apply(folded + last(have={str(tablet.ep): [[1, 1]]}))
    assert tablet.on_screen(PHONE, "phone") == [Shown("d:1:9", "theirs")]


def test_every_value_of_a_conflict_is_on_the_screen_and_answered_by_an_edit(tablet: Tablet) -> None:
    values = [{"dot": f"d:1:{n}", "value": str(n), "ev": "declared", "by": None} for n in (1, 2)]
    tablet.rows.apply(row(1, conflict={"phone": values}) + last())
    assert [value.value for value in tablet.on_screen(PHONE, "phone")] == ["1", "2"]
    assert tablet.edit(PHONE, {"phone": "3"}).replaces == {"phone": ("d:1:1", "d:1:2")}


def test_a_clone_counts_on_from_the_same_number_without_touching_the_original(tablet: Tablet) -> None:
    person = tablet.create("person", {"phone": "1"})
    tablet.seal()
    twin = tablet.clone()
    mine, other = tablet.edit(person, {"phone": "2"}), twin.edit(person, {"phone": "3"})
    assert mine.dot == other.dot
    assert tablet.seal().sha256 != twin.seal().sha256
    assert isinstance(twin.sealed[-1], Sealed)
    assert (len(tablet.sealed), len(twin.sealed)) == (2, 2)
