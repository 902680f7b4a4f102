"""Base45 (RFC 9285): bytes as the letters a QR code holds most densely. Knows nothing of what the bytes mean."""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}


class NotBase45(ValueError):
    """A text that no bytes are written as."""


def encode(data: bytes) -> str:
    """Two bytes become three letters, a last single byte two (RFC 9285 section 4.1)."""
    letters: list[str] = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        value = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            value, digit = divmod(value, 45)
            letters.append(ALPHABET[digit])
    return "".join(letters)


def decode(text: str) -> bytes:
    """The inverse of `encode`; raises NotBase45 for any text that `encode` never gives (RFC 9285 section 6)."""
    data = bytearray()
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        try:
            value = sum(_VALUE[letter] * 45**place for place, letter in enumerate(group))
            data += value.to_bytes(len(group) - 1 or 0, "big")
        except (KeyError, OverflowError) as error:
            raise NotBase45(group) from error
        if len(group) == 1:
            raise NotBase45(group)
    return bytes(data)
