"""The funnel: how far each number came, where it stands, how long it took, and what is stuck.

Frames of events in, frames and faces out. A number counts once; a stage passed through unseen
counts as reached and is marked as inferred; every share says of what. This module reads no clock:
it tells the state at `now`, or at the last sighting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hnbulk import charts, durations, funnelcard, lifecycle
from hnbulk.errors import UsageError
from hnbulk.pictures import Picture

TABLE_COLUMNS = (
    "stage",
    "reached",
    "inferred",
    "current",
    "share_of_all",
    "share_of_previous",
    "median_seconds",
    "median_low",
    "median_high",
    "open",
)
STANDING_COLUMNS = (
    "phone_number",
    "order_sid",
    "attempt",
    "status",
    "since",
    "since_not_before",
    "age_seconds",
)
FLOW_POINTS = 200

#: What a person does about numbers standing in a status; the moves behind it are in `lifecycle.MOVES`.
NEXT_STEPS: Mapping[str, str] = {
    "twilio-processing": "wait: Twilio checks whether they can be hosted",
    "received": "verify ownership: hnbulk verify",
    "pending-verification": "finish the verification: answer the call, or call again with hnbulk verify",
    "verified": "send letters of authorization: hnbulk authorize",
    "pending-loa": "have the letters signed",
    "carrier-processing": "wait: the carrier is at work",
    "testing": "wait: the test is under way",
    "action-required": "write to Twilio's support: unanswered for seven days, they fail",
    "failed": "read failure_reason, mend the rows and plan again: a new order is possible",
}
#: The same for a status that no version of this knew.
NO_ADVICE = "look at them in the Console: this version does not know the status"

Kind = Literal["funnel", "standing", "survival", "flow"]


@dataclass(frozen=True, eq=False, repr=False)
class Funnel:
    """What the events tell as of one moment. Shows itself as a table of bars, in text and in HTML."""

    as_of: datetime | None  # UTC; None where there are no events
    table: pd.DataFrame  # TABLE_COLUMNS, in funnel order
    standing: pd.DataFrame  # STANDING_COLUMNS: one row per number, by status, longest there first
    changes: pd.DataFrame  # the events that changed a status, see `durations.status_changes`
    spells: pd.DataFrame  # the stays they make, see `durations.stage_spells`

    @property
    def numbers(self) -> int:
        """How many phone numbers the events speak of."""
        return len(self.standing)

    @property
    def completed(self) -> int:
        """How many numbers are completed now."""
        return int(self.standing["status"].eq("completed").sum())

    @property
    def next_steps(self) -> pd.DataFrame:
        """What to do about the numbers not completed: stage, current, next_step, in funnel order."""
        rows = self.table.loc[(self.table["current"] > 0) & (self.table["stage"] != "completed")]
        advice = [NEXT_STEPS.get(str(stage), NO_ADVICE) for stage in rows["stage"]]
        return rows[["stage", "current"]].assign(next_step=advice).reset_index(drop=True)

    @property
    def flow(self) -> pd.DataFrame:
        """Numbers in each status at up to 200 even moments: time, stage, numbers."""
        return _flow(self.changes, self.as_of)

    def durations(self) -> pd.DataFrame:
        """Times per stage in seconds with their uncertainty: see `durations.times_of`."""
        return durations.times_of(self.spells)

    def stuck(self, older_than: timedelta = timedelta(days=3)) -> pd.DataFrame:
        """The numbers of `standing` not at an end that stand there longer than this, oldest first.

        Their age counts from the sighting: it is the shortest they can have been there.
        """
        final = [name for name in lifecycle.ORDER if lifecycle.is_terminal(name)]
        waiting = self.standing.loc[~self.standing["status"].isin(final)]
        old = waiting.loc[waiting["age_seconds"] > older_than.total_seconds()]
        return old.sort_values(["since", "phone_number"]).reset_index(drop=True)

    def plot(self, kind: Kind = "funnel") -> Picture:
        """The picture: `funnel`, `standing` (now), `survival` (time in stages) or `flow` (over time).

        Raises `UsageError` for another kind.
        """
        if kind == "funnel":
            return charts.funnel_chart(self.table, numbers=self.numbers, as_of=self.as_of)
        if kind == "standing":
            return charts.standing_chart(self.table, numbers=self.numbers, as_of=self.as_of)
        if kind == "survival":
            return charts.survival_chart(durations.stage_curves(self.spells), as_of=self.as_of)
        if kind == "flow":
            return charts.flow_chart(self.flow, numbers=self.numbers, as_of=self.as_of)
        raise UsageError(f"no picture {kind!r}; there are funnel, standing, survival and flow.")

    def __repr__(self) -> str:
        return f"Funnel({funnelcard.headline(self.table, self.as_of)})"

    def __str__(self) -> str:
        return funnelcard.text(self.table, self.as_of)

    def _repr_html_(self) -> str:
        return funnelcard.page_part(self.table, self.as_of)


def build_funnel(events: pd.DataFrame, *, now: datetime | None = None) -> Funnel:
    """The funnel of all numbers in `events` as of `now`, or as of the last sighting where not given.

    Needs the event columns; events after `now` are not looked at. `reached` counts numbers any of
    whose orders was seen in the stage or in a later one of the path, every order being created in
    the first; `inferred` are those among them never seen in it. `current` counts each number once,
    by its latest attempt, and sums to all numbers. Side statuses count their own events only.
    """
    last = events["seen_at"].max()
    as_of = now if now is not None else (None if pd.isna(last) else last.to_pydatetime())
    moment = as_of if as_of is not None else datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    changes = durations.status_changes(events, moment)
    spells = durations.spells_of(changes, moment)
    standing = _standing(changes, pd.Timestamp(moment))
    table = _table(changes, standing, spells)
    return Funnel(
        as_of=None if changes.empty else as_of,
        table=table,
        standing=standing,
        changes=changes,
        spells=spells,
    )


def _of_latest_attempt(changes: pd.DataFrame) -> pd.DataFrame:
    """Changes by number and time, without those of an older attempt once a newer one was seen."""
    timely = changes.sort_values(["phone_number", "seen_at"], kind="stable")
    newest = timely.groupby("phone_number", sort=False)["attempt"].cummax()
    return timely.loc[timely["attempt"] == newest]


def _standing(changes: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    last = _of_latest_attempt(changes).drop_duplicates("phone_number", keep="last")
    frame = last.rename(columns={"seen_at": "since", "not_before": "since_not_before"})
    frame = frame.assign(age_seconds=(now - frame["since"]).dt.total_seconds())
    ordered = frame.sort_values(["status", "since", "phone_number"])
    return ordered[list(STANDING_COLUMNS)].reset_index(drop=True)


def _table(changes: pd.DataFrame, standing: pd.DataFrame, spells: pd.DataFrame) -> pd.DataFrame:
    stages = list(changes["status"].cat.categories)
    kind = changes["status"].dtype
    seen = changes.groupby("status", observed=False)["phone_number"].nunique().reindex(stages)
    on_path = _reached_on_path(changes)
    reached = pd.Series([*on_path, *seen.iloc[len(on_path) :]], index=stages, dtype="int64")
    current = standing["status"].value_counts().reindex(stages, fill_value=0)
    times = durations.times_of(spells).set_index("stage").reindex(stages)
    before = reached.where(reached.index.isin(lifecycle.FUNNEL)).shift()
    before = before.where(reached.index.isin(lifecycle.FUNNEL))
    frame = pd.DataFrame(
        {
            "stage": pd.Series(stages, dtype=kind),
            "reached": reached.to_numpy(dtype=np.int64),
            "inferred": (reached - seen).to_numpy(dtype=np.int64),
            "current": current.to_numpy(dtype=np.int64),
            "share_of_all": (reached / (len(standing) or math.nan)).to_numpy(dtype=np.float64),
            "share_of_previous": (reached / before.replace(0, math.nan)).to_numpy(dtype=np.float64),
            "median_seconds": times["median"].to_numpy(dtype=np.float64),
            "median_low": times["median_low"].to_numpy(dtype=np.float64),
            "median_high": times["median_high"].to_numpy(dtype=np.float64),
            "open": times["open"].fillna(0).to_numpy(dtype=np.int64),
        }
    )
    return frame[list(TABLE_COLUMNS)]


def _reached_on_path(changes: pd.DataFrame) -> NDArray[np.intp]:
    """Numbers that came at least to each stage of the path."""
    place = {
        name: lifecycle.FUNNEL.index(name) if name in lifecycle.FUNNEL else 0 for name in _names(changes)
    }
    farthest = (
        changes["status"]
        .map(place)
        .astype("int64")
        .groupby(changes["phone_number"], sort=False)
        .max()
        .to_numpy()
    )
    counts = np.bincount(farthest, minlength=len(lifecycle.FUNNEL))
    at_least: NDArray[np.intp] = counts[::-1].cumsum()[::-1]
    return at_least


def _names(changes: pd.DataFrame) -> list[str]:
    return [str(name) for name in changes["status"].cat.categories]


def _flow(changes: pd.DataFrame, as_of: datetime | None) -> pd.DataFrame:
    latest = _of_latest_attempt(changes)
    if latest.empty or as_of is None:
        return pd.DataFrame({"time": pd.Series(dtype="datetime64[us, UTC]"), "stage": [], "numbers": []})
    moments = pd.date_range(latest["seen_at"].min(), pd.Timestamp(as_of), periods=FLOW_POINTS).unique()
    left_at = latest["seen_at"].shift(-1).where(latest["phone_number"].eq(latest["phone_number"].shift(-1)))
    frames = []
    for stage in _names(changes):
        here = latest["status"] == stage
        came = np.sort(latest.loc[here, "seen_at"].to_numpy(dtype="datetime64[us]"))
        went = np.sort(left_at.loc[here].dropna().to_numpy(dtype="datetime64[us]"))
        grid = moments.to_numpy(dtype="datetime64[us]")
        count = np.searchsorted(came, grid, side="right") - np.searchsorted(went, grid, side="right")
        frames.append(pd.DataFrame({"time": moments, "stage": stage, "numbers": count}))
    flow = pd.concat(frames, ignore_index=True)
    return flow.astype({"stage": changes["status"].dtype, "numbers": "int64"})
