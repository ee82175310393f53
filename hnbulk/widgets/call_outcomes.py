"""What became of verification calls: one row a call, by the run's journal and the orders as they are now.

Pure: frames and records in, a frame or HTML out. Verification codes are not among the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from hnbulk import lifecycle
from hnbulk.planfile import PlanFile
from hnbulk.steps import Ending, State
from hnbulk.widgets import look

#: What became of a call, best first.
OUTCOMES = ("verified", "waiting", "not answered", "not called", "refused", "unknown")
OUTCOME_COLUMNS = ("phone_number", "sid", "outcome", "status", "attempts", "code", "note")


def read_outcomes(
    plan: PlanFile,
    endings: Iterable[Ending],
    orders: pd.DataFrame,
    *,
    last_calls: Mapping[str, datetime],
    now: datetime,
) -> pd.DataFrame:
    """What became of every call of `plan`: one row of `OUTCOME_COLUMNS` a call, in plan order.

    An order still in `pending-verification` waits while the code of its last call is valid.
    """
    by_step = {ending.step: ending for ending in endings}
    by_sid = orders.drop_duplicates("sid").set_index("sid")
    rows = []
    for number, step in enumerate(plan.steps):
        ending = by_step.get(number)
        order = by_sid.loc[step.sid] if step.sid in by_sid.index else None
        status = None if order is None else str(order["status"])
        called = last_calls.get(step.sid or "")
        code_valid = called is not None and now < called + lifecycle.CODE_LIFETIME
        rows.append(
            {
                "phone_number": step.phone_number,
                "sid": step.sid,
                "outcome": outcome_of(ending, status, code_valid=code_valid),
                "status": status,
                "attempts": None if order is None else order["verification_attempts"],
                "code": ending and ending.code,
                "note": ending and (ending.message or ending.next_step),
            }
        )
    return outcomes_frame(rows)


def outcome_of(ending: Ending | None, status: str | None, *, code_valid: bool) -> str:
    """One of `OUTCOMES`, by what the run knows of the call and the order's status now."""
    if status is not None and status in lifecycle.FUNNEL[lifecycle.FUNNEL.index("verified") :]:
        return "verified"
    state = State.PENDING if ending is None else ending.state
    if state is State.DONE:
        return "waiting" if status == lifecycle.ASKABLE and code_valid else "not answered"
    if state in (State.PENDING, State.STALE):
        return "not called"
    return "refused" if state is State.REFUSED else "unknown"


def outcomes_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """These rows as a typed frame of `OUTCOME_COLUMNS`."""
    frame = pd.DataFrame(list(rows), columns=list(OUTCOME_COLUMNS), dtype=object)
    texts = dict.fromkeys(("phone_number", "sid", "status", "code", "note"), "string[pyarrow]")
    outcome = pd.CategoricalDtype(list(OUTCOMES), ordered=True)
    return frame.astype({**texts, "outcome": outcome, "attempts": "Int64"})


def count_outcomes(outcomes: pd.DataFrame) -> dict[str, int]:
    """How many calls came out each way, best first; only those that occur."""
    found = outcomes["outcome"].value_counts(sort=False)
    return {str(name): int(count) for name, count in found.items() if count}


def outcomes_table(outcomes: pd.DataFrame) -> str:
    """The outcomes as an HTML table under a line of counts, what needs a person first."""
    urgent = outcomes.sort_values("outcome", ascending=False, kind="stable")
    rows = [
        (
            look.escaped(row["phone_number"]),
            look.escaped(row["outcome"]),
            look.status_mark(row["status"]),
            look.escaped(row["attempts"]),
            look.escaped(" ".join(part for part in map(look.plain, (row["code"], row["note"])) if part)),
        )
        for row in urgent.to_dict("records")
    ]
    told = look.escaped(look.told(count_outcomes(outcomes)))
    return f"<p><b>{told}</b></p>" + look.table(("number", "outcome", "status", "attempts", "note"), rows)
