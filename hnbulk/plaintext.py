"""Text that runs nothing and steers nothing: in a spreadsheet's cell, on a terminal, in one line."""

from __future__ import annotations

import re
import unicodedata

# A spreadsheet runs a cell whose first sign is one of these, blanks and signs without width before it
# or not (ASVS 1.2.10, CWE-1236). Where it cuts at another separator than the file's (a `;`, as in most
# of Europe), or at the end of a line, what follows begins a cell too. An exact E.164 number is the one
# such text that must stay as it is.
_BLANKS = r"(?:[^\S\t\r\n]|[\ufeff\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069])*"
_SIGNS = r"[=+\-@\t\r\n\x00＝＋－＠﹦﹢﹣﹫]"
_E164 = r"'*\+[1-9][0-9]{6,14}(?:\Z|;)"
_RUNS = rf"(?!{_E164})'*{_BLANKS}{_SIGNS}"
_BEGINS = re.compile(rf"(\A|[;\r\n])(?={_RUNS})")
_MARKED = re.compile(rf"(\A|[;\r\n])'(?={_RUNS})")


def neutralise(cell: str) -> str:
    """`cell` as no spreadsheet runs it: a `'` in front of what one would. `restore` is the inverse."""
    if cell[:1].isalnum() and not (";" in cell or "\n" in cell or "\r" in cell):
        return cell
    # Marks in front do not count, so that a cell that came with its own gets one more and gives
    # back that one only.
    return _BEGINS.sub(r"\1'", cell)


def restore(cell: str) -> str:
    """`cell` without exactly what `neutralise` put into it; any other cell unchanged."""
    return _MARKED.sub(r"\1", cell) if "'" in cell else cell


#: Signs that turn the direction of what follows them.
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def single_line(text: str) -> str:
    """`text` safe for a terminal and on one line: control and direction signs become blanks."""
    if text.isascii() and text.isprintable():
        return text
    shown = (" " if unicodedata.category(sign) == "Cc" or sign in BIDI else sign for sign in text)
    return "".join(shown)
