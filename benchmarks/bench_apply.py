"""How fast a run of creates is, as a share of a plain httpx.Client loop over the same bare server.

    python benchmarks/bench_apply.py [ROWS]

Both have the same number of connections, no pace limit, and take turns; the share is the median of
three. The run's journal is on the disk of the working folder. The issue's limit: 70 %.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from bare import ACCOUNT, ORDERS, bare_server, phone
from pydantic import SecretStr

from hnbulk.connection import open_connection
from hnbulk.planfile import PlanFile, PlanHeader
from hnbulk.runs import start_run
from hnbulk.settings import Credentials, Pace
from hnbulk.steps import Action, Step

ROUNDS = 3
SHARE = 0.70


def plain_rate(url: str, connections: int, rows: int) -> float:
    """Orders a second of threads that post and read the reply, one client between them."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    left = itertools.count()

    def work() -> None:
        while (n := next(left)) < rows:
            form = {
                "PhoneNumber": phone(n),
                "SmsCapability": "true",
                "FriendlyName": f"Branch {n}",
                "UniqueName": f"hn1-{n:020d}",
            }
            client.post(ORDERS, data=form).json()

    with httpx.Client(base_url=url, auth=(ACCOUNT, "x"), limits=limits) as client:
        threads = [threading.Thread(target=work) for _ in range(connections)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return rows / (time.perf_counter() - began)


def run_rate(url: str, connections: int, rows: int) -> float:
    """Orders a second from the call that starts the run until its last create is done."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        pace = Pace(None, connections, 120.0)
        credentials = Credentials(ACCOUNT, ACCOUNT, SecretStr("x"))
        with open_connection(url, credentials, home=Path(folder), pace=pace) as connection:
            now = datetime.now(UTC).isoformat()
            steps = tuple(
                Step(
                    n + 2,
                    Action.CREATE,
                    phone(n),
                    after={"friendly_name": f"Branch {n}", "unique_name": f"hn1-{n:020d}"},
                )
                for n in range(rows)
            )
            header = PlanHeader("preview", url, ACCOUNT, "0" * 64, "b.csv", ("phone",), now, now)
            plan = PlanFile(header, steps, ())
            began = time.perf_counter()
            run = start_run(connection, plan, approve=plan.checksum)
            while run.progress.done < rows:
                time.sleep(0.005)
            taken = time.perf_counter() - began
            run.stop()
            run.wait(60)
    return rows / taken


def main() -> None:
    """Print both rates and their ratio, by connections."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    with bare_server() as server:
        plain_rate(server.url, 1, 200)
        for connections in (4, 8):
            shares = []
            for _ in range(ROUNDS):
                plain = plain_rate(server.url, connections, rows)
                ours = run_rate(server.url, connections, rows)
                shares.append(ours / plain)
                print(f"{connections} connections: plain {plain:.0f}/s, run {ours:.0f}/s", flush=True)
            median = statistics.median(shares)
            print(f"{connections} connections: {median:.0%} of the plain loop (limit {SHARE:.0%})")


if __name__ == "__main__":
    main()
