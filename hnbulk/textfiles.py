"""The cells of a text file whose values stand between separators, as columns of text.

The shape is proved before a cell is believed: quotes, and as many cells in every row as the header has.
A file whose every row is a line is read by Arrow, several parts at a time; what it cannot read, and
every fault, is for the reader that goes row by row and has the words.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv

from hnbulk.errors import InputError
from hnbulk.headers import field_of
from hnbulk.table import columns_of

#: Bytes that are read by one thread at a time.
_BLOCK = 8 << 20
_DELIMITERS = (",", ";", "\t", "|")


def read_columns(content: bytes, *, name: str, max_rows: int, max_cell: int) -> tuple[pa.Array, ...]:
    """The cells of text in UTF-8 from the first line on, blank where a row is empty.

    The separator is the header line's. Raises `InputError`, in one line with the row, where quotes
    are not balanced, a row has not as many cells as the header, or there are too many rows. `name` is
    the file's.
    """
    header = _header_line(content, max_cell)
    delimiter = _delimiter(header)
    columns = _read_lines(content, delimiter, width=len(_parts(header, delimiter)))
    if columns is None:
        text = content.decode()
        records = _read_records(text, delimiter, name=name, max_rows=max_rows, max_cell=max_cell)
        columns = _rectangular(records, name=name)
    return columns


# -- every row a line


def _read_lines(content: bytes, delimiter: str, *, width: int) -> tuple[pa.Array, ...] | None:
    """The cells where every line is a row of so many; None where that is not so or not known."""
    if content.endswith((b"\n\n", b"\n\r\n")):
        content = content.rstrip(b"\r\n")
    if not width or not content or not _are_rows(content, delimiter):
        return None
    names = [str(n) for n in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(content),
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=_BLOCK),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, double_quote=True, ignore_empty_lines=False
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                check_utf8=False,  # it is known to be UTF-8
            ),
        )
    except pa.ArrowException:
        return None
    return tuple(column.combine_chunks() for column in table.columns)


def _are_rows(content: bytes, delimiter: str) -> bool:
    """No line end stands inside quotes, and quotes stand where both readers understand them alike."""
    if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
        return False
    if b'"' not in content:
        return True
    quoted = [line.decode() for line in content.split(b"\n") if b'"' in line]
    try:
        return sum(1 for _ in csv.reader(quoted, delimiter=delimiter, strict=True)) == len(quoted)
    except csv.Error:
        return False


# -- row by row


def _read_records(
    text: str, delimiter: str, *, name: str, max_rows: int, max_cell: int
) -> list[Sequence[str]]:
    """Every record of the text to the last that is not empty; an empty one has no cells."""
    records: list[Sequence[str]] = []
    empty = 0  # records since the last one that is not; a file may have millions below its list
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if not any(record):
                empty += 1
                continue
            if len(records) + empty > max_rows:
                raise _refused(name, f"has more than {max_rows:,} rows", "Split it")
            records += [()] * empty
            records.append(tuple(record))
            empty = 0
    except csv.Error as error:
        what = f"row {len(records) + empty + 1}: {_csv_fault(str(error), max_cell)}"
        raise _refused(f"{name},", what, "Close it, or double a quote inside quotes") from None
    return records


def _csv_fault(message: str, max_cell: int) -> str:
    """What the csv reader complains of. A cell without end is nearly always a quote not closed."""
    if "end of data" in message:
        return "a quote is opened and not closed"
    if "field larger" in message:
        return f"a cell has more than {max_cell:,} characters, or its quote is not closed"
    return "quotes are not balanced"


def _rectangular(records: Sequence[Sequence[str]], *, name: str) -> tuple[pa.Array, ...]:
    """The records as columns: all from the header on have its width, or no cells at all."""
    filled = [n for n, record in enumerate(records) if any(map(str.strip, record))]
    if not filled:
        return ()
    start, last = filled[0], filled[-1]
    width = len(records[start])
    blank = ("",) * width
    lines: list[Sequence[str]] = [blank] * start
    for n, record in enumerate(records[start : last + 1], start):
        if record and len(record) != width:
            what = f"row {n + 1}: {len(record)} cells under {width} headers"
            raise _refused(f"{name},", what, "Put quotes around a cell that holds the separator")
        lines.append(record or blank)
    return columns_of(lines, width)


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
