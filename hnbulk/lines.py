"""Sequences whose values are made when they are asked for, from the bytes of a line or from a place.

A hundred thousand values cost what they are made from. This reads no file and knows no format.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

Value = TypeVar("Value")
Raw = bytes | bytearray

#: So many values that were read last are at hand: who works on a line asks for it many times.
_AT_HAND = 256


class Made(Sequence[Value]):
    """Values that are made from their place when they are asked for; equal to any sequence of the same.

    Threads may share it: nothing that shows changes.
    """

    def __init__(self, count: int, make: Callable[[int], Value]) -> None:
        self._count = count
        self._make = make
        self._at_hand: dict[int, Value] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Value]:
        return map(self._make, range(self._count))

    @overload
    def __getitem__(self, index: int) -> Value: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Value, ...]: ...

    def __getitem__(self, index: int | slice) -> Value | tuple[Value, ...]:
        if isinstance(index, slice):
            return tuple(self[n] for n in range(*index.indices(self._count)))
        place = range(self._count)[index]  # as a tuple: from the end where negative, or `IndexError`
        value = self._at_hand.get(place)
        if value is None:
            value = self._make(place)
            if len(self._at_hand) >= _AT_HAND:
                self._at_hand.clear()
            self._at_hand[place] = value
        return value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        return len(self) == len(other) and all(map(lambda one, two: one == two, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._count})"


class Lines(Made[Value]):
    """The values of some lines of `content`, in order. `bounds` holds where each begins and ends."""

    def __init__(self, content: Raw, bounds: array[int], read: Callable[[Raw], Value]) -> None:
        super().__init__(len(bounds) // 2, lambda n: read(content[bounds[2 * n] : bounds[2 * n + 1]]))
        self._content = content
        self._bounds = bounds
        self._read = read

    def texts(self) -> Iterator[Raw]:
        """Every line as it stands, without its end."""
        content, bounds = self._content, iter(self._bounds)
        return (content[start:end] for start, end in zip(bounds, bounds, strict=True))

    def __iter__(self) -> Iterator[Value]:
        return map(self._read, self.texts())
