"""Nothing in doubt is taken as absent too early, by one look, or by one clock alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from fake_service import EPOCH, ToldService
from simulation import RUN, Options, World

from hnbulk import failpoints
from hnbulk.coordinator import Coordinator
from hnbulk.messages import Reply
from hnbulk.outcome import Outcome, OutcomeKind
from hnbulk.pacing import READ_ATTEMPTS
from hnbulk.steps import Ending, State

HALF = Reply(200, {"content-type": "application/json"}, b'{"items": [')


class Waiting:
    """Lets the world's time pass until it was asked `most` times, and keeps for how long."""

    def __init__(self, world: World, most: int = 100) -> None:
        self.world = world
        self.most = most
        self.asked: list[float] = []

    def __call__(self, moment: datetime) -> bool:
        self.asked.append((moment - self.world.time.now()).total_seconds())
        if len(self.asked) > self.most:
            return False
        self.world.time.wait_until(moment)
        return True


def in_doubt(*writes: str) -> tuple[World, Coordinator]:
    """A run whose rows were all sent once; their requests met this trouble, and nothing is sent again."""
    service = ToldService(*writes)
    service.time.sleep(1000)
    world = World(Options(creates=len(writes)), 0, service=service)
    coordinator = world.open()
    for wave in coordinator.work.waves(world.plan):
        for chain in wave:
            coordinator.sender.perform(chain)
    return world, coordinator


def ending(world: World, step: int = 0) -> Ending:
    return world.journal.endings(RUN)[step]


def settled(world: World, coordinator: Coordinator, most: int = 100) -> list[float]:
    """All doubts are decided; how long was waited before each look but the first."""
    waiting = Waiting(world, most)
    coordinator.resolver.settle_all(waiting)
    return waiting.asked


def test_an_order_that_is_there_is_found_by_one_look() -> None:
    """The row is done with what the order shows, and so is its attempt."""
    world, coordinator = in_doubt("unanswered")
    (record,) = world.service.orders.values()
    coordinator.resolver.look_first()
    assert coordinator.sender.doubts == []
    assert (ending(world).state, ending(world).sid) == (State.DONE, record.sid)
    result = world.journal.results[0]
    assert (result.kind, result.reason) == ("done", "found")
    assert (result.sid, result.status) == (record.sid, "twilio-processing")


def test_one_look_takes_nothing_as_absent() -> None:
    """However often it is made, and however late."""
    world, coordinator = in_doubt("lost")
    for _ in range(3):
        world.time.sleep(500)
        coordinator.resolver.look_first()
    assert len(coordinator.sender.doubts) == 1
    assert ending(world).state is State.IN_DOUBT


def test_looks_are_further_and_further_apart_until_the_window_is_over() -> None:
    """The last one is right after it, and decides: the row is pending, to be sent once more."""
    world, coordinator = in_doubt("lost")
    since = coordinator.sender.doubts[0].since
    asked = settled(world, coordinator)
    assert asked[:6] == pytest.approx([1, 2, 4, 8, 16, 30])
    assert sum(asked) == pytest.approx(120, abs=4)
    assert len(asked) == 7
    assert world.time.now() >= since + timedelta(seconds=120)
    assert ending(world).state is State.PENDING
    result = world.journal.results[0]
    assert (result.kind, result.reason, coordinator.sender.doubts) == ("absent", "not-there", [])


def test_after_the_window_one_look_is_not_enough() -> None:
    """A doubt that had to wait for the end of the queue is looked for twice all the same."""
    world, coordinator = in_doubt("lost")
    world.time.sleep(1000)
    looks = world.service.look_ups
    assert settled(world, coordinator) == [1.0]
    assert world.service.look_ups - looks == 2 * 2


def test_a_look_before_the_window_and_one_after_it_are_enough() -> None:
    """Those before it count as one, however many they were."""
    world, coordinator = in_doubt("lost")
    for _ in range(3):
        coordinator.resolver.look_first()
    world.time.sleep(120)
    assert settled(world, coordinator) == []
    assert ending(world).state is State.PENDING


def test_what_was_just_looked_at_is_not_looked_at_at_once_again() -> None:
    """The next look is a second later; what time may decide by now is looked at at once."""
    world, coordinator = in_doubt("lost")
    coordinator.resolver.look_first()
    looks = world.service.look_ups
    assert settled(world, coordinator, most=1) == [1.0, 2.0]
    assert world.service.look_ups - looks == 2
    world.time.sleep(120)
    assert settled(world, coordinator) == []
    assert ending(world).state is State.PENDING


@pytest.mark.parametrize("clock", ["world", "own"])
def test_the_window_is_over_by_both_clocks(clock: str) -> None:
    """The world's was set forward, or ours ran on while the machine slept: neither is enough alone."""
    world, coordinator = in_doubt("lost")
    (doubt,) = coordinator.sender.doubts
    if clock == "world":
        doubt.since -= timedelta(seconds=1000)
    else:
        doubt.since_mono -= 1000
    began = world.time.seconds
    settled(world, coordinator)
    assert world.time.seconds - began >= 118


@pytest.mark.parametrize(
    ("age", "own", "decided"), [(120, 120, True), (119.9, 120, False), (120, 119.9, False)]
)
def test_the_window_is_over_when_the_last_look_begins(age: float, own: float, decided: bool) -> None:
    """To the second, by each clock."""
    world, coordinator = in_doubt("lost")
    (doubt,) = coordinator.sender.doubts
    doubt.since, doubt.since_mono = EPOCH + timedelta(seconds=2000 - age), 2000 - own
    for _ in range(2):
        world.time.seconds = 2000.0
        settled(world, coordinator, most=0)
    assert (coordinator.sender.doubts == []) is decided


def test_where_the_world_stands_still_our_own_clock_says_nothing() -> None:
    """It is waited on by stepping it, in no time."""
    world, coordinator = in_doubt("lost")
    world.time.frozen = True
    coordinator.sender.doubts[0].since -= timedelta(seconds=120)
    began = world.time.seconds
    assert settled(world, coordinator) == [1.0]
    assert world.time.seconds - began < 5


def test_the_newest_doubt_says_how_long_it_takes() -> None:
    """And never less than nothing."""
    world, coordinator = in_doubt("lost", "", "lost")
    newest = max(doubt.since for doubt in coordinator.sender.doubts)
    left = newest + timedelta(seconds=120) - world.time.now()
    assert coordinator.resolver.longest() == pytest.approx(left.total_seconds())
    world.time.sleep(500)
    assert coordinator.resolver.longest() == 0.0


def test_what_was_sent_twice_is_left_to_a_person() -> None:
    """With what the service said, where its last word was a no."""
    world, coordinator = in_doubt("lost", "lost", "lost")
    sender = coordinator.sender
    for known in sender.sent.values():
        known.possible = 2
    no, mute = (
        Outcome(OutcomeKind.REJECTED, "status-400", 22110, "taken"),
        Outcome(OutcomeKind.REJECTED, "status-400", 22110),
    )
    by_step = {doubt.act.first: doubt for doubt in sender.doubts}
    by_step[1].refused, by_step[2].refused = no, mute
    settled(world, coordinator)
    assert {(ending(world, n).state, ending(world, n).code) for n in range(3)} == {
        (State.REVIEW, "not-there")
    }
    told = [ending(world, n).message or "" for n in range(3)]
    assert "refused" not in told[0]
    assert told[1].startswith("refused (22110: taken) after a try of unknown outcome; sent as often")
    assert told[2].startswith("refused (22110) after")
    assert [result.kind for result in world.journal.results.values()] == ["absent"] * 3


def test_what_is_found_to_be_a_strangers_is_not_done() -> None:
    """The row is in conflict; what came of the request stays open."""
    world, coordinator = in_doubt("lost")
    world.service.make(world.plan.steps[0].phone_number, "theirs", by="rival")
    coordinator.resolver.look_first()
    assert (ending(world).state, ending(world).code) == (State.CONFLICT, "not-ours")
    result = world.journal.results[0]
    assert (result.kind, result.reason) == ("ambiguous", "undecided")
    assert (result.sid, result.status) == (None, None)


def test_a_service_that_cannot_be_asked_is_given_up_on() -> None:
    """After twenty looks, the last ones a minute apart; the doubt stays for the resume."""
    world, coordinator = in_doubt("lost")
    service = world.service
    assert isinstance(service, ToldService)
    service.next_reads.extend([HALF] * 20 * READ_ATTEMPTS)
    asked = settled(world, coordinator)
    assert len(asked) == 19
    assert asked[-10:] == pytest.approx([60.0] * 10)
    assert len(coordinator.sender.doubts) == 1
    assert ending(world).state is State.IN_DOUBT


def test_a_stop_ends_the_looks() -> None:
    """The first look needs no wait; where waiting is refused, no other follows."""
    world, coordinator = in_doubt("lost")
    looks = world.service.look_ups
    assert settled(world, coordinator, most=2) == pytest.approx([1, 2, 4])
    assert world.service.look_ups - looks == 3 * 2


def test_the_places_where_a_process_may_die_are_passed() -> None:
    """One for each look, one when time has decided."""
    world, coordinator = in_doubt("lost")
    world.time.sleep(500)
    passed: list[str] = []
    with failpoints.on(passed.append):
        settled(world, coordinator)
    assert [place for place in passed if place in ("recovery", "after_absent")] == [
        "recovery",
        "recovery",
        "after_absent",
    ]


def test_retries_of_looks_have_a_budget_of_their_own() -> None:
    """Where that of the requests is spent, what is in doubt can still be looked up."""
    world, coordinator = in_doubt("unanswered")
    service = world.service
    assert isinstance(service, ToldService)
    down = Outcome(OutcomeKind.AMBIGUOUS, "read-timeout")
    while coordinator.throttle.may_retry(down):
        pass
    service.next_reads.append(HALF)
    coordinator.resolver.look_first()
    assert ending(world).state is State.DONE
