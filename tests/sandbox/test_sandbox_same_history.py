"""Two runs of one seed, each driven by racing threads, have one history.

Requests of a phase come in any order; phases are parted by steps of the clock. Some requests are
refused for their number at once (429) and asked again: that, and who came first, may differ.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from sandbox_driver import ADDRESS, DAY, HOUR, LETTERS, ORDERS, Served, served

from hnbulk.sandbox import FIXED_NUMBERS, WorldSettings
from hnbulk.sandbox.past import number_of

THREADS = 8
NUMBERS = [*FIXED_NUMBERS, *(number_of(place) for place in range(2000 - len(FIXED_NUMBERS)))]
LETTER = {
    "AddressSid": ADDRESS,
    "Email": "owner@example.com",
    "ContactTitle": "Owner",
    "ContactPhoneNumber": "+14155550100",
}


def asked(box: Served, path: str, form: dict[str, Any]) -> httpx.Response:
    """The reply to a POST, asked again for as long as there are too many at once."""
    while (reply := box.api.post(path, data=form)).status_code == 429:
        pass
    return reply


def phase(
    racing: ThreadPoolExecutor, order: int, act: Callable[[Any], object], about: Iterable[Any]
) -> None:
    """`act` has been done for all of `about`, by racing threads, in an order of this run's own."""
    items = list(about)
    random.Random(order).shuffle(items)
    list(racing.map(act, items))


def lived(order: int) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]], Counter[int]]:
    """The truth, the ledger by what its lines are about, and how the requests were answered."""
    with (
        served(seed=5, settings=WorldSettings(concurrency_limit=6, latency=0.001)) as box,
        ThreadPoolExecutor(THREADS) as racing,
    ):

        def in_status(*statuses: str) -> list[dict[str, Any]]:
            return [one for one in box.sandbox.orders() if one["status"] in statuses]

        def call(one: dict[str, Any]) -> object:
            return asked(box, f"{ORDERS}/{one['sid']}", {"Status": "pending-verification"})

        form = {"SmsCapability": "true"}
        phase(racing, order, lambda n: asked(box, ORDERS, {"PhoneNumber": n, **form}), NUMBERS)
        box.sandbox.clock.advance(36 * HOUR)
        phase(racing, order, call, in_status("received"))
        box.sandbox.clock.advance(HOUR)
        phase(racing, order, call, in_status("received", "pending-verification")[:300])
        box.sandbox.clock.advance(HOUR)
        sids = sorted(one["sid"] for one in in_status("verified"))
        groups = [sids[start : start + 25] for start in range(0, len(sids), 25)]
        phase(racing, order, lambda g: asked(box, LETTERS, {**LETTER, "HostedNumberOrderSids": g}), groups)
        box.sandbox.clock.advance(4 * DAY)
        box.sandbox.clock.advance(9 * DAY)
        return box.sandbox.orders(), sorted_ledger(box.sandbox.ledger()), counted(box.sandbox.ledger())


def sorted_ledger(ledger: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The lines of each number, order or letter in the order of their arrival, without their place."""
    lines: dict[str, list[dict[str, Any]]] = {}
    for line in sorted(ledger, key=lambda line: line["n"]):
        if line["status"] != 429:
            about = line["phone_number"] or line["sid"]
            lines.setdefault(about, []).append({name: line[name] for name in line if name != "n"})
    return lines


def counted(ledger: list[dict[str, Any]]) -> Counter[int]:
    """How many requests were answered with which status."""
    return Counter(line["status"] for line in ledger)


def test_two_runs_of_a_seed_have_one_history() -> None:
    """Of 2,000 numbers and eight threads: the same truth, and the same lines about each number."""
    truth, ledger, statuses = lived(1)
    again, ledger_again, statuses_again = lived(2)
    assert truth == again
    assert ledger == ledger_again
    assert len(truth) > 1900
    assert statuses[201] == statuses_again[201] > 1900
    assert {"completed", "failed", "action-required"} <= {order["status"] for order in truth}
