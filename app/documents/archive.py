"""Many documents in one zip, named by their issue numbers; the same documents give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from app.clock import moment
from app.documents.issuing import Issued


def archive(issued: Sequence[Issued], pages: Sequence[bytes]) -> bytes:
    """A zip of the PDFs (`pages` in the order of `issued`), stored as they are: a PDF does not get smaller."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as zipped:
        for document, page in zip(issued, pages, strict=True):
            at = moment(document.values["issued_at"])
            entry = zipfile.ZipInfo(
                document.file_name, (at.year, at.month, at.day, at.hour, at.minute, at.second)
            )
            zipped.writestr(entry, page)
    return made.getvalue()
