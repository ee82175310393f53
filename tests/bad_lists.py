"""Lists with one fault each, as people send them and as nobody should: the corpus of bad input.

`ROWS` have a fault in a row, told in one problem line; `FILES` are no list at all, told in one error.
Run as a script it writes them all into a folder: `python tests/bad_lists.py FOLDER`.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import old_books
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from hnbulk.checks import RULES
from hnbulk.tablefiles import MAX_BYTES

HEX = "0123456789abcdef" * 2
LONG = "x" * 129
GOOD = "4155550100"


@dataclass(frozen=True)
class RowFault:
    """A file whose one bad row has one fault: its code, its column, and where it stands."""

    content: bytes
    code: str
    column: str
    row: int = 3
    ending: str = "csv"
    sheet: str | None = None
    secret: str = ""  # the cell, which no message may show
    more: int = 1  # how many problem lines: all rows of a conflict have one


@dataclass(frozen=True)
class FileFault:
    """A file that is refused whole: how the message goes on, and what the verb is told besides."""

    content: bytes
    told: str
    ending: str = "csv"
    options: tuple[str, ...] = ()
    size: int = 0  # bytes that the file is said to have, where that is more than its content


def quoted(*cells: str) -> str:
    """One line of a CSV file."""
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


def phone(cell: str, code: str) -> RowFault:
    """The cell stands where the second number should."""
    content = quoted("Phone", "Name") + quoted(GOOD, "a") + quoted(cell, "b")
    secret = cell if len(cell) > 5 and code != "cell-error" else ""  # an error's name is nobody's
    return RowFault(content.encode(), code, "Phone", secret=secret)


def field(column: str, cell: str, code: str, **beside: str) -> RowFault:
    """The cell stands in a column of that name."""
    header = quoted("Phone", column, *beside)
    first = quoted(GOOD, "", *[""] * len(beside))
    content = header + first + quoted("4155550101", cell, *beside.values())
    said = RULES[code].rule + RULES[code].remedy
    return RowFault(
        content.encode(), code, column, secret=cell if len(cell) > 5 and cell not in said else ""
    )


def book(*rows: list[Any], title: str = "List") -> bytes:
    """A workbook with one sheet."""
    made = openpyxl.Workbook()
    made.active.title = title
    for row in rows:
        made.active.append(row)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def in_book(cell: object, code: str) -> RowFault:
    """The cell of a workbook stands where the second number should."""
    return RowFault(
        book(["Phone", "Name"], [GOOD, "a"], [cell, "b"]), code, "Phone", ending="xlsx", sheet="List"
    )


def in_old(write: Callable[[old_books.Sheets], bytes], ending: str) -> RowFault:
    """A number with a fraction in a workbook of another kind."""
    content = write({"List": [["Phone", "Name"], [GOOD, "a"], [4155550101.5, "b"]]})
    return RowFault(
        content, "phone-number-format", "Phone", ending=ending, sheet="List", secret="4155550101.5"
    )


WRITERS: Mapping[str, Callable[[old_books.Sheets], bytes]] = {
    "xlsx": lambda sheets: book(*([getattr(c, "value", c) for c in row] for row in sheets["List"])),
    "ods": old_books.ods,
    "xls": old_books.xls,
    "xlsb": old_books.xlsb,
}


def in_column(
    column: str, cell: old_books.Cell, code: str, write: Callable[[old_books.Sheets], bytes], ending: str
) -> RowFault:
    """The cell stands in a column of that name, in a workbook of this kind."""
    cells: list[list[old_books.Cell]] = [
        ["Phone", "Name", column],
        [GOOD, "a", None],
        ["4155550101", "b", cell],
    ]
    return RowFault(write({"List": cells}), code, column, ending=ending, sheet="List")


def parquet(**columns: object) -> bytes:
    """A Parquet file of these columns."""
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def once(text: str, count: int) -> pa.Array:
    """So many cells of one text, which is there once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), [text])


def changed(content: bytes, entries: Mapping[str, bytes], old: bytes = b"", new: bytes = b"") -> bytes:
    """A workbook with further parts, and with `new` for `old` in every part."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            body = source.read(name)
            target.writestr(name, body.replace(old, new) if old else body)
        for name, body in entries.items():
            target.writestr(name, body)
    return made.getvalue()


PHONES = {
    "phone-missing": ["", "nan", "None", "null", "N/A", "-", "--", "?", "TBD", "\u00a0", " . "],
    "cell-error": ["#N/A", "#REF!", "Err:502"],
    "phone-number-format": [
        "15017122661.0",
        "1.50171E+10",
        "4.15555E+09",
        "15,017,122,661",
        "4155550101.5",
        "4,1E9",
        "415e7",
    ],
    "phone-signs": [
        "415*555*0101",
        "=4155550101",
        "@4155550101",
        "415_555_0101",
        "4155550101;4155550102",
        "4155550101\x01",
        "415+5550101",
        "415\u202e5550101",
        "415<5550101>",
    ],
    "phone-letters": [
        "call the branch",
        "1-800-FLOWERS",
        "4155550101 or 4155550102",
        "415555O101",
        "٤١٥٥٥٥٠١٠١ ext",
    ],
    "phone-too-short": ["501712266", "555-0101", "415", "0", "12"],
    "phone-too-long": [
        "25017122661",
        "5017122661501712",
        "1 501 712 26615",
        "001 501 712 2661",
        "0 (415) 555-0101",
    ],
    "phone-area-code": ["+1 055 555 0101", "155 555 0101", "(999) 555-0101", "211 555 0101"],
    "phone-country": ["+44 20 7946 0958", "+52 55 1234 5678", "011 44 20 7946 0958", "+33 1 23 45 67 89"],
    "phone-caribbean": ["+1 876 555 0101", "(787) 555-0101", "242-555-0101", "+1 868 555 0101"],
    "phone-premium": ["900 555 0101", "+1 900 234 5678"],
    "phone-special": ["500 234 5678", "+1 533 234 5678"],
    "phone-invalid": ["+0 415 555 0101", "415 055 0101", "415 155 0101"],
}
FIELDS = {
    "friendly-name-too-long": [("Name", LONG), ("Branch", "\U0001f600" * 129)],
    "unique-name-too-long": [("Unique name", LONG), ("Unique id", "a/../?" * 40)],
    "text-signs": [
        ("Name", "two\nlines"),
        ("Name", "a\tb tab"),
        ("Name", "right\u202eleft"),
        ("Name", "bell\x07ring"),
        ("Name", "para\u2029graph"),
        ("Email", "ana\u200e@example.com"),
        ("SMS URL", "https://x.example.com/\x1b[2J"),
    ],
    "email-format": [
        ("Email", cell)
        for cell in (
            "no-at.example.com",
            "ana@@example.com",
            "ana@b@example.com",
            "ana@example",
            "ana@example.com.",
            "ana@münchen.example",
            '"ana b"@example.com',
            "ana@" + "x." * 130 + "com",
            ".ana@example.com",
            "Ana <ana@example.com>",
            "mailto:ana@example.com",
        )
    ],
    "email-several": [
        ("Email", "ana@example.com; bob@example.com"),
        ("Email", "ana@example.com,bob@example.com"),
    ],
    "cc-format": [
        ("CC", "nobody at all"),
        ("CC", '["ana@example.com"]'),
        ("CC", ";;;;;;"),
        ("CC", "ana@example.com bob@example.com"),
    ],
    "sid-format": [
        ("Address sid", f"RI{HEX}"),
        ("Address sid", f"AD{HEX[1:]}"),
        ("Address sid", f"AD{HEX}0"),
        ("Address sid", "AD" + "g" * 32),
        ("Bill sid", f"AD{HEX}"),
        ("Subaccount", f"SK{HEX}"),
        ("App sid", f"ap{HEX}"),
    ],
    "url-scheme": [
        ("SMS URL", cell)
        for cell in (
            "http://sms.example.com/",
            "ftp://sms.example.com/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "sms.example.com/x",
            "//sms.example.com/x",
        )
    ],
    "url-format": [
        ("SMS URL", "https://[::1"),
        ("SMS URL", "https://a b.example.com/"),
        ("SMS URL", "https://"),
        ("Webhook", "https://sms.example.com/" + "x" * 9_000),
        ("Callback URL", "https://sms.example.com:99999/"),
        ("Callback URL", "https://sms.example.com\\@evil.example"),
    ],
    "url-host": [
        ("SMS URL", cell)
        for cell in (
            "https://me:pw@sms.example.com/",
            "https://127.0.0.1/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://0177.0.0.1/x",
            "https://[::ffff:127.0.0.1]/",
            "https://169.254.169.254/",
            "https://localhost/",
            "https://localhost./",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "https://intranet/x",
        )
    ],
    "method-unknown": [("SMS method", "PUT"), ("Callback method", "get, post")],
    "verification-type-unknown": [("Verification", "letter"), ("Verification type", "phone")],
    "extension-format": [("Ext", "12a"), ("Ext", "12.0"), ("Ext", "\uff11\uff12"), ("Ext", "1,2")],
    "call-delay-format": [
        ("Call delay", cell) for cell in ("-1", "61", "1.5", "ten", "1e1", "\uff13", "0x1E")
    ],
    "line-type-mobile": [("Line type", cell) for cell in ("mobile", "Cell", "wireless")],
}


def rows() -> dict[str, RowFault]:
    """Every list with a fault in one row, by name."""
    found = {
        f"{code} {n}": phone(cell, code) for code, cells in PHONES.items() for n, cell in enumerate(cells)
    }
    found |= {
        f"{code} {n}": field(column, cell, code)
        for code, cells in FIELDS.items()
        for n, (column, cell) in enumerate(cells)
    }
    found["document-missing"] = field("Verification", "phone-bill", "document-missing")
    found["extension-differs"] = RowFault(
        f"Phone,Ext\n{GOOD},\n415-555-0101 x12,13\n".encode(), "extension-differs", "Ext"
    )
    found["conflicting rows"] = RowFault(
        f"Phone,Name\n{GOOD},a\n415-555-0101,b\n(415) 555 0101,c\n".encode(),
        "conflicting-rows",
        "Phone",
        more=2,
    )
    found["book whole number"] = in_book(41555501, "phone-too-short")
    found["book fraction"] = in_book(4155550101.5, "phone-number-format")
    found["book exponent text"] = in_book("4.15555E+09", "phone-number-format")
    found["book huge"] = in_book(1e22, "phone-too-long")
    found["book formula without a value"] = in_book("=1+1", "formula-without-value")
    found["book error"] = in_book("#REF!", "cell-error")
    found["book date"] = in_book(date(2021, 1, 1), "phone-signs")
    found["book truth"] = in_book(True, "phone-letters")
    for kind, write in {"xls": old_books.xls, "xlsb": old_books.xlsb, "ods": old_books.ods}.items():
        found[f"{kind} fraction"] = in_old(write, kind)
    for kind, write in WRITERS.items():
        for column in ("Email", "SMS URL"):
            found[f"{kind} error in {column}"] = in_column(
                column, old_books.Wrong.ERROR, "cell-error", write, kind
            )
            if kind in ("xlsx", "ods"):  # in the others a formula always has a value
                found[f"{kind} formula in {column}"] = in_column(
                    column, old_books.Wrong.FORMULA, "formula-without-value", write, kind
                )
    found["ods phone error"] = RowFault(
        old_books.ods({"List": [["Phone"], [GOOD], [old_books.Wrong.ERROR]]}),
        "cell-error",
        "Phone",
        ending="ods",
        sheet="List",
    )
    found["book last row is a formula"] = RowFault(
        book(["Phone"], [GOOD], ["=1+1"]), "formula-without-value", "Phone", ending="xlsx", sheet="List"
    )
    for name, cells in {"float": [4155550100.0, 4155550101.0], "exponent": [GOOD, "4.15555E+09"]}.items():
        content = parquet(Phone=cells, Name=["a", "b"])
        more = 2 if name == "float" else 1
        row = 2 if more == 2 else 3
        found[f"parquet {name}"] = RowFault(
            content, "phone-number-format", "Phone", row, "parquet", more=more
        )
    for encoding in ("utf-8-sig", "utf-16"):
        content = f"Phone,Name\n{GOOD},é\nno number,b\n".encode(encoding)
        found[f"{encoding} letters"] = RowFault(content, "phone-letters", "Phone", secret="no number")
    for name, sign in {"tab": "\t", "semicolon": ";", "pipe": "|"}.items():
        content = f"Phone{sign}Name\n{GOOD}{sign}a\nno number{sign}b\n".encode()
        found[f"{name} letters"] = RowFault(content, "phone-letters", "Phone", secret="no number")
    return found


FAR_ROW = (
    '<table:table-row table:number-rows-repeated="900000"><table:table-cell '
    'table:number-columns-repeated="900" office:value-type="float" office:value="1"/></table:table-row>'
)


def files() -> dict[str, FileFault]:
    """Every file that is no list, by name."""
    text = "Phone,Name\n4155550100,Café\n"
    old: old_books.Sheets = {"List": [["Phone", "Name"], [GOOD, "a"]]}
    small = book(["Phone"], [GOOD])
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    doctype = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    laughs = b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    wide = ",".join(f"c{n}" for n in range(201))
    fault = FileFault
    swollen = f"<table:table-cell><text:p>{'x' * 30_000}</text:p></table:table-cell>"
    return {
        "empty": fault(b"", "is empty"),
        "blank": fault(b" \n\n\t", "is empty"),
        "separators only": fault(b",,\n,,\n", "is empty"),
        "header only": fault(b"Phone,Name\n", "has a header and no rows"),
        "nul only": fault(b"\x00" * 40, "row 1: the text has NUL signs"),
        "nul in a number": fault(b"Phone\n4155\x00550100\n", "row 2: the text has NUL signs"),
        "cp1252": fault(text.encode("cp1252"), "row 2: the text is not UTF-8"),
        "latin-1": fault(b"Phone,Name\n1,\xfcber\n", "row 2: the text is not UTF-8"),
        "gb18030": fault("Phone,Name\n1,中文\n".encode("gb18030"), "row 2: the text is not UTF-8"),
        "mixed encodings": fault(
            "Phone,Name\n1,é\n".encode() + b"2,\xe9\n", "row 3: the text is not UTF-8"
        ),
        "invalid byte": fault(b"Phone,Name\n1,a\n2,\xff\n", "row 3: the text is not UTF-8"),
        "lone surrogate": fault(b"Phone,Name\n1,\xed\xa0\x80\n", "row 2: the text is not UTF-8"),
        "utf-16-le unmarked": fault(text.encode("utf-16-le"), "row "),
        "utf-16-be unmarked": fault(text.encode("utf-16-be"), "row "),
        "utf-16 cut": fault(text.encode("utf-16")[:-1], "the text is not UTF-16"),
        "utf-32": fault(text.encode("utf-32"), "is UTF-32 text"),
        "stated cp1252 and is not": fault(
            b"Phone,Name\n1,\x81\n", "row 2: the text is not CP1252", options=("--encoding", "cp1252")
        ),
        "stated ascii and is not": fault(
            text.encode(), "row 2: the text is not ASCII", options=("--encoding", "ascii")
        ),
        "stated cp1252 with a mark": fault(
            text.encode("utf-8-sig"), "begins with the mark of UTF-8", options=("--encoding", "cp1252")
        ),
        "stated for a workbook": fault(small, "is no text file", "xlsx", ("--encoding", "cp1252")),
        "formulas in a sheet without a place": fault(
            changed(
                book(["Phone"], ["=1+1"]),
                {},
                b"<workbook ",
                b'<?xml version="1.0" encoding="iso-8859-1"?><workbook ',
            ),
            "has a sheet that cannot be read",
            "xlsx",
        ),
        "no header": fault(b"4155550100,a\n4155550101,b\n", "row 1: no column is the phone number"),
        "no phone column": fault(b"Branch,Fax\na,b\n", "row 1: no column is the phone number"),
        "two phone columns": fault(
            b"Phone,Tel.\n1,2\n", "row 1: the columns 'Phone' and 'Tel.' both mean phone_number"
        ),
        "column twice": fault(b"Phone,Name,Name\n1,a,b\n", "row 1: two columns are named 'Name'"),
        "header of two lines": fault(b'"Not a\nphone",Name\n1,a\n', "row 1: no column is the phone number"),
        "blank header": fault(b"Phone,\n4155550100,x\n", "row 2: column 2 has a cell and no header"),
        "one cell too many": fault(b"Phone,Name\n1,a\n2,b,c\n", "row 3: 3 cells under 2 headers"),
        "all rows too long": fault(b"Phone,Name\n1,a,x\n2,b,x\n", "row 2: 3 cells under 2 headers"),
        "a row too short": fault(b"Phone,Name\n1\n", "row 2: 1 cells under 2 headers"),
        "quote not closed": fault(b'Phone,Name\n1,"a\n2,b\n', "row 2: a quote is opened and not closed"),
        "quote inside": fault(b'Phone,Name\n1,"a"b\n', "row 2: quotes are not balanced"),
        "cell without end": fault(b'Phone\n"' + b"x" * 200_000 + b'"\n', "row 2: a cell has more than"),
        "long cell": fault(b"Phone,Name\n1," + b"x" * 40_000 + b"\n", "row 2: a cell has more than"),
        "many columns": fault(f"{wide}\n{',' * 200}x\n".encode(), "has 201 columns"),
        "many rows": fault(b"Phone\n" + b"1\n" * 1_000_001, "has more than 1,000,000 rows"),
        "too large": fault(b"Phone\n1\n", "MB", size=MAX_BYTES + 1),
        "no encoding": fault(
            b"Phone\n1\n", "no text file has an encoding 'klingon'", options=("--encoding", "klingon")
        ),
        "empty workbook": fault(b"", "is empty", "xlsx"),
        "xls that ends its reader": fault(
            old_books.xls(old, first=b"\x85\x00\x02\x00\x00\x00"),
            "is not a workbook that can be read",
            "xls",
        ),
        "broken sheet": fault(
            changed(small, {}, b"</sheetData>", b"</sheetDat"), "has a sheet that cannot be read", "xlsx"
        ),
        "gzip": fault(b"\x1f\x8b\x08\x00abcdef", "is a compressed file"),
        "pdf": fault(b"%PDF-1.7\n", "is a PDF"),
        "png": fault(b"\x89PNG\r\n\x1a\n", "is a picture"),
        "web page": fault(
            b"<html><table><tr><td>Phone</td></tr></table></html>\n", "is a web page, or XML"
        ),
        "web page named xls": fault(b"<table><tr><td>Phone</td></tr></table>\n", "is a web page", "xls"),
        "json": fault(b'{"Phone": "4155550100"}\n', "is JSON, perhaps a plan"),
        "sheet of a text": fault(text.encode(), "has no sheets", options=("--sheet", "List")),
        "text named xlsx": fault(text.encode(), "is not a workbook by its content", "xlsx"),
        "text named parquet": fault(text.encode(), "is not a Parquet file by its content", "parquet"),
        "workbook named csv": fault(small, "is a workbook by its content", "csv"),
        "parquet named csv": fault(parquet(Phone=["1"]), "is a Parquet file by its content", "csv"),
        "xls named xlsx": fault(old_books.xls(old), "of kind XLS. Name it .xls", "xlsx"),
        "xls named csv": fault(old_books.xls(old), "is a workbook by its content", "csv"),
        "ods named xlsx": fault(old_books.ods(old), "of kind ODS. Name it .ods", "xlsx"),
        "xlsx named xlsb": fault(small, "of kind XLSX. Name it .xlsx", "xlsb"),
        "zip of a text": fault(
            old_books.packed({"list.csv": text.encode()}), "is a zip file and no workbook", "xlsx"
        ),
        "cut zip": fault(small[:900], "is not a whole workbook", "xlsx"),
        "junk zip": fault(b"PK\x03\x04junk", "is not a whole workbook", "xlsx"),
        "no book inside": fault(
            changed(old_books.packed({"xl/workbook.xml": b"<a/>"}), {}),
            "is not a workbook that can be read",
            "xlsx",
        ),
        "empty sheet": fault(book(), "sheet 'List' is empty", "xlsx"),
        "header of a sheet only": fault(
            book(["Phone", "Name"]), "sheet 'List' has a header and no rows", "xlsx"
        ),
        "sheet that is not there": fault(small, "has no sheet 'Liste'", "xlsx", ("--sheet", "Liste")),
        "all sheets and one": fault(
            small, "exclude each other", "xlsx", ("--sheet", "List", "--all-sheets")
        ),
        "no phone column in a sheet": fault(
            book(["Branch"], ["a"]), "sheet 'List', row 1: no column is the phone", "xlsx"
        ),
        "blank header in a sheet": fault(
            book(["Phone", None], [GOOD, "x"]), "sheet 'List', row 2: column 2 has a cell", "xlsx"
        ),
        "column twice in a sheet": fault(
            book(["Phone", "A", "A"], [GOOD, "x", "y"]),
            "sheet 'List', row 1: two columns are named 'A'",
            "xlsx",
        ),
        "wide sheet": fault(
            book(["Phone", *(f"c{n}" for n in range(201))], [GOOD]), "has 2 rows and 202 columns", "xlsx"
        ),
        "far cell": fault(changed(small, {}, b"</sheetData>", far), "reaches to row 1,048,576", "xlsx"),
        "far cell xlsb": fault(
            old_books.xlsb(old, far=(1_000_000, 16_000)), "reaches to row 1,000,001", "xlsb"
        ),
        "far cell xls": fault(old_books.xls(old, far=(65_535, 60_000)), "reaches to row 65,536", "xls"),
        "far cell ods": fault(
            old_books.ods(
                old,
                tail=FAR_ROW,
            ),
            "reaches to row 900,002",
            "ods",
        ),
        "ratio bomb": fault(
            changed(small, {"xl/bomb.xml": b"0" * (8 << 20)}), "unpacks to far more", "xlsx"
        ),
        "entry bomb": fault(
            changed(small, {f"xl/{n}.xml": b"" for n in range(1_001)}), "unpacks to far more", "xlsx"
        ),
        "entities": fault(changed(small, {"xl/x.xml": doctype}), "has a document declaration", "xlsx"),
        "billion laughs": fault(changed(small, {"xl/x.xml": laughs}), "has a document declaration", "xlsx"),
        "outside link": fault(
            changed(small, {"xl/externalLinks/externalLink1.xml": b"<a/>"}),
            "has links to other workbooks",
            "xlsx",
        ),
        "password zip": fault(
            small.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
                b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
            ),
            "is protected by a password",
            "xlsx",
        ),
        "password xlsx": fault(
            old_books.xls(old, stream="EncryptedPackage"), "is protected by a password", "xlsx"
        ),
        "password ods": fault(
            old_books.ods(old, entries={"META-INF/a.xml": b"<manifest:encryption-data/>"}),
            "is protected by a password",
            "ods",
        ),
        "password xls": fault(
            old_books.xls(old, first=b"\x2f\x00\x06\x00\x01" + bytes(5)),
            "is not a workbook that can be read",
            "xls",
        ),
        "document named xls": fault(
            old_books.xls(old, stream="WordDocument"), "is an Office file and no workbook", "xls"
        ),
        "cut xls": fault(old_books.xls(old)[:700], "is ", "xls"),
        "xls that counts too much": fault(
            old_books.xls(old)[:44] + b"\xff\xff\xff\x01" + old_books.xls(old)[48:],
            "is not a whole workbook",
            "xls",
        ),
        "xls without a sheet": fault(old_books.xls({}), "has no sheet", "xls"),
        "cut parquet": fault(parquet(Phone=["1"])[:-9], "is not a whole Parquet file", "parquet"),
        "bytes in parquet": fault(parquet(Phone=[b"\x00"]), "has a column of kind binary", "parquet"),
        "swollen parquet": fault(
            parquet(Phone=once("x" * 30_000, 20_000)), "unpacks to more than 200 MB of text", "parquet"
        ),
        "long cell in parquet": fault(
            parquet(Phone=["1", "x" * 40_000]), "has a cell of more than", "parquet"
        ),
        "swollen xlsx": fault(
            old_books.xlsx({"L": [["Phone"], *[["x" * 32_000]] * 20_000]}),
            "unpacks to far more than a list",
            "xlsx",
        ),
        "swollen ods": fault(
            old_books.ods(
                {"L": [["Phone"]]},
                tail=f'<table:table-row table:number-rows-repeated="9000">{swollen}</table:table-row>',
            ),
            "unpacks to far more than a list",
            "ods",
        ),
        "many rows in parquet": fault(parquet(Phone=pa.nulls(1_000_001)), "has 1,000,001 rows", "parquet"),
    }


def main(folder: Path) -> None:
    """Every list is a file in the folder."""
    for name, made in {**rows(), **files()}.items():
        (folder / f"{name.replace(' ', '-')}.{made.ending}").write_bytes(made.content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
