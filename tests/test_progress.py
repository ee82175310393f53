"""Where a run is can be read in one calm line: how far, how fast, and how long it still takes."""

from __future__ import annotations

import pytest
from run_bench import PaceClock

from hnbulk.progress import Progress, Tally
from hnbulk.steps import State


def tally_of(total: int, ticks: PaceClock) -> Tally:
    return Tally(total, monotonic=ticks.monotonic, settle=120.0)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(10, done=10), "10 of 10 done"),
        (Progress(10, done=10, busy=1), "10 of 10 done (1 busy reply)"),
        (
            Progress(9, done=2, in_doubt=1, pending=6, doing="next at 9:00"),
            "2 of 9 done, 1 in doubt, 6 left (next at 9:00)",
        ),
        (
            Progress(2000, done=300, refused=2, pending=1698, rate=4.94, limit=6, busy=3, eta=1021.0),
            "300 of 2,000 done, 2 refused, 1,698 left (4.9 requests/s, 3 busy replies, about 17 min left)",
        ),
    ],
)
def test_it_is_told_in_one_line(progress: Progress, words: str) -> None:
    """What is not there is not told."""
    assert str(progress) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "about 10 s left"),
        (44.0, "about 40 s left"),
        (59.0, "about 60 s left"),
        (61.0, "about 1 min left"),
        (5300.0, "about 88 min left"),
        (7200.0, "about 2.0 h left"),
    ],
)
def test_the_time_left_is_as_exact_as_it_is_known(seconds: float, words: str) -> None:
    """Tens of seconds, minutes, hours."""
    assert Progress(1, eta=seconds).pace == words


def test_the_time_left_is_what_is_open_at_the_recent_rate() -> None:
    """Ended steps of the last minute count, whatever came of them; before there are any nobody knows."""
    ticks = PaceClock()
    tally = tally_of(100, ticks)
    assert tally.progress.eta is None
    for step in range(20):
        ticks.sleep(2.0)
        tally.put([(step, State.DONE if step % 2 else State.REFUSED)])
    assert tally.progress.eta == pytest.approx(80 / (20 / 38))
    ticks.sleep(61.0)
    assert tally.progress.eta is None


def test_a_step_that_ends_twice_counts_once() -> None:
    """The audit may say of a done step that its order is gone: that is no progress."""
    ticks = PaceClock()
    tally = tally_of(4, ticks)
    tally.put([(0, State.DONE), (1, State.IN_DOUBT)])
    ticks.sleep(10.0)
    tally.put([(0, State.CONFLICT), (1, State.DONE)])
    assert tally.progress.eta == pytest.approx(2 / (2 / 10))


def test_doubts_alone_take_their_settle_time() -> None:
    """Counted from when the last one came up, never less than nothing."""
    ticks = PaceClock()
    tally = tally_of(2, ticks)
    tally.put([(0, State.DONE), (1, State.IN_DOUBT)])
    ticks.sleep(50.0)
    assert tally.progress.eta == pytest.approx(70.0)
    ticks.sleep(500.0)
    assert tally.progress.eta == 0.0
    tally.put([(1, State.DONE)])
    assert tally.progress.eta is None


def test_what_was_taken_up_says_nothing_of_the_speed() -> None:
    """A resumed run with a thousand steps done has not done them in a second."""
    ticks = PaceClock()
    tally = tally_of(1010, ticks)
    tally.take_up((step, State.DONE) for step in range(1000))
    assert (tally.progress.done, tally.progress.eta) == (1000, None)
    tally.put([(1000, State.DONE)])
    ticks.sleep(10.0)
    assert tally.progress.eta == pytest.approx(90.0)
