"""The entries of the journal, as values: runs, intents, attempts, results, endings.

They carry hashes, sids and codes, no person's data, and do nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from hnbulk.steps import Ending, State

FINISHED = "finished"
RUNNING = "running"
#: The kind of a result where looking up proved that the attempt was not processed.
ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as the journal knows it. `counts`: steps by state; steps without ending are `pending`."""

    run_id: str
    kind: str
    state: str  # running, stopped, interrupted, finished; `unfinished` where its process died
    checksum: str
    input_name: str
    made_at: datetime
    steps: int
    counts: Mapping[str, int] = field(default_factory=dict)
    note: str | None = None

    @property
    def unfinished(self) -> bool:
        """Something of it may be left to resume."""
        return self.state != FINISHED

    @property
    def ended(self) -> int:
        """How many of its steps have ended, one way or another."""
        open_states = (str(State.PENDING), str(State.IN_DOUBT))
        return sum(count for state, count in self.counts.items() if state not in open_states)

    def as_line(self) -> dict[str, Any]:
        """The run as one JSON object."""
        plain = {"made_at": self.made_at.isoformat(), "counts": dict(self.counts), "ended": self.ended}
        return {**asdict(self), **plain}


@dataclass(frozen=True, slots=True)
class Intent:
    """One request about to be sent, for the step `step` (the first one, where several share it).

    `fence` is what was seen just before (counts, sids, statuses: no person's data).
    """

    step: int
    n: int
    operation: str
    fingerprint: str
    wall: datetime
    mono: float
    fence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt. The newest result of an attempt counts."""

    attempt: int
    kind: str  # an OutcomeKind, or ABSENT where looking up proved that it was not processed
    reason: str
    at: datetime
    code: int | None = None
    sid: str | None = None
    status: str | None = None
    server_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt with its newest result; `kind` None where the process died before one."""

    attempt: int
    step: int
    n: int
    operation: str
    fingerprint: str
    fence: Mapping[str, Any]
    wall: datetime
    kind: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """An ending on its way to the journal; of a create also its content hash and its number's."""

    ending: Ending
    content: str | None = None
    number: str | None = None
