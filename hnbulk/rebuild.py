"""A journal begun anew from a plan whose run is lost with the old one.

Nobody knows then what was sent. So every step is taken as sent and unanswered, and the ordinary
resume looks each one up, takes over what is there, and sends the rest once. This sends nothing;
calls and letters are not rebuilt, they are planned again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hnbulk import wire
from hnbulk.apply import Changes
from hnbulk.approval import check_approval
from hnbulk.database import BUSY
from hnbulk.entries import Intent, Result
from hnbulk.errors import JournalError, PlanRefused, UsageError
from hnbulk.files import private_folder, sync_folder
from hnbulk.journal import FILE, Journal
from hnbulk.lineage import marker
from hnbulk.messages import Request
from hnbulk.outcome import Operation, OutcomeKind
from hnbulk.planfile import PlanFile
from hnbulk.runlock import RunLock
from hnbulk.runs import ORDERS, kind_of
from hnbulk.shapes import Connect, connect_sqlite
from hnbulk.steps import Action, Step


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A run that is there to be resumed; `moved` is where the old journal lies now, if there was one."""

    run_id: str
    checksum: str
    steps: int
    moved: Path | None


def rebuild(
    home: Path,
    plan: PlanFile,
    *,
    approve: str,
    account_sid: str,
    base_url: str,
    wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    connect: Connect = connect_sqlite,
) -> Rebuilt:
    """The journal of `home` holds a run of this plan in which every step may have been sent.

    A journal that cannot be used is moved aside first; one that is whole and knows nothing of the
    plan takes the run in. Raises `PlanRefused` where it has a run of the plan that can be resumed,
    `RunLocked` while a run is under way, `JournalError` while another process uses the journal, and as
    `check_approval` does.
    """
    check_approval(plan, account_sid=account_sid, base_url=base_url, approve=approve)
    if kind_of(plan) != ORDERS:
        raise UsageError(
            "a plan of calls or letters is not rebuilt: nothing of it is ever sent twice. Make it again "
            "with `hnbulk verify` or `hnbulk authorize`; it reads what each order shows."
        )
    private_folder(home)
    lock = RunLock.take(home, "rebuild")
    try:
        if _is_whole(home, plan, connect, account_sid=account_sid, base_url=base_url):
            with Journal.open(home, account_sid=account_sid, base_url=base_url) as journal:
                run_id = _begin(journal, plan, wall())
            moved = None
        else:
            run_id, moved = _begin_anew(home, plan, wall, account_sid=account_sid, base_url=base_url)
    finally:
        lock.release()
    return Rebuilt(run_id, plan.checksum, len(plan.steps), moved)


def _is_whole(home: Path, plan: PlanFile, connect: Connect, *, account_sid: str, base_url: str) -> bool:
    """The journal opens and all of it can be read. Raises `PlanRefused` where it knows the plan, and
    `JournalError` where nobody can say, for another process uses it."""
    if not (home / FILE).exists():
        return False
    try:
        with Journal.open(home, account_sid=account_sid, base_url=base_url, connect=connect) as journal:
            known = journal.runs()
            for run in known:
                journal.plan_of(run.run_id)
                journal.attempts(run.run_id)
                journal.endings(run.run_id)
    except JournalError as error:
        if error.facts.get("kind") == BUSY:
            raise
        return False
    for run in known:
        if run.checksum == plan.checksum:
            way_on = f"Go on with `hnbulk resume {run.run_id}`." if run.unfinished else "It has finished."
            raise PlanRefused(
                f"the journal is whole and has run {run.run_id} of this plan; it was left as it is. "
                f"{way_on}",
                run_id=run.run_id,
            )
    return True


def _begin_anew(
    home: Path, plan: PlanFile, wall: Callable[[], datetime], *, account_sid: str, base_url: str
) -> tuple[str, Path | None]:
    """The new journal is made with the run in it, and only then takes the old one's place.

    The marker goes before: at any moment in between the journal counts as missing, never as new.
    """
    with tempfile.TemporaryDirectory(dir=home, prefix=".rebuild-") as name:
        scratch = Path(name)
        with Journal.open(scratch, account_sid=account_sid, base_url=base_url) as journal:
            run_id = _begin(journal, plan, wall())
        moved = _move_aside(home, wall())
        marker(scratch).replace(marker(home))
        sync_folder(home)
        (scratch / FILE).replace(home / FILE)
        sync_folder(home)
    return run_id, moved


def _move_aside(home: Path, at: datetime) -> Path | None:
    """The old journal and what belongs to it lie beside it under other names; the first of them."""
    moved = []
    for name in (FILE, f"{FILE}-journal"):
        old = home / name
        if old.is_symlink() or (old.exists() and (name == FILE or old.stat().st_size)):
            moved.append(old.rename(home / f"{name}.{at:%Y%m%d-%H%M%S-%f}.damaged"))
    sync_folder(home)
    return moved[0] if moved else None


def _begin(journal: Journal, plan: PlanFile, wall: datetime) -> str:
    run_id = journal.new_run_id(wall, plan.checksum)
    # the lost run began after the plan was read: an order of ours since then was made by it
    began = datetime.fromisoformat(plan.header.read_at)
    sent = [
        Intent(number, 1, str(_OPERATIONS[step.action]), request.fingerprint(), began, 0.0)
        for number, step in enumerate(plan.steps)
        if (request := _request(plan, step)) is not None
    ]
    journal.begin(run_id, plan, kind=Changes.kind, at=began, options={}, sent=sent)
    told = [
        Result(attempt.attempt, str(OutcomeKind.AMBIGUOUS), "rebuilt", began)
        for attempt in journal.attempts(run_id)
    ]
    journal.record(run_id, results=told)
    journal.mark(run_id, "stopped", at=began, note="rebuilt from its plan; resume it to look every step up")
    return run_id


_OPERATIONS = {
    Action.CREATE: Operation.CREATE,
    Action.UPDATE: Operation.UPDATE,
    Action.CANCEL: Operation.DELETE,
}


def _request(plan: PlanFile, step: Step) -> Request | None:
    """What the lost run would have sent for the step.

    None for an update of an order that the run itself was to make: its sid is in no plan. It is
    read and compared before it is sent, as any update, and sets absolute values.
    """
    dialect = wire.DIALECTS[plan.header.dialect]
    if step.action is Action.CREATE:
        return wire.create_order(dialect, {"phone_number": step.phone_number, **step.after})
    if step.sid is None:
        return None
    if step.action is Action.UPDATE:
        return wire.update_order(dialect, step.sid, step.after)
    return wire.delete_order(dialect, step.sid)
