"""What became of a run's rows, as the journal alone knows it: what may have been sent is never `unsent`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_bench import WALL, Bench, open_bench

from hnbulk.entries import ABSENT, Ended, Intent, Result
from hnbulk.results import class_rows
from hnbulk.runs import endings_of, results_of
from hnbulk.steps import Action, Ending, State, Step


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def intended(bench: Bench, *steps: int, run_id: str = "r1") -> list[int]:
    """The attempts of these steps, of which nothing has come back."""
    intents = [Intent(step, 1, "create", "f" * 64, WALL, 1.0) for step in steps]
    return bench.journal.intend(run_id, intents)


def test_a_row_that_was_sent_and_not_answered_is_in_doubt(bench: Bench) -> None:
    """Its process died; one that was never sent, or is proved absent, is pending."""
    plan = bench.creates(5)
    bench.journal.begin("r1", plan, kind="orders", at=WALL, options={})
    ids = intended(bench, 0, 1, 2, 3)
    absent = Result(ids[1], ABSENT, "not-there", WALL)
    lost = Result(ids[2], "ambiguous", "read", WALL)
    done = Result(ids[3], "done", "status-201", WALL)
    endings = [Ending(1, State.PENDING), Ending(3, State.DONE, "HR1", "received")]
    bench.journal.record("r1", results=[absent, lost, done], endings=[Ended(one) for one in endings])
    found = {one.step: one.state for one in endings_of(bench.connection, "r1", plan)}
    assert found == {0: "in-doubt", 1: "pending", 2: "in-doubt", 3: "done"}
    results = results_of(bench.connection, "r1")
    told = {row["hn_row"]: (row["hn_retryable"], row["hn_next_step"][:20]) for row in results.unprocessed}
    looked, again = ("no", "run `hnbulk resume`:"), ("yes", "run `hnbulk resume`,")
    assert told == {"2": looked, "3": again, "4": looked, "6": again}
    assert class_rows(plan, endings_of(bench.connection, "r1", plan)) == {
        "unsent": [3, 6],
        "in-doubt": [2, 4],
    }


def test_a_letter_in_doubt_is_one_for_all_its_orders(bench: Bench) -> None:
    """Its attempt is journalled under the first of them."""
    letters = [
        Step(None, Action.AUTHORIZE, f"+1501200000{n}", sid=f"HR{n}", group=g) for n, g in enumerate("aab")
    ]
    plan = bench.plan(letters)
    bench.journal.begin("r1", plan, kind="letters", at=WALL, options={})
    intended(bench, 0)
    assert [(one.step, one.state) for one in endings_of(bench.connection, "r1", plan)] == [
        (0, State.IN_DOUBT),
        (1, State.IN_DOUBT),
    ]


def test_a_list_of_runs_counts_what_may_have_been_sent(bench: Bench) -> None:
    """Apart from what never was."""
    bench.journal.begin("r1", bench.creates(4), kind="orders", at=WALL, options={})
    intended(bench, 0, 1)
    assert bench.journal.run("r1").counts == {"in-doubt": 2, "pending": 2}
