"""How long numbers stay in a stage, told with what is not known: frames of events in, frames of times out.

The service keeps no history, so each change is known only to lie in `(not_before, seen_at]`, and
an order still in a stage is counted as open (censored), never as finished or left out. Times in
frames are seconds. This module reads no clock and guesses nothing beyond the last observation.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hnbulk import lifecycle
from hnbulk.frames import status_dtype

SPELL_COLUMNS = (
    "phone_number",
    "order_sid",
    "attempt",
    "stage",
    "entered_not_before",
    "entered_at",
    "left_not_before",
    "left_at",
    "open",
    "lower",
    "upper",
    "source",
)
TIME_COLUMNS = (
    "stage",
    "n",
    "left",
    "open",
    "median",
    "p25",
    "p75",
    "median_low",
    "median_high",
    "uncertainty",
)
CURVE_COLUMNS = ("time", "survival", "at_risk", "events")

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_ROUNDING = 1e-9  # a product of shares that is one half in exact arithmetic counts as one half


def kaplan_meier(durations: Floats, observed: Bools) -> pd.DataFrame:
    """The share that lasts longer than each time: columns time, survival, at_risk, events.

    One row per distinct duration, ascending. `observed` False is a duration that was still going
    on (censored); one censored at the very time of an event was at risk in it. There is no row
    beyond the longest duration: nothing is extrapolated. Raises `ValueError` for missing or
    negative durations.
    """
    times, events, censored = _tally(durations, observed)
    gone = np.cumsum(events + censored)
    at_risk = gone[-1] - np.concatenate(([0], gone[:-1])) if len(gone) else gone
    share = np.cumprod(1.0 - events / np.maximum(at_risk, 1))
    return pd.DataFrame({"time": times, "survival": share, "at_risk": at_risk, "events": events})


def median_time(durations: Floats, observed: Bools, *, left: float = 0.5) -> float:
    """The time after which `left` of all (half, unless told) are over, open ones counted as open.

    NaN where that share has not been reached yet, and where there are no durations.
    """
    return _time_at(kaplan_meier(durations, observed), left)


def stage_spells(events: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """One row for each stay of an order in a stage that can be left, as known at `now`.

    Needs the event columns. Events after `now` are not looked at. `lower` and `upper` are seconds
    between which the stay's true length lies (`lower` alone is certain while `open`: it then runs
    to `now`). An order whose number has a later attempt is over at the latest when that began.
    Ordered by number, attempt, order and time of entry.
    """
    return spells_of(status_changes(events, now), now)


def spells_of(changes: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The stays that the changes of `status_changes` make: see `stage_spells`."""
    if changes.empty:
        return _no_spells()
    order = changes["order_sid"]
    same = order.eq(order.shift(-1))
    left_from = changes["not_before"].shift(-1).where(same)
    left_at = changes["seen_at"].shift(-1).where(same)
    next_attempt = _next_attempt_start(changes)
    superseded = ~same & next_attempt.notna()
    left_from = left_from.mask(superseded, changes["seen_at"])
    left_at = left_at.mask(superseded, next_attempt)
    return _measured(changes, left_from, left_at, pd.Timestamp(now))


def stage_times(events: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Times per stage in seconds, one row per stage with at least one stay, in funnel order.

    See `times_of`.
    """
    return times_of(stage_spells(events, now))


def times_of(spells: pd.DataFrame) -> pd.DataFrame:
    """Per stage: stays `n`, how many are over (`left`), how many `open`, and quantiles in seconds.

    `median`, `p25` and `p75` are Kaplan-Meier quantiles of the midpoints; `median_low` and
    `median_high` those of the shortest and longest stays the observations allow; `uncertainty` is
    half their distance. NaN means "not yet": too few have left to say.
    """
    rows = [_stage_row(stage, group) for stage, group in _by_stage(spells)]
    frame = pd.DataFrame(rows, columns=list(TIME_COLUMNS))
    counts = {"n": "int64", "left": "int64", "open": "int64"}
    quantiles = dict.fromkeys(TIME_COLUMNS[4:], "float64")
    return frame.astype({"stage": spells["stage"].dtype, **counts, **quantiles})


def stage_curves(spells: pd.DataFrame) -> pd.DataFrame:
    """The Kaplan-Meier curve of every stage on midpoints: stage, time (s), survival, at_risk, events."""
    curves = [
        kaplan_meier(_middle(group), _over(group)).assign(stage=stage) for stage, group in _by_stage(spells)
    ]
    empty = pd.DataFrame(columns=[*CURVE_COLUMNS, "stage"])
    frame = pd.concat(curves, ignore_index=True) if curves else empty
    return frame[["stage", *CURVE_COLUMNS]].astype({"stage": spells["stage"].dtype})


def status_changes(events: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The events up to `now` that changed an order's status, by number, attempt, order and time.

    Repeated sightings of one status are folded into the first. A missing phone number is replaced
    by the order's sid, a missing attempt by 1, a missing `not_before` by the sighting before (the
    first: by its own time). Events at one moment follow the funnel order, so the input's row order
    plays no part.
    """
    known = events.loc[
        events["status"].notna() & events["seen_at"].notna() & (events["seen_at"] <= pd.Timestamp(now))
    ]
    frame = known.assign(
        status=_funnel_ordered(known["status"]),
        phone_number=known["phone_number"].fillna(known["order_sid"]),
        attempt=known["attempt"].fillna(1).astype("int64"),
    )
    frame = frame.iloc[_time_order(frame)].reset_index(drop=True)
    first = frame["order_sid"].ne(frame["order_sid"].shift())
    before = frame["seen_at"].shift().mask(first, frame["seen_at"])
    earliest = frame["not_before"].fillna(before)
    frame["not_before"] = earliest.where(earliest <= frame["seen_at"], frame["seen_at"])
    changed = first | frame["status"].cat.codes.diff().ne(0)
    return frame.loc[changed].reset_index(drop=True)


def _tally(durations: Floats, observed: Bools) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    lengths = np.asarray(durations, dtype=np.float64)
    if not bool(np.all(lengths >= 0)):
        raise ValueError("a duration is missing or negative")
    times, place = np.unique(lengths, return_inverse=True)
    over = np.asarray(observed, dtype=bool)
    events = np.bincount(place[over], minlength=len(times)).astype(np.int64)
    censored = np.bincount(place[~over], minlength=len(times)).astype(np.int64)
    return times, events, censored


def _time_at(curve: pd.DataFrame, left: float) -> float:
    reached = curve["survival"].to_numpy() <= 1.0 - left + _ROUNDING
    return float(curve["time"].to_numpy()[reached.argmax()]) if reached.any() else math.nan


def _funnel_ordered(status: pd.Series) -> pd.Series:
    """Categories in funnel order, unknown ones behind in alphabetical order, unused unknown ones gone."""
    used = [str(name) for name in status.unique()]
    unknown = sorted(name for name in used if lifecycle.known(name) is None)
    return status.astype(status_dtype(tuple(unknown)))


def _time_order(frame: pd.DataFrame) -> NDArray[np.intp]:
    numbers = frame["phone_number"].rank(method="dense").to_numpy(dtype=np.int64)
    orders = frame["order_sid"].rank(method="dense").to_numpy(dtype=np.int64)
    seen = frame["seen_at"].astype("int64").to_numpy()
    before = frame["not_before"].fillna(frame["seen_at"]).astype("int64").to_numpy()
    codes = frame["status"].cat.codes.to_numpy()
    return np.lexsort((codes, before, seen, orders, frame["attempt"].to_numpy(), numbers))


def _next_attempt_start(changes: pd.DataFrame) -> pd.Series:
    """For each change: the first sighting of its number's next attempt, else NaT."""
    number, attempt = changes["phone_number"], changes["attempt"]
    last_row_of_attempt = number.ne(number.shift(-1)) | attempt.ne(attempt.shift(-1))
    follows = last_row_of_attempt & number.eq(number.shift(-1))
    starts = changes["seen_at"].shift(-1).where(follows)
    return starts.groupby([number, attempt], sort=False).transform("last")


def _measured(
    changes: pd.DataFrame, left_from: pd.Series, left_at: pd.Series, now: pd.Timestamp
) -> pd.DataFrame:
    still_open = left_at.isna()
    shortest = left_from.where(~still_open, now) - changes["seen_at"]
    longest = left_at.where(~still_open, now) - changes["not_before"]
    frame = changes.rename(
        columns={"status": "stage", "not_before": "entered_not_before", "seen_at": "entered_at"}
    ).assign(
        left_not_before=left_from,
        left_at=left_at,
        open=still_open,
        lower=shortest.dt.total_seconds().clip(lower=0.0),
        upper=longest.dt.total_seconds().clip(lower=0.0),
    )
    final = [name for name in lifecycle.ORDER if lifecycle.is_terminal(name)]
    return frame.loc[~frame["stage"].isin(final), list(SPELL_COLUMNS)].reset_index(drop=True)


def _no_spells() -> pd.DataFrame:
    moment = "datetime64[us, UTC]"
    kinds: dict[str, Any] = {
        **dict.fromkeys(SPELL_COLUMNS, "string"),
        **dict.fromkeys(("entered_not_before", "entered_at", "left_not_before", "left_at"), moment),
        "attempt": "int64",
        "stage": status_dtype(),
        "open": "bool",
        "lower": "float64",
        "upper": "float64",
    }
    return pd.DataFrame({name: pd.Series(dtype=kinds[name]) for name in SPELL_COLUMNS})


def _by_stage(spells: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    groups = spells.groupby("stage", observed=True, sort=True)
    return [(str(stage), group) for stage, group in groups]


def _middle(spells: pd.DataFrame) -> Floats:
    middle: Floats = ((spells["lower"] + spells["upper"]) / 2).to_numpy(dtype=np.float64)
    return middle


def _over(spells: pd.DataFrame) -> Bools:
    over: Bools = ~spells["open"].to_numpy(dtype=bool)
    return over


def _stage_row(stage: str, spells: pd.DataFrame) -> dict[str, object]:
    over = _over(spells)
    curve = kaplan_meier(_middle(spells), over)
    low = median_time(spells["lower"].to_numpy(dtype=np.float64), over)
    high = median_time(spells["upper"].to_numpy(dtype=np.float64), over)
    return {
        "stage": stage,
        "n": len(spells),
        "left": int(over.sum()),
        "open": int((~over).sum()),
        "median": _time_at(curve, 0.5),
        "p25": _time_at(curve, 0.25),
        "p75": _time_at(curve, 0.75),
        "median_low": low,
        "median_high": high,
        "uncertainty": (high - low) / 2,
    }
