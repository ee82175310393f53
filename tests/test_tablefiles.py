"""A file is a table of text cells, or it is refused in one line that says where and what to do."""

from __future__ import annotations

import io
import os
import tracemalloc
from pathlib import Path

import openpyxl
import pytest
from bad_lists import WRITERS
from hypothesis import given
from hypothesis import strategies as st
from old_books import Cell, Wrong

from hnbulk.errors import InputError
from hnbulk.tablefiles import MAX_ROWS, read_file, read_table, read_tables

TEXT = "Phone,Name\n4155550100,Café\n"
ROWS = ((2, ("4155550100", "Café")),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_three_encodings_read_the_same(encoding: str) -> None:
    """UTF-8 with and without mark, UTF-16 with one."""
    table = read_table(TEXT.encode(encoding), name="a.csv")
    assert (table.columns, table.rows) == (("Phone", "Name"), ROWS)


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_separator_is_the_header_lines(sign: str) -> None:
    """A semicolon file whose cells hold commas is no comma file."""
    content = f'Phone{sign}"Name, long"\n4155550100{sign}Café\n'.encode()
    assert read_table(content, name="a.csv").rows == ROWS


def test_a_separator_inside_headers_does_not_win() -> None:
    """What names the fields separates them, however often another sign is there."""
    table = read_table(b"Phone;Name, short, of the branch\n4155550100;a, b\n", name="a.csv")
    assert table.rows == ((2, ("4155550100", "a, b")),)


def test_rows_have_the_numbers_a_spreadsheet_shows() -> None:
    """A cell of two lines is one row, an empty line in between is one, empty rows at the end are none."""
    table = read_table(b'Phone,Name\r\n1,"a\nb"\r\n\r\n2,c\r\n,,\r\n'.replace(b",,", b","), name="a.csv")
    assert table.rows == ((2, ("1", "a\nb")), (3, ("", "")), (4, ("2", "c")))


def test_cells_stay_as_they_are_written() -> None:
    """No number, no missing value, no blank is taken from a cell."""
    table = read_table(b"Phone,Name\n+14155550100,NA\n 007 ,null\n", name="a.csv")
    assert [cells for _, cells in table.rows] == [("+14155550100", "NA"), (" 007 ", "null")]


def test_a_column_without_name_and_cells_is_left_out() -> None:
    """What a spreadsheet adds at the right edge."""
    table = read_table(b"Phone,Name,,\n1,a,,\n", name="a.csv")
    assert (table.columns, table.rows) == (("Phone", "Name"), ((2, ("1", "a")),))


BROKEN = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "separators only": (b",,\n,,\n", "is empty"),
    "header only": (b"Phone,Name\n\n", "has a header and no rows"),
    "header twice": (b"Phone,Phone\n1,2\n", "row 1: two columns are named 'Phone'"),
    "nameless column": (b"Phone,\n1,x\n", "row 2: column 2 has a cell and no header"),
    "row too long": (b"Phone,Name\n1,a\n2,b,c\n", "row 3: 3 cells under 2 headers"),
    "row too short": (b"Phone,Name\n1\n", "row 2: 1 cells under 2 headers"),
    "open quote": (b'Phone,Name\n1,"a\n2,b\n', "row 2: a quote is opened and not closed"),
    "stray quote": (b'Phone,Name\n1,"a"b\n', "row 2: quotes are not balanced"),
    "cp1252": (b"Phone,Name\n1,Caf\xe9\n", r"row 2: the text is not UTF-8 \(byte 16\)"),
    "mixed": ("Phone,Name\n1,é\n".encode() + b"2,\xe9\n", "row 3: the text is not UTF-8"),
    "gb18030": ("Phone,Name\n1,中\n".encode("gb18030"), "row 2: the text is not UTF-8"),
    "utf-16 unmarked": ("Phone,Name\n1,a\n".encode("utf-16-le"), "row 1: the text has NUL signs"),
    "utf-32": (TEXT.encode("utf-32"), "is UTF-32 text"),
    "cut utf-16": (TEXT.encode("utf-16")[:-1], "is not UTF-16"),
    "nul": (b"Phone,Name\n1\x00,a\n", "row 2: the text has NUL signs"),
    "gzip": (b"\x1f\x8b\x08\x00", "is a compressed file"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1", "is a workbook by its content. Name it .xls"),
    "parquet": (b"PAR1....PAR1", "is a Parquet file by its content"),
    "pdf": (b"%PDF-1.7", "is a PDF"),
    "png": (b"\x89PNG\r\n\x1a\n", "is a picture"),
    "jpeg": (b"\xff\xd8\xff\xe0", "is a picture"),
    "page": (b"\xef\xbb\xbf\n <!DOCTYPE html><table><tr><td>Phone", "is a web page, or XML"),
    "table of a page": (b"<TABLE><tr><td>Phone", "is a web page, or XML"),
    "gif": (b"GIF89a", "is a picture"),
    "commented page": (b"<!-- made by x --><html>", "is a web page, or XML"),
    "json": (b'{"phones": ["4155550100"]}\n', "is JSON, perhaps a plan"),
    "json list": (b'[\n  {"phone": "4155550100"}]\n', "is JSON, perhaps a plan"),
    "rtf": (b"{\\rtf1\\ansi Phone\n", "is a text document"),
    "zip": (b"PK\x03\x04....", "is a workbook by its content"),
    "long cell": (b"Phone,Name\n1," + b"x" * 32_768 + b"\n", "row 2: a cell has more than"),
    "many columns": (
        b",".join(b"c%d" % n for n in range(201)) + b"\n" + b"," * 200 + b"x\n",
        "201 columns",
    ),
}


@pytest.mark.parametrize("header", ["<Table number>,Phone", "{{phone}},Name", "[Phone],Name", "<Phone>,x"])
def test_a_header_in_brackets_is_a_header(header: str) -> None:
    """Only what looks like a page or like JSON is taken for one."""
    assert read_table(f"{header}\n4155550100,x\n".encode(), name="list.csv").columns[1] in header


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_table_is_refused_in_one_line(kind: str) -> None:
    """The message names the file, the row where there is one, the rule and the remedy."""
    content, message = BROKEN[kind]
    with pytest.raises(InputError, match=message) as caught:
        read_table(content, name="list.csv")
    assert caught.value.message.startswith("list.csv")
    assert "\n" not in caught.value.message
    assert caught.value.message.endswith(".")


def test_more_rows_than_the_limit_are_refused() -> None:
    """A million is the most."""
    with pytest.raises(InputError, match=f"more than {MAX_ROWS:,} rows"):
        read_table(b"Phone\n" + b"1\n" * (MAX_ROWS + 1), name="a.csv")


def test_millions_of_empty_lines_cost_nothing() -> None:
    """Above, between or below the rows, they take no memory, and too many between count as rows."""
    blank = b"\n" * (MAX_ROWS + 2)
    tracemalloc.start()
    table = read_table(b"Phone\n1\n" + blank, name="a.csv")
    with pytest.raises(InputError, match="more than"):
        read_table(b"Phone\n1\n" + blank + b"2\n", name="a.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.rows == ((2, ("1",)),)
    assert peak < 16 << 20


def test_a_cell_without_end_is_told_as_such() -> None:
    """A quote that is closed a hundred kilobytes later is no unbalanced quote."""
    with pytest.raises(InputError, match="row 2: a cell has more than"):
        read_table(b'Phone\n"' + b"x" * 200_000 + b'"\n', name="a.csv")


def test_a_path_is_told_on_one_line(tmp_path: Path) -> None:
    """Control signs in a file's name reach no terminal."""
    with pytest.raises(InputError) as caught:
        read_file(tmp_path / "a\x1b[2J\nb.csv")
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message.splitlines()) == 1


def test_a_name_that_contradicts_the_content_is_refused() -> None:
    """Neither the ending nor the content alone is believed; a CSV file has no sheets."""
    with pytest.raises(InputError, match="not a workbook by its content"):
        read_table(TEXT.encode(), name="a.xlsx")
    with pytest.raises(InputError, match="has no sheets"):
        read_table(TEXT.encode(), name="a.csv", sheet="List")


def test_only_files_are_read(tmp_path: Path) -> None:
    """Folders, pipes, devices, missing and looping paths are refused, and none is waited for."""
    pipe, loop = tmp_path / "pipe.csv", tmp_path / "loop.csv"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path in (tmp_path, pipe, loop, tmp_path / "none.csv", Path("/dev/zero"), tmp_path / ("x" * 300)):
        with pytest.raises(InputError):
            read_file(path)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    """A gigabyte costs no memory."""
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InputError, match="at most 200 MB"):
        read_file(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_an_input_error(content: bytes) -> None:
    """Nothing else comes out."""
    try:
        table = read_table(content, name="a.csv")
    except InputError:
        return
    assert all(len(cells) == len(table.columns) for _, cells in table.rows)


def test_a_cover_sheet_names_the_sheets_behind_it() -> None:
    """A first sheet without rows is refused with the names of the others."""
    book = openpyxl.Workbook()
    book.active.title = "Cover"
    book.active["A1"] = "Branch list"
    book.create_sheet("Numbers").append(["Phone"])
    content = io.BytesIO()
    book.save(content)
    with pytest.raises(InputError, match="--sheet: 'Numbers'"):
        read_table(content.getvalue(), name="list.xlsx")


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_a_header_may_have_a_line_end_in_its_quotes(sign: str) -> None:
    """As Alt+Enter in a spreadsheet makes it; the sign between the headers is found all the same."""
    content = f'Phone{sign}"Branch\nname"\n4155550100{sign}x\n'.encode()
    table = read_table(content, name="a.csv")
    assert table.columns == ("Phone", "Branch\nname")
    assert [cells for _, cells in table.rows] == [("4155550100", "x")]


def test_headers_may_stand_below_a_title() -> None:
    """Where they name a phone number column; rows keep the numbers that a person sees."""
    table = read_table(b"Our branches,\n,\nPhone,Name\n4155550100,a\n", name="a.csv")
    assert (table.columns, table.below) == (("Phone", "Name"), 3)
    assert list(table.rows) == [(4, ("4155550100", "a"))]
    assert read_table(b"Phone,Name\n4155550100,a\n", name="a.csv").below is None


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (b"Our branches,\nx,y\nPhone,Name\n4155550100,a\n", 2),  # the first wider row is no header
        (b"Phone,\nTelephone,x\n4155550100,a\n", 2),  # the first row is one
        (b"Our branches,\n4155550100,a\n", 2),
    ],
)
def test_no_other_row_is_taken_for_the_headers(content: bytes, row: int) -> None:
    """A cell without a header is refused as ever."""
    with pytest.raises(InputError, match=rf"row {row}: column 2 has a cell and no header"):
        read_table(content, name="a.csv")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_first_line_may_say_the_separator(end: bytes) -> None:
    """As Excel writes it; it is no row, and the others keep their numbers."""
    table = read_table(end.join([b"sep=;", b"Phone;Name", b"1;a,b", b""]), name="a.csv")
    assert (table.columns, table.rows) == (("Phone", "Name"), ((3, ("1", "a,b")),))


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_mapping_says_what_the_headers_below_a_title_are(kind: str) -> None:
    """Where their names say nothing; a title that is an error is told as one that was not read."""
    rows: list[list[Cell]] = [["Our branches"], [], ["Shop", "Kontakt"], ["a", "4155550100"]]
    fields = {"Kontakt": "phone_number"}
    (table,) = read_tables(WRITERS[kind]({"List": rows}), name=f"a.{kind}", fields=fields)
    assert (table.columns, table.below) == (("Shop", "Kontakt"), 3)
    (plain,) = read_tables(WRITERS[kind]({"List": rows[2:]}), name=f"a.{kind}", fields=fields)
    assert plain.below is None
    rows[0] = [Wrong.ERROR]
    (odd,) = read_tables(WRITERS[kind]({"List": rows}), name=f"a.{kind}", fields=fields)
    assert (odd.columns, odd.below) == (("Shop", "Kontakt"), 3)


def test_formulas_below_a_list_in_a_column_of_no_field_make_no_rows() -> None:
    """A helper column is often filled further down than the list."""
    rows: list[list[Cell]] = [["Phone", "Helper"], ["4155550100", "x"], *[[None, Wrong.FORMULA]] * 50]
    (table,) = read_tables(WRITERS["xlsx"]({"List": rows}), name="a.xlsx")
    assert len(table) == 1
    rows[0] = ["Phone", "Name"]
    (table,) = read_tables(WRITERS["xlsx"]({"List": rows}), name="a.xlsx")
    assert len(table) == 51
