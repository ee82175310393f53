"""Options that say what list a verb reads and how, each with one help text, and the reading itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hnbulk.cli.talk import Talk
from hnbulk.errors import UsageError

if TYPE_CHECKING:
    from hnbulk.intake import Intake

LIST = "A list of numbers: CSV, TSV, XLSX, XLSB, XLS, ODS or Parquet."
Files = Annotated[list[Path], typer.Argument(help=f"{LIST} Several are one list.", metavar="FILE...")]
Sheets = Annotated[
    list[str] | None,
    typer.Option(
        "--sheet", metavar="NAME", help="The sheet of a workbook; may be given again. [the first]"
    ),
]
AllSheets = Annotated[
    bool, typer.Option("--all-sheets", help="Every visible sheet of a workbook that has cells.")
]
Map = Annotated[
    Path | None,
    typer.Option("--map", metavar="JSON", help='Which column is which field: {"Line 1": "phone_number"}.'),
]
Quarantine = Annotated[
    Path | None,
    typer.Option("--quarantine", metavar="CSV", help="The bad rows go here, each with its reasons."),
]
Encoding = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="The encoding of a text file, as cp1252. [utf-8]"),
]


def read_list(
    talk: Talk,
    files: Sequence[Path],
    *,
    sheet: Sequence[str] | None,
    all_sheets: bool,
    encoding: str | None,
    mapping: Path | None,
) -> Intake:
    """The files as one list, with a progress bar where reading takes more than a second and somebody
    watches."""
    from tqdm import tqdm

    from hnbulk.intake import read_targets

    bar = partial(tqdm, desc="checking", unit=" rows", delay=1, leave=False, disable=not talk.progress)
    return read_targets(
        files, sheet=sheet, all_sheets=all_sheets, encoding=encoding, mapping=mapping, watch=bar
    )


def quarantine_rows(talk: Talk, intake: Intake, path: Path, files: Sequence[Path]) -> None:
    """`path` holds the bad rows with their reasons. Raises `UsageError` where it is one of the files."""
    from hnbulk.quarantine import write_quarantine

    if any(path.resolve() == file.resolve() for file in files):
        raise UsageError(f"--quarantine {path} is the list itself. Name another file.", path=str(path))
    count = write_quarantine(path, intake.columns, intake.rows, intake.problems)
    talk.say(f"{count:,} bad rows are in {path}: correct them there and feed it back")
