"""Chance as a function: every sid, code, fate and delay follows from what it is about.

Nothing here draws from a stream, so the order in which threads arrive changes nothing: the same
seed, account, number, attempt and event give the same answer, always.
"""

from __future__ import annotations

from hashlib import blake2b

Part = str | int


def draw(*parts: Part) -> float:
    """A number in [0, 1) that follows from `parts`, evenly spread over different parts."""
    return int.from_bytes(_digest(8, parts), "big") / 2**64


def between(low: int, high: int, *parts: Part) -> int:
    """A whole number of `low..high`, both included, that follows from `parts`."""
    return low + int(draw(*parts) * (high - low + 1))


def sid(prefix: str, *parts: Part) -> str:
    """A sid: two letters and 32 hexadecimal digits that follow from `parts`."""
    return prefix + _digest(16, (prefix, *parts)).hex()


def digits(count: int, *parts: Part) -> str:
    """`count` decimal digits, leading zeros included, that follow from `parts`."""
    return f"{int.from_bytes(_digest(16, parts), 'big') % 10**count:0{count}d}"


def _digest(size: int, parts: tuple[Part, ...]) -> bytes:
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=size).digest()
