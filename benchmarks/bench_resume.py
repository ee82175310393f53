"""How soon a resume of a large run sends, and how much memory the run takes until its end.

    python benchmarks/bench_resume.py [ROWS]

The journal has ROWS (100,000) creates; all but the last 2,000 of them are done and their process
died with eight requests in doubt. `hnbulk resume` then runs to its end, audit and result files
included, against a bare server that has the done ones. The issue's limits: 2 s, 300 MB.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bare import ACCOUNT, bare_server, phone, sid

from hnbulk.entries import Ended, Intent, Result
from hnbulk.journal import Journal
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.steps import Action, Ending, State, Step, Verdict
from hnbulk.wire import PREVIEW, create_order

LEFT, IN_DOUBT = 2_000, 8
FIRST_REQUEST, PEAK = 2.0, 300.0  # seconds, MB


def _hash(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _intent(number: int, step: Step, now: datetime) -> Intent:
    request = create_order(PREVIEW, {"phone_number": step.phone_number, **step.after})
    return Intent(number, 1, "create", request.fingerprint(), now, 1.0)


def write_journal(home: Path, url: str, rows: int) -> None:
    """A journal of one run of `rows` creates whose process has died."""
    now = datetime.now(UTC)
    steps = [
        Step(
            n + 2,
            Action.CREATE,
            phone(n),
            after={
                "friendly_name": f"Branch {n}",
                "unique_name": f"hn1-{n:020d}",
                "email": f"branch{n}@example.com",
                "address_sid": f"AD{_hash(7)[:32]}",
            },
            precondition={"generation": 0, "live": None},
        )
        for n in range(rows)
    ]
    names = ("phone", "name", "email", "city")
    cells = [(phone(n), f"Branch {n}", f"branch{n}@example.com", "Montreal") for n in range(rows)]
    lines = [
        PlanRow(n + 2, dict(zip(names, line, strict=True)), Verdict.PLANNED) for n, line in enumerate(cells)
    ]
    header = PlanHeader("preview", url, ACCOUNT, "0" * 64, "b.csv", names, now.isoformat(), now.isoformat())
    with Journal.open(home, account_sid=ACCOUNT, base_url=url) as journal:
        journal.begin("r1", PlanFile(header, tuple(steps), tuple(lines)), kind="orders", at=now, options={})
        done = rows - LEFT
        for first in range(0, done, 400):
            some = range(first, min(first + 400, done))
            intents = [Intent(n, 1, "create", _hash(n), now, 1.0) for n in some]
            ids = journal.intend("r1", intents)
            sids = [sid(n) for n in some]
            journal.record(
                "r1",
                results=[
                    Result(i, "done", "status-201", now, sid=s, status="received", server_date=now)
                    for i, s in zip(ids, sids, strict=True)
                ],
                endings=[
                    Ended(Ending(n, State.DONE, s, "received"), steps[n].content_hash(), _hash(n))
                    for n, s in zip(some, sids, strict=True)
                ],
            )
        journal.intend("r1", [_intent(n, steps[n], now) for n in range(done, done + IN_DOUBT)])


def _cpu_seconds(process: int) -> float:
    """Processor time of a running process, by Linux."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(process: subprocess.Popen[str]) -> float:
    """Megabytes the process has held at most, when it is over. What `wait4` tells counts its parent too."""
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)])
        time.sleep(0.02)
    return peak / 1024


def main() -> None:
    """Print the times of the first requests, the peak, and the limits."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        bare_server(rows - LEFT) as server,
    ):
        home = Path(folder) / "home"
        write_journal(home, server.url, rows)
        settings = {
            "HNBULK_BASE_URL": server.url,
            "HNBULK_HOME": str(home),
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": "x" * 32,
        }
        began = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-m", "hnbulk", "resume", "--settle", "1", "--results", folder, "--json"],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            text=True,
        )
        first_get = server.first("GET") - began
        cpu = _cpu_seconds(child.pid)
        first_post = server.first("POST") - began
        peak = _peak(child)
        taken = time.monotonic() - began
        assert child.stdout is not None
        out = child.stdout.read()
    print(out.strip()[:400])
    print(f"{rows:,} rows: first request after {first_get:.2f} s (limit {FIRST_REQUEST:.0f} s),")
    print(f"{cpu:.2f} s of them on a processor (what a machine with nothing else to do needs),")
    print(f"first create after {first_post:.2f} s, all over after {taken:.1f} s (exit {child.returncode});")
    print(f"peak {peak:.0f} MB (limit {PEAK:.0f} MB)")


if __name__ == "__main__":
    main()
