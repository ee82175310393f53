"""The cells of a workbook as text, after a look at what is packed in it.

XLSX, XLSM and XLSB, XLS and ODS: a file from outside, whose size, parts and reach are checked before
anything is unpacked for reading. Nothing in it is run, followed or fetched.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc

from hnbulk import extents, gaps, volumes
from hnbulk.errors import InputError
from hnbulk.table import Gap, joined
from hnbulk.xmlparts import Unreadable

#: The kinds of workbook, each with the endings it goes by.
ENDINGS = {"xlsx": (".xlsx", ".xlsm"), "xlsb": (".xlsb",), "ods": (".ods",), "xls": (".xls",)}

#: More is not read: bytes unpacked, and cells of one sheet, since a reader makes room for each.
MAX_UNPACKED = 200 << 20
MAX_CELLS = extents.MANY_CELLS

_ZIP, _COMPOUND = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MAX_ENTRIES = 1_000
_MAX_RATIO = 100
_SHOWN = 20


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """The cells of one sheet, a column each from its row 1 on, and the other sheets' names."""

    name: str
    cells: tuple[pa.ChunkedArray, ...]  # strings, blank where empty
    others: tuple[str, ...]  # visible ones with cells, where none was asked for
    unread: tuple[str, ...]  # all that are not read, hidden and empty ones too
    gaps: tuple[Gap, ...]  # where cells read as blank and are not; columns as those of `cells`


def is_workbook(content: bytes) -> bool:
    """The bytes begin as a workbook of some kind does."""
    return content.startswith((_ZIP, _COMPOUND))


def read_sheets(
    content: bytes, *, name: str, sheets: Sequence[str], every: bool, max_rows: int, max_columns: int
) -> list[Sheet]:
    """The named sheets in this order; else every sheet that is visible and has cells, or only the first
    visible one. All cells are text.

    `name` is the file's, for messages. Raises `InputError` for a file that is no whole workbook, is
    not of the kind its name says, is packed to do harm, or does not have a sheet.
    """
    kind, with_gaps = _look(content, name=name)
    if not name.lower().endswith(ENDINGS[kind]):
        raise _refused(name, f"is a workbook by its content, of kind {kind.upper()}", f"Name it .{kind}")
    with _whole(name, "is not a workbook that can be read"):
        reader = fastexcel.read_excel(content)
    names = list(reader.sheet_names)
    if not names:
        raise _refused(name, "has no sheet", "Save it again as .xlsx")
    for sheet in sheets:
        if sheet not in names:
            has = ", ".join(map(repr, names[:_SHOWN]))
            raise _refused(name, f"has no sheet {sheet!r}; it has {has}", "Name one of them")
    with _whole(name, "has a sheet that cannot be read"):
        loaded = {each: _load(reader, each) for each in (sheets or names)}
    visible = [each for each in loaded if loaded[each].visible == "visible"]
    filled = [each for each in visible if loaded[each].height]
    if sheets:
        chosen = list(dict.fromkeys(sheets))
    else:
        chosen = filled if every and filled else (visible or names)[:1]
    others = () if sheets else tuple(each for each in filled if each not in chosen)
    for each in chosen:
        _refuse_large(loaded[each], max_rows, max_columns, name=f"{name}, sheet {each!r},")
    unread = tuple(each for each in names if each not in chosen)
    found = _gaps(content, kind, name=name) if with_gaps else {}
    made = []
    for each in chosen:
        own = _own_gaps(loaded[each], found.get(each, ()), max_rows=max_rows)
        made.append(Sheet(each, _cells(loaded[each], own), others, unread, own))
    return made


def _gaps(content: bytes, kind: str, *, name: str) -> Mapping[str, Sequence[Gap]]:
    try:
        return gaps.of_book(content, kind)
    except (Unreadable, KeyError):
        raise _refused(name, "has a sheet that cannot be read", "Save it again as .xlsx") from None


def _own_gaps(sheet: fastexcel.ExcelSheet, found: Sequence[Gap], *, max_rows: int) -> tuple[Gap, ...]:
    """Those in the columns that are read, which begin with the first that has cells."""
    if not found or not sheet.height or not sheet.width:
        return ()
    before = sheet.available_columns()[0].absolute_index
    most = max(sheet.height, min(max_rows + 1, MAX_CELLS // sheet.width))
    return tuple(
        gap._replace(
            last=min(gap.last, most),
            left=max(gap.left - before, 1),
            right=min(gap.right - before, sheet.width),
        )
        for gap in found
        if gap.first <= most and gap.right > before and gap.left - before <= sheet.width
    )


def _load(reader: fastexcel.ExcelReader, name: str) -> fastexcel.ExcelSheet:
    # skip_rows=0: a sheet's empty first rows count, so that rows have the numbers a person sees
    return reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")


def _cells(sheet: fastexcel.ExcelSheet, own: Sequence[Gap]) -> tuple[pa.ChunkedArray, ...]:
    if not sheet.height or not sheet.width:
        return ()
    # formulas without a value are no cells for the reader, and may be all that the last rows have
    deepest = max((gap.last for gap in own if gap.code != gaps.MERGED), default=0)
    below = pa.repeat(pa.scalar("", pa.string()), max(deepest - sheet.height, 0))
    return tuple(
        joined([pc.fill_null(column.cast(pa.string()), ""), *([below] if len(below) else [])])
        for column in sheet.to_arrow().columns
    )


@contextmanager
def _whole(name: str, what: str) -> Iterator[None]:
    """What the reader cannot read is refused, also where it gives itself up."""
    try:
        yield
    except fastexcel.FastExcelError:
        raise _refused(name, what, "Save it again as .xlsx, without a password") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _refused(name, what, "Save it again as .xlsx") from None


def look_inside(content: bytes, *, name: str) -> str:
    """The kind of workbook, which is whole and harmless: few parts, not too large unpacked, no links
    to elsewhere, and no cell far away. Raises `InputError` for any other."""
    return _look(content, name=name)[0]


def _look(content: bytes, *, name: str) -> tuple[str, bool]:
    """The same, and whether there may be cells that read as blank and are not."""
    if content.startswith(_COMPOUND):
        return _look_at_old(content, name=name)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = packed.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if len(entries) > _MAX_ENTRIES or unpacked > min(MAX_UNPACKED, _MAX_RATIO * len(content)):
                raise _refused(name, "unpacks to far more than a list of numbers", "Save only the list")
            if any(entry.flag_bits & 1 for entry in entries):
                raise _refused(name, "is protected by a password", "Save it without one")
            names = {entry.filename.lower() for entry in entries}
            if any("externallinks/" in each for each in names):
                raise _refused(name, "has links to other workbooks", "Save the cells as values")
            kind = _kind(names)
            if kind is None:
                raise _refused(name, "is a zip file and no workbook", "Unpack it first")
            with_gaps = False
            for entry in entries:
                with_gaps |= _look_at(packed.read(entry), entry.filename.lower(), kind, name=name)
            _refuse_swollen(_volume(packed, entries, kind), name=name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, ValueError):
        raise _refused(name, "is not a whole workbook", "Save it again as .xlsx") from None
    return kind, with_gaps


def _kind(names: set[str]) -> str | None:
    """By the part that every workbook of the kind has."""
    parts = {"xl/workbook.xml": "xlsx", "xl/workbook.bin": "xlsb", "content.xml": "ods"}
    return next((kind for part, kind in parts.items() if part in names), None)


def _look_at(part: bytes, called: str, kind: str, *, name: str) -> bool:
    """Nothing in the part is far or harmful. Returns whether it may have such cells."""
    if called.endswith((".xml", ".rels")):
        # Declarations of entities are how a small document grows or reads files; no spreadsheet has them.
        if b"<!" in part[:4_096].replace(b"<!--", b""):
            raise _refused(name, "has a document declaration inside", "Save it again as .xlsx")
        if kind == "ods":
            if b"manifest:encryption-data" in part[: 1 << 20]:
                raise _refused(name, "is protected by a password", "Save it without one")
            if called == "content.xml":
                _refuse_far(extents.of_ods(part), name=name)
                return gaps.are_likely(part, kind)
        elif kind == "xlsx":
            _refuse_far(extents.of_xlsx(part), name=name)
            return gaps.are_likely(part, kind)
    elif kind == "xlsb" and called.endswith(".bin") and "sheet" in called:
        _refuse_far(extents.of_xlsb(part), name=name)
        return gaps.are_likely(part, kind)
    return False


def _look_at_old(content: bytes, *, name: str) -> tuple[str, bool]:
    streams = extents.streams_of(content)
    if "EncryptedPackage" in streams:
        raise _refused(name, "is protected by a password", "Save it without one")
    if not extents.is_sound(content):
        raise _refused(name, "is not a whole workbook", "Save it again as .xlsx")
    if not streams & {"Workbook", "Book"}:
        raise _refused(name, "is an Office file and no workbook", "Save the list as .xlsx")
    _refuse_far(extents.of_xls(content), name=name)
    _refuse_swollen(volumes.of_xls(content), name=name)
    return "xls", gaps.are_likely(content, "xls")


def _volume(packed: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], kind: str) -> int:
    """Bytes of text that the cells of one sheet come to, at most."""
    named = {entry.filename.lower(): entry for entry in entries}
    if kind == "ods":
        return volumes.of_ods(packed.read(named["content.xml"]))
    ending = ".xml" if kind == "xlsx" else ".bin"
    shared = [entry for name, entry in named.items() if name.endswith("sharedstrings" + ending)]
    sheets = (
        packed.read(entry) for name, entry in named.items() if "sheet" in name and name.endswith(ending)
    )
    tell = volumes.of_xlsx if kind == "xlsx" else volumes.of_xlsb
    return tell(packed.read(shared[0]), sheets) if shared else 0


def _refuse_far(extent: extents.Extent, *, name: str) -> None:
    rows, columns = extent
    if rows * columns > MAX_CELLS:
        what = f"has a sheet that reaches to row {rows:,} and column {columns:,}"
        raise _refused(
            name, what, f"At most {MAX_CELLS:,} cells are read: delete what is far from the list"
        )


def _refuse_swollen(volume: int, *, name: str) -> None:
    if volume > MAX_UNPACKED:
        raise _refused(name, "unpacks to far more than a list of numbers", "Save only the list")


def _refuse_large(sheet: fastexcel.ExcelSheet, max_rows: int, max_columns: int, *, name: str) -> None:
    if sheet.height > max_rows + 1 or sheet.width > max_columns:
        what = f"has {sheet.height:,} rows and {sheet.width:,} columns"
        raise _refused(name, what, f"At most {max_rows:,} and {max_columns:,} are read: split it")


def _refused(name: str, what: str, remedy: str) -> InputError:
    return InputError(f"{name} {what}. {remedy}.", file=name)
