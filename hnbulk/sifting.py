"""Rows of a list sifted: each is a target, or set aside with the code of what is wrong with it.

All faults are told at once, and no row is lost. This module reads no file and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import pandas as pd

from hnbulk import quarantine
from hnbulk.checks import RULES, Finding, masked, read_field, row_findings
from hnbulk.frames import problems_frame, targets_frame
from hnbulk.headers import CHECKED_ONLY, map_headers
from hnbulk.mapping import Stated, refuse_strangers
from hnbulk.phones import PhoneFault, read_phone, tidy
from hnbulk.places import STEP, Places
from hnbulk.plaintext import restore, single_line
from hnbulk.results import ANNOTATED_COLUMNS, EXTRA_COLUMNS, STAGE_DATE
from hnbulk.tablefiles import Table

Row = tuple[int, dict[str, str]]
Watch = Callable[[Sequence[Row]], Iterable[Row]]

#: The column that a list of several tables gets: the place of each row.
PLACE = "hn_place"
#: The columns of ours; they are not read when a file of ours is fed back.
ADDED = frozenset({PLACE, *EXTRA_COLUMNS, *ANNOTATED_COLUMNS, *quarantine.COLUMNS})


class Sifted(TypedDict):
    """What is known of a list; the fields of `Intake` but for its hash."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    mapping: dict[str, str]
    in_use: dict[str, str | None]
    stated: dict[str, str | None] | None
    places: Places
    targets: pd.DataFrame
    problems: pd.DataFrame
    set_aside: dict[int, str]


def sift(
    tables: Sequence[tuple[str, Table]], *, name: str, stated: Stated | None = None, watch: Watch = iter
) -> Sifted:
    """The rows of these tables, each with its file's name, as one list; `name` is the list's.

    Of two tables the columns that mean one field are one column, named as in the first table that
    has it. `stated` says which column is which field, before its name does. `watch` is handed the
    rows and gives them back one by one. Raises `InputError` where a table has no phone number
    column, or two columns for one field.
    """
    places = Places(tuple((single_line(file), table.sheet) for file, table in tables))
    parts = [_own_cells(table) for _, table in tables]
    refuse_strangers(
        stated or {}, (title for titles, _ in parts for title in titles), name=single_line(name)
    )
    merged = _Merged()
    draft = _Draft(merged.columns, places, merged.titles)
    rows: list[Row] = []
    for n, ((_, table), (titles, lines)) in enumerate(zip(tables, parts, strict=True)):
        file, sheet = places.tables[n]
        of = map_headers(titles, name=f"{file}, sheet {sheet!r}" if sheet else file, stated=stated)
        names = merged.take(titles, of)
        for title in titles:
            if title not in of and title not in (stated or {}) and title != PLACE:
                draft.note(1 + n * STEP, title, "unknown-column")
        if table.other_sheets:
            others = ", ".join(map(repr, table.other_sheets[:5]))
            about = single_line(f"read: {table.sheet!r}; not read: {others}")
            draft.note(1 + n * STEP, None, "other-sheets", about=about)
        rows += _numbered(lines, names, n)
    columns = tuple(merged.order)
    fields = {name: meant for meant, name in merged.columns.items()}
    if len(tables) > 1:
        columns = (*(name for name in columns if name != PLACE), PLACE)
        rows = [
            (row, {**dict.fromkeys(columns, ""), **cells, PLACE: places.tell(row)}) for row, cells in rows
        ]
    for row, cells in watch(rows):
        _read_row(draft, row, cells)
    _compare_repeats(draft, rows)
    draft.problems.sort(key=lambda problem: problem["row"])
    good = [draft.targets[row] for row, _ in rows if row not in draft.set_aside]
    return {
        "name": name,
        "columns": columns,
        "rows": tuple(rows),
        "mapping": merged.fields,
        "in_use": {title: merged.fields.get(title) for titles, _ in parts for title in titles},
        "stated": {name: fields.get(name) for name in merged.order} if stated else None,
        "places": places,
        "targets": targets_frame(good),
        "problems": problems_frame(draft.problems),
        "set_aside": dict(sorted(draft.set_aside.items())),
    }


@dataclass(slots=True)
class _Draft:
    """What is known of each row so far; `rows_of` has the rows that are read as each number."""

    columns: Mapping[str, str]  # field to the list's column
    places: Places
    titles: Sequence[Mapping[str, str]]  # of each table, the list's column to its own
    problems: list[dict[str, Any]] = field(default_factory=list)
    set_aside: dict[int, str] = field(default_factory=dict)
    targets: dict[int, dict[str, Any]] = field(default_factory=dict)
    rows_of: dict[str, list[int]] = field(default_factory=dict)

    def note(self, row: int, column: str | None, code: str, *, value: str = "", about: str = "") -> None:
        """A problem is noted; an error sets its row aside."""
        rule = RULES[code]
        own = self.titles[min(row // STEP, len(self.titles) - 1)]
        self.problems.append(
            {
                "row": row,
                "column": column and single_line(own.get(column, column)),
                "code": code,
                "value": single_line(value),
                "message": f"{rule.rule} ({about})" if about else rule.rule,
                "suggestion": rule.remedy,
                "severity": rule.severity,
            }
        )
        if rule.severity == "error":
            self.set_aside.setdefault(row, code)


@dataclass(slots=True)
class _Merged:
    """The columns of several tables as those of one."""

    columns: dict[str, str] = field(default_factory=dict)  # field to the column of the list
    fields: dict[str, str] = field(default_factory=dict)  # a table's column to field
    order: dict[str, None] = field(default_factory=dict)
    titles: list[dict[str, str]] = field(
        default_factory=list
    )  # of each table: the list's column to its own

    def take(self, titles: Sequence[str], of: Mapping[str, str]) -> list[str]:
        """The columns of the list that a table's columns are."""
        names = []
        for title in titles:
            name = self.columns.setdefault(of[title], title) if title in of else title
            while title not in of and name in self.columns.values():
                name += " (other)"
            names.append(name)
        self.fields.update(of)
        self.order.update(dict.fromkeys(names))
        self.titles.append(dict(zip(names, titles, strict=True)))
        return names


def _numbered(
    lines: Iterable[tuple[int, Sequence[str]]], names: Sequence[str], table: int
) -> Iterator[Row]:
    return ((row + table * STEP, dict(zip(names, line, strict=True))) for row, line in lines)


def _own_cells(table: Table) -> tuple[tuple[str, ...], Iterable[tuple[int, Sequence[str]]]]:
    """The user's own columns and cells; those of a file of ours fed back are as they once were."""
    if not any(column in ADDED and column != PLACE for column in table.columns):
        return table.columns, table.rows
    back = str if STAGE_DATE in table.columns else restore  # an annotated list has its cells as they were
    titles = [back(column) for column in table.columns]
    places = [n for n, title in enumerate(titles) if title not in ADDED]
    rows = [(row, [back(line[n]) for n in places]) for row, line in table.rows]
    return tuple(titles[n] for n in places), rows


def _read_row(draft: _Draft, row: int, cells: Mapping[str, str]) -> None:
    columns = draft.columns
    texts = {name: tidy(cells[column]) for name, column in columns.items() if cells[column]}
    if not any(cell.strip() for column, cell in cells.items() if column != PLACE):
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
    draft.targets[row] = {name: value for name, value in values.items() if name not in CHECKED_ONLY}
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
                draft.note(row, column, "duplicate-row", value=value, about=draft.places.several((first,)))
                draft.set_aside.setdefault(row, "duplicate-row")
            continue
        told = draft.places.several((first, *others))
        for row in (first, *others):
            draft.note(row, column, "conflicting-rows", value=value, about=told)


def _wish(draft: _Draft, row: int, cells: Mapping[str, str]) -> dict[str, Any]:
    """What a row asks for, to be compared: lists as sets, and the text itself where it has no value."""
    wish: dict[str, Any] = {}
    for name, value in draft.targets[row].items():
        text = tidy(cells.get(draft.columns.get(name, ""), "")) if value is None else value
        wish[name] = frozenset(text) if isinstance(text, list) else text
    return {**wish, "row": None}
