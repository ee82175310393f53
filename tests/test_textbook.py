"""A new workbook of nothing but text."""

from __future__ import annotations

import io

import openpyxl

from hnbulk.textbook import TextSheet, sheet_names, text_workbook


def test_names_of_sheets_are_made_such_as_a_spreadsheet_takes() -> None:
    """Short, without forbidden signs, and each once whatever its case."""
    names = sheet_names(["a" * 40, "A" * 40, "[x]/y", "'q'", "", "\x1b", "q"])
    assert names == ["a" * 31, f"{'A' * 29} 2", "x  y", "q", "Sheet", "Sheet 2", "q 2"]
    assert max(map(len, names)) <= 31


def test_no_sheet_has_the_name_that_excel_keeps() -> None:
    """Whatever its case: Excel would not open the workbook."""
    assert sheet_names(["History", "history"]) == ["History 2", "history 3"]


def test_a_header_far_down_is_not_frozen() -> None:
    """With it all rows above would stay on the screen."""
    book = openpyxl.load_workbook(io.BytesIO(text_workbook([TextSheet("L", ("A",), ((61, ("x",)),))])))
    assert book["L"].freeze_panes is None
    assert book["L"]["A60"].value == "A"


def test_rows_keep_their_numbers_and_cells_are_text() -> None:
    """Numbers, formulas and blanks are what was written; the header stays in sight."""
    rows = ((4, ("007", "=1+1", "")), (6, ("1e5", " a ", "x")))
    book = openpyxl.load_workbook(io.BytesIO(text_workbook([TextSheet("L", ("A", "B", "C"), rows)])))
    sheet = book["L"]
    assert [cell.value for cell in sheet[3]] == ["A", "B", "C"]
    assert [cell.value for cell in sheet[4]] == ["007", "=1+1", None]
    assert [cell.value for cell in sheet[6]] == ["1e5", " a ", "x"]
    assert (sheet["B4"].data_type, sheet["B4"].quotePrefix, sheet["B4"].number_format) == ("s", True, "@")
    assert sheet.freeze_panes == "A4"
