"""Requests and replies are values that show no one's data."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.messages import Reply, Request, read_http_date

PAIRS = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=5).map(tuple)
REQUEST = Request("POST", "/x", query=(("PhoneNumber", "+1501"),), form=(("Email", "t@x.com"), ("A", "1")))


def test_target_and_body_are_percent_encoded() -> None:
    """A plus stays a plus; without a query there is no question mark."""
    assert REQUEST.target() == "/x?PhoneNumber=%2B1501"
    assert REQUEST.body() == b"Email=t%40x.com&A=1"
    assert Request("GET", "/x").target() == "/x"
    assert Request("GET", "/x").body() == b""


@given(PAIRS)
def test_a_form_says_what_it_was_given(pairs: tuple[tuple[str, str], ...]) -> None:
    """Repeated names, blanks and any text that has an encoding."""
    pairs = tuple(pair for pair in pairs if "".join(pair).isprintable())
    body = Request("POST", "/", form=pairs).body().decode("ascii")
    assert tuple(parse_qsl(body, keep_blank_values=True)) == pairs


def test_equal_requests_have_one_fingerprint() -> None:
    """Any difference in method, target or body makes another."""
    others = [
        Request("PUT", "/x", REQUEST.query, REQUEST.form),
        Request("POST", "/y", REQUEST.query, REQUEST.form),
        Request("POST", "/x", (), REQUEST.form),
        Request("POST", "/x", REQUEST.query, ()),
        Request("POST", "/x", REQUEST.query, REQUEST.form[::-1]),
    ]
    prints = {request.fingerprint() for request in (REQUEST, *others)}
    assert len(prints) == 6
    assert Request("POST", "/x", REQUEST.query, REQUEST.form).fingerprint() == REQUEST.fingerprint()
    assert all(len(one) == 64 for one in prints)


def test_the_origin_does_not_change_what_is_asked() -> None:
    """The same question to the same service."""
    assert Request("GET", "/x", origin="https://a").fingerprint() == Request("GET", "/x").fingerprint()


def test_reprs_hide_values_and_bodies() -> None:
    """Names of parameters and sizes are enough to find a fault."""
    assert repr(REQUEST) == "Request(POST /x ['PhoneNumber', 'Email', 'A'])"
    assert repr(Reply(200, {"set-cookie": "s"}, b"t@x.com")) == "Reply(200, 7 bytes)"


def test_messages_do_not_change() -> None:
    """They pass between threads."""
    with pytest.raises(FrozenInstanceError):
        REQUEST.path = "/y"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Reply(200).status = 5  # type: ignore[misc]


def test_a_header_is_found_in_any_case() -> None:
    """By lower-case storage."""
    reply = Reply(200, {"retry-after": "5"})
    assert (reply.header("Retry-After"), reply.header("x")) == ("5", None)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Mon, 05 Jan 2026 15:00:00 GMT", datetime(2026, 1, 5, 15, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 15:00:00 -0000", datetime(2026, 1, 5, 15, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 15:00:00", datetime(2026, 1, 5, 15, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 15:00:00 +0200", datetime(2026, 1, 5, 13, tzinfo=UTC)),
        ("Fri, 31 Dec 9999 23:00:00 -2300", None),
        ("2026-01-05", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_header_is_utc_or_nothing(text: str | None, date: datetime | None) -> None:
    """A date without an offset is UTC wherever this machine stands."""
    assert read_http_date(text) == date
    assert Reply(200, {} if text is None else {"date": text}).date == date


@given(st.text(max_size=40))
def test_no_date_header_crashes(text: str) -> None:
    """Whatever it says."""
    assert isinstance(read_http_date(text), datetime | None)
