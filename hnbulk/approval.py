"""Whether a plan may be applied here and now: approved, of this account, not moved, and not begun before.

This refuses or it does not; it only reads, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from hnbulk.attempts import doubted
from hnbulk.entries import RunRecord
from hnbulk.errors import AccessRefused, PlanRefused, PlanStale, RunLocked, UsageError
from hnbulk.journal import Journal
from hnbulk.looks import BELIEVED, FEW_STEPS
from hnbulk.lookups import Listing, Lookups
from hnbulk.models import Order, Sight
from hnbulk.moved import Drift, Judged, Known, Moved, Now, drift, judge
from hnbulk.planfile import PlanFile, PlanRow
from hnbulk.rowplaces import RowPlaces
from hnbulk.steps import Action, State, Step
from hnbulk.wire import DIALECTS

#: A plan older than this is made again (safety rules, A08).
MAX_AGE = timedelta(hours=24)
#: So far ahead of ours another clock may be (safety rules, N24).
MAX_SKEW = timedelta(minutes=5)
_NAMED = 3


def check_approval(plan: PlanFile, *, account_sid: str, base_url: str, approve: str) -> None:
    """This plan may be applied to this account at this address, by whoever gave `approve`.

    Raises `PlanRefused`, `UsageError`, `AccessRefused`, `PlanStale`.
    """
    checksum = plan.checksum
    if len(approve) < 8 or not checksum.startswith(approve.lower()):
        raise PlanRefused(
            f"the approval {approve[:8]!r} is not this plan's: it needs the first eight characters (or "
            f"more) of its checksum, which `hnbulk show` tells with the plan.",
            checksum=checksum,
        )
    check_place(plan, account_sid=account_sid, base_url=base_url)


def check_place(plan: PlanFile, *, account_sid: str, base_url: str) -> None:
    """The plan is for this account at this address. Raises `UsageError`, `AccessRefused`, `PlanStale`."""
    head = plan.header
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
    """The plan is neither too old nor from the future at `now`, a world time. Raises `PlanStale`."""
    age = now - datetime.fromisoformat(plan.header.read_at)
    if -age > MAX_SKEW:
        raise PlanStale(
            f"the plan says it read the service {-age // timedelta(minutes=1)} minutes in the future, at "
            f"{plan.header.read_at}. Check this machine's clock, then make it again with `hnbulk plan`.",
            read_at=plan.header.read_at,
        )
    if age > MAX_AGE:
        raise PlanStale(
            f"the plan read the service {age // timedelta(hours=1)} hours ago; the limit is "
            f"{MAX_AGE // timedelta(hours=1)}. Make it again with `hnbulk plan`.",
            read_at=plan.header.read_at,
        )


def refuse_moved(plan: PlanFile, lookups: Lookups, now: datetime) -> Listing | None:
    """Nothing of a plan that is no longer fresh has moved; the listing that showed it, where it was one.

    Raises `PlanStale` with the rows that moved, and what reads raise.
    """
    if not plan.steps or now - datetime.fromisoformat(plan.header.read_at) <= BELIEVED:
        return None
    judged, listing = look_for_moved(plan, lookups)
    found = judged.gone
    if not found:
        return listing
    places = RowPlaces.of(plan)
    named = ", ".join(f"{_named(one, places)} ({one.message})" for one in found[:_NAMED])
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    raise PlanStale(
        f"{len(found):,} of the plan's {len(plan.steps):,} steps cannot be done as planned any more: "
        f"{named}{more}. Nothing was sent. `hnbulk plan --rebase PLAN --out NEW` keeps the others; or make "
        "it again.",
        rows=[asdict(one) for one in found],
    )


def look_for_moved(
    plan: PlanFile, lookups: Lookups, known: Known | None = None
) -> tuple[Judged, Listing | None]:
    """What moved or is done, by one reading of all orders, or by number where the plan has few steps.

    Creates can be done only where the journal's knowledge is given: their orders are read whole then.
    """
    if len(plan.steps) <= FEW_STEPS:
        return judge(plan, lambda step: _asked(step, lookups), known), None
    whole = {step.sid for step in plan.steps if step.action is Action.UPDATE and step.sid}
    if known is not None:
        creates = (step for step in plan.steps if step.action is Action.CREATE)
        whole |= {str(step.after["unique_name"]) for step in creates if "unique_name" in step.after}
    listing = lookups.listing(whole=whole)

    def find(step: Step) -> Sequence[Sight]:
        named = listing.orders.get(step.sid or "")
        if named is None and step.sid is not None:  # a list is no proof that an order is not there
            return [*listing.by_number.get(step.phone_number, ()), *_asked(step, lookups)]
        return [*listing.by_number.get(step.phone_number, ()), *([named] if named else ())]

    return judge(plan, find, known), listing


def find_drift(plan: PlanFile, lookups: Lookups, known: Known) -> list[Drift]:
    """What moved or is done, and which rows' orders were changed, by as few readings as it takes."""
    judged, listing = look_for_moved(plan, lookups, known)
    return drift(plan, judged, rows_now(plan, lookups, listing))


def rows_now(plan: PlanFile, lookups: Lookups, listing: Listing | None) -> Now:
    """The orders of the plan's rows as they are now: one by one where they are few, or by a listing.

    Of what the listing lacks some are asked for; of more, a second listing is believed.
    """
    if listing is None and sum(row.sid is not None for row in plan.rows) > FEW_STEPS:
        listing = lookups.listing()
    listed = {} if listing is None else listing.orders
    asked, second = 0, None

    def now(row: PlanRow) -> Sight | None:
        nonlocal asked, second
        sid = row.sid or ""
        if sid in listed:
            return listed[sid]
        if listing is None or asked < FEW_STEPS:
            asked += 1
            return lookups.order(sid)
        second = second or lookups.listing()
        return second.orders.get(sid)

    return now


def _asked(step: Step, lookups: Lookups) -> list[Order]:
    if step.sid is None:
        return lookups.orders_on(step.phone_number)
    order = lookups.order(step.sid)
    if order is None and step.action is Action.CANCEL:  # is another one there in its place?
        return lookups.orders_on(step.phone_number)
    return [order] if order else []


def known_of(plan: PlanFile, journal: Journal) -> Known:
    """What the journal knows that no look at the service tells: requests in doubt, and refusals."""
    doubtful: set[str] = set()
    refused: dict[int, str] = {}
    for record in journal.runs(counted=False):
        if record.unfinished and (doubts := _doubts_of(record, journal)):
            steps = journal.plan_of(record.run_id).steps
            doubtful |= {steps[step].phone_number for step in doubts}
        elif not record.unfinished and is_applied(plan, record, journal):
            ended = (one for one in journal.endings(record.run_id) if one.state is State.REFUSED)
            refused |= {one.step: one.code or "no code" for one in ended}
    return Known(doubtful, refused)


def _named(one: Moved, places: RowPlaces) -> str:
    return places.one(one.row) if one.row is not None else f"step {one.step}"


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
        if doubts := len(_doubts_of(record, journal)):
            raise RunLocked(
                f"run {record.run_id} has {doubts} requests in doubt, which this plan cannot know of. "
                f"First `hnbulk resume {record.run_id}`, then make the plan again.",
                run_id=record.run_id,
            )


def _doubts_of(record: RunRecord, journal: Journal) -> set[int]:
    return doubted(journal.attempts(record.run_id), journal.endings(record.run_id))
