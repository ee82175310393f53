"""Shares, moments and times are said in few words that are never more than is known."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from hnbulk.wording import all_text, count_text, duration_text, parts_text, share_text, time_text, when_text

NAN = math.nan


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.0001, "<0.1 %"),
        (0.004, "0.4 %"),
        (0.0096, "1 %"),
        (0.5, "50 %"),
        (0.99, "99 %"),
        (0.997, "99.7 %"),
        (0.9996, ">99.9 %"),
        (1, "100 %"),
        (NAN, "–"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_none(share: float, text: str) -> None:
    """100 % means all of them, 0 % none."""
    assert share_text(share) == text


def test_a_moment_is_said_with_its_zone() -> None:
    """A reader never has to guess."""
    assert when_text(datetime(2026, 1, 5, 15, 0, tzinfo=UTC)) == "5 Jan 2026, 15:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (40, "40 s"),
        (59.6, "1 min"),
        (720, "12 min"),
        (3599, "1 h"),
        (18_600, "5 h 10 min"),
        (86_399, "1 d"),
        (187_200, "2 d 4 h"),
        (863_000, "10 d"),
        (12.4 * 86_400, "12 d"),
        (NAN, "not yet"),
        (None, "not yet"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: float | None, text: str) -> None:
    """Rounded without carrying into "60 min" or "24 h"; missing is "not yet"."""
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("median", "low", "high", "text"),
    [
        (187_200, 176_400, 198_000, "2 d 4 h ± 3 h"),
        (187_200, 187_200, 187_200, "2 d 4 h"),
        (18_600, 15_000, 25_800, "5 h ± 2 h"),
        (18_600, 17_400, 19_800, "5 h 10 min ± 20 min"),
        (187_200, 176_400, NAN, "over 2 d 1 h"),
        (NAN, 10, NAN, "not yet"),
        (NAN, NAN, NAN, "not yet"),
    ],
)
def test_a_median_is_said_with_its_uncertainty(median: float, low: float, high: float, text: str) -> None:
    """± where it matters, "over" where the upper bound is open, "not yet" where there is none."""
    assert time_text(median, low, high) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 orders"), (1, "1 order"), (2000, "2,000 orders")])
def test_a_count_has_its_noun_in_the_right_number(count: int, text: str) -> None:
    """No "1 orders"."""
    assert count_text(count, "order") == text


def test_what_a_share_is_a_share_of_is_said_in_words() -> None:
    """All of them, or the one there is."""
    assert (all_text(2000), all_text(1)) == ("all 2,000 numbers", "the one number")


@pytest.mark.parametrize(
    ("counts", "texts"),
    [
        ((185, 4, 11), ["92.5 %", "2.0 %", "5.5 %"]),
        ((1, 1, 1), ["33.4 %", "33.3 %", "33.3 %"]),
        ((3000, 1, 0), ["100.0 %", "<0.1 %", "0.0 %"]),
        ((0, 0), ["–", "–"]),
    ],
)
def test_parts_of_a_whole_sum_to_the_whole(counts: tuple[int, ...], texts: list[str]) -> None:
    """Three parts never come to 101 %."""
    assert parts_text(counts) == texts
