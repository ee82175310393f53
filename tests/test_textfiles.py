"""Text files are read alike by the quick reader and by the one that goes row by row."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hnbulk.errors import InputError
from hnbulk.textfiles import _read_lines, _read_records, _rectangular, read_columns

ROWS, CELL = 1_000, 1_000


def quickly(content: bytes, width: int) -> list[list[str]] | None:
    columns = _read_lines(content, ",", width=width)
    return None if columns is None else [column.to_pylist() for column in columns]


def row_by_row(content: bytes) -> list[list[str]]:
    records = _read_records(content.decode(), ",", name="a.csv", max_rows=ROWS, max_cell=CELL)
    return [column.to_pylist() for column in _rectangular(records, name="a.csv")]


SIGNS = st.sampled_from(
    ["a", "b", '"', '""', ",", "\n", "\r\n", "\r", " ", "é", "\t", "'", "\x0b", "\u2028"]
)


@given(st.lists(SIGNS, min_size=1, max_size=24).map("".join), st.integers(1, 3))
@example('a,b\n"c"d,e\n', 2)
@example('a,b\nc"d,e\n', 2)
@example('a,b\n"c\n",d\n', 2)
@example('a,b\n"c""",d\n', 2)
@example("a,b\n\n\nc,d\n\n\n", 2)
@example("a\n\nb\n", 1)
@example(' "a",b\n', 2)
def test_what_the_quick_reader_reads_the_other_reads_alike(text: str, width: int) -> None:
    """Where it reads at all: rows, cells and blanks, to the last row with a cell."""
    found = quickly(text.encode(), width)
    if found is None:
        return
    expected = row_by_row(text.encode())
    if not expected:  # no row has a cell: nothing is read from it either way
        assert not any(cell.strip() for column in found for cell in column)
        return
    assert len(expected) == len(found)
    length = len(expected[0])
    assert without_blanks(zip(*found, strict=True))[:length] == without_blanks(zip(*expected, strict=True))
    assert not any(cell.strip() for column in found for cell in column[length:])


def without_blanks(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows, those without a cell as such: it makes no difference what blanks stand in them."""
    return [row if any(map(str.strip, row)) else () for row in rows]


def test_plain_files_are_read_quickly() -> None:
    """Quotes in a line, ends of both kinds and a missing last one are no obstacle."""
    content = b'Phone,Name\r\n4155550100,"Main, corner of 1st"\r\n4155550101,"5"" pipe"'
    assert quickly(content, 2) == [
        ["Phone", "4155550100", "4155550101"],
        ["Name", "Main, corner of 1st", '5" pipe'],
    ]


@pytest.mark.parametrize(
    "content",
    [b'Phone,Name\n1,"a\nb"\n', b"Phone,Name\n1,a\r2,b\n", b"Phone,Name\n1\n"],
)
def test_what_is_not_a_row_a_line_is_left_to_the_other(content: bytes) -> None:
    """A cell of two lines, ends of another kind, a short row."""
    assert quickly(content, 2) is None


def test_faults_are_told_with_their_row() -> None:
    """In one line."""
    with pytest.raises(InputError, match=r"a\.csv, row 3: 3 cells under 2 headers"):
        read_columns(b"Phone,Name\n1,a\n2,b,c\n", name="a.csv", max_rows=ROWS, max_cell=CELL)
    with pytest.raises(InputError, match=r"a\.csv, row 2: quotes are not balanced"):
        read_columns(b'Phone,Name\n1,"a"b\n', name="a.csv", max_rows=ROWS, max_cell=CELL)
