"""What a forked child of this process does, and what came of it."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable


def in_a_child(act: Callable[[], object], *, patience: int = 20) -> int:
    """The exit code of a forked child that does this: 0, 1 where it raises, -14 where it hangs."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(patience)
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
