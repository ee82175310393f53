"""A whole column of cells read as phone numbers, as `phones.read_phone` reads each of them.

How a cell is read depends on its shape (the cell with every digit alike), and a list has a handful of
shapes: the reader itself is asked once for each. Which number it is depends on the digits, and they
are taken from all cells of one shape together. Only cells that hold one good number and nothing else
are read here; every other is left to the reader, who has the words for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hnbulk.phones import Phone, ordinary_numbers, read_phone, shares_country_code

Keys = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

#: No cell with one number is longer; the matrix of all cells of one length has that many columns.
_LONGEST = 32
_LENGTH = 10
_TOGETHER = 1 << 18
_POWERS = 10 ** np.arange(_LENGTH - 1, -1, -1, dtype=np.int64)
_ONE, _ZERO = ord("1"), ord("0")
#: A number that exists, in place of a cell's own digits.
_SAMPLE = "2125552368"


def read_phones(column: pa.Array | pa.ChunkedArray) -> Keys:
    """The ten digits of each cell's number (int64); 0 where the cell needs the reader's own look.

    A cell with a key is one that `read_phone` reads as `+1` and these digits, without an extension.
    Of a cell with 0 nothing is said. `column` is of strings; a missing cell has 0.
    """
    parts = [_read_part(part) for part in _parts(column)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def e164_texts(keys: Keys) -> pa.Array:
    """The numbers of these keys in E.164 (`+1` and ten digits), as strings; missing where a key is 0."""
    digits = pa.array(keys, mask=keys == 0).cast(pa.string())
    return pc.binary_join_element_wise("+1", digits, "")


def e164_keys(column: pa.Array | pa.ChunkedArray) -> Keys | None:
    """Each E.164 number as a whole number (int64); None where some cell is none.

    Different numbers have different keys: the first digit of one is not 0, and it has 15 at most.
    """
    keys = []
    for part in _parts(column):
        found = _e164_part(part)
        if found is None:
            return None
        keys.append(found)
    return np.concatenate(keys) if keys else np.zeros(0, dtype=np.int64)


def _read_part(cells: pa.Array) -> Keys:
    keys = np.zeros(len(cells), dtype=np.int64)
    starts, lengths, data = _buffers(cells)
    for length, places in _by_length(lengths):
        if _LENGTH <= length <= _LONGEST:
            keys[places] = _of_one_length(data, starts[places], length)
    return keys


def _e164_part(cells: pa.Array) -> Keys | None:
    starts, lengths, data = _buffers(cells)
    keys = np.zeros(len(cells), dtype=np.int64)
    for length, places in _by_length(lengths):
        if not 8 <= length <= 16:
            return None
        written = _matrix(data, starts[places], length)
        digits = written[:, 1:] - _ZERO  # below "0" wraps round to a large one
        if not ((written[:, 0] == ord("+")).all() and (digits <= 9).all() and (digits[:, 0] > 0).all()):
            return None
        keys[places] = _number(digits)
    return keys


def _of_one_length(data: Bytes, starts: npt.NDArray[np.int64], length: int) -> Keys:
    """The keys of cells that all have this many bytes."""
    written = _matrix(data, starts, length)
    keys = np.zeros(len(written), dtype=np.int64)
    is_digit = (written - _ZERO) <= 9
    shapes = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(length), len(written), [None, pa.py_buffer(np.where(is_digit, _ZERO, written))]
    ).dictionary_encode()
    of = shapes.indices.to_numpy()
    for n, shape in enumerate(shapes.dictionary.to_pylist()):
        at = _places_of_number(shape)
        if at is None:
            continue
        alike = np.flatnonzero(of == n) if len(shapes.dictionary) > 1 else np.arange(len(written))
        digits = written[alike[:, None], at] - _ZERO
        if len(at) > _LENGTH:  # else the country code is not 1
            ours = digits[:, 0] == 1
            alike, digits = alike[ours], digits[ours, 1:]
        keys[alike] = _hostable(np.ascontiguousarray(digits))
    return keys


def _places_of_number(shape: bytes) -> list[int] | None:
    """Where the digits of the number stand in a cell of this shape; None where the reader refuses it,
    or reads more than the number from it."""
    at = [place for place, sign in enumerate(shape) if sign == _ZERO]
    if not shape.isascii() or len(at) not in (_LENGTH, _LENGTH + 1):
        return None
    sample = bytearray(shape)
    for place, digit in zip(at, ("1" + _SAMPLE)[-len(at) :].encode(), strict=True):
        sample[place] = digit
    return at if read_phone(sample.decode()) == Phone(f"+1{_SAMPLE}") else None


def _hostable(digits: Bytes) -> Keys:
    """The keys of ten digits each; 0 where they are no ordinary number that can be hosted."""
    areas = digits[:, 0] * np.int64(100) + digits[:, 1] * np.int64(10) + digits[:, 2]
    known, of = np.unique(areas, return_inverse=True)
    ours = np.array([area >= 200 and not shares_country_code(f"{area:03}") for area in known.tolist()])
    good = ours[of] if len(known) else np.zeros(0, dtype=np.bool_)
    plain, special = ordinary_numbers()
    texts = _texts(digits + _ZERO)
    found: Any = np.zeros(len(texts), dtype=np.bool_)
    for both in plain:
        fits = [pc.match_substring_regex(texts, rf"\A(?:{pattern})\z") for pattern in both]
        found |= np.asarray(pc.and_(*fits), dtype=np.bool_)
    good &= found & ~np.asarray(pc.match_substring_regex(texts, rf"\A(?:{special})\z"), dtype=np.bool_)
    return np.where(good, _number(digits), 0)


def _number(digits: Bytes) -> Keys:
    keys = np.zeros(len(digits), dtype=np.int64)
    for column in np.ascontiguousarray(digits.T):
        keys *= 10
        keys += column
    return keys


def _parts(column: pa.Array | pa.ChunkedArray) -> Iterator[pa.Array]:
    """The column from its beginning to its end, so many cells at a time: each takes memory."""
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        for start in range(0, len(chunk), _TOGETHER):
            yield pc.fill_null(chunk.slice(start, _TOGETHER), "")


def _buffers(cells: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Bytes]:
    """Where each cell begins, how many bytes it has, and the bytes of all."""
    cells = cells.cast(pa.string())
    _, offsets, data = cells.buffers()
    begins = np.frombuffer(offsets, dtype=np.int32)[cells.offset : cells.offset + len(cells) + 1]
    starts = begins[:-1].astype(np.int64)
    return starts, begins[1:] - starts, np.frombuffer(data or b"", dtype=np.uint8)


def _by_length(lengths: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64] | slice]]:
    """Each length, and where the cells are that have it."""
    if len(lengths) and lengths.min() == lengths.max():
        yield int(lengths[0]), slice(len(lengths))
        return
    for length in np.unique(lengths).tolist():
        yield length, np.flatnonzero(lengths == length)


def _matrix(data: Bytes, starts: npt.NDArray[np.int64], length: int) -> Bytes:
    """The bytes of these cells, a row each."""
    first, last = int(starts[0]), int(starts[-1])
    if last - first == length * (len(starts) - 1):  # they stand side by side
        return data[first : last + length].reshape(len(starts), length)
    windows = np.lib.stride_tricks.sliding_window_view(data, length)
    return windows[starts]


def _texts(written: Bytes) -> pa.Array:
    """Rows of bytes as strings."""
    count, length = written.shape
    offsets = np.arange(0, (count + 1) * length, length, dtype=np.int32)
    return pa.StringArray.from_buffers(
        count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(written))
    )
