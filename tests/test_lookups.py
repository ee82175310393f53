"""What a run is told by the service it believes only in the service's own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from run_bench import PaceClock

from hnbulk import wire
from hnbulk.client import MOST_PAGES
from hnbulk.errors import (
    AccessRefused,
    HnbulkError,
    ReplyUnreadable,
    RunStopped,
    ServiceRefused,
    ServiceUnreachable,
)
from hnbulk.lookups import Lookups
from hnbulk.messages import Failure, FailureKind, Phase, Reply, Request
from hnbulk.models import Order
from hnbulk.outcome import Outcome, OutcomeKind
from hnbulk.settings import Pace
from hnbulk.throttle import Gate, Halted, Throttle

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


def lookups(
    client: Answering,
    clock: PaceClock | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Lookups:
    ticks = clock or PaceClock()
    gate = Gate(None, monotonic=ticks.monotonic, sleep=ticks.sleep)
    throttle = Throttle(Pace(None, 1, 1.0), gate, chance=lambda: 0.5)
    return Lookups(client, wire.PREVIEW, throttle, now=now)  # type: ignore[arg-type]


def test_an_order_is_gone_when_the_api_says_so() -> None:
    """Its own 404, with its own code, while it lets us read a list."""
    assert lookups(Answering(OWN, page())).order(SID) is None


def test_nothing_is_gone_for_one_who_has_no_access() -> None:
    """The API says the same of every order and of the list."""
    with pytest.raises(AccessRefused):
        lookups(Answering(OWN)).order(SID)


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
    with pytest.raises(ServiceUnreachable, match=r"\(identity-mismatch\)"):
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
    with pytest.raises(ServiceUnreachable, match=r"\(unreadable\)"):
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
    with pytest.raises(ServiceUnreachable, match=r"\(unreadable\)"):
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


# -- what is looked for


NUMBER, NAME = "+15012000000", "hn1-x"
GONE = Reply(404, JSON, b'{"code": 20404, "message": "not found"}')
OTHER = "HR" + "b" * 32


def entry(sid: str = SID, **fields: Any) -> dict[str, Any]:
    """One order of a list."""
    return {"sid": sid, "status": "received", "phone_number": NUMBER, "unique_name": NAME, **fields}


def paged(following: str | None, *items: object) -> Reply:
    """A list of these, and the address of the next page."""
    body = {"meta": {"key": "items", "next_page_url": following}, "items": items}
    return Reply(200, JSON, json.dumps(body).encode())


def test_a_filter_is_never_believed() -> None:
    """Of what comes back only what was asked for is taken."""
    others = [entry(OTHER, phone_number="+15012000001", unique_name="hn1-y"), entry()]
    client = Answering(page(*others))
    assert [one.sid for one in lookups(client).orders_on(NUMBER)] == [SID]
    assert [one.sid for one in lookups(client).orders_named(NAME)] == [SID]
    by_number, by_name = (dict(asked.query) for asked in client.asked)
    assert by_number == {"PhoneNumber": NUMBER, "PageSize": "50"}
    assert by_name == {"UniqueName": NAME, "PageSize": "50"}


def test_where_there_are_no_names_none_is_asked_for() -> None:
    """No order has one."""
    client = Answering(page(entry()))
    looking = lookups(client)
    looking.dialect = replace(wire.PREVIEW, has_unique_name=False)
    assert (looking.orders_named(NAME), client.asked) == ([], [])


@pytest.mark.parametrize(("shown_at", "waited"), [(0, 0), (1, 1), (3, 7), (5, 31), (9, 31)])
def test_a_new_order_is_waited_for_half_a_minute(shown_at: int, waited: float) -> None:
    """Looked for at once, then after 1, 2, 4, 8 and 16 seconds; then it is not there."""
    ticks = PaceClock()
    client = Answering(*[GONE] * min(shown_at, 6), order() if shown_at <= 5 else page())
    found = lookups(client, ticks).new_order(SID)
    assert (found is not None) is (shown_at <= 5)
    assert ticks.now - 1000 == waited
    assert sum(asked.path.endswith(SID) for asked in client.asked) == min(shown_at, 5) + 1


def test_a_listing_has_every_order_once_and_by_its_number() -> None:
    """Page after page, as of the time at which it was begun."""
    following = f"https://preview.twilio.com{wire.PREVIEW.orders}?Page=1"
    client = Answering(paged(following, entry()), page(entry(), entry(OTHER, phone_number=None)))
    ticks = PaceClock()
    listing = lookups(client, ticks).listing()
    assert sorted(listing.orders) == [SID, OTHER]
    assert {number: [one.sid for one in some] for number, some in listing.by_number.items()} == {
        NUMBER: [SID],
        "": [OTHER],
    }
    assert listing.mono == 1000.0
    assert [dict(asked.query) for asked in client.asked] == [{"PageSize": "1000"}, {"Page": "1"}]


def test_an_order_that_is_wanted_whole_is_whole() -> None:
    """The others are seen at a glance."""
    listing = lookups(Answering(page(entry(), entry(OTHER)))).listing(whole={SID})
    assert isinstance(listing.orders[SID], Order)
    assert not isinstance(listing.orders[OTHER], Order)


def test_pages_that_go_in_a_circle_are_not_believed() -> None:
    """No order is taken from them, and nobody reads for ever."""
    following = f"https://preview.twilio.com{wire.PREVIEW.orders}?Page=1"
    client = Answering(paged(following, entry()))
    with pytest.raises(ReplyUnreadable, match="circle") as refused:
        lookups(client).listing()
    assert len(client.asked) == 2
    assert refused.value.facts["path"] == wire.PREVIEW.orders


def test_a_list_without_end_is_not_believed() -> None:
    """Each page names another next one."""

    class Endless(Answering):
        def send(self, request: Request, **_more: Any) -> Reply | Failure:
            self.asked.append(request)
            return paged(f"https://preview.twilio.com{wire.PREVIEW.orders}?Page={len(self.asked)}")

    client = Endless()
    with pytest.raises(ReplyUnreadable, match=f"more than {MOST_PAGES} pages") as refused:
        lookups(client).orders_on(NUMBER)
    assert len(client.asked) == MOST_PAGES
    assert refused.value.facts["path"] == wire.PREVIEW.orders


@pytest.mark.parametrize(
    ("world", "own", "recent"), [(60, 60, True), (61, 60, False), (60, 61, False), (0, 0, True)]
)
def test_a_listing_is_as_old_as_the_older_clock_says(world: float, own: float, recent: bool) -> None:
    """To the second."""
    ticks, begun = PaceClock(), datetime(2026, 11, 23, 15, tzinfo=UTC)
    times = iter([begun, begun + timedelta(seconds=world)])
    looking = lookups(Answering(page()), ticks, now=lambda: next(times))
    listing = looking.listing()
    assert listing.read_at == begun
    ticks.sleep(own)
    assert looking.is_recent(listing, timedelta(seconds=60)) is recent


def test_a_greeting_and_a_probe_are_one_small_read_each() -> None:
    """The service answers: the breaker hears of it."""
    client = Answering(page())
    ticks = PaceClock()
    gate = Gate(None, monotonic=ticks.monotonic, sleep=ticks.sleep)
    throttle = Throttle(Pace(None, 1, 1.0), gate, chance=lambda: 0.5)
    looking = Lookups(client, wire.PREVIEW, throttle, now=lambda: datetime.now(UTC))  # type: ignore[arg-type]
    looking.greet()
    for _ in range(5):
        throttle.note(Outcome(OutcomeKind.NOT_SENT, "connect"))
    assert "does not answer" in throttle.waiting
    throttle.probe()
    assert throttle.waiting == ""
    assert [dict(asked.query) for asked in client.asked] == [{"PageSize": "1"}] * 2


def test_who_is_refused_is_told_so_and_not_asked_again() -> None:
    """Access, a bad request, and another service each in its own words."""
    for reply, error in (
        (Reply(401, JSON, b'{"code": 20003, "message": "no"}'), AccessRefused),
        (Reply(400, JSON, b'{"code": 20001, "message": "bad"}'), ServiceRefused),
        (GONE, HnbulkError),  # a list is always there
        (Reply(302, {"location": "https://elsewhere.example/"}), HnbulkError),
    ):
        client = Answering(reply)
        with pytest.raises(error):
            lookups(client).orders_on(NUMBER)
        assert len(client.asked) == 1


def test_a_read_that_was_given_up_says_what_and_why() -> None:
    """Method and path, tries and reason."""
    with pytest.raises(ServiceUnreachable) as refused:
        lookups(Answering(LOST)).orders_on(NUMBER)
    path = wire.PREVIEW.orders
    assert str(refused.value).startswith(f"the service did not answer GET {path} in 5 tries (read).")
    assert refused.value.facts == {"kind": "read", "method": "GET", "path": path}


def test_answers_count_for_how_many_may_be_under_way() -> None:
    """Twenty in a row are calm."""
    ticks = PaceClock()
    throttle = Throttle(Pace(None, 1, 1.0), Gate(None, monotonic=ticks.monotonic, sleep=ticks.sleep))
    looking = Lookups(Answering(page()), wire.PREVIEW, throttle, now=lambda: datetime.now(UTC))  # type: ignore[arg-type]
    for limit in [1] * 19 + [2]:
        looking.orders_on(NUMBER)
        assert throttle.limit == limit


def test_a_run_that_stops_reads_no_more() -> None:
    """It says why."""
    client = Answering(page())
    ticks = PaceClock()
    throttle = Throttle(Pace(None, 1, 1.0), Gate(None, monotonic=ticks.monotonic, sleep=ticks.sleep))
    throttle.stop("by hand")
    looking = Lookups(client, wire.PREVIEW, throttle, now=lambda: datetime.now(UTC))  # type: ignore[arg-type]
    with pytest.raises(Halted, match="by hand"):
        looking.orders_on(NUMBER)
    assert client.asked == []


def test_retries_are_charged_to_their_own_budget_even_after_an_error() -> None:
    """Who leaves the look-ups of doubts by an error charges the requests again."""
    client = Answering(HTML)
    looking = lookups(client)
    with pytest.raises(ServiceUnreachable), looking.for_doubts():
        looking.order(SID)
    tries = []
    for _ in range(6):
        before = len(client.asked)
        with pytest.raises(ServiceUnreachable):
            looking.order(SID)
        tries.append(len(client.asked) - before)
    assert tries == [5, 5, 5, 5, 5, 1]


@pytest.mark.parametrize(("after", "asked"), [(299, 3), (100, 7)])
def test_ten_minutes_of_busy_replies_are_counted_from_the_first(after: int, asked: int) -> None:
    """The try after them is the last."""
    ticks = PaceClock()
    wait = Reply(429, {**JSON, "retry-after": str(after)}, BUSY.body)
    client = Answering(wait)
    with pytest.raises(ServiceUnreachable, match=f"in {asked} tries"):
        lookups(client, ticks).order(SID)
    assert len(client.asked) == asked
