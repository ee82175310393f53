"""Header and cells of a list, kept as columns of text; rows are made when they are asked for.

A million rows cost what their text costs. This module reads no file and judges no cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hnbulk.lines import Made

Row = tuple[int, dict[str, str]]
Numbers = npt.NDArray[np.int64]
Value = TypeVar("Value")

#: So many rows are made at once where all are gone through.
_TOGETHER = 4_096


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Table:
    """Named columns of text, none of them missing, and the number of each row.

    A row's number is the one a spreadsheet shows: the header is 1.
    """

    columns: tuple[str, ...]
    numbers: Numbers
    cells: tuple[pa.Array, ...]  # strings without a missing one, as long as `numbers` each
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()  # that might have been meant
    unread_sheets: tuple[str, ...] = ()  # all that were not read

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]]) -> Self:
        """A table of rows that are there one by one; each has a cell for each column."""
        numbers, lines = [], []
        for row, line in rows:
            numbers.append(row)
            lines.append(line)
        return cls(tuple(columns), np.array(numbers, dtype=np.int64), columns_of(lines, len(columns)))

    def __len__(self) -> int:
        return len(self.numbers)

    def at(self, places: Numbers) -> Self:
        """The rows at these places only."""
        taken = pa.array(places)
        return replace(
            self, numbers=self.numbers[places], cells=tuple(column.take(taken) for column in self.cells)
        )

    @property
    def rows(self) -> Sequence[tuple[int, tuple[str, ...]]]:
        """Every row's number and its cells."""
        return _Rows(self, lambda number, cells: (number, cells))

    @property
    def records(self) -> Sequence[Row]:
        """Every row's number and its cells by the names of their columns."""
        columns = self.columns
        return _Rows(self, lambda number, cells: (number, dict(zip(columns, cells, strict=True))))

    def __repr__(self) -> str:
        return f"Table({len(self.columns)} columns, {len(self):,} rows)"


class _Rows(Made[Value]):
    """The rows of a table, each as `shape` makes it."""

    def __init__(self, table: Table, shape: Callable[[int, tuple[str, ...]], Value]) -> None:
        numbers, cells = table.numbers, table.cells
        super().__init__(
            len(table), lambda n: shape(int(numbers[n]), tuple(column[n].as_py() for column in cells))
        )
        self.numbers = numbers
        self._table = table
        self._shape = shape

    def __iter__(self) -> Iterator[Value]:
        for start in range(0, len(self), _TOGETHER):
            numbers = self._table.numbers[start : start + _TOGETHER].tolist()
            columns = [column.slice(start, _TOGETHER).to_pylist() for column in self._table.cells]
            lines = zip(*columns, strict=True) if columns else ((),) * len(numbers)
            yield from map(self._shape, numbers, lines)


def columns_of(lines: Sequence[Sequence[str]], width: int) -> tuple[pa.Array, ...]:
    """Lines of text cells as so many columns."""
    columns: Iterable[Sequence[str]] = zip(*lines, strict=True) if lines else [()] * width
    return tuple(pa.array(column, type=pa.string()) for column in columns)


def numbers_of(rows: Sequence[tuple[int, Any]]) -> Numbers:
    """The numbers of these rows."""
    if isinstance(rows, _Rows):
        return rows.numbers
    return np.fromiter((row for row, _ in rows), dtype=np.int64)


class RowPlaces:
    """Where in a list the row with a number is."""

    def __init__(self, numbers: Numbers) -> None:
        self._order = None if bool((np.diff(numbers) > 0).all()) else np.argsort(numbers, kind="stable")
        self._sorted = numbers if self._order is None else numbers[self._order]

    def find(self, rows: Iterable[int]) -> Numbers:
        """The place of each row; -1 where no row has that number."""
        wanted = np.fromiter(rows, dtype=np.int64)
        if not len(self._sorted):
            return np.full(len(wanted), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        places = at if self._order is None else self._order[at]
        return np.where(self._sorted[at] == wanted, places, -1)
