"""The verb `annotate`: a list given back with what became of its rows. It reads, and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hnbulk.cli.lists import LIST, AllSheets, Encoding, Map, Sheets
from hnbulk.cli.options import AsJson
from hnbulk.cli.talk import Talk


def add_to(app: typer.Typer) -> None:
    """The verb is part of `app`."""
    app.command(epilog="Example: hnbulk annotate branches.csv --out branches.xlsx")(annotate)


def annotate(
    file: Annotated[Path, typer.Argument(help=LIST, metavar="FILE")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="XLSX", help="Where the workbook goes. [FILE's name with .annotated.xlsx]"
        ),
    ] = None,
    sheet: Sheets = None,
    all_sheets: AllSheets = False,
    encoding: Encoding = None,
    mapping: Map = None,
    as_json: AsJson = False,
) -> None:
    """Give a list back with status, sid and next step of every row.

    An XLSX or XLSM comes back as it was, with four columns more, and cells with a problem coloured and
    commented; other lists become an XLSX of text. Feed it back as it is: the four columns are not read,
    and are brought up to date. Rows with errors are marked, not refused: exits 0.
    """
    from hnbulk.annotated import check_place, place_for
    from hnbulk.connecting import connect
    from hnbulk.tablefiles import check_file

    talk = Talk(as_json)
    check_file(file)
    place = out or place_for(file)
    check_place(place, file)
    with connect() as account:
        made = account.annotate(
            file,
            sheet=sheet,
            all_sheets=all_sheets,
            encoding=encoding,
            mapping=mapping,
            progress=talk.progress,
        )
    made.save(place)
    talk.show(str(made), {"file": made.name, "annotated": str(place), **made.as_json()})
    for note in made.notes:
        talk.say(f"note: {note}")
    talk.say(f"saved: {place}")
