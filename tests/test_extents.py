"""However a far cell is written, how far it lies is told without reading it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.addresses import Place
from hnbulk.extents import MANY_CELLS, of_ods, of_xlsx

FAR = [
    b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    b'<row r="1048576"><c s="1" r="XFD1048576"><v>1</v></c></row>',
    b"<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>",
    b'<row r="1048576"><c\tr = "XFD1048576"><v>1</v></c></row>',
    b'<x:row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
    b'<row r="1048576"><c r="xfd1048576"><v>1</v></c></row>',
    b'<row r="1048576"><c t="a>b" r="XFD1048576"><v>1</v></c></row>',
    b'<row r="1"><c r="XFD1"><v>1</v></c></row><row r="1048576"><c><v>1</v></c></row>',
]


@pytest.mark.parametrize("cells", FAR)
def test_a_far_cell_is_found_in_any_spelling(cells: bytes) -> None:
    """Other quotes, blanks, prefixes and letters are the same cell."""
    rows, columns = of_xlsx(b'<row r="1"><c r="A1"><v>1</v></c></row>' + cells)
    assert rows * columns > 8_400_000


def test_what_is_only_coloured_does_not_count() -> None:
    """A million styled rows without a value are no list."""
    part = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" s="1"/></row>'
    assert of_xlsx(part) == (1, 1)


def test_a_usual_sheet_is_not_counted() -> None:
    """It is told as the most a usual one may be; one without cells as nothing."""
    assert of_xlsx(b'<row r="1"><c r="A1"><v>1</v></c><c r="AN2"/></row>') == (99_999, 40)
    assert of_xlsx(b'<row r="150000"><c r="H150000"><v>1</v></c></row>') == (199_999, 8)
    assert of_xlsx(b"<worksheet/>") == (0, 0)


places = st.tuples(
    st.one_of(
        st.integers(1, 1_100_000), st.sampled_from([99_999, 100_000, 199_999, 200_000, 999_999, 1_000_000])
    ),
    st.one_of(st.integers(1, 60), st.sampled_from([8, 9, 16, 17, 40, 41])),
)


@given(st.lists(places, min_size=1, max_size=6))
def test_a_sheet_is_never_told_as_smaller_than_it_is(cells: list[tuple[int, int]]) -> None:
    """Nor as too large where it is not."""
    written = [f'<c r="{Place(*place).name}"><v>1</v></c>' for place in cells]
    rows, columns = of_xlsx("".join(written).encode())
    deepest, widest = max(row for row, _ in cells), max(column for _, column in cells)
    assert rows >= deepest
    assert columns >= widest
    assert (rows * columns > MANY_CELLS) == (deepest * widest > MANY_CELLS)


def test_cells_without_a_place_count_one_by_one() -> None:
    """Some programs leave it out."""
    row = b"<row><c><v>1</v></c><c><v>1</v></c></row>"
    assert of_xlsx(row * 5) == (5, 2)


def test_repeated_cells_count_as_often() -> None:
    """Rows and cells of an OpenDocument say how often they stand there."""
    row = b'<table:table-row table:number-rows-repeated="3"><table:table-cell/><table:table-cell \
table:number-columns-repeated="4" office:value="1"/></table:table-row>'
    assert of_ods(b"<table:table>" + row + b"</table:table>") == (3, 5)
