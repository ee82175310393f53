"""Two thousand small worlds in virtual time, with faults, crashes and rivals: every promise holds in each.

A failure names its seed and options. To play one seed alone and read its story:
`HNBULK_SEED=17 pytest tests/test_simulation.py`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from fake_service import EPOCH, ORDERS, FakeService, Faults, Rules, Time
from promises import broken_promises, duplicates
from simulation import Crashed, Options, World, create, options_of

from hnbulk.messages import Reply, Request
from hnbulk.wire import PREVIEW, create_order

SEEDS, CHUNK = 2000, 100
_TROUBLE = Faults(
    lost=0.05, unanswered=0.05, broken=0.05, busy=0.05, malformed=0.01, late=0.02, longest=60.0, lag=5.0
)


def seeds() -> list[range]:
    """All of them in chunks, or the one that the environment names."""
    if chosen := os.environ.get("HNBULK_SEED"):
        return [range(int(chosen), int(chosen) + 1)]
    return [range(first, first + CHUNK) for first in range(0, SEEDS, CHUNK)]


def played(seed: int, options: Options | None = None) -> World:
    world = World(options or options_of(seed), seed)
    world.play()
    return world


def told(failed: Sequence[tuple[World, int, list[str]]]) -> str:
    """Each seed with its options, and the story of the first."""
    lines = [
        f"seed={seed} options={world.options}\n  {'; '.join(broken)}\n"
        f"  again: HNBULK_SEED={seed} pytest tests/test_simulation.py"
        for world, seed, broken in failed
    ]
    return "\n".join([*lines, "the first one's story:", *failed[0][0].story]) if failed else ""


@pytest.mark.parametrize("chunk", seeds(), ids=lambda chunk: f"{chunk.start}-{chunk.stop - 1}")
def test_every_promise_holds_for_every_seed(chunk: range) -> None:
    """One order a number, none lost, none of a stranger, nothing unasked, and an end to every row."""
    failed = []
    for seed in chunk:
        world = played(seed)
        if broken := broken_promises(world):
            failed.append((world, seed, broken))
    assert not failed, told(failed)


def test_a_resume_that_cannot_read_what_its_run_left_does_not_end_it() -> None:
    """A call may have rung when the process died: with no disk nobody can tell, and the run goes on."""

    def die(place: str) -> None:
        if place == "answered":
            raise Crashed(place)

    world = World(Options(creates=0, calls=2, full=1.0, crashes=1), 1)
    world.crashes = 1  # the disk is well
    assert not world.process(die)
    world.crashes = 0  # it is full
    assert not world.process()
    world.play()
    assert world.finished
    assert broken_promises(world) == []


def test_a_seed_plays_the_same_world_again() -> None:
    """Story and truth are the same, request by request."""
    one, two = played(11), played(11)
    assert one.story == two.story
    assert one.service.starts == two.service.starts
    assert one.options == two.options == options_of(11)


def test_the_seeds_meet_everything_there_is() -> None:
    """Crashes one inside the other, full disks, lost requests and calls: none of it is left out."""
    worlds = [played(seed) for seed in range(100)]
    met = {write.fault for world in worlds for write in world.service.writes}
    assert met >= {"lost", "unanswered", "late", "broken", "busy", "malformed", "turned_away", ""}
    assert max(world.crashes for world in worlds) >= 3
    crashed = {line.rpartition(" ")[2] for world in worlds for line in world.story if "crashed" in line}
    assert crashed >= {
        "after_intent",
        "after_response",
        "before_outcome",
        "recovery",
        "arrived",
        "answered",
    }
    assert sum(world.work.kind == "calls" for world in worlds) > 10


# -- negative controls: without the rules, the same worlds show what they are for


def naive(service: FakeService, request: Request) -> None:
    """A client that sends again until it is told yes or no."""
    for _ in range(4):
        result = service.send(request)
        if isinstance(result, Reply) and result.status in (200, 201, 400, 409) and result.body[:2] == b'{"':
            return


def test_a_naive_client_makes_duplicates_in_the_same_world() -> None:
    """More than fifty in two thousand creates; the engine makes none in it."""
    doubled = 0
    for seed in range(20):
        service = FakeService(Time(), random.Random(f"world {seed}"), _TROUBLE, Rules())
        for n in range(100):
            step = create(n)
            naive(service, create_order(PREVIEW, {"phone_number": step.phone_number, **step.after}))
        service.run_out()
        doubled += len(service.orders) - len({one.phone_number for one in service.orders.values()})
    engine = sum(duplicates(played(seed, Options(creates=100, faults=_TROUBLE))) for seed in range(2))
    assert doubled > 50
    assert engine == 0


def test_a_settle_window_that_is_too_short_makes_duplicates() -> None:
    """Where nothing is enforced, the window is what stands between a late request and a second order."""
    late = Faults(late=0.3, longest=150.0, lag=5.0)
    short = sum(duplicates(played(seed, Options(creates=40, settle=2.0, faults=late))) for seed in range(5))
    enough = sum(
        duplicates(played(seed, Options(creates=40, settle=160.0, faults=late))) for seed in range(5)
    )
    assert short > 10
    assert enough == 0


# -- how much is sent


def test_a_tenth_of_faults_costs_a_quarter_more_at_most() -> None:
    """All requests but look-ups are at most 1.25 a row, the audit included."""
    faults = Faults(lost=0.02, unanswered=0.02, broken=0.02, busy=0.02, refused=0.02, lag=2.0)
    world = played(3, Options(creates=400, faults=faults))
    assert world.finished, world.story[-3:]
    sent = len(world.service.starts) - world.service.look_ups
    assert 400 <= sent <= 1.25 * 400


@pytest.mark.parametrize("begins", [0.0, 20.0], ids=["from the first", "in the middle"])
def test_a_service_that_is_down_for_ten_minutes_is_not_besieged(begins: float) -> None:
    """The run waits or gives up. Gone on with afterwards, all requests but look-ups (each row left is
    looked for before it is sent) are at most 1.05 a row; while it is down they are a twentieth."""
    world = World(Options(creates=400), 5)
    world.service.down_from, world.service.down_until = begins, begins + 600.0
    if not world.process():
        world.time.wait_until(EPOCH + timedelta(seconds=begins + 600.0))
        world.play()
    assert broken_promises(world) == []
    assert len([write for write in world.service.writes if write.request.path == ORDERS]) == 400
    starts = world.service.starts
    assert 400 < len(starts) - world.service.look_ups <= 1.05 * 400
    assert 0 < world.service.unheard <= 0.05 * 400
