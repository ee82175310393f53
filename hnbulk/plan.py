"""What would bring the account to the targets: a plan, row by row, and why a row has no step.

Targets and orders are joined and compared as columns; only what differs becomes steps. This
module sends nothing, reads no file, and asks no clock. Rules: design, "Plan rules".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hnbulk import lifecycle
from hnbulk.errors import LimitRefused, UsageError
from hnbulk.steps import Action, PlanFile, PlanHeader, PlanRow, Step, Verdict, canonical, sort_steps

Mask = np.ndarray[Any, np.dtype[np.bool_]]

# What an update may change, and what only a new order can have (reference page, Update).
UPDATABLE = (
    "friendly_name",
    "email",
    "cc_emails",
    "verification_type",
    "verification_document_sid",
    "extension",
    "call_delay",
)
FIXED = ("address_sid", "account_sid")
CREATE_TEXTS = (
    "friendly_name",
    "unique_name",
    "email",
    "address_sid",
    "sms_url",
    "sms_method",
    "sms_fallback_url",
    "sms_fallback_method",
    "status_callback_url",
    "status_callback_method",
    "sms_application_sid",
    "verification_type",
    "verification_document_sid",
    "account_sid",
)
#: Never echoed by the API, so they can be set but not compared.
WRITE_ONLY = frozenset(
    name for name in CREATE_TEXTS if name.startswith(("sms_", "status_callback_"))
)
# The API's own defaults: an order that shows nothing has these (reference page, properties).
_DEFAULTS = {"verification_type": "phone-call"}

UPDATE_SHARE, CANCEL_SHARE, CANCEL_COUNT, FROM_COUNT = 0.30, 0.05, 25, 10


def build_plan(
    targets: pd.DataFrame,
    orders: pd.DataFrame,
    *,
    rows: Sequence[tuple[int, Mapping[str, str]]],
    columns: Sequence[str],
    set_aside: Mapping[int, tuple[str, str]],
    input_name: str,
    input_hash: str,
    dialect: str,
    base_url: str,
    account_sid: str,
    made_at: datetime,
    read_at: datetime,
    snapshot_id: str | None = None,
    prune: bool = False,
    allow_updates: int | None = None,
    allow_cancels: int | None = None,
    refused: Mapping[str, tuple[str, str]] | None = None,
    retry_refused: bool = False,
) -> PlanFile:
    """The plan from `orders` (all of the account, failed ones too) to `targets`.

    Both frames have the columns of `frames`. Every one of `rows` is in the plan with a verdict.
    With `prune`, each live order the targets do not name has a row of its own behind the last
    one, without cells. Raises `LimitRefused` where a threshold is passed, `UsageError` for a
    prune beside rows that were set aside.
    """
    if prune:
        _refuse_blind_prune(set_aside)
    draft = _Draft({row: cells for row, cells in rows})
    for row, (code, note) in set_aside.items():
        verdict = Verdict.CONFLICT if code == "conflicting-rows" else Verdict.SET_ASIDE
        draft.leave(row, verdict, code, note)
    asked = _distinct(targets[~targets["row"].isin(list(set_aside))], draft)
    live = _LiveOrders.of(orders)
    at = live.find(asked["phone_number"])
    doubled = _isin(asked["phone_number"], live.doubled)
    for row in asked["row"][doubled]:
        draft.conflict(row, "two-live-orders")
    _add_updates(draft, asked[at >= 0], live.orders.iloc[at[at >= 0]])
    fresh = asked[(at < 0) & ~doubled]
    refusals = {} if retry_refused or refused is None else refused
    _add_creates(draft, fresh, live, account_sid=account_sid, refused=refusals)
    if prune:
        _add_cancels(draft, live, named=asked["phone_number"])
    check_thresholds(
        matched=int((at >= 0).sum()),
        updates=draft.count(Action.UPDATE, on_live_orders=True),
        live=len(live.orders),
        cancels=draft.count(Action.CANCEL),
        allow_updates=allow_updates,
        allow_cancels=allow_cancels,
    )
    header = PlanHeader(
        dialect=dialect,
        base_url=base_url,
        account_sid=account_sid,
        input_hash=input_hash,
        input_name=input_name,
        columns=tuple(columns),
        made_at=made_at.isoformat(),
        read_at=read_at.isoformat(),
        snapshot_id=snapshot_id,
    )
    return PlanFile(header, sort_steps(draft.steps), draft.rows())


def unique_name(account_sid: str, phone_number: str, generation: int) -> str:
    """The name we give an order: one for an account, a number and how many of its orders failed.

    The same on every machine and after a lost journal; no phone number in clear.
    """
    text = f"hnbulk|1|{account_sid}|{phone_number}|{generation}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"hn1-{digest[:20].lower()}"


def check_thresholds(
    *,
    matched: int,
    updates: int,
    live: int,
    cancels: int,
    allow_updates: int | None = None,
    allow_cancels: int | None = None,
) -> None:
    """The plan changes no larger part of the account than a person would expect, or allowed it.

    Updates are held against the live orders the targets name, cancels against all live orders
    that were read. An override counts only as the exact number. Raises `LimitRefused`.
    """
    if matched >= FROM_COUNT and updates > UPDATE_SHARE * matched and allow_updates != updates:
        raise _over_limit("updates", updates, matched, "matched live orders", "30 %")
    share = live >= FROM_COUNT and cancels > CANCEL_SHARE * live
    if (share or cancels > CANCEL_COUNT) and allow_cancels != cancels:
        raise _over_limit("cancels", cancels, live, "live orders", f"5 % and {CANCEL_COUNT}")


def _over_limit(what: str, count: int, base: int, of: str, limit: str) -> LimitRefused:
    arithmetic = f"{count:,} of {base:,} {of} = {100 * count / max(base, 1):.1f} %"
    flag = f"--allow-{what} {count}"
    return LimitRefused(
        f"this plan {what} {arithmetic}; the limit is {limit}. Look at what changed in the file. "
        f"If that is meant, allow exactly this many: {flag}.",
        limit=f"{what}: {limit}",
        arithmetic=arithmetic,
        flag=flag,
    )


def _refuse_blind_prune(set_aside: Mapping[int, tuple[str, str]]) -> None:
    faulty = sum(code != "duplicate-row" for code, _ in set_aside.values())
    if faulty:
        raise UsageError(
            f"--prune and {faulty:,} rows set aside do not go together: the order of a faulty row "
            "would count as not in the file and be canceled. Correct those rows first.",
            rows=faulty,
        )


_NOTES: Mapping[str, str] = {
    "two-live-orders": "the service has two live orders on this number; nothing is done to either",
    "conflicting-rows": "several rows want different things for this number",
    "duplicate-unique-name": "several rows give this unique_name",
    "unique-name-taken": "an order on another number has this unique_name",
    "action-required": "the service stopped this order for its own staff; no change is taken now",
    "no-target": "the row gave no target",
}


@dataclass(slots=True)
class _Draft:
    """A plan in the making: the steps so far and what was decided for each row."""

    cells: dict[int, Mapping[str, str]]
    steps: list[Step] = field(default_factory=list)
    decided: dict[int, PlanRow] = field(default_factory=dict)

    def leave(
        self,
        row: int,
        verdict: Verdict,
        code: str | None = None,
        note: str | None = None,
        sid: str | None = None,
        status: str | None = None,
    ) -> None:
        note = note or _NOTES.get(code or "")
        self.decided[int(row)] = PlanRow(
            int(row), self.cells.get(int(row), {}), verdict, code, note, sid, status
        )

    def conflict(self, row: int, code: str) -> None:
        self.leave(row, Verdict.CONFLICT, code)

    def add(self, row: int, *steps: Step, sid: str | None = None, status: str | None = None) -> None:
        self.steps.extend(steps)
        self.leave(row, Verdict.PLANNED, sid=sid, status=status)

    def count(self, action: Action, *, on_live_orders: bool = False) -> int:
        chosen = (step for step in self.steps if step.action is action)
        return sum(step.sid is not None or not on_live_orders for step in chosen)

    def rows(self) -> tuple[PlanRow, ...]:
        for row in self.cells:
            if row not in self.decided:
                self.leave(row, Verdict.SET_ASIDE, "no-target")
        return tuple(self.decided[row] for row in sorted(self.decided))


@dataclass(frozen=True, slots=True)
class _LiveOrders:
    """The live orders by number, and what is known of the failed ones before them."""

    orders: pd.DataFrame
    doubled: frozenset[str]  # numbers with more than one live order
    failures: Mapping[str, int]  # failed orders by number
    _numbers: pd.Index[str]

    @classmethod
    def of(cls, orders: pd.DataFrame) -> _LiveOrders:
        status = orders["status"].astype("string")
        alive = np.array([lifecycle.is_live(name) for name in status.fillna("").tolist()], dtype=bool)
        known = orders["phone_number"].notna().to_numpy(dtype=bool)
        live = orders[alive & known].drop_duplicates("sid").reset_index(drop=True)
        twice = live["phone_number"].duplicated(keep=False)
        failures = orders.loc[~alive & known].drop_duplicates("sid")["phone_number"].value_counts()
        return cls(
            orders=live,
            doubled=frozenset(live["phone_number"][twice].tolist()),
            failures=dict(zip(failures.index.tolist(), failures.tolist(), strict=True)),
            _numbers=pd.Index(live["phone_number"].mask(twice).tolist(), dtype=object),
        )

    def find(self, numbers: pd.Series[str]) -> np.ndarray[Any, np.dtype[np.intp]]:
        """The position of each number's one live order; -1 where it has none, or two."""
        wanted = pd.Index(numbers.tolist(), dtype=object)
        return self._numbers.get_indexer_for(wanted) if self._numbers.is_unique else _first(self, wanted)
