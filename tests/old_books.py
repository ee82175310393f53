"""Small workbooks of other kinds than XLSX, written by hand: XLS, XLSB and ODS."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from enum import Enum
from xml.sax.saxutils import escape


class Wrong(Enum):
    """A cell that shows an error, or a formula whose value is not in the file; as openpyxl takes it."""

    ERROR = "#N/A"
    FORMULA = "=1+1"


Cell = str | int | float | Wrong | None
Merge = tuple[int, int, int, int]  # first and last row, first and last column, from 0
Sheets = Mapping[str, Sequence[Sequence[Cell]]]


def xlsx(sheets: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """A workbook whose texts are all shared, each there once, as spreadsheet programs write them."""
    space = "http://schemas.openxmlformats.org"
    office = f"{space}/officeDocument/2006/relationships"
    texts = {
        cell: n for n, cell in enumerate(dict.fromkeys(c for s in sheets.values() for r in s for c in r))
    }
    listed = links = types = ""
    parts: dict[str, str] = {}
    for n, (name, rows) in enumerate(sheets.items(), 1):
        listed += f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>'
        links += f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        types += f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>'
        cells = "".join(
            f'<row r="{r}">'
            + "".join(
                f'<c r="{chr(64 + c)}{r}" t="s"><v>{texts[cell]}</v></c>' for c, cell in enumerate(row, 1)
            )
            + "</row>"
            for r, row in enumerate(rows, 1)
        )
        parts[f"xl/worksheets/sheet{n}.xml"] = (
            f'<worksheet xmlns="{space}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>'
        )
    items = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in texts)
    links += f'<Relationship Id="rIdS" Type="{office}/sharedStrings" Target="sharedStrings.xml"/>'
    package = f"{space}/package/2006"
    parts |= {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{space}/spreadsheetml/2006/main" xmlns:r="{office}">'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{links}'
        "</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{space}/spreadsheetml/2006/main">{items}</sst>',
    }
    return packed({name: part.encode() for name, part in parts.items()})


def ods(sheets: Sheets, *, entries: Mapping[str, bytes] | None = None, tail: str = "") -> bytes:
    """An OpenDocument spreadsheet; `tail` is XML that goes behind the rows of each sheet."""
    tables = "".join(
        f'<table:table table:name="{escape(name)}">'
        + "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
        + f"{tail}</table:table>"
        for name, rows in sheets.items()
    )
    space = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<office:document-content xmlns:office="{space}:office:1.0" xmlns:table="{space}:table:1.0" '
        f'xmlns:text="{space}:text:1.0" xmlns:calcext="urn:org:documentfoundation:names:experimental:'
        f'calc:xmlns:calcext:1.0"><office:body><office:spreadsheet>{tables}</office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    return packed(
        {
            "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{space}:manifest:1.0"/>'.encode(),
            "content.xml": content.encode(),
            **(entries or {}),
        }
    )


def _ods_cell(cell: Cell) -> str:
    if cell is None:
        return "<table:table-cell/>"
    if cell is Wrong.FORMULA:
        return '<table:table-cell table:formula="of:=1+1"/>'
    if isinstance(cell, Wrong):  # as LibreOffice writes it
        return (
            '<table:table-cell table:formula="of:=NA()" office:value-type="string" office:string-value="" '
            'calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'
        )
    if isinstance(cell, str):
        inner = f"<text:p>{escape(cell)}</text:p>"
        return f'<table:table-cell office:value-type="string">{inner}</table:table-cell>'
    return f'<table:table-cell office:value-type="float" office:value="{cell!r}"/>'


def xlsb(
    sheets: Sheets,
    *,
    entries: Mapping[str, bytes] | None = None,
    far: tuple[int, int] | None = None,
    merged: Merge | None = None,
) -> bytes:
    """A binary workbook; `far` is the row and column (from 0) of one more cell in each sheet."""
    bundle = b"".join(
        record(156, struct.pack("<II", 0, n) + _wide(f"rId{n}") + _wide(name))
        for n, name in enumerate(sheets, 1)
    )
    book = record(131) + record(143) + bundle + record(144) + record(132)
    links = "".join(
        f'<Relationship Id="rId{n}" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        f'relationships/worksheet" Target="worksheets/sheet{n}.bin"/>'
        for n in range(1, len(sheets) + 1)
    )
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "xl/workbook.bin": book,
        "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{space}">{links}</Relationships>'.encode(),
    }
    for n, rows in enumerate(sheets.values(), 1):
        width = max((len(row) for row in rows), default=1)
        cells = b""
        for place, row in enumerate(rows):
            cells += record(0, struct.pack("<I", place) + bytes(13))
            cells += b"".join(_xlsb_cell(column, cell) for column, cell in enumerate(row))
        if far:
            cells += record(0, struct.pack("<I", far[0]) + bytes(13)) + _xlsb_cell(far[1], 1.5)
        merges = record(177) + record(176, struct.pack("<IIII", *merged)) + record(178) if merged else b""
        size = record(148, struct.pack("<IIII", 0, max(len(rows) - 1, 0), 0, width - 1))
        parts[f"xl/worksheets/sheet{n}.bin"] = (
            record(129) + size + record(145) + cells + record(146) + merges + record(130)
        )
    return packed({**parts, **(entries or {})})


def _xlsb_cell(column: int, cell: Cell) -> bytes:
    place = struct.pack("<II", column, 0)
    if cell is None:
        return record(1, place)
    if isinstance(cell, Wrong):
        return record(3, place + b"\x2a")
    if isinstance(cell, str):
        return record(6, place + _wide(cell))
    return record(5, place + struct.pack("<d", cell))


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")


def record(kind: int, body: bytes = b"") -> bytes:
    sign = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, length = b"", len(body)
    while True:
        size += bytes([length & 0x7F | (0x80 if length > 127 else 0)])
        length >>= 7
        if not length:
            return sign + size + body


def xls(
    sheets: Sheets,
    *,
    stream: str = "Workbook",
    first: bytes = b"",
    far: tuple[int, int] | None = None,
    merged: Merge | None = None,
) -> bytes:
    """A workbook of Excel 97; `first` is a record before the list of sheets, `far` one more cell."""
    bodies = [_biff_sheet(rows, far, merged) for rows in sheets.values()]
    names = [name.encode("utf-16-le") for name in sheets]
    sizes = [4 + 8 + len(name) for name in names]
    start = len(_biff(0x809, bytes(16))) + len(first) + sum(sizes) + len(_biff(0x0A))
    listed = b""
    for name, body in zip(names, bodies, strict=True):
        listed += _biff(0x85, struct.pack("<IBBBB", start, 0, 0, len(name) // 2, 1) + name)
        start += len(body)
    book = _biff(0x809, struct.pack("<HH", 0x600, 5) + bytes(12)) + first + listed + _biff(0x0A)
    return _compound(stream, book + b"".join(bodies))


def _biff_sheet(rows: Sequence[Sequence[Cell]], far: tuple[int, int] | None, merged: Merge | None) -> bytes:
    body = _biff(0x809, struct.pack("<HH", 0x600, 16) + bytes(12))
    for n, row in enumerate(rows):
        for column, cell in enumerate(row):
            place = struct.pack("<HHH", n, column, 0)
            if isinstance(cell, str):
                text = cell.encode("utf-16-le")
                body += _biff(0x204, place + struct.pack("<HB", len(text) // 2, 1) + text)
            elif isinstance(cell, Wrong):
                body += _biff(0x205, place + b"\x2a\x01")
            elif cell is not None:
                body += _biff(0x203, place + struct.pack("<d", cell))
    if far:
        body += _biff(0x203, struct.pack("<HHHd", *far, 0, 1.5))
    if merged:
        body += _biff(0xE5, struct.pack("<HHHHH", 1, *merged))
    return body + _biff(0x0A)


def _biff(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _compound(stream: str, content: bytes) -> bytes:
    """A compound file with one stream, at least 4,096 bytes long so that it lies in whole sectors."""
    content = content.ljust(max(4_096, -(-len(content) // 512) * 512), b"\x00")
    sectors = len(content) // 512
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, sectors + 2), 0xFFFFFFFE]
    assert len(chain) <= 128
    table = struct.pack("<128I", *chain, *[0xFFFFFFFF] * (128 - len(chain)))
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    head += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4_096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    root = _entry("Root Entry", 5, 1, 0xFFFFFFFE, 0)
    return head + table + root + _entry(stream, 2, 0xFFFFFFFF, 2, len(content)) + bytes(256) + content


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le") + b"\x00\x00"
    links = struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, child)
    tail = bytes(36) + struct.pack("<IQ", start, size)
    return text.ljust(64, b"\x00") + struct.pack("<HBB", len(text), kind, 1) + links + tail


def packed(parts: Mapping[str, bytes]) -> bytes:
    """A zip file of these parts."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in parts.items():
            file.writestr(name, body)
    return content.getvalue()
