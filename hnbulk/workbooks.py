"""The cells of an XLSX workbook as text, after a look at what is packed in it.

A workbook is a zip file from outside: its size, its entries and its contents are checked before
anything is unpacked for reading. Nothing in it is run, followed or fetched.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import fastexcel

from hnbulk.errors import InputError

_MAX_ENTRIES = 1_000
_MAX_UNPACKED = 200 << 20
_MAX_RATIO = 100


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """The cells of one sheet from its row 1 on, blank where empty, and the other sheets' names."""

    name: str
    rows: list[list[str]]
    others: tuple[str, ...]


def read_sheet(content: bytes, *, name: str, sheet: str | None, max_rows: int, max_columns: int) -> Sheet:
    """The named sheet, or the first that is not hidden, as text cells.

    `name` is the file's, for messages. Raises `InputError` for a file that is no whole workbook,
    is packed to do harm, or does not have the sheet.
    """
    _look_inside(content, name=name)
    try:
        reader = fastexcel.read_excel(content)
    except fastexcel.FastExcelError:
        raise _refused(name, "is not a workbook that can be read", "Save it again as .xlsx") from None
    names = list(reader.sheet_names)
    if sheet is not None and sheet not in names:
        raise _refused(
            name, f"has no sheet {sheet!r}; it has {', '.join(map(repr, names[:20]))}", "Name one of them"
        )
    try:
        sheets = {each: _load(reader, each) for each in ([sheet] if sheet else names)}
    except fastexcel.FastExcelError:
        raise _refused(name, "has a sheet that cannot be read", "Save it again as .xlsx") from None
    chosen = sheet or next((each for each in names if sheets[each].visible == "visible"), names[0])
    loaded = sheets[chosen]
    if loaded.height > max_rows + 1 or loaded.width > max_columns:
        what = f"has {loaded.height:,} rows and {loaded.width:,} columns in sheet {chosen!r}"
        raise _refused(name, what, f"At most {max_rows:,} and {max_columns:,} are read: split it")
    return Sheet(chosen, _cells(loaded), () if sheet else _visible(sheets, chosen))


def _load(reader: fastexcel.ExcelReader, name: str) -> fastexcel.ExcelSheet:
    # skip_rows=0: a sheet's empty first rows count, so that rows have the numbers a person sees
    return reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")


def _visible(sheets: dict[str, fastexcel.ExcelSheet], chosen: str) -> tuple[str, ...]:
    others = (name for name, sheet in sheets.items() if sheet.visible == "visible" and sheet.height)
    return tuple(name for name in others if name != chosen)


def _cells(sheet: fastexcel.ExcelSheet) -> list[list[str]]:
    if not sheet.height or not sheet.width:
        return []
    columns = [column.to_pylist() for column in sheet.to_arrow().columns]
    return [[cell or "" for cell in row] for row in zip(*columns, strict=True)]


def _look_inside(content: bytes, *, name: str) -> None:
    """The zip is whole and harmless: few entries, not too large unpacked, no outside links."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = packed.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if len(entries) > _MAX_ENTRIES or unpacked > min(_MAX_UNPACKED, _MAX_RATIO * len(content)):
                raise _refused(name, "unpacks to far more than a list of numbers", "Save only the list")
            if any(entry.flag_bits & 1 for entry in entries):
                raise _refused(name, "is protected by a password", "Save it without one")
            if any("externallinks/" in entry.filename.lower() for entry in entries):
                raise _refused(name, "has links to other workbooks", "Save the cells as values")
            for entry in entries:
                _refuse_declarations(packed, entry, name=name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, ValueError):
        raise _refused(name, "is not a whole workbook", "Save it again as .xlsx") from None


def _refuse_declarations(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, *, name: str) -> None:
    # Declarations of entities are how a small document grows or reads files; no spreadsheet has them.
    if entry.filename.lower().endswith((".xml", ".rels")):
        with packed.open(entry) as part:
            if b"<!" in part.read(4_096).replace(b"<!--", b""):
                raise _refused(name, "has a document declaration inside", "Save it again as .xlsx")


def _refused(name: str, what: str, remedy: str) -> InputError:
    return InputError(f"{name} {what}. {remedy}.", file=name)
