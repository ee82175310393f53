"""A workbook's cells come out as the text a person sees, with the rows' own numbers."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import openpyxl
import pytest

from hnbulk.errors import InputError
from hnbulk.intake import read_bytes
from hnbulk.tablefiles import Table, read_table


def workbook(*sheets: tuple[str, list[list[object]]], hidden: str | None = None) -> bytes:
    """A workbook of these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if title == hidden else "visible"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def read(*rows: list[object]) -> Table:
    return read_table(workbook(("List", [["Phone", "Name"], *rows])), name="a.xlsx")


def test_cells_of_every_kind_come_out_as_text() -> None:
    """Whole numbers without a point, empty cells blank, faulty ones as a person sees them."""
    cells = [14155550100, 4155550100.5, True, date(2021, 1, 1), "=1+1", "#REF!", None, "+1 415"]
    table = read(*([cell, "x"] for cell in cells))
    assert [cells[0] for _, cells in table.rows] == [
        "14155550100",
        "4155550100.5",
        "true",
        "2021-01-01 00:00:00",
        "#VALUE!",
        "#REF!",
        "",
        "+1 415",
    ]


def test_number_cells_are_numbers_only_where_no_digit_can_be_lost() -> None:
    """Ten or eleven whole digits pass; a fraction or a huge number does not."""
    cells: list[object] = [4155550100, 14155550101, 4155550102.5, 1e22]
    intake = read_bytes(workbook(("List", [["Phone"], *([cell] for cell in cells)])), name="a.xlsx")
    assert intake.targets["phone_number"].tolist() == ["+14155550100", "+14155550101"]
    assert intake.set_aside == {4: "phone-number-format", 5: "phone-too-long"}


def test_rows_keep_their_numbers_below_empty_ones() -> None:
    """A title gap above the header and a gap in the middle count."""
    rows: list[list[object]] = [[], [], ["Phone"], ["4155550100"], [], ["4155550101"]]
    table = read_table(workbook(("List", rows)), name="a.xlsx")
    assert [row for row, _ in table.rows] == [4, 5, 6]


def test_the_first_visible_sheet_is_read_and_the_others_are_named() -> None:
    """A hidden sheet is not read unasked; `sheet` chooses."""
    rows: list[list[object]] = [["Phone"], ["4155550100"]]
    content = workbook(("Old", [["Phone"], ["1"]]), ("List", rows), ("More", rows), hidden="Old")
    intake = read_bytes(content, name="a.xlsx")
    assert intake.targets["phone_number"].tolist() == ["+14155550100"]
    assert intake.counts["by_code"] == {"other-sheets": 1}
    assert read_table(content, name="a.xlsx", sheet="Old").rows == ((2, ("1",)),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04junk", "not a whole workbook"),
        (workbook(("List", [["Phone"], ["1"]]))[:900], "not a whole workbook"),
        (workbook(("Empty", [])), "is empty"),
    ],
)
def test_a_broken_or_empty_workbook_is_refused(content: bytes, message: str) -> None:
    """One line, and no trace of a foreign error."""
    with pytest.raises(InputError, match=message):
        read_table(content, name="a.xlsx")


def test_a_sheet_that_is_not_there_is_refused_by_name() -> None:
    """The sheets that are there are named."""
    with pytest.raises(InputError, match="has no sheet 'Liste'; it has 'List'"):
        read_table(workbook(("List", [["Phone"], ["1"]])), name="a.xlsx", sheet="Liste")


def packed(entries: dict[str, bytes], base: bytes = b"") -> bytes:
    """A workbook with further entries in its zip."""
    content = io.BytesIO(base or workbook(("List", [["Phone"], ["1"]])))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as file:
        for name, body in entries.items():
            file.writestr(name, body)
    return content.getvalue()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"xl/bomb.xml": b"0" * (8 << 20)}, "unpacks to far more"),
        ({f"xl/{n}.xml": b"" for n in range(1_001)}, "unpacks to far more"),
        ({"xl/externalLinks/externalLink1.xml": b"<a/>"}, "links to other workbooks"),
        ({"xl/x.xml": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'}, "declaration"),
    ],
)
def test_a_workbook_packed_to_do_harm_is_refused(entries: dict[str, bytes], message: str) -> None:
    """Bombs, outside links and entity declarations are found before anything is read."""
    with pytest.raises(InputError, match=message):
        read_table(packed(entries), name="a.xlsx")
