"""A plan in the making: the steps so far, and what was decided for each input row.

Every row of the list has a verdict in the end. What kind of change is planned is for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hnbulk.differences import records, values
from hnbulk.planfile import PlanRow
from hnbulk.steps import Action, Step, Verdict, canonical

Rows = Sequence[tuple[int, Mapping[str, str]]]  # row number and its own cells
SetAside = Mapping[int, tuple[str, str]]  # row number to code and note

_NOTES: Mapping[str, str] = {
    "two-live-orders": "the service has two live orders on this number; nothing is done to either",
    "conflicting-rows": "several rows want different things for this number",
    "duplicate-unique-name": "several rows give this unique_name",
    "unique-name-taken": "a live order on another number has this unique_name",
    "action-required": "the service holds this order for its own staff; write to its support with the sid",
    "no-target": "the row names no target",
    "no-live-order": "there is no live order on this number",
}


@dataclass(slots=True)
class Draft:
    """A plan in the making: the steps so far, and what was decided for each row."""

    cells: dict[int, Mapping[str, str]]
    steps: list[Step] = field(default_factory=list)
    decided: dict[int, PlanRow] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Rows, set_aside: SetAside) -> Draft:
        """A draft of these rows, those set aside decided already."""
        draft = cls(dict(rows))
        for row, (code, note) in set_aside.items():
            verdict = Verdict.CONFLICT if code == "conflicting-rows" else Verdict.SET_ASIDE
            draft.leave(row, verdict, code, note)
        return draft

    def leave(
        self,
        row: int,
        verdict: Verdict,
        code: str | None = None,
        note: str | None = None,
        sid: str | None = None,
        status: str | None = None,
    ) -> None:
        """The row has this verdict, in place of any it had."""
        note = note or _NOTES.get(code or "")
        self.decided[row] = PlanRow(row, self.cells.get(row, {}), verdict, code, note, sid, status)

    def count(self, action: Action) -> int:
        """Steps on orders that exist: an update of an order yet to be created changes none."""
        return sum(step.action is action and step.sid is not None for step in self.steps)

    def rows(self) -> tuple[PlanRow, ...]:
        """Every row with its verdict, in order."""
        for row in self.cells.keys() - self.decided.keys():
            self.leave(row, Verdict.SET_ASIDE, "no-target")
        return tuple(self.decided[row] for row in sorted(self.decided))


def distinct(asked: pd.DataFrame, draft: Draft) -> pd.DataFrame:
    """`asked` with each number once; identical repeats are set aside, contradictions all left."""
    repeated = asked["phone_number"].duplicated(keep=False).to_numpy(dtype=np.bool_)
    if not repeated.any():
        return asked
    groups: dict[str, dict[str, list[int]]] = {}
    names = [name for name in asked.columns if name not in ("row", "phone_number")]
    some = asked[repeated]
    numbers, wanted = some["phone_number"].tolist(), records(some, names)
    for row, number, target in zip(some["row"].tolist(), numbers, wanted, strict=True):
        groups.setdefault(number, {}).setdefault(canonical(target), []).append(int(row))
    for variants in groups.values():
        same = len(variants) == 1
        for first, *rest in variants.values():
            for row in rest if same else (first, *rest):
                if same:
                    draft.leave(row, Verdict.SET_ASIDE, "duplicate-row", f"repeats row {first}")
                else:
                    draft.leave(row, Verdict.CONFLICT, "conflicting-rows")
    return asked[~asked["row"].isin(list(draft.decided))]


def owners(orders: pd.DataFrame, account_sid: str) -> list[dict[str, str]]:
    """What a step says of its order's account: nothing, where it is the plan's own."""
    known = values(orders, "account_sid")
    return [{} if owner in (None, account_sid) else {"account_sid": owner} for owner in known]
