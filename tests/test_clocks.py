"""The two world clocks: one that runs by itself and one that is stepped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hnbulk.clocks import ServiceClock, SteppedClock

START = datetime(2026, 1, 5, 15, tzinfo=UTC)


class World:
    """A world whose time moves only when told to."""

    def __init__(self) -> None:
        self.time = START
        self.steps: list[float] = []

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.steps.append(seconds)
        self.time += timedelta(seconds=seconds)


def test_waiting_on_the_service_sleeps_in_slices_until_its_time_has_come() -> None:
    """The wait ends at the moment by the server's time, in slices an interrupt can get between."""
    world = World()
    ServiceClock(world.now, sleep=world.advance).wait_until(START + timedelta(seconds=1.2))
    assert world.time == START + timedelta(seconds=1.2)
    assert max(world.steps) <= 0.5


def test_waiting_on_a_stepped_world_advances_it_once() -> None:
    """The world has moved to the moment in one step."""
    world = World()
    SteppedClock(world.now, world.advance).wait_until(START + timedelta(days=2))
    assert world.steps == [2 * 86400.0]


def test_a_moment_in_the_past_is_no_wait() -> None:
    """Neither clock moves for a moment that has passed."""
    world = World()
    SteppedClock(world.now, world.advance).wait_until(START)
    ServiceClock(world.now, sleep=world.advance).wait_until(START - timedelta(days=1))
    assert world.steps == []
