"""Waves in order, the first rows alone, doubts last, and one who waits and asks what time it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from fake_service import EPOCH, ORDERS, Faults, ToldService
from simulation import RUN, Crashed, Options, World, create, number

from hnbulk.coordinator import Coordinator
from hnbulk.errors import ServiceUnreachable
from hnbulk.messages import Reply, Request
from hnbulk.pacing import READ_ATTEMPTS
from hnbulk.steps import Action, State, Step
from hnbulk.throttle import Halted

HALF = Reply(200, {"content-type": "application/json"}, b'{"items": [')
WHOLE = timedelta(seconds=600)


def opened(
    *writes: str | Reply, options: Options | None = None, resumed: bool = False
) -> tuple[World, ToldService, Coordinator]:
    """A run whose writes will meet this trouble in turn."""
    service = ToldService(*writes)
    world = World(options or Options(), 0, service=service)
    return world, service, world.open(resumed=resumed)


def crash_at(place: str, count: int = 1) -> Callable[[str], None]:
    """The process dies when it passes the place for the count-th time."""
    left = count

    def strike(passed: str) -> None:
        nonlocal left
        left -= passed == place
        if left == 0 and passed == place:
            raise Crashed(place)

    return strike


def states(world: World) -> list[str]:
    return [str(one.state) for one in world.journal.endings(RUN)]


# -- waiting


@pytest.mark.parametrize(("host", "asks"), [("127.0.0.1", 120), ("preview.example", 10)])
def test_who_waits_asks_for_the_time_now_and_then(host: str, asks: int) -> None:
    """Each minute; each five seconds where the service is on this machine, whose clock may be stepped."""
    world = World(Options(), 0, service=ToldService())
    header = replace(world.plan.header, base_url=f"https://{host}:1")
    world.plan = replace(world.plan, header=header)
    coordinator = world.open()
    assert coordinator.wait_until(EPOCH + WHOLE)
    assert world.time.seconds == pytest.approx(600, abs=0.5)
    assert asks - 5 <= world.service.reads <= asks
    assert world.service.look_ups == 0


def test_a_moment_that_is_past_is_not_waited_for() -> None:
    """Nor is the service asked."""
    world, service, coordinator = opened()
    assert coordinator.wait_until(EPOCH - WHOLE)
    assert (world.time.seconds, service.reads) == (0.0, 0)


def test_a_service_that_does_not_say_the_time_is_asked_again_later() -> None:
    """Waiting goes on."""
    _, service, coordinator = opened()
    service.next_reads.extend([HALF] * READ_ATTEMPTS)
    assert coordinator.wait_until(EPOCH + WHOLE)
    assert service.reads > 100


def test_a_stop_ends_the_waiting() -> None:
    """Whatever the moment."""
    world, service, coordinator = opened()
    service.look = lambda *_: coordinator.throttle.stop("by hand")
    assert not coordinator.wait_until(EPOCH + WHOLE)
    assert world.time.seconds < 10
    assert service.reads == 1


def test_the_time_is_asked_for_when_the_turn_has_come_again() -> None:
    """A minute after the last answer, in slices of half a second."""
    world = World(Options(), 0, service=ToldService())
    header = replace(world.plan.header, base_url="https://preview.example")
    world.plan = replace(world.plan, header=header)
    world.time.sleep(5000)
    coordinator = world.open()
    assert coordinator.wait_until(world.time.now() + WHOLE)
    starts = world.service.starts
    gaps = [two - one for one, two in zip([5000, *starts], starts, strict=False)]
    assert gaps == pytest.approx([60.3] * len(starts), abs=0.5)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_world_that_stands_still_is_stepped(stopped: bool) -> None:
    """At once, and nothing is asked."""
    world, service, coordinator = opened()
    world.time.frozen = True
    if stopped:
        coordinator.throttle.stop("by hand")
    assert coordinator.wait_until(EPOCH + WHOLE) is not stopped
    assert (world.time.seconds, service.reads) == (600.0, 0)


# -- the first rows


def test_rows_that_cannot_be_asked_about_at_first_send_nothing() -> None:
    """The rest is not tried."""
    world, service, coordinator = opened(options=Options(creates=6))
    world.time.sleep(100)
    service.next_reads.extend([HALF] * 4 * READ_ATTEMPTS)
    coordinator.run()
    assert coordinator.throttle.reason == "the first rows could not be sent; the rest was not tried."
    assert (service.writes, coordinator.sender.tally.counts) == ([], {"pending": 6})


def test_a_first_row_that_nobody_can_tell_of_stops_the_run_once() -> None:
    """It was sent twice and is not there: somebody looks, and then the resume sends the rest."""
    world, service, _ = opened("lost", "", "lost", options=Options(creates=6))
    assert not world.process()
    assert len(service.writes) == 3
    assert "what came of 1 of the first rows cannot be told (not-there); the rest was" in world.story[-1]
    assert world.process()
    assert sorted(states(world)) == ["done"] * 5 + ["review"]


def test_a_doubt_from_before_waits_behind_the_rows_that_can_be_sent() -> None:
    """A resume sends the others first, and the settle window costs nothing."""
    world, service, _ = opened("lost", options=Options(creates=5))
    assert not world.process(crash_at("answered"))
    began = world.time.seconds
    assert world.process()
    (again,) = [write for write in service.writes[1:] if write.request == service.writes[0].request]
    assert again is service.writes[-1]
    assert again.at - began >= 120
    assert all(write.at - began < 30 for write in service.writes[1:-1])
    assert states(world) == ["done"] * 5


@pytest.mark.parametrize(("done", "wary"), [(1, True), (2, False), (3, False)])
def test_a_resume_of_what_has_come_out_well_needs_no_first_rows(done: int, wary: bool) -> None:
    """As many done as go alone at first are enough; with fewer, one that nobody can tell of stops it."""
    stop = Reply(401, {"content-type": "application/json"}, b'{"code": 20003, "message": "no"}')
    world, service, _ = opened(*[""] * done, stop, options=Options(creates=8))
    assert not world.process()
    assert states(world) == ["done"] * done
    others = 1 if wary else 7 - done  # so many go before what is in doubt is decided
    service.next_writes.extend(["lost", *[""] * others, "lost"])
    assert world.process() is not wary
    assert ("cannot be told" in world.story[-1]) is wary
    assert sorted(states(world)).count("review") == 1


def test_the_first_rows_go_one_by_one() -> None:
    """However slow the disk; those behind them share commits."""
    world, _, coordinator = opened(options=Options(creates=40, canary=6))
    world.journal.slow = lambda: world.time.sleep(0.5)
    coordinator.run()
    assert coordinator.sender.tally.counts == {"done": 40}
    assert world.journal.together[:6] == [1] * 6
    assert max(world.journal.together) > 1


def test_one_first_row_is_enough_and_none_is_not() -> None:
    """A resume that has none done has its first row, too."""
    stop = Reply(401, {"content-type": "application/json"}, b'{"code": 20003, "message": "no"}')
    world, service, _ = opened(stop, "lost", "lost", options=Options(creates=3, canary=1))
    assert not world.process()
    assert not world.process()
    assert "cannot be told" in world.story[-1]
    assert len(service.writes) == 3


def test_calls_have_no_first_rows() -> None:
    """One that the service is too busy for holds up no other."""
    busy = Reply(429, {"content-type": "application/json"}, b'{"code": 20429, "message": "busy"}')
    world, _, _ = opened(*[busy] * 3, options=Options(calls=1))
    calls(world, 0, 0, together=True)
    coordinator = world.open()
    coordinator.run()
    assert coordinator.sender.tally.counts == {"pending": 1, "done": 1}
    assert coordinator.throttle.reason == ""


# -- holds


@pytest.mark.parametrize(
    ("found", "lost", "waits"), [(21, 0, False), (0, 21, True)], ids=["all are found", "none is"]
)
def test_more_than_twenty_in_doubt_are_looked_into_before_more_is_sent(
    found: int, lost: int, waits: bool
) -> None:
    """What is found goes on at once; what is not has the whole window first."""
    faults = [*["unanswered"] * found, *["lost"] * lost]
    _, service, coordinator = opened("", "", *faults, options=Options(creates=40))
    most = []
    service.in_flight = lambda _place, _request: most.append(len(coordinator.sender.doubts))
    coordinator.run()
    assert max(most) == 20
    gaps = [two.at - one.at for one, two in zip(service.writes, service.writes[1:], strict=False)]
    assert (gaps[22] >= 100) is waits
    assert sum(gap >= 100 for gap in gaps) == waits
    assert coordinator.sender.tally.counts == {"done": 40}


def test_few_that_a_look_does_not_find_wait_for_the_end() -> None:
    """After a hold as at any time."""
    faults = [*["unanswered"] * 20, "lost"]
    _, service, coordinator = opened("", "", *faults, options=Options(creates=40))
    coordinator.run()
    assert coordinator.sender.tally.counts == {"done": 40}
    gaps = [two.at - one.at for one, two in zip(service.writes, service.writes[1:], strict=False)]
    assert [n for n, gap in enumerate(gaps) if gap >= 60] == [39]


def test_a_hold_looks_only_at_what_nobody_has_looked_at() -> None:
    """What a look did not find is looked at again when time may decide it, not at every hold."""
    faults = [*["lost"] * 10, *["unanswered"] * 40]
    _, service, coordinator = opened("", "", *faults, options=Options(creates=60))
    looks = {}
    service.in_flight = lambda _place, _request: looks.setdefault(len(service.writes), service.look_ups)
    coordinator.run()
    assert coordinator.sender.tally.counts == {"done": 60}
    checks = 48  # one before each create from when the plan is a minute old: nobody answers so long
    assert looks[59] == checks + 2 * (21 + 11 + 11)  # three holds before the last row's request


def test_doubts_that_cannot_be_looked_up_stop_the_run() -> None:
    """With how many they are."""
    world, service, coordinator = opened("", "", "lost", options=Options(creates=3))
    service.in_flight = lambda *_: len(service.writes) == 3 and service.next_reads.extend([HALF] * 999)
    coordinator.run()
    assert coordinator.throttle.reason == (
        "1 requests are in doubt and could not be looked up; resume later."
    )
    assert coordinator.sender.tally.doing == ""
    assert sorted(states(world)) == ["done", "done", "in-doubt"]


def test_while_doubts_are_looked_up_it_is_told_for_how_long_at_most() -> None:
    """Afterwards no more."""
    _, service, coordinator = opened("lost", options=Options(creates=1))
    told = []
    service.look = lambda *_: told.append(coordinator.sender.tally.doing)
    coordinator.run()
    assert "1 in doubt; looking it up for up to 120 s" in told
    assert (told[-1], coordinator.sender.tally.doing) == ("", "")


# -- waves


def calls(world: World, *opens: float, together: bool = False) -> None:
    """In place of its plan: one wave of one call after the other, each from so many seconds on."""
    steps = []
    for n, seconds in enumerate(opens):
        sid = world.service.make(number(n), f"old-{n}", by="before", status="received").sid
        hours = {
            "not_before": (EPOCH + timedelta(seconds=seconds)).isoformat(),
            "not_after": (EPOCH + timedelta(hours=5)).isoformat(),
        }
        steps.append(
            Step(n + 2, Action.VERIFY, number(n), sid, {}, {}, {"wave": 0 if together else n, **hours})
        )
    world.plan = replace(world.plan, steps=tuple(steps))


def test_a_wave_waits_for_its_time_and_says_so() -> None:
    """Then its phones ring; the next wave waits for its own time."""
    world, service, _ = opened(options=Options(calls=1))
    calls(world, 900, 3000)
    coordinator = world.open()
    told = []
    service.look = lambda *_: told.append(coordinator.sender.tally.doing)
    coordinator.run()
    first, second = service.writes
    assert (900 <= first.at < 902, 3000 <= second.at < 3002) == (True, True)
    assert [words for words in dict.fromkeys(told) if words.startswith("next")] == [
        "next calls at 2026-11-23 15:15 UTC",
        "next calls at 2026-11-23 15:50 UTC",
    ]
    assert any(words.startswith("waiting for answers until 15:1") for words in told)
    assert told[-1] == ""


def test_a_run_that_is_stopped_between_waves_begins_no_other() -> None:
    """Its calls stay as they are."""
    world, service, _ = opened(options=Options(calls=1))
    calls(world, 0, 3000)
    coordinator = world.open()
    service.at(1000, lambda: coordinator.throttle.stop("by hand"))
    coordinator.run()
    assert coordinator.sender.tally.counts == {"done": 1, "pending": 1}
    assert len(service.writes) == 1


def test_a_resume_of_calls_looks_up_and_places_none() -> None:
    """The one that was placed is found, the others stay as they are."""
    world, service, _ = opened("", "unanswered", options=Options(calls=1))
    calls(world, 0, 0, 0)
    assert not world.process(crash_at("answered", 2))
    resumed = world.open(resumed=True)
    resumed.run()
    assert resumed.sender.tally.counts == {"done": 2, "pending": 1}
    assert len(service.writes) == 2


def test_answers_that_cannot_be_read_end_a_run_of_calls() -> None:
    """A person is told; an audit of orders can be made later, this cannot."""
    world, service, _ = opened(options=Options(calls=1))
    calls(world, 0)
    coordinator = world.open()
    service.in_flight = lambda place, _request: service.next_reads.extend([HALF] * 200)
    with pytest.raises(ServiceUnreachable):
        coordinator.run()
    assert coordinator.sender.tally.counts == {"done": 1}


@pytest.mark.parametrize("stopped", [False, True])
def test_orders_that_cannot_be_looked_at_once_more_are_done_all_the_same(stopped: bool) -> None:
    """The audit is not made, and that is known."""
    _, service, coordinator = opened(options=Options(creates=2))

    def cut(place: str, _request: Request) -> None:
        if place == "answered" and len(service.writes) == 2:
            service.next_reads.extend([HALF] * 2 * READ_ATTEMPTS)

    def stop(request: Request, _reply: Reply) -> None:
        if request.method == "GET" and len(service.writes) == 2:
            coordinator.throttle.stop("by hand")

    service.in_flight = (lambda *_: None) if stopped else cut
    service.look = stop if stopped else (lambda *_: None)
    coordinator.run()
    assert coordinator.sender.tally.counts == {"done": 2}
    assert coordinator.audited is False
    assert coordinator.found == []


def test_a_clean_audit_is_known_to_be_made() -> None:
    """And finds nothing; what it finds is kept."""
    _, service, coordinator = opened(options=Options(creates=2))
    coordinator.run()
    assert (coordinator.audited, coordinator.found) == (True, [])
    _, service, coordinator = opened(options=Options(creates=2))

    def rival(place: str, _request: Request) -> None:
        if place == "answered" and len(service.writes) == 2:
            service.make(number(0), "rival", by="rival")

    service.in_flight = rival
    coordinator.run()
    assert [(one.step, one.code) for one in coordinator.found] == [(0, "stranger")]
    assert coordinator.sender.tally.counts == {"done": 1, "conflict": 1}


def test_what_is_seen_on_the_way_goes_to_the_history() -> None:
    """By the audit, and by the look-ups of a run that stops before it."""
    world, service, coordinator = opened(options=Options(creates=11))
    stranger = service.make(number(500), "theirs", by="rival")
    coordinator.run()
    assert world.history.orders == {*service.orders} >= {stranger.sid}
    world, service, coordinator = opened("unanswered", "unanswered", options=Options(creates=2))

    def stop(request: Request, reply: Reply) -> None:
        if service.reads == 4:  # both are found
            coordinator.throttle.stop("by hand")

    service.look = stop
    coordinator.run()
    assert coordinator.sender.tally.counts == {"done": 2}
    assert world.history.orders == {*service.orders}


# -- a resume


def test_an_update_behind_a_create_of_an_earlier_process_finds_its_order() -> None:
    """The journal knows the order that the row has made."""
    world, service, _ = opened(options=Options(creates=1, dependent=1))
    assert not world.process(crash_at("after_intent", 2))
    assert world.process()
    (record,) = service.orders.values()
    assert record.friendly_name == "Late 0"
    assert [write.request.path == ORDERS for write in service.writes] == [True, False]


def test_a_resume_knows_what_was_sent_before_it() -> None:
    """How much in all, and of each open row; what never left counts for nothing."""
    world, service, _ = opened("", "refused", "", "unanswered", options=Options(creates=4))
    assert not world.process(crash_at("answered", 3))
    coordinator = world.open(resumed=True)
    assert not coordinator.taken_up
    service.look = lambda *_: coordinator.throttle.stop("to look at it")
    with suppress(Halted):
        coordinator.run()
    sender = coordinator.sender
    assert coordinator.taken_up
    assert sender.sent_earlier == 3
    assert [(sent.attempts, sent.possible) for sent in sender.sent.values()] == [(1, 1)]
    assert sender.tally.counts == {"done": 2, "in-doubt": 1, "pending": 1}


def test_a_resume_is_in_doubt_of_the_newest_attempt_of_an_open_row() -> None:
    """The first never left; a row that has ended is in doubt of nothing."""
    world, service, _ = opened("refused", "unanswered", options=Options(creates=1))
    assert not world.process(crash_at("answered"))
    assert world.process()
    assert [one.kind for one in world.journal.attempts(RUN)] == ["not-sent", "done"]
    world, service, _ = opened("lost", "lost", options=Options(creates=1))
    assert world.process()
    assert states(world) == ["review"]
    coordinator = world.open(resumed=True)
    reads = service.reads
    coordinator.run()
    assert coordinator.sender.tally.counts == {"review": 1}
    assert service.reads == reads + 1  # the audit alone


def test_a_hold_does_not_look_again_at_what_earlier_processes_looked_at() -> None:
    """Fifteen left in doubt two processes ago and six of this one are too many: the six are looked at."""
    faults = ["", "", *["lost"] * 15, "", *["unanswered"] * 6]
    world, service, _ = opened(*faults, options=Options(creates=40))
    assert not world.process(crash_at("before_outcome", 15))
    world.time.sleep(100)
    assert not world.process(crash_at("after_intent"))
    world.time.sleep(100)
    looks: dict[int, int] = {}
    service.in_flight = lambda _place, _request: looks.setdefault(len(service.writes), service.look_ups)
    assert world.process()
    assert states(world) == ["done"] * 40
    checks, ours = 24, 6
    assert looks[39] - looks[15] <= checks + 2 * (ours + 2)


def test_a_run_without_steps_is_over_at_once() -> None:
    """Nothing is asked."""
    world = World(Options(), 0, service=ToldService(), steps=[])
    world.open().run()
    assert world.service.starts == []


def test_what_was_looked_back_on_is_told_to_be_audited() -> None:
    """Of calls, too, also where a resume places none."""
    world, _, _ = opened(options=Options(calls=1))
    calls(world, 0)
    assert not world.process(crash_at("answered"))
    resumed = world.open(resumed=True)
    resumed.run()
    assert resumed.audited


def test_a_run_of_few_rows_is_read_by_number_at_its_end() -> None:
    """As many reads as rows."""
    world = World(Options(faults=Faults()), 0, service=ToldService(), steps=[create(n) for n in range(3)])
    world.open().run()
    assert (world.service.reads, world.service.look_ups) == (3, 3)
    assert [ending.state for ending in world.journal.endings(RUN)] == [State.DONE] * 3


def test_a_resume_looks_first_at_what_the_process_before_it_left() -> None:
    """What earlier ones left was looked at then, and waits for the end of the queue."""
    world, service, _ = opened(options=Options(creates=3))
    asked: list[str] = []

    def note(request: Request, _: Reply) -> None:
        of = {**dict(request.query), **dict(request.form)}.get("PhoneNumber", "")
        if of and of not in asked:
            asked.append(of)

    service.look = note
    left = []
    for _ in range(2):  # each dies before it sends what it has just intended
        world.time.sleep(100)
        asked.clear()
        assert not world.process(crash_at("after_intent"))
        left.append([number(one.step) for one in world.journal.intents])
    assert asked[: len(left[0])] == left[0]
    fresh = [one for one in left[1] if one not in left[0]]
    world.time.sleep(100)
    asked.clear()
    assert world.process()
    assert asked[: len(fresh)] == fresh
    assert asked[-len(left[0]) :] == left[0]
    assert [len(service.on(number(n))) for n in range(3)] == [1, 1, 1]
