"""The verb `demo`: the main job, from a messy file to the funnel, on a sandbox of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hnbulk.cli.options import AsJson
from hnbulk.cli.talk import Talk


def add_to(app: typer.Typer) -> None:
    """The verb is part of `app`."""
    app.command(epilog="Example: hnbulk demo --numbers 200 --out hnbulk-demo")(demo)


def demo(
    numbers: Annotated[
        int, typer.Option("--numbers", metavar="N", min=1, max=2000, help="How many rows of the sample.")
    ] = 2000,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="The same seed tells the same story.")
    ] = 7,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Folder for what it leaves behind.")
    ] = Path("hnbulk-demo"),
    as_json: AsJson = False,
) -> None:
    """Tell a whole migration in about a minute; needs no account.

    A branch list of 2,000 rows: check, plan, apply, the edited list a week later, verification
    calls, letters, 45 days, the funnel and a report; the files stay in the folder.
    """
    from hnbulk.demo import tell

    talk = Talk(as_json)
    document = tell(numbers=numbers, seed=seed, out=out, say=talk.tell, progress=talk.progress)
    if as_json:
        talk.show("", document)
