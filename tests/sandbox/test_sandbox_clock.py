"""The sandbox's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hnbulk.sandbox.clock import EPOCH, SandboxClock, stamp


def test_a_stepped_clock_begins_on_a_monday_and_stands_still() -> None:
    """It starts at the epoch and moves only when stepped."""
    clock = SandboxClock()
    assert clock.now() == EPOCH == datetime(2026, 1, 5, 15, tzinfo=UTC)
    assert EPOCH.weekday() == 0
    clock.advance(90)
    assert clock.now() - EPOCH == timedelta(seconds=90)


def test_a_fast_clock_runs_so_many_times_as_fast_and_can_be_stepped() -> None:
    """Ten real seconds are an hour at x360, and a step comes on top."""
    real = [100.0]
    clock = SandboxClock("fast", speed=360, monotonic=lambda: real[0])
    real[0] += 10
    assert clock.now() - EPOCH == timedelta(hours=1)
    clock.advance(60)
    assert clock.now() - EPOCH == timedelta(hours=1, seconds=60)


def test_a_real_clock_runs_with_the_real_one() -> None:
    """A real second is a second."""
    real = [5.0]
    clock = SandboxClock("real", monotonic=lambda: real[0])
    real[0] += 7
    assert clock.now() - EPOCH == timedelta(seconds=7)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e12])
def test_a_clock_refuses_a_step_that_is_none(seconds: float) -> None:
    """Backwards, endless and not-a-number steps change nothing."""
    clock = SandboxClock()
    with pytest.raises(ValueError, match="advance takes"):
        clock.advance(seconds)
    assert clock.now() == EPOCH


@pytest.mark.parametrize("options", [{"mode": "odd"}, {"mode": "fast", "speed": 0}])
def test_a_clock_of_no_known_kind_is_refused(options: dict[str, object]) -> None:
    """Modes and speeds are checked."""
    with pytest.raises(ValueError):
        SandboxClock(**options)  # type: ignore[arg-type]


def test_advance_to_goes_forward_only() -> None:
    """A moment that has passed changes nothing."""
    clock = SandboxClock()
    clock.advance_to(EPOCH - timedelta(days=1))
    assert clock.now() == EPOCH
    clock.advance_to(EPOCH + timedelta(days=1))
    assert clock.now() == EPOCH + timedelta(days=1)


def test_stamps_are_whole_seconds_with_a_z() -> None:
    """Dates look as in every example of the API."""
    assert stamp(int(EPOCH.timestamp())) == "2026-01-05T15:00:00Z"


def test_a_clock_ends_with_the_year_9999() -> None:
    """A step beyond is refused and changes nothing."""
    clock = SandboxClock(start=datetime(9999, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="9999"):
        clock.advance(400 * 86400)
    assert clock.now().year == 9999


def test_watchers_are_told_of_every_step() -> None:
    """Of steps by seconds, to a moment and of a restored time; until they watch no more."""
    clock, told = SandboxClock(), []
    watcher = lambda: told.append(clock.now())  # noqa: E731
    clock.watch(watcher)
    clock.advance(1)
    clock.advance_to(EPOCH + timedelta(seconds=5))
    clock.set(EPOCH)
    clock.unwatch(watcher)
    clock.advance(1)
    assert [moment - EPOCH for moment in told] == [timedelta(seconds=n) for n in (1, 5, 0)]


def test_a_clock_that_runs_too_fast_stops_where_the_calendar_ends() -> None:
    """It says the last second there is, and does not fail."""
    ticks = iter((0.0, 1.0, 2.0))
    clock = SandboxClock("fast", speed=1e12, monotonic=lambda: next(ticks))
    assert clock.now().year == 9999
