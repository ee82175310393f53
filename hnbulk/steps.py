"""Work as a value: steps, and what became of each.

A step is one change of one number. This module sends nothing and asks no clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Action(StrEnum):
    """What a step does to one number."""

    CREATE = "create"
    UPDATE = "update"
    CANCEL = "cancel"
    VERIFY = "verify"
    AUTHORIZE = "authorize"


class Verdict(StrEnum):
    """What the plan decided for an input row."""

    PLANNED = "planned"  # has steps
    NOTHING = "nothing"  # the live order already is as wanted
    BLOCKED = "blocked"  # wanted, but the service does not allow it; the note says the way out
    CONFLICT = "conflict"  # rows or orders contradict each other; never touched
    SET_ASIDE = "set-aside"  # a bad or repeated row, left out on purpose


class State(StrEnum):
    """What became of a step in a run."""

    PENDING = "pending"  # never sent
    IN_DOUBT = "in-doubt"  # sent, outcome unknown; a resume looks it up
    DONE = "done"
    REFUSED = "refused"  # the service said no, finally
    STALE = "stale"  # the order was no longer as the plan saw it; nothing sent
    CONFLICT = "conflict"  # a stranger's order or two orders on the number; nothing (more) sent
    REVIEW = "review"  # could not be decided; a person has to look
    CALL_UNKNOWN = "call-unknown"  # a call may or may not have been placed; never repeated


#: From best to worst: a row with several steps takes the worst of their states.
SEVERITY: tuple[State, ...] = (
    State.DONE,
    State.PENDING,
    State.IN_DOUBT,
    State.STALE,
    State.REFUSED,
    State.CALL_UNKNOWN,
    State.REVIEW,
    State.CONFLICT,
)


def _frozen(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return MappingProxyType(dict(value or {}))


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One change of one number.

    `before` and `after` hold API fields in snake_case, only those that matter to the step.
    `precondition` holds what must still be true when it is sent (and, for calls, the world
    times `not_before` and `not_after` and the `wave`). `row` is the input row, or None for a
    step the file did not ask for by row (a pruning cancel, a call, a letter). `risk` is None or
    a short warning. Authorize steps of one letter share a `group` and go out as one request.
    """

    row: int | None
    action: Action
    phone_number: str
    sid: str | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    precondition: Mapping[str, Any] = field(default_factory=dict)
    risk: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "before", _frozen(self.before))
        put(self, "after", _frozen(self.after))
        put(self, "precondition", _frozen(self.precondition))

    def as_line(self) -> dict[str, Any]:
        """The step as its line in the plan file."""
        return {
            "kind": "step",
            "row": self.row,
            "action": str(self.action),
            "phone_number": self.phone_number,
            "sid": self.sid,
            "before": dict(self.before),
            "after": dict(self.after),
            "precondition": dict(self.precondition),
            "risk": self.risk,
            "group": self.group,
        }

    def content_hash(self) -> str:
        """SHA-256 (hex) of what would be sent: equal hashes ask the service for the same."""
        text = canonical([str(self.action), self.phone_number, self.sid, dict(self.after)])
        return hashlib.sha256(text.encode()).hexdigest()

    def number_hash(self) -> str:
        """SHA-256 (hex) of action and number alone: equal hashes ask the same of the same number."""
        return hashlib.sha256(canonical([str(self.action), self.phone_number]).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Step({self.action}, row {self.row}, {sorted(self.after)})"


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sort_steps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps in plan order: by wave, input row (rowless last), action, number."""
    actions = list(Action)
    return tuple(
        sorted(
            steps,
            key=lambda step: (
                int(step.precondition.get("wave", 0)),
                step.row is None,
                step.row or 0,
                actions.index(step.action),
                step.group or "",
                step.phone_number,
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of one step: `step` is its index in the plan.

    `status` is the order's last known status; `code` the API's error code or our own word;
    `message` names no person's data; `retryable` says whether the same row may go out again.
    """

    step: int
    state: State
    sid: str | None = None
    status: str | None = None
    code: str | None = None
    message: str | None = None
    next_step: str | None = None
    retryable: bool = False
