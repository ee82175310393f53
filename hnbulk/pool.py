"""Worker threads that take jobs from one coordinator, who waits until they are idle again.

The first unexpected error of a job is kept and raised to the coordinator; nothing is swallowed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

Job = Callable[[], None]


class Pool:
    """`size` daemon threads, started at once. Close it."""

    def __init__(self, size: int, *, name: str) -> None:
        self.size = size
        self._jobs: deque[Job] = deque()
        self._change = threading.Condition()
        self._busy = 0
        self._closing = False
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, jobs: Sequence[Job], *, meanwhile: Job | None = None) -> None:
        """The jobs are over.

        `meanwhile` is called every half second. Raises the first error a job or `meanwhile` raised,
        once all threads are idle; jobs not started are dropped then.
        """
        with self._change:
            self._jobs.extend(jobs)
            self._change.notify_all()
            while (self._jobs and self._error is None) or self._busy:
                self._change.wait(0.5)
                if meanwhile is not None and self._error is None:
                    self._change.release()
                    try:
                        meanwhile()
                    except BaseException as raised:  # raised below, when the workers are idle
                        self._error = raised
                    finally:
                        self._change.acquire()
            error, self._error = self._error, None
            self._jobs.clear()
        if error is not None:
            raise error

    def close(self, *, timeout: float | None = None) -> bool:
        """No thread takes a job any more; whether all of them ended within `timeout` seconds."""
        with self._change:
            self._closing = True
            self._jobs.clear()
            self._change.notify_all()
        for thread in self._threads:
            thread.join(timeout)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            error: BaseException | None = None
            try:
                job()
            except BaseException as raised:  # handed to the coordinator, whatever it is
                error = raised
            with self._change:
                self._busy -= 1
                self._error = self._error or error
                if self._error is not None or not (self._jobs or self._busy):
                    self._change.notify_all()

    def _next(self) -> Job | None:
        with self._change:
            while not self._jobs or self._error is not None:
                if self._closing:
                    return None
                self._change.wait()
            self._busy += 1
            return self._jobs.popleft()
