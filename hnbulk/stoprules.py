"""When a run ends by itself because of what the service answers: the rules, counted over all threads.

A reply that settles it stops the run at once; others only when they repeat. This sends nothing and
ends no row.
"""

from __future__ import annotations

import threading

from hnbulk.errors import AccessRefused, RunStopped, ServiceUnreachable
from hnbulk.outcome import Outcome, OutcomeKind
from hnbulk.throttle import Throttle

_FIRST = 20  # so many refusals out of the first sent are looked at
#: So many rows in a row that could not even be looked at end the run.
MOST_LEFT = 10
#: So many times in a row the plan's own account may be refused access (safety rules, A13).
MOST_FORBIDDEN = 3


class StopRules:
    """Stops one run. Threads share it."""

    def __init__(self, throttle: Throttle, account_sid: str) -> None:
        self.closed: set[str] = set()  # other accounts that we have no access to
        self._throttle = throttle
        self._own = account_sid
        self._lock = threading.Lock()
        self._left = self._forbidden = 0  # in a row
        self._seen = self._refused = 0  # of the first

    def looked_at(self) -> None:
        """The service told what there is of a row."""
        with self._lock:
            self._left = 0

    def left(self, error: ServiceUnreachable) -> None:
        """A row is left pending: the service could not be asked about it."""
        with self._lock:
            self._left += 1
            hopeless = self._left >= MOST_LEFT
        if hopeless:
            self._throttle.stop(f"{MOST_LEFT} rows in a row could not be looked at: {error.message}")

    def answered(self, *, refused: bool) -> None:
        """A request came out. Half or more of the first refused: the sheet is wrong, not the rows."""
        with self._lock:
            self._forbidden = 0
            self._seen += 1
            self._refused += refused
            if self._seen != _FIRST or self._refused * 2 < _FIRST:
                return
        self._throttle.stop(
            f"{self._refused} of the first {_FIRST} requests were refused; the rest was not sent. "
            "Look at the error file before resuming."
        )

    def forbidden(self, account: str, why: str, *, once: bool) -> None:
        """A 403. Another account than the plan's is closed; on the plan's own the third in a row stops
        the run, the first where it may come `once` only."""
        if account != self._own:
            self.closed.add(account)
            return
        with self._lock:
            self._forbidden += 1
            enough = once or self._forbidden >= MOST_FORBIDDEN
        if enough:
            self._throttle.stop(why, exit_code=AccessRefused.exit_code)

    def told_to_stop(self, outcome: Outcome) -> None:
        """The run stops, where the outcome says that it must."""
        if outcome.kind is OutcomeKind.STOP_RUN:
            refused = outcome.reason in _NO_ACCESS
            code = AccessRefused.exit_code if refused else RunStopped.exit_code
            self._throttle.stop(why_stopped(outcome, refused=refused), exit_code=code)


_NO_ACCESS = {"status-401", "status-403", "unsaid-401", "unsaid-403", "no-access"}


def why_stopped(outcome: Outcome, *, refused: bool) -> str:
    """What a person is told of it."""
    if outcome.reason.startswith("unsaid-"):
        return (
            f"something refused access ({outcome.reason.removeprefix('unsaid-')}), and not in the words of "
            "the service: a proxy or filter on the way, perhaps. Check the network and the credentials."
        )
    if refused:
        code = f", code {outcome.code}" if outcome.code else ""
        return (
            f"the service refused access ({outcome.reason}{code}). Check the credentials and that the "
            "account has the Hosted Numbers preview."
        )
    return f"the other side does not answer like the service ({outcome.reason}). Check the address."
