"""Text files are read alike by the quick reader and by the one that goes row by row."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hnbulk.errors import InputError
from hnbulk.signs import Signs
from hnbulk.textfiles import Limits, read_columns, read_lines, read_row_by_row

LIMITS = Limits(rows=1_000, columns=20, cell=1_000)


Rows = list[tuple[str, ...]]


def rows_of(read: Callable[[], tuple[pa.ChunkedArray, ...] | None]) -> Rows | str | None:
    """What is read, rows without a cell as such and none at the end; or the words of a refusal."""
    try:
        columns = read()
    except InputError as error:
        return error.message
    if columns is None:
        return None
    lines = zip(*(column.to_pylist() for column in columns), strict=True)
    rows = [line if any(map(str.strip, line)) else () for line in lines]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def quickly(content: bytes, width: int = 2) -> Rows | str | None:
    return rows_of(lambda: read_lines(content, Signs.of(content), ",", width=width, name="a.csv"))


def row_by_row(content: bytes) -> Rows | str | None:
    return rows_of(lambda: read_row_by_row(content, ",", name="a.csv", limits=LIMITS))


SIGNS = st.sampled_from(
    ["a", "b", '"', '""', ",", "\n", "\r\n", "\r", " ", "é", "\t", "'", "\x0b", "\u2028"]
)


HEADERS = st.sampled_from(["Phone,Name\n", "\nPhone,Name\r\n", "Phone\n"])


@given(HEADERS, st.lists(SIGNS, max_size=24).map("".join))
@example("Phone,Name\n", '"c"d,e\n')
@example("Phone,Name\n", 'c"d,e\n')
@example("Phone,Name\n", '"c\n",d\n')
@example("Phone,Name\n", '"c""",d\n')
@example("Phone,Name\n", "\n\nc,d\n\n\n")
@example("Phone\n", "\nb\n")
@example("Phone,Name\n", ' "a",b\n')
@example("Phone,Name\n", "a\n \nb,c\n")
@example("Phone,Name\n", " \nb,c\n")
def test_what_the_quick_reader_reads_the_other_reads_alike(header: str, text: str) -> None:
    """Where it reads at all: rows and cells to the last row that has any, or the words of a refusal."""
    content = (header + text).encode()
    found = quickly(content, header.count(",") + 1)
    if found is not None:
        assert found == row_by_row(content)


def test_plain_files_are_read_quickly() -> None:
    """Quotes in a line, ends of both kinds and a missing last one are no obstacle."""
    content = b'Phone,Name\r\n4155550100,"Main, corner of 1st"\r\n4155550101,"5"" pipe"'
    assert quickly(content) == [
        ("Phone", "Name"),
        ("4155550100", "Main, corner of 1st"),
        ("4155550101", '5" pipe'),
    ]


@pytest.mark.parametrize("rest", [b'1,"a\nb"\n', b"1,a\r2,b\n", b" \n1,a\n"])
def test_what_is_not_a_row_a_line_is_left_to_the_other(rest: bytes) -> None:
    """A cell of two lines, ends of another kind, a line with blanks only."""
    assert quickly(b"Phone,Name\n" + rest) is None


def read(content: bytes, limits: Limits = LIMITS) -> list[list[str]]:
    columns = read_columns(content, Signs.of(content), name="a.csv", limits=limits)
    return [column.to_pylist() for column in columns]


def test_faults_are_told_with_their_row() -> None:
    """In one line."""
    with pytest.raises(InputError, match=r"a\.csv, row 3: 3 cells under 2 headers"):
        read(b"Phone,Name\n1,a\n2,b,c\n")
    with pytest.raises(InputError, match=r"a\.csv, row 4: 1 cells under 2 headers"):
        read(b'Phone,Name\n1,"a\nb"\n\n2\n')
    with pytest.raises(InputError, match=r"a\.csv, row 2: quotes are not balanced"):
        read(b'Phone,Name\n1,"a"b\n')


def test_what_is_too_much_is_refused_before_it_is_read() -> None:
    """Rows and columns; empty lines are no rows, and cells with line ends are one each."""
    few = Limits(rows=3, columns=3, cell=100)
    assert len(read(b"Phone\n1\n2\n\n\n\n\n", few)[0]) >= 3
    assert read(b'Phone,Name\n1,"a\n\nb\nc"\n2,b\n3,c\n', few)[0] == ["Phone", "1", "2", "3"]
    for content in (b"Phone\n1\n2\n3\n4", b"Phone\r\n1\r\n2\r\n3\r\n4\r\n", b'Phone\n"1"\n2\n3\n4\n'):
        with pytest.raises(InputError, match="more than 3 rows"):
            read(content, few)
    with pytest.raises(InputError, match="has 4 columns; at most 3"):
        read(b"Phone,a,b,c\n1,2,3,4\n", few)


def test_rows_are_gathered_in_parts() -> None:
    """None is lost between them."""
    count = 20_000
    content = b"Phone,Name\n" + b"".join(b'%d,"a\nb"\n' % n for n in range(count))
    found = read(content, Limits(rows=count, columns=2, cell=100))
    assert found[0] == ["Phone", *map(str, range(count))]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_large_file_of_far_too_many_lines_is_not_read(end: bytes) -> None:
    """It is looked at in places only; long lines are no reason to refuse it."""
    few = Limits(rows=1_000, columns=3, cell=1_000)
    with pytest.raises(InputError, match="more than 1,000 rows"):
        read(b"Phone" + end + (b"1" + end) * (17 << 20), few)
    long = b"Phone" + end + (b"1" * 900 + end) * (20 << 10)
    assert len(read(long, Limits(rows=20 << 10, columns=3, cell=1_000))[0]) == (20 << 10) + 1
