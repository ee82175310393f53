"""Where texts are the same as those of another column, which stand there in another order.

Gathering texts costs more than comparing them. Texts that are all equally long, as sids are, are
gathered as rows of bytes, at a fifth of that; of a category only the codes are gathered.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]

#: With more names than that, a category is compared as texts.
_FEW = 8


class Alike:
    """A column of strings or of a category of strings, that others are held against."""

    def __init__(self, column: pa.Array) -> None:
        self._names: list[str | None] | None = None
        if pa.types.is_dictionary(column.type):
            names = column.dictionary.to_pylist()
            if len(names) <= _FEW:
                self._names, self._codes = names, column.indices
            else:
                column = column.cast(pa.string())
        self._column = column
        self._even = None if pa.types.is_dictionary(column.type) else _even(column)

    def same(self, texts: pa.Array, at: Positions) -> Mask:
        """Row n: text n is the one in place `at[n]` of the column. A missing one is the same as none.

        `texts` are strings, large ones or not, as many as `at`; every place is one of the column.
        """
        places = pa.array(at)
        if self._names is not None:
            return self._same_name(texts, self._codes.take(places))
        own = _even(texts) if self._even is not None else None
        if own is not None and self._even is not None and own.type == self._even.type:
            return _mask(pc.equal(own, self._even.take(places)))
        return _mask(pc.equal(texts, self._column.take(places)))

    def _same_name(self, texts: pa.Array, codes: pa.Array) -> Mask:
        same: Mask = np.zeros(len(texts), dtype=np.bool_)
        for code, name in enumerate(self._names or ()):
            same |= _mask(pc.and_kleene(pc.equal(codes, code), pc.equal(texts, name)))
        return same


def _even(column: pa.Array) -> pa.Array | None:
    """The texts as rows of bytes, nothing copied; None where they are not all equally long, and there."""
    if column.null_count or not len(column):
        return None
    kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, dtype=kind)[column.offset : column.offset + len(column) + 1]
    length = int(starts[1] - starts[0])
    if not length or not (np.diff(starts) == length).all():
        return None
    rows = data.slice(int(starts[0]), length * len(column))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(length), len(column), [None, rows])


def _mask(found: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(found, False), dtype=np.bool_)
