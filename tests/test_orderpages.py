"""Pages read in one go and pages read value by value give the same table."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnbulk.errors import ReplyUnreadable
from hnbulk.orderpages import _read_by_value, _read_fast, read_pages


def page(*items: Any, **more: Any) -> bytes:
    """A list page of these orders."""
    return orjson.dumps({"meta": {"key": "items"}, "items": list(items), **more})


def values(content: bytes, name: str) -> list[Any]:
    return read_pages([content])[0].column(name).to_pylist()  # type: ignore[no-any-return]


TEXT = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)
DATE = st.none() | st.sampled_from(["2017-03-28T20:06:39Z", "2026-01-05T15:00:00.25Z", "2026-01-05"])
ORDERS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("sid", "friendly_name", "status", "verification_type", "extension"), TEXT),
            **dict.fromkeys(("date_created", "date_updated"), DATE),
            "call_delay": st.none() | st.integers(0, 60),
            "capabilities": st.none()
            | st.dictionaries(st.sampled_from(["sms", "mms", "voice", "rcs"]), st.none() | st.booleans()),
            "cc_emails": st.none()
            | st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=3),
            "next_step": TEXT,
            "weight": st.none() | st.integers(0, 9),
        },
    ),
    max_size=5,
)


@settings(max_examples=150)
@given(st.lists(ORDERS, min_size=1, max_size=3))
def test_fast_and_slow_reading_agree(pages: list[list[dict[str, Any]]]) -> None:
    """For whatever the fast reader takes, values, nulls and counts of unknown keys are the same."""
    bodies = [page(*items) for items in pages]
    table, unknown = read_pages(bodies)
    slow = [_read_by_value(body) for body in bodies]
    assert table.to_pylist() == [row for part, _ in slow for row in part.to_pylist()]
    assert unknown == sum((found for _, found in slow), start=type(unknown)())


def test_an_ordinary_page_is_read_fast() -> None:
    """The reader for what is refused is not the one in use."""
    item = {
        "sid": "HR1",
        "date_created": "2017-03-28T20:06:39Z",
        "capabilities": {"sms": True, "voice": False},
    }
    table, unknown = _read_fast([page(item), page(item, item)])
    assert (table.num_rows, dict(unknown)) == (3, {})


@pytest.mark.parametrize(
    ("date", "read"),
    [
        ("2017-03-28T20:06:39Z", "2017-03-28T20:06:39+00:00"),
        ("2017-03-28T20:06:39.125Z", "2017-03-28T20:06:39.125000+00:00"),
        ("2017-03-28T20:06:39+02:00", "2017-03-28T18:06:39+00:00"),
        ("Tue, 28 Mar 2017 20:06:39 +0000", "2017-03-28T20:06:39+00:00"),
        ("Tue, 28 Mar 2017 22:06:39 +0200", "2017-03-28T20:06:39+00:00"),
        ("", None),
        ("soon", None),
        (5, None),
        (None, None),
    ],
)
def test_dates_of_either_format_are_times(date: object, read: str | None) -> None:
    """ISO 8601 as in the examples, RFC 2822 as in the prose; anything else is missing."""
    (found,) = values(page({"date_created": date}), "date_created")
    assert (found.isoformat() if found else None) == read


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("call_delay", "15", 15),
        ("call_delay", 15.0, 15),
        ("call_delay", 1.5, None),
        ("call_delay", "1_5", None),
        ("call_delay", 10**30, None),
        ("extension", 123, "123"),
        ("extension", "", None),
        ("friendly_name", True, "true"),
        ("friendly_name", {"a": 1}, '{"a":1}'),
        ("cc_emails", "a@example.com", ["a@example.com"]),
        ("cc_emails", None, None),
        ("cc_emails", [], []),
        ("cc_emails", [None, "", "a"], ["a"]),
        ("cc_emails", 5, None),
    ],
)
def test_values_of_another_type_are_read_or_missing(name: str, value: object, read: object) -> None:
    """A load never breaks on one value."""
    number = orjson.dumps({"items": [{name: None}]}) if value == 10**30 else page({name: value})
    content = number.replace(b"null", str(value).encode()) if value == 10**30 else number
    assert values(content, name) == [read]


def test_one_refused_page_does_not_slow_or_change_the_others() -> None:
    """Pages around a refused one keep their order."""
    odd = {"sid": "HR2", "date_created": "Tue, 28 Mar 2017 20:06:39 +0000"}
    table, _ = read_pages([page({"sid": "HR1"}), page(odd), page({"sid": "HR3"})])
    assert table.column("sid").to_pylist() == ["HR1", "HR2", "HR3"]


def test_unknown_keys_are_counted_by_order() -> None:
    """Null is no value; a key inside `capabilities` is named with it."""
    items = [{"next_step": "x"}, {"next_step": None}, {"capabilities": {"sms": True, "rcs": False}}]
    assert dict(read_pages([page(*items)])[1]) == {"next_step": 1, "capabilities.rcs": 1}


def test_many_batches_keep_their_order() -> None:
    """Pages are read by two threads and stand in the order of the list."""
    bodies = [page(*({"sid": f"{n}-{k}", "url": "x" * 5_000} for k in range(100))) for n in range(60)]
    sids = read_pages(iter(bodies))[0].column("sid").to_pylist()
    assert sids == [f"{n}-{k}" for n in range(60) for k in range(100)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"1",
        b"[]",
        b"{}",
        b"<html>",
        b'{"items": null}',
        b'{"items": {}}',
        b'{"items": [null]}',
        b'{"items": [[]]}',
        b'{"items": [{"sid": "a"}',
        b'{"items": []} null',
        b'{"items": [{"sid": "\xff"}]}',
        b'{"items": [{"weight": ' + b"[" * 50_000 + b"]" * 50_000 + b"}]}",
    ],
)
def test_a_page_that_is_none_is_unreadable(content: bytes) -> None:
    """One error of ours, and the process goes on: deep nesting and a bare null end the fast reader."""
    with pytest.raises(ReplyUnreadable):
        read_pages([page({"sid": "HR1"}), content])


def test_an_error_while_fetching_comes_through() -> None:
    """What stops the list stops the reading."""

    def broken() -> Any:
        yield page({"sid": "HR1"})
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        read_pages(broken())
