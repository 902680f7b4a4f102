"""`make faults`, or `python -m tests.faults [--engine sqlite] [--kinds "power cut,commune killed"] [--seed 17]
[--times 1] [--out FILE]`: faults on real processes, and what was lost or counted twice. FAULTS=full runs for hours."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.leg import FULL_TIMES, KINDS, Leg, Line
from tests.faults.report import failed, show
from tests.faults.serve import Nursery

ENGINES = ("sqlite", "postgresql")
SEED = 20261125


def main() -> int:
    """Run the legs side by side, print the table; 0 when nothing was lost or doubled and the control lost some."""
    asked = _parse()
    if asked.leg:
        _one_leg(asked)
        return 0
    begun = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="mboka-faults-"))
    home.chmod(0o711)  # PostgreSQL runs under another account where we are root
    try:
        legs = [(home / f"{engine}.ndjson", _start(engine, home, asked=asked)) for engine in asked.engine]
        codes = [process.wait() for _, process in legs]
        found = [line for path, _ in legs for line in _read(path)]
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if asked.out:
        asked.out.write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
    show(found, seconds=time.monotonic() - begun, seed=asked.seed)
    reasons = failed(found, control="power cut" in asked.kinds)
    reasons += ["a leg ended badly"] if any(codes) else []
    for reason in reasons:
        print(f"FAILED: {reason}", file=sys.stderr)
    return 1 if reasons else 0


def _parse() -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    times = FULL_TIMES if os.environ.get("FAULTS") == "full" else 1.0
    parser.add_argument("--engine", type=lambda text: tuple(text.split(",")), default=ENGINES)
    parser.add_argument("--kinds", type=lambda text: tuple(text.split(",")), default=KINDS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--times", type=float, default=times, help="how often, against a default run")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--leg", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    for name in asked.kinds:
        if name not in KINDS:
            parser.error(f"unknown kind {name!r}; known: {', '.join(KINDS)}")
    return asked


def _start(engine: str, home: Path, *, asked: Any) -> subprocess.Popen[bytes]:
    words = ["--engine", engine, "--kinds", ",".join(asked.kinds), "--seed", str(asked.seed)]
    words += ["--times", str(asked.times), "--leg", str(home)]
    return subprocess.Popen([sys.executable, "-m", "tests.faults", *words])


def _one_leg(asked: Any) -> None:
    engine = asked.engine[0]
    home = asked.leg / engine
    home.mkdir()
    begun = time.monotonic()
    with (asked.leg / f"{engine}.ndjson").open("w", encoding="utf-8") as out:

        def told(line: Line) -> None:
            out.write(json.dumps(line) + "\n")
            out.flush()
            if line["type"] == "phase":
                print(f"{time.monotonic() - begun:4.0f} s {engine}: {line['kind']}", file=sys.stderr)

        nursery = Nursery()
        try:
            Leg(engine, home, asked.seed, asked.kinds, told, nursery, asked.times).run()
        finally:
            nursery.close()


def _read(path: Path) -> Iterator[Line]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


if __name__ == "__main__":
    sys.exit(main())
