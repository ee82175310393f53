"""How far the cells of a workbook reach, told from its bytes before any of them is read.

A file of a few kilobytes can place one cell in the last row and column there is; a reader that makes
room for all between takes the whole memory of the machine. This module keeps no cell.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping

Extent = tuple[int, int]  # rows and columns, both from 1; (0, 0) without a cell

#: Of a sheet whose cells may lie anywhere, as far as can be told.
ANYWHERE: Extent = (1 << 20, 1 << 14)
#: A sheet of no more cells than this is told by the classes of its rows and columns; in a larger one
#: every cell is looked at.
MANY_CELLS = 8_400_000

# As spreadsheet programs write a cell; what may lie beyond a usual list is then looked at one by one.
_USUAL = b'<c r="'
_TAGS = (b"<c ", b"<c\t", b"<c\n", b"<c\r", b"<c>", b"<c/")
# Whether a cell lies beyond so many columns, or so many rows; the first that none lies beyond counts.
_STRANGE = re.compile(rb'<c r="(?:[A-Z]{3}|[A-Z]*[a-z]|[A-Z]*[0-9]{8})')
_BEYOND_COLUMNS = {
    8: re.compile(rb'<c r="(?:[I-Z][0-9]|[A-Z]{2})'),
    16: re.compile(rb'<c r="(?:[Q-Z][0-9]|[A-Z]{2})'),
    40: re.compile(rb'<c r="(?:A[O-Z]|[B-Z][A-Z])'),
}
_BEYOND_ROWS = {
    99_999: re.compile(rb'<c r="[A-Z]+[0-9]{6}'),
    199_999: re.compile(rb'<c r="[A-Z]+(?:[2-9][0-9]{5}|[0-9]{7})'),
    499_999: re.compile(rb'<c r="[A-Z]+(?:[5-9][0-9]{5}|[0-9]{7})'),
    999_999: re.compile(rb'<c r="[A-Z]+[0-9]{7}'),
    1_199_999: re.compile(rb'<c r="[A-Z]+(?:[2-9][0-9]{6}|1[2-9][0-9]{5})'),
}
_TAG = re.compile(rb"<(?:\w+:)?(row|c)([\s/][^>]*)?>")
_PLACE = re.compile(rb"\sr\s*=\s*[\"']([A-Za-z]*)([0-9]+)[\"']")


def of_xlsx(part: bytes) -> Extent:
    """Of a sheet's XML: its rows and columns, or for a usual one the next larger of a few numbers."""
    cells = part.count(_USUAL)
    usual = cells == sum(map(part.count, _TAGS)) and not re.search(rb":c[\s>/]", part)
    if usual and not cells:
        return 0, 0
    if usual and not _STRANGE.search(part):
        rows, columns = _class_of(part, _BEYOND_ROWS), _class_of(part, _BEYOND_COLUMNS)
        if rows and columns and rows * columns <= MANY_CELLS:
            return rows, columns
    deepest = widest = row = column = 0
    for found in _TAG.finditer(part):
        rest = found[2] or b""
        if rest.count(b'"') % 2 or rest.count(b"'") % 2:  # a sign of the tag inside a value
            return ANYWHERE
        place = _PLACE.search(rest)
        if found[1] == b"row":
            row, column = int(place[2][:9]) if place else row + 1, 0
            continue
        # without a place it lies behind the one before
        column = _column(place[1].upper()[:4]) if place else column + 1
        row = int(place[2][:9]) if place else row
        if not rest.endswith(b"/"):  # else it is only coloured
            deepest, widest = max(deepest, row), max(widest, column)
    return deepest, widest


def _class_of(part: bytes, beyond: Mapping[int, re.Pattern[bytes]]) -> int:
    """The first number that no cell lies beyond; 0 where one lies beyond all."""
    return next((most for most, pattern in beyond.items() if not pattern.search(part)), 0)


def _column(letters: bytes) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + letter - 64
    return place


_ODS = re.compile(
    rb"<(?P<close>/)?table:(?P<what>table-row|table-cell|covered-table-cell|table)(?P<rest>(?:[\s/][^>]*)?)>"
)
_REPEATED = re.compile(rb'table:number-(?:rows|columns)-repeated="([0-9]{1,9})"')


def of_ods(content: bytes) -> Extent:
    """Of the largest table in an OpenDocument's content."""
    deepest = widest = row = column = 0
    times, filled = 1, False
    for found in _ODS.finditer(content):
        what, rest, close = found["what"], found["rest"], found["close"]
        repeated = _REPEATED.search(rest)
        count = int(repeated[1]) if repeated else 1
        if what == b"table":
            row = 0
        elif what == b"table-row":
            if not close:
                column, times, filled = 0, count, False
            if close or rest.endswith(b"/"):
                row += times
                deepest = max(deepest, row) if filled else deepest
        elif not close:
            column += count
            if not rest.endswith(b"/") or b"value" in rest:
                filled, widest = True, max(widest, column)
    return deepest, widest


Record = tuple[int, int, int]  # kind, where its body begins, its length


def records_of_xlsb(part: bytes) -> Iterator[Record]:
    """The records of a binary part, to its end or to where it is cut."""
    at = 0
    try:
        while at < len(part):
            kind, at = part[at], at + 1
            if kind > 127:
                kind, at = (kind & 0x7F) | (part[at] & 0x7F) << 7, at + 1
            length = shift = 0
            while True:
                byte, at = part[at], at + 1
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 128 or shift > 21:
                    break
            yield kind, at, length
            at += length
    except IndexError:
        pass  # a cut sheet is for the reader to refuse


def of_xlsb(part: bytes) -> Extent:
    """Of a binary sheet: records of a kind, a length and a body."""
    deepest = widest = row = 0
    try:
        for kind, at, length in records_of_xlsb(part):
            if kind <= 11 and length < (8 if kind else 4):
                return ANYWHERE
            if kind == 0:
                (row,) = struct.unpack_from("<I", part, at)
            elif 2 <= kind <= 11:  # a cell with a value; 1 is a blank one
                (column,) = struct.unpack_from("<I", part, at)
                deepest, widest = max(deepest, row + 1), max(widest, column + 1)
    except struct.error:
        pass
    return deepest, widest


# Records of a cell that has a value: formula, label, number and their short forms (MS-XLS 2.3).
_VALUES = frozenset({0x0006, 0x0203, 0x0204, 0x0205, 0x027E, 0x00FD, 0x00D6, 0x0003, 0x0002, 0x0004})
_SEVERAL = 0x00BD


def stream_of_xls(content: bytes) -> bytes:
    """The records of a workbook of Excel 97, one behind the other."""
    return b"".join(_book(content))


def records_of_xls(stream: bytes) -> Iterator[Record]:
    """Each record of such a stream."""
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, at + 4, length
        at += 4 + length


def of_xls(content: bytes) -> Extent:
    """Of a workbook of Excel 97: the largest of its sheets."""
    deepest = widest = 0
    stream = stream_of_xls(content)
    for kind, at, length in records_of_xls(stream):
        if (kind in _VALUES or kind == _SEVERAL) and at + 6 <= len(stream) and length >= 6:
            row, column = struct.unpack_from("<HH", stream, at)
            if kind == _SEVERAL and at + length <= len(stream):
                (column,) = struct.unpack_from("<H", stream, at + length - 2)
            deepest, widest = max(deepest, row + 1), max(widest, column + 1)
    return deepest, widest


def streams_of(content: bytes) -> set[str]:
    """The names in the folder of a compound file (MS-CFB); empty where it has none."""
    return {name for name, *_ in _entries(content)}


def is_sound(content: bytes) -> bool:
    """A compound file counts no more sectors, and no longer streams, than it can have."""
    most = len(content) // 64 + 1
    if len(content) < 512:
        return False
    # how many sectors the folder, the table, the small table and the further table have
    counts = [struct.unpack_from("<I", content, at)[0] for at in (40, 44, 64, 72)]
    return max(counts) <= most and all(size <= len(content) for *_, size in _entries(content))


def _book(content: bytes) -> Iterator[bytes]:
    """The workbook's stream, sector by sector."""
    entries = list(_entries(content))
    for name, start, size in entries:
        if name in ("Workbook", "Book"):
            if size >= 4_096:
                yield from _chain(content, start)
            elif entries:  # a small stream lies in sectors of 64 bytes inside the root's
                yield from _small(content, entries[0][1], start)


def _entries(content: bytes) -> Iterator[tuple[str, int, int]]:
    try:
        (first,) = struct.unpack_from("<I", content, 48)
    except struct.error:
        return
    folder = b"".join(_chain(content, first))
    for at in range(0, len(folder) - 127, 128):
        (length,) = struct.unpack_from("<H", folder, at + 64)
        start, size = struct.unpack_from("<II", folder, at + 116)
        name = folder[at : at + max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
        if name:
            yield name, start, size


def _size(content: bytes) -> int:
    return 1 << (content[30] if 7 <= content[30] <= 16 else 9)


def _chain(content: bytes, start: int) -> Iterator[bytes]:
    """The sectors from `start` on, each at most once."""
    size = _size(content)
    table = _table(content)
    seen = set()
    while start < len(table) and start not in seen:
        seen.add(start)
        yield content[(start + 1) * size : (start + 2) * size]
        start = table[start]


def _table(content: bytes) -> list[int]:
    """Which sector follows which."""
    size = _size(content)
    sectors = list(struct.unpack_from("<109I", content.ljust(512, b"\xff"), 76))
    (further,) = struct.unpack_from("<I", content.ljust(512, b"\xff"), 68)
    for _ in range(1_000):
        more = content[(further + 1) * size : (further + 2) * size]
        if len(more) < size:
            break
        *own, further = struct.unpack(f"<{size // 4}I", more)
        sectors += own
    table: list[int] = []
    for sector in sectors:
        part = content[(sector + 1) * size : (sector + 2) * size]
        if len(part) == size:
            table += struct.unpack(f"<{size // 4}I", part)
    return table


def _small(content: bytes, root: int, start: int) -> Iterator[bytes]:
    (first,) = struct.unpack_from("<I", content, 60)
    links = b"".join(_chain(content, first))
    inside = b"".join(_chain(content, root))
    table = struct.unpack(f"<{len(links) // 4}I", links[: len(links) // 4 * 4])
    seen = set()
    while start < len(table) and start not in seen:
        seen.add(start)
        yield inside[start * 64 : (start + 1) * 64]
        start = table[start]
