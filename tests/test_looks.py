"""A plan says how many requests its run makes; the service's own books say how many it made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from run_bench import Bench, create, number, open_bench

from hnbulk import engine
from hnbulk.apply import Changes
from hnbulk.clocks import SteppedClock
from hnbulk.looks import most_requests, writes
from hnbulk.overview import duration
from hnbulk.planfile import PlanFile
from hnbulk.steps import Action, Step


@dataclass
class GoingClock:
    """The service's own clock, as of a world that goes on by itself."""

    world: SteppedClock
    frozen: bool = False

    def now(self) -> datetime:
        return self.world.now()

    def wait_until(self, moment: datetime) -> None:
        self.world.wait_until(moment)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def asked(bench: Bench, plan: PlanFile) -> tuple[int, int]:
    """How many changes and how many requests a run of the plan makes."""
    before = (len(bench.posts()), len(bench.reads()))
    means = replace(bench.means, clock=GoingClock(bench.clock))  # type: ignore[arg-type]
    assert engine.start(plan, Changes(), means, approve=plan.checksum).wait(60).ok
    sent, read = len(bench.posts()) - before[0], len(bench.reads()) - before[1]
    return sent, sent + read


def updates(bench: Bench, count: int) -> list[Step]:
    """A new name for each of the first orders."""
    sids = [bench.truth()[number(n)][0]["sid"] for n in range(count)]
    names = ({"friendly_name": f"Branch {n}"} for n in range(count))
    return [
        Step(n + 2, Action.UPDATE, number(n), sid, before, {"friendly_name": f"New {n}"})
        for n, (sid, before) in enumerate(zip(sids, names, strict=True))
    ]


def later(n: int) -> Step:
    return Step(n + 2, Action.UPDATE, number(n), after={"extension": "1"}, precondition={"after": "create"})


@pytest.mark.parametrize(("creates", "changed"), [(3, 2), (12, 4), (30, 10), (200, 12)])
def test_a_plan_says_how_many_requests_its_run_makes(bench: Bench, creates: int, changed: int) -> None:
    """Applied after a minute: never more than it says, and at most a fifth fewer."""
    assert bench.apply(bench.creates(changed)).ok
    new = range(changed, changed + creates)
    steps: Sequence[Step] = [*updates(bench, changed), *map(create, new), later(changed)]
    plan = bench.plan(list(steps), input_hash="1" * 64)
    bench.advance(seconds=61)
    sent, all_of_them = asked(bench, plan)
    assert sent == writes(plan) == creates + changed + 1
    most = most_requests(plan, None)
    assert 0.8 * most <= all_of_them <= most
    assert duration(plan, 0.5) >= all_of_them / 0.5


def test_a_fresh_plan_makes_fewer(bench: Bench) -> None:
    """What was read within a minute is believed of a number that has no order."""
    plan = bench.creates(30)
    sent, all_of_them = asked(bench, plan)
    assert (sent, all_of_them < most_requests(plan)) == (30, True)


def test_a_long_run_reads_all_orders_each_minute(bench: Bench) -> None:
    """At five a second, ten thousand creates take an hour, and ten pages a minute."""
    plan = bench.creates(10_000)
    assert most_requests(plan) == 20_000 + 1 + 3 * 10
    assert most_requests(plan, 5) == pytest.approx(20_031 * 300 / 290, abs=1)
    assert most_requests(bench.plan([])) == 0
