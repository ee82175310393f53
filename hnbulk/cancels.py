"""Orders to be canceled: those whose number a list names, or those whose number it does not.

A cancel deletes the order, and its incoming phone number goes with it (reference page). Only an
order that lifecycle lets go gets a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hnbulk import lifecycle
from hnbulk.differences import values
from hnbulk.drafts import Draft, Rows, SetAside, distinct, not_set_aside, owners
from hnbulk.errors import UsageError
from hnbulk.live import LiveOrders
from hnbulk.planfile import Goal, PlanFile, PlanHeader
from hnbulk.steps import Action, Step, Verdict, sort_steps
from hnbulk.table import numbers_of
from hnbulk.thresholds import check_thresholds


def build_cancels(
    targets: pd.DataFrame,
    orders: pd.DataFrame,
    *,
    header: PlanHeader,
    rows: Rows,
    set_aside: SetAside,
    allow_cancels: int | None = None,
) -> PlanFile:
    """The plan that cancels the live order of each of the targets' numbers; nothing else of a row counts.

    Header, frames and rows are those of `build_plan`. A number without a live order has nothing to be done.
    Raises `LimitRefused` where more are canceled than is usual.
    """
    draft = Draft(rows, set_aside)
    asked = distinct(not_set_aside(targets[["row", "phone_number"]], draft), draft)
    live = LiveOrders.of(orders)
    at = live.find(asked["phone_number"])
    doubled = live.among_doubled(asked["phone_number"])
    found = live.orders.iloc[at[at >= 0]]
    for row in asked["row"][doubled].tolist():
        draft.leave(int(row), Verdict.CONFLICT, "two-live-orders")
    for row in asked["row"][(at < 0) & ~doubled].tolist():
        draft.leave(int(row), Verdict.NOTHING, "no-live-order")
    _cancel(
        draft, found, [int(row) for row in asked["row"][at >= 0].tolist()], account_sid=header.account_sid
    )
    check_thresholds(
        matched=0,
        updates=0,
        live=len(live),
        cancels=draft.count(Action.CANCEL),
        allow_updates=None,
        allow_cancels=allow_cancels,
    )
    return PlanFile(replace(header, goal=Goal.CANCELED), sort_steps(draft.steps), draft.rows())


def refuse_blind_prune(rows: Rows, targets: pd.DataFrame, set_aside: SetAside) -> None:
    """Raises `UsageError` where some rows could not be read: their orders would be canceled."""
    unread = set(numbers_of(rows).tolist()) - set(targets["row"].tolist()) | set_aside.keys()
    faulty = sum(set_aside.get(row, ("", ""))[0] != "duplicate-row" for row in unread)
    if faulty:
        raise UsageError(
            f"prune and {faulty:,} faulty rows do not go together: the order of a row that cannot be "
            "read would count as not in the file and be canceled. Correct those rows first.",
            rows=faulty,
        )


def plan_prune(draft: Draft, live: LiveOrders, *, named: pd.Series[Any], account_sid: str) -> None:
    """A row for each live order the list does not name: a cancel where its status allows it."""
    unnamed = ~live.column("phone_number").isin(named).to_numpy(dtype=np.bool_)
    others = live.orders.iloc[live.places[unnamed]].sort_values(["phone_number", "sid"])
    first = draft.last_row + 1
    twice = live.among_doubled(others["phone_number"])
    rows = list(range(first, first + len(others)))
    for n in np.flatnonzero(twice).tolist():
        sid, status = str(others["sid"].iloc[n]), str(others["status"].iloc[n])
        draft.leave(rows[n], Verdict.CONFLICT, "two-live-orders", sid=sid, status=status)
    kept = [rows[n] for n in np.flatnonzero(~twice).tolist()]
    _cancel(draft, others[~twice], kept, account_sid=account_sid, why="not in the file, and ")


def _cancel(
    draft: Draft, orders: pd.DataFrame, rows: Sequence[int], *, account_sid: str, why: str = ""
) -> None:
    """Each of the orders is canceled for the row beside it, or blocked where its status forbids it."""
    listed = zip(
        rows,
        values(orders, "phone_number"),
        values(orders, "sid"),
        [str(name) for name in orders["status"].tolist()],
        owners(orders, account_sid),
        strict=True,
    )
    for row, number, sid, status, account in listed:
        if lifecycle.may_cancel(status):
            draft.leave(row, Verdict.PLANNED, sid=sid, status=status)
            draft.steps.append(
                Step(
                    row,
                    Action.CANCEL,
                    number,
                    sid=sid,
                    before={"status": status},
                    precondition={"status": status, "sid": sid, **account},
                    risk="high: the order and its incoming phone number are deleted",
                )
            )
        else:
            note = f"{why}an order in {status} cannot be canceled; {_way_out(status)}"
            draft.leave(row, Verdict.BLOCKED, "not-cancelable", note, sid, status)


def _way_out(status: str) -> str:
    """What may be done where an order cannot be canceled."""
    if status == lifecycle.FUNNEL[0]:
        return "it can be as soon as it is received: plan again then"
    if lifecycle.is_terminal(status):
        return "it is over: leave it, or give its incoming phone number back at the service"
    return "leave it until it is over, or write to the service's support with the sid"
