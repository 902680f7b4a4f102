"""A verifier that has nothing but public keys and pictures of papers: run as a process of its own.

`python -m tests.documents.apart KEYS FOLDER` reads the QR of every PNG in FOLDER and prints one line of JSON: what each
paper must show, or null where the text is not valid, and whether the text with one byte altered was refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import zxingcpp
from PIL import Image

from app.documents import base45
from app.documents.seal import PREFIX, NotValid, Signer, read_keys, verify

QR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


def main(keys: Path, folder: Path) -> dict[str, Any]:
    """File name → {"facts", "number", "altered_refused"}."""
    signers = read_keys(json.loads(keys.read_text(encoding="utf-8")))
    return {page.name: _one(page, signers) for page in sorted(folder.glob("*.png"))}


def _one(page: Path, signers: dict[str, Signer]) -> dict[str, Any] | None:
    with Image.open(page) as picture:
        # Only QR: in some pages' letters a reader of everything sees a bar code too.
        found = zxingcpp.read_barcodes(picture.convert("L"), formats=QR)
    if len(found) != 1:
        return None
    code = found[0].text
    try:
        paper, _ = verify(code, signers)
    except NotValid:
        return None
    return {"facts": dict(paper.facts), "number": paper.number, "altered_refused": _refused(code, signers)}


def _refused(code: str, signers: dict[str, Signer]) -> bool:
    token = bytearray(base45.decode(code.removeprefix(PREFIX)))
    token[len(token) // 2] ^= 1
    try:
        verify(PREFIX + base45.encode(bytes(token)), signers)
    except NotValid:
        return True
    return False


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
