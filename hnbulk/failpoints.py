"""Named places where a test may end the process or raise, to prove that nothing is lost or doubled there.

Without `HNBULK_FAILPOINT` and outside of `on` every place costs two comparisons and does nothing.
With `name:count:kill` the process kills itself the moment it passes the place for the count-th time.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()
_passed = 0
_hook: Callable[[str], None] | None = None

#: Every place there is, in the order in which a run passes them.
PLACES = (
    "after_begin",  # run and plan are durable, nothing else
    "before_intent",
    "after_intent",  # the intent is durable, no byte has left
    "after_bytes",  # a piece of a request has left
    "after_response",
    "before_outcome",  # what the reply amounts to is known, and only in memory
    "after_outcome",  # handed to the journal's thread
    "outcome_durable",  # committed; passed by the journal's thread
    "recovery",  # one look at one request in doubt begins
    "after_absent",  # time has decided a doubt
    "before_mark",
    "after_mark",  # the journal says how the run ended
)


def _armed() -> tuple[str, int] | None:
    name, _, rest = os.environ.get("HNBULK_FAILPOINT", "").partition(":")
    count, _, act = rest.partition(":")
    return (name, int(count)) if name and count.isdecimal() and act == "kill" else None


_ARMED = _armed()


def failpoint(name: str) -> None:
    """Nothing happened, unless a test armed this place: then the process is dead, or its hook raised."""
    global _passed  # noqa: PLW0603 - one counter a process is what the environment variable means
    if _hook is not None:
        _hook(name)
    if _ARMED is None or _ARMED[0] != name:
        return
    with _LOCK:
        _passed += 1
        if _passed == _ARMED[1]:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def on(hook: Callable[[str], None]) -> Iterator[None]:
    """Inside, `hook` is called with the name of every place that any thread passes, and may raise there."""
    global _hook  # noqa: PLW0603 - the places are those of the whole process, and so is the hook
    before, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = before
