"""A sandbox over real HTTP with an open client, journal and history: what tests of runs stand on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from hnbulk import apply, engine
from hnbulk.client import Client
from hnbulk.clocks import SteppedClock
from hnbulk.connection import Connection
from hnbulk.engine import Means
from hnbulk.history import History
from hnbulk.journal import Journal
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.progress import Report
from hnbulk.running import Run
from hnbulk.sandbox import Sandbox, build_sandbox
from hnbulk.serving import serve
from hnbulk.settings import Credentials, Pace
from hnbulk.steps import Action, Step, Verdict, sort_steps
from hnbulk.throttle import Gate

WALL = datetime(2026, 11, 23, 18, 30, 12, tzinfo=UTC)
PACE = Pace(rate=None, connections=4, settle=120.0)


class PaceClock:
    """A monotonic clock that only sleeping moves: nobody really waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Bench:
    """One sandbox, and one account open on it."""

    sandbox: Sandbox
    client: Client
    journal: Journal
    history: History
    home: Path
    clock: SteppedClock
    pace: Pace = PACE
    ticks: PaceClock = field(default_factory=PaceClock)

    @property
    def means(self) -> Means:
        return Means(
            self.client,
            self.journal,
            self.history,
            self.clock,
            self.pace,
            Gate(self.pace.rate, monotonic=self.ticks.monotonic, sleep=self.ticks.sleep),
            chance=lambda: 0.5,
            wall=lambda: WALL,
        )

    @property
    def connection(self) -> Connection:
        """The same account as a connection, for what starts from one."""
        parts = (self.client, self.journal, self.history, self.clock, self.pace, self.home)
        return Connection(*parts, gate=self.means.gate)

    def plan(
        self, steps: list[Step], *, name: str = "branches.csv", input_hash: str = "0" * 64
    ) -> PlanFile:
        now = self.clock.now().isoformat()
        header = PlanHeader(
            dialect="preview",
            base_url=self.client.base_url,
            account_sid=self.client.account_sid,
            input_hash=input_hash,
            input_name=name,
            columns=("phone",),
            made_at=now,
            read_at=now,
        )
        rows = {
            step.row: PlanRow(step.row, {"phone": step.phone_number}, Verdict.PLANNED) for step in steps
        }
        return PlanFile(header, sort_steps(steps), tuple(rows.values()))

    def creates(self, count: int, *, first: int = 0) -> PlanFile:
        return self.plan([create(first + n) for n in range(count)])

    def start(self, plan: PlanFile, **more: Any) -> Run:
        return engine.start(plan, more.pop("work", apply.Changes()), self.means, approve=plan.checksum[:8])

    def apply(self, plan: PlanFile, **more: Any) -> Report:
        return self.start(plan, **more).wait(30)

    def resume(self, run_id: str, work: Any = None) -> Report:
        return engine.resume(run_id, work or apply.Changes(), self.means).wait(30)

    def advance(self, **span: float) -> None:
        self.sandbox.clock.advance(timedelta(**span).total_seconds())

    def truth(self) -> dict[str, list[dict[str, Any]]]:
        """Orders there are, by number."""
        found: dict[str, list[dict[str, Any]]] = {}
        for order in self.sandbox.orders():
            found.setdefault(order["phone_number"], []).append(order)
        return found

    def posts(self) -> list[dict[str, Any]]:
        return [line for line in self.sandbox.ledger() if line["method"] in ("POST", "DELETE")]

    def reads(self) -> list[dict[str, Any]]:
        return [line for line in self.sandbox.ledger() if line["method"] == "GET"]


def number(n: int) -> str:
    """The nth of many distinct hostable numbers."""
    return f"+1501{200 + n // 10_000:03d}{n % 10_000:04d}"


def create(n: int, **after: Any) -> Step:
    """A create step of row n + 2."""
    fields = {"friendly_name": f"Branch {n}", "unique_name": f"hn1-test-{n}", **after}
    return Step(n + 2, Action.CREATE, number(n), after=fields, precondition={"live": None, "generation": 0})


@contextmanager
def open_bench(home: Path, *, smooth: bool = True, pace: Pace = PACE, **options: Any) -> Iterator[Bench]:
    """A fresh sandbox, served, with an account open on it; closed and gone afterwards."""
    sandbox = build_sandbox(**options)
    if smooth:
        for n in range(130):
            sandbox.set_fate(number(n), "smooth")
    with serve(sandbox.api) as server:
        credentials = Credentials(sandbox.account_sid, sandbox.account_sid, SecretStr(sandbox.auth_token))
        lineage = {"account_sid": sandbox.account_sid, "base_url": server.url}
        with (
            Client(server.url, credentials, connections=pace.most_connections) as client,
            Journal.open(home, **lineage) as journal,
            History.open(home, **lineage) as history,
        ):
            clock = SteppedClock(sandbox.clock.now, sandbox.clock.advance)
            yield Bench(sandbox, client, journal, history, home, clock, pace)
