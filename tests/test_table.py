"""A table is columns inside, and the rows they came from to those who ask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hnbulk.table import Gap, Table, columns_of, joined, numbers_of

ROWS = ((2, ("4155550100", "a")), (3, ("", "")), (9, ("x", "é")))
TABLE = Table.of(("Phone", "Name"), ROWS)


def test_rows_are_as_they_were_given() -> None:
    """By place, from the end, as slice and one after the other."""
    assert TABLE.rows == ROWS
    assert (TABLE.rows[1], TABLE.rows[-1], TABLE.rows[:2]) == (ROWS[1], ROWS[2], ROWS[:2])
    assert list(TABLE.rows) == list(ROWS)
    assert len(TABLE) == 3
    with pytest.raises(IndexError):
        TABLE.rows[3]


def test_records_have_the_names_of_the_columns() -> None:
    """Number and cells."""
    assert TABLE.records[2] == (9, {"Phone": "x", "Name": "é"})
    assert dict(TABLE.records)[3] == {"Phone": "", "Name": ""}


def test_some_rows_are_a_table_of_their_own() -> None:
    """In the order they are asked for."""
    assert TABLE.at(np.array([2, 0])).rows == (ROWS[2], ROWS[0])


def test_a_table_without_rows_or_columns_is_one() -> None:
    """Nothing is a table too."""
    assert Table.of(("Phone",), ()).rows == ()
    assert Table.of((), ((2, ()), (3, ()))).rows == ((2, ()), (3, ()))
    assert [len(column) for column in columns_of([], 2)] == [0, 0]


def test_rows_are_the_same_in_whatever_parts_their_cells_lie() -> None:
    """One after the other, by place and taken out; also where a part is empty."""
    lines = [(str(n), chr(97 + n)) for n in range(7)]
    parts = zip(columns_of(lines[:3], 2), columns_of([], 2), columns_of(lines[3:], 2), strict=True)
    table = Table(("Phone", "Name"), np.arange(2, 9), tuple(map(joined, parts)))
    rows = tuple(enumerate(lines, 2))
    assert [column.num_chunks for column in table.cells] == [3, 3]
    assert tuple(table.rows) == rows
    assert tuple(table.rows[n] for n in range(7)) == rows
    assert table.at(np.array([5, 0, 3])).rows == (rows[5], rows[0], rows[3])
    assert len(joined([])) == 0


def test_many_rows_are_gone_through_in_order() -> None:
    """Also where they are made several at once."""
    rows = [(n, (str(n),)) for n in range(10_000)]
    assert list(Table.of(("Phone",), rows).rows) == rows


def test_no_cell_is_in_its_repr() -> None:
    """Cells are people's data."""
    assert repr(TABLE) == "Table(2 columns, 3 rows)"


def test_numbers_are_those_of_any_rows() -> None:
    """Of a table's and of a plain list."""
    assert numbers_of(TABLE.records).tolist() == numbers_of(list(TABLE.records)).tolist() == [2, 3, 9]


def test_the_gaps_of_a_column_are_told_by_row() -> None:
    """Only of rows that are there; what is wrong with a cell itself goes before the merge it is in."""
    merge, error = Gap("cell-merged", 1, 9, 1, 2), Gap("cell-error", 3, 3, 1, 1, "#N/A")
    table = replace(Table.of(["a", "b"], [(n, ("", "")) for n in (2, 3, 4)]), gaps={"a": [merge, error]})
    assert table.gaps_of("a") == {2: merge, 3: error, 4: merge}
    assert table.gaps_of("b") == {}
