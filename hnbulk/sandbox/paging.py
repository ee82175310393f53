"""Pages of a list: by time of creation and key, so that what is added meanwhile doubles nothing.

A page token names the record after which (`PA`) or before which (`PB`) the page lies; it stays
good when that record is gone from the list. Addresses in a page echo the filters first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from hnbulk.sandbox.forms import read_whole
from hnbulk.sandbox.records import Key, encode
from hnbulk.sandbox.refusals import Refusal

LARGEST = 1000
USUAL = 50
#: The query parameters that say which page.
PAGING = ("PageSize", "Page", "PageToken")

# Whether a list shows the record of a sid; None where it shows all of them.
Keep = Callable[[str], bool] | None


@dataclass(frozen=True, slots=True)
class Turn:
    """Which page is asked for."""

    size: int
    page: int
    token: str | None

    @classmethod
    def read(cls, query: Mapping[str, str], *, clamped: bool = True) -> Turn:
        """The turn a query asks for. Refuses a page beyond the first without a token (70002).

        A size out of 1 to 1000 is the nearest that is in, or where not `clamped` refused (20007).
        """
        asked = read_whole(query, "PageSize", USUAL)
        size = min(max(asked, 1), LARGEST)
        if asked != size and not clamped:
            raise Refusal(20007, None if asked > size else "Invalid PageSize: must be at least 1")
        page = read_whole(query, "Page", 0)
        if page < 0:
            raise Refusal(20001, "Invalid Page: must not be negative")
        token = query.get("PageToken") or None
        if page > 0 and token is None:
            raise Refusal(70002)
        return cls(size, page, token)


@dataclass(frozen=True, slots=True)
class Cut:
    """The records of one page, in the list's order, and whether there are more on either side."""

    sids: list[str]
    before: bool
    after: bool


def cut(
    keys: Sequence[Key],
    turn: Turn,
    key_of: Callable[[str], Key | None],
    keep: Keep,
    *,
    newest_first: bool = True,
) -> Cut:
    """One page out of `keys`, which are sorted oldest first. Refuses a bad token (21481)."""
    step = -1 if newest_first else 1
    if turn.token is None:
        start = len(keys) - 1 if newest_first else 0
        sids, more = _walk(keys, start, step, turn.size, keep)
        return Cut(sids, before=False, after=more)
    key = key_of(turn.token[2:]) if turn.token[:2] in ("PA", "PB") else None
    if key is None:
        raise Refusal(21481)
    if turn.token.startswith("PA"):
        sids, more = _walk(keys, _beside(keys, key, step), step, turn.size, keep)
        return Cut(sids, before=turn.page > 0, after=more)
    start = _beside(keys, key, -step)
    sids, more = _walk(keys, start, -step, turn.size, keep)
    return Cut(sids[::-1], before=more, after=start > 0 if newest_first else start < len(keys) - 1)


def page_body(
    base: str, filters: Sequence[tuple[str, str]], turn: Turn, page: Cut, items: Iterable[bytes]
) -> bytes:
    """The body of a page: `meta` and `items`. `base` is the absolute address of the list."""

    def address(number: int, token: str | None = None) -> str:
        paging = [("PageSize", str(turn.size)), ("Page", str(number))]
        return f"{base}?{urlencode([*filters, *paging, *([('PageToken', token)] if token else [])])}"

    after = f"PA{page.sids[-1]}" if page.after and page.sids else None
    before = f"PB{page.sids[0]}" if page.before and page.sids else None
    meta = {
        "first_page_url": address(0),
        "key": "items",
        "next_page_url": address(turn.page + 1, after) if after else None,
        "page": turn.page,
        "page_size": turn.size,
        "previous_page_url": address(max(turn.page - 1, 0), before) if before else None,
        "url": address(turn.page, turn.token),
    }
    parts = list(items) or [b""]
    parts[0] = b'{"meta": ' + encode(meta) + b', "items": [' + parts[0]
    parts[-1] += b"]}"
    return b", ".join(parts)  # one copy of what may be a megabyte


def _beside(keys: Sequence[Key], key: Key, step: int) -> int:
    """The place next to a key's, where that is or would be, in the direction of `step`."""
    return bisect_right(keys, key) if step > 0 else bisect_left(keys, key) - 1


def _walk(keys: Sequence[Key], start: int, step: int, size: int, keep: Keep) -> tuple[list[str], bool]:
    """Up to `size` sids that are kept, from `start` on, and whether there are more."""
    end = len(keys) if step > 0 else -1
    if keep is None:
        stop = start + step * size
        part = keys[start:stop] if step > 0 else keys[max(stop + 1, 0) : start + 1][::-1]
        return [sid for _, sid in part], (end - stop) * step > 0
    sids: list[str] = []
    for place in range(start, end, step):
        sid = keys[place][1]
        if not keep(sid):
            continue
        if len(sids) == size:
            return sids, True
        sids.append(sid)
    return sids, False
