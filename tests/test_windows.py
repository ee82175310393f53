"""A phone rings only in its own working hours, wherever it may stand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.timezone import time_zones_for_number

from hnbulk.errors import UsageError
from hnbulk.windows import Window, is_open, window_at_or_after, zones_of

CHICAGO, NEW_YORK, ANGELES = "America/Chicago", "America/New_York", "America/Los_Angeles"


def utc(text: str) -> datetime:
    """A moment, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+15017122661", (CHICAGO,)),
        ("+14153608311", (ANGELES,)),
        ("+12015550123", (NEW_YORK,)),
        ("+18502345678", (CHICAGO, NEW_YORK)),
        ("+17095550100", ("America/Halifax", "America/St_Johns")),
        ("+13065550100", ("America/Regina",)),
        ("+18005550100", ()),
        ("+18885550100", ()),
        ("+15005550100", ()),
        ("+19005550100", ()),
        ("+19995550100", ()),
        ("+17105550100", ()),
        ("+442071838750", ()),
        ("+1501712266", ()),
        ("+15017122661\n", ()),
        ("+1５017122661", ()),
        ("", ()),
    ],
)
def test_zones_are_those_of_the_area_code(number: str, zones: tuple[str, ...]) -> None:
    """A place has its zones; toll-free, unassigned and foreign numbers have none."""
    assert zones_of(number) == zones


@given(st.integers(200, 999), st.integers(200, 999), st.integers(0, 9999))
def test_no_zone_of_the_exchange_is_missing(area: int, exchange: int, line: int) -> None:
    """Where the library knows the place of a number, its zones are among ours."""
    number = f"+1{area}{exchange}{line:04}"
    known = set(time_zones_for_number(phonenumbers.parse(number)))
    ours = set(zones_of(number))
    assert known <= ours or known == {"Etc/Unknown"} or len(known) > 40


def test_zones_cost_next_to_nothing() -> None:
    """After the first of an area code, well below 50 microseconds a number."""
    numbers = [f"+1{area}5550{line:03}" for area in range(201, 990) for line in range(3)]
    for number in numbers:
        zones_of(number)
    began = time.perf_counter()
    for number in numbers:
        zones_of(number)
    assert (time.perf_counter() - began) / len(numbers) < 50e-6


def test_windows_for_thousands_of_calls_are_quick() -> None:
    """Well below a millisecond each, once the days are known."""
    numbers = [f"+1{area}5550100" for area in range(201, 990)]
    zones = [found for number in numbers if (found := zones_of(number))]
    now = utc("2026-01-05T15:00")
    for some in zones:
        window_at_or_after(now, some)
    began = time.perf_counter()
    for some in zones:
        window_at_or_after(now, some)
    assert (time.perf_counter() - began) / len(zones) < 1e-3


@pytest.mark.parametrize(
    ("now", "opens", "closes"),
    [
        ("2026-01-05T10:00", "2026-01-05T15:00", "2026-01-05T23:00"),  # Monday, 4 in the morning
        ("2026-01-05T15:00", "2026-01-05T15:00", "2026-01-05T23:00"),  # 9 sharp
        ("2026-01-05T18:30", "2026-01-05T18:30", "2026-01-05T23:00"),  # already open
        ("2026-01-05T23:00", "2026-01-06T15:00", "2026-01-06T23:00"),  # 5 sharp is closed
        ("2026-01-09T23:30", "2026-01-12T15:00", "2026-01-12T23:00"),  # Friday evening
        ("2026-01-10T18:00", "2026-01-12T15:00", "2026-01-12T23:00"),  # Saturday noon
        ("2026-01-12T04:00", "2026-01-12T15:00", "2026-01-12T23:00"),  # Sunday night there
    ],
)
def test_the_next_window_of_one_zone(now: str, opens: str, closes: str) -> None:
    """Nine to five of the place, Monday to Friday, from now on."""
    assert window_at_or_after(utc(now), [CHICAGO]) == Window(utc(opens), utc(closes))


def test_the_weekend_can_be_allowed() -> None:
    """Saturday is a day like any other where weekdays do not matter."""
    window = window_at_or_after(utc("2026-01-10T18:00"), [CHICAGO], weekdays_only=False)
    assert window.opens == utc("2026-01-10T18:00")


def test_all_zones_must_be_open() -> None:
    """From nine in the west to five in the east."""
    window = window_at_or_after(utc("2026-01-05T14:00"), [NEW_YORK, ANGELES])
    assert window == Window(utc("2026-01-05T17:00"), utc("2026-01-05T22:00"))
    assert not is_open(utc("2026-01-05T16:59"), [NEW_YORK, ANGELES])
    assert is_open(utc("2026-01-05T17:00"), [NEW_YORK, ANGELES])
    assert not is_open(utc("2026-01-05T22:00"), [NEW_YORK, ANGELES])


@pytest.mark.parametrize(
    ("now", "opens", "closes"),
    [
        # clocks go forward on Sunday 2026-03-08, back on Sunday 2026-11-01
        ("2026-03-06T12:00", "2026-03-06T15:00", "2026-03-06T23:00"),
        ("2026-03-06T23:00", "2026-03-09T14:00", "2026-03-09T22:00"),
        ("2026-10-30T22:00", "2026-11-02T15:00", "2026-11-02T23:00"),
    ],
)
def test_hours_follow_the_change_of_clocks(now: str, opens: str, closes: str) -> None:
    """Nine o'clock there is nine o'clock there, before and after."""
    assert window_at_or_after(utc(now), [CHICAGO]) == Window(utc(opens), utc(closes))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-06-07", 24)])
def test_a_whole_day_is_as_long_as_it_is(day: str, hours: int) -> None:
    """From midnight to midnight of the place, change of clocks included."""
    window = window_at_or_after(
        utc(f"{day}T04:00"), [CHICAGO], open_hour=0, close_hour=24, weekdays_only=False
    )
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(CHICAGO)).astimezone(UTC)
    whole = window_at_or_after(midnight, [CHICAGO], open_hour=0, close_hour=24, weekdays_only=False)
    assert whole.closes - whole.opens == timedelta(hours=hours)
    assert window.closes == midnight


def test_arizona_does_not_change_its_clocks() -> None:
    """Hours are those of the zone, not of its neighbours."""
    for day in ("2026-01-05", "2026-07-06"):
        assert window_at_or_after(utc(f"{day}T10:00"), ["America/Phoenix"]).opens == utc(f"{day}T16:00")


@given(
    st.integers(0, 3 * 365 * 86400).map(lambda second: utc("2025-01-01") + timedelta(seconds=second)),
    st.lists(st.sampled_from([CHICAGO, NEW_YORK, ANGELES, "America/St_Johns"]), min_size=1, max_size=3),
)
def test_a_window_is_open_from_its_first_moment_to_its_last(now: datetime, zones: list[str]) -> None:
    """It comes at or after now, is open throughout, and was closed in between."""
    window = window_at_or_after(now, zones)
    tick = timedelta(microseconds=1)
    assert now <= window.opens < window.closes
    assert is_open(window.opens, zones)
    assert is_open(window.closes - tick, zones)
    assert not is_open(window.closes, zones)
    if window.opens > now:
        assert not is_open(now, zones)
        assert not is_open(window.opens - tick, zones)


def test_a_number_without_a_zone_is_never_called() -> None:
    """No zone is no permission."""
    assert not is_open(utc("2026-01-05T18:00"), ())
    with pytest.raises(UsageError, match="without a time zone"):
        window_at_or_after(utc("2026-01-05T18:00"), ())


@pytest.mark.parametrize(("open_hour", "close_hour"), [(17, 9), (9, 9), (-1, 5), (9, 25)])
def test_impossible_hours_are_refused(open_hour: int, close_hour: int) -> None:
    """Hours lie within one day."""
    with pytest.raises(UsageError, match="no hours of one day"):
        window_at_or_after(utc("2026-01-05T18:00"), [CHICAGO], open_hour=open_hour, close_hour=close_hour)


def test_zones_that_never_meet_are_refused() -> None:
    """Guam and New York share no working hour."""
    with pytest.raises(UsageError, match="no hours in common"):
        window_at_or_after(utc("2026-01-05T18:00"), ["Pacific/Guam", NEW_YORK], close_hour=10)


@pytest.mark.parametrize("zone", ["Mars/Base", "../etc/passwd", "", "America"])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    """In one line, with an example."""
    with pytest.raises(UsageError, match="America/Chicago"):
        window_at_or_after(utc("2026-01-05T18:00"), [zone])


def test_a_time_without_a_zone_is_refused() -> None:
    """Nobody guesses which hour is meant."""
    with pytest.raises(UsageError, match="time zone"):
        is_open(datetime(2026, 1, 5, 18), [CHICAGO])  # noqa: DTZ001
