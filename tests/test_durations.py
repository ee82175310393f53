"""Times are honest: open stays are censored, bounds hold the truth, quantiles agree with scipy."""

from __future__ import annotations

import math
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hnbulk.durations import (
    CURVE_COLUMNS,
    SPELL_COLUMNS,
    TIME_COLUMNS,
    kaplan_meier,
    median_time,
    stage_curves,
    stage_spells,
    stage_times,
    status_changes,
)
from hnbulk.frames import events_frame

START = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
NAN = math.nan


def at(hours: float) -> datetime:
    """A moment so many hours after the start."""
    return START + timedelta(hours=hours)


def event(
    status: str, seen: float, before: float | None = None, *, order: int = 1, **more: Any
) -> dict[str, Any]:
    """One sighting of an order; times in hours after the start."""
    record = {
        "order_sid": f"HR{order:032x}",
        "phone_number": "+14155550100",
        "status": status,
        "seen_at": at(seen),
        "not_before": None if before is None else at(before),
        "source": "poll",
        "attempt": 1,
        "run_id": None,
    }
    return {**record, **more}


def spells_of(*records: dict[str, Any], now: float = 100.0) -> pd.DataFrame:
    """The stays these sightings make."""
    return stage_spells(events_frame(records), at(now))


@pytest.mark.parametrize("seed", range(25))
def test_kaplan_meier_agrees_with_scipy(seed: int) -> None:
    """On random durations with many ties the curve is scipy's, at, between and beyond its steps."""
    chance = np.random.default_rng(seed)
    lengths = chance.integers(0, 30, size=chance.integers(1, 200)).astype(float)
    observed = chance.random(len(lengths)) < chance.random()
    curve = kaplan_meier(lengths, observed)
    other = stats.ecdf(stats.CensoredData(uncensored=lengths[observed], right=lengths[~observed])).sf
    if observed.any():
        assert curve["survival"].to_numpy() == pytest.approx(other.evaluate(curve["time"].to_numpy()))
    else:
        assert (curve["survival"] == 1.0).all()


def test_kaplan_meier_gives_the_textbook_curve() -> None:
    """The remission times of Freireich (1963), 6-MP arm: survival and median as printed everywhere."""
    over = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    still = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    lengths, observed = np.array([*over, *still], float), np.array([True] * 9 + [False] * 12)
    curve = kaplan_meier(lengths, observed).query("events > 0")
    assert list(curve["time"]) == [6, 7, 10, 13, 16, 22, 23]
    assert list(curve["at_risk"]) == [21, 17, 15, 12, 11, 7, 6]
    assert curve["survival"].round(3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert median_time(lengths, observed) == 23


def test_without_open_stays_survival_is_the_share_of_longer_ones() -> None:
    """The closed form without censoring."""
    lengths = np.array([3.0, 1.0, 2.0, 2.0])
    curve = kaplan_meier(lengths, np.ones(4, bool))
    assert curve["survival"].tolist() == pytest.approx([0.75, 0.25, 0.0])
    assert list(curve.columns) == list(CURVE_COLUMNS)


def test_the_median_waits_for_half_to_leave() -> None:
    """Not yet (NaN) while more than half are there; exactly half counts as reached."""
    lengths = np.array([1.0, 2.0, 3.0, 4.0])
    assert math.isnan(median_time(lengths, np.array([True, False, False, False])))
    assert median_time(lengths, np.array([True, True, False, False])) == 2.0
    thirds = np.arange(1.0, 7.0)
    assert median_time(thirds, thirds < 4) == 3.0
    assert math.isnan(median_time(np.array([]), np.array([], bool)))


@pytest.mark.parametrize("bad", [-1.0, NAN])
def test_a_duration_that_cannot_be_is_refused(bad: float) -> None:
    """Neither negative nor missing lengths are counted as something else."""
    with pytest.raises(ValueError, match="missing or negative"):
        kaplan_meier(np.array([1.0, bad]), np.array([True, True]))


def test_a_stay_is_bounded_by_the_looks_around_its_ends() -> None:
    """Entered in (6, 12], left in (18, 24]: between 6 and 18 hours."""
    spells = spells_of(event("received", 12, 6), event("pending-verification", 24, 18))
    first = spells.iloc[0]
    assert (first["stage"], first["lower"], first["upper"]) == ("received", 6 * 3600, 18 * 3600)
    assert not first["open"]
    assert tuple(spells.columns) == SPELL_COLUMNS


def test_an_open_stay_ends_now_and_is_open() -> None:
    """Its lower bound runs from the sighting to now; it has no end of its own."""
    last = spells_of(event("received", 0, 0), event("verified", 12, 6), now=20).iloc[-1]
    assert last["open"]
    assert (last["lower"], last["upper"]) == (8 * 3600, 14 * 3600)
    assert pd.isna(last["left_at"])


def test_an_end_of_the_way_is_no_stay() -> None:
    """Completed and failed are not waited in."""
    spells = spells_of(event("testing", 0, 0), event("completed", 6, 0), event("failed", 7, 7, order=2))
    assert spells["stage"].tolist() == ["testing"]


def test_a_lost_attempt_is_over_when_the_next_begins() -> None:
    """An order never seen failing did not stay open once its number has a newer one."""
    spells = spells_of(
        event("received", 0, 0), event("twilio-processing", 50, 50, order=2, attempt=2), now=80
    )
    first = spells.iloc[0]
    assert not first["open"]
    assert (first["lower"], first["upper"]) == (0.0, 50 * 3600)
    assert spells["open"].tolist() == [False, True]


def test_the_same_status_seen_again_is_one_stay() -> None:
    """Repeated sightings, by whatever source, are folded into the first."""
    spells = spells_of(event("received", 0, 0), event("received", 6, 0), event("verified", 12, 6))
    assert spells["stage"].tolist() == ["received", "verified"]


def test_a_stage_entered_twice_is_two_stays() -> None:
    """A refused letter sends an order back to verified: both waits count."""
    spells = spells_of(event("verified", 0, 0), event("pending-loa", 6, 0), event("verified", 12, 6))
    assert spells["stage"].tolist() == ["verified", "pending-loa", "verified"]


def test_a_missing_lower_bound_is_the_sighting_before() -> None:
    """The first event of an order is exact; a later one without bound lies after the one before."""
    spells = spells_of(event("received", 3), event("verified", 9), now=10)
    assert spells["entered_not_before"].tolist() == [at(3), at(3)]


def test_what_came_later_than_now_is_not_known() -> None:
    """The past can be asked: the events after the moment do not exist."""
    assert spells_of(event("received", 0, 0), event("verified", 12, 6), now=5)["open"].tolist() == [True]


def test_row_order_plays_no_part() -> None:
    """Shuffled events, two at one moment among them, give the same stays."""
    records = [
        event("twilio-processing", 0, 0, order=n, phone_number=f"+1415555{n:04}") for n in range(20)
    ] + [event("received", n % 3, 0, order=n, phone_number=f"+1415555{n:04}") for n in range(20)]
    straight = spells_of(*records)
    random.Random(3).shuffle(records)
    pd.testing.assert_frame_equal(spells_of(*records), straight)


def test_an_order_without_number_or_attempt_still_counts() -> None:
    """Its sid stands for the number, its attempt is the first."""
    changes = status_changes(
        events_frame([event("received", 0, 0, phone_number=None, attempt=None)]), at(1)
    )
    assert changes["phone_number"].tolist() == changes["order_sid"].tolist()
    assert changes["attempt"].tolist() == [1]


def test_the_truth_lies_within_the_bounds() -> None:
    """Orders with known true times, looked at every six hours: no true length escapes its bounds."""
    chance, records, truth = random.Random(11), [], {}
    for n in range(300):
        enter, leave = chance.uniform(0, 40), chance.uniform(60, 90)
        truth[f"HR{n:032x}"] = (leave - enter) * 3600
        for status, moment in (("received", enter), ("verified", leave)):
            look = math.ceil(moment / 6) * 6
            records.append(event(status, look, look - 6, order=n, phone_number=f"+1415555{n:04}"))
    spells = spells_of(*records).query("stage == 'received'")
    real = spells["order_sid"].map(truth)
    assert len(spells) == 300
    assert spells["lower"].le(real).all()
    assert spells["upper"].ge(real).all()


def test_the_median_says_how_uncertain_it_is() -> None:
    """Polled every six hours, a stay's two ends leave six hours each way."""
    records = []
    for n in range(9):
        number = {"order": n, "phone_number": f"+1415555{n:04}"}
        records += [event("received", 6, 0, **number), event("verified", 30 + 6 * n, 24 + 6 * n, **number)]
    times = stage_times(events_frame(records), at(200)).set_index("stage").loc["received"]
    assert times["median"] == 48 * 3600
    assert (times["median_low"], times["median_high"]) == (42 * 3600, 54 * 3600)
    assert times["uncertainty"] == 6 * 3600


def test_open_stays_hold_the_median_back() -> None:
    """Nine of ten still there: no median, though the one that left took an hour."""
    records = [event("received", 0, 0, order=n, phone_number=f"+1415555{n:04}") for n in range(10)]
    records.append(event("verified", 1, 1, order=3, phone_number="+14155550003"))
    row = stage_times(events_frame(records), at(50)).iloc[0]
    assert (row["n"], row["left"], row["open"]) == (10, 1, 9)
    assert math.isnan(row["median"])


def test_times_and_curves_come_in_funnel_order() -> None:
    """Stages stand in the order of the life of an order, whatever their names."""
    spells = spells_of(event("verified", 0, 0), event("testing", 6, 0), event("received", 0, 0, order=2))
    times = stage_times(events_frame([event("verified", 0, 0), event("received", 0, 0, order=2)]), at(9))
    assert times["stage"].tolist() == ["received", "verified"]
    assert stage_curves(spells)["stage"].drop_duplicates().tolist() == ["received", "verified", "testing"]


def test_no_events_make_empty_frames_with_their_columns() -> None:
    """Nothing seen, nothing told, nothing broken."""
    spells = spells_of()
    assert (tuple(spells.columns), len(spells)) == (SPELL_COLUMNS, 0)
    times = stage_times(events_frame([]), at(0))
    assert (tuple(times.columns), len(times)) == (TIME_COLUMNS, 0)
    assert stage_curves(spells).empty


def test_two_hundred_thousand_events_take_a_moment() -> None:
    """No per-row work: a fifth of a million events in a few seconds."""
    size = 50_000
    one = pd.DataFrame({"n": np.arange(size)})
    sids = "HR" + one["n"].astype(str).str.zfill(32)
    phones = "+1415" + one["n"].astype(str).str.zfill(7)
    stages = ("twilio-processing", "received", "pending-verification", "verified")
    frames = [
        events_frame([])
        .reindex(one.index)
        .assign(
            order_sid=sids, phone_number=phones, status=stage, seen_at=pd.Timestamp(at(6 * k)), attempt=1
        )
        for k, stage in enumerate(stages)
    ]
    events = pd.concat(frames, ignore_index=True).astype(events_frame([]).dtypes.to_dict())
    began = time.perf_counter()
    assert len(stage_times(events, at(100))) == 4
    assert time.perf_counter() - began < 5
