"""Shares, moments and times as a reader takes them in: short, rounded, and never more than is known.

Seconds, shares and moments go in, text comes out. This module reads no clock and knows no table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime


def share_text(share: float) -> str:
    """`98 %`, `99.7 %`, `0.4 %`: whole, one decimal near the ends, never all or none by rounding."""
    if math.isnan(share):
        return "–"
    percent = share * 100
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    near_an_end = 0 < percent < 0.95 or 99.05 < percent < 100
    return f"{percent:.1f} %" if near_an_end else f"{percent:.0f} %"


def parts_text(counts: Sequence[int]) -> list[str]:
    """Shares of a whole with one decimal that sum to 100.0 %; `<0.1 %` for a part too small to show.

    Largest remainder: what rounding down leaves goes to the parts that lost most.
    """
    total = sum(counts)
    if not total:
        return ["–"] * len(counts)
    tenths = [count * 1000 // total for count in counts]
    lost = sorted(range(len(counts)), key=lambda place: -(counts[place] * 1000 % total))
    for place in lost[: 1000 - sum(tenths)]:
        tenths[place] += 1
    return [
        "<0.1 %" if count and not tenth else f"{tenth / 10:.1f} %"
        for count, tenth in zip(counts, tenths, strict=True)
    ]


def when_text(moment: datetime) -> str:
    """`5 Jan 2026, 15:00 UTC` for a moment with a time zone in UTC."""
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def count_text(count: int, noun: str) -> str:
    """`1 number`, `2,000 numbers`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def all_text(numbers: int) -> str:
    """`all 2,000 numbers`, or `the one number`: what a share is a share of."""
    return "the one number" if numbers == 1 else f"all {numbers:,} numbers"


def duration_text(seconds: float | None) -> str:
    """`2 d 4 h`, `5 h 10 min`, `12 min`, `40 s`: two largest units, rounded; "not yet" where missing."""
    if seconds is None or math.isnan(seconds):
        return "not yet"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    if hours < 24:
        return _two(minutes, 60, "h", "min")
    return _two(hours, 24, "d", "h") if hours < 24 * 10 else f"{round(seconds / 86400)} d"


def time_text(median: float, low: float, high: float) -> str:
    """`2 d 4 h ± 3 h`: a median with half the distance of its bounds; "not yet" where missing.

    The uncertainty is left out where it is under a twentieth of the median. A median whose upper
    bound is not reached yet is said as "over", one without a lower bound as "not yet".
    """
    if math.isnan(median):
        return "not yet"
    if math.isnan(high):
        return f"over {duration_text(low)}"
    half = (high - low) / 2
    return duration_text(median) if half < median / 20 else f"{_coarse(median, half)} ± {_one_unit(half)}"


def _two(amount: int, size: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, size)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def _coarse(median: float, half: float) -> str:
    text = duration_text(median)
    return _one_unit(median) if half > 3600 and text.endswith("min") and " h " in text else text


def _one_unit(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if round(seconds / size) >= (2 if unit == "d" else 1):
            return f"{round(seconds / size)} {unit}"
    return f"{seconds:.0f} s"
