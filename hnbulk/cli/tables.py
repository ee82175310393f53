"""Verbs that plan: `check`, `plan`, `cancel`, `show`, `retry`. None of them changes the service."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hnbulk.cli.columns import in_columns
from hnbulk.cli.lists import (
    LIST,
    AllSheets,
    Encoding,
    Files,
    Map,
    Quarantine,
    Sheets,
    quarantine_rows,
    read_list,
    tell_warnings,
)
from hnbulk.cli.options import AsJson
from hnbulk.cli.talk import Talk
from hnbulk.errors import UsageError

Updates = Annotated[
    int | None,
    typer.Option("--allow-updates", metavar="N", help="The exact number of updates, when it is unusual."),
]
SetAside = Annotated[
    bool, typer.Option("--set-aside", help="Plan the good rows; bad ones come back as unprocessed.")
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Also cancel live orders whose number is not in FILE.")
]
RetryRefused = Annotated[
    bool, typer.Option("--retry-refused", help="Plan creates again that the service refused before.")
]
Rebase = Annotated[
    Path | None,
    typer.Option(
        "--rebase",
        metavar="PLAN",
        help="Instead of FILE: this plan without the rows whose orders moved on since, or are done.",
    ),
]
Detailed = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Exit 10 when the plan changes something.")
]
Cancels = Annotated[
    int | None,
    typer.Option("--allow-cancels", metavar="N", help="The exact number of cancels, when it is unusual."),
]


class Form(StrEnum):
    """How a plan is shown to a person."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


_NONE_AGAIN = (
    "every step of this run is done: none is to be planned again. Rows that were in conflict, blocked or "
    "set aside had none; correct them in the list, and plan it again"
)


def add_to(app: typer.Typer) -> None:
    """The verbs are part of `app`."""
    app.command(epilog="Example: hnbulk check branches.csv")(check)
    app.command(epilog="Example: hnbulk plan branches.csv --out branches.plan --set-aside")(plan)
    app.command(epilog="Example: hnbulk cancel closed-branches.csv --out cancels.plan")(cancel)
    app.command(epilog="Example: hnbulk show branches.plan")(show)
    app.command(
        epilog="Example: hnbulk retry r20261123-183012-4f2a --class stale --class busy --out again.plan"
    )(retry)


def check(
    files: Files,
    sheet: Sheets = None,
    all_sheets: AllSheets = False,
    encoding: Encoding = None,
    mapping: Map = None,
    save_map: Annotated[
        Path | None,
        typer.Option("--save-map", metavar="JSON", help="Write which column is which field, for --map."),
    ] = None,
    quarantine: Quarantine = None,
    as_json: AsJson = False,
) -> None:
    """Tell everything that is wrong with a list; sends nothing.

    Every problem has a line with its file, sheet, row, column, value (masked), rule and remedy; sums
    by kind follow. Exits 2 when a row has an error, also with --quarantine; warnings alone are 0.
    """
    from hnbulk.mapping import save_mapping

    talk = Talk(as_json)
    intake = read_list(talk, files, sheet=sheet, all_sheets=all_sheets, encoding=encoding, mapping=mapping)
    if save_map is not None:
        save_mapping(save_map, intake.in_use)
    if quarantine is not None:
        quarantine_rows(talk, intake, quarantine, files)
    counts = {**intake.counts, "set_aside": len(intake.set_aside)}
    document = {
        "file": intake.name,
        **counts,
        "mapping": intake.mapping,
        "problems": intake.problem_records,
    }
    told = intake.problem_lines
    talk.show("\n".join([*told, *([""] if told else []), intake.summary]), document)
    if counts["bad"]:
        raise typer.Exit(2)


def plan(
    out: Annotated[Path, typer.Option("--out", help="Where the plan file goes.", metavar="PLAN")],
    files: Annotated[
        list[Path] | None, typer.Argument(help=f"{LIST} Several are one list.", metavar="FILE...")
    ] = None,
    sheet: Sheets = None,
    all_sheets: AllSheets = False,
    encoding: Encoding = None,
    mapping: Map = None,
    set_aside: SetAside = False,
    quarantine: Quarantine = None,
    prune: Prune = False,
    allow_updates: Updates = None,
    allow_cancels: Cancels = None,
    retry_refused: RetryRefused = False,
    rebase: Rebase = None,
    detailed: Detailed = False,
    as_json: AsJson = False,
) -> None:
    """Compare a list with the account and write a plan; only reads.

    What would be done is shown row by row and saved; nothing is sent before
    `hnbulk apply PLAN --approve HASH8`. With --rebase there is no list: an older plan is compared
    with the account instead, and keeps the rows whose orders have not moved and are not done already.
    """
    from hnbulk.cli.plans import check_plan_out, rebase_plan, save_plan
    from hnbulk.connecting import connect
    from hnbulk.intake import raise_for_problems

    talk = Talk(as_json)
    check_plan_out(out)
    if rebase is not None:
        reading = (sheet, all_sheets, encoding, mapping, set_aside, quarantine)
        if files or any((*reading, prune, allow_updates, allow_cancels, retry_refused)):
            raise UsageError("--rebase takes an older plan as it is: leave FILE and its options out.")
        made = rebase_plan(talk, rebase, out)
        if detailed and made.file.steps:
            raise typer.Exit(10)
        return
    if not files:
        raise UsageError("give a list to plan, or an older plan with --rebase.")
    intake = read_list(talk, files, sheet=sheet, all_sheets=all_sheets, encoding=encoding, mapping=mapping)
    if quarantine is not None:
        quarantine_rows(talk, intake, quarantine, files)
        set_aside = True
    if not set_aside:
        raise_for_problems(intake)
    tell_warnings(talk, intake)
    with connect() as account:
        made = account.plan(
            intake,
            set_aside=set_aside,
            prune=prune,
            allow_updates=allow_updates,
            allow_cancels=allow_cancels,
            retry_refused=retry_refused,
            progress=talk.progress,
        )
    save_plan(talk, made, out)
    if detailed and made.file.steps:
        raise typer.Exit(10)


def cancel(
    files: Files,
    out: Annotated[Path, typer.Option("--out", help="Where the plan file goes.", metavar="PLAN")],
    sheet: Sheets = None,
    all_sheets: AllSheets = False,
    encoding: Encoding = None,
    mapping: Map = None,
    set_aside: SetAside = False,
    allow_cancels: Cancels = None,
    as_json: AsJson = False,
) -> None:
    """Plan to cancel the live orders on the numbers of a list.

    It only reads; of a row only its number counts. An order and its incoming phone number are
    deleted together, and only by `hnbulk apply PLAN --approve HASH8`; orders that have come too far
    are blocked.
    """
    from hnbulk.cli.plans import check_plan_out, save_plan
    from hnbulk.connecting import connect
    from hnbulk.intake import raise_for_problems

    talk = Talk(as_json)
    check_plan_out(out)
    intake = read_list(talk, files, sheet=sheet, all_sheets=all_sheets, encoding=encoding, mapping=mapping)
    if not set_aside:
        raise_for_problems(intake)
    with connect() as account:
        made = account.cancel(
            intake, set_aside=set_aside, allow_cancels=allow_cancels, progress=talk.progress
        )
    save_plan(talk, made, out)


def show(
    plan_file: Annotated[Path, typer.Argument(help="A saved plan.", metavar="PLAN")],
    whole: Annotated[
        bool, typer.Option("--all", help="Every step, every field; else the first of each kind.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="NAME",
            help="One action (create) or verdict (blocked) and no others; may be given again.",
        ),
    ] = None,
    form: Annotated[
        Form,
        typer.Option("--format", help="What a person gets; `markdown` is for a pull request or a ticket."),
    ] = Form.TEXT,
    drift: Annotated[
        bool,
        typer.Option("--drift", help="Also read the service: which rows' orders moved since the plan."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a saved plan, field by field; sends nothing."""
    from hnbulk.cli.plans import read_drift, show_plan
    from hnbulk.review import Plan

    made = Plan.load(plan_file)
    if only:
        made = made.only(*only)
    found = read_drift(made) if drift else None
    show_plan(Talk(as_json), made, plan_file, whole=whole, form=form, drift=found)


def retry(
    run_id: Annotated[str, typer.Argument(help="A run that is over.", metavar="RUN")],
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="Plan the rows of this class; may be given again."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the plan file goes.", metavar="PLAN")
    ] = None,
    allow_updates: Updates = None,
    allow_cancels: Cancels = None,
    as_json: AsJson = False,
) -> None:
    """Plan rows of a run again, by what became of them.

    Without --class it lists the classes, with how many rows each has and what planning them again
    means. Nothing is sent: what comes out is a plan, made of the run's own rows as the account is now.
    """
    from hnbulk.cli.plans import check_plan_out, save_plan
    from hnbulk.connecting import connect
    from hnbulk.frames import records_of

    talk = Talk(as_json)
    if bool(classes) != (out is not None):
        raise UsageError("--class and --out go together: what to plan again, and where the plan goes.")
    if out is not None:
        check_plan_out(out)
    with connect() as account:
        if not classes or out is None:
            found = records_of(account.error_classes(run_id))
            rows = [tuple(line.values()) for line in found]
            told = "\n".join(in_columns(("class", "rows", "planned again"), rows))
            talk.show(told if rows else _NONE_AGAIN, {"run_id": run_id, "classes": found})
            return
        made = account.retry(run_id, classes, allow_updates=allow_updates, allow_cancels=allow_cancels)
    save_plan(talk, made, out)
