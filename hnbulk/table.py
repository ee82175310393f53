"""Header and cells of a list, kept as columns of text; rows are made when they are asked for.

A million rows cost what their text costs. This module reads no file and judges no cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import pyarrow as pa

from hnbulk.lines import Made
from hnbulk.numberindex import Numbers

Row = tuple[int, dict[str, str]]
Value = TypeVar("Value")

#: So many rows are made at once where all are gone through.
_TOGETHER = 4_096


#: What stands in a cell whose formula has no value, so that nobody takes it for a blank one.
NO_VALUE = "#VALUE!"


class Gap(NamedTuple):
    """Cells that read as blank and are not, by the code of the reason; rows and columns from 1."""

    code: str
    first: int  # row
    last: int
    left: int  # column
    right: int
    about: str = ""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Table:
    """Named columns of text, none of them missing, and the number of each row.

    A row's number is the one a spreadsheet shows: the header is 1.
    """

    columns: tuple[str, ...]
    numbers: Numbers
    cells: tuple[pa.ChunkedArray, ...]  # strings without a missing one, as long as `numbers` each
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()  # that might have been meant
    unread_sheets: tuple[str, ...] = ()  # all that were not read
    gaps: Mapping[str, Sequence[Gap]] = field(default_factory=dict)  # of a column, by its name
    below: int | None = None  # the header's row, where others above it were not read

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

    def gaps_of(self, column: str) -> dict[int, Gap]:
        """Which rows' cells of this column read as blank and are not."""
        found: dict[int, Gap] = {}
        if column not in self.gaps or not len(self):
            return found
        done: dict[str, int] = {}
        first, last = int(self.numbers[0]), int(self.numbers[-1])
        # what is wrong with a cell itself goes before the merge it is in
        for gap in sorted(self.gaps[column], key=lambda gap: (gap.code == "cell-merged", gap.first)):
            # no row is gone through twice, however many merges there are of it
            begin, end = max(gap.first, first, done.get(gap.code, 0) + 1), min(gap.last, last)
            for row in range(begin, end + 1):
                found.setdefault(row, gap)
            done[gap.code] = max(end, begin - 1)
        return found

    @property
    def rows(self) -> Sequence[tuple[int, tuple[str, ...]]]:
        """Every row's number and its cells."""
        return _Rows(self, _plain)

    @property
    def records(self) -> Sequence[Row]:
        """Every row's number and its cells by the names of their columns."""
        return _Rows(self, _named)

    def __repr__(self) -> str:
        return f"Table({len(self.columns)} columns, {len(self):,} rows)"


def _plain(_: Table, cells: tuple[str, ...]) -> tuple[str, ...]:
    return cells


def _named(table: Table, cells: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(table.columns, cells, strict=True))


class _Rows(Made[tuple[int, Value]]):
    """The rows of a table, each with its number, as `shape` makes it of its cells."""

    def __init__(self, table: Table, shape: Callable[[Table, tuple[str, ...]], Value]) -> None:
        super().__init__(len(table), self._at)
        self.table = table
        self._shape = shape

    def _at(self, n: int) -> tuple[int, Value]:
        cells = tuple(column[n].as_py() for column in self.table.cells)
        return int(self.table.numbers[n]), self._shape(self.table, cells)

    def __iter__(self) -> Iterator[tuple[int, Value]]:
        for start in range(0, len(self), _TOGETHER):
            numbers = self.table.numbers[start : start + _TOGETHER].tolist()
            columns = [column.slice(start, _TOGETHER).to_pylist() for column in self.table.cells]
            lines = zip(*columns, strict=True) if columns else ((),) * len(numbers)
            for number, cells in zip(numbers, lines, strict=True):
                yield number, self._shape(self.table, cells)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Rows, (self.table, self._shape)


def columns_of(lines: Sequence[Sequence[str]], width: int) -> tuple[pa.ChunkedArray, ...]:
    """Lines of text cells as so many columns."""
    columns: Iterable[Sequence[str]] = zip(*lines, strict=True) if lines else [()] * width
    return tuple(pa.chunked_array([pa.array(column, type=pa.string())]) for column in columns)


def joined(parts: Iterable[pa.Array | pa.ChunkedArray]) -> pa.ChunkedArray:
    """Columns of strings one below the other, as one; nothing is copied."""
    chunks: list[pa.Array] = []
    for part in parts:
        chunks += part.chunks if isinstance(part, pa.ChunkedArray) else [part]
    return pa.chunked_array(chunks, type=pa.string())


def numbers_of(rows: Sequence[tuple[int, Any]]) -> Numbers:
    """The numbers of these rows."""
    if isinstance(rows, _Rows):
        return rows.table.numbers
    return np.fromiter((row for row, _ in rows), dtype=np.int64)
