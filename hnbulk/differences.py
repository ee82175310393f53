"""Where orders are not as their targets want them, field by field, compared as whole columns.

A blank target wants nothing. Only the rows that differ ever become Python values. This module
decides nothing: what may be done about a difference is the plan's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hnbulk.alike import Alike, Mask, Positions

# What an update may change, and what only a new order can have (reference page, Update).
UPDATABLE = (
    "friendly_name",
    "email",
    "cc_emails",
    "verification_type",
    "verification_document_sid",
    "extension",
    "call_delay",
)
FIXED = ("address_sid", "account_sid")
# An order that shows nothing has these (reference page, properties).
_DEFAULTS = {"verification_type": "phone-call"}
_LISTS = frozenset({"cc_emails", "verification_call_sids"})
_WHOLE_NUMBERS = frozenset({"call_delay"})
#: So many rows of a field are compared at a time, so often at once: each takes memory.
_ROWS, _TOGETHER = 1 << 17, 2


def differing(
    targets: pd.DataFrame, orders: pd.DataFrame, fields: Sequence[str], at: Positions | None = None
) -> dict[str, Mask]:
    """For each of `fields`, the rows where a target wants another value than its order has.

    Row n of `targets` belongs to row `at[n]` of `orders`, or without `at` to row n. Texts count
    without surrounding blanks, lists of addresses as sets.
    """

    starts = range(0, len(targets), _ROWS)
    places = np.arange(len(targets)) if at is None else at
    with ThreadPoolExecutor(_TOGETHER) as pool:  # arrow's work needs no interpreter

        def one(name: str) -> Mask:
            wanted, actual = targets[name], orders[name]
            known = _known(name, actual)

            def compare(start: int) -> Mask:
                rows = slice(start, start + _ROWS)
                return _differs(name, wanted.iloc[rows], actual, known, places[rows])

            return np.concatenate([np.zeros(0, dtype=np.bool_), *pool.map(compare, starts)])

        return {name: one(name) for name in fields}


def any_of(masks: dict[str, Mask], length: int) -> Mask:
    """The rows where at least one field differs."""
    both: Mask = np.zeros(length, dtype=np.bool_)
    for mask in masks.values():
        both |= mask
    return both


def values(frame: pd.DataFrame, name: str) -> list[Any]:
    """A column as JSON-ready values: stripped text, list, whole number; blank is None."""
    column = frame[name]
    if name in _LISTS:
        return [list(cell) if cell else None for cell in _lists(column)]
    if name in _WHOLE_NUMBERS:
        return [None if pd.isna(cell) else int(cell) for cell in column.tolist()]
    return [cell or None for cell in _texts(column).to_pylist()]


def as_found(frame: pd.DataFrame, name: str) -> list[Any]:
    """A column of orders exactly as the service shows it, to be found again before a change is sent.

    Texts keep their blanks; no list is an empty list and no number is 0, as in `models.Order`.
    """
    column = frame[name]
    if name in _LISTS:
        return [list(cell or ()) for cell in _lists(column)]
    if name in _WHOLE_NUMBERS:
        return [int(cell) for cell in column.fillna(0).tolist()]
    return [None if pd.isna(cell) or cell == "" else str(cell) for cell in column.tolist()]


def records(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Row by row, the fields that are not blank."""
    columns = [values(frame, name) for name in names]
    for cells in zip(*columns, strict=True) if columns else ((),) * len(frame):
        yield {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None}


def arrow_texts(column: pd.Series[Any]) -> Any:
    """A column as arrow's strings, missing ones missing."""
    return _whole(pa.array(column.astype("string"), type=pa.string(), from_pandas=True))


def _differs(name: str, wanted: pd.Series[Any], actual: pd.Series[Any], known: Any, at: Positions) -> Mask:
    asked: Mask = wanted.notna().to_numpy(dtype=np.bool_)
    if not asked.any():
        return asked
    # what is the same as it stands needs no closer look, and nearly all is
    places = np.flatnonzero(asked & ~_same(wanted, known, at))
    differs: Mask = np.zeros(len(wanted), dtype=np.bool_)
    if len(places):
        differs[places] = _differ(name, wanted.iloc[places], actual.iloc[at[places]])
    return differs


def _known(name: str, actual: pd.Series[Any]) -> npt.NDArray[np.int64] | Alike | None:
    """What is there, to be held against; None for lists that are no arrow's."""
    if name in _WHOLE_NUMBERS:
        return _whole_numbers(actual)
    column = _as_arrow(actual)
    return None if column is None else Alike(_joined(column))


def _same(wanted: pd.Series[Any], known: npt.NDArray[np.int64] | Alike | None, at: Positions) -> Mask:
    """The rows that are surely alike; of others nothing is said."""
    if isinstance(known, np.ndarray):
        return np.asarray(wanted.to_numpy(dtype=np.int64, na_value=-1) == known[at], dtype=np.bool_)
    one = _as_arrow(wanted)
    if one is None or known is None:
        return np.zeros(len(wanted), dtype=np.bool_)
    texts = _joined(one)
    return known.same(texts.cast(pa.string()) if pa.types.is_dictionary(texts.type) else texts, at)


def _joined(column: Any) -> Any:
    """The column; lists as texts, their parts with a sign between them that is in no address."""
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return column
    single = not column.null_count and (np.diff(column.offsets.to_numpy()) == 1).all()
    return column.flatten() if single else pc.binary_join(column, "\x00")


def _differ(name: str, wanted: pd.Series[Any], actual: pd.Series[Any]) -> Mask:
    if name in _LISTS:
        pairs = zip(_lists(wanted), _lists(actual), strict=True)
        return np.array([bool(w) and w != a and set(w or ()) != set(a or ()) for w, a in pairs], np.bool_)
    if name in _WHOLE_NUMBERS:
        other: Mask = _whole_numbers(wanted) != _whole_numbers(actual)
        return wanted.notna().to_numpy(dtype=np.bool_) & other
    want, have_text = _texts(wanted), _texts(actual)
    if name in _DEFAULTS:
        have_text = pc.if_else(pc.equal(have_text, ""), _DEFAULTS[name], have_text)
    differs = pc.and_(pc.not_equal(want, ""), pc.not_equal(want, have_text))
    return np.asarray(differs, dtype=np.bool_)


def _whole_numbers(column: pd.Series[Any]) -> npt.NDArray[np.int64]:
    """A column of whole numbers; a missing one is 0."""
    return column.to_numpy(dtype=np.int64, na_value=0)


def _as_arrow(column: pd.Series[Any]) -> Any:
    """A column as arrow has it: strings, the codes of a category, lists; None for lists that are no
    arrow's."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pa.array(column.array)
    if isinstance(column.dtype, pd.ArrowDtype):
        return _whole(column.array.__arrow_array__())
    return None if column.name in _LISTS else arrow_texts(column)


def _whole(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _texts(column: pd.Series[Any]) -> Any:
    return pc.fill_null(pc.utf8_trim_whitespace(arrow_texts(column)), "")


def _lists(column: pd.Series[Any]) -> list[list[str] | None]:
    """A list column as Python lists; None where it is missing."""
    if isinstance(column.dtype, pd.ArrowDtype):
        given: list[list[str] | None] = column.array.__arrow_array__().to_pylist()
        return given
    return [list(cell) if isinstance(cell, (list, tuple, np.ndarray)) else None for cell in column]
