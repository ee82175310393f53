"""Cells of a workbook that read as blank and are not: errors, formulas without a value, merged ones.

A blank cell says "leave alone", so whoever sees something in it, or meant something to be there, has to
be told. What is found are places and the reason; no cell is changed. A workbook without such cells is
asked for their signs only.
"""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping

from hnbulk.addresses import column_of
from hnbulk.extents import records_of_xls, records_of_xlsb, stream_of_xls
from hnbulk.table import Gap
from hnbulk.xmlparts import Element, walk

Gaps = list[Gap]

ERROR, FORMULA, MERGED = "cell-error", "formula-without-value", "cell-merged"


def of_book(content: bytes, kind: str) -> dict[str, Gaps]:
    """Such cells of each sheet by its name. Raises `Unreadable` where no sheet has a place."""
    if kind == "xls":
        found = _of_xls(stream_of_xls(content))
        return {name: _in_runs(own) for name, own in found.items()}
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = {name.lower(): name for name in packed.namelist()}
        if kind == "ods":
            found = _of_ods(packed.read(parts["content.xml"]))
            return {name: _in_runs(own) for name, own in found.items()}
        of, called = (_of_xlsx, "workbook.xml") if kind == "xlsx" else (_of_xlsb, "workbook.bin")
        relations = _relations(packed.read(parts[f"xl/_rels/{called}.rels"]))
        sheets = (_sheets_of_xlsx if kind == "xlsx" else _sheets_of_xlsb)(
            packed.read(parts[f"xl/{called}"])
        )
        placed = {name: parts.get(relations.get(each, "").lower()) for name, each in sheets.items()}
        return {name: _in_runs(of(packed.read(part))) for name, part in placed.items() if part}


def _in_runs(found: Iterable[Gap]) -> Gaps:
    """Equal ones one below the other as one: a formula is often that of a whole column."""
    runs: dict[tuple[str, int, int, str], Gap] = {}
    done: Gaps = []
    for gap in found:
        code, first, last, left, right, about = gap
        above = runs.get((code, left, right, about))
        if above is not None and above.last + 1 == first:
            gap = Gap(code, above.first, last, left, right, about)
        elif above is not None:
            done.append(above)
        runs[code, left, right, about] = gap
    return done + list(runs.values())


def are_likely(part: bytes, kind: str) -> bool:
    """Whether a part has signs of such cells; most have none, and are not looked at further."""
    if kind == "ods":
        return any(sign in part for sign in (b"table:formula", b'"error"', b"-rows-spanned"))
    if kind == "xlsb":
        return _XLSB_SIGNS.search(part) is not None
    if kind == "xls":
        return _XLS_SIGNS.search(stream_of_xls(part)) is not None
    if not _SHEET.search(part, 0, 4_096):
        return False
    if not _is_usual(part):
        return True
    merges = b"<mergeCell" in part[max(part.rfind(b"</sheetData"), 0) :]
    return merges or b't="e"' in part or _FORMULA_SIGN.search(part) is not None


_SHEET = re.compile(rb"<(?:\w+:)?worksheet[\s>]")


def _is_usual(part: bytes) -> bool:
    """A sheet whose names have no prefix, and values the quotes that spreadsheet programs write."""
    begin = max(part.find(b"?>", 0, 256), 0)  # the declaration has either
    return part.find(b"<worksheet", 0, 4_096) >= 0 and part.find(b"='", begin, 4_096) < 0


_FORMULA_SIGN, _ERROR_SIGN = re.compile(rb"<f"), re.compile(rb't="e"')
# What error cells show; nothing else of a cell is told.
_NAME = rb"#[A-Z0-9/!?_]{1,20}|Err:[0-9]{3}"


_XLSX_ERROR = re.compile(
    rb"<(?:\w+:)?c(?=\s[^<>]*>)(?P<rest>\s(?:[^<>]*\s)?t\s*=\s*[\"']e[\"'][^<>]*)>"
    rb"(?:\s*<(?:\w+:)?f\b[^<>]*(?:/>|>[^<]*</(?:\w+:)?f\s*>))?"
    rb"(?:\s*<(?:\w+:)?v\s*>(?P<name>" + _NAME + rb")<)?"
)
# A formula without a value behind it; an empty one is a value where it is a text's.
_XLSX_FORMULA = re.compile(
    rb"<(?:\w+:)?c(?P<rest>\s[^<>]*)?>\s*<(?:\w+:)?f(?:\s[^<>]*)?(?:/>|>[^<]*</(?:\w+:)?f\s*>)\s*"
    rb"(?:</(?:\w+:)?c\s*>|(?P<value><(?:\w+:)?v\s*(?:/>|>\s*</)))"
)
_LONGEST_TAG = 4_096  # of a cell, with a formula's first tag
_TEXT = re.compile(rb"\st\s*=\s*[\"']str[\"']")
_ERROR = re.compile(rb"\st\s*=\s*[\"']e[\"']")
_PLACE = re.compile(rb"\sr\s*=\s*[\"']([A-Za-z]{1,3})([0-9]{1,7})[\"']")
_TAG = re.compile(rb"<(?:\w+:)?(row|c)([\s/][^<>]*)?>")
_ROW = re.compile(rb"\sr\s*=\s*[\"']([0-9]{1,7})[\"']")
_MERGE = re.compile(
    rb"<(?:\w+:)?mergeCell\s[^<>]*?\bref\s*=\s*[\"']"
    rb"([A-Za-z]{1,3})([0-9]{1,7}):([A-Za-z]{1,3})([0-9]{1,7})[\"']"
)


def _of_xlsx(part: bytes) -> Iterator[Gap]:
    walked: dict[int, tuple[int, int]] = {}
    for start, rest, code, about in _wrong_cells(part):
        if name := _PLACE.search(rest):
            yield _cell(code, int(name[2]), column_of(name[1].decode()), about)
            continue
        walked = walked or _walked(part)
        if start in walked:
            yield _cell(code, *walked[start], about)
    for match in _MERGE.finditer(part, max(part.rfind(b"sheetData"), 0)):
        first, last = int(match[2]), int(match[4])
        if last > first:
            yield Gap(MERGED, first + 1, last, column_of(match[1].decode()), column_of(match[3].decode()))


def _wrong_cells(part: bytes) -> Iterator[tuple[int, bytes, str, str]]:
    """Each by its first byte, with its attributes, the code, and what it shows."""
    for match in _matches(_XLSX_ERROR, _ERROR_SIGN, part):
        if not match["rest"].endswith(b"/"):
            yield match.start(), match["rest"], ERROR, (match["name"] or b"").decode()
    for match in _matches(_XLSX_FORMULA, _FORMULA_SIGN, part):
        rest = match["rest"] or b""
        if not (_ERROR.search(rest) or (match["value"] and _TEXT.search(rest))):
            yield match.start(), rest, FORMULA, ""


def _matches(cell: re.Pattern[bytes], sign: re.Pattern[bytes], part: bytes) -> Iterator[re.Match[bytes]]:
    """The cells of a pattern; of a usual sheet only the tags with its sign, or before it, are looked at."""
    if not _is_usual(part):
        yield from cell.finditer(part)
        return
    before = -1
    for found in sign.finditer(part):
        start = part.rfind(b"<", max(found.start() - _LONGEST_TAG, 0), found.start())
        if start > before and (match := cell.match(part, start)):
            yield match
        before = max(start, before)


def _walked(part: bytes) -> dict[int, tuple[int, int]]:
    """Where each cell stands, by its first byte; one that does not say it is behind the one before."""
    row = column = 0
    places = {}
    for found in _TAG.finditer(part):
        rest = found[2] or b""
        if found[1] == b"row":
            said = _ROW.search(rest)
            row, column = int(said[1]) if said else row + 1, 0
            continue
        place = _PLACE.search(rest)
        column = column_of(place[1].decode()) if place else column + 1
        row = int(place[2]) if place else row
        places[found.start()] = row, column
    return places


def _cell(code: str, row: int, column: int, about: str = "") -> Gap:
    return Gap(code, row, row, column, column, about)


def _relations(part: bytes) -> dict[str, str]:
    """The part that each id stands for."""
    found: dict[str, str] = {}

    def closed(element: Element) -> None:
        given = element.attributes
        if element.name == "Relationship" and "Id" in given and "Target" in given:
            target = posixpath.normpath(posixpath.join("/xl", given["Target"]))
            found[given["Id"]] = target.lstrip("/")

    walk(part, closed)
    return found


def _sheets_of_xlsx(part: bytes) -> dict[str, str]:
    """The id of each sheet by its name."""
    found: dict[str, str] = {}

    def closed(element: Element) -> None:
        if element.name == "sheet":
            given = element.attributes
            ids = (value for name, value in given.items() if name.rpartition(":")[2] == "id")
            found[given.get("name", "")] = next(ids, "")

    walk(part, closed)
    return found


_ODS = re.compile(
    rb"<(?P<close>/)?table:(?P<what>table-row|table-cell|covered-table-cell|table)"
    rb"(?P<rest>(?:[\s/](?:[^\"'<>]|\"[^\"<]*\"|'[^'<]*')*)?)>"
)
_ODS_REPEATED = re.compile(rb'table:number-(?:rows|columns)-repeated="([0-9]{1,9})"')
_ODS_ROWS = re.compile(rb'table:number-rows-spanned="([0-9]{1,7})"')
_ODS_COLUMNS = re.compile(rb'table:number-columns-spanned="([0-9]{1,7})"')
_ODS_TITLE = re.compile(rb'\stable:name=("[^"]*"|\'[^\']*\')')
_ODS_NAME = re.compile(rb"\s*<text:p[^<>]*>(" + _NAME + rb")</text:p>")


def _of_ods(content: bytes) -> dict[str, Gaps]:
    sheets: dict[str, Gaps] = {}
    gaps: Gaps = []
    row = column = times = 1
    for found in _ODS.finditer(content):
        what, rest, close = found["what"], found["rest"], found["close"]
        repeated = _ODS_REPEATED.search(rest)
        count = int(repeated[1]) if repeated else 1
        if what == b"table":
            if not close:
                title = _ODS_TITLE.search(rest)
                gaps = sheets.setdefault(_unescaped(title[1]) if title else "", [])
                row = 1
        elif what == b"table-row":
            if not close:
                column, times = 1, count
            if close or rest.endswith(b"/"):
                row += times
        elif not close:
            end = row + times - 1, column, column + count - 1
            if b'calcext:value-type="error"' in rest:
                name = _ODS_NAME.match(content, found.end())
                gaps.append(Gap(ERROR, row, *end, name[1].decode() if name else ""))
            elif _is_valueless(rest, content, found.end()):
                gaps.append(Gap(FORMULA, row, *end))
            if (spanned := _ODS_ROWS.search(rest)) and int(spanned[1]) > 1:
                wide = _ODS_COLUMNS.search(rest)
                right = column + (int(wide[1]) if wide else 1) - 1
                gaps.append(Gap(MERGED, row + 1, row + int(spanned[1]) - 1, column, right))
            column += count
    return sheets


def _is_valueless(rest: bytes, content: bytes, behind: int) -> bool:
    """A formula without a value; LibreOffice gives an empty text no type, but a paragraph."""
    if b"table:formula=" not in rest or b"value-type=" in rest:
        return False
    return not content.startswith(b"<text:p", behind)


def _unescaped(quoted: bytes) -> str:
    """The value of an attribute that stands in its quotes."""
    values: list[str] = []
    walk(b"<a b=" + quoted + b"/>", lambda element: values.append(element.attributes["b"]))
    return values[0]


# How binary workbooks write an error (MS-XLS 2.5.10, MS-XLSB 2.5.97.2).
_ERRORS: Mapping[int, str] = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
# Records of a sheet's name, of a cell with an error, one with a formula that has one, and of a merge.
_XLSB_SHEET, _XLSB_ERROR, _XLSB_FORMULA, _XLSB_MERGE = 156, 3, 11, 176
_XLSB_SIGNS = re.compile(
    rb"\x03\x09|\xb0\x01\x10"
    rb"|\x0b(?:[\x00-\x7f]|[\x80-\xff][\x00-\x7f])..\x00\x00....[\x00\x07\x0f\x17\x1d\x24\x2a\x2b]",
    re.DOTALL,
)


def _sheets_of_xlsb(part: bytes) -> dict[str, str]:
    found = {}
    for kind, at, length in records_of_xlsb(part):
        if kind == _XLSB_SHEET:
            relation, behind = _wide(part[: at + length], at + 8)
            found[_wide(part[: at + length], behind)[0]] = relation
    return found


def _wide(part: bytes, at: int) -> tuple[str, int]:
    """A text that says its length first, and the byte behind it."""
    length = int.from_bytes(part[at : at + 4], "little")
    length = 0 if length == 0xFFFFFFFF else length
    return part[at + 4 : at + 4 + 2 * length].decode("utf-16-le", "replace"), at + 4 + 2 * length


def _of_xlsb(part: bytes) -> Iterator[Gap]:
    row = 0
    for kind, at, length in records_of_xlsb(part):
        if at + length > len(part):
            return
        if kind == 0 and length >= 4:
            (row,) = struct.unpack_from("<I", part, at)
        elif kind in (_XLSB_ERROR, _XLSB_FORMULA) and length >= 9:
            (column,) = struct.unpack_from("<I", part, at)
            yield _cell(ERROR, row + 1, column + 1, _ERRORS.get(part[at + 8], ""))
        elif kind == _XLSB_MERGE and length >= 16:
            yield from _merge(*struct.unpack_from("<IIII", part, at))


def _merge(first: int, last: int, left: int, right: int) -> Iterator[Gap]:
    """By numbers from 0."""
    if last > first:
        yield Gap(MERGED, first + 2, last + 1, left + 1, right + 1)


_XLS_BEGIN, _XLS_SHEET, _XLS_ERROR, _XLS_FORMULA, _XLS_MERGES = 0x0809, 0x0085, 0x0205, 0x0006, 0x00E5
_XLS_SIGNS = re.compile(
    rb"\x05\x02\x08\x00.{6}[\x00\x07\x0f\x17\x1d\x24\x2a\x2b]\x01|\x02\x00.\x00\x00\x00\xff\xff|\xe5\x00",
    re.DOTALL,
)


def _of_xls(stream: bytes) -> dict[str, Gaps]:
    begins: dict[int, str] = {}
    sheets: dict[str, Gaps] = {}
    gaps: Gaps = []
    for kind, at, length in records_of_xls(stream):
        body = stream[at : at + length]
        if kind == _XLS_SHEET and length >= 8:
            signs = "utf-16-le" if body[7] & 1 else "latin-1"
            size = body[6] * (2 if body[7] & 1 else 1)
            begins[int.from_bytes(body[:4], "little")] = body[8 : 8 + size].decode(signs, "replace")
        elif kind == _XLS_BEGIN and at - 4 in begins:
            gaps = sheets.setdefault(begins[at - 4], [])
        elif kind == _XLS_ERROR and len(body) == 8 and body[7] == 1:
            gaps.append(_of_record(body, body[6]))
        elif kind == _XLS_FORMULA and len(body) >= 14 and body[6] == 2 and body[12:14] == b"\xff\xff":
            gaps.append(_of_record(body, body[8]))
        elif kind == _XLS_MERGES:
            for start in range(2, len(body) - 7, 8):
                gaps += _merge(*struct.unpack_from("<HHHH", body, start))
    return sheets


def _of_record(body: bytes, error: int) -> Gap:
    row, column = struct.unpack_from("<HH", body)
    return _cell(ERROR, row + 1, column + 1, _ERRORS.get(error, ""))
