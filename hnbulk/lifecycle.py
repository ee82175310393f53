"""The life of an order and of a letter, as tables: statuses, who moves what to what, what is allowed.

Plan, verify, funnel and sandbox ask here; nothing else knows a status by name. A new status
is one row. A status this table does not know loads and warns; it is allowed nothing.
Source: the reference page's status table, quoted where a rule rests on its wording.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class UnknownStatusWarning(UserWarning):
    """The service used a status that the lifecycle table does not have."""


class Mover(StrEnum):
    """Who makes a move."""

    CLIENT = "client"  # we, by a request
    TWILIO = "twilio"  # its automatic checks and tests
    PERSON = "person"  # whoever answers the phone
    SIGNER = "signer"  # whoever signs the letter
    CARRIER = "carrier"  # the underlying provider
    OPERATOR = "operator"  # a specialist of the service
    TIMER = "timer"  # time alone


@dataclass(frozen=True, slots=True)
class Status:
    """One status of an order and what it allows."""

    name: str
    meaning: str
    on_path: bool = True  # a stage of the straight way from created to completed
    terminal: bool = False  # nothing moves it any more
    cancelable: bool = False  # DELETE is allowed
    callable: bool = False  # a verification call may be asked for


# "You can only issue the DELETE request when the HostedNumberOrder status is in received,
# pending-verification, verified or pending-loa." (reference page, Delete)
# "User can only post to pending-verification status" (reference page, Update, Status)
STATUSES: tuple[Status, ...] = (
    Status("twilio-processing", "Twilio checks whether the number can be hosted"),
    Status("received", "can be hosted; ownership not yet verified", cancelable=True, callable=True),
    Status(
        "pending-verification",
        "a verification call was placed or a bill is under review",
        cancelable=True,
        callable=True,
    ),
    Status("verified", "ownership verified; no letter yet", cancelable=True),
    Status("pending-loa", "letter of authorization sent, not signed", cancelable=True),
    Status("carrier-processing", "letter signed; with the carrier"),
    Status("testing", "capability test under way"),
    Status("completed", "hosted and ready for use", terminal=True),
    Status("action-required", "stuck; a specialist of Twilio must act", on_path=False),
    Status("failed", "ended without success; a new order is possible", on_path=False, terminal=True),
)


@dataclass(frozen=True, slots=True)
class Move:
    """One possible move. `source` None is creation; `target` None is deletion."""

    source: str | None
    target: str | None
    mover: Mover
    when: str


_OPEN = (
    "twilio-processing",
    "received",
    "pending-verification",
    "verified",
    "pending-loa",
    "carrier-processing",
    "testing",
)

MOVES: tuple[Move, ...] = (
    Move(None, "twilio-processing", Mover.CLIENT, "create"),
    Move("twilio-processing", "received", Mover.TWILIO, "the number can be hosted"),
    Move("twilio-processing", "failed", Mover.TWILIO, "the number is SMS enabled or not eligible"),
    Move("twilio-processing", "verified", Mover.TWILIO, "already a verified caller id"),
    Move("received", "verified", Mover.TWILIO, "already a verified caller id"),
    Move("received", "pending-verification", Mover.CLIENT, "Status=pending-verification"),
    Move("pending-verification", "pending-verification", Mover.CLIENT, "the call again"),
    Move("pending-verification", "verified", Mover.PERSON, "keys in the code"),
    Move("pending-verification", "verified", Mover.CLIENT, "VerificationCode"),
    Move("pending-verification", "verified", Mover.OPERATOR, "phone bill accepted"),
    Move("pending-verification", "action-required", Mover.TWILIO, "attempts used up"),
    Move("verified", "pending-loa", Mover.CLIENT, "letter created"),
    Move("pending-loa", "verified", Mover.SIGNER, "letter refused, canceled or reopened"),
    Move("pending-loa", "carrier-processing", Mover.SIGNER, "letter signed"),
    Move("carrier-processing", "testing", Mover.CARRIER, "capability enabled"),
    Move("testing", "completed", Mover.TWILIO, "test passed"),
    Move("action-required", "received", Mover.OPERATOR, "sent back"),
    Move("action-required", "pending-verification", Mover.OPERATOR, "sent back"),
    Move("action-required", "verified", Mover.OPERATOR, "sent back"),
    Move("action-required", "pending-loa", Mover.OPERATOR, "sent back"),
    Move("action-required", "carrier-processing", Mover.OPERATOR, "sent back"),
    Move("action-required", "failed", Mover.TIMER, "seven days without an answer"),
    *(Move(name, "action-required", Mover.TWILIO, "onboarding met a failure") for name in _OPEN),
    *(Move(name, "action-required", Mover.TIMER, "idle for seven days") for name in _OPEN[1:5]),
    *(Move(name, "failed", Mover.TIMER, "idle for thirty days") for name in (*_OPEN, "action-required")),
    *(Move(name, None, Mover.CLIENT, "DELETE") for name in _OPEN[1:5]),
)

#: All known statuses in funnel order: the straight path first, then the two side statuses.
ORDER: tuple[str, ...] = tuple(status.name for status in STATUSES)
#: The straight path from created to completed.
FUNNEL: tuple[str, ...] = tuple(status.name for status in STATUSES if status.on_path)

#: "The verification code is valid for 10 minutes." (reference page, pending-verification)
CODE_LIFETIME = timedelta(minutes=10)
#: "There can be a max of three verification attempts" (reference page, pending-verification)
MAX_ATTEMPTS = 3
#: The only status a client may ask for (reference page, Update, Status).
ASKABLE = "pending-verification"

# An authorization document: created straight into `signing`; content may change while `opened` only.
LETTER_ORDER: tuple[str, ...] = ("opened", "signing", "signed", "canceled", "failed")
LETTER_MOVES: tuple[Move, ...] = (
    Move(None, "signing", Mover.CLIENT, "create"),
    Move("signing", "opened", Mover.CLIENT, "Status=opened"),
    Move("opened", "signing", Mover.CLIENT, "Status=signing"),
    Move("signing", "signed", Mover.SIGNER, "signs"),
    Move("signing", "canceled", Mover.SIGNER, "refuses"),
    Move("signing", "failed", Mover.TWILIO, "error"),
    Move("opened", "failed", Mover.TWILIO, "error"),
)

_BY_NAME = {status.name: status for status in STATUSES}
_PAIRS = {(move.source, move.target) for move in MOVES}
_LETTER_PAIRS = {(move.source, move.target) for move in LETTER_MOVES}


def known(name: str) -> Status | None:
    """The row of a status, or None where the table does not have it."""
    return _BY_NAME.get(name)


def note_unknown(name: str) -> None:
    """Warn once per place that `name` is not in the table; loading goes on."""
    if name not in _BY_NAME:
        warnings.warn(
            f"the service uses a status this version does not know: {name!r}; "
            "its orders load, and nothing is done to them",
            UnknownStatusWarning,
            stacklevel=3,
        )


def is_live(name: str) -> bool:
    """A live order is neither failed nor deleted; an unknown status counts as live."""
    return name != "failed"


def is_terminal(name: str) -> bool:
    """Nothing moves the order any more; an unknown status does not count as terminal."""
    status = _BY_NAME.get(name)
    return status is not None and status.terminal


def may_cancel(name: str) -> bool:
    """DELETE is allowed in this status."""
    status = _BY_NAME.get(name)
    return status is not None and status.cancelable


def may_call(name: str) -> bool:
    """A verification call may be asked for in this status."""
    status = _BY_NAME.get(name)
    return status is not None and status.callable


def may_update(name: str) -> bool:
    """Fields may be changed: a known status that is not terminal."""
    status = _BY_NAME.get(name)
    return status is not None and not status.terminal


def may_authorize(name: str) -> bool:
    """An authorization document may take the order."""
    return name == "verified"


def may_move(source: str | None, target: str | None) -> bool:
    """The order table has this move, by whomever."""
    return (source, target) in _PAIRS


def may_letter_move(source: str | None, target: str | None) -> bool:
    """The letter table has this move, by whomever."""
    return (source, target) in _LETTER_PAIRS


def position(name: str) -> int:
    """The place in funnel order; an unknown status sorts behind all known ones."""
    return ORDER.index(name) if name in _BY_NAME else len(ORDER)
