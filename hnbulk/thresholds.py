"""How large a part of an account one plan may change before a person must have said the number.

A shifted column or the wrong file shows as far too many updates or cancels; this refuses those.
It decides from counts alone.
"""

from __future__ import annotations

from hnbulk.errors import LimitRefused

#: Shares of the live orders, the count of cancels that is always worth asking about, and the
#: number of orders below which shares say nothing (design, "Thresholds").
UPDATE_SHARE, CANCEL_SHARE, CANCEL_COUNT, FROM_COUNT = 0.30, 0.05, 25, 10


def check_thresholds(
    *,
    matched: int,
    updates: int,
    live: int,
    cancels: int,
    allow_updates: int | None = None,
    allow_cancels: int | None = None,
) -> None:
    """The plan changes no larger part of the account than a person would expect, or allowed it.

    Updates are held against the live orders the targets name, cancels against all live orders
    that were read: a wrong file names none of them. Only the exact count overrides. Raises
    `LimitRefused`.
    """
    if matched >= FROM_COUNT and updates > UPDATE_SHARE * matched and allow_updates != updates:
        raise _over_limit("updates", "30 %", updates, f"{matched:,} matched live orders", matched)
    share = live >= FROM_COUNT and cancels > CANCEL_SHARE * live
    if (share or cancels > CANCEL_COUNT) and allow_cancels != cancels:
        raise _over_limit("cancels", f"5 % or {CANCEL_COUNT}", cancels, f"{live:,} live orders", live)


def _over_limit(what: str, limit: str, count: int, of: str, base: int) -> LimitRefused:
    arithmetic = f"{count:,} of {of} = {100 * count / base:.1f} %"
    flag = f"--allow-{what} {count}"
    return LimitRefused(
        f"too many {what}: {arithmetic}, and the limit is {limit}. Look at what the file changes; "
        f"if that is meant, allow exactly this many with {flag}.",
        limit=f"{what} {limit}",
        arithmetic=arithmetic,
        flag=flag,
    )
