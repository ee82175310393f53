"""Work behind a widget: one job at a time in a thread of its own, so that the kernel stays free.

An error of the job is told as one line and kept, and `wait` raises it; none is swallowed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from hnbulk.errors import HnbulkError


class Errand:
    """At most one job under way. `on_change` is called in the job's thread when it starts and ends."""

    def __init__(self, name: str, on_change: Callable[[], None]) -> None:
        self._name = name
        self._on_change = on_change
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.error: BaseException | None = None
        self.busy = False

    @property
    def message(self) -> str:
        """The last job's error as one line; empty where it had none."""
        return one_line(self.error)

    def start(self, job: Callable[[], None]) -> bool:
        """`job` is under way; False, and nothing begun, where another one still is."""
        with self._lock:
            if self.busy:
                return False
            self.busy, self.error = True, None
            self._thread = threading.Thread(target=self._run, args=(job,), name=self._name, daemon=True)
            self._thread.start()
        return True

    def forget(self) -> None:
        """The last job's error is neither told nor raised any more."""
        self.error = None

    def wait(self, timeout: float | None = None) -> None:
        """The job under way, if any, has ended. Raises its error, or `TimeoutError` after `timeout` s."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
            if thread.is_alive():
                raise TimeoutError(f"{self._name} is still under way after {timeout} s.")
        if self.error is not None:
            raise self.error

    def _run(self, job: Callable[[], None]) -> None:
        try:
            self._on_change()
            job()
        except BaseException as error:
            self.error = error
        self.busy = False
        self._on_change()


def one_line(error: BaseException | None) -> str:
    """An error as a person may read it: our own message, or the kind of any other."""
    if error is None:
        return ""
    if isinstance(error, HnbulkError):
        return error.message
    return f"unexpected {type(error).__name__}; the widget's wait() raises it with its traceback"
