"""Sends batches to a server under measure, from a process of its own (tests.bench.tablets)."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence

from tests.bench.tablets import PATIENCE_SECONDS, Sent
from tests.bench.workload import Sealed, folder, headers


def send(url: str, batches: Sequence[Sealed], *, tablets: int) -> Sent:
    """Push every batch from so many tablets at once, each over one connection; raises where a receipt is missing."""
    shares = [[(each.body, headers(each)) for each in batches[start::tablets]] for start in range(tablets)]
    with folder() as home:
        work, answer = home / "work", home / "answer"
        work.write_bytes(pickle.dumps([share for share in shares if share]))
        command = [sys.executable, "-m", "tests.bench.tablets", url, str(work), str(answer)]
        subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
        sent: Sent = pickle.loads(answer.read_bytes())
    if sent.errors or len(sent.requests) != len(batches):
        raise RuntimeError(f"{len(batches)} batches, {len(sent.requests)} receipts, {sent.errors} errors")
    return sent
