"""What stands beside each row of a list: the status of its number, its order, since when, and what next.

Rows and frames in, texts out. Nothing is read, and nothing decided that a plan does not decide too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from hnbulk import lifecycle
from hnbulk.funnel import NEXT_STEPS as BY_STATUS
from hnbulk.funnel import NO_ADVICE
from hnbulk.intake import Intake
from hnbulk.phones import PhoneFault, read_phone, tidy
from hnbulk.plaintext import single_line
from hnbulk.results import NEXT_STEPS as BY_CODE
from hnbulk.steps import Action, Step

#: What stands in place of a status where there is none.
NO_ORDER, SET_ASIDE, TWO_ORDERS, REFUSED = "no order yet", "set aside", "two live orders", "refused"
#: What the day in the third column means; it stands in a comment on its header.
STAGE_DATE_MEANS = (
    "the latest day (UTC) on which the order can have come to its status: the day it was first seen in it, "
    "or last changed before that. The service keeps no history, so it may have been earlier."
)
_PLAN_IT = "plan it: hnbulk plan"
_AGAIN = "read failure_reason"


class Annotation(NamedTuple):
    """The texts of the four columns, in their order."""

    status: str = ""
    sid: str = ""
    stage_date: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    """The orders of a number: sid, status, day and reason of each, oldest first."""

    orders: list[tuple[str, str, str, str]]

    def told(self) -> Annotation:
        live = [order for order in self.orders if lifecycle.is_live(order[1])]
        if len(live) > 1:
            sids = "; ".join(sid for sid, *_ in live)
            return Annotation(TWO_ORDERS, sids, "", BY_CODE["two-live-orders"])
        sid, status, day, reason = (live or self.orders)[-1]
        return Annotation(status, sid, day, _next_step(status, reason))


def annotations_of(
    intake: Intake,
    *,
    orders: pd.DataFrame,
    events: pd.DataFrame,
    refused: Mapping[str, tuple[str, str]],
) -> dict[int, Annotation]:
    """Every row of the list by its number, with what is known of it.

    `orders` are all there are, failed ones too, and `events` what was seen of them; `refused` is what
    the service said to creates, by number hash. A row that is set aside has its reason, and the status
    of its number where that can be read.
    """
    known = {number: held.told() for number, held in _by_number(orders, events).items()}
    numbers = dict(
        zip(intake.targets["row"].tolist(), intake.targets["phone_number"].tolist(), strict=True)
    )
    reasons = _reasons(intake)
    phone = next((name for name in intake.columns if intake.mapping.get(name) == "phone_number"), "")
    found = {}
    for row, cells in intake.rows:
        if row not in intake.set_aside:
            number = numbers[row]
            found[row] = known.get(number) or _without_order(number, refused)
            continue
        held = known.get(_number_in(cells.get(phone, "")), Annotation(SET_ASIDE))
        found[row] = held._replace(next_step=reasons.get(row, ""))
    return found


def count_statuses(annotations: Iterable[Annotation]) -> dict[str, int]:
    """How many rows there are of each status, in funnel order, the others behind."""
    counts = Counter(each.status for each in annotations)
    return {
        name: counts[name] for name in sorted(counts, key=lambda name: (lifecycle.position(name), name))
    }


def _by_number(orders: pd.DataFrame, events: pd.DataFrame) -> dict[str, _Known]:
    seen = _last_seen(events)
    kept = orders.loc[orders["phone_number"].notna()].drop_duplicates("sid")
    kept = kept.sort_values(["date_created", "sid"], kind="stable")
    names = ("phone_number", "sid", "status", "date_updated", "failure_reason")
    found: dict[str, _Known] = {}
    for number, sid, status, updated, reason in zip(*(kept[name].tolist() for name in names), strict=True):
        day = _day(seen.get(sid), str(status), None if pd.isna(updated) else updated)
        told = "" if pd.isna(reason) else single_line(reason).strip()
        found.setdefault(number, _Known([])).orders.append((sid, str(status), day, told))
    return found


def _last_seen(events: pd.DataFrame) -> dict[str, tuple[str, datetime, datetime]]:
    """Of each order its last change: to what, seen when, and when it was not so yet."""
    last = events.drop_duplicates("order_sid", keep="last")
    names = ("order_sid", "status", "seen_at", "not_before")
    rows = zip(*(last[name].tolist() for name in names), strict=True)
    return {sid: (str(status), seen_at, not_before) for sid, status, seen_at, not_before in rows}


def _day(seen: tuple[str, datetime, datetime] | None, status: str, updated: datetime | None) -> str:
    """The latest day of the change to this status; an order's own last change is not before it."""
    if seen is not None and seen[0] == status:
        _, seen_at, not_before = seen
        at = updated if updated is not None and not_before < updated < seen_at else seen_at
        return at.date().isoformat()
    return "" if updated is None else updated.date().isoformat()


def _next_step(status: str, reason: str) -> str:
    if status == "completed":
        return ""
    step = BY_STATUS.get(status, NO_ADVICE)
    if status == "failed" and reason:
        return step.replace(_AGAIN, f"it failed ({reason.rstrip('.')})", 1)
    return step


def _without_order(number: str, refused: Mapping[str, tuple[str, str]]) -> Annotation:
    said = refused.get(Step(None, Action.CREATE, number).number_hash()) if refused else None
    if said is None:
        return Annotation(NO_ORDER, "", "", _PLAN_IT)
    code, message = said
    return Annotation(REFUSED, "", "", BY_CODE.get(code) or single_line(message))


def _number_in(cell: str) -> str:
    """The number in a cell as it was written; nothing where there is none."""
    phone = read_phone(tidy(cell))
    return "" if isinstance(phone, PhoneFault) else phone.number


def _reasons(intake: Intake) -> dict[int, str]:
    """Why each row is set aside, and what to do: all its errors, else what makes it superfluous."""
    found: dict[int, list[str]] = {}
    names = ("row", "code", "message", "suggestion", "severity")
    columns: list[list[Any]] = [intake.problems[name].tolist() for name in names]
    for row, code, message, suggestion, severity in zip(*columns, strict=True):
        if row in intake.set_aside and (severity == "error" or intake.set_aside[row] == code):
            found.setdefault(row, []).append(f"{message}: {suggestion}")
    return {row: " | ".join(dict.fromkeys(told)) for row, told in found.items()}
