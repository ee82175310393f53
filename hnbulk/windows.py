"""Calling hours: when it is daytime on a working day wherever a phone number may ring.

A number's area code says in which time zones it may be; a call is due when all of them are
inside their hours. The time is an argument; nothing here calls anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from phonenumbers.tzdata import TIMEZONE_DATA

from hnbulk.errors import UsageError

#: Hours common to all zones are looked for this far ahead: past any week end and change of clocks.
_LOOK_AHEAD = 9


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, UTC: `opens` belongs to it, `closes` does not."""

    opens: datetime
    closes: datetime


def zones_of(phone_number: str) -> tuple[str, ...]:
    """Every IANA time zone of the number's area code, sorted; () where it says nothing of a place.

    Toll-free and other non-geographic codes, unassigned ones, and numbers outside country code
    1 give (). All zones of the code count, not the exchange's alone: numbers move within it.
    """
    found = re.fullmatch(r"\+1([2-9][0-9]{2})[2-9][0-9]{6}", phone_number)
    return _zones_of_area(found[1]) if found else ()


def is_open(
    now: datetime,
    zones: Sequence[str],
    *,
    open_hour: int = 9,
    close_hour: int = 17,
    weekdays_only: bool = True,
) -> bool:
    """It is inside the hours in all of `zones`; never where there are none."""
    _check(now, open_hour, close_hour)
    windows = (_around(now, zone, open_hour, close_hour, weekdays_only) for zone in zones)
    return bool(zones) and all(any(one.opens <= now < one.closes for one in some) for some in windows)


def window_at_or_after(
    now: datetime,
    zones: Sequence[str],
    *,
    open_hour: int = 9,
    close_hour: int = 17,
    weekdays_only: bool = True,
) -> Window:
    """The first window, from `now` on, in which all of `zones` are inside their hours.

    Where they already are, it opens now. Hours are local wall-clock hours, 0 to 24. Raises
    `UsageError` for no zones, unknown ones, impossible hours, and zones that share no hours.
    """
    _check(now, open_hour, close_hour)
    if not zones:
        raise UsageError("a number without a time zone has no calling hours.")
    now = now.astimezone(UTC)
    common = [Window(now, now + timedelta(days=_LOOK_AHEAD))]
    for zone in zones:
        hours = list(_ahead(now, zone, open_hour, close_hour, weekdays_only))
        common = [both for one in common for other in hours if (both := _overlap(one, other))]
    if not common:
        raise UsageError(
            f"{', '.join(zones)} have no hours in common between {open_hour}:00 and {close_hour}:00."
        )
    return common[0]


@lru_cache(maxsize=1024)
def _zones_of_area(code: str) -> tuple[str, ...]:
    return _zones_by_area().get(code, ())


@lru_cache(maxsize=1)
def _zones_by_area() -> dict[str, tuple[str, ...]]:
    zones: dict[str, set[str]] = {}
    everywhere = set(TIMEZONE_DATA["1"])
    for prefix, names in TIMEZONE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4 and set(names) != everywhere:
            zones.setdefault(prefix[1:4], set()).update(names)
    return {code: tuple(sorted(names)) for code, names in zones.items()}


@lru_cache(maxsize=4096)
def _hours(zone: str, day: date, open_hour: int, close_hour: int) -> Window:
    """The hours of one local day; a change of clocks within it makes them longer or shorter."""
    local = _zone(zone)
    midnight = datetime.combine(day, time())
    opens, closes = (
        (midnight + timedelta(hours=hour)).replace(tzinfo=local).astimezone(UTC)
        for hour in (open_hour, close_hour)
    )
    return Window(opens, closes)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"{name!r} is not a time zone. Use a name such as America/Chicago.") from None


def _around(
    now: datetime, zone: str, open_hour: int, close_hour: int, weekdays_only: bool
) -> Iterator[Window]:
    day = now.astimezone(_zone(zone)).date()
    if not weekdays_only or day.weekday() < 5:
        yield _hours(zone, day, open_hour, close_hour)


def _ahead(
    now: datetime, zone: str, open_hour: int, close_hour: int, weekdays_only: bool
) -> Iterator[Window]:
    first = now.astimezone(_zone(zone)).date()
    for day in (first + timedelta(days=ahead) for ahead in range(_LOOK_AHEAD)):
        if not weekdays_only or day.weekday() < 5:
            yield _hours(zone, day, open_hour, close_hour)


def _overlap(one: Window, other: Window) -> Window | None:
    opens, closes = max(one.opens, other.opens), min(one.closes, other.closes)
    return Window(opens, closes) if opens < closes else None


def _check(now: datetime, open_hour: int, close_hour: int) -> None:
    if now.tzinfo is None:
        raise UsageError("calling hours need a time with its time zone.")
    if not 0 <= open_hour < close_hour <= 24:
        raise UsageError(f"calling hours from {open_hour} to {close_hour} are no hours of one day.")
