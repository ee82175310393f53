"""One run under way, or over: what whoever started it can see of it and do to it.

Its threads go on whether anybody waits or not; who waits is told how it ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from hnbulk.entries import FINISHED
from hnbulk.errors import RunInterrupted
from hnbulk.journal import Journal
from hnbulk.progress import Progress, Report, Tally
from hnbulk.steps import Ending
from hnbulk.streams import while_read
from hnbulk.throttle import Throttle

#: How long an interrupted run waits for replies under way, seconds.
GRACE = 8.0


class Run:
    """One run under way, or over. Its threads go on whether anybody waits or not."""

    def __init__(
        self,
        run_id: str,
        kind: str,
        tally: Tally,
        throttle: Throttle,
        journal: Journal,
        *,
        sends_on_resume: bool = True,
    ) -> None:
        self.run_id = run_id
        self.way_on = way_on(run_id, sends_on_resume=sends_on_resume)
        self.kind = kind
        self._tally = tally
        self._throttle = throttle
        self._journal = journal
        self._over = threading.Event()
        self._report: Report | None = None
        self._error: BaseException | None = None

    @property
    def progress(self) -> Progress:
        """Where the run is at this moment, and in words what it waits for."""
        now, throttle = self._tally.progress, self._throttle
        if self._over.is_set():
            return replace(now, doing="", eta=None, busy=throttle.busy)
        words = throttle.waiting or now.doing
        waits = throttle.paused or (words and now.pending)
        return replace(
            now,
            doing=words,
            rate=throttle.rate,
            limit=throttle.limit,
            busy=throttle.busy,
            eta=None if waits else now.eta,
        )

    @property
    def state(self) -> str:
        """`running`, `paused`, or how it ended."""
        if self._report is not None:
            return self._report.state
        if self._error is not None:
            return "stopped"
        return "paused" if self._throttle.paused else "running"

    def pause(self) -> None:
        """No create, update, cancel, call or letter goes out until `resume`, be it the first or one more
        try. Requests under way end as they would, and what they amount to may be looked up."""
        self._throttle.pause()

    def resume(self) -> None:
        """What is left goes out again, looked at anew."""
        self._throttle.resume()

    def stop(self) -> None:
        """No new request starts any more; what is left can be resumed later."""
        self._throttle.stop("stopped by hand.")

    def endings(self) -> list[Ending]:
        """What became of the steps so far, by the journal."""
        return self._journal.endings(self.run_id)

    def wait(
        self, timeout: float | None = None, *, on_progress: Callable[[Progress], object] | None = None
    ) -> Report:
        """The run is over, and how. `on_progress` is called with where it is, about ten times a second.

        Raises `TimeoutError` after `timeout` seconds, the run going on. Ctrl-C stops the run, waits
        at most eight seconds for replies under way, and raises `RunInterrupted`. Where `on_progress`
        finds that nobody reads what it writes any more, it is not called again; the run goes on.
        """
        tell = while_read(on_progress)
        try:
            self._wait(timeout, tell)
        except KeyboardInterrupt:
            self._throttle.stop("interrupted.", interrupted=True)
            with suppress(KeyboardInterrupt):  # a second one ends the waiting, not the bookkeeping
                tell(self.progress)
                self._over.wait(GRACE)
        if self._throttle.interrupted and not (self._report and self._report.state == FINISHED):
            raise RunInterrupted(
                f"interrupted; nothing is lost. {self.way_on}",
                run_id=self.run_id,
                counts=self._tally.counts,
            ) from None
        tell(self.progress)
        if self._error is not None:
            raise self._error
        if self._report is None:
            raise TimeoutError(f"run {self.run_id} is still under way")
        return self._report

    def finish(self, report: Report | None, error: BaseException | None = None) -> None:
        """Whoever waits is told. Only the run's own coordinator calls this."""
        self._report = report
        self._error = error
        self._over.set()

    def _wait(self, timeout: float | None, tell: Callable[[Progress], object]) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._over.wait(0.1):
            tell(self.progress)
            if deadline is not None and time.monotonic() >= deadline:
                return

    def __repr__(self) -> str:
        return f"Run({self.run_id}, {self.state}, {self.progress})"


def way_on(run_id: str, *, sends_on_resume: bool) -> str:
    """What a person does about a run that ended early, and what that does."""
    if sends_on_resume:
        return f"Go on with `hnbulk resume {run_id}`."
    return (
        "Calls placed are recorded, the others were not placed. See them with "
        f"`hnbulk resume {run_id}` (it looks up what is in doubt and places none), then "
        "plan again with `hnbulk verify`."
    )
