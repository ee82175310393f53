"""A list as it lies in a file of text, a workbook or Parquet: header and cells, all text, rows numbered.

The shape is proved before a cell is believed: encoding, header, quotes, and as many cells in
every row as the header has. Nothing is guessed and no cell is turned into anything but text.
"""

from __future__ import annotations

import codecs
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hnbulk import parquet, textfiles, workbooks
from hnbulk.checks import RULES, shows_error
from hnbulk.encodings import utf8
from hnbulk.errors import InputError
from hnbulk.headers import field_of, shown_header
from hnbulk.plaintext import single_line
from hnbulk.signs import Signs
from hnbulk.table import NO_VALUE, Gap, Table, joined

MAX_BYTES = 200 << 20
MAX_ROWS = 1_000_000
MAX_COLUMNS = 200
MAX_CELL = 32_767  # as many as a spreadsheet's cell holds

_NAME_A_LIST = "Name a list: CSV, TSV, XLSX, XLSB, XLS, ODS or Parquet"
_WORKBOOK_ENDINGS = tuple(ending for endings in workbooks.ENDINGS.values() for ending in endings)
_BEGIN = 256  # bytes
_NO_FIELDS: Mapping[str, str | None] = {}
# First bytes of what is sometimes called .csv and is none.
_FOREIGN = (
    (b"\x1f\x8b", "is a compressed file", "Unpack it first"),
    (b"%PDF", "is a PDF", "Export the list as CSV or XLSX"),
    (b"GIF8", "is a picture", "Export the list as CSV or XLSX"),
    (b"\x89PNG", "is a picture", "Export the list as CSV or XLSX"),
    (b"\xff\xd8\xff", "is a picture", "Export the list as CSV or XLSX"),
)
# The same of text. Web systems call a page of theirs .xls or .csv.
_FOREIGN_TEXT = (
    (
        re.compile(rb"\s*<((!doctype|!--|\?xml|html|head|body)[\s>-]|table(>|\s+\w+=))", re.IGNORECASE),
        "is a web page, or XML",
        "Open it in a spreadsheet and save it as XLSX",
    ),
    (re.compile(rb'\s*(\{\s*["}]|\[\s*\{)'), "is JSON, perhaps a plan", _NAME_A_LIST),
    (re.compile(rb"\s*\{\\rtf"), "is a text document", "Export the list as CSV or XLSX"),
)


def read_file(path: Path, *, remedy: str = _NAME_A_LIST) -> bytes:
    """The bytes of a file. Raises `InputError` for anything else than a readable file of at most 200 MB."""
    with _readable(path, remedy):
        check_file(path, remedy=remedy)
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)[:MAX_BYTES]


def check_file(path: Path, *, remedy: str = _NAME_A_LIST) -> None:
    """There is a file at `path`, of at most 200 MB. Raises `InputError` where there is none."""
    name = single_line(str(path))
    with _readable(path, remedy):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise _refused(name, "is not a file", remedy)
    if status.st_size > MAX_BYTES:
        size = status.st_size >> 20
        raise _refused(name, f"has {size:,} MB; at most {MAX_BYTES >> 20} MB are read", "Split it")


@contextmanager
def _readable(path: Path, remedy: str) -> Iterator[None]:
    """What the disk says against reading is an `InputError`."""
    try:
        yield
    except (OSError, ValueError) as error:
        name, reason = single_line(str(path)), getattr(error, "strerror", None) or "not a path"
        raise InputError(f"cannot read {name}: {reason}. {remedy}.", file=name) from None


def read_tables(
    content: bytes,
    *,
    name: str,
    sheets: Sequence[str] = (),
    every: bool = False,
    encoding: str | None = None,
    fields: Mapping[str, str | None] | None = None,
) -> list[Table]:
    """The tables in these bytes; `name` is the file's and says by its ending what it should be.

    Rows that are empty to the end of the file are left out; an empty row between others is there.
    A text or Parquet file has one table. Of a workbook these are the named `sheets`; without names the
    first visible one, or with `every` all visible ones that have cells. `encoding` is that of a text
    file; without it, it is UTF-8 or says itself what it is. Row 2 of a Parquet file is its first.
    `fields` says which column is which field, before its name does.

    Raises `InputError`, in one line with file, sheet, row, rule and remedy, where there is no table.
    """
    if len(content) > MAX_BYTES:
        raise _refused(name, f"has more than {MAX_BYTES >> 20} MB", "Split it")
    if not content or content.isspace():
        raise _refused(name, "is empty", "Save the list again")
    columnar, book = parquet.is_parquet(content), workbooks.is_workbook(content)
    _refuse_misnamed(content, name=name, columnar=columnar, book=book)
    if encoding is not None and (columnar or book):
        raise _refused(name, "is no text file: it has an encoding of its own", "Leave --encoding out")
    if book:
        return _read_book(content, name=name, sheets=sheets, every=every, fields=fields or {})
    if sheets:
        kind = "Parquet" if columnar else "CSV"
        raise _refused(name, f"has no sheets: it is a {kind} file", "Leave --sheet out")
    if columnar:
        columns = parquet.read_columns(
            content, name=name, max_rows=MAX_ROWS, max_columns=MAX_COLUMNS, max_cell=MAX_CELL
        )
        return [_table(columns, name=name)]
    signs = Signs.of(content)
    if encoding is not None or not signs.plain:
        content = utf8(content, name=name, encoding=encoding)
        signs = Signs.of(content)
    limits = textfiles.Limits(rows=MAX_ROWS, columns=MAX_COLUMNS, cell=MAX_CELL)
    columns = textfiles.read_columns(content, signs, name=name, limits=limits)
    return [_table(columns, name=name, fields=fields or {})]


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
    begin = content[:_BEGIN].removeprefix(codecs.BOM_UTF8)
    for pattern, what, remedy in _FOREIGN_TEXT:
        if pattern.match(begin):
            raise _refused(name, what, remedy)
    if called_book and not book:
        raise _refused(name, "is not a workbook by its content", "Save it as .xlsx, or name it .csv")
    if called_columnar and not columnar:
        raise _refused(name, "is not a Parquet file by its content", "Write it again, or name it .csv")


def _read_book(
    content: bytes, *, name: str, sheets: Sequence[str], every: bool, fields: Mapping[str, str | None]
) -> list[Table]:
    found = workbooks.read_sheets(
        content, name=name, sheets=sheets, every=every, max_rows=MAX_ROWS, max_columns=MAX_COLUMNS
    )
    tables = []
    for sheet in found:
        others = ", ".join(repr(other) for other in sheet.others)
        hint = f", or choose another sheet with --sheet: {others}" if others else ""
        hint = ", or name the sheets that are lists with --sheet" if len(found) > 1 else hint
        called = f"{name}, sheet {sheet.name!r}"
        table = _table(sheet.cells, name=called, hint=hint, gaps=sheet.gaps, fields=fields)
        tables.append(
            replace(table, sheet=sheet.name, other_sheets=sheet.others, unread_sheets=sheet.unread)
        )
    return tables


def _table(
    cells: Sequence[pa.ChunkedArray],
    *,
    name: str,
    hint: str = "",
    gaps: Sequence[Gap] = (),
    fields: Mapping[str, str | None] = _NO_FIELDS,
) -> Table:
    """Columns of cells from row 1 on, with their shape proved: the header has a name for each that has
    cells. It is the first row that is not empty, or the one below a title."""
    first, last = _first_filled(cells), _last_filled(cells)
    if last < 0:
        raise _refused(name, "is empty", f"Save the list again{hint}")
    start = _header_place(cells, first, fields)
    header = [column[start].as_py().strip() for column in cells]
    by_name = _by_name(gaps, header)
    sent = [own for title, own in by_name.items() if _meant(title, fields)]
    last = max(last, _last_told(sent, len(cells[0])))
    if last == start:
        raise _refused(name, "has a header and no rows", f"Put a number in each row below it{hint}")
    if last > MAX_ROWS:
        raise _refused(name, f"has more than {MAX_ROWS:,} rows", "Split it")
    body = [column.slice(start + 1, last - start) for column in cells]
    kept = _kept_columns(header, body, name=name, row=start + 1)
    _refuse_long_cells(body, name=name, row=start + 2)
    numbers = np.arange(start + 2, last + 2, dtype=np.int64)
    shown = tuple(_with_errors(body[n], by_name.get(header[n], ()), row=start + 2) for n in kept)
    above = start > first or any(_is_error(gap) and gap.first <= start for gap in gaps)
    below = start + 1 if above else None
    return Table(tuple(header[n] for n in kept), numbers, shown, gaps=by_name, below=below)


def _meant(title: str, fields: Mapping[str, str | None]) -> str | None:
    """The field of a column with this header."""
    return fields[title] if title in fields else field_of(title)


def _names_phones(titles: Iterable[str], fields: Mapping[str, str | None]) -> bool:
    return any(_meant(title.strip(), fields) == "phone_number" for title in titles)


def _header_place(cells: Sequence[pa.ChunkedArray], first: int, fields: Mapping[str, str | None]) -> int:
    """The place of the header. Where the first row has cells and names no phone number column, it is a
    title if the first row that is wider does name one."""
    titles = [column[first].as_py().strip() for column in cells]
    nameless = [column.slice(first + 1) for column, title in zip(cells, titles, strict=True) if not title]
    if not nameless or _names_phones(titles, fields):
        return first
    place = first + 1 + _first_filled(nameless)
    wider = [column[place].as_py() for column in cells]
    return place if place > first and _names_phones(wider, fields) else first


def _with_errors(column: pa.ChunkedArray, gaps: Sequence[Gap], *, row: int) -> pa.ChunkedArray:
    """The column with its errors as a person sees them: a file of ours made of it has them too. `row` is
    the number of its first cell."""
    wrong: dict[str, list[Gap]] = {}
    for gap in filter(_is_error, gaps):  # what no file of ours would be refused for stands as another error
        wrong.setdefault(gap.about if shows_error(gap.about) else NO_VALUE, []).append(gap)
    if not wrong:
        return column
    whole = column.combine_chunks()
    blank = np.asarray(pc.equal(whole, ""), dtype=np.bool_)
    for text, own in wrong.items():
        mask = np.zeros(len(whole), dtype=np.bool_)
        for gap in own:
            mask[max(gap.first - row, 0) : max(gap.last + 1 - row, 0)] = True
        whole = pc.replace_with_mask(whole, mask & blank, pa.scalar(text, pa.string()))
    return joined([whole])


def _is_error(gap: Gap) -> bool:
    return RULES[gap.code].severity == "error"


def _by_name(gaps: Sequence[Gap], header: Sequence[str]) -> dict[str, list[Gap]]:
    """The gaps of each column that has a name."""
    found: dict[str, list[Gap]] = {}
    for gap in gaps:
        for title in filter(None, header[gap.left - 1 : gap.right]):
            found.setdefault(title, []).append(gap)
    return found


def _last_told(gaps: Iterable[Sequence[Gap]], height: int) -> int:
    """The place of the last row that is there because of what is wrong in it; -1 where there is none."""
    wrong = [gap.last for own in gaps for gap in own if _is_error(gap)]
    return min(max(wrong, default=0), height) - 1


#: So many rows are looked at together for one that is not empty; at first, and at most.
_FEW, _MANY = 16, 4_096


def _first_filled(cells: Sequence[pa.ChunkedArray]) -> int:
    """The place of the first row with a cell that is not blank; -1 where there is none."""
    for start, count in _ranges(_height(cells)):
        filled = _filled([column.slice(start, count) for column in cells])
        if filled:
            return start + filled[0]
    return -1


def _last_filled(cells: Sequence[pa.ChunkedArray]) -> int:
    """The place of the last such row."""
    height = _height(cells)
    for below, count in _ranges(height):
        start = height - below - count
        filled = _filled([column.slice(start, count) for column in cells])
        if filled:
            return start + filled[-1]
    return -1


def _ranges(height: int) -> Iterator[tuple[int, int]]:
    """All of so many rows, some at a time: the first and how many."""
    start, count = 0, _FEW
    while start < height:
        count = min(count, height - start)
        yield start, count
        start += count
        count = min(2 * count, _MANY)


def _height(cells: Sequence[pa.ChunkedArray]) -> int:
    return len(cells[0]) if cells else 0


def _filled(cells: Sequence[pa.ChunkedArray]) -> list[int]:
    """The places of the rows with a cell that is not blank."""
    if not any(pc.any(pc.not_equal(column, "")).as_py() for column in cells):
        return []
    rows = zip(*(column.to_pylist() for column in cells), strict=True)
    return [n for n, row in enumerate(rows) if any(map(str.strip, row))]


def _kept_columns(
    header: Sequence[str], body: Sequence[pa.ChunkedArray], *, name: str, row: int
) -> list[int]:
    """The places of the named columns; a column without name and cells is left out."""
    if len(header) > MAX_COLUMNS:
        raise _refused(
            name, f"has {len(header):,} columns; at most {MAX_COLUMNS} are read", "Delete the empty ones"
        )
    seen: set[str] = set()
    for title in header:
        if title and title in seen:
            what = f"row {row}: two columns are named {shown_header(title)}"
            raise _refused(f"{name},", what, "Rename one")
        seen.add(title)
    nameless = [(_first_filled([body[n]]), n) for n, title in enumerate(header) if not title]
    for place, n in sorted(nameless):
        if place >= 0:
            what = f"row {row + 1 + place}: column {n + 1} has a cell and no header"
            raise _refused(f"{name},", what, f"Name the column in row {row}")
    return [n for n, title in enumerate(header) if title]


def _refuse_long_cells(body: Sequence[pa.ChunkedArray], *, name: str, row: int) -> None:
    """No cell has more than `MAX_CELL` characters; `row` is the number of the first row."""
    places = []
    for column in body:
        if (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_CELL:
            long = np.asarray(pc.greater(pc.utf8_length(column), MAX_CELL), dtype=np.bool_)
            places += np.flatnonzero(long)[:1].tolist()
    if places:
        what = f"row {row + min(places)}: a cell has more than {MAX_CELL:,} characters"
        raise _refused(f"{name},", what, "Shorten it")


def _refused(name: str, what: str, remedy: str) -> InputError:
    return InputError(f"{name} {what}. {remedy}.", file=name.rstrip(","))
