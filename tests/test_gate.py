"""No second of requests that really went out holds more than the rate, and little of it is given away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from run_bench import PaceClock

from hnbulk.gate import SPAN, Gate


def worst_second(starts: list[float]) -> int:
    """The most starts in any half-open second."""
    return max(sum(begin <= start < begin + 1 for start in starts) for begin in starts)


@pytest.fixture
def ticks() -> PaceClock:
    return PaceClock()


def gate_of(ticks: PaceClock, rate: float | None) -> Gate:
    return Gate(rate, monotonic=ticks.monotonic, sleep=ticks.sleep)


@pytest.mark.parametrize("rate", [10.0, 50.0, 100.0])
def test_nearly_all_of_the_rate_is_used(ticks: PaceClock, rate: float) -> None:
    """Ninety-nine in a hundred of it over a minute, with a clock that oversleeps by a millisecond."""
    gate, starts, end = gate_of(ticks, rate), [], ticks.now + 60
    gate.sleep = lambda seconds: ticks.sleep(seconds + 0.001)
    while gate() and ticks.now < end:
        starts.append(ticks.now)
    assert len(starts) >= 0.99 * rate * 60
    assert worst_second(starts) <= rate
    assert SPAN <= 1.003


def test_a_request_counts_when_its_first_byte_leaves(ticks: PaceClock) -> None:
    """Let through and then held up, it makes the one a second behind it wait for as long."""
    gate, left = gate_of(ticks, 1.0), []
    for held_up in (0.7, 0.0, 0.4, 0.0):
        assert gate.enter(lambda: False)
        ticks.sleep(held_up)
        gate.left()
        left.append(ticks.now)
    assert all(later - sooner >= 1.0 for sooner, later in pairwise(left))
    assert left[-1] - left[0] < 3.5


def test_slow_connecting_gathers_no_burst(ticks: PaceClock) -> None:
    """While a start has not left, it takes its place; so ten that all leave late are not more a second."""
    gate, left, threads = Gate(5.0), [], []
    together = threading.Barrier(5)

    def connect() -> None:
        gate.enter(lambda: False)
        together.wait(10)
        left.append(time.monotonic())  # all five at once, long after they were let through
        gate.left()

    for wait in range(10):
        threads.append(threading.Thread(target=connect, daemon=True))
        threads[-1].start()
        if wait == 4:
            time.sleep(0.2)
    for thread in threads:
        thread.join(10)
    assert len(left) == 10
    assert worst_second(left) == 5


def test_a_thread_that_never_says_it_left_gives_its_place_back(ticks: PaceClock) -> None:
    """After as long as connecting may take."""
    gate, began = gate_of(ticks, 1.0), ticks.now
    gate.enter(lambda: False)
    gate()
    assert 5.0 < ticks.now - began < 6.1


def test_who_is_stopped_counts_nothing(ticks: PaceClock) -> None:
    """Its place is free for the next."""
    gate = gate_of(ticks, 1.0)
    assert gate()
    assert not gate(lambda: True)
    began = ticks.now
    assert gate()
    assert ticks.now - began < 1.01


def test_without_a_rate_nobody_waits(ticks: PaceClock) -> None:
    """And a closed gate has none."""
    gate, began = gate_of(ticks, None), ticks.now
    assert all(gate() for _ in range(1000))
    limited = gate_of(ticks, 1.0)
    limited.close()
    assert all(limited() for _ in range(1000))
    assert ticks.now == began


def test_another_rate_is_set_while_somebody_waits() -> None:
    """At once: nobody is waited for."""
    gate = Gate(0.01)
    assert gate()
    over = threading.Event()
    waiting = threading.Thread(target=lambda: (gate(over.is_set), None), daemon=True)
    waiting.start()
    with quickly(), gate.at(1000.0):
        pass
    over.set()
    waiting.join(5)


@contextmanager
def quickly() -> Iterator[None]:
    """What is inside takes less than the slice in which a waiting thread sleeps a hundred times."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5
