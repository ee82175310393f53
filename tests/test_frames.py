"""Every frame has its columns and dtypes, whatever went in."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pytest

from hnbulk import frames
from hnbulk.lifecycle import ORDER, UnknownStatusWarning
from hnbulk.models import Order

SID = "HR" + "0" * 32
ITEM: dict[str, Any] = {
    "sid": SID,
    "account_sid": "AC" + "0" * 32,
    "incoming_phone_number_sid": "PN" + "0" * 32,
    "address_sid": "AD" + "0" * 32,
    "signing_document_sid": None,
    "phone_number": "+14155550100",
    "capabilities": {"sms": True, "voice": False},
    "friendly_name": "Montréal",
    "unique_name": "hn1-a",
    "status": "pending-verification",
    "failure_reason": "",
    "date_created": "2017-03-28T20:06:39Z",
    "date_updated": "2017-03-28T20:06:39Z",
    "verification_attempts": 1,
    "email": "a@example.com",
    "cc_emails": ["b@example.com"],
    "url": "https://preview.twilio.com/HostedNumbers/HostedNumberOrders/" + SID,
    "verification_type": "phone-call",
    "verification_document_sid": None,
    "extension": "0012",
    "call_delay": 15,
    "verification_code": "0123",
    "verification_call_sids": None,
}
TEXT = pd.StringDtype("pyarrow", na_value=pd.NA)
TEXT_LIST = pd.ArrowDtype(pa.list_(pa.string()))
TIME = pd.DatetimeTZDtype("us", "UTC")


def page(*items: dict[str, Any]) -> bytes:
    return orjson.dumps({"meta": {"key": "items"}, "items": items})


def orders(*changes: dict[str, Any]) -> pd.DataFrame:
    """The frame of one page with an order for each of `changes`."""
    return frames.orders_frame(
        [page(*({**ITEM, "sid": f"HR{n}", **change} for n, change in enumerate(changes)))]
    )


@pytest.mark.parametrize("frame", [orders({}), frames.empty_orders(), frames.orders_frame([])])
def test_orders_have_their_columns_and_dtypes(frame: pd.DataFrame) -> None:
    """With rows and without, as the data contract says."""
    assert tuple(frame.columns) == frames.ORDER_COLUMNS
    dtypes = frame.dtypes.to_dict()
    assert {name for name, dtype in dtypes.items() if dtype == TEXT} >= {"sid", "phone_number", "extension"}
    assert dtypes["status"] == frames.status_dtype()
    assert dtypes["date_created"] == dtypes["date_updated"] == TIME
    assert dtypes["call_delay"] == dtypes["verification_attempts"] == "Int64"
    assert dtypes["sms"] == dtypes["voice"] == "boolean"
    assert dtypes["cc_emails"] == dtypes["verification_call_sids"] == TEXT_LIST
    assert str(dtypes["verification_type"]) == "category"


def test_texts_stay_texts() -> None:
    """Leading zeros of codes and extensions are kept; blank and null are both missing."""
    row = orders({}).iloc[0]
    assert (row["extension"], row["verification_code"], row["call_delay"]) == ("0012", "0123", 15)
    assert pd.isna(row["failure_reason"])
    assert pd.isna(row["signing_document_sid"])
    assert row["date_created"] == datetime(2017, 3, 28, 20, 6, 39, tzinfo=UTC)


def test_statuses_are_in_funnel_order() -> None:
    """Sorting by status is sorting by stage; an underscore is a hyphen."""
    frame = orders({"status": "completed"}, {"status": "received"}, {"status": "action_required"})
    assert frame["status"].sort_values().tolist() == ["received", "completed", "action-required"]
    assert (frame["status"] >= "completed").sum() == 2


def test_an_unknown_status_warns_and_stays() -> None:
    """Behind the known ones, and only its own order has it."""
    with pytest.warns(UnknownStatusWarning, match="on-hold"):
        frame = orders({"status": "on-hold"}, {"status": "received"}, {"status": None})
    assert frame["status"].cat.categories.tolist() == [*ORDER, "on-hold"]
    assert frame["status"].tolist()[:2] == ["on-hold", "received"]
    assert frame["status"].isna().tolist() == [False, False, True]


def test_a_status_of_both_spellings_is_one() -> None:
    """Two pages, two spellings, one category."""
    frame = frames.orders_frame(
        [page({**ITEM, "sid": f"HR{n}", "status": s}) for n, s in enumerate(("pending_loa", "pending-loa"))]
    )
    assert frame["status"].tolist() == ["pending-loa"] * 2


def test_further_capabilities_stand_behind_voice_where_an_order_has_them() -> None:
    """`mms` and `fax` are columns only then."""
    frame = orders(
        {}, {"capabilities": {"sms": True, "voice": False, "mms": False}}, {"capabilities": None}
    )
    assert frame.columns.tolist()[20:24] == ["sms", "voice", "mms", "cc_emails"]
    assert frame["mms"].tolist() == [pd.NA, False, pd.NA]
    assert frame["sms"].isna().tolist() == [False, False, True]


def test_an_order_on_two_pages_counts_once_as_read_last() -> None:
    """A list that moves while it is read shows an order twice."""
    first, second = page({**ITEM, "status": "received"}), page({**ITEM, "status": "verified"})
    assert frames.orders_frame([first, second])["status"].tolist() == ["verified"]


def test_unknown_keys_are_counted_and_kept_out() -> None:
    """The frame says how many orders had each."""
    frame = orders({"next_step": "x"}, {"next_step": "y"}, {})
    assert frame.attrs["unknown_keys"] == {"next_step": 2}
    assert tuple(frame.columns) == frames.ORDER_COLUMNS


def test_other_verification_types_stay() -> None:
    """The two known ones come first."""
    frame = orders({}, {"verification_type": "carrier-pin"}, {"verification_type": ""})
    assert frame["verification_type"].cat.categories.tolist() == ["phone-call", "phone-bill", "carrier-pin"]
    assert frame["verification_type"].isna().tolist() == [False, False, True]


def test_models_and_pages_give_the_same_frame() -> None:
    """An order read one by one is the row it would be in a list, but for lists that were null."""
    one = frames.orders_from([Order.model_validate(ITEM)]).drop(columns="verification_call_sids")
    listed = frames.orders_frame([page(ITEM)]).drop(columns="verification_call_sids")
    pd.testing.assert_frame_equal(one, listed)


def test_targets_have_their_dtypes_with_rows_and_without() -> None:
    """Blank and absent are missing."""
    frame = frames.targets_frame([{"row": 2, "phone_number": "+1", "cc_emails": ["a"], "email": ""}])
    for each in (frame, frames.targets_frame([])):
        assert tuple(each.columns) == frames.TARGET_COLUMNS
        assert (each["row"].dtype, each["call_delay"].dtype) == ("Int64", "Int64")
        assert each["cc_emails"].dtype == TEXT_LIST
        assert each["email"].dtype == TEXT
    assert frame[["email", "call_delay", "sms_url"]].isna().all(axis=None)


def test_events_are_read_from_texts_and_times() -> None:
    """Times are UTC, sources a category, statuses ordered; unknown statuses stay."""
    event = {"order_sid": SID, "phone_number": "+1", "status": "new-one", "source": "poll", "attempt": 1}
    times = {"seen_at": "2026-01-05T15:00:00+00:00", "not_before": datetime(2026, 1, 5, 9, tzinfo=UTC)}
    frame = frames.events_frame([{**event, **times}])
    for each in (frame, frames.empty_events()):
        assert tuple(each.columns) == frames.EVENT_COLUMNS
        assert each["seen_at"].dtype == each["not_before"].dtype == TIME
    assert frame["status"].tolist() == ["new-one"]
    assert (frame["seen_at"] - frame["not_before"]).dt.total_seconds().tolist() == [6 * 3600.0]


def test_problems_have_a_severity_that_sorts_errors_first() -> None:
    """Error before warning."""
    frame = frames.problems_frame([{"row": 1, "severity": "warning"}, {"row": 2, "severity": "error"}])
    assert tuple(frame.columns) == frames.PROBLEM_COLUMNS
    assert frame.sort_values("severity")["row"].tolist() == [2, 1]


def test_records_are_plain_json() -> None:
    """Missing is null, a list a list, a time ISO 8601."""
    (record,) = json.loads(json.dumps(frames.records_of(orders({}))))
    assert record["date_created"] == "2017-03-28T20:06:39+00:00"
    assert (record["sms"], record["failure_reason"], record["cc_emails"]) == (True, None, ["b@example.com"])
    assert frames.records_of(frames.empty_orders()) == []


@pytest.mark.parametrize("frame", [orders({}, {"status": "verified"}), frames.empty_events()])
def test_a_frame_survives_a_parquet_file(frame: pd.DataFrame) -> None:
    """Columns and values come back, in whatever reads the file."""
    again = pd.read_parquet(io.BytesIO(frames.parquet_bytes(frame)))
    assert again.columns.tolist() == frame.columns.tolist()
    assert again["status"].tolist() == frame["status"].tolist()
    assert again["phone_number"].tolist() == frame["phone_number"].tolist()
