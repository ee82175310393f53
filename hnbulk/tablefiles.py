"""A list as it lies in a file, CSV or XLSX, as header and text cells with the rows' own numbers.

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

from hnbulk.errors import InputError
from hnbulk.headers import field_of
from hnbulk.plaintext import single_line
from hnbulk.workbooks import read_sheet

MAX_BYTES = 50 << 20
MAX_ROWS = 200_000
MAX_COLUMNS = 200
MAX_CELL = 32 << 10

_DELIMITERS = (",", ";", "\t", "|")
_WORKBOOK_ENDINGS = (".xlsx", ".xlsm")
# First bytes of what is sometimes called .csv and is none.
_FOREIGN = (
    (b"\x1f\x8b", "is a compressed file", "Unpack it first"),
    (
        b"\xd0\xcf\x11\xe0",
        "is an old or a password-protected workbook",
        "Save it as .xlsx without a password",
    ),
    (b"%PDF", "is a PDF", "Export the list as CSV or XLSX"),
    (b"\xff\xfe\x00\x00", "is UTF-32 text", "Save it as CSV UTF-8"),
    (b"\x00\x00\xfe\xff", "is UTF-32 text", "Save it as CSV UTF-8"),
)
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


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
            raise InputError(f"{name} is not a file. Name a CSV or XLSX file.", file=name)
        if status.st_size > MAX_BYTES:
            size = status.st_size >> 20
            raise _refused(name, f"has {size:,} MB; at most {MAX_BYTES >> 20} MB are read", "Split it")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)[:MAX_BYTES]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InputError(f"cannot read {name}: {reason}. Name a CSV or XLSX file.", file=name) from None


def read_table(content: bytes, *, name: str, sheet: str | None = None) -> Table:
    """The table in these bytes; `name` is the file's and says by its ending what it should be.

    Raises `InputError`, in one line with file, row, rule and remedy, where there is no table.
    """
    if len(content) > MAX_BYTES:
        raise _refused(name, f"has more than {MAX_BYTES >> 20} MB", "Split it")
    if not content.strip():
        raise _refused(name, "is empty", "Save the list again")
    packed = content.startswith(b"PK\x03\x04")
    ending = name.lower().endswith(_WORKBOOK_ENDINGS)
    if packed and not ending:
        raise _refused(name, "is a workbook by its content", "Name it .xlsx")
    if packed:
        found = read_sheet(content, name=name, sheet=sheet, max_rows=MAX_ROWS, max_columns=MAX_COLUMNS)
        others = ", ".join(repr(other) for other in found.others)
        hint = f", or choose another sheet with --sheet: {others}" if others else ""
        table = _table(found.rows, name=f"{name}, sheet {found.name!r}", hint=hint)
        return Table(table.columns, table.rows, found.name, found.others)
    for mark, what, remedy in _FOREIGN:
        if content.startswith(mark):
            raise _refused(name, what, remedy)
    if ending:
        raise _refused(name, "is not a workbook by its content", "Save it as .xlsx, or name it .csv")
    if sheet is not None:
        raise _refused(name, "has no sheets: it is a CSV file", "Leave --sheet out")
    return _table(_read_csv(_decode(content, name=name), name=name), name=name)


def _decode(content: bytes, *, name: str) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        what = f"row {row}: the text is not {encoding.removesuffix('-sig').upper()} (byte {error.start:,})"
        raise _refused(f"{name},", what, "Save it as CSV UTF-8") from None
    if "\x00" in text:
        row = text[: text.index("\x00")].count("\n") + 1
        raise _refused(f"{name},", f"row {row}: the text has NUL signs", "Save it as CSV UTF-8")
    return text


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
    parts = {sign: next(csv.reader([line], delimiter=sign), []) for sign in _DELIMITERS}
    return max(
        _DELIMITERS,
        key=lambda sign: (sum(field_of(part) is not None for part in parts[sign]), len(parts[sign])),
    )


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
