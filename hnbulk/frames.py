"""The one home of columns and dtypes: orders, targets, problems and events as typed tables.

Whatever becomes a frame gets its columns here, also where there is no row; text stays text and
missing is missing. This module sends nothing, knows no file and asks no clock.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hnbulk import lifecycle
from hnbulk.models import Order
from hnbulk.orderpages import (
    CAPABILITIES,
    FIELDS,
    SURE_CAPABILITIES,
    TEXTS,
    TIME,
    read_pages,
    read_text,
    read_time,
    table_of,
)
from hnbulk.results import ERROR_CLASSES

#: The orders frame: the keys of the API, `capabilities` as one column each.
ORDER_COLUMNS: tuple[str, ...] = (
    *TEXTS,
    "status",
    "verification_type",
    "date_created",
    "date_updated",
    "verification_attempts",
    "call_delay",
    *SURE_CAPABILITIES,
    "cc_emails",
    "verification_call_sids",
)
#: The targets frame: the file row, then what a person may want of a number.
TARGET_COLUMNS: tuple[str, ...] = (
    "row",
    "phone_number",
    "friendly_name",
    "unique_name",
    "cc_emails",
    "email",
    "address_sid",
    "sms_url",
    "sms_method",
    "sms_fallback_url",
    "sms_fallback_method",
    "status_callback_url",
    "status_callback_method",
    "sms_application_sid",
    "verification_type",
    "verification_document_sid",
    "account_sid",
    "extension",
    "call_delay",
)
#: The problems frame: one row a fault; `value` is masked.
PROBLEM_COLUMNS: tuple[str, ...] = ("row", "column", "code", "value", "message", "suggestion", "severity")
#: The events frame: one row a status seen; the change happened in `(not_before, seen_at]`.
EVENT_COLUMNS: tuple[str, ...] = (
    "order_sid",
    "phone_number",
    "status",
    "seen_at",
    "not_before",
    "source",
    "attempt",
    "run_id",
)
#: The runs frame: one row a run; `steps` all of a plan's, `ended` those that have an outcome.
RUN_COLUMNS: tuple[str, ...] = (
    "run_id",
    "kind",
    "state",
    "checksum",
    "input_name",
    "made_at",
    "steps",
    "ended",
    "note",
)
#: The findings frame: one row a number that an audit found not to be as the journal says.
FINDING_COLUMNS: tuple[str, ...] = (
    "kind",
    "step",
    "row",
    "phone_number",
    "sid",
    "others",
    "message",
    "next_step",
)
#: The drift frame: one row an order that is not as a plan saw it.
DRIFT_COLUMNS: tuple[str, ...] = ("row", "sid", "code", "message", "stands")
#: How ownership is verified (reference page, VerificationType); other values stay, behind these.
VERIFICATION_TYPES = ("phone-call", "phone-bill")
SEVERITIES = ("error", "warning")
SOURCES = ("callback", "poll", "own")

# `Any`: the stubs do not know that pandas' dtypes take arrow's arrays (`__from_arrow__`).
_TEXT: Any = pd.StringDtype("pyarrow", na_value=pd.NA)
_WHOLE: Any = pd.Int64Dtype()
_TRUTH: Any = pd.BooleanDtype()
_TIME = pd.DatetimeTZDtype("us", "UTC")
_TEXT_LIST = pd.ArrowDtype(pa.list_(pa.string()))


def status_dtype(extra: Iterable[str] = ()) -> pd.CategoricalDtype:
    """Statuses in funnel order; unknown ones (`extra`) sorted behind the known."""
    unknown = sorted(set(extra) - set(lifecycle.ORDER))
    return pd.CategoricalDtype([*lifecycle.ORDER, *unknown], ordered=True)


def orders_frame(pages: Iterable[bytes]) -> pd.DataFrame:
    """The orders of these list pages, one row an order, columns and dtypes as `ORDER_COLUMNS` say.

    Each page is the body of one reply that `wire` could read. `mms` and `fax` stand behind
    `voice` where an order has them. An order that two pages show counts once, as read last.
    Unknown keys are kept out; `attrs["unknown_keys"]` says how many orders had a value in each.
    An unknown status warns (`UnknownStatusWarning`) and stays, behind the known ones. Raises
    `ReplyUnreadable` for a page that is not a JSON object with a list of objects in `items`.
    """
    table, unknown = read_pages(pages)
    return _to_frame(table, dict(sorted(unknown.items())))


def orders_from(orders: Iterable[Order]) -> pd.DataFrame:
    """A small number of orders as the same frame."""
    items = [order.model_dump(mode="python") for order in orders]
    return _to_frame(table_of(items), {})


def empty_orders() -> pd.DataFrame:
    """The orders frame without a row."""
    return _to_frame(table_of(()), {})


def targets_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Targets as a typed frame of `TARGET_COLUMNS`; what a record lacks or has blank is missing."""
    dtypes: dict[str, Any] = dict.fromkeys(TARGET_COLUMNS, _TEXT)
    dtypes.update(row=_WHOLE, call_delay=_WHOLE, cc_emails=_TEXT_LIST)
    return _typed(records, dtypes)


def targets_of(rows: npt.NDArray[np.int64], columns: Mapping[str, pa.Array]) -> pd.DataFrame:
    """The same frame of these row numbers and whole columns, as long as they; a field that has none is
    missing in every row."""
    blank = pa.nulls(len(rows))
    frame: dict[str, Any] = {"row": pd.array(rows, dtype=_WHOLE)}
    for name in TARGET_COLUMNS[1:]:
        column = columns.get(name, blank)
        kind = {"call_delay": pa.int64(), "cc_emails": pa.list_(pa.string())}.get(name, pa.string())
        frame[name] = _column(pa.chunked_array([column.cast(kind)]))
    return pd.DataFrame(frame)


def problems_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Problems as a typed frame of `PROBLEM_COLUMNS`, in the order given."""
    dtypes: dict[str, Any] = dict.fromkeys(PROBLEM_COLUMNS, _TEXT)
    dtypes.update(row=_WHOLE, severity=pd.CategoricalDtype([*SEVERITIES], ordered=True))
    return _typed(records, dtypes)


def events_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Events as a typed frame of `EVENT_COLUMNS`, in the order given.

    Times are `datetime` or ISO 8601 text; unknown statuses stay, behind the known ones.
    """
    records = list(records)
    dtypes: dict[str, Any] = dict.fromkeys(EVENT_COLUMNS, _TEXT)
    dtypes.update(
        status=status_dtype(record["status"] for record in records if record.get("status")),
        seen_at=_TIME,
        not_before=_TIME,
        source=pd.CategoricalDtype([*SOURCES]),
        attempt=_WHOLE,
    )
    return _typed(records, dtypes)


def runs_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Runs as a typed frame of `RUN_COLUMNS`, in the order given."""
    dtypes: dict[str, Any] = dict.fromkeys(RUN_COLUMNS, _TEXT)
    dtypes.update(made_at=_TIME, steps=_WHOLE, ended=_WHOLE)
    return _typed(records, dtypes)


def findings_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Findings of an audit as a typed frame of `FINDING_COLUMNS`, in the order given."""
    dtypes: dict[str, Any] = dict.fromkeys(FINDING_COLUMNS, _TEXT)
    dtypes.update(step=_WHOLE, row=_WHOLE, others=_TEXT_LIST)
    return _typed(records, dtypes)


def drift_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Drift of a plan as a typed frame of `DRIFT_COLUMNS`, in the order given."""
    dtypes: dict[str, Any] = dict.fromkeys(DRIFT_COLUMNS, _TEXT)
    dtypes.update(row=_WHOLE, stands=_TRUTH)
    return _typed(records, dtypes)


def classes_frame(rows: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """Error classes as a typed frame: `class`, how many `rows` are of it, what a retry means."""
    dtypes: dict[str, Any] = {"class": _TEXT, "rows": _WHOLE, "meaning": _TEXT}
    records = (
        {"class": name, "rows": len(own), "meaning": ERROR_CLASSES[name]} for name, own in rows.items()
    )
    return _typed(records, dtypes)


def empty_events() -> pd.DataFrame:
    """The events frame without a row."""
    return events_frame(())


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain dicts for JSON: missing is None, lists are lists, dates ISO 8601 text."""
    columns = {str(name): [_plain(cell) for cell in frame[name].tolist()] for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    """A frame as a Parquet file that any reader takes, `pandas.read_parquet` without options too.

    pandas' own note on its dtypes is left out: it cannot read back its lists of text by it.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


# Arrow to pandas, column by column and without a detour over objects.


def _to_frame(table: pa.Table, unknown: dict[str, int]) -> pd.DataFrame:
    capabilities = table.column("capabilities").combine_chunks()
    columns: dict[str, Any] = {}
    for name in ORDER_COLUMNS:
        if name == "status":
            columns[name] = _statuses(table.column(name))
        elif name == "sms":
            columns.update(_capability_columns(capabilities))
        elif name in FIELDS:
            columns[name] = _column(table.column(name), category=name == "verification_type")
    frame = pd.DataFrame(columns)
    again = frame["sid"].notna() & frame["sid"].duplicated(keep="last")
    if again.any():
        frame = frame[~again].reset_index(drop=True)
    frame.attrs["unknown_keys"] = unknown
    return frame


def _capability_columns(capabilities: pa.Array) -> dict[str, Any]:
    fields = {name: pc.struct_field(capabilities, name) for name in CAPABILITIES.names}
    return {
        name: _TRUTH.__from_arrow__(values)
        for name, values in fields.items()
        if name in SURE_CAPABILITIES or values.null_count < len(values)
    }


def _column(values: pa.ChunkedArray, *, category: bool = False) -> Any:
    if category:
        return _categories(values, None)
    if values.type == pa.string():
        return _TEXT.__from_arrow__(values)
    if values.type == pa.int64():
        return _WHOLE.__from_arrow__(values)
    if values.type == TIME:
        plain = values.cast(pa.timestamp("us")).to_numpy()
        return pd.DatetimeIndex(plain).tz_localize("UTC").array
    return pd.array(values, dtype=_TEXT_LIST)


def _statuses(values: pa.ChunkedArray) -> pd.Categorical:
    # "action_required" stands in the prose for "action-required" (reference page, status table)
    values = pc.replace_substring(values, "_", "-")
    names = [name for name in pc.unique(values).to_pylist() if name is not None]
    for name in names:
        lifecycle.note_unknown(name)
    return _categories(values, status_dtype(names))


def _categories(values: pa.ChunkedArray, dtype: pd.CategoricalDtype | None) -> pd.Categorical:
    encoded = pc.dictionary_encode(values).combine_chunks()
    names = encoded.dictionary.to_pylist()
    if dtype is None:
        dtype = pd.CategoricalDtype([*VERIFICATION_TYPES, *sorted(set(names) - set(VERIFICATION_TYPES))])
    places = pa.array(dtype.categories.get_indexer(pd.Index(names, dtype="str")), type=pa.int32())
    codes = pc.fill_null(pc.take(places, encoded.indices), -1)
    return pd.Categorical.from_codes(codes.to_numpy(zero_copy_only=False), dtype=dtype)


def _typed(records: Iterable[Mapping[str, Any]], dtypes: Mapping[str, Any]) -> pd.DataFrame:
    records = list(records)
    return pd.DataFrame(
        {name: _array([record.get(name) for record in records], dtype) for name, dtype in dtypes.items()}
    )


def _array(values: list[Any], dtype: Any) -> Any:
    if dtype == _TIME:
        return _column(pa.chunked_array([pa.array(list(map(read_time, values)), type=TIME)]))
    if dtype == _TEXT_LIST:
        lists = [list(value) if value else None for value in values]
        return pd.array(pa.array(lists, type=pa.list_(pa.string())), dtype=_TEXT_LIST)
    if dtype == _TEXT:
        return _TEXT.__from_arrow__(pa.array([read_text(value) for value in values], type=pa.string()))
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical(values, dtype=dtype)
    return pd.array(values, dtype=dtype)


def _plain(cell: Any) -> Any:
    if isinstance(cell, (list, tuple)):
        return list(cell)
    if pd.isna(cell):
        return None
    if isinstance(cell, datetime):
        return cell.isoformat()
    return cell
