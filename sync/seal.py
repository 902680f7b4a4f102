"""Signing and verifying: batches, receipts and answers of `operations` (detached JWS), grants and node certificates
(compact JWS). No storage.

Compact JWS are joserfc's. The detached form of RFC 7797 stands here on cryptography: joserfc 1.8 signs only UTF-8,
embeds a payload that happens to be URL-safe and verifies at most 128,000 bytes; a batch may be any bytes up to 1 MiB.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

_ES256 = ec.ECDSA(hashes.SHA256())
_HALF = 32
_SERVER_KINDS = frozenset({"province", "both"})
_SERVER_ROLES = frozenset({"node", "province"})
_MAXIMUM = 64 << 10


class BadSignature(Exception):
    """A signature, key, certificate or grant that does not hold; the text says which part."""


class _Registry(jws.JWSRegistry):
    max_header_length = _MAXIMUM
    max_payload_length = _MAXIMUM


_REGISTRY = _Registry(algorithms=["ES256"], strict_check_header=False)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadSignature("base64url") from error
    # Two spellings of one signature would be two identities of one document.
    if _encode(data) != text:
        raise BadSignature("base64url")
    return data


def _decode_object(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(_decode(text))
    except orjson.JSONDecodeError as error:
        raise BadSignature("json") from error
    if not isinstance(found, dict):
        raise BadSignature("json")
    return found


class PublicKey:
    """An ECDSA P-256 public key."""

    __slots__ = ("_jose", "_native")

    def __init__(self, native: ec.EllipticCurvePublicKey) -> None:
        if not isinstance(native.curve, ec.SECP256R1):
            raise BadSignature("curve")
        self._native = native
        self._jose: ECKey | None = None

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> "PublicKey":
        """Read a JWK (RFC 7517); only kty, crv, x, y count. Raises BadSignature when it is no P-256 key."""
        if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
            raise BadSignature("jwk")
        x, y = jwk.get("x"), jwk.get("y")
        if not isinstance(x, str) or not isinstance(y, str):
            raise BadSignature("jwk")
        halves = (_decode(x), _decode(y))
        if any(len(half) != _HALF for half in halves):
            raise BadSignature("jwk")
        try:
            native = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + b"".join(halves))
        except ValueError as error:
            raise BadSignature("jwk") from error
        return cls(native)

    def jwk(self) -> dict[str, str]:
        """Return the public JWK: exactly kty, crv, x, y."""
        point = self._native.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": _encode(point[1 : 1 + _HALF]),
            "y": _encode(point[1 + _HALF :]),
        }

    def thumbprint(self) -> str:
        """Return the RFC 7638 thumbprint: base64url of the SHA-256 of the required members in order."""
        jwk = self.jwk()
        required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
        return _encode(hashlib.sha256(orjson.dumps(required)).digest())

    def jose(self) -> ECKey:
        """Return the same key for joserfc."""
        if self._jose is None:
            self._jose = ECKey.import_key({**self.jwk()})
        return self._jose

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check a raw r‖s signature (RFC 7518 section 3.4) over `data`; raises BadSignature."""
        if len(signature) != 2 * _HALF:
            raise BadSignature("signature")
        r = int.from_bytes(signature[:_HALF], "big")
        s = int.from_bytes(signature[_HALF:], "big")
        try:
            self._native.verify(utils.encode_dss_signature(r, s), data, _ES256)
        except InvalidSignature as error:
            raise BadSignature("signature") from error


class Key:
    """An ECDSA P-256 private key."""

    __slots__ = ("_jose", "_native", "public")

    def __init__(self, native: ec.EllipticCurvePrivateKey) -> None:
        self._native = native
        self.public = PublicKey(native.public_key())
        self._jose: ECKey | None = None

    @classmethod
    def generate(cls) -> "Key":
        """Draw a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> "Key":
        """Read an unencrypted PKCS#8 PEM; raises BadSignature when it holds no P-256 private key."""
        try:
            native = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise BadSignature("pem") from error
        if not isinstance(native, ec.EllipticCurvePrivateKey):
            raise BadSignature("pem")
        return cls(native)

    def pem(self) -> bytes:
        """Return the key as unencrypted PKCS#8 PEM."""
        return self._native.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def jose(self) -> ECKey:
        """Return the same key for joserfc."""
        if self._jose is None:
            self._jose = ECKey.import_key(self.pem())
        return self._jose

    def sign(self, data: bytes) -> bytes:
        """Return the raw r‖s signature (64 bytes) of `data`."""
        r, s = utils.decode_dss_signature(self._native.sign(data, _ES256))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


# detached: batches, receipts, operations -------------------------------------------------------------


def sign_detached(key: Key, payload: bytes, *, kid: str, typ: str) -> str:
    """Return `<header>..<signature>` over the bytes as they are (RFC 7515 appendix F, RFC 7797)."""
    header = {"alg": "ES256", "b64": False, "crit": ["b64"], "kid": kid, "typ": typ}
    protected = _encode(orjson.dumps(header))
    return f"{protected}..{_encode(key.sign(protected.encode() + b'.' + payload))}"


def _split_detached(signature: str) -> tuple[str, dict[str, Any], bytes]:
    parts = signature.split(".") if len(signature) <= _MAXIMUM else []
    if len(parts) != 3 or parts[1]:
        raise BadSignature("detached")
    return parts[0], _decode_object(parts[0]), _decode(parts[2])


def detached_kid(signature: str) -> str:
    """Return the `kid` of a detached JWS, unverified, to look its key up; raises BadSignature on garbage."""
    kid = _split_detached(signature)[1].get("kid")
    if not isinstance(kid, str):
        raise BadSignature("kid")
    return kid


def _check_header(header: Mapping[str, Any], *, kid: str | None, typ: str) -> None:
    if header.get("alg") != "ES256":
        raise BadSignature("alg")
    if header.get("typ") != typ:
        raise BadSignature("typ")
    if kid is not None and header.get("kid") != kid:
        raise BadSignature("kid")


def verify_detached(public: PublicKey, payload: bytes, signature: str, *, kid: str, typ: str) -> None:
    """Check a detached JWS over `payload`; `alg`, `kid` and `typ` are fixed by the caller. Raises BadSignature."""
    protected, header, raw = _split_detached(signature)
    _check_header(header, kid=kid, typ=typ)
    if header.get("b64") is not False or header.get("crit") != ["b64"]:
        raise BadSignature("crit")
    public.verify(raw, protected.encode() + b"." + payload)


# compact: sessions, enrolment proofs, grants, certificates -------------------------------------------


def sign_compact(key: Key, claims: Mapping[str, Any], *, kid: str, typ: str) -> str:
    """Return the compact JWS of `claims` as JSON."""
    header = {"alg": "ES256", "kid": kid, "typ": typ}
    return jws.serialize_compact(header, orjson.dumps(claims), key.jose(), registry=_REGISTRY)


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (header, claims) of a compact JWS, unverified; raises BadSignature on garbage."""
    parts = token.split(".") if len(token) <= _MAXIMUM else []
    if len(parts) != 3:
        raise BadSignature("compact")
    return _decode_object(parts[0]), _decode_object(parts[1])


def verify_compact(public: PublicKey, token: str, *, kid: str | None, typ: str) -> dict[str, Any]:
    """Return the claims of a compact JWS signed by `public`; a `kid` of None is not compared. Raises BadSignature."""
    header, claims = peek(token)
    _check_header(header, kid=kid, typ=typ)
    if "crit" in header or "b64" in header:
        raise BadSignature("crit")
    _decode(token.rpartition(".")[2])
    try:
        jws.deserialize_compact(token, public.jose(), registry=_REGISTRY)
    except (JoseError, ValueError, TypeError) as error:
        raise BadSignature("signature") from error
    return claims


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    if not isinstance(found, str):
        raise BadSignature(name)
    return found


def _key_of(claims: Mapping[str, Any], name: str) -> PublicKey:
    found = claims.get(name)
    if not isinstance(found, dict):
        raise BadSignature(name)
    return PublicKey.from_jwk(found)


def make_node_cert(
    province_key: Key,
    *,
    province_node: str,
    node: str,
    kind: str,
    key: Mapping[str, str],
    areas: Sequence[str],
) -> str:
    """Return the province's certificate over a server's node id, kind, public JWK and areas.

    The province's public key travels inside, since a device has pinned only its thumbprint.
    """
    claims = {
        "node": node,
        "kind": kind,
        "key": dict(key),
        "areas": list(areas),
        "province_key": province_key.public.jwk(),
    }
    return sign_compact(province_key, claims, kid=province_node, typ="node")


def check_node_cert(cert: str, province_thumbprint: str) -> dict[str, Any]:
    """Return the claims of a certificate that chains to the pinned thumbprint; raises BadSignature otherwise."""
    province = _key_of(peek(cert)[1], "province_key")
    if province.thumbprint() != province_thumbprint:
        raise BadSignature("province")
    # The province's node id is not pinned by the enrolment code: its key is, so `kid` has nothing to add.
    claims = verify_compact(province, cert, kid=None, typ="node")
    _text(claims, "node")
    _text(claims, "kind")
    _key_of(claims, "key")
    return claims


def make_grant(
    node_key: Key,
    *,
    node: str,
    dev: str,
    key: Mapping[str, str],
    agent: str,
    role: str,
    areas: Sequence[str],
    expires: str,
    node_cert: str | None,
) -> str:
    """Return a node's grant for a device; `expires` is an ISO 8601 time with offset.

    The `node_cert` inside makes the grant self-contained; a node that has not joined yet has none.
    """
    claims = {
        "dev": dev,
        "key": dict(key),
        "agent": agent,
        "role": role,
        "areas": list(areas),
        "expires": expires,
        "node_cert": node_cert,
    }
    return sign_compact(node_key, claims, kid=node, typ="grant")


def check_grant(
    grant: str, province_thumbprint: str, *, node_keys: Mapping[str, PublicKey] | None = None
) -> dict[str, Any]:
    """Return the claims of a grant that chains to the pinned thumbprint; raises BadSignature otherwise.

    `node_keys` (node id → key) are nodes the caller trusts already, such as itself before it joined; others must come
    with their `node_cert`. Only the province makes servers: a commune granting a server role goes beyond its own.
    Expiry is not looked at: it stops sessions, not writing (protocol section 5).
    """
    header, unverified = peek(grant)
    node = _text(header, "kid")
    known = (node_keys or {}).get(node)
    by_province = known is not None
    if known is None:
        chained = check_node_cert(_text(unverified, "node_cert"), province_thumbprint)
        if chained["node"] != node:
            raise BadSignature("kid")
        known = _key_of(chained, "key")
        by_province = chained["kind"] in _SERVER_KINDS
    claims = verify_compact(known, grant, kid=node, typ="grant")
    if _text(claims, "role") in _SERVER_ROLES and not by_province:
        raise BadSignature("role")
    _text(claims, "dev")
    _key_of(claims, "key")
    return claims


def bounds_of(grant: str) -> frozenset[str] | None:
    """Return the areas within which the node that made a grant may grant, as its certificate says; None = any.

    For a grant that `check_grant` accepted by a certificate. A granted area that is not named there must lie in one
    that is, which takes the list of the territory to tell: the caller's business.
    """
    claims = peek(_text(peek(grant)[1], "node_cert"))[1]
    if claims.get("kind") in _SERVER_KINDS:
        return None
    areas = claims.get("areas")
    return (
        frozenset(each for each in areas if isinstance(each, str)) if isinstance(areas, list) else frozenset()
    )
