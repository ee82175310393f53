"""Options that several verbs share, each with one help text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

#: As `settings.MOST_CONNECTIONS` and `MOST_SETTLE`, which would bring along more than `--help` needs.
MOST = 10
LONGEST = 86_400


def _a_rate(asked: float | None) -> float | None:
    if asked is not None and not math.isfinite(asked):
        raise typer.BadParameter(f"{asked} is not a number of requests; leave it out for the usual rate")
    return asked


def settle_time(asked: float | None) -> float | None:
    """`asked`, if it is a time that can be waited. Raises `BadParameter`."""
    if asked is not None and not 0 <= asked <= LONGEST:
        raise typer.BadParameter(f"{asked} is not from 0 to {LONGEST:,} seconds, which is a day")
    return asked


def _few_enough(asked: int | None) -> int | None:
    if asked is not None and not 1 <= asked <= MOST:
        raise typer.BadParameter(
            f"{asked} is not from 1 to {MOST}: more at once is not faster, and the service answers it "
            "as too many"
        )
    return asked


AsJson = Annotated[bool, typer.Option("--json", help="Answer with JSON on stdout, on failure too.")]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="N",
        min=0.1,
        callback=_a_rate,
        help="Requests in any one second. [service: 5; sandbox: no ceiling]",
    ),
]
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
        "--settle",
        metavar="SECONDS",
        callback=settle_time,
        help="Seconds a request in doubt is given to show up. [120]",
    ),
]
ResultsFolder = Annotated[
    Path,
    typer.Option(
        "--results", metavar="FOLDER", help="Folder for the three result files.", show_default="here"
    ),
]
