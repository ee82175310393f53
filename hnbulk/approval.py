"""Whether a plan may be applied here and now: approved, of this account, fresh, and not begun before.

This refuses or it does not; it sends nothing and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hnbulk.attempts import is_doubtful
from hnbulk.entries import RunRecord
from hnbulk.errors import AccessRefused, PlanRefused, PlanStale, RunLocked, UsageError
from hnbulk.journal import Journal
from hnbulk.progress import OPEN_STATES
from hnbulk.steps import PlanFile
from hnbulk.wire import DIALECTS

#: A plan older than this is made again (safety rules, A08).
MAX_AGE = timedelta(hours=24)


def check_approval(plan: PlanFile, *, account_sid: str, base_url: str, approve: str) -> None:
    """This plan may be applied to this account at this address, by whoever gave `approve`.

    Raises `PlanRefused`, `UsageError`, `AccessRefused`, `PlanStale`.
    """
    checksum, head = plan.checksum, plan.header
    if len(approve) < 8 or not checksum.startswith(approve.lower()):
        raise PlanRefused(
            f"the approval {approve[:8]!r} is not this plan's: it needs the first eight characters (or "
            f"more) of its checksum. Review it with `hnbulk show`, then --approve {checksum[:8]}.",
            checksum=checksum,
        )
    if head.dialect not in DIALECTS:
        raise UsageError(f"this version does not speak the dialect {head.dialect!r}.", dialect=head.dialect)
    if head.account_sid != account_sid:
        raise AccessRefused(
            f"the plan is for account {head.account_sid}, the credentials are of {account_sid}. "
            "Use the right account, or make the plan again.",
            account_sid=head.account_sid,
        )
    if head.base_url != base_url:
        raise PlanStale(
            f"the plan was made against {head.base_url}, not {base_url}. Make it again here.",
            base_url=head.base_url,
        )


def check_age(plan: PlanFile, now: datetime) -> None:
    """The plan is not too old at `now`, a world time. Raises `PlanStale`."""
    age = now - datetime.fromisoformat(plan.header.read_at)
    if age > MAX_AGE:
        raise PlanStale(
            f"the plan read the service {age // timedelta(hours=1)} hours ago; the limit is "
            f"{MAX_AGE // timedelta(hours=1)}. Make it again with `hnbulk plan`.",
            read_at=plan.header.read_at,
        )


def is_applied(plan: PlanFile, record: RunRecord, journal: Journal) -> bool:
    """The finished run has applied this very plan; not one of the same steps made again since.

    Rows that were refused, or that a person had to look at, may be planned again, and the plan
    then has the same steps. It was made after the run where it read the service after it and
    is not the file that the run applied; on a clock that stands still only the latter shows.
    """
    return record.checksum == plan.checksum and not _made_since(plan, record, journal)


def _made_since(plan: PlanFile, record: RunRecord, journal: Journal) -> bool:
    applied, head = journal.plan_of(record.run_id).header, plan.header
    read_since = datetime.fromisoformat(head.read_at) >= journal.marked_at(record.run_id)
    return read_since and head.made_at > applied.made_at


def refuse_unfinished(
    plan: PlanFile, known: Sequence[RunRecord], journal: Journal, *, sends_on_resume: bool
) -> None:
    """No run of this plan is left to resume, and no other run has a request in doubt.

    Where a resume sends nothing, a plan made since may do what its run left. Raises `RunLocked`,
    naming the run and the way on.
    """
    for record in known:
        if not record.unfinished:
            continue
        if record.checksum == plan.checksum and not sends_on_resume:
            if not _doubts_of(record, journal) and not _made_since(plan, record, journal):
                raise RunLocked(
                    f"run {record.run_id} has applied a part of this plan. Plan the calls that were not "
                    "placed again with `hnbulk verify`.",
                    run_id=record.run_id,
                )
        elif record.checksum == plan.checksum:
            raise RunLocked(
                f"run {record.run_id} has applied a part of this plan. Go on with "
                f"`hnbulk resume {record.run_id}`.",
                run_id=record.run_id,
            )
        if doubts := _doubts_of(record, journal):
            raise RunLocked(
                f"run {record.run_id} has {doubts} requests in doubt, which this plan cannot know of. "
                f"First `hnbulk resume {record.run_id}`, then make the plan again.",
                run_id=record.run_id,
            )


def _doubts_of(record: RunRecord, journal: Journal) -> int:
    ended = {one.step for one in journal.endings(record.run_id) if one.state not in OPEN_STATES}
    newest = {attempt.step: attempt for attempt in journal.attempts(record.run_id)}
    return sum(is_doubtful(attempt) for step, attempt in newest.items() if step not in ended)
