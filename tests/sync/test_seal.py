"""Signatures, certificates and grants: what holds, and every way in which they must not."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from sync import seal
from sync.seal import BadSignature, Key, PublicKey

DEV = "0b54e8a0-6f3c-4d2a-9c1e-2f0d4a6b8c10"
NODE = "7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"
PROVINCE = "c3d6a1f4-8e2b-4f7a-a5d9-1b0c2e4f6a83"
KEY = Key.generate()
OTHER = Key.generate()
PROVINCE_KEY = Key.generate()
PINNED = PROVINCE_KEY.public.thumbprint()
EXPIRES = "2027-01-31T00:00:00+01:00"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def detached(payload: bytes, key: Key = KEY, **changed: Any) -> str:
    """Sign with a header of our making, as a stranger's client would."""
    fields = {"alg": "ES256", "b64": False, "crit": ["b64"], "kid": DEV, "typ": "batch", **changed}
    protected = encode(
        json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
    )
    return f"{protected}..{encode(key.sign(protected.encode() + b'.' + payload))}"


def cert(kind: str = "commune", node_key: Key = KEY, signer: Key = PROVINCE_KEY) -> str:
    return seal.make_node_cert(
        signer, province_node=PROVINCE, node=NODE, kind=kind, key=node_key.public.jwk(), areas=["CD-KN-017"]
    )


def grant(node_cert: str | None, role: str = "agent", node: str = NODE, signer: Key = KEY) -> str:
    return seal.make_grant(
        signer,
        node=node,
        dev=DEV,
        key=OTHER.public.jwk(),
        agent="agent-1",
        role=role,
        areas=["CD-KN-017"],
        expires=EXPIRES,
        node_cert=node_cert,
    )


def test_the_signature_of_rfc_7515_appendix_a3_holds() -> None:
    public = PublicKey.from_jwk(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    )
    signed = (
        b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        b"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    raw = base64.urlsafe_b64decode(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q=="
    )
    public.verify(raw, signed)
    with pytest.raises(BadSignature):
        public.verify(raw, signed + b"x")


def test_thumbprints_are_those_of_another_library() -> None:
    assert KEY.public.thumbprint() == ECKey.import_key({**KEY.public.jwk()}).thumbprint()


def test_a_key_survives_its_file() -> None:
    again = Key.from_pem(KEY.pem())
    assert again.public.jwk() == KEY.public.jwk()
    seal.verify_detached(
        KEY.public, b"x", seal.sign_detached(again, b"x", kid=DEV, typ="batch"), kid=DEV, typ="batch"
    )


@given(st.binary(max_size=100), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_batch_of_any_bytes_is_sealed_and_one_changed_byte_breaks_the_seal(payload: bytes, at: int) -> None:
    signature = seal.sign_detached(KEY, payload, kid=DEV, typ="batch")
    seal.verify_detached(KEY.public, payload, signature, kid=DEV, typ="batch")
    assert seal.detached_kid(signature) == DEV
    changed = bytearray(payload + b"x")
    changed[at % len(changed)] ^= 1
    with pytest.raises(BadSignature):
        seal.verify_detached(KEY.public, bytes(changed), signature, kid=DEV, typ="batch")


def test_a_full_batch_is_sealed() -> None:
    payload = bytes(range(256)) * 4096
    seal.verify_detached(
        KEY.public, payload, seal.sign_detached(KEY, payload, kid=DEV, typ="batch"), kid=DEV, typ="batch"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"alg": "none"},
        {"alg": "ES384"},
        {"alg": None},
        {"typ": "receipt"},
        {"typ": None},
        {"kid": NODE},
        {"kid": None},
        {"b64": True},
        {"b64": None},
        {"crit": None},
        {"crit": ["b64", "exp"]},
        {"key": OTHER},
    ],
)
def test_a_stranger_gets_no_header_past_the_verifier(changed: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        seal.verify_detached(KEY.public, b"x", detached(b"x", **changed), kid=DEV, typ="batch")


def test_a_key_brought_along_in_the_header_is_ignored() -> None:
    honest = detached(b"x", jwk=OTHER.public.jwk(), jku="https://example.org/keys")
    seal.verify_detached(KEY.public, b"x", honest, kid=DEV, typ="batch")
    with pytest.raises(BadSignature):
        seal.verify_detached(
            KEY.public, b"x", detached(b"x", OTHER, jwk=OTHER.public.jwk()), kid=DEV, typ="batch"
        )


@pytest.mark.parametrize(
    "garbage", ["", "..", "a..b", "a.b.c", "é..é", "e30..AA", "W10..AA", "." * 9, "x" * 100_000, "e30=..AA"]
)
def test_garbage_in_the_signature_is_a_bad_signature_and_nothing_worse(garbage: str) -> None:
    with pytest.raises(BadSignature):
        seal.verify_detached(KEY.public, b"x", garbage, kid=DEV, typ="batch")
    with pytest.raises(BadSignature):
        seal.detached_kid(garbage)
    with pytest.raises(BadSignature):
        seal.verify_compact(KEY.public, garbage, kid=DEV, typ="grant")


def test_a_signature_has_one_spelling() -> None:
    signature = seal.sign_detached(KEY, b"x", kid=DEV, typ="batch")
    # The last letter of 86 carries two spare bits: another letter decodes to the same 64 bytes.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    respelt = signature[:-1] + letters[letters.index(signature[-1]) + 1]
    with pytest.raises(BadSignature, match="base64url"):
        seal.verify_detached(KEY.public, b"x", respelt, kid=DEV, typ="batch")


def test_a_signature_is_64_bytes() -> None:
    protected, _, raw = detached(b"x").partition("..")
    halves = base64.urlsafe_b64decode(raw + "==")
    longer = encode(halves[:32] + b"\0" + halves[32:])
    with pytest.raises(BadSignature):
        seal.verify_detached(KEY.public, b"x", f"{protected}..{longer}", kid=DEV, typ="batch")


@pytest.mark.parametrize("extra", [{"b64": True, "crit": ["b64"]}, {"b64": True}, {"crit": ["b64"]}], ids=str)
def test_a_compact_token_asks_for_no_extension(extra: dict[str, Any]) -> None:
    header = encode(json.dumps({"alg": "ES256", "kid": DEV, "typ": "grant", **extra}).encode())
    signed = f"{header}.{encode(b'{}')}"
    token = f"{signed}.{encode(KEY.sign(signed.encode()))}"
    with pytest.raises(BadSignature, match="crit"):
        seal.verify_compact(KEY.public, token, kid=DEV, typ="grant")


POINT = b"".join(base64.urlsafe_b64decode(KEY.public.jwk()[name] + "=") for name in ("x", "y"))


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {**KEY.public.jwk(), "crv": "P-384"},
        {**KEY.public.jwk(), "x": 1},
        {**KEY.public.jwk(), "x": KEY.public.jwk()["x"][:-4]},
        {**KEY.public.jwk(), "x": KEY.public.jwk()["y"]},
        {**KEY.public.jwk(), "y": "é"},
        {**KEY.public.jwk(), "x": encode(POINT[:31]), "y": encode(POINT[31:])},
    ],
)
def test_only_a_point_of_p256_is_a_key(jwk: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        PublicKey.from_jwk(jwk)


def test_a_public_key_never_carries_its_private_half() -> None:
    assert set(PublicKey.from_jwk({**KEY.public.jwk(), "d": "secret", "kid": "x"}).jwk()) == {
        "kty",
        "crv",
        "x",
        "y",
    }


def test_claims_come_back_only_under_the_expected_type_signer_and_name() -> None:
    token = seal.sign_compact(KEY, {"dev": DEV, "nonce": "é"}, kid=DEV, typ="session")
    assert seal.verify_compact(KEY.public, token, kid=DEV, typ="session") == {"dev": DEV, "nonce": "é"}
    assert seal.peek(token)[0] == {"alg": "ES256", "kid": DEV, "typ": "session"}
    for public, kid, typ in (
        (OTHER.public, DEV, "session"),
        (KEY.public, NODE, "session"),
        (KEY.public, DEV, "enrol"),
    ):
        with pytest.raises(BadSignature):
            seal.verify_compact(public, token, kid=kid, typ=typ)
    header, claims, raw = token.split(".")
    forged = encode(json.dumps({"dev": NODE, "nonce": "é"}).encode())
    with pytest.raises(BadSignature):
        seal.verify_compact(KEY.public, f"{header}.{forged}.{raw}", kid=DEV, typ="session")
    with pytest.raises(BadSignature):
        seal.verify_compact(KEY.public, f"{header}.{claims}.{raw[:-2]}", kid=DEV, typ="session")


def test_a_certificate_chains_to_the_pinned_province_only() -> None:
    assert seal.check_node_cert(cert(), PINNED)["key"] == KEY.public.jwk()
    with pytest.raises(BadSignature, match="province"):
        seal.check_node_cert(cert(signer=OTHER), PINNED)
    with pytest.raises(BadSignature, match="province"):
        seal.check_node_cert(cert(), OTHER.public.thumbprint())


def test_a_certificate_that_names_the_province_key_but_was_signed_by_another_is_refused() -> None:
    claims = {"node": NODE, "kind": "province", "key": OTHER.public.jwk(), "areas": []}
    forged = seal.sign_compact(
        OTHER, {**claims, "province_key": PROVINCE_KEY.public.jwk()}, kid=PROVINCE, typ="node"
    )
    with pytest.raises(BadSignature, match="signature"):
        seal.check_node_cert(forged, PINNED)


def test_a_tablet_is_admitted_on_a_grant_that_chains() -> None:
    claims = seal.check_grant(grant(cert()), PINNED)
    assert (claims["dev"], claims["role"], claims["key"]) == (DEV, "agent", OTHER.public.jwk())


@pytest.mark.parametrize(
    "forged",
    [
        grant(None),
        grant(cert(signer=OTHER)),
        grant(cert(), signer=OTHER),
        grant(cert(), node=DEV),
        grant("garbage"),
        "garbage",
        cert(),
    ],
    ids=[
        "no certificate",
        "other province",
        "other key",
        "other node",
        "garbage inside",
        "garbage",
        "no grant",
    ],
)
def test_a_grant_that_does_not_chain_admits_nobody(forged: str) -> None:
    with pytest.raises(BadSignature):
        seal.check_grant(forged, PINNED)


@pytest.mark.parametrize("role", ["node", "province"])
def test_a_commune_cannot_make_a_server(role: str) -> None:
    with pytest.raises(BadSignature, match="role"):
        seal.check_grant(grant(cert("commune"), role), PINNED)
    assert seal.check_grant(grant(cert("province"), role), PINNED)["role"] == role
    assert seal.check_grant(grant(cert("both"), role), PINNED)["role"] == role


def test_a_server_trusts_its_own_grants_before_it_joined() -> None:
    own = grant(None)
    assert seal.check_grant(own, PINNED, node_keys={NODE: KEY.public})["dev"] == DEV
    with pytest.raises(BadSignature):
        seal.check_grant(own, PINNED, node_keys={NODE: OTHER.public})
