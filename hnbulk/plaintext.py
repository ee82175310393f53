"""Text that runs nothing and steers nothing: in a spreadsheet's cell, on a terminal, in one line."""

from __future__ import annotations

import re
import unicodedata

# A spreadsheet runs a cell whose first sign is one of these, blanks before it or not
# (ASVS 1.2.10, CWE-1236); an exact E.164 number is the one such cell that must stay as it is.
_FORMULA = re.compile(r"'*[\s\ufeff\u200b-\u200f\u2060]*[=+\-@\t\r\n\x00＝＋－＠]")
_E164 = re.compile(r"'*\+[1-9][0-9]{6,14}")


def neutralise(cell: str) -> str:
    """`cell` as no spreadsheet runs it: a `'` in front where it would. `restore` is the inverse."""
    return f"'{cell}" if _would_run(cell) else cell


def restore(cell: str) -> str:
    """`cell` without exactly what `neutralise` put in front; any other cell unchanged."""
    return cell[1:] if cell.startswith("'") and _would_run(cell) else cell


def _would_run(cell: str) -> bool:
    # Marks in front do not count, so that a cell that came with its own gets one more and
    # gives back that one only.
    return _FORMULA.match(cell) is not None and _E164.fullmatch(cell) is None


#: Signs that turn the direction of what follows them.
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def single_line(text: str) -> str:
    """`text` safe for a terminal and on one line: control and direction signs become blanks."""
    shown = (" " if unicodedata.category(sign) == "Cc" or sign in BIDI else sign for sign in text)
    return "".join(shown)
