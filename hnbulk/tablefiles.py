"""A list as it lies in a file of text, a workbook or Parquet: header and cells, all text, rows numbered.

The shape is proved before a cell is believed: encoding, header, quotes, and as many cells in
every row as the header has. Nothing is guessed and no cell is turned into anything but text.
"""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hnbulk import parquet, workbooks
from hnbulk.encodings import decode
from hnbulk.errors import InputError
from hnbulk.headers import field_of
from hnbulk.plaintext import single_line

MAX_BYTES = 50 << 20
MAX_ROWS = 200_000
MAX_COLUMNS = 200
MAX_CELL = 32 << 10

_KINDS = "CSV, TSV, XLSX, XLSB, XLS, ODS or Parquet"
_DELIMITERS = (",", ";", "\t", "|")
_WORKBOOK_ENDINGS = tuple(ending for endings in workbooks.ENDINGS.values() for ending in endings)
# First bytes of what is sometimes called .csv and is none.
_FOREIGN = (
    (b"\x1f\x8b", "is a compressed file", "Unpack it first"),
    (b"%PDF", "is a PDF", "Export the list as CSV or XLSX"),
)


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Header and rows as text. A row's number is the one a spreadsheet shows: the header is 1.

    Rows that are empty to the end of the file are left out; an empty row between others is there.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()


def read_file(path: Path) -> bytes:
    """The bytes of a file. Raises `InputError` for anything else than a readable file of at most 50 MB."""
    name = single_line(str(path))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{name} is not a file. Name a list: {_KINDS}.", file=name)
        if status.st_size > MAX_BYTES:
            size = status.st_size >> 20
            raise _refused(name, f"has {size:,} MB; at most {MAX_BYTES >> 20} MB are read", "Split it")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)[:MAX_BYTES]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InputError(f"cannot read {name}: {reason}. Name a list: {_KINDS}.", file=name) from None


def read_tables(
    content: bytes,
    *,
    name: str,
    sheets: Sequence[str] = (),
    every: bool = False,
    encoding: str | None = None,
) -> list[Table]:
    """The tables in these bytes; `name` is the file's and says by its ending what it should be.

    A text or Parquet file has one. Of a workbook these are the named `sheets`; without names the
    first visible one, or with `every` all visible ones that have cells. `encoding` is that of a text
    file; without it, it is UTF-8 or says itself what it is. Row 2 of a Parquet file is its first.

    Raises `InputError`, in one line with file, sheet, row, rule and remedy, where there is no table.
    """
    if len(content) > MAX_BYTES:
        raise _refused(name, f"has more than {MAX_BYTES >> 20} MB", "Split it")
    if not content.strip():
        raise _refused(name, "is empty", "Save the list again")
    columnar, book = parquet.is_parquet(content), workbooks.is_workbook(content)
    _refuse_misnamed(content, name=name, columnar=columnar, book=book)
    if encoding is not None and (columnar or book):
        raise _refused(name, "is no text file: it has an encoding of its own", "Leave --encoding out")
    if book:
        return _read_book(content, name=name, sheets=sheets, every=every)
    if sheets:
        kind = "Parquet" if columnar else "CSV"
        raise _refused(name, f"has no sheets: it is a {kind} file", "Leave --sheet out")
    if columnar:
        rows = parquet.read_rows(content, name=name, max_rows=MAX_ROWS, max_columns=MAX_COLUMNS)
        return [_table(rows, name=name)]
    return [_table(_read_csv(decode(content, name=name, encoding=encoding), name=name), name=name)]


def read_table(
    content: bytes, *, name: str, sheet: str | None = None, encoding: str | None = None
) -> Table:
    """The one table in these bytes: the named sheet, or the first there is."""
    (table,) = read_tables(content, name=name, sheets=(sheet,) if sheet else (), encoding=encoding)
    return table


def _refuse_misnamed(content: bytes, *, name: str, columnar: bool, book: bool) -> None:
    """Neither the ending nor the content alone is believed."""
    lower = name.lower()
    called_book, called_columnar = lower.endswith(_WORKBOOK_ENDINGS), lower.endswith(parquet.ENDINGS)
    if book and not called_book:
        old = not content.startswith(b"PK")
        raise _refused(name, "is a workbook by its content", f"Name it {'.xls' if old else '.xlsx'}")
    if columnar and not called_columnar:
        raise _refused(name, "is a Parquet file by its content", "Name it .parquet")
    for mark, what, remedy in _FOREIGN:
        if content.startswith(mark):
            raise _refused(name, what, remedy)
    if called_book and not book:
        raise _refused(name, "is not a workbook by its content", "Save it as .xlsx, or name it .csv")
    if called_columnar and not columnar:
        raise _refused(name, "is not a Parquet file by its content", "Write it again, or name it .csv")


def _read_book(content: bytes, *, name: str, sheets: Sequence[str], every: bool) -> list[Table]:
    found = workbooks.read_sheets(
        content, name=name, sheets=sheets, every=every, max_rows=MAX_ROWS, max_columns=MAX_COLUMNS
    )
    tables = []
    for sheet in found:
        others = ", ".join(repr(other) for other in sheet.others)
        hint = f", or choose another sheet with --sheet: {others}" if others else ""
        hint = ", or name the sheets that are lists with --sheet" if len(found) > 1 else hint
        table = _table(sheet.rows, name=f"{name}, sheet {sheet.name!r}", hint=hint)
        tables.append(Table(table.columns, table.rows, sheet.name, sheet.others))
    return tables


def _read_csv(text: str, *, name: str) -> list[Sequence[str]]:
    """Every record of the text to the last that is not empty; an empty one has no cells."""
    records: list[Sequence[str]] = []
    empty = 0  # records since the last one that is not; a file may have millions below its list
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        for record in reader:
            if not any(record):
                empty += 1
                continue
            if len(records) + empty > MAX_ROWS:
                raise _refused(name, f"has more than {MAX_ROWS:,} rows", "Split it")
            records += [()] * empty
            records.append(tuple(record))
            empty = 0
    except csv.Error as error:
        what = f"row {len(records) + empty + 1}: {_csv_fault(str(error))}"
        raise _refused(f"{name},", what, "Close it, or double a quote inside quotes") from None
    return records


def _csv_fault(message: str) -> str:
    """What the csv reader complains of. A cell without end is nearly always a quote not closed."""
    if "end of data" in message:
        return "a quote is opened and not closed"
    if "field larger" in message:
        return f"a cell has more than {MAX_CELL:,} characters, or its quote is not closed"
    return "quotes are not balanced"


def _delimiter(text: str) -> str:
    """The sign between the headers: of comma, semicolon, tab and pipe the one that names most fields.

    Between signs that name equally many, the one the header line has most.
    """
    line = _header_line(text)
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


def _header_line(text: str) -> str:
    """The first line with something in it, to the first line end outside quotes."""
    text = text.lstrip("\r\n")[: MAX_CELL * 4]
    quoted = False
    for place, sign in enumerate(text):
        quoted ^= sign == '"'
        if not quoted and sign in "\r\n":
            return text[:place]
    return text


def _table(records: Sequence[Sequence[str]], *, name: str, hint: str = "") -> Table:
    """Records with their shape proved: a header of distinct names, and its width in every row."""
    last = max((n for n, record in enumerate(records) if any(map(str.strip, record))), default=-1)
    start = next((n for n, record in enumerate(records) if any(map(str.strip, record))), 0)
    if last == start:
        raise _refused(name, "has a header and no rows", f"Put a number in each row below it{hint}")
    if last < 0:
        raise _refused(name, "is empty", f"Save the list again{hint}")
    header = records[start]
    body = [(n + 1, record) for n, record in enumerate(records[: last + 1]) if n > start]
    for row, record in body:
        if record and len(record) != len(header):
            what = f"row {row}: {len(record)} cells under {len(header)} headers"
            raise _refused(f"{name},", what, "Put quotes around a cell that holds the separator")
    kept = _kept_columns(header, body, name=name, row=start + 1)
    _refuse_long_cells(body, name=name)
    rows = ((row, tuple(record[n] for n in kept) if record else ("",) * len(kept)) for row, record in body)
    return Table(tuple(header[n].strip() for n in kept), tuple(rows))


def _kept_columns(
    header: Sequence[str], body: Iterable[tuple[int, Sequence[str]]], *, name: str, row: int
) -> list[int]:
    """The places of the named columns; a column without name and cells is left out."""
    if len(header) > MAX_COLUMNS:
        raise _refused(
            name, f"has {len(header):,} columns; at most {MAX_COLUMNS} are read", "Delete the empty ones"
        )
    seen: set[str] = set()
    for title in (title.strip() for title in header):
        if title and title in seen:
            shown = title if not any(map(str.isdigit, title)) else "the same text"
            raise _refused(f"{name},", f"row {row}: two columns are named {shown!r}", "Rename one")
        seen.add(title)
    nameless = [n for n, title in enumerate(header) if not title.strip()]
    for number, record in body:
        for n in nameless:
            if record and record[n].strip():
                what = f"row {number}: column {n + 1} has a cell and no header"
                raise _refused(f"{name},", what, f"Name the column in row {row}")
    return [n for n, title in enumerate(header) if title.strip()]


def _refuse_long_cells(body: Iterable[tuple[int, Sequence[str]]], *, name: str) -> None:
    for row, record in body:
        if max(map(len, record), default=0) > MAX_CELL:
            raise _refused(
                f"{name},", f"row {row}: a cell has more than {MAX_CELL:,} characters", "Shorten it"
            )


def _refused(name: str, what: str, remedy: str) -> InputError:
    return InputError(f"{name} {what}. {remedy}.", file=name.rstrip(","))
