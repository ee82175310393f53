"""Pages of a list: newest first, by key, so that what is added meanwhile doubles nothing.

A page token names the record after which (`PA`) or before which (`PB`) the page lies; it stays
good when that record is gone from the list. Addresses in a page echo the filters first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from hnbulk.sandbox.forms import read_whole
from hnbulk.sandbox.records import Key, encode
from hnbulk.sandbox.refusals import Refusal

LARGEST = 1000
USUAL = 50
#: The query parameters that say which page.
PAGING = ("PageSize", "Page", "PageToken")

# The JSON of a record by sid, None where a filter leaves it out.
Shown = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Turn:
    """Which page is asked for."""

    size: int
    page: int
    token: str | None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Turn:
        """The turn a query asks for. Refuses a page beyond the first without a token (70002)."""
        size = min(max(read_whole(query, "PageSize", USUAL), 1), LARGEST)
        page = read_whole(query, "Page", 0)
        if page < 0:
            raise Refusal(20001, "Invalid Page: must not be negative")
        token = query.get("PageToken") or None
        if page > 0 and token is None:
            raise Refusal(70002)
        return cls(size, page, token)


@dataclass(frozen=True, slots=True)
class Cut:
    """The records of one page, newest first, and whether there are more on either side."""

    sids: list[str]
    items: list[bytes]
    newer: bool
    older: bool


def cut(keys: Sequence[Key], turn: Turn, key_of: Callable[[str], Key | None], shown: Shown) -> Cut:
    """One page out of `keys`, which are sorted oldest first. Refuses a bad token (21481)."""
    if turn.token is None:
        return _older(keys, len(keys), turn.size, shown, newer=False)
    key = key_of(turn.token[2:]) if turn.token[:2] in ("PA", "PB") else None
    if key is None:
        raise Refusal(21481)
    if turn.token.startswith("PA"):
        return _older(keys, bisect_left(keys, key), turn.size, shown, newer=turn.page > 0)
    return _newer(keys, bisect_right(keys, key), turn.size, shown)


def page_body(base: str, filters: Sequence[tuple[str, str]], turn: Turn, page: Cut) -> bytes:
    """The body of a page: `meta` and `items`. `base` is the absolute address of the list."""

    def address(number: int, token: str | None = None) -> str:
        paging = [("PageSize", str(turn.size)), ("Page", str(number))]
        return f"{base}?{urlencode([*filters, *paging, *([('PageToken', token)] if token else [])])}"

    after = f"PA{page.sids[-1]}" if page.older and page.sids else None
    before = f"PB{page.sids[0]}" if page.newer and page.sids else None
    meta = {
        "first_page_url": address(0),
        "key": "items",
        "next_page_url": address(turn.page + 1, after) if after else None,
        "page": turn.page,
        "page_size": turn.size,
        "previous_page_url": address(max(turn.page - 1, 0), before) if before else None,
        "url": address(turn.page, turn.token),
    }
    return b'{"meta": ' + encode(meta) + b', "items": [' + b", ".join(page.items) + b"]}"


def _older(keys: Sequence[Key], end: int, size: int, shown: Shown, *, newer: bool) -> Cut:
    sids: list[str] = []
    items: list[bytes] = []
    for place in range(end - 1, -1, -1):
        sid = keys[place][1]
        item = shown(sid)
        if item is None:
            continue
        if len(items) == size:
            return Cut(sids, items, newer, older=True)
        sids.append(sid)
        items.append(item)
    return Cut(sids, items, newer, older=False)


def _newer(keys: Sequence[Key], start: int, size: int, shown: Shown) -> Cut:
    sids: list[str] = []
    items: list[bytes] = []
    more = False
    for place in range(start, len(keys)):
        sid = keys[place][1]
        item = shown(sid)
        if item is None:
            continue
        if len(items) == size:
            more = True
            break
        sids.append(sid)
        items.append(item)
    return Cut(sids[::-1], items[::-1], newer=more, older=start > 0)
