"""Options that several verbs share, each with one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Answer with JSON on stdout, on failure too.")]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate", metavar="N", min=0.1, help="Requests in any one second. [service: 5; sandbox: no ceiling]"
    ),
]
#: As `settings.MOST_CONNECTIONS`, which would bring along more than `--help` needs.
MOST = 10


def _few_enough(asked: int | None) -> int | None:
    if asked is not None and not 1 <= asked <= MOST:
        raise typer.BadParameter(
            f"{asked} is not from 1 to {MOST}: more at once is not faster, and the service answers it "
            "as too many"
        )
    return asked


Connections = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        callback=_few_enough,
        help=f"Requests under way at once, at most {MOST}. [what the service bears: from 4 up to {MOST}]",
    ),
]
Settle = Annotated[
    float | None,
    typer.Option(
        "--settle", metavar="SECONDS", min=0, help="Seconds a request in doubt is given to show up. [120]"
    ),
]
ResultsFolder = Annotated[
    Path,
    typer.Option(
        "--results", metavar="FOLDER", help="Folder for the three result files.", show_default="here"
    ),
]
