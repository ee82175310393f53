"""Where a row of a list stands: in which file, in which sheet, and the row a person sees there.

One table keeps its rows' own numbers. Of several tables that make one list, the rows of the second have
ten million added, those of the third twenty, so that each has a number of its own: 20,000,014 is row 14
of the third table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hnbulk.plaintext import single_line

STEP = 10_000_000


@dataclass(frozen=True, slots=True)
class Places:
    """The tables of one list: file and sheet of each, in the order of their rows."""

    tables: tuple[tuple[str, str | None], ...]

    def of(self, row: int) -> tuple[str, str | None, int]:
        """File, sheet and own row of a row of the list; a row of no table is of the last."""
        table = min(row // STEP, len(self.tables) - 1)
        return (*self.tables[table], row - table * STEP)

    def tell(self, row: int) -> str:
        """`a.csv, row 12` or `a.xlsx, sheet 'West', row 12`, on one line."""
        file, sheet, own = self.of(row)
        return single_line(f"{file}, {f'sheet {sheet!r}, ' if sheet else ''}row {own}")

    def brief(self, row: int) -> str:
        """`row 12` where there is one table, else the whole place."""
        return f"row {row}" if len(self.tables) == 1 else self.tell(row)

    def several(self, rows: Sequence[int], *, most: int = 6) -> str:
        """`row 2`, or `rows 2, 3 and 93 more`; with several tables the place of each."""
        more = f" and {len(rows) - most:,} more" if len(rows) > most else ""
        if len(self.tables) > 1:
            return "; ".join(map(self.tell, rows[:most])) + more
        return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:most]))}{more}"
