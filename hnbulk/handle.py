"""A run as a notebook holds it: progress to look at, pause and resume, results as tables.

It reads the run and its journal; the run itself goes on in its own threads whether anybody
looks or not.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from hnbulk.connection import Connection
from hnbulk.errors import UsageError
from hnbulk.frames import findings_frame
from hnbulk.progress import Progress, Report
from hnbulk.results import PARTS
from hnbulk.running import Run
from hnbulk.runs import Audited, results_of, write_results


@dataclass(frozen=True, slots=True)
class ResultFrames:
    """Every input row once: the user's own columns as text, then the `hn_` columns."""

    success: pd.DataFrame
    error: pd.DataFrame
    unprocessed: pd.DataFrame

    def __repr__(self) -> str:
        return ", ".join(f"{len(getattr(self, part)):,} {part}" for part in PARTS)


class Audit:
    """What an audit of a run found, as a notebook shows it: `table` has a row for each finding."""

    def __init__(self, audited: Audited) -> None:
        self.run_id = audited.run_id
        self.findings = audited.findings

    @property
    def clean(self) -> bool:
        """Every number has exactly one live order, ours."""
        return self.findings.clean

    @property
    def table(self) -> pd.DataFrame:
        """`frames.FINDING_COLUMNS`, the gravest kind first; numbers are whole."""
        return findings_frame(one.as_line() for one in self.findings)

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.findings}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


class RunHandle:
    """One run of one plan, under way or over."""

    def __init__(self, run: Run, connection: Connection) -> None:
        self._run = run
        self._connection = connection

    @property
    def run_id(self) -> str:
        """The name by which `resume` and `runs` know it."""
        return self._run.run_id

    @property
    def progress(self) -> Progress:
        """Where the run is at this moment."""
        return self._run.progress

    @property
    def state(self) -> str:
        """`running`, `paused`, or how it ended."""
        return self._run.state

    def pause(self) -> None:
        """No create, update, cancel, call or letter goes out until `resume`, be it the first or one more
        try. Requests under way end as they would, and what they amount to may be looked up."""
        self._run.pause()

    def resume(self) -> None:
        """What is left goes out again, looked at anew. Raises `UsageError` for a run that is over."""
        if self.state not in ("running", "paused"):
            raise UsageError(
                f"run {self.run_id} is over ({self.state}): go on with account.resume({self.run_id!r}).",
                run_id=self.run_id,
            )
        self._run.resume()

    def stop(self) -> None:
        """No new request starts any more; what is left can be resumed later."""
        self._run.stop()

    def wait(self, *, timeout: float | None = None, progress: bool = False) -> Report:
        """The run is over, or `timeout` seconds have passed (`TimeoutError`).

        `progress` draws a bar on stderr. Ctrl-C here stops the run: replies under way are waited
        for at most eight seconds, and `RunInterrupted` says how to go on.
        """
        if not progress:
            return self._run.wait(timeout)
        total = self.progress.total
        with tqdm(total=total, unit=" steps", desc=self._run.kind, leave=False) as bar:

            def show(now: Progress) -> None:
                bar.set_postfix_str(now.doing or now.pace, refresh=False)
                bar.update(now.ended - bar.n)

            return self._run.wait(timeout, on_progress=show)

    @property
    def results(self) -> ResultFrames:
        """What became of every input row, so far."""
        found = results_of(self._connection, self.run_id)
        frames = {
            part: pd.DataFrame(getattr(found, part), columns=list(found.columns), dtype="string[pyarrow]")
            for part in PARTS
        }
        return ResultFrames(**frames)

    def save_results(self, folder: Path | str = ".", *, name: str | None = None) -> dict[str, Path]:
        """The three result files lie in `folder`, under `name` or the run's own."""
        found = results_of(self._connection, self.run_id)
        return write_results(found, Path(folder) / (name or self.run_id))

    def __repr__(self) -> str:
        return f"Run {self.run_id}: {self.state}, {self.progress}"

    def _repr_html_(self) -> str:
        return (
            f"<p><b>Run {html.escape(self.run_id)}</b> {html.escape(f'{self.state}, {self.progress}')}</p>"
        )
