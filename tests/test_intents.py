"""What is written down before its turn is sent as that, or recorded as not sent, and nothing between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fake_service import EPOCH, ToldService
from simulation import Options, World

from hnbulk import failpoints
from hnbulk.attempts import Sent
from hnbulk.entries import Result
from hnbulk.errors import JournalError, ServiceRefused
from hnbulk.intents import Intents, Prepared, result_of
from hnbulk.outcome import Outcome, OutcomeKind
from hnbulk.sending import Sender
from hnbulk.work import Act, Ready

ONE, OTHER = Act((0,)), Act((1,))


class Bench:
    """A run of two creates, and its intents."""

    def __init__(self) -> None:
        self.world = World(Options(creates=2), 0, service=ToldService())
        self.time = self.world.time
        self.sender: Sender = self.world.open().sender
        self.intents: Intents = self.sender.intents

    def prepared(self, act: Act) -> Prepared:
        """What would be sent now."""
        ready = self.sender.work.prepare(act, self.sender.desk, again=False)
        assert isinstance(ready, Ready)
        return Prepared(act, ready, self.time.monotonic())

    def results(self) -> list[tuple[int, str, str]]:
        """Attempt, kind and reason of what the journal was told of."""
        self.world.journal.flush()
        return [(one.attempt, one.kind, one.reason) for one in self.world.journal.results.values()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_intent_says_which_request_of_which_step_and_when(bench: Bench) -> None:
    """The second attempt of a step is its number two."""
    prepared = bench.prepared(OTHER)
    for n in (1, 2):
        bench.time.sleep(10)
        written = bench.intents.write(OTHER, prepared.ready)
        intent = bench.world.journal.intents[written.attempt]
        assert (intent.step, intent.n, intent.operation) == (1, n, "create")
        assert intent.fingerprint == prepared.ready.request.fingerprint()
        assert (intent.wall, intent.mono) == (written.wall, bench.time.monotonic())
    mark = prepared.ready.request.fingerprint()
    assert bench.intents.known(OTHER) == Sent(attempts=2, possible=0, fingerprint=mark)
    assert bench.intents.known(ONE) == Sent()


def test_intents_written_ahead_are_durable_together_and_used_once(bench: Bench) -> None:
    """Whose turn comes writes nothing more; a second turn writes its own."""
    both = [bench.prepared(act) for act in (ONE, OTHER)]
    durable = bench.intents.write_ahead(both)
    assert bench.world.journal.intents == []
    durable()
    assert [intent.step for intent in bench.world.journal.intents] == [0, 1]
    assert [bench.intents.ahead(act) for act in (ONE, OTHER)] == both
    assert bench.intents.write(OTHER, both[1].ready).attempt == 1
    assert bench.intents.write(OTHER, both[1].ready).attempt == 2
    assert bench.intents.ahead(OTHER) is None


def test_a_disk_that_is_full_ahead_of_its_turn_is_met_in_it(bench: Bench) -> None:
    """Nothing is kept, nothing counts as an attempt, and the turn itself meets the error."""
    prepared = bench.prepared(ONE)
    bench.world.journal.full = 1.0
    bench.intents.write_ahead([prepared])()
    assert bench.intents.ahead(ONE) is None
    with pytest.raises(JournalError):
        bench.intents.write(ONE, prepared.ready)
    assert bench.intents.known(ONE).attempts == 0


@pytest.mark.parametrize(("seconds", "believed"), [(5.0, True), (5.01, False)])
def test_what_was_prepared_long_ago_is_taken_back(bench: Bench, seconds: float, believed: bool) -> None:
    """After five seconds it is recorded as not sent, because it waited."""
    prepared = bench.prepared(ONE)
    bench.time.seconds = 1000.0
    prepared = Prepared(ONE, prepared.ready, 1000.0)
    bench.intents.write_ahead([prepared])()
    bench.time.sleep(seconds)
    assert bench.intents.ahead(ONE) == (prepared if believed else None)
    assert bench.results() == ([] if believed else [(0, "not-sent", "waited")])


def test_what_is_taken_back_was_not_sent(bench: Bench) -> None:
    """Once; an act that has nothing ahead has nothing to take back."""
    bench.intents.write_ahead([bench.prepared(ONE)])()
    for act in (ONE, ONE, OTHER):
        bench.intents.take_back(act)
    assert bench.results() == [(0, "not-sent", "halted")]


def test_an_error_ahead_of_a_turn_is_raised_in_it_once(bench: Bench) -> None:
    """And forgotten where the turn does not come."""
    refused = ServiceRefused("no")
    bench.intents.met(ONE, refused)
    with pytest.raises(ServiceRefused):
        bench.intents.ahead(ONE)
    assert bench.intents.ahead(ONE) is None
    bench.intents.met(ONE, refused)
    bench.intents.take_back(ONE)
    assert bench.intents.ahead(ONE) is None


def test_a_process_may_die_before_each_intent(bench: Bench) -> None:
    """One place for each of those that share a commit."""
    both = [bench.prepared(act) for act in (ONE, OTHER)]
    passed: list[str] = []
    with failpoints.on(passed.append):
        bench.intents.write_ahead(both)
    assert passed == ["before_intent"] * 2


def test_a_result_is_all_that_is_known_of_the_outcome() -> None:
    """The service's own time and word with it, and no text that people wrote."""
    then, now = EPOCH, EPOCH + timedelta(seconds=3)
    outcome = Outcome(OutcomeKind.DONE, "status-201", 7, "text", "HR1", "received", 2.0, then, 4)
    assert result_of(5, outcome, now) == Result(5, "done", "status-201", now, 7, "HR1", "received", then)
