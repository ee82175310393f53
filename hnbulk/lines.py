"""Lines of a file kept as the bytes they are, each made a value when it is asked for.

A hundred thousand values cost what their text costs. This reads no file and knows no format.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

Value = TypeVar("Value")

#: So many values that were read last are at hand: who works on a line asks for it many times.
_AT_HAND = 256


class Lines(Sequence[Value]):
    """The values of some lines of `content`, in order; equal to any sequence of the same values.

    `bounds` holds where each line begins and ends. Threads may share it: nothing in it changes.
    """

    __slots__ = ("_at_hand", "_bounds", "_content", "_read")

    def __init__(self, content: bytes, bounds: array[int], read: Callable[[bytes], Value]) -> None:
        self._content = content
        self._bounds = bounds
        self._read = read
        self._at_hand: dict[int, Value] = {}

    def texts(self) -> Iterator[bytes]:
        """Every line as it stands, without its end."""
        content, bounds = self._content, iter(self._bounds)
        return (content[start:end] for start, end in zip(bounds, bounds, strict=True))

    def __len__(self) -> int:
        return len(self._bounds) // 2

    def __iter__(self) -> Iterator[Value]:
        return map(self._read, self.texts())

    @overload
    def __getitem__(self, index: int) -> Value: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Value, ...]: ...

    def __getitem__(self, index: int | slice) -> Value | tuple[Value, ...]:
        if isinstance(index, slice):
            return tuple(self[n] for n in range(*index.indices(len(self))))
        place = range(len(self))[index]  # as a tuple: from the end where negative, or `IndexError`
        value = self._at_hand.get(place)
        if value is None:
            value = self._read(self._content[self._bounds[2 * place] : self._bounds[2 * place + 1]])
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
        return f"Lines({len(self)})"
