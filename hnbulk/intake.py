"""Targets out of a list: every row read, every fault told at once, no row lost.

A row is a target, or it is set aside with the code of what is wrong with it; either way its own
cells stay as they were written. This module sends nothing and writes nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
import pandas as pd

from hnbulk import intakecard
from hnbulk.checks import RULES
from hnbulk.encodings import says_itself
from hnbulk.errors import InputError, UsageError
from hnbulk.frames import records_of
from hnbulk.headers import FIELD_ALIASES, shown_header
from hnbulk.mapping import Stated, check_mapping, read_mapping
from hnbulk.parquet import is_parquet
from hnbulk.places import STEP, Places
from hnbulk.plaintext import single_line
from hnbulk.sifting import Watch, check_columns, sift
from hnbulk.table import Row, Table
from hnbulk.tablefiles import MAX_ROWS, read_file, read_tables
from hnbulk.workbooks import is_workbook

__all__ = [
    "FIELD_ALIASES",
    "RULES",
    "Intake",
    "Row",
    "raise_for_problems",
    "read_bytes",
    "read_targets",
]


#: Numbers of rows are below this: of a file's, or of a frame's that names its own.
MOST_NUMBER = 1_000 * STEP


#: So many files that cannot be read are told with their reasons.
_TOLD = 10


@dataclass(frozen=True, slots=True, repr=False)
class Intake:
    """A list as read: `targets` of the good rows, `problems` of all, `rows` as they were written.

    `columns` are the user's own, `mapping` says which of the files' columns is which field.
    `set_aside` has the code of every row that is no target: the first error of it, or what makes it
    superfluous.
    """

    name: str
    input_hash: str  # SHA-256 (hex) of the file's bytes
    columns: tuple[str, ...]
    rows: Sequence[Row]
    mapping: dict[str, str]
    targets: pd.DataFrame = field(compare=False)
    problems: pd.DataFrame = field(compare=False)
    places: Places  # where each row stands
    in_use: Mapping[str, str | None] = field(default_factory=dict)  # every column of the files: its field
    stated: Mapping[str, str | None] | None = None  # what was said of the columns, where something was
    set_aside: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, name: str = "frame") -> Self:
        """Targets that are a frame already, checked by the same rules as a file.

        Its columns are named as fields are (or as people name them); `row` numbers the rows where
        it is there, else the first is 2. Raises `InputError` without a phone number column, or for
        columns of one name, a `row` that numbers no rows, or text that is none.
        """
        titles = [str(title) for title in frame.columns]
        places = [n for n, title in enumerate(titles) if title != "row"]
        columns = tuple(titles[n] for n in places)
        cells = [[_as_text(cell) for cell in frame.iloc[:, n]] for n in places]
        numbers = _row_numbers(frame, name) if "row" in frame else range(2, len(frame) + 2)
        if (twice := next((one for one in columns if columns.count(one) > 1), None)) is not None:
            raise InputError(f"{name}: two columns are named {shown_header(twice)}. Rename one.", file=name)
        try:
            table = Table.of(columns, zip(numbers, zip(*cells, strict=True), strict=True) if cells else ())
        except UnicodeEncodeError:
            raise InputError(
                f"{name} has a cell with half a sign in it (a lone surrogate). Read the file it came from "
                "with its right encoding.",
                file=name,
            ) from None
        digest = _digest(table)
        return cls(**sift([(name, table)], name=name), input_hash=digest)

    @classmethod
    def from_rows(
        cls,
        columns: Sequence[str],
        rows: Iterable[Row],
        *,
        name: str,
        mapping: Mapping[str, str | None] | None = None,
    ) -> Self:
        """The same rows as a list was read with before, by their own numbers, cells and mapping."""
        cells = ((row, tuple(own.get(column, "") for column in columns)) for row, own in rows)
        table = Table.of(columns, cells)
        digest = _digest(table)
        return cls(**sift([(name, table)], name=name, stated=mapping), input_hash=digest)

    @property
    def counts(self) -> dict[str, Any]:
        """`rows`; `good` ones (targets); `bad` ones (with an error); `warnings`; problems `by_code`."""
        errors = self.problems[self.problems["severity"] == "error"]
        codes = Counter(self.problems["code"].tolist())
        return {
            "rows": len(self.rows),
            "good": len(self.targets),
            "bad": int(errors["row"].nunique()),
            "warnings": len(self.problems) - len(errors),
            "by_code": {code: codes[code] for code in RULES if codes[code]},
        }

    @property
    def set_aside_notes(self) -> dict[int, tuple[str, str]]:
        """Every row set aside with its code and the sentence that goes with it."""
        notes: dict[int, tuple[str, str]] = {}
        columns = (self.problems[name].tolist() for name in ("row", "code", "message"))
        for row, code, message in zip(*columns, strict=True):
            if self.set_aside.get(row) == code:
                notes.setdefault(row, (code, message))
        return notes

    def __repr__(self) -> str:
        counts, name = self.counts, single_line(self.name)
        return f"Intake({name}: {counts['rows']:,} rows, {counts['good']:,} good, {counts['bad']:,} bad)"

    @property
    def summary(self) -> str:
        """Counts, which column is which field, and the problems by kind."""
        return intakecard.summary(self.name, self.counts, self.mapping)

    def __str__(self) -> str:
        return intakecard.text(self.summary, self.problems, self.places.brief)

    def _repr_html_(self) -> str:
        return intakecard.page_part(self.name, self.counts, self.problems, self.places.brief)

    @property
    def problem_lines(self) -> list[str]:
        """Every problem in one line: file, sheet, row, column, masked value, code, rule and remedy."""
        return intakecard.problem_lines(self.problems, self.places.tell)

    @property
    def problem_records(self) -> list[dict[str, Any]]:
        """Every problem as a record, with its `place`."""
        records = records_of(self.problems)
        return [{**record, "place": self.places.tell(record["row"])} for record in records]


def read_targets(
    path: Path | str | Sequence[Path | str],
    *,
    sheet: str | Sequence[str] | None = None,
    all_sheets: bool = False,
    encoding: str | None = None,
    mapping: Stated | Path | str | None = None,
    watch: Watch = iter,
) -> Intake:
    """The list in a text file, workbook or Parquet file, or in several of them, read whole.

    Of a workbook it is the first visible sheet; the named ones, in that order; or with `all_sheets`
    every visible one with cells. Rows of several tables are one list: repeats are found across them,
    each row has a number of its own (see `places`), and a column `hn_place` says where it stands.

    Rows with faults are told in `problems`. A text file is UTF-8 unless it begins with a mark or
    `encoding` says otherwise (`"cp1252"`): of several files, that of the text files that are not UTF-8.
    `mapping` says which column is which field (None: not sent), or names the JSON file that does.
    `watch` is handed the rows that need a look of their own and gives them back one by one as they are
    checked, as `tqdm` does. Raises `InputError` where a file is no table, has no phone number column, or
    two columns for one field.
    """
    paths = [Path(path)] if isinstance(path, (Path, str)) else [Path(each) for each in path]
    if not paths:
        raise UsageError("no list to read: name at least one file.")
    distinct = len({each.name for each in paths}) == len({str(each) for each in paths})
    refused: list[InputError] = []
    contents: list[tuple[str, bytes]] = []
    for each in paths:
        try:
            contents.append((each.name if distinct else str(each), read_file(each)))
        except InputError as error:
            refused.append(error)
    return _read_all(
        contents,
        refused,
        sheet=sheet,
        all_sheets=all_sheets,
        encoding=encoding,
        mapping=mapping,
        watch=watch,
    )


def read_bytes(
    content: bytes,
    *,
    name: str,
    sheet: str | Sequence[str] | None = None,
    all_sheets: bool = False,
    encoding: str | None = None,
    mapping: Stated | Path | str | None = None,
    watch: Watch = iter,
) -> Intake:
    """The same for bytes that were read already; the ending of `name` says which kind they are."""
    return _read_all(
        [(name, content)],
        [],
        sheet=sheet,
        all_sheets=all_sheets,
        encoding=encoding,
        mapping=mapping,
        watch=watch,
    )


def _read_all(
    contents: Sequence[tuple[str, bytes]],
    refused: Sequence[InputError],
    *,
    sheet: str | Sequence[str] | None,
    all_sheets: bool,
    encoding: str | None,
    mapping: Stated | Path | str | None,
    watch: Watch,
) -> Intake:
    sheets = (sheet,) if isinstance(sheet, str) else tuple(sheet or ())
    if sheets and all_sheets:
        raise UsageError("--sheet and --all-sheets exclude each other: leave one out.")
    stated = None
    if mapping is not None:
        if isinstance(mapping, (Path, str)):
            stated = read_mapping(Path(mapping))
        else:
            stated = check_mapping(mapping.items())
    tables, unread = _read_tables(
        contents, sheets=sheets, every=all_sheets, encoding=encoding, stated=stated
    )
    _raise_all([*refused, *unread], lists=len(contents) + len(refused))
    first, *others = contents
    name = first[0] if not others else f"{first[0]} and {len(others)} more"
    if (rows := sum(len(table) for _, table in tables)) > MAX_ROWS:
        raise InputError(
            f"{name}: {rows:,} rows in all; at most {MAX_ROWS:,} are read. Split it.", file=name
        )
    digests = [hashlib.sha256(content).hexdigest() for _, content in contents]
    if len(tables) > 1:
        digests.append(
            hashlib.sha256(orjson.dumps([*digests, [table.sheet for _, table in tables]])).hexdigest()
        )
    return Intake(**sift(tables, name=name, stated=stated, watch=watch), input_hash=digests[-1])


def _read_tables(
    contents: Sequence[tuple[str, bytes]],
    *,
    sheets: Sequence[str],
    every: bool,
    encoding: str | None,
    stated: Stated | None,
) -> tuple[list[tuple[str, Table]], list[InputError]]:
    """The tables of all files, and why some have none. Of several files each is read with the options
    that are meant for its kind."""
    books = [is_workbook(content) for _, content in contents]
    texts = [not (book or is_parquet(content)) for book, (_, content) in zip(books, contents, strict=True)]
    tables: list[tuple[str, Table]] = []
    refused: list[InputError] = []
    for (name, content), book, text in zip(contents, books, texts, strict=True):
        # where no file is of the kind that an option is for, it is refused as for one file
        own = encoding if (text or not any(texts)) else None
        if len(contents) > 1 and text and says_itself(content):
            own = None
        try:
            found = read_tables(
                content,
                name=single_line(name),
                sheets=sheets if (book or not any(books)) else (),
                every=every,
                encoding=own,
                fields=stated,
            )
            for table in found if len(contents) > 1 else ():  # of one it is said all the same
                check_columns(single_line(name), table, stated)
        except InputError as error:
            refused.append(error)
            continue
        tables += [(name, table) for table in found]
    return tables, refused


def _raise_all(refused: Sequence[InputError], *, lists: int) -> None:
    """Nothing, where no file was refused; else `InputError` with the words for each, in one line."""
    if not refused:
        return
    if len(refused) == 1:
        raise refused[0]
    told = " ".join(f"({n}) {error.message}" for n, error in enumerate(refused[:_TOLD], 1))
    more = f" And {len(refused) - _TOLD:,} more." if len(refused) > _TOLD else ""
    what = f"{len(refused):,} of {lists:,} lists cannot be read:"
    raise InputError(f"{what} {told}{more}", file=refused[0].facts.get("file"))


def raise_for_problems(intake: Intake) -> None:
    """Nothing, where no row has an error; else `InputError` with the number of rows and the first."""
    errors = intake.problems[intake.problems["severity"] == "error"]
    if not len(errors):
        return
    counts = intake.counts
    (first,) = intakecard.problem_lines(errors.head(1), intake.places.brief)
    raise InputError(
        f"{single_line(intake.name)}: {counts['bad']:,} of {counts['rows']:,} rows cannot go on; "
        f"the first: {first}. Correct them (`hnbulk check` lists all), or go on without "
        "them: --set-aside.",
        file=intake.name,
        rows=counts["rows"],
        bad=counts["bad"],
        by_code=counts["by_code"],
        problems=records_of(errors),
    )


def _digest(table: Table) -> str:
    return hashlib.sha256(orjson.dumps([table.columns, list(table.rows)])).hexdigest()


def _row_numbers(frame: pd.DataFrame, name: str) -> list[int]:
    """The frame's own numbers of its rows. Raises `InputError` where they are none."""
    given = frame["row"]
    found = [] if isinstance(given, pd.DataFrame) else given.tolist()
    whole = all(type(row) is int and 1 <= row < MOST_NUMBER for row in found)
    if not whole or len(found) != len(frame) or len(set(found)) != len(found):
        raise InputError(
            f"{name}: `row` does not number the rows. Give each row a whole number of its own from 1 to "
            f"{MOST_NUMBER - 1:,}, in one column `row`; or leave it out.",
            file=name,
        )
    return found


def _as_text(cell: Any) -> str:
    """A frame's cell as a file would have it; lists with `;` between, missing as blank."""
    if isinstance(cell, (list, tuple, np.ndarray)):
        return "; ".join(map(str, cell))
    return "" if cell is None or pd.isna(cell) else str(cell)
