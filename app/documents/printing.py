"""The press: sheets become PDF/A pages through typst templates, the same bytes for the same sheet. A commune may lay
its own templates over the shipped ones; what is printed is decided elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import segno
import structlog
import typst

from app.documents.sheet import TITLES, sample_sheet
from app.errors import problem
from app.settings import write_durably

TEMPLATE_BROKEN = problem(
    "template_broken",
    422,
    "Modèle de document défectueux",
    "Corrigez le modèle de la commune (mboka templates check) ; le modèle d'origine sert en attendant.",
)
STANDARD: Final = "a-2b"
SHIPPED, KEPT = "shipped", "kept"
SAMPLE_CODE = "MBK1:0"
SAMPLE_MOMENT = datetime(2026, 2, 2, tzinfo=UTC)
# typst lets go of the interpreter while it works: two presses keep two cores busy.
PRESSES = 2
_ENDINGS = (".typ", ".png", ".svg", ".jpg")
log = structlog.get_logger("documents")


@dataclass(frozen=True, slots=True)
class Print:
    """One document to be printed: its type and sheet, the text of its QR, the moment that dates the file."""

    type: str
    sheet: Mapping[str, Any]
    code: str
    at: datetime


@dataclass(frozen=True)
class Templates:
    """A set of templates as it was on one day: file name → content. Its name is the fingerprint of all of them."""

    contents: Mapping[str, bytes]
    commune: str | None

    @cached_property
    def name(self) -> str:
        """`shipped-1f2e…` or `CD-KN-017-9a8b…`: what a document remembers."""
        digest = hashlib.sha256()
        for file, content in sorted(self.contents.items()):
            digest.update(f"{file}\0{len(content)}\0".encode() + content)
        return f"{self.commune or SHIPPED}-{digest.hexdigest()[:16]}"


class Press:
    """Prints for one server. `folder` (DIR/templates) holds the communes' own templates in folders of their codes, and
    under `kept/` every set a document was ever printed with, so that a copy of it comes out the same. Safe for threads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: SimpleQueue[typst.Compiler] = SimpleQueue()
        self._made = 0
        self._lock = threading.Lock()
        self._sound: dict[str, bool] = {}
        self._shipped = Templates(_read(files("app.documents").joinpath("templates")), None)

    def template_for(self, commune: str | None, kind: str) -> str:
        """The name of the set that prints documents of this type for a commune: its own, else the shipped one.

        A set is tried on a made-up child the first time it is seen. Nobody leaves the desk without a paper because a
        template was mistyped: the shipped one prints then, and the document remembers which it was.
        """
        own = self._own(commune)
        if own is None:
            return self._keep(self._shipped)
        tried = f"{own.name} {kind}"
        if tried not in self._sound:
            self._sound[tried] = not self._wrong(own, kind)
        return self._keep(own if self._sound[tried] else self._shipped)

    def check(self, commune: str) -> str:
        """The name of the set that prints for a commune, once each of its templates has printed a made-up child.

        Raises `template_broken`, with what typst says of it.
        """
        templates = self._own(commune) or self._shipped
        for kind in TITLES:
            if wrong := self._wrong(templates, kind):
                raise TEMPLATE_BROKEN(f"Le modèle « {kind} » de {commune} ne s'imprime pas : {wrong}")
        return self._keep(templates)

    def pdf(self, prints: Sequence[Print], template: str) -> bytes:
        """One PDF/A-2b of documents of one type, each on a page of its own; dated by the first."""
        try:
            return self._compile(self._root(template), prints)
        except typst.TypstError as error:
            # What printed the made-up child may still stumble over a real one.
            log.warning("template_broken", template=template, type=prints[0].type, said=error.message[:300])
            return self._compile(self._root(self._keep(self._shipped)), prints)

    def pdfs(self, prints: Sequence[tuple[Print, str]]) -> list[bytes]:
        """One PDF for each (document, template), in order, on as many cores as there are presses."""
        with ThreadPoolExecutor(PRESSES) as workers:
            return list(workers.map(lambda each: self.pdf([each[0]], each[1]), prints))

    def picture(self, one: Print, template: str, *, ppi: float = 144) -> bytes:
        """The page of one document as PNG, from the same source as its PDF."""
        return self._compile(self._root(template), [one], picture=ppi)

    def _root(self, template: str) -> Path:
        """Where a set was kept; one that a restore did not bring back is replaced by the shipped one."""
        root = self._folder / KEPT / template
        return root if root.is_dir() else self._folder / KEPT / self._keep(self._shipped)

    def _own(self, commune: str | None) -> Templates | None:
        if commune is None or not (self._folder / commune).is_dir():
            return None
        return Templates({**self._shipped.contents, **_read(self._folder / commune)}, commune)

    def _wrong(self, own: Templates, kind: str) -> str:
        """What typst says against a set; empty where it prints."""
        sample = Print(kind, sample_sheet(kind), SAMPLE_CODE, SAMPLE_MOMENT)
        try:
            self._compile(self._root(self._keep(own)), [sample])
        except typst.TypstError as error:
            log.warning("template_broken", commune=own.commune, type=kind, said=error.message[:300])
            return str(error.diagnostic or error.message).strip()[:600]
        return ""

    def _keep(self, templates: Templates) -> str:
        """Write a set down under its name, once; gives the name."""
        root = self._folder / KEPT / templates.name
        with self._lock:
            if not (root / ".whole").exists():
                root.mkdir(parents=True, exist_ok=True)
                for file, content in templates.contents.items():
                    write_durably(root / file, content)
                write_durably(root / ".whole", b"")
        return templates.name

    def _compile(self, root: Path, prints: Sequence[Print], *, picture: float | None = None) -> bytes:
        sheets = [{**one.sheet, "code": one.code, "qr": list(qr_png(one.code))} for one in prints]
        told = {"data": json.dumps({"sheets": sheets}, ensure_ascii=False)}
        source = root / f"{prints[0].type}.typ"
        with self._compiler() as compiler:
            made = compiler.compile(
                input=source,
                root=root,
                format="png" if picture else "pdf",
                ppi=picture,
                sys_inputs=told,
                pdf_standards=[] if picture else [STANDARD],
                timestamp=int(prints[0].at.timestamp()),
            )
        if isinstance(made, list):
            return made[0]
        if made is None:
            raise RuntimeError("typst gave nothing")
        return made

    @contextmanager
    def _compiler(self) -> Iterator[typst.Compiler]:
        """A warm compiler nobody else uses meanwhile: fonts and templates are read once."""
        with self._lock:
            if self._made < PRESSES:
                self._made += 1
                self._idle.put(typst.Compiler(ignore_system_fonts=True))
        compiler = self._idle.get()
        try:
            yield compiler
        finally:
            self._idle.put(compiler)


def qr_png(code: str) -> bytes:
    """The QR as a PNG of one dot a module with its quiet zone; a long text gets less redundancy, not smaller dots."""
    # Trying all eight masks takes most of the time and changes nothing for a reader.
    made = segno.make_qr(
        code, error="m" if len(code) <= 800 else "l", boost_error=False, mode="alphanumeric", mask=3
    )
    picture = io.BytesIO()
    made.save(picture, kind="png", border=4, scale=1)
    return picture.getvalue()


def _read(folder: Any) -> dict[str, bytes]:
    """The files of a folder of templates that a template may use."""
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name.endswith(_ENDINGS)}
