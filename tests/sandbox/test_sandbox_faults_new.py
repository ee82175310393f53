"""Faults of lists and of addresses: what a client sees of each, and that ours meets each safely."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from run_bench import number, open_bench
from sandbox_driver import ADDRESS, FIXED, LETTERS, ORDERS, PLAIN, Served, served

from hnbulk import wire
from hnbulk.client import Client
from hnbulk.errors import ReplyUnreadable, ServiceRefused
from hnbulk.lookups import Lookups
from hnbulk.messages import Reply
from hnbulk.outcome import Expected, Operation, OutcomeKind, classify, maybe_processed
from hnbulk.sandbox.faults import Fault
from hnbulk.settings import Credentials, Pace
from hnbulk.throttle import Gate, Throttle
from hnbulk.wire import PREVIEW

OTHER = "+14155550124"
CREATE = wire.create_order(PREVIEW, {"phone_number": PLAIN, "unique_name": "hn1-own"})
OWN = Expected(phone_number=PLAIN, unique_name="hn1-own")


@pytest.fixture(name="box")
def _box() -> Iterator[Served]:
    with served() as box:
        yield box


@pytest.fixture(name="client")
def _client(box: Served) -> Iterator[Client]:
    """Our own client, connected to the sandbox; it does not wait between tries."""
    sandbox = box.sandbox
    who = Credentials(sandbox.account_sid, sandbox.account_sid, SecretStr(sandbox.auth_token))
    with Client(box.url, who, sleep=lambda _: None) as client:
        yield client


@pytest.fixture(name="lookups")
def _lookups(client: Client) -> Lookups:
    gate = Gate(None, monotonic=lambda: 0.0, sleep=lambda _: None)
    throttle = Throttle(Pace(None, 1, 1.0), gate, chance=lambda: 0.0)
    return Lookups(client, PREVIEW, throttle, now=lambda: datetime.now(UTC))


@contextmanager
def stranger() -> Iterator[tuple[str, socket.socket]]:
    """Another address on this machine, and who would hear what comes to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        yield f"http://127.0.0.1:{server.getsockname()[1]}", server


def was_called(server: socket.socket) -> bool:
    """Somebody has connected."""
    try:
        server.accept()[0].close()
    except TimeoutError:
        return False
    return True


def numbers(reply: httpx.Response) -> list[str]:
    """The numbers of a page."""
    assert reply.status_code == 200
    return [item["phone_number"] for item in reply.json()["items"]]


# what each does to any client


@pytest.mark.parametrize(
    ("media_type", "told"), [(None, "text/html"), ("text/plain; x=1", "text/plain; x=1")]
)
def test_the_right_body_is_declared_as_something_else(
    box: Served, media_type: str | None, told: str
) -> None:
    """The order is made and shown whole; only the header is wrong."""
    box.sandbox.set_faults({"action": "content_type", "media_type": media_type})
    reply = box.create()
    assert (reply.status_code, reply.headers["content-type"]) == (201, told)
    assert reply.json()["sid"] == box.sandbox.orders()[0]["sid"]


def test_a_reply_without_a_body_stays_without_one(box: Served) -> None:
    """A 204 that names a type is a 204."""
    sid = box.create().json()["sid"]
    box.sandbox.clock.advance(36 * 3600)
    box.sandbox.set_faults({"action": "content_type"})
    assert (reply := box.api.delete(f"{ORDERS}/{sid}")).status_code == 204
    assert reply.content == b""


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize(
    ("rule", "status", "location"),
    [
        ({}, 302, "{here}" + ORDERS),
        ({"status": 307, "url": "{origin}{path}/"}, 307, "{here}" + ORDERS + "/"),
        (
            {"status": 308, "url": "https://elsewhere.example{target}"},
            308,
            f"https://elsewhere.example{ORDERS}",
        ),
        ({"status": 301, "url": "https://{host}/x"}, 301, "https://{host}/x"),
    ],
)
def test_a_redirect_leads_where_the_rule_says(
    box: Served, rule: dict[str, Any], status: int, location: str, processed: bool
) -> None:
    """Status and Location; whether the request was carried out is the rule's to say."""
    box.sandbox.set_faults({"action": "redirect", "processed": processed, **rule})
    reply = box.create()
    here = location.replace("{here}", box.url).replace("{host}", box.url.removeprefix("http://"))
    assert (reply.status_code, reply.headers["location"], reply.content) == (status, here, b"")
    assert len(box.sandbox.orders()) == processed


@pytest.mark.parametrize("path", [ORDERS, LETTERS])
def test_a_hostile_page_names_any_next_one(box: Served, path: str) -> None:
    """Every list has the address of the rule; what is no list is as ever and counts for nothing."""
    sid = box.create().json()["sid"]
    box.sandbox.set_faults({"action": "hostile_page", "url": "ftp://x\u00e9{path}{other}", "nth": 1})
    assert box.api.get(f"{ORDERS}/{sid}").json()["sid"] == sid
    assert box.api.get(path).json()["meta"]["next_page_url"] == f"ftp://x\u00e9{path}{{other}}"
    assert box.api.get(path).json()["meta"]["next_page_url"] is None


def test_a_hostile_page_leaves_a_refusal_alone(box: Served) -> None:
    """A list that is refused has no next page to be led to."""
    box.sandbox.set_faults({"action": "hostile_page"})
    assert box.api.get(ORDERS, params={"Page": "2"}).json()["code"] == 70002


def test_a_filter_is_ignored(box: Served) -> None:
    """The list is that of a request without filters, page size and tokens kept."""
    box.create(PLAIN)
    box.create(OTHER)
    box.sandbox.set_faults({"action": "ignore_filter"})
    first = box.api.get(ORDERS, params={"PhoneNumber": PLAIN, "Status": "failed", "PageSize": "1"})
    rest = box.api.get(first.json()["meta"]["next_page_url"])
    assert {*numbers(first), *numbers(rest)} == {PLAIN, OTHER}
    assert box.sandbox.ledger()[-2]["fault"] == "ignore_filter"


def test_what_is_new_is_not_in_lists_yet(box: Served) -> None:
    """Hidden for its seconds of the sandbox's time, then there; a fetch finds it at once."""
    old = box.create(OTHER).json()["sid"]
    box.sandbox.clock.advance(60)
    new = box.create(PLAIN).json()["sid"]
    box.sandbox.set_faults({"action": "list_lag", "seconds": 60})
    page = box.api.get(ORDERS, params={"PageSize": "1"})
    assert (numbers(page), page.json()["meta"]["next_page_url"]) == ([OTHER], None)
    assert numbers(box.api.get(ORDERS, params={"PhoneNumber": PLAIN})) == []
    assert [box.api.get(f"{ORDERS}/{sid}").status_code for sid in (old, new)] == [200, 200]
    box.sandbox.clock.advance(59)
    assert numbers(box.api.get(ORDERS)) == [OTHER]
    box.sandbox.clock.advance(1)
    assert numbers(box.api.get(ORDERS)) == [PLAIN, OTHER]


def test_what_is_new_need_not_be_found_by_a_fetch_either(box: Served) -> None:
    """With `fetch_too` it is 404 until its time; writes are never behind."""
    box.sandbox.set_faults({"action": "list_lag", "seconds": 60, "fetch_too": True})
    sid = box.create().json()["sid"]
    assert box.api.get(f"{ORDERS}/{sid}").json()["code"] == 20404
    assert box.api.post(f"{ORDERS}/{sid}", data={"FriendlyName": "Shop"}).status_code == 200
    box.sandbox.clock.advance(60)
    assert box.api.get(f"{ORDERS}/{sid}").json()["friendly_name"] == "Shop"


def test_letters_lag_too_but_not_their_orders(box: Served) -> None:
    """A new letter is not listed; the list of its orders is whole."""
    sid = box.create(FIXED + "175").json()["sid"]
    box.sandbox.clock.advance(36 * 3600)
    form = {"HostedNumberOrderSids": sid, "AddressSid": ADDRESS, "Email": "owner@example.com"}
    form |= {"ContactTitle": "Owner", "ContactPhoneNumber": "+14155550100"}
    letter = box.api.post(LETTERS, data=form).json()["sid"]
    box.sandbox.set_faults({"action": "list_lag", "seconds": 60, "fetch_too": True})
    assert box.api.get(LETTERS).json()["items"] == []
    assert box.api.get(f"{LETTERS}/{letter}").status_code == 404
    assert numbers(box.api.get(f"{LETTERS}/{letter}/DependentHostedNumberOrders")) == [FIXED + "175"]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"action": "redirect", "status": 304}, "status"),
        ({"action": "redirect", "status": 503}, "status"),
        ({"action": "redirect", "url": "/a\r\nSet-Cookie: b"}, "url"),
        ({"action": "redirect", "url": 1}, "url"),
        ({"action": "content_type", "media_type": ""}, "media_type"),
        ({"action": "content_type", "media_type": "text/html\n"}, "media_type"),
        ({"action": "list_lag", "fetch_too": 1}, "fetch_too"),
        ({"action": "list_lag", "seconds": -1}, "seconds"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule: dict[str, Any], told: str) -> None:
    """By the name of what is wrong."""
    with pytest.raises(ValueError, match=told):
        Fault.read(rule)


@pytest.mark.parametrize("action", ["redirect", "hostile_page", "list_lag"])
def test_the_new_rules_are_read_back(action: str) -> None:
    """What a rule says survives the round trip."""
    rule = Fault.read({"action": action, "url": "{origin}/x", "fetch_too": True, "media_type": "a/b"})
    assert Fault.read(rule.as_rule()) == rule


# how our own client meets them


def test_a_page_that_is_not_declared_as_json_is_not_read(box: Served, client: Client) -> None:
    """A read ends in an error at once; it may be a portal's page."""
    box.sandbox.set_faults({"action": "content_type", "method": "GET"})
    with pytest.raises(ReplyUnreadable):
        list(client.pages(wire.list_orders(PREVIEW), PREVIEW))
    assert len(box.sandbox.ledger()) == 1


def test_a_create_that_is_not_declared_as_json_is_in_doubt(box: Served, client: Client) -> None:
    """The order was made; the reply proves nothing, so it is looked up and not sent again."""
    box.sandbox.set_faults({"action": "content_type"})
    outcome = classify(Operation.CREATE, client.send(CREATE), OWN)
    assert (outcome.kind, maybe_processed(outcome)) == (OutcomeKind.AMBIGUOUS, True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(box: Served, client: Client, status: int) -> None:
    """Neither a write nor a read goes to where it leads: no credentials, no second order."""
    with stranger() as (elsewhere, server):
        box.sandbox.set_faults(
            {"action": "redirect", "status": status, "url": elsewhere + "{target}", "processed": True}
        )
        outcome = classify(Operation.CREATE, client.send(CREATE), OWN)
        with pytest.raises(ServiceRefused):
            client.read(wire.list_orders(PREVIEW))
        assert not was_called(server)
    assert (outcome.kind, maybe_processed(outcome)) == (OutcomeKind.STOP_RUN, True)
    assert [line["method"] for line in box.sandbox.ledger()] == ["POST", "GET"]


def test_a_redirect_to_the_service_itself_is_not_followed_either(box: Served, client: Client) -> None:
    """One request, one line in the ledger, and nothing done."""
    box.sandbox.set_faults({"action": "redirect", "status": 307})
    reply = client.send(CREATE)
    assert isinstance(reply, Reply)
    assert reply.status == 307
    assert (len(box.sandbox.ledger()), box.sandbox.orders()) == (1, [])


HOSTILE = (
    None,  # itself
    "https://{host}{target}",
    "http://localhost:1{path}",
    "{origin}/2010-04-01/Accounts.json",
    "{origin}{path}/../AuthorizationDocuments",
    "http://user:secret@{host}{path}",
    "http://{host}@elsewhere.example{path}",
    "{path}?Page=1",
    "javascript:alert(1)",
    "{origin}{path}#x",
    "{origin}\\@elsewhere.example{path}",
    "http://[{path}",
    "",
    "\u00e9",
)


@pytest.mark.parametrize("url", HOSTILE)
def test_no_page_leads_our_reader_astray(
    box: Served, client: Client, lookups: Lookups, url: str | None
) -> None:
    """One request to the service itself, then an error (no next page where the address is empty)."""
    box.create()
    box.sandbox.set_faults({"action": "hostile_page", "url": url})
    request = wire.list_orders(PREVIEW)
    if url == "":
        assert len(list(client.pages(request, PREVIEW))) == 1
        return
    with pytest.raises(ReplyUnreadable):
        list(client.pages(request, PREVIEW))
    assert len(box.sandbox.ledger()) == 2
    with pytest.raises(Exception, match=r".") as caught:
        lookups.listing()
    assert type(caught.value).__module__ == "hnbulk.errors"
    assert all(line["path"] == ORDERS for line in box.sandbox.ledger())


def test_no_credentials_go_to_a_foreign_page(box: Served, client: Client, lookups: Lookups) -> None:
    """A page at another port of this machine, by the same path, is not even connected to."""
    with stranger() as (elsewhere, server):
        box.sandbox.set_faults({"action": "hostile_page", "url": elsewhere + "{target}"})
        with pytest.raises(ReplyUnreadable):
            list(client.pages(wire.list_orders(PREVIEW), PREVIEW))
        with pytest.raises(Exception, match=r"origin"):
            lookups.listing()
        assert not was_called(server)


def test_an_ignored_filter_adopts_no_stranger(box: Served, lookups: Lookups) -> None:
    """A look-up by number or name gives what carries it, and nothing else that comes along."""
    box.create(OTHER, UniqueName="hn1-other")
    box.sandbox.set_faults({"action": "ignore_filter"})
    assert lookups.orders_on(PLAIN) == lookups.orders_named("hn1-own") == []
    box.create(PLAIN, UniqueName="hn1-own")
    assert [order.phone_number for order in lookups.orders_on(PLAIN)] == [PLAIN]
    assert [order.unique_name for order in lookups.orders_named("hn1-own")] == ["hn1-own"]
    assert {line["fault"] for line in box.sandbox.ledger() if line["method"] == "GET"} == {"ignore_filter"}


LOST = {"action": "reset_after", "method": "POST", "nth": 1}


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "list_lag", "seconds": 30},
        {"action": "list_lag", "seconds": 86_400},
        {"action": "list_lag", "seconds": 86_400, "fetch_too": True},
        {"action": "ignore_filter"},
    ],
    ids=["a short lag", "a long lag", "a lag of everything", "no filters"],
)
def test_a_lost_reply_makes_no_second_order(tmp_path: Path, rule: dict[str, Any]) -> None:
    """Whatever the lists do to the look-up, each number has one order in the end."""
    with open_bench(tmp_path) as bench:
        bench.sandbox.set_faults(LOST, rule)
        report = bench.apply(bench.creates(3))
        truth = bench.truth()
        endings = bench.journal.endings(report.run_id)
        assert [len(truth[number(n)]) for n in range(3)] == [1, 1, 1]
        own = [truth[number(n)][0]["sid"] for n in range(3)]
        assert all(ending.sid in (None, own[ending.step]) for ending in endings)


def test_a_swapped_reply_is_the_one_before_it_of_the_same_kind() -> None:
    """The request is carried out; what comes back is about another order."""
    with served() as box:
        first, second = (box.create(number).json() for number in ("+14155550123", "+14155550124"))
        box.api.get(f"{ORDERS}/{first['sid']}")
        box.sandbox.set_faults({"action": "swap", "method": "GET", "nth": 2})
        box.api.get(ORDERS)
        assert box.api.get(f"{ORDERS}/{second['sid']}").json()["sid"] == first["sid"]
        assert box.api.get(f"{ORDERS}/{second['sid']}").json()["sid"] == second["sid"]


def test_a_name_may_be_doubled_where_the_script_says_so() -> None:
    """One request with the name is let through, the next is refused again."""
    with served() as box:
        box.create("+14155550123", UniqueName="shop")
        box.sandbox.set_faults({"action": "double_name", "times": 1})
        assert box.create("+14155550124").status_code == 201  # without a name it does not count
        assert box.create("+14155550125", UniqueName="shop").status_code == 201
        assert box.create("+14155550126", UniqueName="shop").json()["code"] == 20409
