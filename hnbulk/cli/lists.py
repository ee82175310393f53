"""Options that say what list a verb reads and how, each with one help text, and the reading itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hnbulk.cli.talk import Talk
from hnbulk.errors import UsageError
from hnbulk.headers import shown_header

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
    typer.Option(
        "--map", metavar="FILE", help='JSON, which column is which field: {"Line 1": "phone_number"}.'
    ),
]
Quarantine = Annotated[
    Path | None,
    typer.Option("--quarantine", metavar="CSV", help="The bad rows go here, each with its reasons."),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="The encoding of a text file, as cp1252; of several, that of those not in UTF-8. [utf-8]",
    ),
]


#: So many columns of a warning are named.
_MOST = 6


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


def tell_warnings(talk: Talk, intake: Intake) -> None:
    """The warnings of a list on stderr, a line for each kind: they set no row aside, and no plan shows
    them."""
    warnings = intake.problems[intake.problems["severity"] == "warning"]
    for code, found in warnings.groupby("code", sort=False, observed=True):
        if code not in intake.set_aside.values():
            first = intake.places.brief(int(found["row"].iloc[0]))
            where = first if len(found) == 1 else f"{len(found):,} times, the first: {first}"
            if code in ("unknown-column", "column-displaced"):
                where += f"; {_named(found['column'].dropna().unique().tolist())}"
            talk.say(f"warning: {code}: {found['message'].iloc[0]} ({where}); `hnbulk check` lists all")


def _named(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _MOST:,} more" if len(columns) > _MOST else ""
    return f"column{'s' if len(columns) > 1 else ''} {', '.join(map(shown_header, columns[:_MOST]))}{more}"


def quarantine_rows(talk: Talk, intake: Intake, path: Path, files: Sequence[Path]) -> None:
    """`path` holds the bad rows with their reasons, where there are any.

    Raises `UsageError` where it is one of the files, or holds something else: it may be corrected already.
    """
    from hnbulk.files import write_private
    from hnbulk.quarantine import quarantine
    from hnbulk.wording import count_text

    if any(path.resolve() == file.resolve() for file in files):
        raise UsageError(f"--quarantine {path} is the list itself. Name another file.", path=str(path))
    content, count = quarantine(intake.columns, intake.rows, intake.problems)
    if not count:
        talk.say(f"there is no bad row: {path} is not written")
        return
    if path.is_file() and path.read_bytes() != content:
        raise UsageError(
            f"--quarantine {path} exists and may have corrections in it; it was left as it is. "
            "Name another file, or delete that one.",
            path=str(path),
        )
    write_private(path, content)
    talk.say(f"{count_text(count, 'bad row')} in {path}: correct there and feed it back")
