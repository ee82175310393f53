"""A new workbook of nothing but text, for lists that come from a file of another kind.

Every cell is text to a spreadsheet: it runs none and turns none into a number. A list's columns, order
and row numbers are as in its file.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from hnbulk.addresses import Place
from hnbulk.plaintext import neutralise
from hnbulk.xmlparts import text_element

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
#: So many bytes a cell takes at least in such a workbook, without its text.
LEAST = len('<c r="A1" s="1" t="inlineStr"><is><t></t></is></c>')

_NARROWEST, _WIDEST, _LOOKED_AT = 10, 48, 500
_TOP = 10  # a header further down is not held in sight: it and the rows above would fill the screen
_RESERVED = "history"  # Excel keeps a sheet of its own by that name
_BAD_NAME = re.compile(r"[\[\]:*?/\\]")

# Looks of cells: 0 as usual, 1 text, 2 text that begins like a formula, 3 a header.
_USUAL, _TEXT, _QUOTED, _HEADER = range(4)
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/>'
    '<family val="2"/></font><font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill '
    'patternType="gray125"/></fill></fills><borders count="2"><border><left/><right/><top/><bottom/>'
    '<diagonal/></border><border><left/><right/><top/><bottom style="thin"><color indexed="64"/></bottom>'
    '<diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" '
    'borderId="0"/></cellStyleXfs><cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" '
    'xfId="0"/><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="1" xfId="0" quotePrefix="1" applyNumberFormat="1" '
    'applyFont="1" applyBorder="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" '
    'builtinId="0"/></cellStyles></styleSheet>'
)


@dataclass(frozen=True, slots=True)
class TextSheet:
    """What one sheet is to hold: its name, its header, and its rows by their numbers, in order."""

    name: str
    columns: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]]

    @property
    def header(self) -> int:
        """The row of the header: the one above the first."""
        return self.rows[0][0] - 1


def text_workbook(sheets: Sequence[TextSheet]) -> bytes:
    """An XLSX of these sheets; every cell is text, and a header near the top stays in sight."""
    names = sheet_names([sheet.name for sheet in sheets])
    parts = {
        "[Content_Types].xml": _types(len(sheets)),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": _book(names),
        "xl/_rels/workbook.xml.rels": _relations(
            [
                *(("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)),
                ("styles", "styles.xml"),
            ]
        ),
        "xl/styles.xml": _STYLES,
        **{f"xl/worksheets/sheet{n}.xml": "".join(_sheet(each)) for n, each in enumerate(sheets, 1)},
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, part in parts.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, part)
    return content.getvalue()


def sheet_names(wanted: Sequence[str]) -> list[str]:
    """Names that a spreadsheet allows, each once: at most 31 signs, none of `[]:*?/\\`, not `history`."""
    names: list[str] = []
    for name in wanted:
        shown = "".join(sign for sign in name if sign.isprintable())
        plain = _BAD_NAME.sub(" ", shown)[:31].strip(" '") or "Sheet"
        tried, n = plain, 1
        while tried.lower() in {_RESERVED, *map(str.lower, names)}:
            n += 1
            tried = f"{plain[: 30 - len(str(n))]} {n}"
        names.append(tried)
    return names


def _sheet(sheet: TextSheet) -> Iterator[str]:
    top, last = sheet.header, sheet.rows[-1][0]
    reach = f"A{top}:{Place(last, len(sheet.columns)).name}"
    below = f"A{top + 1}"
    view = (
        f'<pane ySplit="{top}" topLeftCell="{below}" activePane="bottomLeft" state="frozen"/>'
        f'<selection pane="bottomLeft" activeCell="{below}" sqref="{below}"/>'
    )
    yield (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><dimension ref="{reach}"/><sheetViews><sheetView '
        f'workbookViewId="0">{view if top <= _TOP else ""}</sheetView></sheetViews><cols>'
    )
    for n, width in enumerate(_widths(sheet), 1):
        yield f'<col min="{n}" max="{n}" width="{width}" customWidth="1"/>'
    yield "</cols><sheetData>"
    yield from _row(top, sheet.columns, header=True)
    for number, cells in sheet.rows:
        yield from _row(number, cells)
    # without this a spreadsheet puts a green corner on every number that is text
    yield (
        f'</sheetData><ignoredErrors><ignoredError sqref="{reach}" numberStoredAsText="1"/></ignoredErrors>'
        "</worksheet>"
    )


def _row(number: int, cells: Sequence[str], *, header: bool = False) -> Iterator[str]:
    yield f'<row r="{number}">'
    for column, text in enumerate(cells, 1):
        if text:
            look = _HEADER if header else (_TEXT if neutralise(text) == text else _QUOTED)
            yield (
                f'<c r="{Place(number, column).name}" s="{look}" t="inlineStr">'
                f"<is>{text_element(text)}</is></c>"
            )
    yield "</row>"


def _widths(sheet: TextSheet) -> list[int]:
    """As wide as the longest cell of the first rows, within reason."""
    seen = [sheet.columns, *(cells for _, cells in sheet.rows[:_LOOKED_AT])]
    longest = (max(map(len, column)) for column in zip(*seen, strict=True))
    return [min(max(length + 2, _NARROWEST), _WIDEST) for length in longest]


def _types(count: int) -> str:
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_KIND}.worksheet+xml"/>'
        for n in range(1, count + 1)
    )
    return (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{_KIND}.sheet.main+xml"/><Override PartName="/xl/styles.xml" '
        f'ContentType="{_KIND}.styles+xml"/>{sheets}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    lines = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'


def _book(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(names, 1)
    )
    return f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'
