"""The demo tells the truth: what it shows is what the sandbox's own books say."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hnbulk as hn
from hnbulk import lifecycle
from hnbulk.demo import LIMITS, PACE, sample_bytes, tell, tell_on
from hnbulk.intake import Intake, read_bytes


@dataclass
class Told:
    """One telling of the whole sample: the document, the files, and the sandbox's own books."""

    document: dict[str, Any]
    out: Path
    lines: list[str]
    truth: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    intake: Intake


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The demo with all 2,000 rows, and what the sandbox knows afterwards."""
    out = tmp_path_factory.mktemp("demo")
    lines: list[str] = []
    with hn.connect_sandbox(7, pace=PACE, limits=LIMITS) as account:
        document = tell_on(account, numbers=2000, out=out, say=lines.append)
        sandbox = account.sandbox
        assert sandbox is not None
        yield Told(
            document=document,
            out=out,
            lines=lines,
            truth=list(sandbox.orders()),
            ledger=list(sandbox.ledger()),
            calls=list(sandbox.calls()),
            intake=read_bytes(sample_bytes("branches.csv"), name="branches.csv"),
        )


def read_results(out: Path) -> dict[str, list[dict[str, str]]]:
    found = {}
    for part in ("success", "error", "unprocessed"):
        with (out / f"branches.{part}.csv").open(newline="", encoding="utf-8") as file:
            found[part] = list(csv.DictReader(file))
    return found


def test_every_row_of_the_sample_is_in_exactly_one_result_file(told: Told) -> None:
    """success + error + unprocessed = input, by row."""
    rows = [int(row["hn_row"]) for part in read_results(told.out).values() for row in part]
    assert sorted(rows) == [row for row, _ in told.intake.rows]
    assert len(rows) == 2000


def test_each_good_number_has_one_create_or_one_refusal(told: Told) -> None:
    """The books hold one processed create a good number, or one refusal; bad rows were never sent."""
    creates = [
        entry
        for entry in told.ledger
        if entry["method"] == "POST" and entry["path"].endswith("/HostedNumberOrders")
    ]
    sent = Counter(entry["phone_number"] for entry in creates)
    good = told.intake.targets[~told.intake.targets["row"].isin(list(told.intake.set_aside))]
    assert set(sent) == set(good["phone_number"])
    assert set(sent.values()) == {1}
    created = [order["phone_number"] for order in told.truth]
    refused = [entry["phone_number"] for entry in creates if entry["status"] != 201]
    assert sorted([*created, *refused]) == sorted(sent)
    assert {entry["code"] for entry in creates if entry["status"] != 201} == {22110}


def test_no_number_has_two_live_orders(told: Told) -> None:
    """Never two live orders on one number."""
    live = Counter(
        order["phone_number"]
        for order in told.truth
        if lifecycle.is_live(order["status"]) and not order["deleted"]
    )
    assert set(live.values()) == {1}


def test_the_edited_list_updates_forty_orders_once(told: Told) -> None:
    """The list a week later is forty updates, and planned again it is nothing."""
    assert told.document["edit"]["update"] == 40
    assert not {"create", "update", "cancel"} & set(told.document["again"])


def test_current_counts_are_those_of_the_books(told: Told) -> None:
    """Where the funnel says numbers stand is where they stand."""
    truth = Counter(order["status"] for order in told.truth)
    shown = {row["stage"]: row["current"] for row in told.document["funnel"] if row["current"]}
    assert shown == dict(truth)


def test_reached_counts_are_those_of_the_books(told: Told) -> None:
    """What the funnel says was reached is what the orders' own histories say, on the path and beside it."""
    path = lifecycle.FUNNEL
    reached: Counter[str] = Counter()
    for order in told.truth:
        seen = {event["status"] for event in order["history"]}
        furthest = max((path.index(status) for status in seen if status in path), default=-1)
        reached.update(path[: furthest + 1])
        reached.update(seen - set(path))
    shown = {row["stage"]: row["reached"] for row in told.document["funnel"] if row["reached"]}
    assert shown == dict(reached)


def test_nothing_on_the_path_was_inferred(told: Told) -> None:
    """Polled every six hours, no stage of twelve hours or more passes unseen but by a skipped call."""
    inferred = {row["stage"]: row["inferred"] for row in told.document["funnel"] if row["inferred"]}
    skipped = {
        order["phone_number"]
        for order in told.truth
        if "verified" in {event["status"] for event in order["history"]}
        and "pending-verification" not in {event["status"] for event in order["history"]}
    }
    assert inferred.get("pending-verification", 0) == len(skipped)
    assert set(inferred) <= {"pending-verification", "received"}


def test_every_call_was_inside_calling_hours(told: Told) -> None:
    """No phone rang outside nine to five of its own zone, or on a weekend."""
    from hnbulk.windows import is_open, zones_of

    for call in told.calls:
        zones = zones_of(call["phone_number"]) or (str(LIMITS.toll_free_zone),)
        assert is_open(pd.Timestamp(call["at"]).to_pydatetime(), zones)


def test_the_folder_holds_what_a_migration_leaves(told: Told) -> None:
    """Plan, three result files, orders, events and the report lie in the folder, for their owner only."""
    wanted = {
        "branches.plan",
        "branches.success.csv",
        "branches.error.csv",
        "branches.unprocessed.csv",
        "orders.parquet",
        "events.parquet",
        "report.html",
        "funnel.svg",
    }
    assert wanted <= set(told.document["files"])
    assert {oct((told.out / name).stat().st_mode & 0o777) for name in wanted} == {"0o600"}
    orders = pd.read_parquet(told.out / "orders.parquet")
    assert set(orders["sid"]) == {order["sid"] for order in told.truth}


def labels(svg: str) -> list[str]:
    """Every text in a picture, in the order it is drawn."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_pictures_of_folder_and_readme_are_one(told: Told) -> None:
    """What the README shows is what the demo leaves: the funnel of its own numbers."""
    left = labels((told.out / "funnel.svg").read_text(encoding="utf-8"))
    shown = Path(__file__).parent.parent / "docs" / "funnel.svg"
    assert left == labels(shown.read_text(encoding="utf-8"))
    completed = Counter(order["status"] for order in told.truth)["completed"]
    assert [text for text in left if text.startswith(f"{completed:,} · ")]


def test_the_story_says_what_to_do_with_what_failed(told: Told) -> None:
    """One word of advice for each status numbers are left in."""
    failed = sum(order["status"] == "failed" for order in told.truth)
    assert [line for line in told.lines if f"next, for the {failed:,} failed: read failure_reason" in line]


def test_the_story_is_short_and_names_no_person(told: Told) -> None:
    """It reads as a story: under 60 lines of at most 100 columns."""
    text = "\n".join(told.lines).splitlines()
    assert len(text) < 60
    assert max(map(len, text)) <= 100


def test_the_same_seed_tells_the_same_story(tmp_path: Path) -> None:
    """Checksum, statuses and funnel are functions of rows and seed alone."""
    first = tell(numbers=80, seed=11, out=tmp_path / "a", say=lambda _: None)
    second = tell(numbers=80, seed=11, out=tmp_path / "b", say=lambda _: None)
    for document in (first, second):
        document.pop("seconds")
    assert json.dumps(first, default=str) == json.dumps(second, default=str)
