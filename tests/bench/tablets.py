"""The tablets of a benchmark, run as a process of their own that knows nothing of the server: it starts quickly, and
what it costs is not measured as the server's."""

from __future__ import annotations

import http.client
import pickle
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE_SECONDS = 900


@dataclass
class Sent:
    """What the tablets saw: seconds from the first byte to the last receipt, seconds of each request that got one,
    how often they were told to come again, and other answers."""

    seconds: float = 0.0
    requests: list[float] = field(default_factory=list)
    postponed: int = 0
    errors: int = 0

    def percentile(self, part: float) -> float:
        """The request time below which this part of them lies (the greatest where they are few)."""
        ordered = sorted(self.requests)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    @property
    def median(self) -> float:
        """The middle request time."""
        return statistics.median(self.requests)


def _tablet(
    address: str, share: list[tuple[bytes, dict[str, str]]], sent: Sent, *, begin: threading.Barrier
) -> None:
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)
    connection.connect()
    begin.wait()
    for body, said in share:
        while True:
            begun = time.perf_counter()
            connection.request("POST", "/sync/v1/batches", body, said)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 503:
                break
            sent.postponed += 1
            time.sleep(0.05)
        if answer.status == 200 and text.endswith(b'"dispositions":{}}'):
            sent.requests.append(time.perf_counter() - begun)
        else:
            sent.errors += 1
    connection.close()


def main(url: str, work: Path, to: Path) -> None:
    """Send the shares found in `work`; what was seen goes to the file `to`."""
    shares, sent = pickle.loads(work.read_bytes()), Sent()
    begin = threading.Barrier(len(shares) + 1)
    address = urlsplit(url).netloc
    threads = [
        threading.Thread(target=_tablet, args=(address, share, sent), kwargs={"begin": begin})
        for share in shares
    ]
    for thread in threads:
        thread.start()
    begin.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    sent.seconds = time.perf_counter() - begun
    to.write_bytes(pickle.dumps(sent))


if __name__ == "__main__":
    # Under its own name, so that the other process can read what this one saw.
    from tests.bench import tablets

    tablets.main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
