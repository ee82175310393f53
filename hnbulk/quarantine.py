"""The bad rows of a list as a file of their own, each with what is wrong and what to do about it.

A person corrects the cells and feeds the file back: the added columns are not read. No cell of it runs
in a spreadsheet, and feeding it back gives the cells as they were.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from hnbulk.files import write_private
from hnbulk.plaintext import neutralise

#: The columns added behind the user's own.
COLUMNS = ("hn_row", "hn_column", "hn_code", "hn_error", "hn_fix")
_BETWEEN = " | "


def write_quarantine(
    path: Path,
    columns: Sequence[str],
    rows: Sequence[tuple[int, Mapping[str, str]]],
    problems: pd.DataFrame,
) -> int:
    """`path` holds the rows with an error, 0600, and nothing else; returns how many there are.

    Several errors of one row stand side by side in its cells. Raises `UsageError` where `path`
    cannot be written.
    """
    content, count = quarantine(columns, rows, problems)
    write_private(path, content)
    return count


def quarantine(
    columns: Sequence[str], rows: Sequence[tuple[int, Mapping[str, str]]], problems: pd.DataFrame
) -> tuple[bytes, int]:
    """The same as bytes, and how many rows are in it."""
    errors = problems[problems["severity"] == "error"]
    names = ("row", "column", "code", "message", "suggestion")
    cells = (["" if pd.isna(cell) else cell for cell in errors[name].tolist()] for name in names)
    faults: dict[int, list[tuple[str, ...]]] = {}
    for row, *fault in zip(*cells, strict=True):
        faults.setdefault(row, []).append(tuple(fault))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    own = [column for column in columns if column not in COLUMNS]
    writer.writerow(map(neutralise, (*own, *COLUMNS)))
    count = 0
    for row, written in rows:
        if row in faults:
            told = (_BETWEEN.join(dict.fromkeys(part)) for part in zip(*faults[row], strict=True))
            writer.writerow(map(neutralise, (*(written.get(name, "") for name in own), str(row), *told)))
            count += 1
    return text.getvalue().encode(), count
