"""Where a cell stands in a sheet: as two numbers, and as a spreadsheet says it (`B12` is row 12)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, Self

_NAME = re.compile(r"[$]?([A-Za-z]{1,3})[$]?([0-9]{1,7})")


class Place(NamedTuple):
    """A cell: row and column, both from 1. Places sort as people read."""

    row: int
    column: int

    @property
    def name(self) -> str:
        """As a spreadsheet says it."""
        return f"{letters_of(self.column)}{self.row}"

    @classmethod
    def named(cls, name: str) -> Self | None:
        """The cell of this name; None where it is no cell's."""
        found = _NAME.fullmatch(name)
        return cls(int(found[2]), column_of(found[1])) if found else None


@lru_cache(maxsize=1024)
def letters_of(column: int) -> str:
    """`A` for the first column, `AA` for the 27th."""
    letters, left = "", column
    while left:
        left, rest = divmod(left - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_of(name: str) -> int:
    """The column of `B12`, `$B$12` or `B`: 2. Raises `ValueError` for what has none."""
    return _column(name.replace("$", "").rstrip("0123456789"))


@lru_cache(maxsize=1024)
def _column(letters: str) -> int:
    if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
        raise ValueError("no column")
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return column
