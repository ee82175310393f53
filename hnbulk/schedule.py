"""A plan of verification calls: which phones would ring, in which wave, between which times.

A call disturbs a person and uses one of three attempts, so whatever speaks against one leaves
the order out with its reason. Nothing is called from here, and no clock is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from hnbulk.considered import Candidate, Considered
from hnbulk.errors import UsageError
from hnbulk.lifecycle import ASKABLE, CODE_LIFETIME, MAX_ATTEMPTS, may_call
from hnbulk.plaintext import single_line
from hnbulk.planfile import PlanFile
from hnbulk.settings import CallLimits
from hnbulk.steps import Action, Step, Verdict
from hnbulk.windows import Window, window_at_or_after, zones_of

# NPAs that belong to no place.
_TOLL_FREE = frozenset({"800", "833", "844", "855", "866", "877", "888"})


def build_calls(
    orders: pd.DataFrame,
    *,
    now: datetime,
    limits: CallLimits,
    dialect: str,
    base_url: str,
    account_sid: str,
    read_at: datetime,
    last_calls: Mapping[str, datetime] | None = None,
    last_attempt: bool = False,
) -> PlanFile:
    """The plan of calls for those of `orders` that are due at `now` (world time, UTC).

    Oldest orders first, at most `limits.max_calls`, each inside the calling hours of its number's
    zone, in waves of at most `limits.at_once`. `last_calls` is when we know an order was last
    called; `last_attempt` also calls orders with one attempt left. Every order has a row. Raises
    `UsageError` for limits that make no sense.
    """
    _check_limits(limits)
    considered = Considered.of(orders)
    doubled = considered.doubled()
    due: list[tuple[Candidate, Window]] = []
    for one in considered.candidates:
        reason = (
            (Verdict.CONFLICT, "two-live-orders", "the service has two live orders on this number")
            if one.phone_number in doubled
            else _why_not_due(one, now, (last_calls or {}).get(one.sid), last_attempt=last_attempt)
        )
        zones = _zones(one.phone_number, limits)
        if reason is None and not zones:
            note = "the number belongs to no time zone; name its owner's with --toll-free-zone"
            reason = (Verdict.BLOCKED, "no-zone", note)
        if reason is None and len(due) >= limits.max_calls:
            reason = (Verdict.SET_ASIDE, "over-cap", f"this plan holds {limits.max_calls} calls at most")
        considered.leave(one, *(reason or (Verdict.PLANNED,)))
        if reason is None:
            opens, closes = limits.open_hour, limits.close_hour
            due.append((one, window_at_or_after(now, zones, open_hour=opens, close_hour=closes)))
    steps = [
        _call(one, window, wave)
        for wave, calls in enumerate(_waves(due, limits.at_once), 1)
        for one, window in calls
    ]
    return considered.plan(
        steps,
        name="calls",
        dialect=dialect,
        base_url=base_url,
        account_sid=account_sid,
        made_at=now,
        read_at=read_at,
    )


def _check_limits(limits: CallLimits) -> None:
    if limits.max_calls < 0 or limits.at_once < 1:
        raise UsageError("calls are at least 0 in all and at least 1 at once.")
    if limits.toll_free_zone is not None:
        try:
            ZoneInfo(limits.toll_free_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zone = single_line(limits.toll_free_zone)
            raise UsageError(f"there is no time zone {zone!r}; one is America/New_York.") from None


def _why_not_due(
    one: Candidate, now: datetime, last_call: datetime | None, *, last_attempt: bool
) -> tuple[Verdict, str, str] | None:
    """Verdict, code and note where this order is not to be called now; None where it is due."""
    if not may_call(one.status):
        return Verdict.SET_ASIDE, "not-due", f"an order in {one.status} takes no call"
    if one.verification_type == "phone-bill":
        return Verdict.SET_ASIDE, "phone-bill", "this order is verified by its phone bill"
    # "There can be a max of three verification attempts before the status changes to
    # action_required." (reference page, pending-verification)
    if one.attempts >= MAX_ATTEMPTS:
        return Verdict.BLOCKED, "attempts-used", f"all {MAX_ATTEMPTS} attempts are used"
    if one.attempts == MAX_ATTEMPTS - 1 and not last_attempt:
        return Verdict.BLOCKED, "last-attempt", "one attempt is left; --last-attempt uses it"
    # A change of an order under verification may be a call that somebody else placed.
    changed = one.updated if one.status == ASKABLE else None
    recent = [time for time in (last_call, changed) if time and now - time < CODE_LIFETIME]
    if recent:
        return Verdict.SET_ASIDE, "called-recently", "called or changed less than ten minutes ago"
    return None


def _zones(phone_number: str, limits: CallLimits) -> Sequence[str]:
    if phone_number[2:5] in _TOLL_FREE:
        return (limits.toll_free_zone,) if limits.toll_free_zone else ()
    return zones_of(phone_number)


def _waves(
    due: Sequence[tuple[Candidate, Window]], at_once: int
) -> Iterator[list[tuple[Candidate, Window]]]:
    """Calls that may begin at one time, `at_once` at most, in order of that time."""
    by_opening = sorted(due, key=lambda call: call[1].opens)
    for _, group in groupby(by_opening, key=lambda call: call[1].opens):
        calls = sorted(group, key=lambda call: call[1].closes)
        for start in range(0, len(calls), at_once):
            yield calls[start : start + at_once]


def _call(one: Candidate, window: Window, wave: int) -> Step:
    return Step(
        one.row,
        Action.VERIFY,
        one.phone_number,
        sid=one.sid,
        before={"status": one.status, "verification_attempts": one.attempts},
        after={"status": ASKABLE},
        precondition={
            "wave": wave,
            "not_before": window.opens.isoformat(),
            "not_after": window.closes.isoformat(),
            "status": one.status,
            "verification_attempts": one.attempts,
            "call_count": one.calls,
        },
        risk="the last attempt" if one.attempts == MAX_ATTEMPTS - 1 else None,
    )
