"""One run in virtual time: the real desk, sender, coordinator, resolver and changes, and nothing else real.

No thread, no socket, no disk: a seed decides every fault, delay, crash and rival, so that a seed that
breaks a promise breaks it again. What must hold at the end is in `promises`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fake_service import ACCOUNT, EPOCH, FakeService, Faults, Record, Rules, Time
from memory_journal import MemoryJournal

from hnbulk import failpoints
from hnbulk.apply import Changes
from hnbulk.coordinator import Coordinator
from hnbulk.errors import HnbulkError
from hnbulk.failpoints import failpoint
from hnbulk.history import Seen
from hnbulk.lookups import Lookups
from hnbulk.messages import Reply, Request
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.progress import Tally
from hnbulk.sending import Sender
from hnbulk.settings import Pace
from hnbulk.steps import Action, Step, Verdict, sort_steps
from hnbulk.throttle import Gate, Throttle
from hnbulk.verify import Calls
from hnbulk.wire import PREVIEW
from hnbulk.work import Chain, Desk, Work

RUN = "r-simulated"


class Crashed(BaseException):
    """The process is dead: nobody catches this but whoever starts the next one."""


class InlinePool:
    """Jobs one after the other in an order that the dice choose."""

    def __init__(self, dice: random.Random) -> None:
        self.size = dice.choice([1, 2, 4])
        self._dice = dice

    def run(
        self,
        jobs: Sequence[Callable[[], None]],
        *,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        for job in self._dice.sample(list(jobs), len(jobs)):
            job()
            if meanwhile is not None and self._dice.random() < 0.2:
                meanwhile()


class Shuffled(Changes):
    """The rows in an order that the dice choose: one worker takes them as they come."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def waves(self, plan: PlanFile) -> list[list[Chain]]:
        return [self._dice.sample(wave, len(wave)) for wave in super().waves(plan)]


class ForgetfulHistory:
    """Nothing of a run rests on the history; only which orders it was told of is kept."""

    def __init__(self) -> None:
        self.orders: set[str] = set()

    def observe(self, seen: Sequence[Seen], **_: Any) -> int:
        self.orders |= {one.order_sid for one in seen}
        return 0

    def note_calls(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything about one simulated run that its seed decided."""

    creates: int = 4
    updates: int = 0
    dependent: int = 0  # updates of orders that the same plan creates
    cancels: int = 0
    calls: int = 0  # then nothing else
    strangers: int = 0  # planned numbers on which a rival makes an order of its own
    rivals: int = 0  # orders of updates and cancels that a rival changes or deletes
    settle: float = 120.0
    rate: float | None = None
    canary: int = 2
    crash: float = 0.0  # at each place
    crashes: int = 0  # at most
    full: float = 0.0  # the disk, at each write
    faults: Faults = field(default_factory=Faults)
    rules: Rules = field(default_factory=Rules)

    @property
    def settles(self) -> bool:
        """Whatever was carried out late is to be seen before the settle window is over."""
        return self.settle > self.faults.longest + self.faults.lag


def options_of(seed: int) -> Options:
    """The same for one seed, for ever. The window outlasts every delay, unless names are enforced."""
    dice = random.Random(f"options {seed}")

    def share(most: float) -> float:
        return round(dice.uniform(0, most), 3) if dice.random() < 0.5 else 0.0

    longest, lag = dice.choice([0.0, 5.0, 60.0, 150.0]), dice.choice([0.0, 0.0, 3.0, 40.0])
    rules = Rules(numbers=dice.random() < 0.4, names=dice.random() < 0.4)
    short = rules.names and dice.random() < 0.3
    faults = Faults(
        refused=share(0.1),
        lost=share(0.15),
        busy=share(0.15),
        malformed=share(0.08),
        broken=share(0.15),
        unanswered=share(0.15),
        late=share(0.15),
        turned_away=share(0.02),
        longest=longest,
        lag=lag,
    )
    calls = dice.random() < 0.15
    return Options(
        creates=0 if calls else dice.randint(1, 5),
        updates=0 if calls else dice.randint(0, 3),
        dependent=0 if calls else dice.randint(0, 2),
        cancels=0 if calls else dice.randint(0, 2),
        calls=dice.randint(1, 5) if calls else 0,
        strangers=0 if calls else dice.randint(0, 1),
        rivals=0 if calls else dice.randint(0, 2),
        settle=2.0 if short else longest + lag + 3.0,
        rate=dice.choice([None, None, 5.0, 1.0]),
        crash=dice.choice([0.0, 0.02, 0.1, 0.4]),
        crashes=dice.randint(0, 5),
        full=dice.choice([0.0, 0.0, 0.0, 0.05]),
        faults=faults,
        rules=rules,
    )


class World:
    """One service, one journal, one plan, and the processes that die over it."""

    def __init__(
        self,
        options: Options,
        seed: int,
        *,
        service: FakeService | None = None,
        steps: Sequence[Step] | None = None,
    ) -> None:
        """`service` may have had other runs before; `steps` stand in place of those of the options."""
        dice = random.Random(f"world {seed}")
        self.options = options
        self.service = service or FakeService(Time(), dice, options.faults, options.rules)
        self.time, self.dice = self.service.time, self.service.dice
        self.began = self.time.now()
        self.journal = MemoryJournal(self.dice)
        self.history = ForgetfulHistory()
        self.work: Work = Calls() if options.calls else Shuffled(self.dice)
        self.crashes = 0
        self.processes = 0
        self.finished = False
        self.broken: list[str] = []  # promises broken on the way
        self.story: list[str] = []
        self.seen: dict[str, dict[str, Any]] = {}  # an order as the client last read it
        self.plan = plan_of(self._steps() if steps is None else steps, self.began)
        self._arrived: Counter[str] = Counter()
        self._hook: Callable[[str], None] = self._strike
        self.service.in_flight = self._in_flight
        self.service.look = self._look

    # -- the plan and the rivals

    def _steps(self) -> list[Step]:
        some, steps = self.options, []
        for n in range(some.creates):
            steps.append(create(n))
            if n < some.dependent:
                steps.append(Step(n + 2, Action.UPDATE, number(n), after={"friendly_name": f"Late {n}"}))
        for n in range(some.updates):
            sid = self._there(100 + n).sid
            old, new = {"friendly_name": f"Old {100 + n}"}, {"friendly_name": f"New {n}"}
            steps.append(Step(102 + n, Action.UPDATE, number(100 + n), sid, old, new))
        for n in range(some.cancels):
            sid = self._there(200 + n).sid
            steps.append(
                Step(None, Action.CANCEL, number(200 + n), sid, precondition={"status": "received"})
            )
        for n in range(some.calls):
            hours = {"not_before": EPOCH.isoformat(), "not_after": (EPOCH + timedelta(hours=5)).isoformat()}
            was = {"status": "received", "verification_attempts": 0, "call_count": 0}
            sid = self._there(300 + n).sid
            steps.append(
                Step(302 + n, Action.VERIFY, number(300 + n), sid, {}, {}, {"wave": n // 2, **hours, **was})
            )
        self._send_rivals()
        return steps

    def _there(self, n: int) -> Record:
        return self.service.make(
            number(n), f"old-{n}", by="before", friendly_name=f"Old {n}", status="received"
        )

    def _send_rivals(self) -> None:
        service, dice = self.service, self.dice
        for n in range(self.options.strangers):
            service.at(dice.uniform(0, 150), lambda n=n: self._stranger(n))
        old = [record for record in service.orders.values() if record.by == "before"]
        for record in dice.sample(old, min(self.options.rivals, len(old))):
            act = dice.choice([self._rename, self._move, self._delete])
            service.at(dice.uniform(0, 150), lambda act=act, record=record: act(record))

    def _stranger(self, n: int) -> None:
        taken = any(record.live for record in self.service.on(number(n)))
        if not (taken and self.options.rules.numbers):
            self.service.make(number(n), f"stranger-{n}", by="rival")

    def _rename(self, record: Record) -> None:
        record.friendly_name = "Rival"
        record.names_by.append(("rival", "Rival"))

    def _move(self, record: Record) -> None:
        record.status = "pending-verification"

    def _delete(self, record: Record) -> None:
        record.deleted_by = record.deleted_by or "rival"

    # -- processes

    def play(self, *, processes: int = 12) -> None:
        """Faults and crashes at first, then calm: the run has ended, and all that was late has arrived."""
        for _ in range(processes):
            if self.process():
                break
        self.heal()
        for _ in range(4):
            if self.finished or self.process():
                break
        self.service.run_out()

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.tell("from here on all is well")
        self.service.heal()
        self.journal.full = 0.0
        self.crashes = self.options.crashes

    def process(self, strike: Callable[[str], None] | None = None) -> bool:
        """One process starts the run or goes on with it, and ends or dies; whether the run has finished."""
        resumed, self.processes = self.processes > 0, self.processes + 1
        self.journal.full = self.options.full if self.crashes < self.options.crashes else 0.0
        self._hook = strike or self._strike
        try:
            with failpoints.on(self._hook):
                self.finished = self._run(resumed=resumed)
        except Crashed as crash:
            self.journal.crash()
            self.tell(f"crashed at {crash}")
        except HnbulkError as error:
            self.tell(f"ended with {error.message}")
        self.time.sleep(1.0 + self.dice.uniform(0, 30))  # until somebody starts it again
        return self.finished

    def open(self, *, resumed: bool = False) -> Coordinator:
        """The run as one process has it in hand, before it does anything."""
        some, time = self.options, self.time
        self.journal.begun.append(time.now())
        pace = Pace(some.rate, 4, some.settle, canary=some.canary)
        gate = Gate(some.rate, monotonic=time.monotonic, sleep=time.sleep)
        throttle = Throttle(pace, gate, chance=self.dice.random)
        service: Any = self.service
        journal: Any = self.journal
        history: Any = self.history
        lookups = Lookups(service, PREVIEW, throttle, now=time.now)
        desk = Desk(
            self.plan,
            run_id=RUN,
            lookups=lookups,
            history=history,
            clock=time,
            began_at=self.began,
            settle=timedelta(seconds=some.settle),
            resumed=resumed,
        )
        tally = Tally(len(self.plan.steps), monotonic=time.monotonic, settle=some.settle)
        sender = Sender(RUN, self.work, desk, service, journal, throttle, tally)
        pool: Any = InlinePool(self.dice)
        return Coordinator(sender, pool, throttle, pace, resumed=resumed)

    def _run(self, *, resumed: bool) -> bool:
        coordinator = self.open(resumed=resumed)
        throttle, tally = coordinator.throttle, coordinator.sender.tally
        try:
            coordinator.run()
        except HnbulkError as error:
            throttle.stop(error.message)
        failpoint("before_mark")
        self.journal.flush()
        failpoint("after_mark")
        counts = tally.counts
        self.tell(f"process {self.processes}: {counts} {throttle.reason}")
        left = counts.get("pending", 0) if self.work.sends_on_resume or not resumed else 0
        return coordinator.taken_up and not left and not counts.get("in-doubt", 0)

    def _strike(self, name: str) -> None:
        if self.crashes < self.options.crashes and self.dice.random() < self.options.crash:
            self.crashes += 1
            raise Crashed(name)

    # -- what the client does, and what it has seen

    def _in_flight(self, place: str, request: Request) -> None:
        if place == "arrived":
            self._judge(request)
        self._hook(place)

    def _judge(self, request: Request) -> None:
        mark = request.fingerprint()
        self._arrived[mark] += 1
        self.tell(f"{request.method} {dict(request.form).get('PhoneNumber', request.path[-6:])}")
        if self._arrived[mark] > self.journal.durable[mark]:
            self.broken.append(f"{request} has no durable intent")
        if self.work.kind == "calls" and self.processes > 1:
            self.broken.append("a call was placed by a resume")
        sid = request.path.rpartition("/")[2]
        if sid.startswith("HR"):
            self._judge_change(sid, request)

    def _judge_change(self, sid: str, request: Request) -> None:
        record, seen = self.service.orders.get(sid), self.seen.get(sid, {})
        step = next((one for one in self.plan.steps if one.sid == sid), None)
        if record is None or (step is None and record.by != "us"):
            self.broken.append(f"{request} touches an order that is not of this plan")
        elif step is not None and step.action is Action.CANCEL and seen.get("status") != "received":
            self.broken.append(f"{request} deletes what was seen as {seen.get('status')}")
        elif step is not None and step.action is Action.UPDATE:
            shown = seen.get("friendly_name")
            if shown != step.before["friendly_name"]:
                self.broken.append(f"{request} overwrites {shown}, which the plan did not see")

    def _look(self, request: Request, reply: Reply) -> None:
        """The client has read this order, if it is one; what it makes of a swapped reply is its affair."""
        sid = request.path.rpartition("/")[2]
        record = self.service.orders.get(sid)
        if (
            request.method == "GET"
            and record is not None
            and reply.status == 200
            and sid in reply.body.decode()
        ):
            self.seen[sid] = record.body()

    def tell(self, what: str) -> None:
        self.story.append(f"{self.time.seconds:9.2f}  {what}")


def number(n: int) -> str:
    """The nth number of the simulated world."""
    return f"+1501555{n:04d}"


def create(n: int) -> Step:
    """The create of row n + 2."""
    return Step(
        n + 2,
        Action.CREATE,
        number(n),
        after={"friendly_name": f"Branch {n}", "unique_name": f"hn1-sim-{n}"},
    )


def plan_of(steps: Sequence[Step], made_at: datetime) -> PlanFile:
    """A plan of these steps, made when the service was read."""
    now = made_at.isoformat()
    header = PlanHeader(
        dialect="preview",
        base_url=FakeService.base_url,
        account_sid=ACCOUNT,
        input_hash="0" * 64,
        input_name="simulated.csv",
        columns=("phone",),
        made_at=now,
        read_at=now,
    )
    rows = {
        one.row: PlanRow(one.row, {"phone": one.phone_number}, Verdict.PLANNED) for one in steps if one.row
    }
    return PlanFile(header, sort_steps(steps), tuple(rows.values()))
