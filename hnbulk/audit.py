"""Does the service really have exactly one live order, ours, on each number a run was to create?

One more reading is compared with what the journal was told. This reports and never repairs: to
delete a duplicate is to delete its incoming phone number, which the other order may need.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from hnbulk.looks import FEW_NUMBERS
from hnbulk.lookups import Listing, Lookups
from hnbulk.models import Sight, mask_phone
from hnbulk.plaintext import single_line
from hnbulk.planfile import PlanFile
from hnbulk.steps import Action, Ending, State, Step
from hnbulk.work import Desk, Wait

#: What a person does next, by kind of finding.
NEXT_STEPS: Mapping[str, str] = {
    "doubled": "find out which order is right; nothing was deleted",
    "vanished": "ask who deleted it, then plan again; it was not made anew",
    "unnamed": "find out who renamed it: without its name a later run cannot know it as ours",
    "stranger": "find out who made the other order; neither was touched",
    "unexpected": "look at the order, then plan the list again: the row is then compared with it",
}
#: How a row ends of which this is found, at the end of its run: state and code.
_ENDS: Mapping[str, tuple[State, str]] = {
    "doubled": (State.CONFLICT, "two-live-orders"),
    "stranger": (State.CONFLICT, "stranger"),
    "vanished": (State.REVIEW, "vanished"),
    "unnamed": (State.REVIEW, "unnamed"),
    "unexpected": (State.REVIEW, "unexpected"),
}
#: Endings whose order the journal stands by: done, or done once and found otherwise by an audit.
_MADE = {"two-live-orders", "stranger", "vanished", "unnamed"}


@dataclass(frozen=True, slots=True, repr=False)
class Finding:
    """One number that is not as the journal says. `sid` is our order, `others` are live beside it."""

    kind: str  # a key of `NEXT_STEPS`
    step: int
    row: int | None
    phone_number: str
    sid: str | None
    others: tuple[str, ...]
    message: str

    @property
    def next_step(self) -> str:
        """What a person does about it."""
        return NEXT_STEPS[self.kind]

    def as_line(self) -> dict[str, Any]:
        """The finding as one JSON object."""
        plain = {name.name: getattr(self, name.name) for name in fields(self)}
        return {**plain, "others": list(self.others), "next_step": self.next_step}

    def __str__(self) -> str:
        row = f"row {self.row}" if self.row is not None else f"step {self.step}"
        number = mask_phone(self.phone_number)
        return f"{row:<9} {number:<13} {self.kind:<11} {single_line(self.message)}; {self.next_step}"

    def __repr__(self) -> str:
        return f"Finding({self.kind}, row {self.row}, {self.sid})"


@dataclass(frozen=True, slots=True, repr=False)
class Findings:
    """What an audit found, by kind. `numbers` is how many it looked at, `unseen` how many of their
    orders could not be looked for to the end; `unsent` creates never went out, and of `undecided` ones
    nobody knows what came of them."""

    doubled: tuple[Finding, ...] = ()  # two or more live orders of ours on the number
    vanished: tuple[Finding, ...] = ()  # our order was made and is not there any more
    unnamed: tuple[Finding, ...] = ()  # our order does not have the unique name it was given
    strangers: tuple[Finding, ...] = ()  # a live order that is not ours is on the number
    unexpected: tuple[Finding, ...] = ()  # a live order of ours behind a row that has none
    numbers: int = 0
    unseen: int = 0
    unsent: int = 0
    undecided: int = 0

    def __iter__(self) -> Iterator[Finding]:
        """Every finding, the gravest kind first, in plan order."""
        yield from (*self.doubled, *self.strangers, *self.vanished, *self.unnamed, *self.unexpected)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind, zeros too."""
        kinds = ("doubled", "vanished", "unnamed", "strangers", "unexpected")
        return {kind: len(getattr(self, kind)) for kind in kinds}

    @property
    def clean(self) -> bool:
        """Every create has come to its end and was looked at, and nothing was found."""
        return not any((*self.counts.values(), self.unseen, self.unsent, self.undecided))

    def __str__(self) -> str:
        """The counts, then a line for each finding with the next step; numbers are masked."""
        told = [f"{count:,} {kind}" for kind, count in self.counts.items() if count]
        if self.unseen:
            told.append(f"{self.unseen:,} orders not to be seen yet (run the audit again later)")
        if self.unsent:
            told.append(f"{self.unsent:,} never sent (`hnbulk resume`, or plan them again)")
        if self.undecided:
            told.append(
                f"{self.undecided:,} of which nobody knows what came of them (see the result files)"
            )
        if not self.numbers:
            return "no creates, nothing to audit"
        looked = f"{self.numbers:,} number{'s' if self.numbers > 1 else ''} looked at"
        return "\n".join([f"{looked}: {', '.join(told) or 'all as the journal says'}", *map(str, self)])

    def __repr__(self) -> str:
        return f"Findings({self.numbers} numbers, {self.counts})"


def audit(
    plan: PlanFile,
    endings: Iterable[Ending],
    lookups: Lookups,
    *,
    wait: Callable[[], bool],
    listing: Callable[[], Listing] | None = None,
    since: Collection[str] = (),
    canceled: Collection[str] = (),
) -> Findings:
    """The creates of `plan` whose number is not as `endings` say; only reads.

    An order that is not to be seen is looked for once more, by its sid, when `wait` has let the
    settle window pass: a service may show late what it has made. `since` are orders that later
    runs made, `canceled` those that runs have canceled: both are as they should be. Requests in
    doubt are left out; a resume looks them up.
    """
    known = {ending.step: ending for ending in endings}
    named = lookups.dialect.has_unique_name
    asked = {
        n: step.phone_number
        for n, step in enumerate(plan.steps)
        if step.action is Action.CREATE and (n not in known or known[n].state is not State.IN_DOUBT)
    }
    found = _read(list(asked.values()), lookups, listing or lookups.listing)
    # of a large plan only what may be told is kept
    views: list[_View] = []
    unseen: list[_View] = []
    for n in asked:
        view = _View(plan.steps[n], known.get(n, Ending(n, State.PENDING)), found, since)
        if view.unseen and view.sid not in canceled:
            unseen.append(view)
            views.append(view)
        elif any(view.kinds(named=named)):
            views.append(view)
    left = bool(unseen) and not wait()
    if not left:
        for view in unseen:
            view.look_again(lookups.order(view.sid or ""))
    kinds = [(view, kind) for view in views for kind in view.kinds(named=named)]

    def of(wanted: str) -> tuple[Finding, ...]:
        return tuple(view.finding(kind) for view, kind in kinds if kind == wanted)

    return Findings(
        doubled=of("doubled"),
        vanished=of("vanished"),
        unnamed=of("unnamed"),
        strangers=of("stranger"),
        unexpected=of("unexpected"),
        numbers=len(set(asked.values())),
        unseen=len(unseen) if left else 0,
        **_open_ends(plan, known),
    )


def _open_ends(plan: PlanFile, known: Mapping[int, Ending]) -> dict[str, int]:
    """How many creates were never sent, and of how many nobody knows what came of them."""
    told = {code for _, code in _ENDS.values()}  # what an audit found at the end of the run
    creates = (n for n, step in enumerate(plan.steps) if step.action is Action.CREATE)
    ends = [known.get(n) or Ending(n, State.PENDING) for n in creates]
    return {
        "unsent": sum(one.state is State.PENDING for one in ends),
        "undecided": sum(
            one.state is State.IN_DOUBT or (one.state is State.REVIEW and one.code not in told)
            for one in ends
        ),
    }


def look_back(endings: Sequence[Ending], desk: Desk, wait: Wait) -> list[Ending]:
    """Newer endings of the rows of which an audit at the end of their run finds something.

    What was never sent stays as it is: a resume finds what is there.
    """

    def settled() -> bool:
        moment = desk.clock.now() + desk.settle
        return wait("waiting for orders that are not to be seen yet", moment)

    desk.forget_listing()
    found = audit(desk.plan, endings, desk.lookups, wait=settled, listing=desk.listing)
    ended = {one.step for one in endings if one.state is not State.PENDING}
    newer: dict[int, Ending] = {}
    for one in found:
        if one.step in ended:
            newer.setdefault(one.step, _ending(one))
    return list(newer.values())


def _ending(one: Finding) -> Ending:
    state, code = _ENDS[one.kind]
    message = f"audit: {one.message}"
    return Ending(one.step, state, one.sid, code=code, message=message, next_step=one.next_step)


def _read(
    numbers: Sequence[str], lookups: Lookups, listing: Callable[[], Listing]
) -> Mapping[str, Sequence[Sight]]:
    if len(numbers) <= FEW_NUMBERS:
        return {number: lookups.orders_on(number) for number in numbers}
    return listing().by_number


class _View:
    """One create beside the orders that the service has on its number."""

    def __init__(
        self,
        step: Step,
        ending: Ending,
        found: Mapping[str, Sequence[Sight]],
        since: Collection[str],
    ) -> None:
        self.step = step
        self.ending = ending
        made = ending.state is State.DONE or ending.code in _MADE
        self.sid = ending.sid if made else None
        self._since = since
        self._gone = False
        self._orders = [
            order for order in found.get(step.phone_number, ()) if order.phone_number == step.phone_number
        ]

    @property
    def unseen(self) -> bool:
        """Our order was made and is not to be seen."""
        return self.sid is not None and all(order.sid != self.sid for order in self._orders)

    def look_again(self, order: Sight | None) -> None:
        """The order was asked for by its sid: it is this, or it is gone."""
        if order is None:
            self._gone = True
        else:
            self._orders.append(order)

    @property
    def ours(self) -> list[Sight]:
        """Live orders that we made, or that have the name we gave."""
        return [order for order in self._orders if order.live and self._is_ours(order)]

    @property
    def strangers(self) -> list[Sight]:
        """Live orders that are not ours."""
        return [order for order in self._orders if order.live and not self._is_ours(order)]

    def kinds(self, *, named: bool) -> Iterator[str]:
        """What is wrong with the number; nothing, where it is as the journal says."""
        ours, conflict = self.ours, self.ending.state is State.CONFLICT
        if self.sid is None and not conflict:
            if any(order.sid not in self._since for order in ours):
                yield "unexpected"
        elif len(ours) > 1:
            yield "doubled"
        # a row in conflict with a stranger alone says so itself
        if self.strangers and (ours or not conflict):
            yield "stranger"
        if self._gone:
            yield "vanished"
        wanted = named and "unique_name" in self.step.after
        if wanted and any(order.sid == self.sid and not self._has_name(order) for order in ours):
            yield "unnamed"

    def finding(self, kind: str) -> Finding:
        """The finding of this kind."""
        beside = self.strangers if kind == "stranger" else self.ours
        sid = self.sid or next((order.sid for order in self.ours), None)
        others = tuple(sorted(order.sid for order in beside if order.sid != sid))
        return Finding(
            kind,
            self.ending.step,
            self.step.row,
            self.step.phone_number,
            sid,
            others,
            self._message(kind, sid, ", ".join(others)),
        )

    def _message(self, kind: str, sid: str | None, others: str) -> str:
        if kind == "doubled":
            return f"beside our order {sid}, {others} is live on the number"
        if kind == "stranger":
            return f"{others} is live on the number and not ours" + (f"; ours is {sid}" if sid else "")
        if kind == "vanished":
            return f"the service made {sid} and does not have it any more"
        if kind == "unnamed":
            return f"{sid} does not have the unique name it was given"
        return f"the row is {self.ending.state}, and our order {sid} is live on its number"

    def _is_ours(self, order: Sight) -> bool:
        return order.sid == self.sid or order.sid in self._since or self._has_name(order)

    def _has_name(self, order: Sight) -> bool:
        wanted = self.step.after.get("unique_name")
        return wanted is not None and order.unique_name == wanted
