"""Lists in every kind of file read the same: cells are text, and a number that lost its form is seen."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import old_books
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hnbulk.errors import InputError
from hnbulk.intake import read_bytes
from hnbulk.tablefiles import read_table, read_tables

ROWS: list[list[old_books.Cell]] = [
    ["Phone", "Branch"],
    ["+1 415 555 0100", "Café"],
    [4155550101, None],
    [4155550102.5, "x"],
]


def xlsx(sheets: old_books.Sheets) -> bytes:
    """The same as an XLSX workbook."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


KINDS: dict[str, Callable[[old_books.Sheets], bytes]] = {
    "xlsx": xlsx,
    "xlsb": old_books.xlsb,
    "xls": old_books.xls,
    "ods": old_books.ods,
}


def parquet(**columns: object) -> bytes:
    """A Parquet file of these columns."""
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_workbook_has_the_same_cells(kind: str) -> None:
    """Whole numbers without a point, texts as they are; a fraction is refused as a phone number."""
    intake = read_bytes(KINDS[kind]({"List": ROWS, "Empty": []}), name=f"a.{kind}")
    assert intake.rows == (
        (2, {"Phone": "+1 415 555 0100", "Branch": "Café"}),
        (3, {"Phone": "4155550101", "Branch": ""}),
        (4, {"Phone": "4155550102.5", "Branch": "x"}),
    )
    assert intake.set_aside == {4: "phone-number-format"}


@pytest.mark.parametrize("kind", KINDS)
def test_sheets_are_named_in_every_kind(kind: str) -> None:
    """Chosen by name, or all that have cells."""
    book = KINDS[kind]({"Empty": [], "One": ROWS[:2], "Two": ROWS[:3]})
    (two,) = read_tables(book, name=f"a.{kind}", sheets=["Two"])
    every = read_tables(book, name=f"a.{kind}", every=True)
    assert (two.sheet, len(two.rows)) == ("Two", 2)
    assert [table.sheet for table in every] == ["One", "Two"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_workbook_goes_by_its_own_ending_only(kind: str) -> None:
    """What is renamed is refused, with the right ending."""
    other = "ods" if kind != "ods" else "xlsx"
    with pytest.raises(InputError, match=f"of kind {kind.upper()}. Name it .{kind}"):
        read_table(KINDS[kind]({"List": ROWS}), name=f"a.{other}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_workbook_is_refused(kind: str) -> None:
    """In one line, wherever it is cut."""
    content = KINDS[kind]({"List": ROWS})
    for length in (20, 1_000, len(content) // 2):
        with pytest.raises(InputError) as caught:
            read_table(content[: min(length, len(content) - 30)], name=f"a.{kind}")
        assert "\n" not in caught.value.message


FAR_ROW = (
    '<table:table-row table:number-rows-repeated="900000"><table:table-cell '
    'table:number-columns-repeated="1000" office:value-type="float" office:value="1"/></table:table-row>'
)
FAR_XLSX = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'


def far_xlsx() -> bytes:
    """A workbook with a cell in the last place there is."""
    import zipfile

    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx({"List": ROWS}))) as old,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"</sheetData>", FAR_XLSX))
    return content.getvalue()


FAR = {
    "xlsx": far_xlsx(),
    "xlsb": old_books.xlsb({"List": ROWS}, far=(1_000_000, 16_000)),
    "xls": old_books.xls({"List": ROWS}, far=(65_535, 60_000)),
    "ods": old_books.ods({"List": ROWS}, tail=FAR_ROW),
}


@pytest.mark.parametrize("kind", FAR)
def test_a_cell_at_the_end_of_the_world_costs_no_memory(kind: str) -> None:
    """It is refused before room is made for all between."""
    with pytest.raises(InputError, match="reaches to row"):
        read_table(FAR[kind], name=f"a.{kind}")


@pytest.mark.parametrize("at", [40, 44, 64, 72])
def test_a_compound_file_that_counts_more_than_it_has_is_refused(at: int) -> None:
    """A reader would make room for what is counted."""
    content = bytearray(old_books.xls({"List": ROWS}))
    content[at : at + 4] = b"\xff\xff\xff\x01"
    with pytest.raises(InputError, match="is not a whole workbook"):
        read_table(bytes(content), name="a.xls")


def test_empty_rows_to_the_end_of_a_sheet_cost_nothing() -> None:
    """LibreOffice writes them as one row, repeated a million times."""
    tail = (
        '<table:table-row table:number-rows-repeated="1048572"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row>'
    )
    assert len(read_table(old_books.ods({"List": ROWS}, tail=tail), name="a.ods").rows) == 3


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (
            old_books.ods({"L": ROWS}, entries={"z.xml": b"<!DOCTYPE a []>"}),
            "a.ods",
            "a document declaration",
        ),
        (
            old_books.ods({"L": ROWS}, entries={"META-INF/m.xml": b"<manifest:encryption-data/>"}),
            "a.ods",
            "protected by a password",
        ),
        (old_books.xls({"L": ROWS}, stream="EncryptedPackage"), "a.xlsx", "protected by a password"),
        (old_books.xls({"L": ROWS}, stream="WordDocument"), "a.xls", "an Office file and no workbook"),
        (
            old_books.xls({"L": ROWS}, first=b"\x2f\x00\x06\x00\x01" + bytes(5)),
            "a.xls",
            "can(not)? be read",
        ),
        (old_books.xls({}), "a.xls", "has no sheet"),
        (old_books.packed({"readme.txt": b"x"}), "a.xlsx", "is a zip file and no workbook"),
    ],
)
def test_what_no_list_has_is_refused(content: bytes, name: str, message: str) -> None:
    """Passwords, declarations, and files of another program."""
    with pytest.raises(InputError, match=message):
        read_table(content, name=name)


def test_a_parquet_file_is_read_as_text() -> None:
    """Whole numbers are their digits; lists and truths as a spreadsheet would have them."""
    content = parquet(
        Phone=["4155550100", None],
        Ext=[12, None],
        CC=[["a@example.com", "b@example.com"], []],
        ok=[True, None],
    )
    (row,) = read_table(content, name="a.parquet").rows
    assert row == (2, ("4155550100", "12", "a@example.com; b@example.com", "true"))


@pytest.mark.parametrize("phone", [[4155550100.0], [4.15555e9], [Decimal("4155550100.00")], [1e22]])
def test_a_phone_column_of_fractions_is_refused(phone: list[object]) -> None:
    """Its digits may be lost; whole numbers and text pass."""
    assert read_bytes(parquet(Phone=phone), name="a.parquet").set_aside == {2: "phone-number-format"}
    whole = read_bytes(
        parquet(Phone=[4155550100], Name=pa.array(["x"]).dictionary_encode()), name="a.parquet"
    )
    assert whole.targets["phone_number"].tolist() == ["+14155550100"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (parquet(Phone=["1"])[:-9], "is not a whole Parquet file"),
        (parquet(Phone=[b"\x00\x01"]), "has a column of kind binary"),
        (parquet(Phone=[{"a": 1}]), "has a column of kind struct"),
        (parquet(Phone=pa.nulls(1_000_001)), "has 1,000,001 rows"),
        (b"Phone\n4155550100\n", "not a Parquet file by its content"),
    ],
)
def test_a_parquet_file_that_is_no_list_is_refused(content: bytes, message: str) -> None:
    """In one line."""
    with pytest.raises(InputError, match=message):
        read_table(content, name="a.parquet")


def test_dates_come_out_as_iso() -> None:
    """A day is ten signs."""
    table = read_table(parquet(Phone=["1"], day=[date(2026, 1, 2)]), name="a.parquet")
    assert table.rows[0][1][1] == "2026-01-02"
