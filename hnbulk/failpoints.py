"""Named places where a test may end the process, to prove that nothing is lost or doubled there.

Without `HNBULK_FAILPOINT` every place costs one comparison and does nothing. With
`name:count:kill` the process kills itself the moment it passes the place for the count-th time.
"""

from __future__ import annotations

import os
import signal
import threading

_LOCK = threading.Lock()
_passed = 0


def _armed() -> tuple[str, int] | None:
    name, _, rest = os.environ.get("HNBULK_FAILPOINT", "").partition(":")
    count, _, act = rest.partition(":")
    return (name, int(count)) if name and count.isdecimal() and act == "kill" else None


_ARMED = _armed()


def failpoint(name: str) -> None:
    """Nothing happened, unless the environment armed this place: then the process is dead."""
    global _passed  # noqa: PLW0603 - one counter a process is what the environment variable means
    if _ARMED is None or _ARMED[0] != name:
        return
    with _LOCK:
        _passed += 1
        if _passed == _ARMED[1]:
            os.kill(os.getpid(), signal.SIGKILL)
