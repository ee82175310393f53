"""What is known of an act's attempts: how often it went out, and what may have come of that.

Nothing is forgotten here that makes sending again dangerous: a reply that settles nothing counts as
a request that was carried out. This sends nothing and reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hnbulk.entries import ABSENT, Attempt
from hnbulk.outcome import Outcome, OutcomeKind, maybe_processed
from hnbulk.progress import OPEN_STATES
from hnbulk.steps import Ending
from hnbulk.work import Act, Chain


@dataclass(slots=True, eq=False)
class Doubt:
    """An act that may or may not have been processed, and since when that can be waited out."""

    chain: Chain
    act: Act
    attempt: int
    fence: dict[str, object]
    since: datetime  # world time at the end of the attempt
    since_mono: float
    looked_at: bool = False  # somebody has tried to look it up, here or in a process before this one
    empty_looks: int = 0
    refused: Outcome | None = None  # the service's no, where the attempt had one that is not believed


@dataclass(slots=True)
class Sent:
    """What the journal knows of an act's attempts."""

    attempts: int = 0  # rows, whatever came of them
    possible: int = 0  # of these, how many the service may have processed
    fingerprint: str | None = None


def sent_before(attempts: Sequence[Attempt]) -> Sent:
    """What the journal's attempts of one act say about sending it again."""
    return Sent(
        attempts=max((attempt.n for attempt in attempts), default=0),
        possible=sum(maybe_sent(attempt) for attempt in attempts),
        fingerprint=attempts[0].fingerprint if attempts else None,
    )


def maybe_sent(attempt: Attempt) -> bool:
    """The service may have processed the attempt, for all the journal knows."""
    return attempt.kind == ABSENT or is_doubtful(attempt)


def is_doubtful(attempt: Attempt) -> bool:
    """Nobody has found out what came of the attempt: no result, or one that settles nothing.

    A reply whose meaning was not recorded with it (the process died in between) is one of these.
    """
    if attempt.kind is None:
        return True
    kind = OutcomeKind(attempt.kind) if attempt.kind != ABSENT else None
    if kind in (OutcomeKind.DONE, OutcomeKind.REJECTED):
        return True
    return kind is not None and maybe_processed(Outcome(kind, attempt.reason or ""))


def doubted(attempts: Iterable[Attempt], endings: Iterable[Ending]) -> set[int]:
    """The steps without an end of whose newest attempt nobody has found out what came of it."""
    ended = {one.step for one in endings if one.state not in OPEN_STATES}
    newest = {attempt.step: attempt for attempt in attempts}
    return {step for step, attempt in newest.items() if step not in ended and is_doubtful(attempt)}
