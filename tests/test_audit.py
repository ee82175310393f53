"""After a run the service is read once more: each number has exactly one live order, and it is ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, number, open_bench

from hnbulk.apply import Changes
from hnbulk.engine import start
from hnbulk.messages import Failure, Reply, Request
from hnbulk.progress import Report

Items = list[dict[str, Any]]
STRANGER = "HR" + "5" * 32


class Retelling:
    """The bench's client; what lists and single orders show is retold once all creates are sent."""

    def __init__(self, bench: Bench, creates: int, retell: Callable[[Items], Items], *, gone: bool) -> None:
        self.base_url, self.account_sid = bench.client.base_url, bench.client.account_sid
        self._inner, self._left, self._retell, self._gone = bench.client, creates, retell, gone

    def send(self, request: Request, **more: Any) -> Reply | Failure:
        result = self._inner.send(request, **more)
        self._left -= request.method == "POST"
        if self._left > 0 or request.method != "GET" or not isinstance(result, Reply):
            return result
        body = json.loads(result.body)
        if "items" in body:
            body["items"] = self._retell(body["items"])
            return replace(result, body=json.dumps(body).encode())
        return replace(result, status=404, body=b'{"code": 20404}') if self._gone else result


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def run(bench: Bench, count: int, retell: Callable[[Items], Items], *, gone: bool = False) -> Report:
    plan = bench.creates(count)
    client = Retelling(bench, count, retell, gone=gone)
    means = replace(bench.means, client=client)  # type: ignore[arg-type]
    return start(plan, Changes(), means, approve=plan.checksum).wait(20)


@pytest.mark.parametrize("count", [1, 12], ids=["by number", "by list"])
def test_a_second_live_order_is_found_and_left_alone(bench: Bench, count: int) -> None:
    """Whosever it is: the row is in conflict, exit 3, and nothing is deleted."""
    report = run(
        bench,
        count,
        lambda items: [*items, *(i | {"sid": STRANGER} for i in items if i["phone_number"] == number(0))],
    )
    assert (report.state, report.exit_code, report.counts["conflict"]) == ("finished", 3, 1)
    assert "1 two-live-orders" in report.message
    assert {line["method"] for line in bench.posts()} == {"POST"}
    found = bench.journal.endings(report.run_id)[0]
    assert (found.code, STRANGER in (found.message or "")) == ("two-live-orders", True)


def test_an_order_that_is_gone_is_told_and_not_made_anew(bench: Bench) -> None:
    """Neither listed nor fetched, a settle window later: vanished."""
    began = bench.clock.now()
    report = run(bench, 2, lambda items: [], gone=True)
    assert (report.exit_code, report.counts) == (3, {"review": 2})
    assert (bench.clock.now() - began).total_seconds() >= 120
    assert len(bench.posts()) == 2


def test_an_order_that_shows_late_is_no_fault(bench: Bench) -> None:
    """Not in the list yet, but there when it is asked for by its sid."""
    assert run(bench, 12, lambda items: [i for i in items if i["phone_number"] != number(3)]).ok


def test_a_clean_run_reads_once_more_and_says_nothing(bench: Bench) -> None:
    """One list for many creates."""
    report = run(bench, 12, lambda items: items)
    assert (report.exit_code, report.message) == (0, "")
    last = max(line["n"] for line in bench.posts())
    assert len([line for line in bench.reads() if line["n"] > last]) == 1
