"""The independent client's own JWS (ES256, raw r||s, compact, detached), RFC 7638 thumbprints, certificate chains.
It decides which key to believe; it sends and stores nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

JSON = dict[str, Any]
"""One JSON object."""

HALF = 32
BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")
THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


class Untrusted(Exception):
    """A signature, a certificate or a claim does not hold: nothing that came with it may be used."""


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding; raises Untrusted on any other character or length."""
    if not BASE64URL.match(text) or len(text) % 4 == 1:
        raise Untrusted("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value: Any) -> bytes:
    """JSON without blanks, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def jwk_of(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """The public half as a JWK (RFC 7518 section 6.2.1)."""
    numbers = key.public_key().public_numbers()
    x, y = (b64(number.to_bytes(HALF, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def public_key(jwk: JSON) -> ec.EllipticCurvePublicKey:
    """The P-256 key of a JWK; raises Untrusted when it is another kind or no point of the curve."""
    if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        raise Untrusted("not a P-256 key")
    x, y = (int.from_bytes(unb64(str(jwk.get(name, ""))), "big") for name in "xy")
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError as error:
        raise Untrusted("not a point of P-256") from error


def thumbprint(jwk: JSON) -> str:
    """RFC 7638: base64url SHA-256 over the required members only, sorted by name."""
    members = {name: jwk[name] for name in THUMBPRINT_MEMBERS[jwk["kty"]]}
    return b64(hashlib.sha256(compact(dict(sorted(members.items())))).digest())


def raw_sign(key: ec.EllipticCurvePrivateKey, signing_input: bytes) -> str:
    """ES256 over the bytes, as base64url of r||s (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(key.sign(signing_input, ec.ECDSA(hashes.SHA256())))
    return b64(r.to_bytes(HALF, "big") + s.to_bytes(HALF, "big"))


def raw_verify(key: ec.EllipticCurvePublicKey, signing_input: bytes, *, signature: str) -> None:
    """Raises Untrusted unless `signature` is a raw r||s over the bytes by this key."""
    raw = unb64(signature)
    if len(raw) != 2 * HALF:
        raise Untrusted("a raw ES256 signature has 64 bytes")
    r, s = int.from_bytes(raw[:HALF], "big"), int.from_bytes(raw[HALF:], "big")
    try:
        key.verify(encode_dss_signature(r, s), signing_input, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise Untrusted("the signature does not verify") from error


def sign(key: ec.EllipticCurvePrivateKey, claims: JSON, *, typ: str, kid: str) -> str:
    """A compact JWS over the claims."""
    header = b64(compact({"alg": "ES256", "kid": kid, "typ": typ}))
    payload = b64(compact(claims))
    return f"{header}.{payload}.{raw_sign(key, f'{header}.{payload}'.encode('ascii'))}"


def seal(key: ec.EllipticCurvePrivateKey, payload: bytes, *, typ: str, kid: str) -> str:
    """A detached JWS `<header>..<signature>` over unencoded bytes (RFC 7515 appendix F, RFC 7797)."""
    header = b64(compact({"alg": "ES256", "b64": False, "crit": ["b64"], "kid": kid, "typ": typ}))
    return f"{header}..{raw_sign(key, header.encode('ascii') + b'.' + payload)}"


def peek(token: str) -> tuple[JSON, JSON]:
    """Header and claims of a compact JWS, believed by nobody yet."""
    parts = token.split(".")
    if len(parts) != 3:
        raise Untrusted("not a compact JWS")
    try:
        header, claims = json.loads(unb64(parts[0])), json.loads(unb64(parts[1]))
    except ValueError as error:
        raise Untrusted("a JWS part is not JSON") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Untrusted("a JWS part is not an object")
    return header, claims


def check(token: str, jwk: JSON, *, typ: str, kid: str) -> JSON:
    """The claims of a compact JWS by this key; `alg`, `typ`, `kid` are fixed here, `jwk` and `jku` never read."""
    header, claims = peek(token)
    if (header.get("alg"), header.get("typ"), header.get("kid")) != ("ES256", typ, kid):
        raise Untrusted(f"header {header} is not ES256, {typ}, {kid}")
    if "crit" in header or "b64" in header:
        raise Untrusted("a compact JWS of this protocol has no extension")
    signing_input, _, signature = token.rpartition(".")
    raw_verify(public_key(jwk), signing_input.encode("ascii"), signature=signature)
    return claims


def check_seal(signature: str, payload: bytes, *, jwk: JSON, typ: str, kid: str) -> None:
    """Raises Untrusted unless the detached JWS over these bytes is by this key, type and kid."""
    parts = signature.split(".")
    if len(parts) != 3 or parts[1]:
        raise Untrusted("not a detached JWS")
    try:
        header = json.loads(unb64(parts[0]))
    except ValueError as error:
        raise Untrusted("the protected header is not JSON") from error
    wanted = {"alg": "ES256", "b64": False, "crit": ["b64"], "kid": kid, "typ": typ}
    if not isinstance(header, dict) or any(header.get(name) != value for name, value in wanted.items()):
        raise Untrusted(f"header {header} is not {wanted}")
    raw_verify(public_key(jwk), parts[0].encode("ascii") + b"." + payload, signature=parts[2])


@dataclass(frozen=True)
class Node:
    """A server the province answers for: its id, kind, key and areas, and who certified it."""

    node: str
    kind: str
    key: JSON
    areas: tuple[str, ...]
    province: str
    province_key: JSON


def check_node_cert(cert: str, pinned: str) -> Node:
    """The server of a `node_cert` whose chain ends at the thumbprint read from the QR; else Untrusted."""
    header, claims = peek(cert)
    province_key = claims.get("province_key")
    if not isinstance(province_key, dict) or thumbprint({"kty": "EC", **province_key}) != pinned:
        raise Untrusted("the certificate does not chain to the province of the invitation")
    province = str(header.get("kid"))
    claims = check(cert, province_key, typ="node", kid=province)
    return Node(
        node=claims["node"],
        kind=claims["kind"],
        key=claims["key"],
        areas=tuple(claims["areas"]),
        province=province,
        province_key=province_key,
    )


def check_grant(grant: str, node: Node) -> JSON:
    """The claims of a grant by a certified server; else Untrusted."""
    return check(grant, node.key, typ="grant", kid=node.node)
