"""Faults: what each does to a connection, and that their choice is a function."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sandbox_driver import ORDERS, PLAIN, Served, served

from hnbulk.messages import Request
from hnbulk.sandbox.faults import Fault, Faults
from hnbulk.sandbox.past import number_of


@pytest.fixture(name="box")
def _box() -> Iterator[Served]:
    with served() as box:
        yield box


def made(box: Served) -> int:
    """How many orders there are in truth."""
    return len(box.sandbox.orders())


@pytest.mark.parametrize(("action", "orders"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_is_a_reset_of_the_connection(box: Served, action: str, orders: int) -> None:
    """The client sees the connection reset, before or after the request was carried out."""
    box.sandbox.set_faults({"action": action, "method": "POST", "times": 1})
    with pytest.raises(httpx.ReadError) as caught:
        box.create()
    assert "reset" in str(caught.value).lower()
    assert made(box) == orders
    line = box.sandbox.ledger()[0]
    assert (line["fault"], line["did"] == "nothing") == (action, orders == 0)
    assert "sent" not in line


def test_a_late_request_is_carried_out_when_its_time_has_come(box: Served) -> None:
    """Nothing for its seconds of the sandbox's time, then the order is there, dated then."""
    box.sandbox.set_faults({"action": "late", "seconds": 90})
    with pytest.raises(httpx.ReadError):
        box.create()
    box.sandbox.clock.advance(89)
    assert made(box) == 0
    box.sandbox.clock.advance(86400)
    order = box.sandbox.orders()[0]
    assert order["date_created"] == "2026-01-05T15:01:30Z"
    assert box.sandbox.ledger()[0]["did"] == f"created {order['sid']}"


@pytest.mark.parametrize("processed", [False, True])
def test_a_status_fault_answers_with_an_error(box: Served, processed: bool) -> None:
    """Whether the request was carried out is the rule's to say."""
    rule = {"action": "status", "status": 429, "retry_after": 3, "processed": processed}
    box.sandbox.set_faults(rule)
    reply = box.create()
    assert (reply.status_code, reply.json()["code"], reply.headers["retry-after"]) == (429, 20429, "3")
    assert made(box) == processed


@pytest.mark.parametrize(("content", "body"), [("html", b"<html>"), ("empty", b"")])
def test_an_error_need_not_be_json(box: Served, content: str, body: bytes) -> None:
    """A page in HTML, or nothing at all."""
    box.sandbox.set_faults({"action": "status", "status": 502, "content": content})
    reply = box.create()
    assert reply.status_code == 502
    assert reply.content.startswith(body)


@pytest.mark.parametrize("content", ["html", "text", "half", "list", "null", "nan", "nested", "utf8"])
def test_garbage_is_carried_out_and_unreadable(box: Served, content: str) -> None:
    """201 with a body that is not an order."""
    box.sandbox.set_faults({"action": "garbage", "content": content})
    reply = box.create()
    assert (reply.status_code, made(box)) == (201, 1)
    try:
        document = json.loads(reply.content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return
    assert not isinstance(document, dict)


def test_a_truncated_reply_ends_in_the_middle(box: Served) -> None:
    """The order was made; its reply breaks off."""
    box.sandbox.set_faults({"action": "truncated"})
    with pytest.raises(httpx.HTTPError):
        box.create()
    assert made(box) == 1


def test_a_drip_is_slow_and_whole(box: Served) -> None:
    """The body comes in pieces and is complete in the end."""
    box.sandbox.set_faults({"action": "drip", "bytes": 200, "seconds": 0.02})
    began = time.monotonic()
    reply = box.create()
    assert time.monotonic() - began > 0.05
    assert reply.json()["phone_number"] == PLAIN


def test_an_oversized_reply_is_padded(box: Served) -> None:
    """The body is valid and as long as the rule says."""
    box.sandbox.set_faults({"action": "oversized", "bytes": 300_000})
    reply = box.create()
    assert len(reply.content) == 300_000
    assert reply.json()["phone_number"] == PLAIN


def test_a_delay_answers_late(box: Served) -> None:
    """The request is answered as ever, only later."""
    box.sandbox.set_faults({"action": "delay", "seconds": 0.05})
    began = time.monotonic()
    assert box.create().status_code == 201
    assert time.monotonic() - began >= 0.05


def test_rules_choose_by_method_path_and_number() -> None:
    """The first rule that matches strikes; nth counts what matches; times ends it."""
    faults = Faults()
    rules = [
        {"action": "reset_before", "method": "POST", "path": f"{ORDERS}$", "nth": [2, 4]},
        {"action": "delay", "method": "GET", "times": 1},
    ]
    faults.set([Fault.read(rule) for rule in rules])
    posts = [faults.choose(Request("POST", ORDERS)) for _ in range(5)]
    assert [fault is not None for fault in posts] == [False, True, False, True, False]
    gets = [faults.choose(Request("GET", ORDERS)) for _ in range(3)]
    assert [fault is not None for fault in gets] == [True, False, False]
    assert faults.choose(Request("DELETE", ORDERS)) is None


def test_chance_strikes_the_same_requests_in_any_order() -> None:
    """Which creates meet a fault follows from rule, number and ordinal, not from who came first."""
    rule = Fault.read({"action": "reset_after", "probability": 0.3, "seed": 5})
    numbers = [number_of(place) for place in range(300)] * 2

    def struck(order: list[str]) -> dict[str, Any]:
        faults, found = Faults(), {}
        faults.set([rule])
        for number in order:
            fault = faults.choose(Request("POST", ORDERS, form=(("PhoneNumber", number),)))
            found.setdefault(number, []).append(fault is not None)
        return found

    one = struck(numbers)
    assert one == struck(sorted(numbers))
    assert 130 < sum(map(sum, one.values())) < 230


def test_a_rule_is_read_back_as_it_was_given() -> None:
    """What a rule says survives the round trip."""
    given = {"action": "status", "status": 500, "nth": [1, 3], "path": "Orders", "times": 2}
    rule = Fault.read(given)
    assert Fault.read(rule.as_rule()) == rule
    assert given.items() <= rule.as_rule().items()


def _refuse(name: str) -> float:
    raise ValueError(name)


@pytest.mark.parametrize(
    ("rule", "reply"),
    [
        ({"action": "status", "status": 204}, (204, b"")),
        ({"action": "status", "status": 304}, (304, b"")),
        ({"action": "garbage", "content": "text"}, (200, b"it works!")),
        ({"action": "garbage", "content": "half"}, (200, b"")),
        ({"action": "oversized", "bytes": 4}, (200, b"    ")),
        ({"action": "delay", "seconds": 0}, (204, b"")),
        ({"action": "drip", "seconds": 0}, (204, b"")),
    ],
)
def test_a_reply_without_a_body_can_meet_any_fault(
    box: Served, rule: dict[str, Any], reply: tuple[int, bytes]
) -> None:
    """A DELETE is answered as the rule says, and the connection is as good as before."""
    sid = box.create().json()["sid"]
    box.sandbox.clock.advance(36 * 3600)
    box.sandbox.set_faults({**rule, "method": "DELETE"})
    answer = box.api.delete(f"{ORDERS}/{sid}")
    assert (answer.status_code, answer.content) == reply
    assert box.api.get(ORDERS).status_code == 200


def test_a_late_request_that_is_refused_keeps_its_sid_in_the_ledger(box: Served) -> None:
    """What it was about, and that nothing came of it."""
    sid = box.create().json()["sid"]
    box.sandbox.set_faults({"action": "late", "seconds": 5})
    with pytest.raises(httpx.ReadError):
        box.api.delete(f"{ORDERS}/{sid}")
    box.sandbox.clock.advance(5)
    line = box.sandbox.ledger()[-1]
    assert (line["sid"], line["did"], line["code"]) == (sid, "refused", 20409)
