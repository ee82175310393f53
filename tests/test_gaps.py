"""A cell that reads as blank and is not is told with its place; one that is blank is not."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable

import old_books
import openpyxl
import pytest
from bad_lists import WRITERS, book
from old_books import Wrong

from hnbulk import gaps
from hnbulk.checks import RULES
from hnbulk.gaps import are_likely, of_book
from hnbulk.intake import Intake, read_bytes
from hnbulk.table import Gap

HEAD, GOOD = ["Phone", "Branch", "Email"], ["4155550100", "a", "ana@example.com"]


def codes(intake: Intake) -> list[tuple[int, str | None, str]]:
    """Row, column and code of every problem."""
    columns = (intake.problems[name].tolist() for name in ("row", "column", "code"))
    return list(zip(*columns, strict=True))


def with_sheet(part: bytes) -> bytes:
    """A workbook whose sheet `List` is this part."""
    content, made = book(HEAD, GOOD), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            target.writestr(name, part if name == "xl/worksheets/sheet1.xml" else source.read(name))
    return made.getvalue()


def sheet(rows: str, *, behind: str = "", quote: str = '"', prefix: str = "") -> bytes:
    """A sheet's XML around these rows."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    named = f":{prefix[:-1]}" if prefix else ""
    text = f'<worksheet xmlns{named}="{space}"><sheetData>{rows}</sheetData>{behind}</worksheet>'
    if prefix:
        text = text.replace("<", f"<{prefix}").replace(f"<{prefix}/", f"</{prefix}")
    return text.replace('"', quote).encode()


def found(part: bytes) -> list[Gap]:
    assert are_likely(part, "xlsx")
    return of_book(with_sheet(part), "xlsx")["List"]


@pytest.mark.parametrize("kind", WRITERS)
def test_an_error_is_told_where_a_person_sees_it(kind: str) -> None:
    """In a sheet that begins further right and further down too; its name is told, the row set aside."""
    rows: list[list[old_books.Cell]] = [
        [],
        [None, None, *HEAD],
        [None, None, *GOOD],
        [None, None, "4155550101", "b", Wrong.ERROR],
        [None, None, Wrong.ERROR, "c", None],
    ]
    intake = read_bytes(WRITERS[kind]({"List": rows}), name=f"a.{kind}")
    assert codes(intake) == [(4, "Email", "cell-error"), (5, "Phone", "cell-error")]
    assert intake.problems["message"].tolist() == [f"{RULES['cell-error'].rule} (#N/A)"] * 2
    assert intake.set_aside == {4: "cell-error", 5: "cell-error"}
    assert intake.targets["row"].tolist() == [3]


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_formula_without_a_value_is_told(kind: str) -> None:
    """Also where the last row has nothing else."""
    rows: list[list[old_books.Cell]] = [HEAD, GOOD, ["4155550101", "b", Wrong.FORMULA], [Wrong.FORMULA]]
    intake = read_bytes(WRITERS[kind]({"List": rows}), name=f"a.{kind}")
    assert codes(intake) == [(3, "Email", "formula-without-value"), (4, "Phone", "formula-without-value")]
    assert len(intake.rows) == 3


def test_what_stands_in_a_column_of_no_field_is_no_fault() -> None:
    """A helper column is the person's own."""
    intake = read_bytes(book(["Phone", "Helper"], ["4155550100", "=1+1"]), name="a.xlsx")
    assert codes(intake) == [(1, "Helper", "unknown-column")]
    assert len(intake.targets) == 1


def test_an_error_stands_in_its_row_as_a_person_sees_it() -> None:
    """Also in a column that is not sent; every other cell is as it was read."""
    intake = read_bytes(book([*HEAD, "Own"], ["4155550100", "a", "#N/A", "#REF!"]), name="a.xlsx")
    assert dict(intake.rows)[2] == {"Phone": "4155550100", "Branch": "a", "Email": "#N/A", "Own": "#REF!"}


@pytest.mark.parametrize("prefix", ["", "x:"])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ('<c r="B3" t="e"><v>#REF!</v></c>', "cell-error"),
        ('<c s="1" r="B3" t="e"><f>A1</f><v>#REF!</v></c>', "cell-error"),
        ('<c r="B3"><f>A1</f></c>', "formula-without-value"),
        ('<c r="B3"><f>A1</f><v/></c>', "formula-without-value"),
        ('<c r="B3"><f t="shared" si="0"/><v></v></c>', "formula-without-value"),
        ('<c r="B3" t="str"><f>A1</f></c>', "formula-without-value"),
        ('<c r="B3" t="str"><f>A1</f><v></v></c>', None),
        ('<c r="B3" t="str"><f>A1</f><v>x</v></c>', None),
        ('<c r="B3"><f t="shared" si="0"/><v>1</v></c>', None),
        ('<c r="B3" t="e"/>', None),
    ],
)
def test_a_cell_of_a_sheet_is_read_as_programs_write_it(
    cell: str, code: str | None, quote: str, prefix: str
) -> None:
    """With a value, an empty text that was calculated, an error, or nothing; however it is spelled."""
    about = "#REF!" if code == "cell-error" else ""
    part = sheet(f'<row r="3"><c r="A3"><v>1</v></c>{cell}</row>', quote=quote, prefix=prefix)
    assert of_book(with_sheet(part), "xlsx")["List"] == ([Gap(code, 3, 3, 2, 2, about)] if code else [])
    assert code is None or are_likely(part, "xlsx")


def test_a_cell_that_does_not_say_where_it_is_stands_behind_the_one_before() -> None:
    """Rows too."""
    part = sheet('<row><c><v>1</v></c></row><row><c><v>1</v></c><c t="e"><v>#N/A</v></c></row>')
    assert found(part) == [Gap("cell-error", 2, 2, 2, 2, "#N/A")]


def test_nothing_but_the_name_of_an_error_is_told() -> None:
    """Whatever else stands there stays where it is."""
    part = sheet('<row r="1"><c r="A1" t="e"><v>4155550100</v></c></row>')
    assert found(part) == [Gap("cell-error", 1, 1, 1, 1, "")]


def test_a_formula_down_a_whole_column_is_one_gap() -> None:
    """However many rows it has; where one has a value, there are two."""
    cells = [
        f'<row r="{r}"><c r="C{r}"><f>A{r}</f>{"<v>1</v>" if r == 5 else ""}</c></row>' for r in range(2, 9)
    ]
    code = "formula-without-value"
    assert found(sheet("".join(cells))) == [Gap(code, 2, 4, 3, 3), Gap(code, 6, 8, 3, 3)]


def test_what_is_made_to_be_slow_is_not() -> None:
    """Tags without an end, and ends without a tag, are gone over once."""
    for piece in (b"<c ", b'<c t="e" ', b't="e" ', b"<c><f>", b"<f ", b"<mergeCell ", b"<mergeCell ref= "):
        for begin in (b'<worksheet xmlns="x"><c ', b"<x:worksheet><c "):
            began = time.monotonic()
            list(gaps._of_xlsx(begin + piece * 100_000))
            gaps._of_ods(piece.replace(b"c", b"table:table-cell") * 100_000)
            assert time.monotonic() - began < 2


@pytest.mark.parametrize("kind", WRITERS)
def test_an_ordinary_workbook_is_not_looked_at_further(kind: str) -> None:
    """No part of it has signs of such cells."""
    content = WRITERS[kind]({"List": [HEAD, GOOD, ["4155550101", 2.5, None]]})
    parts = [content]
    if kind != "xls":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = [packed.read(name) for name in packed.namelist()]
    assert [part for part in parts if are_likely(part, kind)] == []


@pytest.mark.parametrize("kind", ["xlsx", "ods", "xls", "xlsb"])
def test_the_lower_cells_of_a_merge_are_told(kind: str) -> None:
    """A warning where the cell is blank; the row goes on, and what the first row has is its own."""
    rows = [HEAD, ["4155550100", "West", None], ["4155550101", None, None], ["4155550102", None, None]]
    intake = read_bytes(merged_books()[kind](rows), name=f"a.{kind}")
    assert codes(intake) == [(3, "Branch", "cell-merged"), (4, "Branch", "cell-merged")]
    assert intake.set_aside == {}
    assert intake.targets["row"].tolist() == [2, 3, 4]


def merged_books() -> dict[str, Callable[[list[list[str | None]]], bytes]]:
    """Workbooks in which B2, B3 and B4 are merged, by kind."""

    def xlsx(rows: list[list[str | None]]) -> bytes:
        made = openpyxl.load_workbook(io.BytesIO(book(*rows)))
        made["List"].merge_cells("B2:B4")
        content = io.BytesIO()
        made.save(content)
        return content.getvalue()

    def ods(rows: list[list[str | None]]) -> bytes:
        content = old_books.ods({"List": rows})
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            part = packed.read("content.xml")
        cell = b'<table:table-cell office:value-type="string"><text:p>West'
        spanned = cell.replace(b"cell ", b'cell table:number-rows-spanned="3" ')
        return old_books.ods({"List": rows}, entries={"content.xml": part.replace(cell, spanned)})

    return {
        "xlsx": xlsx,
        "ods": ods,
        "xls": lambda rows: old_books.xls({"List": rows}, merged=(1, 3, 1, 1)),
        "xlsb": lambda rows: old_books.xlsb({"List": rows}, merged=(1, 3, 1, 1)),
    }


def test_a_merged_phone_number_is_missing_for_that_reason() -> None:
    """The message says why the cell is blank."""
    made = openpyxl.load_workbook(io.BytesIO(book(HEAD, GOOD, [None, "b", None])))
    made["List"].merge_cells("A2:A3")
    content = io.BytesIO()
    made.save(content)
    intake = read_bytes(content.getvalue(), name="a.xlsx")
    assert codes(intake) == [(3, "Phone", "phone-missing")]
    assert "merged with the one above" in intake.problems["message"].tolist()[0]


def test_a_merge_of_a_million_rows_told_many_times_is_gone_through_once() -> None:
    """A small file cannot ask for more work than its rows are."""
    merges = "".join(f'<mergeCell ref="B2:XFD{1_048_576 - n}"/>' for n in range(5_000))
    rows = "".join(
        f'<row r="{r}"><c r="A{r}" t="inlineStr"><is><t>{cell}</t></is></c><c r="B{r}" t="inlineStr"><is>'
        f"<t>{'Branch' if r == 1 else ''}</t></is></c></row>"
        for r, cell in enumerate(["Phone", *(str(4155550100 + n) for n in range(60))], 1)
    )
    content = with_sheet(sheet(rows, behind=f"<mergeCells>{merges}</mergeCells>"))
    intake = read_bytes(content, name="a.xlsx")
    assert intake.counts["by_code"] == {"cell-merged": 59}


def test_equal_rows_of_which_one_has_an_error_are_not_equal() -> None:
    """Nobody knows what the row with the error asks for."""
    intake = read_bytes(book(HEAD, ["4155550100", "a", "#N/A"], ["4155550100", "a", None]), name="a.xlsx")
    assert intake.counts["by_code"] == {"cell-error": 1, "conflicting-rows": 2}
    assert intake.set_aside == {2: "cell-error", 3: "conflicting-rows"}


def test_of_several_sheets_each_fault_has_its_own_place() -> None:
    """In the second one too, whose column has another name."""
    made = openpyxl.load_workbook(io.BytesIO(book(HEAD, GOOD)))
    second = made.create_sheet("B & C")
    for row in (["Phone", "Signer email"], ["4155550101", "#NAME?"]):
        second.append(row)
    content = io.BytesIO()
    made.save(content)
    intake = read_bytes(content.getvalue(), name="a.xlsx", all_sheets=True)
    (line,) = intake.problem_lines
    assert line.startswith("a.xlsx, sheet 'B & C', row 2, Signer email: cell-error: ")


def test_an_error_that_a_formula_of_xlsb_has_is_told() -> None:
    """It is another record than that of an error that was typed."""
    place = bytes([2, 0, 0, 0]) + bytes(4)
    formula = old_books.record(11, place + b"\x17" + bytes(10))
    rows: list[list[old_books.Cell]] = [HEAD, ["4155550100", "a", Wrong.ERROR]]
    content = old_books.xlsb({"List": rows})
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        part = packed.read("xl/worksheets/sheet1.bin")
    changed = part.replace(old_books.record(3, place + b"\x2a"), formula)
    assert changed != part
    content = old_books.xlsb({"List": rows}, entries={"xl/worksheets/sheet1.bin": changed})
    intake = read_bytes(content, name="a.xlsb")
    assert intake.problems["message"].tolist() == [f"{RULES['cell-error'].rule} (#REF!)"]
