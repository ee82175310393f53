"""Targets out of a list: every row read, every fault told at once, no row lost.

A row is a target, or it is set aside with the code of what is wrong with it; either way its own
cells stay as they were written. This module sends nothing and writes nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson
import pandas as pd

from hnbulk import intakecard
from hnbulk.checks import RULES, Finding, masked, read_field, row_findings
from hnbulk.errors import InputError
from hnbulk.frames import problems_frame, records_of, targets_frame
from hnbulk.headers import FIELD_ALIASES, map_headers
from hnbulk.overview import rows_text
from hnbulk.phones import PhoneFault, read_phone, tidy
from hnbulk.plaintext import restore, single_line
from hnbulk.results import EXTRA_COLUMNS
from hnbulk.tablefiles import Table, read_file, read_table

__all__ = [
    "FIELD_ALIASES",
    "RULES",
    "Intake",
    "raise_for_problems",
    "read_bytes",
    "read_targets",
]

Row = tuple[int, dict[str, str]]
Watch = Callable[[Sequence[Row]], Iterable[Row]]


@dataclass(frozen=True, slots=True, repr=False)
class Intake:
    """A list as read: `targets` of the good rows, `problems` of all, `rows` as they were written.

    `columns` are the user's own, `mapping` says which of them is which field. `set_aside` has the
    code of every row that is no target: the first error of it, or what makes it superfluous.
    """

    name: str
    input_hash: str  # SHA-256 (hex) of the file's bytes
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    mapping: dict[str, str]
    targets: pd.DataFrame = field(compare=False)
    problems: pd.DataFrame = field(compare=False)
    set_aside: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, name: str = "frame") -> Self:
        """Targets that are a frame already, checked by the same rules as a file.

        Its columns are named as fields are (or as people name them); `row` numbers the rows where
        it is there, else the first is 2. Raises `InputError` without a phone number column.
        """
        columns = tuple(str(column) for column in frame.columns if column != "row")
        cells = [[_as_text(cell) for cell in frame[column].tolist()] for column in frame if column != "row"]
        lines = list(zip(*cells, strict=True)) if cells else []
        numbers = [int(row) for row in frame["row"]] if "row" in frame else range(2, len(lines) + 2)
        if len(set(numbers)) != len(lines):
            raise InputError(
                f"{name}: two rows have the same number in `row`. Number each row once.", file=name
            )
        table = Table(columns, tuple(zip(numbers, lines, strict=True)))
        digest = hashlib.sha256(orjson.dumps([columns, table.rows])).hexdigest()
        return cls(**_read(table, name=name), input_hash=digest)

    @classmethod
    def from_rows(cls, columns: Sequence[str], rows: Iterable[Row], *, name: str) -> Self:
        """The same rows as a list was read with before, by their own numbers and cells."""
        cells = ((row, tuple(own.get(column, "") for column in columns)) for row, own in rows)
        table = Table(tuple(columns), tuple(cells))
        digest = hashlib.sha256(orjson.dumps([columns, table.rows])).hexdigest()
        return cls(**_read(table, name=name), input_hash=digest)

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
        return intakecard.text(self.summary, self.problems)

    def _repr_html_(self) -> str:
        return intakecard.page_part(self.name, self.counts, self.problems)


def read_targets(
    path: Path | str, *, sheet: str | None = None, encoding: str | None = None, watch: Watch = iter
) -> Intake:
    """The list in a text file, workbook or Parquet file, read whole; a workbook's first visible sheet
    unless named.

    Rows with faults are told in `problems`. A text file is UTF-8 unless it begins with a mark or
    `encoding` says otherwise (`"cp1252"`). `watch` is handed the rows and gives them back one by
    one as they are checked, as `tqdm` does. Raises `InputError` where the file is no table, has no
    phone number column, or two columns for one field.
    """
    path = Path(path)
    return read_bytes(read_file(path), name=path.name, sheet=sheet, encoding=encoding, watch=watch)


def read_bytes(
    content: bytes,
    *,
    name: str,
    sheet: str | None = None,
    encoding: str | None = None,
    watch: Watch = iter,
) -> Intake:
    """The same for bytes that were read already; the ending of `name` says which kind they are."""
    table = read_table(content, name=single_line(name), sheet=sheet, encoding=encoding)
    return Intake(**_read(table, name=name, watch=watch), input_hash=hashlib.sha256(content).hexdigest())


def raise_for_problems(intake: Intake) -> None:
    """Nothing, where no row has an error; else `InputError` with the number of rows and the first."""
    errors = intake.problems[intake.problems["severity"] == "error"]
    if not len(errors):
        return
    counts = intake.counts
    (first,) = intakecard.problem_lines(errors.head(1))
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


# From table to targets and problems.


@dataclass(slots=True)
class _Draft:
    """What is known of each row so far; `rows_of` has the rows that are read as each number."""

    columns: Mapping[str, str]  # field to the user's column
    problems: list[dict[str, Any]] = field(default_factory=list)
    set_aside: dict[int, str] = field(default_factory=dict)
    targets: dict[int, dict[str, Any]] = field(default_factory=dict)
    rows_of: dict[str, list[int]] = field(default_factory=dict)

    def note(self, row: int, column: str | None, code: str, *, value: str = "", about: str = "") -> None:
        """A problem is noted; an error sets its row aside."""
        rule = RULES[code]
        self.problems.append(
            {
                "row": row,
                "column": column and single_line(column),
                "code": code,
                "value": single_line(value),
                "message": f"{rule.rule} ({about})" if about else rule.rule,
                "suggestion": rule.remedy,
                "severity": rule.severity,
            }
        )
        if rule.severity == "error":
            self.set_aside.setdefault(row, code)


def _read(table: Table, *, name: str, watch: Watch = iter) -> dict[str, Any]:
    columns, rows = _own_cells(table)
    mapping = map_headers(columns, name=single_line(name))
    draft = _Draft({field: column for column, field in mapping.items()})
    if table.other_sheets:
        others = ", ".join(map(repr, table.other_sheets[:5]))
        draft.note(1, None, "other-sheets", about=single_line(f"read: {table.sheet!r}; not read: {others}"))
    for column in columns:
        if column not in mapping:
            draft.note(1, column, "unknown-column")
    for row, cells in watch(rows):
        _read_row(draft, row, cells)
    _compare_repeats(draft, rows)
    draft.problems.sort(key=lambda problem: problem["row"])
    good = [draft.targets[row] for row, _ in rows if row not in draft.set_aside]
    return {
        "name": name,
        "columns": columns,
        "rows": rows,
        "mapping": mapping,
        "targets": targets_frame(good),
        "problems": problems_frame(draft.problems),
        "set_aside": dict(sorted(draft.set_aside.items())),
    }


def _own_cells(table: Table) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The user's own columns and cells; those of a result file fed back are as they once were."""
    fed_back = any(column in EXTRA_COLUMNS for column in table.columns)
    titles = [restore(column) if fed_back else column for column in table.columns]
    places = [n for n, title in enumerate(titles) if title not in EXTRA_COLUMNS]
    own = tuple(titles[n] for n in places)
    if not fed_back:
        return own, tuple((row, dict(zip(own, line, strict=True))) for row, line in table.rows)
    return own, tuple((row, {titles[n]: restore(line[n]) for n in places}) for row, line in table.rows)


def _read_row(draft: _Draft, row: int, cells: Mapping[str, str]) -> None:
    columns = draft.columns
    texts = {name: tidy(cells[column]) for name, column in columns.items() if cells[column]}
    if not any(map(str.strip, cells.values())):
        draft.note(row, None, "blank-row")
        draft.set_aside[row] = "blank-row"
        return
    values: dict[str, Any] = {"row": row}
    written = texts.pop("phone_number", "")
    phone = read_phone(written)
    if isinstance(phone, PhoneFault):
        value = masked("phone_number", written) if written else ""
        draft.note(row, columns["phone_number"], phone, value=value)
    else:
        values["phone_number"] = phone.number
        if phone.extension is not None:
            _take_extension(draft, row, phone.extension, texts)
    for name, text in texts.items():
        if text:
            values[name], findings = read_field(name, text)
            if findings:
                _note_all(draft, row, name, text, findings)
    for name, finding in row_findings(values):
        _note_all(draft, row, name, texts[name], [finding])
    if isinstance(phone, PhoneFault):
        return
    draft.targets[row] = values
    draft.rows_of.setdefault(phone.number, []).append(row)


def _take_extension(draft: _Draft, row: int, extension: str, texts: dict[str, str]) -> None:
    """An extension in the phone cell is the row's, where the column does not say another."""
    beside = texts.get("extension", "")
    if beside and beside.lower() != extension.lower():
        column = draft.columns["extension"]
        draft.note(row, column, "extension-differs", value=masked("extension", beside))
    else:
        texts["extension"] = extension


def _note_all(draft: _Draft, row: int, name: str, text: str, findings: Iterable[Finding]) -> None:
    column = draft.columns.get(name, draft.columns["phone_number"])  # an extension may stand there
    for finding in findings:
        draft.note(row, column, finding.code, value=masked(name, text), about=finding.about)


def _compare_repeats(draft: _Draft, rows: Iterable[Row]) -> None:
    """Rows of one number: equal ones count once, different ones not at all."""
    column = draft.columns["phone_number"]
    repeated = {number: rows for number, rows in draft.rows_of.items() if len(rows) > 1}
    asked = {row for numbers in repeated.values() for row in numbers}
    cells_of = {row: cells for row, cells in rows if row in asked}
    for number, (first, *others) in repeated.items():
        value = masked("phone_number", number)
        wanted = _wish(draft, first, cells_of[first])
        if all(_wish(draft, row, cells_of[row]) == wanted for row in others):
            for row in others:
                draft.note(row, column, "duplicate-row", value=value, about=f"row {first}")
                draft.set_aside.setdefault(row, "duplicate-row")
            continue
        for row in (first, *others):
            draft.note(row, column, "conflicting-rows", value=value, about=rows_text((first, *others)))


def _wish(draft: _Draft, row: int, cells: Mapping[str, str]) -> dict[str, Any]:
    """What a row asks for, to be compared: lists as sets, and the text itself where it has no value."""
    wish: dict[str, Any] = {}
    for name, value in draft.targets[row].items():
        text = tidy(cells.get(draft.columns.get(name, ""), "")) if value is None else value
        wish[name] = frozenset(text) if isinstance(text, list) else text
    return {**wish, "row": None}


def _as_text(cell: Any) -> str:
    """A frame's cell as a file would have it; lists with `;` between, missing as blank."""
    if isinstance(cell, (list, tuple)):
        return "; ".join(map(str, cell))
    return "" if cell is None or pd.isna(cell) else str(cell)
