"""List pages of orders as one arrow table, straight from their bytes.

Arrow's reader takes whole pages at once, without an object an order; a page it refuses is read
value by value and comes out the same. This module knows no pandas, asks nobody and keeps nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from hnbulk.errors import ReplyUnreadable
from hnbulk.lending import lend
from hnbulk.models import read_date

#: Keys that are plain text.
TEXTS = (
    "sid",
    "account_sid",
    "incoming_phone_number_sid",
    "address_sid",
    "signing_document_sid",
    "verification_document_sid",
    "phone_number",
    "friendly_name",
    "unique_name",
    "failure_reason",
    "email",
    "extension",
    "verification_code",
    "url",
)
#: Keys of `capabilities` that every order has, and those that some have.
SURE_CAPABILITIES = ("sms", "voice")
OTHER_CAPABILITIES = ("mms", "fax")

TIME = pa.timestamp("us", tz="UTC")
CAPABILITIES = pa.struct([(name, pa.bool_()) for name in (*SURE_CAPABILITIES, *OTHER_CAPABILITIES)])
#: The keys of an order that are read, each with its type.
FIELDS: Mapping[str, pa.DataType] = {
    **dict.fromkeys((*TEXTS, "status", "verification_type"), pa.string()),
    **dict.fromkeys(("date_created", "date_updated"), TIME),
    **dict.fromkeys(("verification_attempts", "call_delay"), pa.int64()),
    "capabilities": CAPABILITIES,
    **dict.fromkeys(("cc_emails", "verification_call_sids"), pa.list_(pa.string())),
}
_ITEM = pa.struct(list(FIELDS.items()))
_PAGE = pa.schema([("items", pa.list_(_ITEM))])

# About how many bytes of pages the reader takes at once.
_BATCH = 8 << 20
# The reader's recursion has no bound of its own: a page nested more than ten thousand deep ends
# the process. A page with no more opening brackets than this cannot be nested that deep.
_MAX_BRACKETS = 6_000

Pages = tuple[pa.Table, Counter[str]]


def read_pages(pages: Iterable[bytes]) -> Pages:
    """The orders of all pages, in order, and how many had a value in each key that is not known.

    Columns and types are those of `FIELDS`; blank text is null. Pages are read while later ones
    are still being fetched. Raises `ReplyUnreadable` for a page that is not a JSON object with a
    list of objects in `items`.
    """
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="order-pages") as pool:
        parts = list(pool.map(_read_batch, _batches(pages)))
    unknown: Counter[str] = Counter()
    for _, found in parts:
        unknown.update(found)
    return pa.concat_tables([table for table, _ in parts] or [table_of(())]), unknown


def _batches(pages: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for page in pages:
        batch.append(page)
        size += len(page)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read_batch(pages: Sequence[bytes]) -> Pages:
    """All pages in one go; where that is refused, page by page, and the refused ones by value."""
    try:
        return _read_fast(pages)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        if len(pages) == 1:
            return _read_by_value(pages[0])
    tables, unknown = [], Counter[str]()
    for page in pages:
        table, found = _read_batch([page])
        tables.append(table)
        unknown.update(found)
    return pa.concat_tables(tables), unknown


def _read_fast(pages: Sequence[bytes]) -> Pages:
    """The pages by arrow's reader.

    Raises `pa.ArrowInvalid` or `UnicodeDecodeError` for whatever it does not take as it is.
    """
    for page in pages:
        brackets = page.count(b"{") + page.count(b"[")
        if brackets > _MAX_BRACKETS or page[:1] != b"{" or not page.rstrip().endswith(b"}"):
            raise pa.ArrowInvalid("not a page for the fast reader")
        if not page.isascii():
            page.decode()  # the reader itself lets bytes pass that are no UTF-8
    whole = b"\n".join(pages)
    read_json = partial(
        pj.read_json,
        read_options=pj.ReadOptions(use_threads=False, block_size=len(whole) + 1),
        # Unknown keys are inferred, not ignored: ignoring loses their number and is no faster.
        parse_options=pj.ParseOptions(explicit_schema=_PAGE, unexpected_field_behavior="infer"),
    )
    read = lend(whole, read_json)
    lists = read.column("items").combine_chunks()
    items = lists.flatten()
    if lists.null_count or items.null_count or len(read) != len(pages):
        raise pa.ArrowInvalid("a page without a list of orders")
    columns = dict(zip((field.name for field in items.type), items.flatten(), strict=True))
    unknown = Counter({name: _present(columns[name]) for name in columns.keys() - FIELDS.keys()})
    capabilities = columns["capabilities"]
    for field, values in zip(capabilities.type, capabilities.flatten(), strict=True):
        if field.name not in CAPABILITIES.names:
            unknown[f"capabilities.{field.name}"] = _present(values)
    for name in ("cc_emails", "verification_call_sids"):
        texts = columns[name].flatten()
        if texts.null_count or pc.any(pc.equal(texts, "")).as_py():
            raise pa.ArrowInvalid("a list with blanks")
    columns["capabilities"] = _known_capabilities(capabilities)
    table = pa.table({name: columns[name] for name in FIELDS})
    return _blank_to_null(table), +unknown


def _present(values: pa.Array) -> int:
    return len(values) - int(values.null_count)


def _known_capabilities(capabilities: pa.StructArray) -> pa.StructArray:
    if capabilities.type == CAPABILITIES:
        return capabilities
    return pa.StructArray.from_arrays(
        [pc.struct_field(capabilities, name) for name in CAPABILITIES.names],
        fields=list(CAPABILITIES),
        mask=capabilities.is_null(),
    )


def _blank_to_null(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        if field.type == pa.string():
            column = table.column(place)
            blank = pc.equal(column, "")
            if pc.any(blank).as_py():
                filled = pc.if_else(blank, pa.scalar(None, pa.string()), column)
                table = table.set_column(place, field, filled)
    return table


# What the fast reader refuses: one page, value by value. Dates in RFC 2822, numbers in quotes and
# the like are what the API's prose and its older replies have.


def _read_by_value(page: bytes) -> Pages:
    try:
        document = orjson.loads(page.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        raise ReplyUnreadable("a page of orders is not JSON.", reason="not-json") from None
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ReplyUnreadable("a page of orders has no list of orders in `items`.", reason="no-items")
    unknown: Counter[str] = Counter()
    for item in items:
        unknown.update(name for name in item.keys() - FIELDS.keys() if item[name] is not None)
        has = item.get("capabilities")
        if isinstance(has, dict):
            names = has.keys() - set(CAPABILITIES.names)
            unknown.update(f"capabilities.{name}" for name in names if has[name] is not None)
    return table_of(items), unknown


def table_of(items: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Orders that are objects already, value by value: what has not the type of its key is missing."""
    return pa.table(
        {
            name: pa.array([_READERS[kind](item.get(name)) for item in items], type=kind)
            for name, kind in FIELDS.items()
        }
    )


def read_text(value: Any) -> str | None:
    """Text, or JSON for what is none; blank is missing."""
    if value is None or isinstance(value, str):
        return value or None
    return orjson.dumps(value, default=str).decode()


def _whole(value: Any) -> int | None:
    """A whole number of 64 bits, written as a number or as text; anything else is missing."""
    if isinstance(value, str) and not re.fullmatch("-?[0-9]{1,19}", value):
        return None
    try:
        number = int(value) if isinstance(value, str) or value == int(value) else None
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < 1 << 63 else None


def _truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return bool(value) if value in (0, 1) else None


def read_time(value: Any) -> datetime | None:
    """A time, or text that is one in either format of the API; anything else is missing."""
    if isinstance(value, datetime):
        return value
    try:
        return read_date(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _texts(value: Any) -> list[str] | None:
    if value is None or isinstance(value, str):
        return [value] if value else None
    if not isinstance(value, (list, tuple)):
        return None
    return [text for text in map(read_text, value) if text is not None]


def _capabilities(value: Any) -> dict[str, bool | None] | None:
    if not isinstance(value, dict):
        return None
    return {name: _truth(value.get(name)) for name in CAPABILITIES.names}


_READERS: Mapping[pa.DataType, Callable[[Any], Any]] = {
    pa.string(): read_text,
    pa.int64(): _whole,
    TIME: read_time,
    CAPABILITIES: _capabilities,
    pa.list_(pa.string()): _texts,
}
