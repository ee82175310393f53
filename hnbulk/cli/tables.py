"""Verbs on files: `check`, `plan`, `show`. None of them changes anything in the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hnbulk.cli.options import AsJson
from hnbulk.cli.talk import Talk

File = Annotated[Path, typer.Argument(help="A list of numbers: CSV or XLSX.", metavar="FILE")]
Sheet = Annotated[str | None, typer.Option("--sheet", help="The sheet of a workbook. [the first]")]


def add_to(app: typer.Typer) -> None:
    """The verbs are part of `app`."""
    app.command(epilog="Example: hnbulk check branches.csv")(check)
    app.command(epilog="Example: hnbulk plan branches.csv --out branches.plan --set-aside")(plan)
    app.command(epilog="Example: hnbulk show branches.plan")(show)


def check(file: File, sheet: Sheet = None, as_json: AsJson = False) -> None:
    """Read a list and tell everything that is wrong with it, row by row. Sends nothing.

    Exits 2 when a row has an error; warnings alone are 0.
    """
    from hnbulk.intake import read_targets

    talk = Talk(as_json)
    intake = read_targets(file, sheet=sheet)
    problems = intake.problems.astype(object).where(intake.problems.notna(), None).to_dict("records")
    counts = {**intake.counts, "set_aside": len(intake.set_aside)}
    document = {"file": intake.name, **counts, "mapping": intake.mapping, "problems": problems}
    talk.show(str(intake), document)
    if intake.counts["bad"]:
        raise typer.Exit(2)


def plan(
    file: File,
    out: Annotated[Path, typer.Option("--out", help="Where the plan file goes.", metavar="PLAN")],
    sheet: Sheet = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Plan the good rows; bad ones come back as unprocessed.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Also cancel live orders whose number is not in FILE.")
    ] = False,
    allow_updates: Annotated[
        int | None, typer.Option("--allow-updates", help="The exact number of updates, when it is unusual.")
    ] = None,
    allow_cancels: Annotated[
        int | None, typer.Option("--allow-cancels", help="The exact number of cancels, when it is unusual.")
    ] = None,
    retry_refused: Annotated[
        bool, typer.Option("--retry-refused", help="Plan creates again that the service refused before.")
    ] = False,
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 when the plan changes something.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare a list with the account's orders and write down what would be done. Only reads."""
    from hnbulk.account import connect
    from hnbulk.intake import raise_for_problems, read_targets

    talk = Talk(as_json)
    intake = read_targets(file, sheet=sheet)
    if not set_aside:
        raise_for_problems(intake)
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
    made.save(out)
    talk.show(f"{made}\nsaved: {out}", {"plan": str(out), **made.as_json()})
    if made.file.steps:
        talk.say(f"nothing was sent. To apply it: hnbulk apply {out} --approve {made.checksum[:8]}")
        if detailed:
            raise typer.Exit(10)


def show(
    plan_file: Annotated[Path, typer.Argument(help="A saved plan.", metavar="PLAN")],
    as_json: AsJson = False,
) -> None:
    """Show a saved plan: what it would do, field by field, and what it leaves alone. Sends nothing."""
    from hnbulk.review import Plan

    made = Plan.load(plan_file)
    Talk(as_json).show(str(made), {"plan": str(plan_file), **made.as_json()})
