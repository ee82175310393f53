"""The command line: each verb gathers arguments, makes one call and shows the result.

Libraries are imported by the verb that needs them, so that `hnbulk --help` is there at once.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

import typer
from typer.exceptions import TyperException

from hnbulk import __version__
from hnbulk.cli import annotate, drill, orders, rebuild, runs, sandbox, story, tables
from hnbulk.cli.talk import fail
from hnbulk.errors import RunInterrupted, RunStopped, UsageError
from hnbulk.streams import escape_strangers, flush, put

app = typer.Typer(
    name="hnbulk",
    help=(
        "Move thousands of phone numbers to Twilio Hosted SMS: a messy spreadsheet in, a reviewed plan, "
        "an exactly-once run, verification calls, letters, and a funnel that tells the truth. "
        "Start with `hnbulk demo`: it needs no account."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for verbs in (story, drill, sandbox, tables, annotate, runs, rebuild, orders):
    verbs.add_to(app)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True),
) -> None:
    if version:
        put(sys.stdout, __version__)
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code; the codes stand in `errors` and in the README."""
    for stream in (sys.stdout, sys.stderr):
        escape_strangers(stream)
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    as_json = "--json" in arguments
    ended: list[int] = []

    def end(signum: int, frame: FrameType | None) -> None:
        ended.append(signum)
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal is no reason to lose anything
        known = getattr(signal, name, None)
        if known is not None and signal.getsignal(known) is not signal.SIG_IGN:
            signal.signal(known, end)
    try:
        code = _run(arguments)
    except TyperException as error:
        told = error.format_message() if hasattr(error, "format_message") else str(error)
        verb = f"{arguments[0]} " if arguments[0] in _verbs() else ""
        code = fail(UsageError(f"{told.rstrip('. ')}. See `hnbulk {verb}--help`."), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        code = fail(_interrupted(arguments[0]), as_json=as_json)
    except Exception as error:
        code = fail(error, as_json=as_json)
    if ended and code == RunInterrupted.exit_code:  # the machine's wish, not a person's
        code = RunStopped.exit_code
    for stream in (sys.stdout, sys.stderr):
        flush(stream)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """The verb's exit code. Raises what the verb raises, and `KeyboardInterrupt` or `Abort` where it was
    interrupted."""
    code = app(arguments, prog_name="hnbulk", standalone_mode=False)
    if code == RunInterrupted.exit_code:  # as typer tells an interrupt; an interrupted run is an error
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _interrupted(verb: str) -> RunInterrupted:
    if verb in ("apply", "resume"):
        return RunInterrupted(
            "interrupted; nothing is lost. Where a run had begun, `hnbulk resume` goes on with it; else "
            "nothing was sent."
        )
    return RunInterrupted("interrupted; nothing at the service was changed. Give the command again.")


def _verbs() -> set[str]:
    return {command.callback.__name__ for command in app.registered_commands if command.callback}
