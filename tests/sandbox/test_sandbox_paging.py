"""Pages of orders."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sandbox_driver import LETTERS, ORDERS, Driver

from hnbulk.messages import Request
from hnbulk.sandbox import WorldSettings
from hnbulk.sandbox.past import number_of


def page(box: Driver, url: str | None = None, **query: str) -> dict[str, Any]:
    """One page, by address or by parameters."""
    given = dict(parse_qsl(urlsplit(url).query)) if url else query
    status, body = box.send("GET", ORDERS, query=given)
    assert status == 200, body
    return body


def walk(box: Driver, direction: str = "next_page_url", **query: str) -> list[dict[str, Any]]:
    """All pages from the first on."""
    pages = [page(box, **query)]
    while url := pages[-1]["meta"][direction]:
        pages.append(page(box, url))
    return pages


def sids(pages: list[dict[str, Any]]) -> list[str]:
    return [order["sid"] for one in pages for order in one["items"]]


def test_pages_hold_every_order_once_newest_first() -> None:
    """No order is missing or doubled, dates go down, and the last page has no next."""
    box = Driver(orders=230)
    pages = walk(box, PageSize="50")
    assert [len(one["items"]) for one in pages] == [50, 50, 50, 50, 30]
    assert len(set(sids(pages))) == 230
    dates = [order["date_created"] for one in pages for order in one["items"]]
    assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("size", ["1", "7", "12", "24", "100"])
def test_where_the_settings_say_so_lists_begin_with_the_oldest(size: str, filtered: bool) -> None:
    """The same orders the other way round, forward and back again, with a filter and without."""
    old = Driver(orders=24, settings=WorldSettings(list_newest_first=False, check_hours=(9999, 9999)))
    new = Driver(orders=24, settings=WorldSettings(check_hours=(9999, 9999)))
    query = {"PageSize": size, **({"Status": "twilio-processing"} if filtered else {})}
    forward = walk(old, **query)
    assert sids(forward) == sids(walk(new, **query))[::-1]
    assert len(sids(forward)) == 24
    back = [forward[-1]]
    while url := back[-1]["meta"]["previous_page_url"]:
        back.append(page(old, url))
    assert [sids([one]) for one in reversed(back)] == [sids([one]) for one in forward]
    assert all(one["meta"]["next_page_url"] for one in back[1:])


def test_a_page_shows_an_order_as_it_is_now() -> None:
    """Whatever changes an order, the next page has it: by its client, by the world, by a letter."""
    box = Driver()
    sid = box.received()
    steps = [
        lambda: box.update(sid, FriendlyName="New", CcEmails=["a@example.com"]),
        lambda: box.call(sid),
        lambda: box.wait(300),
        lambda: box.letter(sid),
        lambda: box.wait(7 * 86_400),
    ]
    seen = [page(box)["items"][0]]
    for step in steps:
        step()
        seen.append(page(box)["items"][0])
        assert seen[-1] == box.order(sid) != seen[-2]
        shown = {key: value for key, value in box.truth(sid).items() if key in seen[-1]}
        assert seen[-1] == shown


def test_orders_added_while_paging_double_nothing_and_lose_nothing() -> None:
    """What was there at the start comes exactly once, whatever is added or canceled meanwhile."""
    box = Driver(orders=100)
    there = {order["sid"] for order in box.sandbox.orders()}
    first = page(box, PageSize="30")
    for place in range(20):
        box.send("POST", ORDERS, PhoneNumber=number_of(5000 + place), SmsCapability="true")
    last = first["items"][-1]
    box.send("DELETE", f"{ORDERS}/{last['sid']}")
    pages, url = [first], first["meta"]["next_page_url"]
    while url:
        pages.append(page(box, url))
        url = pages[-1]["meta"]["next_page_url"]
    assert sorted(sids(pages)) == sorted(there)


def test_previous_pages_lead_back_to_the_first() -> None:
    """Going back shows the same pages as going forward."""
    box = Driver(orders=95)
    forward = walk(box, PageSize="20")
    back, url = [forward[-1]], forward[-1]["meta"]["previous_page_url"]
    while url:
        back.append(page(box, url))
        url = back[-1]["meta"]["previous_page_url"]
    assert [sids([one]) for one in reversed(back)] == [sids([one]) for one in forward]


def test_the_meta_is_that_of_the_examples() -> None:
    """Filters first, then PageSize and Page; absolute addresses; the first page has no token."""
    meta = page(Driver(), Status="completed", PhoneNumber="+19193608000", FriendlyName="a b")["meta"]
    url = (
        f"http://127.0.0.1:1{ORDERS}?Status=completed&FriendlyName=a+b&PhoneNumber=%2B19193608000"
        "&PageSize=50&Page=0"
    )
    assert meta == {
        "first_page_url": url,
        "key": "items",
        "next_page_url": None,
        "page": 0,
        "page_size": 50,
        "previous_page_url": None,
        "url": url,
    }


@pytest.mark.parametrize(("asked", "size"), [("0", 1), ("-3", 1), ("2000", 1000), ("", 50), ("7", 7)])
def test_page_size_is_held_between_1_and_1000(asked: str, size: int) -> None:
    """Beyond the limits it is clamped."""
    assert page(Driver(), PageSize=asked)["meta"]["page_size"] == size


@pytest.mark.parametrize(("asked", "refused"), [("1001", True), ("0", True), ("1000", False), ("1", False)])
def test_a_page_size_out_of_bounds_is_refused_where_the_settings_say_so(asked: str, refused: bool) -> None:
    """On every list alike: 400, 20007."""
    box = Driver(settings=WorldSettings(page_size_clamped=False))
    _, letter = box.letter(box.verified())
    for path in (ORDERS, LETTERS, f"{LETTERS}/{letter['sid']}/DependentHostedNumberOrders"):
        status, body = box.send("GET", path, query={"PageSize": asked})
        assert (status, body.get("code")) == ((400, 20007) if refused else (200, None))


@pytest.mark.parametrize(
    ("code", "query"),
    [
        (21481, {"PageToken": "nonsense", "Page": "1"}),
        (21481, {"PageToken": "PAHR" + "0" * 32, "Page": "1"}),
        (70002, {"Page": "1"}),
        (22111, {"Status": "flying"}),
        (20001, {"PageSize": "many"}),
        (20001, {"Page": "-1"}),
    ],
)
def test_a_page_that_is_none_is_refused(code: int, query: dict[str, str]) -> None:
    """400 with its code."""
    status, body = Driver().send("GET", ORDERS, query=query)
    assert (status, body["code"]) == (400, code)


def test_filters_and_paging_go_together() -> None:
    """Every filter holds on every page, and its pages hold all that match."""
    box = Driver(orders=300)
    orders = box.sandbox.orders()
    wanted = {order["sid"] for order in orders if order["status"] == "completed"}
    assert set(sids(walk(box, Status="completed", PageSize="7"))) == wanted
    one = orders[17]
    for name, field in (
        ("PhoneNumber", "phone_number"),
        ("IncomingPhoneNumberSid", "incoming_phone_number_sid"),
        ("FriendlyName", "friendly_name"),
    ):
        assert sids(walk(box, **{name: one[field]})) == [one["sid"]]
    assert sids(walk(box, PhoneNumber=one["phone_number"], FriendlyName="no")) == []


def test_a_page_of_a_thousand_is_quick() -> None:
    """A page of 1,000 out of 3,000, written out anew each time, takes a few milliseconds of work."""
    box = Driver(orders=3000)
    listing, times = Request("GET", ORDERS, (("PageSize", "1000"),)), []
    for _ in range(5):
        began = time.process_time()
        box.service.answer(listing, box.person, box.sandbox.clock.now())
        times.append(time.process_time() - began)
    assert min(times) < 0.015
