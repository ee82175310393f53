"""A list applied under fire: faults in the service, kills of the worker, and the service's own books.

The list is a person's own; service, orders and calls are a sandbox's, which by design stops no
duplicate by itself. What is judged is what the sandbox knows, not what the client says.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from tqdm.auto import tqdm

from hnbulk import wire
from hnbulk.errors import HnbulkError, InputError, RunStopped
from hnbulk.files import write_private
from hnbulk.intake import Intake
from hnbulk.planfile import PlanFile
from hnbulk.rehearsal import Record, Rehearsal
from hnbulk.runs import audit_run
from hnbulk.scoreboard import Books, Score, is_create, judge
from hnbulk.steps import Action, State

#: The sandbox takes a second order for a number and for a name: only the client is in the way of one.
OPEN_WORLD = ("enforce_numbers=false", "enforce_unique_names=false")
KILLS, SEED, SETTLE = 10, 7, 2.0
#: Seconds a worker lives on average where nothing else kills it first.
LIFE = 5.0
_GARBAGE = ("html", "text", "half", "list", "null", "nan", "nested", "utf8")
#: One stranger's order for so many planned numbers, but a few at least.
_STRANGERS_ONE_IN, _STRANGERS_LEAST = 100, 3
#: A run that stops by itself so often, and sends nothing in between, is given up.
_MOST_STOPS = 20
#: Seconds that late requests are waited for, before the books are read.
_LATEST = 60.0
_FINISHED, _SOME_FAILED = 0, 3


def standard_faults(seed: int = SEED) -> list[dict[str, Any]]:
    """The trouble of a bad day, in any request: 5 % resets, 5 % 503 (of both, half are carried out),
    5 % 429, 1 % carried out a second late, 1 % that get garbage for an answer."""
    return [
        {"action": "reset_before", "probability": 0.025, "seed": seed},
        {"action": "reset_after", "probability": 0.025, "seed": seed + 1},
        {"action": "status", "status": 503, "processed": True, "probability": 0.025, "seed": seed + 2},
        {"action": "status", "status": 503, "probability": 0.025, "seed": seed + 3},
        {"action": "status", "status": 429, "probability": 0.05, "seed": seed + 4},
        {"action": "late", "seconds": 1, "probability": 0.01, "seed": seed + 5},
        *(
            {"action": "garbage", "content": content, "probability": 0.01 / len(_GARBAGE), "seed": seed + n}
            for n, content in enumerate(_GARBAGE, 6)
        ),
    ]


@dataclass(frozen=True, slots=True)
class Drill:
    """How a drill went. `home` has the journal, `folder` everything else it left."""

    rows: int
    planned: int  # numbers to be created
    strangers: int  # orders of somebody else that were there
    again: int  # numbers that came back for a person to look at, and were planned once more in peace
    kills: int
    runs: int  # processes of the worker
    seconds: float
    stopped: str  # why it could not be brought to its end; empty where it was
    audit_findings: int  # what the client's own audit found afterwards
    score: Score
    folder: Path
    home: Path

    @property
    def held(self) -> bool:
        """Every promise was kept, and everything came to its end."""
        return not (self.stopped or self.audit_findings or self.score.broken)

    def as_json(self) -> dict[str, Any]:
        """The drill as one JSON object."""
        own = {name: getattr(self, name) for name in ("rows", "planned", "strangers", "again")}
        names = ("audit_findings", "kills", "runs", "seconds", "stopped")
        ran = {name: getattr(self, name) for name in names}
        return {**own, **asdict(self.score), **ran, "broken": sorted(self.score.broken), "held": self.held}


def drill(
    intake: Intake,
    *,
    folder: Path,
    home: Path | None = None,
    kills: int = KILLS,
    seed: int = SEED,
    settle: float = SETTLE,
    life: float = LIFE,
    faults: Sequence[Mapping[str, Any]] | None = None,
    progress: bool = False,
) -> Drill:
    """The list has been applied to a sandbox under `faults` (default: the standard ones), its worker
    killed `kills` times, and the outcome judged by the sandbox's books, which lie in `folder`. A worker
    that is to be killed lives `life` seconds on average.

    Bad rows are set aside. `home` is the worker's own HNBULK_HOME, by default a new folder in
    `folder`. Nothing runs any more afterwards. Raises `InputError` where no row can be planned.
    """
    if not len(intake.targets):
        raise InputError(
            f"{intake.name} has no row that can be planned; `hnbulk check` tells why.", file=intake.name
        )
    # subaccounts are of the real account; the sandbox has others
    intake = replace(intake, targets=intake.targets.assign(account_sid=None))
    home = home or Path(tempfile.mkdtemp(prefix="home-", dir=folder))
    began = time.monotonic()
    with Rehearsal.start(folder, seed=seed, settings=OPEN_WORLD) as there:
        course = _Course(there, intake, home, settle, random.Random(seed), progress)
        course.prepare()
        there.set_faults(standard_faults(seed) if faults is None else faults)
        course.run(kills, life)
        there.set_faults([])
        course.wait_for_late_ones()
        course.run_again()
        findings = course.audit()
        score = course.judge()
    return Drill(
        rows=len(intake.rows),
        planned=len(course.planned),
        strangers=len(course.strangers),
        again=course.again,
        kills=course.kills,
        runs=course.runs,
        seconds=round(time.monotonic() - began, 1),
        stopped=course.stopped,
        audit_findings=findings,
        score=score,
        folder=folder,
        home=home,
    )


@dataclass(frozen=True, slots=True)
class _Life:
    """When a worker is killed: after so many creates sent, or so many seconds from its first request
    on, what comes first."""

    sends: int
    seconds: float


@dataclass(slots=True)
class _Course:
    """One drill under way."""

    there: Rehearsal
    intake: Intake
    home: Path
    settle: float
    chance: random.Random
    progress: bool
    planned: tuple[str, ...] = ()
    strangers: list[Record] = field(default_factory=list)
    again: int = 0
    kills: int = 0
    runs: int = 0
    stopped: str = ""
    _plan: str = ""  # the first characters of the checksum of what is applied
    _before: int = 0  # requests that were the drill's own
    _read: int = 0  # requests of the ledger that were looked at
    _sent: int = 0  # creates among them
    _numbers: set[str] = field(default_factory=set)

    def prepare(self) -> None:
        """Fates are given, strangers' orders are there, the plan lies in the folder."""
        numbers = self.intake.targets["phone_number"].tolist()
        self.there.give_fate(numbers, "smooth")
        self._lay_strangers(numbers)
        steps = self._make_plan().steps
        self.planned = tuple(step.phone_number for step in steps if step.action is Action.CREATE)
        self._before = self._read = len(self.there.ledger())

    def run(self, kills: int, life: float) -> None:
        """The plan is applied to its end, its worker killed so often meanwhile; or it is given up."""
        share = len(self.planned) / (kills + 1)
        lives = (
            _Life(1 + round(self.chance.uniform(0, 1.6 * share)), self.chance.expovariate(1 / life))
            for _ in range(kills)
        )
        with tqdm(
            total=len(self.planned), desc="drill", unit=" orders", leave=False, disable=not self.progress
        ) as bar:
            self._to_the_end(lives, bar)

    def wait_for_late_ones(self) -> None:
        """What was to be carried out late has been, so that its order counts."""
        deadline = time.monotonic() + _LATEST
        while any(
            line["fault"] == "late" and line["did"] == "nothing"
            for line in self.there.ledger(after=self._before)
        ):
            if time.monotonic() > deadline:
                return
            time.sleep(0.2)

    def run_again(self) -> None:
        """What came back for a person to look at is planned again, and applied in peace."""
        if self.stopped:
            return
        creates = [step for step in self._make_plan().steps if step.action is Action.CREATE]
        self.again = len(creates)
        if creates:
            with tqdm(disable=True) as bar:
                self._to_the_end((), bar)

    def audit(self) -> int:
        """How much the audits of the runs find that is not as it should be."""
        if self.stopped:
            return 0
        found = 0
        for run_id in self._runs():
            with self.there.account(self.home) as account:
                findings = audit_run(account.connection, run_id).findings
            found += sum(findings.counts.values()) + findings.unseen
        return found

    def judge(self) -> Score:
        """The sandbox's books, which are in the folder now, and what they say."""
        books = Books(self.there.orders(), self.there.ledger(after=self._before), self.there.calls())
        for name, records in (("orders", books.orders), ("requests", books.ledger)):
            content = b"".join(orjson.dumps(record) + b"\n" for record in records)
            write_private(self.there.folder / f"{name}.jsonl", content)
        return judge(self.planned, books, strangers=self.strangers, claims=self._claims())

    # -- the world before the run

    def _lay_strangers(self, numbers: Sequence[str]) -> None:
        """Orders of somebody else are there, on numbers beside the list's."""
        wanted = max(_STRANGERS_LEAST, len(numbers) // _STRANGERS_ONE_IN)
        beside = _beside(numbers, wanted)
        self.there.give_fate(beside, "smooth")
        with self.there.account(self.home) as account:
            connection = account.connection
            for n, number in enumerate(beside):
                named = {
                    "phone_number": number,
                    "unique_name": f"stranger-{n}",
                    "friendly_name": "Another's",
                }
                connection.client.send(wire.create_order(connection.dialect, named))
        self.strangers = self.there.orders()

    def _make_plan(self) -> PlanFile:
        with self.there.account(self.home) as account:
            plan = account.plan(self.intake, set_aside=True, progress=self.progress)
        plan.save(self.there.folder / "drill.plan")
        self._plan = plan.checksum[:8]
        return plan.file

    # -- the run

    def _to_the_end(self, lives: Iterable[_Life], bar: tqdm[Any]) -> None:
        """Workers follow each other until one ends the run; each life of `lives` ends in a kill."""
        left = iter(lives)
        known = len(self._runs())
        begun, stops = False, 0
        life = next(left, None)
        while True:
            sent = self._sent
            code = self._live(life, self._worker(begun=begun), bar)
            if code in (_FINISHED, _SOME_FAILED):
                return
            begun = begun or len(self._runs()) > known
            if code is None:
                life = next(left, None)
                continue
            stops = 0 if self._sent > sent else stops + 1
            said = self.there.last_words()
            # 1 is also what a first reading that failed ends with; a fault of our own is not gone over
            goes_on = code in (RunStopped.exit_code, HnbulkError.exit_code) and "unexpected" not in said
            if not goes_on or stops > _MOST_STOPS:
                self.stopped = f"the worker ended with {code}: {said}"
                return

    def _worker(self, *, begun: bool) -> subprocess.Popen[bytes]:
        self.runs += 1
        verb = ("resume",) if begun else ("apply", "drill.plan", "--approve", self._plan)
        options = ("--settle", str(self.settle), "--results", "results")
        return self.there.worker(*verb, *options, home=self.home)

    def _live(self, life: _Life | None, worker: subprocess.Popen[bytes], bar: tqdm[Any]) -> int | None:
        """The exit code of a worker that ended by itself; None where it was killed."""
        read, sent = self._read, self._sent
        first: float | None = None  # when its first request was seen
        while True:
            with suppress(subprocess.TimeoutExpired):
                code = worker.wait(self.chance.uniform(0.01, 0.05) if life else 0.2)
                self._look(bar)
                return code
            self._look(bar)
            if life is None or self._read == read:
                continue
            first = first or time.monotonic()
            if self._sent - sent >= life.sends or time.monotonic() - first >= life.seconds:
                worker.kill()
                worker.wait()
                self.kills += 1
                return None

    def _look(self, bar: tqdm[Any]) -> None:
        """What came in since the last look is counted."""
        lines = self.there.ledger(after=self._read)
        self._read += len(lines)
        creates = [line["phone_number"] for line in lines if is_create(line)]
        self._sent += len(creates)
        self._numbers.update(creates)
        bar.set_postfix(kills=self.kills, refresh=False)
        bar.update(len(self._numbers) - bar.n)

    # -- what the client says

    def _runs(self) -> list[str]:
        """The runs of the journal, oldest first."""
        with self.there.account(self.home) as account:
            return [record.run_id for record in reversed(account.connection.journal.runs())]

    def _claims(self) -> dict[str, str]:
        """The sids of the orders that the client says are there, by number."""
        claims = {}
        for run_id in self._runs():
            with self.there.account(self.home) as account:
                journal = account.connection.journal
                steps = journal.plan_of(run_id).steps
                endings = journal.endings(run_id)
            for one in endings:
                step = steps[one.step]
                if step.action is Action.CREATE and one.state is State.DONE and one.sid:
                    claims[step.phone_number] = one.sid
        return claims


def _beside(numbers: Sequence[str], wanted: int) -> list[str]:
    """So many numbers that are near those, and none of them."""
    return [number for number, _ in zip(_near(numbers), range(wanted), strict=False)]


def _near(numbers: Sequence[str]) -> Iterator[str]:
    taken = set(numbers)
    for away in range(1, 10_000):
        for number in numbers:
            near = f"{number[:-4]}{(int(number[-4:]) + away) % 10_000:04}"
            if near not in taken:
                taken.add(near)
                yield near
    raise HnbulkError("there is no room beside the list's numbers.")
