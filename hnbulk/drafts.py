"""A plan in the making: the steps so far, and what was decided for each input row.

Every row of the list has a verdict in the end. What kind of change is planned is for others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from hnbulk.alike import Mask
from hnbulk.differences import arrow_texts, records, values
from hnbulk.numberindex import NumberIndex, Numbers
from hnbulk.phonecolumn import e164_keys
from hnbulk.planfile import VERDICTS, PlanRow, PlanRows
from hnbulk.steps import Action, Step, Verdict, canonical
from hnbulk.table import numbers_of

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


class Draft:
    """A plan in the making: the steps so far, and what was decided for each row."""

    def __init__(self, rows: Rows, set_aside: SetAside) -> None:
        """A draft of these rows, those set aside decided already."""
        self.steps: list[Step] = []
        self._rows = rows
        self._numbers = numbers_of(rows)
        self._decided: dict[int, _Decision] = {}
        self._as_wanted: list[_AsWanted] = []
        for row, (code, note) in set_aside.items():
            verdict = Verdict.CONFLICT if code == "conflicting-rows" else Verdict.SET_ASIDE
            self.leave(row, verdict, code, note)

    def leave(
        self,
        row: int,
        verdict: Verdict,
        code: str | None = None,
        note: str | None = None,
        sid: str | None = None,
        status: str | None = None,
        updated: str | None = None,
    ) -> None:
        """The row has this verdict, in place of any it had."""
        self._decided[row] = (verdict, code, note or _NOTES.get(code or ""), sid, status, updated)

    def leave_as_wanted(self, rows: Numbers, orders: pd.DataFrame, at: Numbers) -> None:
        """Each of these rows asks for what the order at its place `at` already is."""
        taken = pa.array(at)
        sids = arrow_texts(orders["sid"]).take(taken)
        names = orders["status"].astype("category").cat
        words = pa.array([str(name) for name in names.categories], type=pa.string())
        codes = names.codes.to_numpy()[at]
        statuses = words.take(pa.array(codes, mask=codes < 0))
        self._as_wanted.append((rows, sids, statuses, _seconds(orders)[at]))

    def is_decided(self, rows: Numbers) -> Mask:
        """Which of these rows have a verdict of their own."""
        return np.isin(rows, np.fromiter(self._decided, dtype=np.int64))

    @property
    def last_row(self) -> int:
        """The largest number of a row; 1, the header's, where there is none."""
        return max([int(self._numbers.max(initial=1)), *self._decided])

    def count(self, action: Action) -> int:
        """Steps on orders that exist: an update of an order yet to be created changes none."""
        return sum(step.action is action and step.sid is not None for step in self.steps)

    def rows(self) -> PlanRows:
        """Every row with its verdict, in the order of their numbers, made when it is asked for."""
        return _Verdicts(self._rows, self._numbers, self._decided, self._as_wanted).rows()


_Decision = tuple[Verdict, str | None, str | None, str | None, str | None, str | None]
_AsWanted = tuple[Numbers, pa.Array, pa.Array, Numbers]  # rows; their orders' sids, statuses and changes
_NO_TARGET: _Decision = (Verdict.SET_ASIDE, "no-target", _NOTES["no-target"], None, None, None)


class _Verdicts:
    """What was decided of all rows of a list, and of rows that are in no list."""

    def __init__(
        self,
        rows: Rows,
        numbers: Numbers,
        decided: Mapping[int, _Decision],
        as_wanted: Sequence[_AsWanted],
    ) -> None:
        own = NumberIndex(numbers)
        beside = np.fromiter(decided, dtype=np.int64)
        beside = beside[own.find(beside) < 0]
        self._all = np.sort(np.concatenate([numbers, beside]))
        self._rows = rows
        self._place = own.find(self._all)  # in the list
        self._decided = decided
        kept = [np.zeros(0, dtype=np.int64), *(rows for rows, *_ in as_wanted)]
        self._same = NumberIndex(np.concatenate(kept)).find(self._all)
        self._sids = pa.chunked_array([sids for _, sids, _, _ in as_wanted], type=pa.string())
        self._statuses = pa.chunked_array([names for _, _, names, _ in as_wanted], type=pa.string())
        self._updated = np.concatenate([np.zeros(0, dtype=np.int64), *(one[3] for one in as_wanted)])

    def rows(self) -> PlanRows:
        return PlanRows(len(self._all), self._row, self._codes, self._walk)

    def _walk(self) -> Iterator[PlanRow]:
        """The rows one after the other, without looking for those that stand in the list as here."""
        stays = self._place == np.arange(len(self._all))
        in_order = int(np.argmin(np.append(stays, False)))
        for n, (row, cells) in zip(range(in_order), self._rows, strict=False):
            yield PlanRow(row, cells, *self._decision(n))
        for n in range(in_order, len(self._all)):
            yield self._row(n)

    def _row(self, n: int) -> PlanRow:
        row, place = int(self._all[n]), int(self._place[n])
        cells = self._rows[place][1] if place >= 0 else {}
        return PlanRow(row, cells, *self._decision(n))

    def _codes(self) -> bytes:
        places = {verdict: place for place, verdict in enumerate(VERDICTS)}
        as_wanted, none = places[Verdict.NOTHING], places[_NO_TARGET[0]]
        codes = np.where(self._same >= 0, as_wanted, none).astype(np.uint8)
        rows = np.fromiter(self._decided, dtype=np.int64, count=len(self._decided))
        decided = [places[verdict] for verdict, *_ in self._decided.values()]
        codes[np.searchsorted(self._all, rows)] = decided
        return codes.tobytes()

    def _decision(self, n: int) -> _Decision:
        decided = self._decided.get(int(self._all[n]))
        if decided is not None:
            return decided
        place = int(self._same[n])
        if place < 0:
            return _NO_TARGET
        sid, status = self._sids[place].as_py(), self._statuses[place].as_py()
        return Verdict.NOTHING, None, None, sid, status, _moment(int(self._updated[place]))


_NEVER = np.iinfo(np.int64).min  # what numpy makes of a date that is missing


def changed_at(orders: pd.DataFrame) -> list[str | None]:
    """When each order was changed last, as plan rows have it."""
    return [_moment(second) for second in _seconds(orders).tolist()]


def _seconds(orders: pd.DataFrame) -> Numbers:
    plain = orders["date_updated"].dt.tz_convert(None).to_numpy(dtype="datetime64[s]")
    return np.asarray(plain.astype(np.int64))


def _moment(second: int) -> str | None:
    return None if second == _NEVER else datetime.fromtimestamp(second, UTC).isoformat()


def not_set_aside(targets: pd.DataFrame, draft: Draft) -> pd.DataFrame:
    """The targets of rows without a verdict so far."""
    decided = draft.is_decided(targets["row"].to_numpy(dtype=np.int64))
    return targets[~decided] if decided.any() else targets


def distinct(asked: pd.DataFrame, draft: Draft) -> pd.DataFrame:
    """`asked` with each number once; identical repeats are set aside, contradictions all left."""
    keys = e164_keys(arrow_texts(asked["phone_number"]))
    numbers = asked["phone_number"] if keys is None else pd.Series(keys)
    repeated = numbers.duplicated(keep=False).to_numpy(dtype=np.bool_)
    if not repeated.any():
        return asked
    groups: dict[str, dict[str, list[int]]] = {}
    names = [name for name in asked.columns if name not in ("row", "phone_number")]
    some = asked[repeated]
    shown, wanted = some["phone_number"].tolist(), records(some, names)
    for row, number, target in zip(some["row"].tolist(), shown, wanted, strict=True):
        groups.setdefault(number, {}).setdefault(canonical(target), []).append(int(row))
    for variants in groups.values():
        same = len(variants) == 1
        for first, *rest in variants.values():
            for row in rest if same else (first, *rest):
                if same:
                    draft.leave(row, Verdict.SET_ASIDE, "duplicate-row", f"repeats row {first}")
                else:
                    draft.leave(row, Verdict.CONFLICT, "conflicting-rows")
    return asked[~draft.is_decided(asked["row"].to_numpy(dtype=np.int64))]


def owners(orders: pd.DataFrame, account_sid: str) -> list[dict[str, str]]:
    """What a step says of its order's account: nothing, where it is the plan's own."""
    known = values(orders, "account_sid")
    return [{} if owner in (None, account_sid) else {"account_sid": owner} for owner in known]
