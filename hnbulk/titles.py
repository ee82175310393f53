"""What the header of a sheet says, and in which columns, told from its XML.

Only the header's row is read. Columns count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from hnbulk.addresses import column_of
from hnbulk.xmlparts import Element, Enough, Unreadable, walk

Strings = Callable[[Collection[int]], Mapping[int, str]]  # texts that the sheets share, by number

_SHARED = re.compile(r"\s*[0-9]{1,9}\s*")
_HEADER_ONLY = frozenset(("row", "c", "rPh", "t", "v"))


def column_in(cell: Element, otherwise: int) -> int:
    """The column that a cell says it is in, else this one. Raises `Unreadable`."""
    reference = cell.attributes.get("r")
    try:
        return column_of(reference) if reference else otherwise
    except ValueError:
        raise Unreadable("a cell without a place") from None


def read_titles(part: bytes, header: int, strings: Strings) -> dict[str, int]:
    """What the header's cells say, stripped, and the column of each; of two alike the first."""
    found: dict[int, str] = {}
    shared: dict[int, int] = {}
    at = column = phonetic = 0
    texts: list[str] = []
    value = ""

    def opened(element: Element) -> None:
        nonlocal at, column, phonetic, value
        phonetic += element.name == "rPh"
        if element.name == "row":
            at, column = element.number("r", at + 1), 0
            if at > header:
                raise Enough
        elif element.name == "c":
            texts.clear()
            value = ""

    def closed(element: Element) -> None:
        nonlocal column, phonetic, value
        phonetic -= element.name == "rPh"
        if at != header or phonetic:
            return
        if element.name == "t":
            texts.append(element.text)
        elif element.name == "v":
            value = element.text
        elif element.name == "c":
            column = column_in(element, column + 1)
            if element.attributes.get("t") == "s" and _SHARED.fullmatch(value):
                shared[column] = int(value)
            else:
                found[column] = "".join(texts) or value
        elif element.name == "row":
            raise Enough

    walk(part, closed, opened=opened, only=_HEADER_ONLY, texts=("t", "v"))
    known = strings(set(shared.values())) if shared else {}
    found |= {column: known.get(number, "") for column, number in shared.items()}
    titles: dict[str, int] = {}
    for column in sorted(found):
        if title := found[column].strip():
            titles.setdefault(title, column)
    return titles
