"""How much text the cells of a workbook come to, told from its bytes before any of it is read.

A text that stands in a file once can be that of a million cells, and a reader writes it for each. What
is told here is in bytes, never too little. This module keeps no cell.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence

import numpy as np

from hnbulk.extents import records_of_xls, records_of_xlsb, stream_of_xls

_END_OF_TEXT = re.compile(rb"</(?:\w+:)?si\s*>")
_SHARED = re.compile(rb"\st\s*=\s*[\"']s[\"']")
_NUMBER = re.compile(
    rb"\st\s*=\s*[\"']s[\"'][^>]*>(?:\s*<(?:\w+:)?f\b[^<]*</(?:\w+:)?f\s*>)?\s*<(?:\w+:)?v\s*>\s*([0-9]+)"
)


def of_xlsx(shared: bytes, sheets: Iterable[bytes]) -> int:
    """Of the largest sheet: the texts that it takes from the part of shared ones."""
    lengths = [len(piece) for piece in _END_OF_TEXT.split(shared)]
    return max((_of_sheet(lengths, sheet) for sheet in sheets), default=0)


def _of_sheet(lengths: Sequence[int], sheet: bytes) -> int:
    asked = len(_SHARED.findall(sheet))
    longest = max(lengths)
    if asked * longest <= len(sheet):
        return asked * longest
    numbers = [int(number[:9]) for number in _NUMBER.findall(sheet)]
    return _sum(lengths, numbers) + (asked - len(numbers)) * longest


def _sum(lengths: Sequence[int], numbers: Sequence[int]) -> int:
    """The lengths of the texts with these numbers; what has no such number is as long as the longest."""
    known = np.array([*lengths, max(lengths, default=0)], dtype=np.int64)
    places = np.minimum(np.array(numbers, dtype=np.int64), len(lengths))
    return int(known[places].sum())


_ITEM, _SHARED_CELL = 19, 7  # records of a shared text and of a cell that has one (MS-XLSB 2.3)


def of_xlsb(shared: bytes, sheets: Iterable[bytes]) -> int:
    """The same of binary parts."""
    lengths = [length for kind, _, length in records_of_xlsb(shared) if kind == _ITEM]
    return max((_sum(lengths, _numbers_of_xlsb(sheet)) for sheet in sheets), default=0)


def _numbers_of_xlsb(sheet: bytes) -> list[int]:
    found = []
    for kind, at, length in records_of_xlsb(sheet):
        if kind == _SHARED_CELL and length >= 12 and at + 12 <= len(sheet):
            found.append(struct.unpack_from("<I", sheet, at + 8)[0])
    return found


_CELL = re.compile(
    rb"<(?P<close>/)?table:(?P<what>table-row|table-cell|covered-table-cell)(?P<rest>(?:[\s/][^>]*)?)>"
)
_COLUMNS = re.compile(rb'table:number-columns-repeated="([0-9]{1,9})"')
_ROWS = re.compile(rb'table:number-rows-repeated="([0-9]{1,9})"')


def of_ods(content: bytes) -> int:
    """Of all tables in an OpenDocument's content: each cell as often as it is repeated."""
    total = row = 0
    begun = times = rows = 1
    for found in _CELL.finditer(content):
        rest, close = found["rest"], found["close"]
        if found["what"] == b"table-row":
            if close:
                total += row * rows
            else:
                repeated = _ROWS.search(rest)
                row, rows = 0, int(repeated[1]) if repeated else 1
        elif close:
            row += (found.start() - begun) * times
        else:
            repeated = _COLUMNS.search(rest)
            begun, times = found.end(), int(repeated[1]) if repeated else 1
            if rest.endswith(b"/"):
                row += len(rest) * times * (b"value" in rest)
    return total


_SST, _CONTINUE, _LABEL = 0x00FC, 0x003C, 0x00FD


def of_xls(content: bytes) -> int:
    """Of a workbook of Excel 97."""
    stream = stream_of_xls(content)
    pieces: list[bytes] = []
    numbers: list[int] = []
    before = 0
    for kind, at, length in records_of_xls(stream):
        if kind == _SST or (kind == _CONTINUE and before == _SST):
            pieces.append(stream[at : at + length])
            before = _SST
            continue
        before = kind
        if kind == _LABEL and length >= 10 and at + 10 <= len(stream):
            numbers.append(struct.unpack_from("<I", stream, at + 6)[0])
    return _sum(_lengths_of_xls(pieces), numbers) if numbers else 0


def _lengths_of_xls(pieces: Sequence[bytes]) -> list[int]:
    """Bytes of each shared text (MS-XLS 2.5.293), which may go on in the next record at any sign."""
    lengths: list[int] = []
    piece, at = 0, 8
    try:
        while True:
            while at >= len(pieces[piece]):
                piece, at = piece + 1, at - len(pieces[piece])
            signs, flags = struct.unpack_from("<HB", pieces[piece], at)
            at += 3
            behind = 0
            if flags & 8:
                behind += 4 * struct.unpack_from("<H", pieces[piece], at)[0]
                at += 2
            if flags & 4:
                behind += struct.unpack_from("<I", pieces[piece], at)[0]
                at += 4
            lengths.append(2 * signs)
            left = signs
            while left:
                size = 1 + (flags & 1)
                here = min(left, (len(pieces[piece]) - at) // size)
                left -= here
                at += here * size
                if left:  # the next record begins with flags of its own
                    piece, at = piece + 1, 1
                    flags = pieces[piece][0]
            at += behind
    except (IndexError, struct.error):
        return lengths
