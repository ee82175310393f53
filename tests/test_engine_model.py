"""The engine against a small model: whatever is applied, crashes, is resumed, disturbed and healed, in
any order, what nobody else touched is exactly as wanted, and what somebody touched is told.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from fake_service import FakeService, Faults, Record, Rules, Time
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from promises import broken_promises
from simulation import RUN, Crashed, Options, World, number

from hnbulk.steps import Action, Ending, State, Step

NUMBERS = 4
#: Longer than the longest delay and the longest lag together.
SETTLE = 65.0
_TROUBLES = {
    "lost": Faults(lost=0.3),
    "unanswered": Faults(unanswered=0.3, lag=3.0),
    "late": Faults(late=0.3, longest=60.0, lag=3.0),
    "broken": Faults(broken=0.3, longest=60.0),
    "busy": Faults(busy=0.3),
    "malformed": Faults(malformed=0.2, lag=3.0),
}
which = st.integers(0, NUMBERS - 1)
soon = st.floats(0, 100)
#: The process dies at so many places from its start; None: it lives.
deaths = st.none() | st.integers(1, 40)


@dataclass(frozen=True)
class Wanted:
    """What the model knows of one number: whether an order is live on it, and its friendly name."""

    live: bool = False
    name: str = ""


class Engine(RuleBasedStateMachine):
    """Numbers whose orders are made, renamed and deleted by runs and by others."""

    @initialize(seed=st.integers(0, 10_000), numbers=st.booleans(), names=st.booleans())
    def begin(self, seed: int, numbers: bool, names: bool) -> None:
        rules = Rules(numbers=numbers, names=names)
        self.service = FakeService(Time(), random.Random(seed), Faults(), rules)
        self.model = [Wanted() for _ in range(NUMBERS)]
        self.disturbed: set[int] = set()
        self.world: World | None = None
        self.plans = 0

    # -- runs

    @precondition(lambda self: self.world is None)
    @rule(chosen=st.sets(which, min_size=1), cancel=st.booleans(), death=deaths)
    def apply(self, chosen: set[int], cancel: bool, death: int | None) -> None:
        """A plan for these numbers: an order where there is none, else another name or no order."""
        self._forget()
        self.plans += 1
        steps = [step for n in sorted(chosen) if (step := self._step(n, cancel=cancel)) is not None]
        if steps:
            options = Options(settle=SETTLE, rules=self.service.rules)
            self.world = World(options, 0, service=self.service, steps=steps)
            self._process(death)

    @precondition(lambda self: self.world is not None)
    @rule(death=deaths)
    def resume(self, death: int | None) -> None:
        """The next process takes the run up."""
        self._process(death)

    @precondition(lambda self: self.world is not None)
    @rule()
    def finish(self) -> None:
        """All is well at last: the run ends, and the model is right about every number."""
        world = self.world
        assert world is not None
        world.heal()
        for _ in range(3):
            if not world.finished:
                world.process()
        self.service.run_out()
        assert broken_promises(world) == [], world.story
        endings = {one.step: one for one in world.journal.endings(RUN)}
        for index, step in enumerate(world.plan.steps):
            self._compare(world, index, step, endings[index])
        self.world = None

    # -- others

    @rule(n=which, delay=soon)
    def somebody_makes_an_order(self, n: int, delay: float) -> None:
        """Where the service allows it."""

        def make() -> None:
            self.disturbed.add(n)
            if not (self.service.rules.numbers and self._live(n)):
                self.service.make(number(n), f"rival-{self.service.time.seconds}", by="rival")

        self._at(delay, make)

    @rule(n=which, delay=soon)
    def somebody_renames_an_order(self, n: int, delay: float) -> None:
        """All that are live on the number."""

        def rename() -> None:
            for record in self._live(n):
                self.disturbed.add(n)
                record.friendly_name = "Rival"
                record.names_by.append(("rival", "Rival"))

        self._at(delay, rename)

    @rule(n=which, delay=soon)
    def somebody_deletes_an_order(self, n: int, delay: float) -> None:
        """All that are live on the number."""

        def delete() -> None:
            for record in self._live(n):
                self.disturbed.add(n)
                record.deleted_by = "rival"

        self._at(delay, delete)

    # -- the service

    @rule(kind=st.sampled_from(sorted(_TROUBLES)))
    def trouble(self, kind: str) -> None:
        """Some requests go wrong from now on, in one way."""
        self.service.faults = _TROUBLES[kind]

    @rule()
    def heal(self) -> None:
        """None does."""
        self.service.heal()

    @rule(seconds=st.sampled_from([1.0, 30.0, 300.0]))
    def time_passes(self, seconds: float) -> None:
        """New orders come out of their check."""
        self.service.time.sleep(seconds)
        self.service.catch_up()
        for record in self.service.orders.values():
            if record.status == "twilio-processing":
                record.status = "received"

    @invariant()
    def nothing_was_broken_on_the_way(self) -> None:
        """Every request that arrived had its intent, and touched what the plan saw."""
        world = getattr(self, "world", None)
        assert world is None or world.broken == [], world.story

    def teardown(self) -> None:
        """No run is left without its end."""
        if getattr(self, "world", None) is not None:
            self.finish()

    # -- how

    def _process(self, death: int | None) -> None:
        assert self.world is not None
        if self.world.process(_dies_at(death)):
            self.finish()

    def _at(self, delay: float, act: Callable[[], None]) -> None:
        self.service.at(self.service.time.seconds + delay, act)
        self.service.catch_up()

    def _live(self, n: int) -> list[Record]:
        return [record for record in self.service.on(number(n)) if record.live]

    def _truth(self, n: int) -> Wanted:
        live = self._live(n)
        return Wanted(bool(live), live[0].friendly_name if live else "")

    def _forget(self) -> None:
        """A plan begins with a reading: what others did before it is seen."""
        self.service.run_out()
        self.model = [self._truth(n) for n in range(NUMBERS)]
        self.disturbed.clear()

    def _step(self, n: int, *, cancel: bool) -> Step | None:
        live, name = self._live(n), f"Name {self.plans}"
        if not live:
            after = {"friendly_name": name, "unique_name": f"hn1-sim-{n}-{len(self.service.on(number(n)))}"}
            return Step(n + 2, Action.CREATE, number(n), after=after)
        if len(live) > 1 or live[0].by == "rival":
            return None
        order = live[0]
        if cancel and order.status == "received":
            seen = {"status": "received"}
            return Step(None, Action.CANCEL, number(n), order.sid, precondition=seen)
        before = {"friendly_name": order.friendly_name}
        return Step(n + 2, Action.UPDATE, number(n), order.sid, before, {"friendly_name": name})

    def _compare(self, world: World, index: int, step: Step, ending: Ending) -> None:
        """Done is as wanted, given up is as before; and no third where nobody else was at it."""
        n = int(step.phone_number[-4:])
        if n in self.disturbed:
            return
        wanted = Wanted(step.action is not Action.CANCEL, str(step.after.get("friendly_name", "")))
        sent = sum(intent.step == index for intent in world.journal.intents)
        assert ending.state is State.DONE or (ending.state is State.REVIEW and sent >= 2), (
            ending,
            world.story,
        )
        self.model[n] = wanted if ending.state is State.DONE else self.model[n]
        assert self._truth(n) == self.model[n], (ending, world.story)
        assert len(self._live(n)) == self.model[n].live, world.story


def _dies_at(death: int | None) -> Callable[[str], None]:
    left = death or 0

    def strike(place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Crashed(place)

    return strike


TestEngine = Engine.TestCase
TestEngine.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
