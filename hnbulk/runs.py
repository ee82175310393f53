"""Starting and resuming a run of whatever kind a plan is, and writing what became of its rows.

The kind is read from the plan's own steps; of a run that has begun, the journal knows it. Nothing
is sent here but by the kind's own module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hnbulk import approval, engine, running
from hnbulk.apply import Changes
from hnbulk.approval import check_place, known_of, look_for_moved, rows_now
from hnbulk.attempts import doubted
from hnbulk.audit import Findings, audit
from hnbulk.authorize import Letters
from hnbulk.connection import Connection
from hnbulk.engine import Means
from hnbulk.entries import RunRecord
from hnbulk.errors import RunInterrupted, UsageError
from hnbulk.files import private_folder, write_private
from hnbulk.lookups import Lookups
from hnbulk.moved import CHANGED, DONE, Drift, Judged, rebase
from hnbulk.planfile import PlanFile, PlanRow
from hnbulk.progress import OPEN_STATES
from hnbulk.results import PARTS, Results, class_rows, sort_rows
from hnbulk.rowplaces import RowPlaces
from hnbulk.running import Run
from hnbulk.settings import Pace
from hnbulk.steps import Action, Ending, State, Verdict
from hnbulk.verify import Calls, check_calls
from hnbulk.wording import count_text, when_text
from hnbulk.work import Work

ORDERS, CALLS, LETTERS = "orders", "calls", "letters"
_SHOWN = 20  # steps that moved, told one by one


_WORK: Mapping[str, Callable[[], Work]] = {ORDERS: Changes, CALLS: Calls, LETTERS: Letters}


def kind_of(plan: PlanFile) -> str:
    """What a plan does: `orders` (create, update, cancel), `calls` or `letters`.

    Raises `UsageError` for a plan that mixes them.
    """
    actions = {step.action for step in plan.steps}
    kinds = {
        CALLS if action is Action.VERIFY else LETTERS if action is Action.AUTHORIZE else ORDERS
        for action in actions
    }
    if len(kinds) > 1:
        raise UsageError(f"this plan mixes {' and '.join(sorted(kinds))}; make one plan for each.")
    return kinds.pop() if kinds else ORDERS


def start_run(
    connection: Connection,
    plan: PlanFile,
    *,
    approve: str,
    place_calls: int | None = None,
    pace: Pace | None = None,
) -> Run:
    """A run of the plan is under way in its own threads.

    `approve` is the first eight characters (or more) of the plan's checksum; a plan of calls
    also needs `place_calls`, exactly its number of calls. Raises `PlanRefused` and its kinds,
    `LimitRefused`, `AccessRefused`; nothing was sent then.
    """
    kind = kind_of(plan)
    if place_calls is not None and kind != CALLS:
        raise UsageError("--place-calls is for a plan of calls; this plan has none.")
    if kind == CALLS:
        check_calls(plan, place_calls)
    return engine.start(plan, _WORK[kind](), _means(connection, pace), approve=approve)


def resume_run(connection: Connection, run_id: str | None = None, *, pace: Pace | None = None) -> Run:
    """The newest unfinished run, or the one named, goes on: what is in doubt is looked up first.

    No call is placed on resume. Raises `UsageError` where there is no such run, `RunLocked` where
    it is under way elsewhere.
    """
    known = connection.journal.runs(counted=False)
    chosen = [run for run in known if (run.run_id == run_id if run_id else run.unfinished)]
    if not chosen:
        wanted = f"no run {run_id!r}" if run_id else "no unfinished run"
        raise UsageError(f"there is {wanted} of this account in {connection.home}; see `hnbulk runs`.")
    run = chosen[0]
    return engine.resume(run.run_id, _WORK[run.kind](), _means(connection, pace))


def how_interrupted(connection: Connection, plan: PlanFile) -> RunInterrupted:
    """What a person is told who interrupted an apply of the plan before or after its run was waited for."""
    for record in connection.journal.runs():
        if record.checksum == plan.checksum:
            resends = _WORK[record.kind]().sends_on_resume
            way_on = running.way_on(record.run_id, sends_on_resume=resends)
            if not record.unfinished:
                way_on = f"The run has ended; `hnbulk resume {record.run_id}` tells how, and sends nothing."
            return RunInterrupted(f"interrupted; nothing is lost. {way_on}", run_id=record.run_id)
    return RunInterrupted("interrupted before the run had begun; nothing was sent. Apply the plan again.")


@dataclass(frozen=True, slots=True)
class Audited:
    """A run and what an audit found of it."""

    run_id: str
    findings: Findings

    def as_json(self) -> dict[str, Any]:
        """The audit as one JSON document."""
        found = self.findings
        return {
            "run_id": self.run_id,
            "clean": found.clean,
            "numbers": found.numbers,
            "unseen": found.unseen,
            "unsent": found.unsent,
            "undecided": found.undecided,
            "counts": found.counts,
            "findings": [one.as_line() for one in found],
        }

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.findings}"


def audit_run(
    connection: Connection, run_id: str | None = None, *, say: Callable[[str], object] = lambda _: None
) -> Audited:
    """The run's creates compared with the orders there are now; only reads, and writes nothing.

    Without `run_id` it is the newest finished run that created orders. `say` is told what is waited for.
    Raises `UsageError` where there is no such run, and what reads raise.
    """
    journal, clock = connection.journal, connection.clock
    known = journal.runs()
    record = _chosen(connection, known, run_id)
    plan = journal.plan_of(record.run_id)
    lookups = _lookups(connection)
    settled = journal.marked_at(record.run_id) + timedelta(seconds=connection.pace.settle)

    def wait() -> bool:
        if settled > clock.now():
            say(f"orders are not to be seen yet; looking again at {settled:%H:%M:%S} UTC ...")
        clock.wait_until(settled)
        return True

    made, canceled = _since(connection, known[: known.index(record)])
    found = audit(
        plan,
        endings_of(connection, record.run_id, plan),
        lookups,
        wait=wait,
        since=made,
        canceled=canceled,
    )
    return Audited(record.run_id, found)


@dataclass(frozen=True, slots=True)
class Rebased:
    """A plan made anew from an older one: what is left of it, what was dropped and what is done."""

    plan: PlanFile
    before: PlanFile
    judged: Judged

    def as_json(self) -> dict[str, Any]:
        """How many steps were kept, those that moved, how many are done, and other rows changed."""
        moved = [asdict(one) for one in self.judged.gone]
        done, changed = len(self.judged.done), len(self.changed)
        return {"kept": len(self.plan.steps), "moved": moved, "done": done, "changed": changed}

    @property
    def changed(self) -> list[PlanRow]:
        """The rows that needed nothing, and whose orders were changed since they were compared."""
        return [row for row in self.plan.rows_left(Verdict.NOTHING) if row.code == CHANGED]

    def __str__(self) -> str:
        kept, done, moved = len(self.plan.steps), len(self.judged.done), self.judged.gone
        dropped = len(self.before.steps) - kept - done
        places = RowPlaces.of(self.plan)
        sums = f"kept {count_text(kept, 'step')}, dropped {dropped:,}"
        lines = [f"{sums}, already done {done:,}" if done else sums]
        lines += [
            f"  {places.one(one.row) if one.row is not None else f'step {one.step}':<9} {one.message}"
            for one in moved[:_SHOWN]
        ]
        if len(moved) > _SHOWN:
            lines.append(f"  ... and {len(moved) - _SHOWN:,} more")
        if changed := len(self.changed):
            rows = f"{count_text(changed, 'row')} that needed nothing"
            lines.append(f"{rows} changed since; plan the list again to compare them")
        return "\n".join(lines)


def rebase_plan(connection: Connection, plan: PlanFile) -> Rebased:
    """The plan without the steps whose orders moved on since or are as they want them, compared with
    them as they are now.

    A row with a request in doubt is never done, and what a run of this plan was refused is dropped.
    Only reads. Raises `PlanStale`, `AccessRefused`, `UsageError` for a plan of another place, and what
    reads raise.
    """
    lookups, read_at = _look_anew(connection, plan)
    judged, listing = look_for_moved(plan, lookups, known_of(plan, connection.journal))
    made_at = datetime.now(UTC)
    now = rows_now(plan, lookups, listing)
    return Rebased(rebase(plan, judged, now, made_at=made_at, read_at=read_at), plan, judged)


@dataclass(frozen=True, slots=True)
class Drifted:
    """How the service is not as a plan saw it, read at `read_at` (ISO 8601, UTC)."""

    plan: PlanFile
    read_at: str
    drift: tuple[Drift, ...]

    def as_json(self) -> dict[str, Any]:
        """When the service was read, and each row that drifted."""
        return {"drift_read_at": self.read_at, "drift": [asdict(one) for one in self.drift]}

    def __str__(self) -> str:
        seen = when_text(datetime.fromisoformat(self.plan.header.read_at).astimezone(UTC))
        since = f"since the plan read the service on {seen}"
        ordered = sorted((one for one in self.drift if one.code != DONE), key=lambda one: one.stands)
        done = len(self.drift) - len(ordered)
        if not ordered:
            told = f"{done:,} done already; " if done else ""
            else_ = "of the others no" if done else "no"
            return f"Drift: {told}{else_} order has another status or date of change {since}."
        fallen = sum(not one.stands for one in ordered)
        sums = f"{count_text(len(ordered), 'row')} moved {since}; {fallen:,} cannot be done any more"
        sums += f"; {done:,} done already" if done else ""
        places = RowPlaces.of(self.plan)
        lines = [f"Drift: {sums}", *(_drift_line(one, places) for one in ordered[:_SHOWN])]
        if len(ordered) > _SHOWN:
            lines.append(f"  ... and {len(ordered) - _SHOWN:,} more")
        if fallen or done:
            lines.append("`hnbulk plan --rebase PLAN --out NEW` keeps the others.")
        return "\n".join(lines)


def _drift_line(one: Drift, places: RowPlaces) -> str:
    place = places.one(one.row) if one.row is not None else one.sid
    return f"{' ' if one.stands else '!'} {place:<9} {one.message}"


def find_drift(connection: Connection, plan: PlanFile) -> Drifted:
    """How the service is not as the plan saw it; only reads. Raises as `rebase_plan` does."""
    lookups, read_at = _look_anew(connection, plan)
    found = approval.find_drift(plan, lookups, known_of(plan, connection.journal))
    return Drifted(plan, read_at.isoformat(), tuple(found))


def _look_anew(connection: Connection, plan: PlanFile) -> tuple[Lookups, datetime]:
    """Reads for a plan of this place, and the service's time."""
    check_place(plan, account_sid=connection.account_sid, base_url=connection.base_url)
    lookups = _lookups(connection)
    lookups.greet()  # before a first reply nobody knows the service's time
    return lookups, connection.clock.now()


def rows_to_retry(
    connection: Connection, run_id: str, classes: Sequence[str]
) -> tuple[PlanFile, frozenset[int]]:
    """The plan of a run that is over, and those of its rows that are of these error classes.

    Raises `UsageError` for a run that can be resumed, and for a class that none of its rows has.
    """
    record = connection.journal.run(run_id)
    if record.unfinished and _WORK[record.kind]().sends_on_resume:
        raise UsageError(f"run {run_id} has not finished: `hnbulk resume {run_id}` first.", run_id=run_id)
    plan = connection.journal.plan_of(run_id)
    found = class_rows(plan, endings_of(connection, run_id, plan))
    wanted = {name for name in classes if name in found and name != "in-doubt"}
    if not wanted or wanted != set(classes):
        there = ", ".join(f"{name} ({len(rows):,})" for name, rows in found.items()) or "none"
        missing = " or ".join(sorted(set(classes) - wanted)) or "no class"
        raise UsageError(
            f"run {run_id} has no rows of {missing} to plan again. Its classes are: {there}.",
            run_id=run_id,
        )
    return plan, frozenset(row for name in wanted for row in found[name])


def _chosen(connection: Connection, known: Sequence[RunRecord], run_id: str | None) -> RunRecord:
    """The run of this id; without one the newest finished run that created orders, or else the newest."""
    if run_id is not None:
        return connection.journal.run(run_id)
    finished = [record for record in known if record.kind == ORDERS and not record.unfinished]
    if not finished:
        raise UsageError("there is no finished run of orders here; `hnbulk runs` lists them.")
    plan_of = connection.journal.plan_of
    made = (one for one in finished if any(s.action is Action.CREATE for s in plan_of(one.run_id).steps))
    return next(made, finished[0])


def _since(connection: Connection, later: Sequence[RunRecord]) -> tuple[set[str], set[str]]:
    """The orders that these runs made, and those that they canceled."""
    made: set[str] = set()
    canceled: set[str] = set()
    for record in later:
        if record.kind != ORDERS:
            continue
        steps = connection.journal.plan_of(record.run_id).steps
        for one in connection.journal.endings(record.run_id):
            if one.state is State.DONE and one.sid is not None:
                action = steps[one.step].action
                (canceled if action is Action.CANCEL else made).add(one.sid)
    return made, canceled


def write_results(results: Results, stem: Path) -> dict[str, Path]:
    """Three files lie beside each other: `<stem>.success.csv`, `.error.csv`, `.unprocessed.csv`.

    Each has the user's own columns in their order, then the `hn_` columns. Raises `UsageError`
    where one cannot be written.
    """
    private_folder(stem.parent)
    paths: dict[str, Path] = {part: stem.with_name(f"{stem.name}.{part}.csv") for part in PARTS}
    for part in PARTS:
        write_private(paths[part], (line.encode() for line in results.lines(part)))
    return paths


def results_of(connection: Connection, run_id: str) -> Results:
    """Every input row of a run with what became of it, by the journal alone."""
    plan = connection.journal.plan_of(run_id)
    return sort_rows(plan, endings_of(connection, run_id, plan))


def endings_of(connection: Connection, run_id: str, plan: PlanFile) -> list[Ending]:
    """What became of the run's steps, those in doubt too; a step without ending was never sent."""
    journal = connection.journal
    endings = journal.endings(run_id)
    if sum(one.state not in OPEN_STATES for one in endings) == len(plan.steps):
        return endings
    doubts = doubted(journal.attempts(run_id), endings)
    groups = {group for step in doubts if (group := plan.steps[step].group) is not None}
    if groups:  # one request for all of them, journalled under the first
        doubts |= {n for n, step in enumerate(plan.steps) if step.group in groups}
        doubts -= {one.step for one in endings if one.state not in OPEN_STATES}
    return [*endings, *(Ending(step, State.IN_DOUBT) for step in sorted(doubts))]


def failures_of(connection: Connection, run_id: str) -> dict[str, int]:
    """How many input rows of a run failed, by class (`results.ERROR_CLASSES`). One that was never sent,
    or is in doubt, did not."""
    journal = connection.journal
    found = class_rows(journal.plan_of(run_id), journal.endings(run_id))
    return {name: len(rows) for name, rows in found.items() if name not in ("unsent", "in-doubt")}


def _means(connection: Connection, pace: Pace | None) -> Means:
    return Means(
        client=connection.client,
        journal=connection.journal,
        history=connection.history,
        clock=connection.clock,
        pace=pace or connection.pace,
        gate=connection.gate,
    )


def _lookups(connection: Connection) -> Lookups:
    """Reads of the account at its pace, outside of any run."""
    throttle = _means(connection, None).throttle()
    return Lookups(connection.client, connection.dialect, throttle, now=connection.clock.now)
