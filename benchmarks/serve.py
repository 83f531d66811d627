"""`howto serve` with 50 clients at once on loopback, each asking again as soon as it is answered.

Figures:
    serve.errors.50_clients    replies that were no 200, and connections that failed
    serve.p95_ms.50_clients    95th percentile of a search by words on 10,000 clips; reported
"""

import http.client
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from library_of_clips import make_library
from measure import Figure, emit, parse

CLIENTS = 50
SECONDS, SECONDS_QUICK = 60, 5
QUERIES = ("fold", "shirt", "iron+the+sleeve", "pour", "nothing+that+anybody+says")


def ask_again_and_again(port: int, until: float) -> tuple[list[float], int]:
    """Milliseconds of every answer, and how many were none."""
    taken, errors = [], 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    number = 0
    while time.monotonic() < until:
        number += 1
        began = time.perf_counter()
        try:
            connection.request("GET", f"/api/search?q={QUERIES[number % len(QUERIES)]}&by=words")
            reply = connection.getresponse()
            reply.read()
            errors += reply.status != 200
        except (OSError, http.client.HTTPException):
            errors += 1
            connection.close()
        taken.append(1000 * (time.perf_counter() - began))
    connection.close()
    return taken, errors


def main() -> None:
    seconds = SECONDS_QUICK if parse(__doc__).quick else SECONDS
    howto = Path(sys.executable).with_name("howto")
    with tempfile.TemporaryDirectory() as name:
        library = make_library(Path(name) / "library", videos=100, lines=100)
        subprocess.run([howto, "search", "fold", library], check=True, capture_output=True)
        command = [howto, "serve", library, "--port", "0", "--json"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        said = "".join(iter(server.stdout.readline, "}\n")) + "}"
        port = int(json.loads(said)["address"].rstrip("/").rpartition(":")[2])
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(CLIENTS) as clients:
            asked = [clients.submit(ask_again_and_again, port, until) for _ in range(CLIENTS)]
            ended = [one.result() for one in asked]
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
    taken = [one for answers, _ in ended for one in answers]
    errors = sum(errors for _, errors in ended)
    p95 = statistics.quantiles(taken, n=20)[-1]
    print(f"{len(taken)} searches in {seconds} s", file=sys.stderr)
    emit(
        [
            Figure.at_most("serve.errors.50_clients", errors, 0, "count"),
            Figure.reported("serve.p95_ms.50_clients", p95, "ms"),
        ]
    )


if __name__ == "__main__":
    main()
