"""A message of the service keeps its sense and loses the people in it."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.errors import ReplyUnreadable
from hnbulk.messages import Reply
from hnbulk.replies import MESSAGE_LENGTH, read_error, read_object, read_retry_after, scrub

DATE = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
SID = "HR0123456789abcdef0123456789ABCDEF"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Too Many Requests", "Too Many Requests"),
        ("see error 20404", "see error 20404"),
        ("between 0 and 60", "between 0 and 60"),
        (f"The requested resource /HostedNumbers/HostedNumberOrders/{SID} was not found",) * 2,
        ("number +15017122661 is taken", "number +1501***2661 is taken"),
        ("number 15017122661 is taken", "number +1501***2661 is taken"),
        ("(501) 712-2661", "50***61"),
        ("?PhoneNumber=%2B15017122661", "?PhoneNumber=+1501***2661"),
        ("+１５０１７１２２６６１", "１５***６１"),
        ("mail test@twilio.com now", "mail t***@t*** now"),
        ("mail test%40twilio.com now", "mail t***@t*** now"),
        ("code 310001 is wrong", "code *** is wrong"),
        ("a\nb\r\tc\x00d\x1b[31me\u202ef\u2066g\u200bh\u2028i", "a b c d [31me f g h i"),
    ],
)
def test_a_message_is_scrubbed(text: str, shown: str) -> None:
    """Numbers, addresses and codes are masked, sids and API codes stay, one line remains."""
    assert scrub(text) == shown


def test_a_long_message_is_cut() -> None:
    """Two hundred characters, whatever comes, and quickly."""
    assert len(scrub("x" * 9_000_000)) == MESSAGE_LENGTH
    assert len(scrub("a." * 5_000 + "@")) <= MESSAGE_LENGTH


@given(st.text(max_size=100), st.text(max_size=100))
def test_no_number_or_address_survives(before: str, after: str) -> None:
    """Whatever stands around them."""
    shown = scrub(f"{before} +15017122661 {after} jane.doe@example.com {before}")
    assert "7122661" not in shown
    assert "jane.doe" not in shown


@given(st.text(max_size=300))
def test_nothing_invisible_survives(text: str) -> None:
    """No control, format or line separating character is kept."""
    kinds = {unicodedata.category(char) for char in scrub(text)}
    assert kinds.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_an_error_in_a_reply_is_scrubbed() -> None:
    """What is kept of an error names nobody."""
    body = b'{"code": 22110, "message": "+15017122661 is\\u001b[2J owned"}'
    assert read_error(Reply(400, {}, body)).message == "+1501***2661 is [2J owned"


@pytest.mark.parametrize(
    "code", ["true", "-1", "1000000", "18446744073709551615", "22110.0", '"22110"', "null"]
)
def test_a_number_that_cannot_be_a_code_is_none(code: str) -> None:
    """The journal keeps codes, and takes no number of any size."""
    assert read_error(Reply(400, {}, b'{"code": %b}' % code.encode())).code is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("-5", 0.0),
        ("1000000000", 1e9),
        ("5, 10", 10.0),
        ("Mon, 05 Jan 2026 15:00:30 GMT", 30.0),
        ("Mon, 05 Jan 2026 15:00:30 -0000", 30.0),
        ("Mon, 05 Jan 2026 14:00:00 GMT", 0.0),
        ("soon", None),
        ("NaN", None),
        ("inf", None),
        ("1e9", None),
        ("1.5", None),
        ("5, soon", None),
        ("５", None),
        ("9" * 400, None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_nothing(value: str | None, seconds: float | None) -> None:
    """Whole seconds or an HTTP date against the reply's own; anything else says nothing."""
    assert read_retry_after(value, DATE) == seconds


def test_a_date_needs_the_replys_own_date() -> None:
    """Our clock is not asked."""
    assert read_retry_after("Mon, 05 Jan 2026 15:00:30 GMT", None) is None
    assert read_retry_after("7", None) == 7.0


@given(st.text(max_size=60))
def test_no_retry_after_crashes(value: str) -> None:
    """Never negative, never raises."""
    seconds = read_retry_after(value, DATE)
    assert seconds is None or seconds >= 0


texts = st.text(st.sampled_from('ab":\\ \t{}[],'), max_size=6)
bodies = st.recursive(
    st.none() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
layouts = st.sampled_from([(",", ":"), (", ", ": "), (",", " : "), ("\n,", "\t:\n")])


@given(st.dictionaries(texts, bodies, max_size=4), layouts)
def test_an_object_is_read_however_it_is_written(value: dict[str, object], layout: tuple[str, str]) -> None:
    """Names and values full of quotes, colons and blanks, blanks between or not: none is refused."""
    body = json.dumps(value, separators=layout).encode()
    assert read_object(Reply(200, body=body)) == value


@given(
    st.dictionaries(texts, bodies, min_size=1, max_size=4),
    layouts,
    st.data(),
    st.sampled_from(['{{"x":{0}}}', '{{"x":[1,{0}],"y":2}}', "{0}"]),
)
def test_a_repeated_name_is_found_wherever_it_is(
    value: dict[str, object], layout: tuple[str, str], data: st.DataObject, around: str
) -> None:
    """At the top, inside, in a list; beside whatever else: the object is refused."""
    name = data.draw(st.sampled_from(sorted(value)))
    again = json.dumps({name: data.draw(bodies)}, separators=layout)
    whole = json.dumps(value, separators=layout)
    body = around.format(f"{whole[:-1]}{layout[0]}{again[1:]}").encode()
    with pytest.raises(ReplyUnreadable, match="repeats a name"):
        read_object(Reply(200, body=body))
