"""The cells of a text file whose values stand between separators, as columns of text.

The shape is proved before a cell is believed: quotes, and as many cells in every row as the header has.
A file whose every row is a line is read by Arrow, several parts at a time; what it cannot read, and
every fault, is for the reader that goes row by row and has the words.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.csv

from hnbulk.errors import InputError
from hnbulk.headers import field_of
from hnbulk.lending import lend
from hnbulk.signs import Signs
from hnbulk.table import columns_of, joined

#: Bytes that are read by one thread at a time; rows that are kept as such at a time.
_BLOCK, _TOGETHER = 8 << 20, 8_192
#: A large file is looked at in so many places, so many bytes each.
_PLACES, _PART = 64, 1 << 14
#: What a spreadsheet program writes before a header to say what stands between cells; it ends before the
#: line end, so that the rows keep their numbers.
_SEPARATOR = re.compile(rb"\s*sep=([,;\t|])(?=\r?\n)", re.IGNORECASE)
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a list may have."""

    rows: int
    columns: int
    cell: int  # characters


def read_columns(content: bytes, signs: Signs, *, name: str, limits: Limits) -> tuple[pa.ChunkedArray, ...]:
    """The cells of text in UTF-8 from the first line on, blank where a row is empty; `signs` are its own.

    The separator is the header line's. Raises `InputError`, in one line with the row, where quotes
    are not balanced, a row has not as many cells as the header, or there is more than `limits` allow.
    `name` is the file's.
    """
    said = _SEPARATOR.match(content)
    if said:  # the first line says it, and is no row
        content = content[said.end() :]
    header = _header_line(content, limits.cell)
    delimiter = said[1].decode() if said else _delimiter(header)
    width = len(_parts(header, delimiter))
    if width > limits.columns:
        what = f"has {width:,} columns; at most {limits.columns} are read"
        raise _refused(name, what, "Delete the empty ones")
    # more lines than there may be rows; line ends in quotes count here
    crowded = _many_lines(content, limits.rows + 1) and _filled_lines(content) > limits.rows + 1
    if crowded and not signs.quote:
        raise _too_many(name, limits)
    columns = None if crowded else read_lines(content, signs, delimiter, width=width, name=name)
    if columns is None:
        columns = read_row_by_row(content, delimiter, name=name, limits=limits)
    return columns


# -- every row a line


def read_lines(
    content: bytes, signs: Signs, delimiter: str, *, width: int, name: str
) -> tuple[pa.ChunkedArray, ...] | None:
    """The cells where every line is a row of so many; None where another reader has to look.

    Raises `InputError` for the first row of another width.
    """
    if content.endswith((b"\n\n", b"\n\r\n")):
        content = content.rstrip(b"\r\n")
    if not width or not content or not _are_rows(content, signs, delimiter):
        return None
    read = partial(_read_lines, content, delimiter, width, quoted=signs.quote)
    try:
        return read()
    except pa.ArrowException:
        pass
    found: list[pyarrow.csv.InvalidRow] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        found.append(row)
        return "error"

    with suppress(pa.ArrowException):  # once more, by one thread that knows the numbers of rows
        read(note=note)
    row = found[0] if found else None
    if row is None or row.number is None or not any(map(str.strip, _parts(row.text, delimiter))):
        return None
    raise _of_other_width(name, row.number, row.actual_columns, width)


def _read_lines(
    content: bytes,
    delimiter: str,
    width: int,
    *,
    quoted: bool,
    note: Callable[[pyarrow.csv.InvalidRow], str] | None = None,
) -> tuple[pa.ChunkedArray, ...]:
    names = [str(n) for n in range(width)]
    read = partial(
        pyarrow.csv.read_csv,
        read_options=pyarrow.csv.ReadOptions(
            column_names=names, block_size=_BLOCK, use_threads=note is None
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter,
            quote_char='"' if quoted else False,  # it is quicker where there is none to look for
            ignore_empty_lines=False,
            invalid_row_handler=note,
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=False,
            check_utf8=False,  # it is known to be UTF-8
        ),
    )
    return tuple(lend(content, read).columns)


def _are_rows(content: bytes, signs: Signs, delimiter: str) -> bool:
    """No line end stands inside quotes, and quotes stand where both readers understand them alike."""
    if signs.carriage_return and content.count(b"\r") != content.count(b"\r\n"):
        return False
    if not signs.quote:
        return True
    reader = csv.reader(_quoted_lines(content), delimiter=delimiter, strict=True)
    try:
        return all(reader.line_num == n for n, _ in enumerate(reader, 1))
    except csv.Error:
        return False


def _quoted_lines(content: bytes) -> Iterator[str]:
    """The lines with a quote in them."""
    return (line.decode() for line in io.BytesIO(content) if b'"' in line)


def _many_lines(content: bytes, most: int) -> bool:
    """There may be more lines than that. A large file is looked at in places, and is given twice as many:
    one that has more all the same is refused when it was read."""
    if len(content) <= 2 * _BLOCK:
        ends = content.count(b"\n") + (content.count(b"\r") if b"\r" in content else 0)
        return ends + (not content.endswith((b"\n", b"\r"))) > most
    step = len(content) // _PLACES
    parts = [content[at : at + _PART] for at in range(0, len(content), step)]
    ends = sum(part.count(b"\n") + part.count(b"\r") for part in parts)
    return ends * len(content) / sum(map(len, parts)) > 2 * most


def _filled_lines(content: bytes) -> int:
    """How many lines have something in them; at most one too many."""
    count, before = 1, b"\n"
    for start in range(0, len(content), _BLOCK):
        part = np.frombuffer(before + content[start : start + _BLOCK], dtype=np.uint8)
        ends = (part == ord("\n")) | (part == ord("\r"))
        count += int((ends[1:] & ~ends[:-1]).sum())
        before = content[start + _BLOCK - 1 : start + _BLOCK] or b"\n"
    return count - content.endswith((b"\n", b"\r"))


# -- row by row


def read_row_by_row(
    content: bytes, delimiter: str, *, name: str, limits: Limits
) -> tuple[pa.ChunkedArray, ...]:
    """The cells of rows that may have line ends in their quotes; with the words for every fault.

    All rows from the first one with a cell on have its width, or no cells at all.
    """
    parts: list[tuple[pa.ChunkedArray, ...]] = []
    lines: list[Sequence[str]] = []
    width = blanks = 0
    odd: tuple[int, int] | None = None  # a row of another width with nothing in it, where none follows
    for number, record in _records(content, delimiter, name=name, limits=limits):
        filled = any(map(str.strip, record))
        if not width:
            if not filled:
                blanks = number
                continue
            width = len(record)
            lines += [("",) * width] * blanks
        if odd and filled:
            raise _of_other_width(name, *odd, width)
        if record and len(record) != width:
            odd = odd or (number, len(record))
            if filled:
                raise _of_other_width(name, *odd, width)
            record = ()
        lines.append(record or ("",) * width)
        if len(lines) >= _TOGETHER:
            parts.append(columns_of(lines, width))
            lines.clear()
    parts.append(columns_of(lines, width))
    return tuple(map(joined, zip(*parts, strict=True)))


def _records(
    content: bytes, delimiter: str, *, name: str, limits: Limits
) -> Iterator[tuple[int, Sequence[str]]]:
    """Every record to the last that is not empty, by its number; an empty one has no cells."""
    number = empty = 0  # empty: those since the last one that is not; there may be millions below a list
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if not any(record):
                empty += 1
                continue
            if number + empty > limits.rows:
                raise _too_many(name, limits)
            for _ in range(empty):
                number += 1
                yield number, ()
            empty = 0
            number += 1
            yield number, record
    except csv.Error as error:
        what = f"row {number + empty + 1}: {_csv_fault(str(error), limits)}"
        raise _refused(f"{name},", what, "Close it, or double a quote inside quotes") from None


def _csv_fault(message: str, limits: Limits) -> str:
    """What the csv reader complains of. A cell without end is nearly always a quote not closed."""
    if "end of data" in message:
        return "a quote is opened and not closed"
    if "field larger" in message:
        return f"a cell has more than {limits.cell:,} characters, or its quote is not closed"
    return "quotes are not balanced"


def _too_many(name: str, limits: Limits) -> InputError:
    return _refused(name, f"has more than {limits.rows:,} rows", "Split it")


def _of_other_width(name: str, row: int, cells: int, width: int) -> InputError:
    what = f"row {row}: {cells} cells under {width} headers"
    return _refused(f"{name},", what, "Put quotes around a cell that holds the separator")


# -- the separator


def _delimiter(line: str) -> str:
    """The sign between the headers: of comma, semicolon, tab and pipe the one that names most fields.

    Between signs that name equally many, the one the header line has most.
    """
    parts = {sign: _parts(line, sign) for sign in _DELIMITERS}
    return max(
        _DELIMITERS,
        key=lambda sign: (sum(field_of(part) is not None for part in parts[sign]), len(parts[sign])),
    )


def _parts(line: str, sign: str) -> list[str]:
    """The cells of the line with this sign between them; none where it cannot be read so."""
    try:
        return next(csv.reader(io.StringIO(line, newline=""), delimiter=sign), [])
    except csv.Error:
        return []


def _header_line(content: bytes, max_cell: int) -> str:
    """The first line with something in it, to the first line end outside quotes."""
    start = len(content) - len(content.lstrip(b"\r\n")) if content[:1] in b"\r\n" else 0
    text = content[start : start + max_cell * 4].decode(errors="ignore")
    quoted = False
    for place, sign in enumerate(text):
        quoted ^= sign == '"'
        if not quoted and sign in "\r\n":
            return text[:place]
    return text


def _refused(name: str, what: str, remedy: str) -> InputError:
    return InputError(f"{name} {what}. {remedy}.", file=name.rstrip(","))
