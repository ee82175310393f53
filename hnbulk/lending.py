"""Memory that is lent to Arrow's threads, and given back before anything else happens.

Arrow's readers give their result while one of their threads may still hold what was read from. Where
that is Python's, the thread takes the interpreter's lock to let go of it; in a process that is ending
just then it cannot have it, and Arrow aborts the process (apache/arrow issue 34314: exit by SIGABRT).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa

#: Seconds. Threads let go within some microseconds; longer takes only what was kept on purpose.
_PATIENCE, _BETWEEN = 2.0, 0.0002

Read = TypeVar("Read")


def lend(content: bytes, read: Callable[[pa.Buffer], Read]) -> Read:
    """What `read` makes of the bytes, given as a buffer without a copy. No thread holds them any more.

    A result or a thread that still holds the buffer two seconds later keeps it. Raises what `read`
    raises; the frames of its traceback are cleared.
    """
    view = memoryview(content)
    try:
        return read(pa.py_buffer(view))
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # they hold the buffer
        raise
    finally:
        deadline = time.monotonic() + _PATIENCE
        while not _is_back(view) and time.monotonic() < deadline:
            time.sleep(_BETWEEN)


def _is_back(view: memoryview) -> bool:
    try:
        view.release()
    except BufferError:  # somebody has it still
        return False
    return True
