"""The orders a plan of calls or letters was asked about: each has a row and a verdict of its own.

Such a plan comes from orders, not from a file, so its rows are the orders themselves, numbered
from 1; its results then account for every one of them. This module sends nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from hnbulk.differences import values
from hnbulk.lifecycle import is_live
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.steps import Step, Verdict, canonical, sort_steps

COLUMNS = ("phone_number", "friendly_name", "sid", "status")
_TEXTS = ("sid", "phone_number", "friendly_name", "email", "address_sid", "verification_type")


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """One order as far as calls and letters ask about it; dates UTC or None."""

    row: int
    sid: str
    phone_number: str
    friendly_name: str
    status: str
    email: str | None
    address_sid: str | None
    cc_emails: tuple[str, ...]
    verification_type: str | None
    attempts: int
    calls: int
    created: datetime | None
    updated: datetime | None


@dataclass(slots=True)
class Considered:
    """The candidates, and what was decided for each so far."""

    candidates: list[Candidate]
    decided: dict[int, PlanRow] = field(default_factory=dict)

    @classmethod
    def of(cls, orders: pd.DataFrame) -> Considered:
        """Each order of the frame once, the oldest first, whatever its order there."""
        oldest = orders.drop_duplicates("sid").sort_values(["date_created", "sid"], na_position="last")
        return cls(list(_read(oldest)))

    def doubled(self) -> set[str]:
        """Numbers on which more than one of these orders is live."""
        live = Counter(one.phone_number for one in self.candidates if is_live(one.status))
        return {number for number, count in live.items() if count > 1}

    def leave(
        self, one: Candidate, verdict: Verdict, code: str | None = None, note: str | None = None
    ) -> None:
        """The verdict of one order, with its code and note."""
        named = (one.phone_number, one.friendly_name, one.sid, one.status)
        cells = dict(zip(COLUMNS, named, strict=True))
        self.decided[one.row] = PlanRow(one.row, cells, verdict, code, note, one.sid, one.status)

    def plan(
        self,
        steps: Iterable[Step],
        *,
        name: str,
        dialect: str,
        base_url: str,
        account_sid: str,
        made_at: datetime,
        read_at: datetime,
    ) -> PlanFile:
        """The plan of these steps; its input is the state of the orders considered."""
        state = sorted([one.sid, one.status, one.attempts] for one in self.candidates)
        header = PlanHeader(
            dialect=dialect,
            base_url=base_url,
            account_sid=account_sid,
            input_hash=hashlib.sha256(canonical(state).encode()).hexdigest(),
            input_name=name,
            columns=COLUMNS,
            made_at=made_at.isoformat(),
            read_at=read_at.isoformat(),
        )
        rows = tuple(self.decided[row] for row in sorted(self.decided))
        return PlanFile(header, sort_steps(list(steps)), rows)


def _read(orders: pd.DataFrame) -> Iterable[Candidate]:
    texts = {name: values(orders, name) for name in _TEXTS}
    copies, calls = values(orders, "cc_emails"), values(orders, "verification_call_sids")
    attempts = orders["verification_attempts"].fillna(0).astype(int).tolist()
    statuses = [str(status) for status in orders["status"].tolist()]
    created, updated = _dates(orders["date_created"]), _dates(orders["date_updated"])
    for n, status in enumerate(statuses):
        yield Candidate(
            row=n + 1,
            sid=texts["sid"][n] or "",
            phone_number=texts["phone_number"][n] or "",
            friendly_name=texts["friendly_name"][n] or "",
            status=status,
            email=texts["email"][n],
            address_sid=texts["address_sid"][n],
            cc_emails=tuple(copies[n] or ()),
            verification_type=texts["verification_type"][n],
            attempts=attempts[n],
            calls=len(calls[n] or ()),
            created=created[n],
            updated=updated[n],
        )


def _dates(column: pd.Series[Any]) -> list[datetime | None]:
    return [None if pd.isna(date) else date.to_pydatetime() for date in column]
