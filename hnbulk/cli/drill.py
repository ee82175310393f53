"""The verb `drill`: a person's own list under fire, on a sandbox of its own."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hnbulk.cli.columns import in_columns
from hnbulk.cli.options import AsJson, settle_time
from hnbulk.cli.talk import Talk
from hnbulk.errors import UsageError
from hnbulk.wording import count_text

if TYPE_CHECKING:
    from hnbulk.drill import Drill

Kills = Annotated[int, typer.Option("--kills", metavar="N", min=0, help="How often the worker is killed.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Another seed is another bad day.")]
Settle = Annotated[
    float,
    typer.Option(
        "--settle",
        metavar="SECONDS",
        callback=settle_time,
        help="Seconds a request in doubt is given to show up; a late one takes 1.",
    ),
]
Faults = Annotated[
    str,
    typer.Option(
        "--faults",
        help="`standard`: 5 % resets, 5 % 503, 5 % 429, 1 % late, 1 % garbage; `none`; or a JSON "
        "file of rules as in docs/sandbox.md. [standard]",
        metavar="WHICH",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FOLDER", help="Keep plan, journal, results and the sandbox's books here."
    ),
]


def add_to(app: typer.Typer) -> None:
    """The verb is part of `app`."""
    app.command(epilog="Example: hnbulk drill branches.csv --kills 20")(drill)


def drill(
    file: Annotated[
        Path,
        typer.Argument(
            help="A list of numbers: CSV, TSV, XLSX, XLSB, XLS, ODS or Parquet.", metavar="FILE"
        ),
    ],
    kills: Kills = 10,
    seed: Seed = 7,
    settle: Settle = 2.0,
    faults: Faults = "standard",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Apply a list under faults and kills; count what broke.

    Needs no account and touches none: what is counted are the sandbox's own books. Exits 1 when a
    promise broke; what it left is kept then.
    """
    from hnbulk.drill import drill as run_drill
    from hnbulk.files import private_folder
    from hnbulk.intake import read_targets

    talk = Talk(as_json)
    rules = _rules(faults, seed)
    intake = read_targets(file)
    folder = (
        Path(tempfile.mkdtemp(prefix="hnbulk-drill-", dir=_memory())) if out is None else out.absolute()
    )
    private_folder(folder)
    done: Drill | None = None
    try:
        done = run_drill(
            intake,
            folder=folder,
            kills=kills,
            seed=seed,
            settle=settle,
            faults=rules,
            progress=talk.progress,
        )
    finally:
        kept = out is not None or (done is not None and not done.held)
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
    text = _told(done, intake.name, f"seed {seed}, {faults} faults, settle {settle:g} s")
    talk.show(text, {"file": intake.name, **done.as_json(), "folder": str(folder) if kept else None})
    if kept:
        talk.say(f"plan, journal, results and the sandbox's books: {folder}")
    if not done.held:
        raise typer.Exit(1)


def _rules(which: str, seed: int) -> list[dict[str, Any]]:
    """The fault rules asked for. Raises `UsageError` where they cannot be read."""
    from hnbulk.drill import standard_faults

    if which in ("standard", "none"):
        return standard_faults(seed) if which == "standard" else []
    try:
        rules = json.loads(Path(which).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--faults {which}: neither `standard` nor `none`, nor a JSON file that can be read "
            f"({type(error).__name__})."
        ) from None
    return rules if isinstance(rules, list) else [rules]


def _told(done: Drill, name: str, how: str) -> str:
    """The scoreboard, and what it amounts to."""
    score = done.score
    rows: list[tuple[str, int, str]] = [
        (
            "orders",
            score.orders,
            f"of {count_text(done.planned, 'planned number')}; {count_text(done.rows, 'row')} in the list",
        ),
        ("duplicates", score.duplicates, "live orders beyond the first of a number"),
        ("lost", score.lost, "planned numbers without an order"),
        (
            "strangers adopted",
            score.strangers_adopted,
            f"of {count_text(done.strangers, 'order')} of somebody else",
        ),
        ("unplanned orders", score.unplanned_orders, "on numbers that are not in the list"),
        ("unplanned deletes", score.unplanned_deletes, "the list cancels none"),
        ("untrue claims", score.untrue_claims, "the journal names another order than there is, or none"),
        ("calls", score.calls, "nobody asked for one"),
        ("audit findings", done.audit_findings, "by the client's own audit"),
    ]
    if score.refused:
        rows.insert(1, ("refused", score.refused, "by the service; in the error file"))
    if done.again:
        rows.append(("planned again", done.again, "came back for review, and were made in peace"))
    asked = f"{count_text(score.requests, 'request')} ({score.creates:,} of them creates)"
    ran = f"{count_text(done.kills, 'kill')}, {count_text(done.runs, 'run')} of the worker"
    broken = ", ".join(score.broken) or "audit findings"
    end = "every promise held" if done.held else done.stopped or f"BROKEN: {broken}"
    return "\n".join(
        [
            f"drill of {name}: {how}",
            *in_columns(("", "", ""), rows)[1:],
            f"{asked}; {ran}, {done.seconds:.0f} s",
            end,
        ]
    )


def _memory() -> str | None:
    """A file system in memory, where there is one: a kill loses nothing there, and it is fast."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of 0700 is made in it
