"""What a run is told by the service it believes only in the service's own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest
from run_bench import PaceClock

from hnbulk import wire
from hnbulk.errors import HnbulkError, ReplyUnreadable, RunStopped, ServiceUnreachable
from hnbulk.lookups import Lookups
from hnbulk.messages import Failure, FailureKind, Phase, Reply, Request
from hnbulk.settings import Pace
from hnbulk.throttle import Gate, Throttle

SID = "HR" + "a" * 32
JSON = {"content-type": "application/json"}
HTML = Reply(404, {"content-type": "text/html"}, b"<html>not here</html>")
OWN = Reply(404, JSON, b'{"code": 20404, "message": "not found", "status": 404}')
PORTAL = Reply(200, {"content-type": "text/html"}, b"<html>log in</html>")


BUSY = Reply(429, JSON, b'{"code": 20429, "message": "busy", "status": 429}')
LOST = Failure(FailureKind.READ, Phase.SENT)


def order(sid: str = SID, **fields: Any) -> Reply:
    """An order as the service shows it, in as few fields as can be."""
    body = {"sid": sid, "status": "received", "phone_number": "+15012000000", **fields}
    return Reply(200, JSON, json.dumps(body).encode())


def page(*items: object) -> Reply:
    """A list of these, and no next page."""
    body = {"meta": {"key": "items", "next_page_url": None}, "items": items}
    return Reply(200, JSON, json.dumps(body).encode())


class Answering:
    """A client whose requests have these answers in turn; the last one stays."""

    def __init__(self, *answers: Reply | Failure) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    def send(self, request: Request, **_more: Any) -> Reply | Failure:
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def lookups(client: Answering, clock: PaceClock | None = None) -> Lookups:
    ticks = clock or PaceClock()
    gate = Gate(None, monotonic=ticks.monotonic, sleep=ticks.sleep)
    throttle = Throttle(Pace(None, 1, 1.0), gate, chance=lambda: 0.5)
    return Lookups(client, wire.PREVIEW, throttle, now=lambda: datetime.now(UTC))  # type: ignore[arg-type]


def test_an_order_is_gone_when_the_api_says_so() -> None:
    """Its own 404, with its own code."""
    assert lookups(Answering(OWN)).order(SID) is None


def test_a_proxys_404_is_no_word_of_the_api() -> None:
    """It is asked again, and never taken for an order that is not there."""
    client = Answering(HTML)
    with pytest.raises(ServiceUnreachable):
        lookups(client).order(SID)
    assert len(client.asked) == 5


@pytest.mark.parametrize("ask", [Lookups.greet, Lookups.listing], ids=lambda ask: ask.__name__)
def test_a_portals_page_is_no_answer(ask: Callable[[Lookups], object]) -> None:
    """A 200 that is not JSON is an error at once, for the smallest read too."""
    client = Answering(PORTAL)
    with pytest.raises(ReplyUnreadable) as refused:
        ask(lookups(client))
    assert isinstance(refused.value, HnbulkError)
    assert len(client.asked) == 1


def test_another_order_than_the_one_asked_for_is_no_answer() -> None:
    """Replies that were mixed up on the way are asked for again."""
    client = Answering(order("HR" + "b" * 32), order())
    found = lookups(client).order(SID)
    assert (found and found.sid, len(client.asked)) == (SID, 2)


def test_an_order_that_never_comes_is_not_replaced_by_another() -> None:
    """Five answers about another order are none."""
    with pytest.raises(ServiceUnreachable, match="identity-mismatch"):
        lookups(Answering(order("HR" + "b" * 32))).order(SID)


@pytest.mark.parametrize(
    "body", [b'{"sid": NaN}', b'{"sid": "\xff\xfe"}', b"{}", b'{"meta": {"key": "items"}, "items": [7]}']
)
def test_a_list_that_cannot_be_read_is_asked_for_again(body: bytes) -> None:
    """One bad body is one try."""
    client = Answering(Reply(200, JSON, body), page(json.loads(order().body)))
    assert [one.sid for one in lookups(client).orders_on("+15012000000")] == [SID]
    assert len(client.asked) == 2


def test_a_service_that_only_stammers_is_given_up_on_after_five_tries() -> None:
    """As one that does not answer."""
    client = Answering(Reply(200, JSON, b'{"sid": NaN}'))
    with pytest.raises(ServiceUnreachable, match="unreadable"):
        lookups(client).orders_on("+15012000000")
    assert len(client.asked) == 5


@pytest.mark.filterwarnings("ignore::hnbulk.models.UnreadableDateWarning")
@pytest.mark.parametrize("bad", [{"date_created": "yesterday"}, {"cc_emails": 7}, {"capabilities": []}])
def test_an_order_with_one_bad_field_is_judged_by_the_others(bad: dict[str, Any]) -> None:
    """Sid, number, name, account and status are what counts."""
    reply = order(unique_name="hn1-x", account_sid="AC" + "1" * 32, **bad)
    (listed,) = lookups(Answering(page(json.loads(reply.body)))).orders_on("+15012000000")
    fetched = lookups(Answering(reply)).order(SID)
    assert listed == fetched
    assert (listed.sid, listed.unique_name, listed.status) == (SID, "hn1-x", "received")


def test_an_order_whose_number_cannot_be_read_is_not_left_out() -> None:
    """Left out, it would pass for an order that is not there."""
    with pytest.raises(ServiceUnreachable, match="unreadable"):
        lookups(Answering(page({"sid": SID, "status": "received", "phone_number": 7}))).orders_on("+1")


def test_a_busy_service_is_asked_ten_times_and_costs_no_failure() -> None:
    """Four failures and nine busy replies later the answer still counts."""
    client = Answering(*[LOST] * 4, *[BUSY] * 9, order())
    assert lookups(client).order(SID) is not None
    client = Answering(BUSY)
    with pytest.raises(ServiceUnreachable, match="10 tries"):
        lookups(client).order(SID)
    assert len(client.asked) == 10


def test_a_busy_service_is_asked_for_ten_minutes_at_most() -> None:
    """Whatever it asks to wait for."""
    ticks = PaceClock()
    wait = Reply(429, {**JSON, "retry-after": "250"}, BUSY.body)
    with pytest.raises(ServiceUnreachable):
        lookups(Answering(wait), ticks).order(SID)
    assert 600 <= ticks.now - 1000 < 600 + 320


def test_the_first_wait_is_the_shortest() -> None:
    """Half of a quarter of a second at even chance, then twice that."""
    ticks = PaceClock()
    assert lookups(Answering(LOST, LOST, order()), ticks).order(SID) is not None
    assert ticks.now - 1000 == pytest.approx(0.125 + 0.25)


def test_tries_of_a_service_known_to_be_down_are_not_counted() -> None:
    """The breaker is open: its own reads try the ice, and then the look-up has its tries."""
    client = Answering(*[LOST] * 8, page(), LOST, LOST, order())
    reading = lookups(client)
    with pytest.raises(ServiceUnreachable):
        reading.order(SID)
    assert reading.order(SID) is not None
    assert [asked.path.endswith(SID) for asked in client.asked].count(False) == 4


def test_a_certificate_that_is_anothers_is_not_tried_twice() -> None:
    """Nothing was sent to it, and nothing will be."""
    client = Answering(Failure(FailureKind.CERTIFICATE, Phase.BEFORE_SEND))
    with pytest.raises(RunStopped, match="certificate"):
        lookups(client).order(SID)
    assert len(client.asked) == 1


@pytest.mark.parametrize("among_doubts", [False, True])
def test_reads_that_fail_are_not_tried_again_for_ever(among_doubts: bool) -> None:
    """Retries come out of a budget, those for what is in doubt out of one of their own."""
    client = Answering(HTML)
    reads = lookups(client)

    def ask() -> int:
        before = len(client.asked)
        with pytest.raises(ServiceUnreachable):
            reads.order(SID)
        return len(client.asked) - before

    with reads.for_doubts() if among_doubts else nullcontext():
        assert [ask() for _ in range(7)] == [5, 5, 5, 5, 5, 1, 1]
        with pytest.raises(ServiceUnreachable, match=r" in 1 try \(status-404\)"):
            reads.order(SID)
    if among_doubts:
        assert ask() == 5
    else:
        with reads.for_doubts():
            assert ask() == 5
