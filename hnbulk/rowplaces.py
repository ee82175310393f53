"""How a plan names its rows: by the row a person sees, and of several lists by file and sheet too.

Rows of several tables in one plan have numbers that no person sees; the place of each stands in a cell of
it. This module reads no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Self

from hnbulk.plaintext import single_line
from hnbulk.planfile import PlanFile

BLANK = "–"
#: The column that a list of several tables gets: the place of each row.
PLACE = "hn_place"
_ROW = ", row "


@dataclass(frozen=True, slots=True)
class RowPlaces:
    """The rows of a plan as its faces name them. `known` has table and own row, where there are several
    tables."""

    known: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: PlanFile) -> Self:
        """The places of the plan's own rows; none where all are of one table."""
        if PLACE not in plan.header.columns:
            return cls()
        cells = ((row.row, single_line(str(row.cells.get(PLACE, "")))) for row in plan.rows)
        parts = ((row, *cell.rpartition(_ROW)) for row, cell in cells)
        return cls({row: (table, own) for row, table, between, own in parts if between and own.isdecimal()})

    def table(self, row: int | None) -> str:
        """File and sheet of the row; empty where there is one table, or the row is of none."""
        return self._of(row)[0]

    def number(self, row: int | None) -> str:
        """The row as a person sees it in its table; `–` for a step without one."""
        return self._of(row)[1]

    def short(self, row: int | None) -> str:
        """`12`, or `a.csv, row 12`: for a column that is headed `row`."""
        table, own = self._of(row)
        return f"{table}{_ROW}{own}" if table else own

    def one(self, row: int | None) -> str:
        """`row 12`, or `a.csv, row 12`."""
        table, own = self._of(row)
        return f"{table}{_ROW}{own}" if table else f"row {own}"

    def several(self, rows: Sequence[int], *, most: int = 6, name: Callable[[str], str] = str) -> str:
        """`row 2`, `rows 2, 3 and 93 more`; of several tables `a.csv, rows 2, 3; b.csv, row 2`.

        `name` is how the name of a table is written.
        """
        more = f" and {len(rows) - most:,} more" if len(rows) > most else ""
        tables = groupby(map(self._of, rows[:most]), key=lambda place: place[0])
        named = ((name(table) if table else "", [own for _, own in places]) for table, places in tables)
        return "; ".join(_told(table, own) for table, own in named) + more

    def _of(self, row: int | None) -> tuple[str, str]:
        if row is None:
            return "", BLANK
        return self.known.get(row, ("", str(row)))


def _told(table: str, rows: Sequence[str]) -> str:
    told = f"row{'s' if len(rows) > 1 else ''} {', '.join(rows)}"
    return f"{table}, {told}" if table else told
