"""Targets out of a list: every row read, every fault told at once, no row lost.

A row is a target, or it is set aside with the code of what is wrong with it; either way its own
cells stay as they were written. This module sends nothing and writes nothing.
"""

from __future__ import annotations

import hashlib
import html
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson
import pandas as pd

from hnbulk.checks import RULES, Finding, masked, read_field, row_findings
from hnbulk.errors import InputError
from hnbulk.frames import problems_frame, records_of, targets_frame
from hnbulk.headers import FIELD_ALIASES, map_headers
from hnbulk.phones import PhoneFault, read_phone, tidy
from hnbulk.results import EXTRA_COLUMNS, restore, single_line
from hnbulk.tablefiles import Table, read_file, read_table

__all__ = ["FIELD_ALIASES", "RULES", "Intake", "raise_for_problems", "read_bytes", "read_targets"]

Row = tuple[int, dict[str, str]]
_FIRST = 8  # how many problems a summary shows


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
        counts = self.counts
        return (
            f"Intake({self.name}: {counts['rows']:,} rows, {counts['good']:,} good, {counts['bad']:,} bad)"
        )

    def __str__(self) -> str:
        lines = [f"{single_line(self.name)}: {_told(self.counts)}", ""]
        lines += [f"  {column} -> {name}" for column, name in map(_shown_pair, self.mapping.items())]
        if len(self.problems):
            lines += ["", f"{'problems':<28}{'':>6}"]
            lines += [
                f"  {code:<26}{n:>6,}  {RULES[code].rule}" for code, n in self.counts["by_code"].items()
            ]
            lines += ["", "first problems"]
            lines += [f"  {_problem_line(problem)}" for problem in _first(self.problems)]
            more = len(self.problems) - _FIRST
            lines += [f"  and {more:,} more"] if more > 0 else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        codes = self.counts["by_code"].items()
        kinds = [(code, f"{n:,}", RULES[code].rule, RULES[code].remedy) for code, n in codes]
        first = [
            (p["row"], p["column"], p["code"], p["value"], p["message"]) for p in _first(self.problems)
        ]
        parts = [f"<p><b>{_escape(self.name)}</b>: {_escape(_told(self.counts))}</p>"]
        if kinds:
            parts.append(_html_table(("problem", "rows", "rule", "remedy"), kinds))
            parts.append(_html_table(("row", "column", "problem", "value", "message"), first))
        return "".join(parts)


def read_targets(path: Path | str, *, sheet: str | None = None) -> Intake:
    """The list in a CSV or XLSX file, read whole; a workbook's first visible sheet unless named.

    Rows with faults are told in `problems`. Raises `InputError` where the file is no table, has
    no phone number column, or two columns for one field.
    """
    path = Path(path)
    return read_bytes(read_file(path), name=path.name, sheet=sheet)


def read_bytes(content: bytes, *, name: str, sheet: str | None = None) -> Intake:
    """The same for bytes that were read already; the ending of `name` says which kind they are."""
    table = read_table(content, name=single_line(name), sheet=sheet)
    return Intake(**_read(table, name=name), input_hash=hashlib.sha256(content).hexdigest())


def raise_for_problems(intake: Intake) -> None:
    """Nothing, where no row has an error; else `InputError` with the number of rows and the first."""
    errors = intake.problems[intake.problems["severity"] == "error"]
    if not len(errors):
        return
    counts = intake.counts
    first = _first(errors)[0]
    raise InputError(
        f"{single_line(intake.name)}: {counts['bad']:,} of {counts['rows']:,} rows cannot go on; "
        f"the first: {_problem_line(first)}. Correct them (`hnbulk check` lists all), or go on without "
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
    """What is known of each row so far; `wishes` is what repeats of a number are compared by."""

    mapping: Mapping[str, str]
    problems: list[dict[str, Any]] = field(default_factory=list)
    set_aside: dict[int, str] = field(default_factory=dict)
    targets: dict[int, dict[str, Any]] = field(default_factory=dict)
    wishes: dict[str, list[tuple[int, Any]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, row: int, column: str | None, code: str, *, value: str = "", about: str = "") -> None:
        """A problem is noted; an error sets its row aside."""
        rule = RULES[code]
        self.problems.append(
            {
                "row": row,
                "column": column,
                "code": code,
                "value": single_line(value),
                "message": f"{rule.rule} ({about})" if about else rule.rule,
                "suggestion": rule.remedy,
                "severity": rule.severity,
            }
        )
        if rule.severity == "error":
            self.set_aside.setdefault(row, code)


def _read(table: Table, *, name: str) -> dict[str, Any]:
    columns, rows = _own_cells(table)
    mapping = map_headers(columns, name=single_line(name))
    draft = _Draft(mapping)
    if table.other_sheets:
        others = ", ".join(map(repr, table.other_sheets[:5]))
        draft.note(1, None, "other-sheets", about=single_line(f"read: {table.sheet!r}; not read: {others}"))
    for column in columns:
        if column not in mapping:
            draft.note(1, single_line(column), "unknown-column")
    for row, cells in rows:
        _read_row(draft, row, cells)
    _compare_repeats(draft)
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
    clean = restore if fed_back else str
    titles = [clean(column) for column in table.columns]
    places = [n for n, title in enumerate(titles) if title not in EXTRA_COLUMNS]
    rows = tuple((row, {titles[n]: clean(line[n]) for n in places}) for row, line in table.rows)
    return tuple(titles[n] for n in places), rows


def _read_row(draft: _Draft, row: int, cells: Mapping[str, str]) -> None:
    texts = {name: tidy(cells[column]) for column, name in draft.mapping.items()}
    columns = {name: column for column, name in draft.mapping.items()}
    if not any(map(str.strip, cells.values())):
        draft.note(row, None, "blank-row")
        draft.set_aside[row] = "blank-row"
        return
    values: dict[str, Any] = {}
    phone = read_phone(texts["phone_number"])
    if isinstance(phone, PhoneFault):
        value = masked("phone_number", texts["phone_number"])
        draft.note(row, columns["phone_number"], phone, value=value if texts["phone_number"] else "")
    else:
        values["phone_number"] = phone.number
        _take_extension(draft, row, phone.extension, texts, columns)
    for name, text in texts.items():
        if text and name != "phone_number":
            values[name], findings = read_field(name, text)
            _note_all(draft, row, columns.get(name, columns["phone_number"]), name, text, findings)
    for name, finding in row_findings(values):
        _note_all(draft, row, columns[name], name, texts[name], [finding])
    draft.targets[row] = {"row": row, **values}
    if not isinstance(phone, PhoneFault):
        wishes = {
            name: values.get(name) or text
            for name, text in texts.items()
            if name != "phone_number" and text
        }
        draft.wishes[phone.number].append((row, wishes))


def _take_extension(
    draft: _Draft, row: int, extension: str | None, texts: dict[str, str], columns: Mapping[str, str]
) -> None:
    """An extension in the phone cell is the row's, where the column does not say another."""
    if extension is None:
        return
    beside = texts.get("extension", "")
    if beside and beside.lower() != extension.lower():
        draft.note(row, columns["extension"], "extension-differs", value=masked("extension", beside))
    else:
        texts["extension"] = extension


def _note_all(
    draft: _Draft, row: int, column: str, name: str, text: str, findings: Iterable[Finding]
) -> None:
    for finding in findings:
        draft.note(row, column, finding.code, value=masked(name, text), about=finding.about)


def _compare_repeats(draft: _Draft) -> None:
    """Rows of one number: equal ones count once, different ones not at all."""
    column = next(column for column, name in draft.mapping.items() if name == "phone_number")
    for number, wishes in draft.wishes.items():
        if len(wishes) < 2:
            continue
        (first, wanted), *others = wishes
        value = masked("phone_number", number)
        if all(wish == wanted for _, wish in others):
            for row, _ in others:
                draft.note(row, column, "duplicate-row", value=value, about=f"row {first}")
                draft.set_aside.setdefault(row, "duplicate-row")
            continue
        rows = [row for row, _ in wishes]
        for row in rows:
            named = ", ".join(str(other) for other in rows if other != row)
            draft.note(row, column, "conflicting-rows", value=value, about=f"see row {named}"[:80])


def _as_text(cell: Any) -> str:
    """A frame's cell as a file would have it; lists with `;` between, missing as blank."""
    if isinstance(cell, (list, tuple)):
        return "; ".join(map(str, cell))
    return "" if cell is None or pd.isna(cell) else str(cell)


# How an intake tells itself.


def _told(counts: Mapping[str, Any]) -> str:
    told = (
        f"{counts['rows']:,} rows, {counts['good']:,} good, {counts['rows'] - counts['good']:,} set aside"
    )
    return f"{told} ({counts['bad']:,} with errors); {counts['warnings']:,} warnings"


def _first(problems: pd.DataFrame) -> list[dict[str, Any]]:
    """The first few, errors before warnings."""
    shown = problems.sort_values("severity", kind="stable").head(_FIRST)
    return [
        {str(name): "" if pd.isna(cell) else cell for name, cell in row.items()}
        for row in shown.to_dict("records")
    ]


def _problem_line(problem: Mapping[str, Any]) -> str:
    place = f"row {problem['row']}" + (f", {problem['column']}" if problem["column"] else "")
    value = f" {problem['value']}" if problem["value"] else ""
    return f"{place}:{value} {problem['code']}: {problem['message']}; {problem['suggestion']}"


def _shown_pair(pair: tuple[str, str]) -> tuple[str, str]:
    return single_line(pair[0]), pair[1]


def _escape(value: object) -> str:
    return html.escape(single_line(str(value)))


def _html_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{_escape(title)}</th>" for title in header)
    body = "".join("<tr>" + "".join(f"<td>{_escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
