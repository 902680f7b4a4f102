"""`mboka verify`: everything stored is checked again from the signed bytes, with a fold of its own that shares nothing
with the one that wrote the tables."""

from app.audit.report import Report
from app.audit.verification import verify

__all__ = ["Report", "verify"]
