"""The pace is kept to the letter, waits stay in their bounds, and there is an end to trying."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.outcome import OutcomeKind
from hnbulk.pacing import (
    Breaker,
    Concurrency,
    Recent,
    RetryBudget,
    SlidingWindow,
    delay_after,
    full_jitter,
)

RATES = st.floats(0.5, 2000)
GAPS = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.01), st.floats(0, 3)), max_size=200)


def starts_of(rate: float | None, arrivals: list[float], window: float = 1.0) -> list[float]:
    """When requests that come at these times, one after another, may start."""
    pace, starts, now = SlidingWindow(rate, window), [], -math.inf
    for arrival in arrivals:
        now = max(now, arrival)
        while (start := pace.take(now)) > now:
            now = start
        starts.append(now)
    return starts


def no_window_overflows(starts: list[float], rate: float, span: float = 1.0) -> bool:
    """Exactly, in rational arithmetic: start i+limit comes a whole window after start i, or later."""
    starts, limit = sorted(starts), max(1, math.floor(rate))
    window = Fraction(span if rate >= 1 else span / rate)
    return all(
        Fraction(later) - Fraction(sooner) >= window
        for sooner, later in zip(starts, starts[limit:], strict=False)
    )


@given(RATES, GAPS, st.floats(0, 1e9))
def test_no_second_holds_more_than_the_rate(rate: float, gaps: list[float], origin: float) -> None:
    """Whatever the requests come at, and none starts before it has come."""
    arrivals = list(accumulate(gaps, initial=origin))
    starts = starts_of(rate, arrivals)
    assert all(start >= now for start, now in zip(starts, arrivals, strict=True))
    assert no_window_overflows(starts, rate)


@given(st.floats(0.5, 50), st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 3)), max_size=80))
def test_starts_that_turn_out_later_count_when_they_were(
    rate: float, requests: list[tuple[float, float]]
) -> None:
    """Each is let through, counted as late as it may be, and really starts some time until then."""
    pace, now = SlidingWindow(rate), 0.0
    begun: list[tuple[float, float]] = []  # when it really starts, as what it is counted till then
    real: list[float] = []
    for gap, late in requests:
        now += gap
        while (start := pace.take(now, now + 3.0)) > now:
            soonest = min([start, *(at for at, _ in begun)])
            now = max(now, soonest)
            for one in sorted(one for one in begun if one[0] <= now):
                begun.remove(one)
                pace.settle(one[1], one[0])
        begun.append((now + late, now + 3.0))
        real.append(now + late)
    assert no_window_overflows(real, rate)


@given(st.lists(st.tuples(st.floats(0, 0.3), st.sampled_from([1.0, 3.0, 20.0])), max_size=80))
def test_a_change_of_rate_forgets_no_start(changes: list[tuple[float, float]]) -> None:
    """Down and up again within a second: no second holds more than the highest rate."""
    pace, now, starts = SlidingWindow(20.0), 0.0, []
    for gap, rate in changes:
        now += gap
        pace.change(rate)
        while pace.take(now) <= now:
            starts.append(now)
    assert no_window_overflows(starts, 20.0)


@given(st.integers(1, 300), st.integers(1, 5))
def test_the_rate_is_reached_when_there_is_always_work(rate: int, seconds: int) -> None:
    """Every second is full: nothing is given away."""
    starts = starts_of(float(rate), [0.0] * (rate * seconds))
    assert starts[-1] == pytest.approx(seconds - 1, abs=1e-9)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50).map(sorted))
def test_no_rate_is_no_wait(arrivals: list[float]) -> None:
    """Without a rate everything starts when it comes."""
    assert starts_of(None, arrivals) == arrivals


def test_slow_rates_keep_their_distance() -> None:
    """Half a request a second is one every two seconds."""
    assert starts_of(0.5, [0.0, 0.0, 7.0]) == pytest.approx([0.0, 2.0, 7.0])


def test_a_longer_window_leaves_room() -> None:
    """The same number of starts, in a little more than a second."""
    assert starts_of(2, [0.0] * 5, window=1.25) == pytest.approx([0.0, 0.0, 1.25, 1.25, 2.5])


def test_being_told_to_wait_counts_nothing() -> None:
    """Only a start takes a place, and a start that nobody counted moves nothing."""
    pace = SlidingWindow(1)
    assert pace.take(0.0) == 0.0
    assert [pace.take(0.25), pace.take(0.25)] == pytest.approx([1.0, 1.0])
    pace.settle(0.7, 9.0)
    assert pace.take(1.1) == 1.1
    assert (pace.rate, SlidingWindow(None).take(3.0)) == (1, 3.0)


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
def test_a_rate_is_a_positive_number(rate: float) -> None:
    """Anything else is a mistake of the caller."""
    with pytest.raises(ValueError, match="positive"):
        SlidingWindow(rate)


@given(st.integers(0, 5000), st.floats(0.01, 10), st.floats(0.01, 100), st.floats(0, 1))
def test_jitter_stays_in_its_bounds(attempt: int, base: float, cap: float, draw: float) -> None:
    """Between nothing and the cap, for any number of attempts."""
    wait = full_jitter(attempt, base=base, cap=cap, chance=lambda: draw)
    assert 0 <= wait <= cap
    if attempt < 50:
        assert wait == pytest.approx(draw * min(cap, base * 2**attempt))


def test_jitter_is_half_the_cap_on_average() -> None:
    """Evenly spread: within two per cent over ten thousand."""
    chance = random.Random(7).random
    waits = [full_jitter(20, base=1, cap=60, chance=chance) for _ in range(10_000)]
    assert sum(waits) / len(waits) == pytest.approx(30, rel=0.02)


@pytest.mark.parametrize(
    ("kind", "attempt", "longest"),
    [
        (OutcomeKind.NOT_PROCESSED, 0, 1.0),
        (OutcomeKind.NOT_PROCESSED, 3, 8.0),
        (OutcomeKind.NOT_PROCESSED, 9, 60.0),
        (OutcomeKind.NOT_SENT, 0, 0.25),
        (OutcomeKind.AMBIGUOUS, 4, 4.0),
        (OutcomeKind.NOT_SENT, 9, 20.0),
    ],
)
def test_waits_are_those_of_the_table(kind: OutcomeKind, attempt: int, longest: float) -> None:
    """Busy waits grow from a second to sixty, others from a quarter to twenty."""
    assert delay_after(kind, attempt, None, lambda: 1.0) == longest
    assert delay_after(kind, attempt, None, lambda: 0.0) == 0.0


@given(st.sampled_from(OutcomeKind), st.integers(0, 12), st.floats(0, 1e9), st.floats(0, 1))
def test_no_wait_is_shorter_than_asked_for(
    kind: OutcomeKind, attempt: int, retry_after: float, draw: float
) -> None:
    """Retry-After is a floor, with a spread above it."""
    wait = delay_after(kind, attempt, retry_after, lambda: draw)
    assert wait >= retry_after
    assert wait <= max(60.0, retry_after + max(1.0, retry_after / 4))
    assert delay_after(kind, 0, 100.0, lambda: 1.0) == 125.0


def test_concurrency_halves_and_climbs() -> None:
    """Half when busy, at most every five seconds; one more after twenty successes and five seconds."""
    flow = Concurrency(start=8, maximum=10)
    for now in (0.0, 1.0, 4.9):
        flow.on_busy(now)
    assert flow.limit == 4
    flow.on_busy(5.0)
    assert flow.limit == 2
    for _ in range(25):
        flow.on_success(9.9)
    assert flow.limit == 2
    flow.on_success(10.0)
    assert flow.limit == 3


def test_concurrency_stays_between_one_and_its_maximum() -> None:
    """Never nothing, never more than allowed."""
    flow = Concurrency(start=50, maximum=3)
    assert flow.limit == 3
    for step in range(200):
        flow.on_success(step)
    assert flow.limit == 3
    for step in range(10):
        flow.on_busy(1000.0 + 10 * step)
    assert flow.limit == 1
    assert Concurrency(start=0).limit == 1


def test_a_busy_reply_breaks_the_row_of_successes() -> None:
    """Nineteen and a refusal are no twenty."""
    flow = Concurrency(start=4)
    for _ in range(19):
        flow.on_success(0.0)
    flow.on_busy(0.0)
    flow.on_success(100.0)
    assert flow.limit == 2


@pytest.mark.parametrize("gap", [0.0, 10.0])
def test_each_step_up_takes_twenty_successes_of_its_own(gap: float) -> None:
    """However long they take, and also after a busy reply."""
    pace, now = Concurrency(start=4, maximum=6), 100.0
    limits = []
    for n in range(60):
        if n % 20 == 0:
            now += 5.0
        if n == 40:
            pace.on_busy(now)
            now += 5.0
        pace.on_success(now)
        limits.append(pace.limit)
        now += gap
    assert limits == [*[4] * 19, *[5] * 20, 6, *[3] * 19, 4]


def test_a_step_up_is_five_seconds_after_the_last_change() -> None:
    """Twenty successes sooner wait for it."""
    pace = Concurrency(start=4, maximum=10)
    for now in [0.0] * 20 + [4.9] * 30:
        pace.on_success(now)
    assert pace.limit == 5
    pace.on_success(5.0)
    assert pace.limit == 6


def test_concurrency_holds_below_where_it_was_busy() -> None:
    """Where the service tells its own count, there is no step within a fifth of the ceiling."""
    flow = Concurrency(start=4)
    flow.on_busy(0.0, under_way=10)
    for _ in range(40):
        flow.on_success(10.0, under_way=8)
    assert flow.limit == 2
    flow.on_success(10.0, under_way=7)
    assert flow.limit == 3


@pytest.mark.parametrize(("timeout", "price"), [(False, 5), (True, 10)])
def test_a_retry_has_its_price(timeout: bool, price: int) -> None:
    """Paid while the bucket holds it; a success gives one back."""
    budget = RetryBudget()
    for left in range(100 - price, -1, -price):
        assert budget.spend(timeout=timeout)
        assert budget.left == left
    assert not budget.spend(timeout=timeout)
    for _ in range(price - 1):
        budget.on_success()
    assert not budget.spend(timeout=timeout)
    budget.on_success()
    assert budget.spend(timeout=timeout)
    assert budget.left == 0


def test_the_budget_lets_a_fifth_more_through() -> None:
    """A retry costs five and a time-out ten; a success gives one back, up to a hundred."""
    budget = RetryBudget()
    assert sum(budget.spend() for _ in range(50)) == 20
    for _ in range(9):
        budget.on_success()
    assert not budget.spend(timeout=True)
    assert (budget.spend(), budget.left) == (True, 4)
    for _ in range(500):
        budget.on_success()
    assert budget.left == 100


def test_the_breaker_opens_at_five_failures_in_a_row() -> None:
    """A success in between starts the row anew."""
    breaker = Breaker()
    for _ in range(4):
        breaker.on_failure(0.0)
    breaker.on_success()
    for _ in range(4):
        breaker.on_failure(0.0)
    assert not breaker.is_open
    breaker.on_failure(0.0)
    assert breaker.is_open


def test_the_breaker_opens_when_half_of_the_last_fail() -> None:
    """Of ten at least, and only the last twenty count."""
    breaker = Breaker()
    for _ in range(29):
        breaker.on_success()
    outcomes = [True, False] * 10
    for good in outcomes[:-1]:
        breaker.on_success() if good else breaker.on_failure(0.0)
    assert not breaker.is_open
    breaker.on_failure(0.0)
    assert breaker.is_open


def test_ten_requests_are_the_least_that_say_something() -> None:
    """Half of eight failed is nothing yet, half of ten is enough, and so is half of eleven and more."""
    breaker = Breaker()
    for n in range(5):
        assert not breaker.is_open
        breaker.on_success()
        breaker.on_failure(float(n))
    assert breaker.is_open
    breaker = Breaker()
    for failed in [True, False, False, False, True, False, True, False, False, True, True]:
        assert not breaker.is_open
        breaker.on_failure(1.0) if failed else breaker.on_success()
    assert not breaker.is_open
    breaker.on_failure(2.0)
    assert breaker.is_open


def test_an_open_breaker_lets_one_read_through_at_a_time() -> None:
    """Never a write, and the next probe a whole wait later."""
    breaker = opened()
    assert not breaker.may_send(29.9, probe=True)
    assert not breaker.may_send(1000.0)
    assert breaker.wait(10.0) == 20.0
    assert breaker.may_send(30.0, probe=True)
    assert not breaker.may_send(30.1, probe=True)


def opened() -> Breaker:
    """A breaker that opened at 0."""
    breaker = Breaker()
    for _ in range(5):
        breaker.on_failure(0.0)
    return breaker


def test_each_failed_probe_doubles_the_wait() -> None:
    """From thirty seconds to three hundred; stragglers count for nothing."""
    breaker = opened()
    waits, now = [], 0.0
    for _ in range(5):
        now += breaker.wait(now)
        assert breaker.may_send(now, probe=True)
        breaker.on_failure(now)
        breaker.on_failure(now)
        waits.append(breaker.wait(now))
    assert waits == [60.0, 120.0, 240.0, 300.0, 300.0]


def test_a_success_closes_the_breaker_and_all_is_forgotten() -> None:
    """The next opening waits thirty seconds again."""
    breaker = opened()
    breaker.may_send(30.0, probe=True)
    breaker.on_failure(30.0)
    breaker.on_success()
    assert breaker.may_send(31.0)
    assert breaker.wait(31.0) == 0.0
    for _ in range(5):
        breaker.on_failure(40.0)
    assert breaker.wait(40.0) == 30.0


def test_a_probe_that_was_answered_is_over() -> None:
    """Failures of requests that were under way when it opened anew do not double the wait."""
    breaker = Breaker()
    for _ in range(5):
        breaker.on_failure(0.0)
    assert breaker.may_send(30.0, probe=True)
    breaker.on_success()
    for _ in range(7):
        breaker.on_failure(100.0)
    assert breaker.wait(100.0) == 30.0


def test_ten_minutes_open_is_the_end() -> None:
    """The run stops, resumable."""
    breaker = opened()
    assert not Breaker().given_up(1e9)
    assert not breaker.given_up(599.9)
    assert breaker.given_up(600.0)


def test_the_recent_rate_is_that_of_the_last_seconds() -> None:
    """Sooner, of the time since the first; what is older is forgotten; nothing is no rate."""
    recent = Recent(10.0)
    assert recent.rate(5.0) == 0.0
    recent.add(5.0, 4)
    assert recent.rate(5.0) == 4.0
    recent.add(7.0, 6)
    assert recent.rate(7.0) == 5.0
    assert recent.rate(16.0) == 0.6
    assert recent.rate(17.0) == 0.0
    recent.add(18.0)
    assert recent.rate(18.0) == 0.1


def test_what_is_not_said_is_a_second_and_ten_connections() -> None:
    """And four of them to begin with."""
    window = SlidingWindow(1.0)
    assert window.take(100.0) == 100.0
    assert window.take(100.0) == pytest.approx(101.0)
    assert (Concurrency().limit, Concurrency(start=50).limit) == (4, 10)
