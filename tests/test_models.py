"""Orders and letters are read tolerantly and shown discreetly."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hnbulk.lifecycle import UnknownStatusWarning
from hnbulk.models import Letter, Order, UnreadableDateWarning, mask, mask_email, mask_phone, read_date

FULL: dict[str, Any] = json.loads((Path(__file__).parent / "samples" / "fetch.json").read_bytes())


def order(**changes: Any) -> Order:
    """The fetched order of the reference page, changed."""
    return Order.model_validate({**FULL, **changes})


def test_every_key_of_the_reference_page_has_a_field() -> None:
    """Twenty-three, and no field the page does not know."""
    assert set(Order.model_fields) == set(FULL)
    assert len(FULL) == 23


def test_the_order_of_the_reference_page_is_what_it_says() -> None:
    """Texts stay text: codes and extensions keep their zeros."""
    read = order(verification_code="0123", extension="007")
    assert (read.verification_code, read.extension, read.call_delay) == ("0123", "007", 15)
    assert read.cc_emails == ("aaa@twilio.com", "bbb@twilio.com")
    assert read.capabilities == {"sms": True, "voice": False}
    assert read.date_created == datetime(2017, 3, 28, 20, 6, 39, tzinfo=UTC)
    assert read.live


def test_empty_and_null_are_both_nothing() -> None:
    """For texts, lists, numbers, flags and dates; missing keys too."""
    nulls = {name: None for name in FULL if name not in ("sid", "status")}
    bare = {"sid": FULL["sid"], "status": "received"}
    assert order(**nulls) == Order.model_validate(bare)
    assert order(email="", failure_reason="", date_created="").email is None
    assert order(capabilities={"sms": True, "mms": None}).capabilities == {"sms": True}


def test_unknown_keys_are_left_out() -> None:
    """A new field of the service breaks nothing."""
    assert order(next_step="call") == order()


def test_a_status_in_prose_spelling_is_known() -> None:
    """`action_required` is `action-required`."""
    assert order(status="action_required").status == "action-required"
    assert not order(status="failed").live


def test_an_unknown_status_stays_and_warns() -> None:
    """It loads and counts as live."""
    with pytest.warns(UnknownStatusWarning, match="hibernating"):
        assert order(status="hibernating").live


@pytest.mark.parametrize("bad", ["soon", "0001-01-01T00:00:00+23:00", 5, True, ["2017-03-28"]])
def test_a_date_that_is_none_is_left_out_and_warns(bad: Any) -> None:
    """The order is the same but for it."""
    with pytest.warns(UnreadableDateWarning):
        assert order(date_created=bad) == order(date_created=None)


@pytest.mark.parametrize("change", [{"status": None}, {"sid": None}, {"email": 5}])
def test_what_cannot_be_read_is_an_error_that_shows_no_input(change: dict[str, Any]) -> None:
    """The message has no value in it."""
    with pytest.raises(ValidationError) as caught:
        order(**change)
    assert "input_value" not in str(caught.value)


def test_a_repr_shows_nobody() -> None:
    """Neither numbers, names, addresses, codes nor extensions."""
    shown = repr(order()) + str(order())
    for secret in ("4153608311", "test@", "aaa@", "8794", "5105", "friendly_name", "foobar"):
        assert secret not in shown
    assert FULL["sid"] in shown


def test_a_letter_is_read() -> None:
    """Its nine keys, tolerantly."""
    body = {"sid": "PX" + "1" * 32, "status": "signing", "cc_emails": None, "links": {}, "email": "s@x.com"}
    letter = Letter.model_validate(body)
    assert (letter.status, letter.cc_emails, letter.email) == ("signing", (), "s@x.com")
    assert "s@x.com" not in repr(letter)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+15017122661", "+1501***2661"),
        ("+442071838750", "+4***50"),
        ("5017122661", "50***61"),
        ("", "***"),
    ],
)
def test_a_number_is_masked(text: str, shown: str) -> None:
    """Enough to find it in one's own file."""
    assert mask_phone(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("test@twilio.com", "t***@t***"), ("a@b", "a***@b***"), ("nobody", "***"), ("@", "***@***")],
)
def test_an_address_is_masked(text: str, shown: str) -> None:
    """One letter on each side."""
    assert mask_email(text) == shown


@given(st.text())
def test_a_mask_never_shows_more_than_four_characters(text: str) -> None:
    """Short values show nothing."""
    assert len(mask(text).replace("***", "", 1)) in ({0} if len(text) <= 6 else {4})


@pytest.mark.parametrize(
    "text",
    [
        "2017-03-28T20:06:39Z",
        "2017-03-28T20:06:39+00:00",
        "2017-03-28T20:06:39.000Z",
        "2017-03-28T22:06:39+02:00",
        "2017-03-28T20:06:39",
        "Tue, 28 Mar 2017 20:06:39 +0000",
        "Tue, 28 Mar 2017 20:06:39 GMT",
        "Tue, 28 Mar 2017 20:06:39 -0000",
    ],
)
def test_both_formats_of_the_api_are_the_same_moment(text: str) -> None:
    """ISO 8601 as in the examples, RFC 2822 as in the prose."""
    assert read_date(text) == datetime(2017, 3, 28, 20, 6, 39, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "soon", "28/03/2017", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"]
)
def test_no_date_is_a_value_error(text: str) -> None:
    """Also a moment outside of the calendar."""
    with pytest.raises(ValueError):
        read_date(text)


@given(st.text(max_size=40))
def test_no_text_crashes_the_reading_of_dates(text: str) -> None:
    """A date in UTC or `ValueError`."""
    with suppress(ValueError):
        assert read_date(text).utcoffset() is not None
