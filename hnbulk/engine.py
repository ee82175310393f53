"""The journalled executor: checks that a plan may be applied, and runs it in threads of its own.

Nothing is started without the approval of the very plan, the one lock of the home, and a journal
that holds it. What a step means is for the kind of run (`work.Work`); this knows no order.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from hnbulk.approval import check_age, check_approval, is_applied, refuse_moved, refuse_unfinished
from hnbulk.client import Client
from hnbulk.coordinator import Coordinator
from hnbulk.database import DAMAGED
from hnbulk.entries import FINISHED, RunRecord
from hnbulk.errors import (
    AccessRefused,
    HnbulkError,
    JournalError,
    ReplyUnreadable,
    RunStopped,
    ServiceUnreachable,
)
from hnbulk.failpoints import failpoint
from hnbulk.history import History
from hnbulk.journal import Journal
from hnbulk.lookups import Listing, Lookups
from hnbulk.planfile import PlanFile
from hnbulk.pool import Pool
from hnbulk.progress import Report, Tally
from hnbulk.runlock import RunLock
from hnbulk.running import Run
from hnbulk.sending import Sender
from hnbulk.settings import Pace
from hnbulk.steps import State
from hnbulk.throttle import Gate, Throttle
from hnbulk.wire import DIALECTS
from hnbulk.work import Desk, Work, WorldClock

ALREADY = "already applied"


@dataclass(frozen=True, slots=True)
class Means:
    """What a run works with. `gate` is the account's one rate, shared with whoever reads meanwhile;
    it brings the pace clock. `wall` is the machine's time, which names runs and nothing else."""

    client: Client
    journal: Journal
    history: History
    clock: WorldClock
    pace: Pace
    gate: Gate
    chance: Callable[[], float] = random.random
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)

    def throttle(self) -> Throttle:
        """A throttle of this pace that nobody uses yet."""
        return Throttle(self.pace, self.gate, chance=self.chance)


def start(plan: PlanFile, work: Work, means: Means, *, approve: str) -> Run:
    """A run of the plan is under way, or the finished run of this very plan is handed back.

    Raises `UsageError`, `PlanRefused` and its kinds, `AccessRefused`, or `RunStopped` where the
    service does not answer, or something else does; nothing was sent then.
    """
    client = means.client
    check_approval(plan, account_sid=client.account_sid, base_url=client.base_url, approve=approve)
    journal = means.journal
    lock = journal.lock("start")
    try:
        known = journal.runs(counted=False)
        for record in known:
            if not record.unfinished and is_applied(plan, record, journal):
                lock.release()
                return _over_already(record, means)
        refuse_unfinished(plan, known, journal, sends_on_resume=work.sends_on_resume)
        with _stopping_unread("apply the plan again; nothing was sent"):
            lookups = _learn_the_time(plan, means)
            now = means.clock.now()
            check_age(plan, now)
            listing = refuse_moved(plan, lookups, now)
        run_id = journal.new_run_id(means.wall(), plan.checksum)
        lock.name(run_id)
        journal.begin(run_id, plan, kind=work.kind, at=now, options=asdict(means.pace))
        failpoint("after_begin")
        return _launch(run_id, plan, work, means, lock, began_at=now, listing=listing)
    except BaseException:
        lock.give_up()  # unless the run has begun: then it alone frees the lock
        raise


def resume(run_id: str, work: Work, means: Means) -> Run:
    """The run goes on: what is in doubt is looked up first, then what was never sent goes out.

    A finished run is handed back as it is. Raises `UsageError` where there is no such run,
    `RunLocked` where it is under way, `RunStopped` where the service does not answer, or something
    else does.
    """
    journal = means.journal
    lock = journal.lock(run_id)
    try:
        record = journal.run(run_id, counted=False)
        if not record.unfinished:
            lock.release()
            return _over_already(record, means)
        plan = journal.plan_of(run_id)
        journal.take_in(run_id)
        with _stopping_unread(f"`hnbulk resume {run_id}`", run_id=run_id):
            _learn_the_time(plan, means)
        journal.mark(run_id, "running", at=means.clock.now())
        return _launch(run_id, plan, work, means, lock, began_at=record.made_at, resumed=True)
    except BaseException:
        lock.give_up()
        raise


def _launch(
    run_id: str,
    plan: PlanFile,
    work: Work,
    means: Means,
    lock: RunLock,
    *,
    began_at: datetime,
    resumed: bool = False,
    listing: Listing | None = None,
) -> Run:
    throttle = means.throttle()
    lookups = Lookups(means.client, DIALECTS[plan.header.dialect], throttle, now=means.clock.now)
    desk = Desk(
        plan,
        run_id=run_id,
        lookups=lookups,
        history=means.history,
        clock=means.clock,
        began_at=began_at,
        settle=timedelta(seconds=means.pace.settle),
        resumed=resumed,
        listing=listing,
    )
    tally = Tally(len(plan.steps), monotonic=throttle.monotonic, settle=means.pace.settle)
    sender = Sender(run_id, work, desk, means.client, means.journal, throttle, tally)
    journal, resends = means.journal, work.sends_on_resume
    run = Run(run_id, work.kind, tally, throttle, journal, sends_on_resume=resends)

    def coordinate() -> None:
        if not lock.keep():
            return  # given up before this thread came to it; the run is there to be resumed
        report: Report | None = None
        error: BaseException | None = None
        try:
            pool = Pool(means.pace.most_connections, name=f"hnbulk-{run_id}")
            try:
                coordinator = Coordinator(sender, pool, throttle, means.pace, resumed=resumed)
                with means.gate.at(means.pace.rate):
                    _run_to_its_end(coordinator, throttle)
                report = _close(run, coordinator, means)
            finally:
                pool.close(timeout=0.0 if throttle.interrupted else None)
        except BaseException as raised:  # raised again by `wait`, in whichever thread asks
            error = raised
        finally:
            lock.release()
            run.finish(report, error)

    try:
        threading.Thread(target=coordinate, name=f"hnbulk-{run_id}", daemon=True).start()
        return run
    except BaseException:
        # nobody gets the handle of this run: it must not go on unseen
        throttle.stop("interrupted.", interrupted=True)
        raise


def _run_to_its_end(coordinator: Coordinator, throttle: Throttle) -> None:
    """The work is done, or the run was told to stop and why."""
    try:
        coordinator.run()
    except HnbulkError as error:
        if error.facts.get("kind") == DAMAGED:
            raise  # going on is not the way out of this one
        code = error.exit_code if isinstance(error, AccessRefused) else RunStopped.exit_code
        throttle.stop(error.message, exit_code=code)


def _close(run: Run, coordinator: Coordinator, means: Means) -> Report:
    """The journal says how the run ended."""
    work, throttle, resumed = coordinator.work, coordinator.throttle, coordinator.resumed
    counts = coordinator.sender.tally.counts
    left = counts.get(str(State.PENDING), 0) if work.sends_on_resume or not resumed else 0
    doubts = counts.get(str(State.IN_DOUBT), 0)
    all_done = counts == {str(State.DONE): sum(counts.values())} or not counts
    if coordinator.taken_up and not left and not doubts:
        code = 0 if all_done and coordinator.audited else 3
        if not coordinator.audited and throttle.exit_code == AccessRefused.exit_code:
            code = throttle.exit_code  # that of a stop says that it can be resumed: nothing is left here
        state, message = FINISHED, _remarks(coordinator, counts)
    else:
        state = "interrupted" if throttle.interrupted else "stopped"
        reason = throttle.reason or "some rows could not be sent."
        code = throttle.exit_code or RunStopped.exit_code
        message = f"{reason} {run.way_on}"
    failpoint("before_mark")
    try:
        means.journal.mark(run.run_id, state, at=means.clock.now(), note=message or None)
    except JournalError as error:  # a full disk: what is not written down is looked up by the resume
        code = RunStopped.exit_code
        message = f"{error.message} Then: {run.way_on}"
        return Report(run.run_id, "stopped", code, counts, message)
    failpoint("after_mark")
    return Report(run.run_id, state, code, counts, message)


def _remarks(coordinator: Coordinator, counts: dict[str, int]) -> str:
    """What a person should know of a run that has finished."""
    if pending := counts.get(str(State.PENDING), 0):
        return f"{pending} calls were never placed; a resume places none. Plan them again."
    said = []
    if taken_over := coordinator.sender.taken_over:
        said.append(
            f"{taken_over:,} of {sum(counts.values()):,} orders were there already, made before from the "
            "same list; they were taken over, not made again."
        )
    kinds = Counter(one.code for one in coordinator.found)
    if counted := ", ".join(f"{count:,} {code}" for code, count in kinds.items()):
        said.append(f"the audit found {counted}; see the error file. Nothing was deleted.")
    if not coordinator.audited:
        reason = f" ({coordinator.throttle.reason.rstrip('.')})" if coordinator.throttle.reason else ""
        said.append(
            f"the audit could not be made{reason}; do it with `hnbulk audit {coordinator.sender.run_id}`."
        )
    return " ".join(said)


def _learn_the_time(plan: PlanFile, means: Means) -> Lookups:
    """What reads before a run. A world that runs by itself has told its time: before its first reply
    nobody knows it."""
    lookups = Lookups(means.client, DIALECTS[plan.header.dialect], means.throttle(), now=means.clock.now)
    if not means.clock.frozen:
        lookups.greet()
    return lookups


@contextmanager
def _stopping_unread(then: str, **facts: str) -> Iterator[None]:
    """What could not be read before a run goes on stops it, and it can be tried again: `then` says how."""
    try:
        yield
    except ServiceUnreachable as error:
        raise RunStopped(
            f"the service does not answer ({error.facts.get('kind')}); nothing is lost. Check the network, "
            f"then {then}.",
            **facts,
        ) from None
    except ReplyUnreadable as error:
        raise RunStopped(f"{error.message} Nothing is lost: {then}.", **facts) from None


def _over_already(record: RunRecord, means: Means) -> Run:
    """The handle of a run that has finished; nothing is sent."""
    tally = Tally(record.steps)
    endings = means.journal.endings(record.run_id)
    tally.put((one.step, one.state) for one in endings)
    run = Run(record.run_id, record.kind, tally, means.throttle(), means.journal)
    done = all(one.state is State.DONE for one in endings) and len(endings) == record.steps
    message = f"this plan was applied by run {record.run_id}; nothing was sent again."
    run.finish(Report(record.run_id, ALREADY, 0 if done else 3, tally.counts, message))
    return run
