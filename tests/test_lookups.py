"""What a run is told by the service it believes only in the service's own words."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest

from hnbulk import wire
from hnbulk.errors import HnbulkError, ReplyUnreadable, ServiceUnreachable
from hnbulk.lookups import Lookups
from hnbulk.messages import Reply, Request
from hnbulk.settings import Pace
from hnbulk.throttle import Gate, Throttle

SID = "HR" + "a" * 32
JSON = {"content-type": "application/json"}
HTML = Reply(404, {"content-type": "text/html"}, b"<html>not here</html>")
OWN = Reply(404, JSON, b'{"code": 20404, "message": "not found", "status": 404}')
PORTAL = Reply(200, {"content-type": "text/html"}, b"<html>log in</html>")


class Answering:
    """A client to which every request has one answer."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[Request] = []

    def send(self, request: Request, **_more: Any) -> Reply:
        self.asked.append(request)
        return self.reply


def lookups(client: Answering) -> Lookups:
    gate = Gate(None, monotonic=lambda: 0.0, sleep=lambda _: None)
    throttle = Throttle(Pace(None, 1, 1.0), gate, chance=lambda: 0.0)
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
