"""Rows of text in columns, for a person at a terminal; nothing in them steers the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from hnbulk.plaintext import single_line

WIDTH = 100


def in_columns(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The title line and one line a row, aligned, at most `WIDTH` wide; numbers stand to the right.

    What is too wide is cut at the end of its line.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(line[n]) for line in ([*titles], *cells)) for n in range(len(titles))]
    right = [bool(rows) and all(isinstance(row[n], int) for row in rows) for n in range(len(titles))]
    return [
        _cut("  ".join(cell.rjust(wide) if number else cell.ljust(wide) for cell, wide, number in line))
        for line in (list(zip(line, widths, right, strict=True)) for line in ([*titles], *cells))
    ]


def minute(iso: str | None) -> str:
    """`2026-01-05T15:00:00+00:00` as `2026-01-05 15:00`; a missing moment as nothing."""
    return (iso or "")[:16].replace("T", " ")


def _text(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else single_line("" if cell is None else str(cell))


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
