"""Verbs that run a plan and look back at runs: `apply`, `resume`, `runs`, `audit`; without pandas."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hnbulk.cli.columns import in_columns, minute
from hnbulk.cli.options import AsJson, Connections, Rate, ResultsFolder, Settle
from hnbulk.cli.talk import Talk
from hnbulk.errors import HnbulkError, RunStopped

if TYPE_CHECKING:
    from hnbulk.connection import Connection
    from hnbulk.progress import Progress, Report
    from hnbulk.running import Run

#: Seconds between two lines on where a run is, where no bar is drawn.
_EVERY = 60.0


def add_to(app: typer.Typer) -> None:
    """The verbs are part of `app`."""
    app.command(epilog="Example: hnbulk apply branches.plan --approve 1a2b3c4d")(apply)
    app.command(epilog="Example: hnbulk resume")(resume)
    app.command(epilog="Example: hnbulk runs --json")(runs)
    app.command(epilog="Example: hnbulk audit")(audit)


def apply(
    plan_file: Annotated[Path, typer.Argument(help="A saved plan.", metavar="PLAN")],
    approve: Annotated[
        str | None,
        typer.Option(
            "--approve", metavar="HASH8", help="The first eight characters of the plan's checksum."
        ),
    ] = None,
    place_calls: Annotated[
        int | None,
        typer.Option(
            "--place-calls", metavar="N", help="For a plan of calls: exactly how many phones may ring."
        ),
    ] = None,
    rate: Rate = None,
    concurrency: Connections = None,
    settle: Settle = None,
    results: ResultsFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """Send what a plan says, once.

    Without --approve nothing is sent: that is the dry run.
    """
    from hnbulk import overview
    from hnbulk.connection import connect_from
    from hnbulk.planfile import load_plan
    from hnbulk.runs import how_interrupted, start_run
    from hnbulk.settings import read_settings

    talk = Talk(as_json)
    plan = load_plan(plan_file)
    if approve is None:
        counted = ", ".join(f"{count:,} {name}" for name, count in plan.counts.items()) or "nothing"
        document = {"dry_run": True, "checksum": plan.checksum, "counts": plan.counts}
        talk.show(f"dry run, nothing was sent: {counted}", document)
        talk.say(f"to apply it: {overview.command(plan, plan.checksum, plan_file)}")
        return
    with connect_from(read_settings()) as connection, _telling_what_is_left(talk, connection):
        pace = connection.with_pace(rate=rate, connections=concurrency, settle=settle)
        try:
            run = start_run(connection, plan, approve=approve, place_calls=place_calls, pace=pace)
            _follow(talk, connection, run, results)
        except KeyboardInterrupt:
            raise how_interrupted(connection, plan) from None


def resume(
    run_id: Annotated[
        str | None, typer.Argument(help="The run; the newest unfinished one.", metavar="RUN")
    ] = None,
    rate: Rate = None,
    concurrency: Connections = None,
    settle: Settle = None,
    results: ResultsFolder = Path(),
    as_json: AsJson = False,
) -> None:
    """Go on with a run that ended early.

    What is in doubt is looked up, the rest is sent once. A verification call is never placed on resume.
    """
    from hnbulk.connection import connect_from
    from hnbulk.runs import resume_run
    from hnbulk.settings import read_settings

    talk = Talk(as_json)
    with connect_from(read_settings()) as connection, _telling_what_is_left(talk, connection):
        pace = connection.with_pace(rate=rate, connections=concurrency, settle=settle)
        _follow(talk, connection, resume_run(connection, run_id, pace=pace), results)


def runs(as_json: AsJson = False) -> None:
    """List the runs of this account, newest first."""
    from hnbulk.connection import connect_from
    from hnbulk.settings import read_settings

    with connect_from(read_settings()) as connection:
        records = [record.as_line() for record in connection.journal.runs()]
        home = connection.home
    titles = ("run", "state", "what", "begun (UTC)", "ended", "of", "steps from")
    rows = [
        (
            line["run_id"],
            line["state"],
            line["kind"],
            minute(line["made_at"]),
            line["ended"],
            line["steps"],
            line["input_name"],
        )
        for line in records
    ]
    told = "\n".join(in_columns(titles, rows)) if rows else f"no runs of this account in {home} yet"
    Talk(as_json).rows(told, records)


def audit(
    run_id: Annotated[
        str | None,
        typer.Argument(help="The run; the newest finished one that created orders.", metavar="RUN"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that each number of a run has its one live order.

    Only reads. Exit 3 where a number has two, none, a stranger's, or one without our name; each
    finding says what to do, nothing is deleted.
    """
    from hnbulk.connection import connect_from
    from hnbulk.runs import audit_run
    from hnbulk.settings import read_settings

    talk = Talk(as_json)
    with connect_from(read_settings()) as connection:
        found = audit_run(connection, run_id, say=talk.say)
    talk.show(str(found), found.as_json())
    if not found.findings.clean:
        raise typer.Exit(3)


@contextmanager
def _telling_what_is_left(talk: Talk, connection: Connection) -> Iterator[None]:
    """Results that could not be written to the end lie in a file, and a person knows where."""
    try:
        yield
    finally:
        connection.journal.close()
        for path in connection.journal.left_behind:
            talk.say(
                f"some results could not be written to the journal: they lie in {path}. Make room, or wait "
                f"for the process that uses it; then `hnbulk resume {path.name.partition('.')[0]}` takes "
                "them in."
            )


def _follow(talk: Talk, connection: Connection, run: Run, folder: Path) -> None:
    """The run has ended, its result files are written, and its exit code is given."""
    from hnbulk.runs import failures_of, results_of, write_results

    began = time.monotonic()
    report: Report | None = None
    try:
        report = _wait(talk, run)
    finally:
        try:
            found = results_of(connection, run.run_id)
            paths = write_results(found, folder / run.run_id)
        except HnbulkError as error:
            if report is None:
                talk.say(error.message)  # why the run did not end is raised
            elif report.exit_code == RunStopped.exit_code:
                # the same full disk that stopped the run: that it can be resumed is the news
                raise RunStopped(f"{report.message} {error.message}", run_id=run.run_id) from None
            else:
                raise
        else:
            talk.say("result files: " + ", ".join(str(path) for path in paths.values()))
    document = {
        "run_id": run.run_id,
        "state": report.state,
        "counts": found.counts,
        "steps": report.counts,
        "results": {part: str(path) for part, path in paths.items()},
        "seconds": round(time.monotonic() - began, 3),
    }
    counted = ", ".join(f"{count:,} {part}" for part, count in found.counts.items())
    talk.show(f"run {run.run_id} {report.state}: {counted}", document)
    if report.exit_code and report.state not in ("stopped", "interrupted"):
        _say_failures(talk, failures_of(connection, run.run_id), paths["error"])
    if report.message:
        talk.say(report.message)
    raise typer.Exit(report.exit_code)


def _say_failures(talk: Talk, failures: Mapping[str, int], path: Path) -> None:
    """Why a run that has finished does not exit 0, in one line."""
    if count := sum(failures.values()):
        kinds = ", ".join(f"{rows:,} {name}" for name, rows in failures.items())
        talk.say(f"{count:,} row{'s' if count > 1 else ''} failed: {kinds}; see {path}")


def _wait(talk: Talk, run: Run) -> Report:
    """The run is over. What it waits for is said once: in the bar, or as a line where there is none."""
    if not talk.progress:
        return run.wait(on_progress=in_lines(talk.say))
    from tqdm import tqdm

    with tqdm(total=run.progress.total, unit=" steps", desc=run.kind) as bar:

        def show(now: Progress) -> None:
            bar.set_postfix_str(now.doing or now.pace, refresh=False)
            bar.update(now.ended - bar.n)

        return run.wait(on_progress=show)


def in_lines(
    say: Callable[[str], object], *, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[Progress], None]:
    """Says what a run waits for whenever that is another than before, and once a minute where it is."""
    said, at = "", monotonic()

    def look(now: Progress) -> None:
        nonlocal said, at
        if now.doing != said:
            said = now.doing
            if said:
                say(said)
        elif monotonic() - at >= _EVERY and now.ended < now.total:
            say(str(now))
        else:
            return
        at = monotonic()

    return look
