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
Connections = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        min=1,
        max=50,
        help="Requests under way at once. [service: 4; sandbox: 8]",
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
