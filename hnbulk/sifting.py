"""Rows of a list sifted: each is a target, or set aside with the code of what is wrong with it.

All faults are told at once, and no row is lost. This module reads no file and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hnbulk import quarantine
from hnbulk.checks import RULES, Finding, masked, read_field, row_findings, shows_error
from hnbulk.frames import problems_frame, targets_of
from hnbulk.glance import TYPES, Glance, Mask, glance
from hnbulk.headers import CHECKED_ONLY, field_of, map_headers, shown_header
from hnbulk.mapping import Stated, refuse_strangers
from hnbulk.numberindex import NumberIndex, Numbers
from hnbulk.phones import PhoneFault, read_phone, tidy
from hnbulk.places import STEP, Places
from hnbulk.plaintext import restore, single_line
from hnbulk.results import ANNOTATED_COLUMNS, EXTRA_COLUMNS
from hnbulk.rowplaces import PLACE
from hnbulk.table import NO_VALUE, Gap, Row, Table, columns_of, joined

Watch = Callable[[Sequence[Row]], Iterable[Row]]

#: The columns of ours; they are not read when a file of ours is fed back.
ADDED = frozenset({PLACE, *EXTRA_COLUMNS, *ANNOTATED_COLUMNS, *quarantine.COLUMNS})
# What only result and quarantine files have of them.
_MARKED = frozenset({*EXTRA_COLUMNS, *quarantine.COLUMNS}) - frozenset(ANNOTATED_COLUMNS)


class Sifted(TypedDict):
    """What is known of a list; the fields of `Intake` but for its hash."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
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
    rows that are looked at one by one, and gives them back. Raises `InputError` where a table has no
    phone number column, or two columns for one field.
    """
    places = Places(tuple((single_line(file), table.sheet) for file, table in tables))
    parts = [_own_cells(table) for _, table in tables]
    if not any(ADDED.intersection(table.columns) for _, table in tables):
        # a file of ours that is fed back has the columns of one list, a mapping may be of several
        refuse_strangers(
            stated or {}, (title for part in parts for title in part.columns), name=single_line(name)
        )
    fields_of = [
        _fields_of(part.columns, file, sheet, stated)
        for part, (file, sheet) in zip(parts, places.tables, strict=True)
    ]
    merged = _Merged()
    if len(tables) > 1:
        merged.name_fields(fields_of)
    draft = _Draft(merged.columns, places, merged.titles)
    for n, ((_, table), part, of) in enumerate(zip(tables, parts, fields_of, strict=True)):
        merged.take(part.columns, of)
        for title, meant in of.items():
            draft.keep_gaps(part.gaps_of(title), meant, n)
        for title in part.columns:
            if title not in of and title not in (stated or {}) and title != PLACE:
                _note_unused(draft, title, of, row=1 + n * STEP)
        if table.below is not None:
            draft.note(1 + n * STEP, None, "rows-above", about=f"the headers are in row {table.below}")
        if table.other_sheets:
            others = ", ".join(map(repr, table.other_sheets[:5]))
            about = single_line(f"read: {table.sheet!r}; not read: {others}")
            draft.note(1 + n * STEP, None, "other-sheets", about=about)
    whole = _as_one(parts, merged, places)
    fields = {name: meant for meant, name in merged.columns.items()}
    return {
        "name": name,
        "columns": whole.columns,
        "rows": whole.records,
        "mapping": merged.fields,
        "in_use": {title: merged.fields.get(title) for part in parts for title in part.columns},
        "stated": {name: fields.get(name) for name in merged.order} if stated else None,
        "places": places,
        "targets": _read_rows(draft, whole, watch),
        "problems": problems_frame(sorted(draft.problems, key=lambda problem: problem["row"])),
        "set_aside": dict(sorted(draft.set_aside.items())),
    }


def _note_unused(draft: _Draft, title: str, of: Mapping[str, str], *, row: int) -> None:
    """A column is not sent: no field has its name, or the mapping gave that field to another one."""
    other = next((column for column, meant in of.items() if meant == field_of(title)), None)
    if other is None:
        draft.note(row, title, "unknown-column")
    else:
        draft.note(row, title, "column-displaced", about=f"{field_of(title)} is {shown_header(other)}")


def check_columns(file: str, table: Table, stated: Stated | None) -> None:
    """The table has a phone number column, and one column a field. Raises `InputError`."""
    _fields_of([title for _, title in _own_titles(table)], file, table.sheet, stated)


def _fields_of(
    titles: Sequence[str], file: str, sheet: str | None, stated: Stated | None
) -> Mapping[str, str]:
    return map_headers(titles, name=f"{file}, sheet {sheet!r}" if sheet else file, stated=stated)


def _as_one(parts: Sequence[Table], merged: _Merged, places: Places) -> Table:
    """The tables one below the other; of several, each row has its place beside it."""
    if len(parts) == 1:
        return parts[0]
    numbers = [part.numbers + n * STEP for n, part in enumerate(parts)]
    columns = [name for name in merged.order if name != PLACE]
    cells = []
    for name in columns:
        cells.append(
            joined(
                dict(zip(titles, part.cells, strict=True)).get(name, _blank(len(part)))
                for titles, part in zip(merged.titles, parts, strict=True)
            )
        )
    told = [(places.tell(row),) for rows in numbers for row in rows.tolist()]
    return Table((*columns, PLACE), np.concatenate(numbers), (*cells, *columns_of(told, 1)))


def _blank(length: int) -> pa.Array:
    return pa.repeat(pa.scalar("", pa.string()), length)


def _read_rows(draft: _Draft, whole: Table, watch: Watch) -> pd.DataFrame:
    """The targets; `draft` knows what there is to say about rows, and which are none."""
    cells = dict(zip(whole.columns, whole.cells, strict=True))
    seen = glance({name: cells[column].combine_chunks() for name, column in draft.columns.items()})
    if draft.gaps:
        seen = seen.without(_places(whole, draft.gaps))
    odd = np.flatnonzero(seen.odd)
    for row, own in watch(whole.at(odd).records):
        _read_row(draft, row, own)
    _compare_repeats(draft, seen, whole)
    good = np.ones(len(whole), dtype=np.bool_)
    good[odd] = [row in draft.targets for row in whole.numbers[odd].tolist()]
    good[_places(whole, draft.set_aside)] = False
    return _targets(draft, seen, odd, whole.numbers, good)


def _places(whole: Table, rows: Collection[int]) -> Numbers:
    """Where in the list the rows with these numbers are."""
    return NumberIndex(whole.numbers).find(np.fromiter(rows, dtype=np.int64, count=len(rows)))


def _targets(draft: _Draft, seen: Glance, odd: Numbers, numbers: Numbers, good: Mask) -> pd.DataFrame:
    """What the good rows ask for, in the order of the list."""
    if good.all() and not len(odd):
        return targets_of(numbers, seen.values)
    source = np.arange(len(numbers), dtype=np.int64)
    source[odd] = len(numbers) + np.arange(len(odd))
    kept = pa.array(source[good])
    looked_at = [draft.targets.get(row, {}) for row in numbers[odd].tolist()]
    extra = {"extension"} if any("extension" in target for target in looked_at) else set()
    columns = {}
    for name in dict.fromkeys((*seen.values, *extra)):  # an extension may stand in the phone's cell
        kind = TYPES.get(name, pa.string())
        column = seen.values.get(name, pa.nulls(len(numbers), kind))
        own = pa.array([target.get(name) for target in looked_at], type=kind)
        columns[name] = pa.concat_arrays([column, own]).take(kept)
    return targets_of(numbers[good], columns)


@dataclass(slots=True)
class _Draft:
    """What there is to say about rows so far, and the targets of those that were looked at one by one."""

    columns: Mapping[str, str]  # field to the list's column
    places: Places
    titles: Sequence[Mapping[str, str]]  # of each table, the list's column to its own
    problems: list[dict[str, Any]] = field(default_factory=list)
    set_aside: dict[int, str] = field(default_factory=dict)
    targets: dict[int, dict[str, Any]] = field(default_factory=dict)
    gaps: dict[int, dict[str, Gap]] = field(default_factory=dict)  # of a row, by field

    def keep_gaps(self, gaps: Mapping[int, Gap], meant: str, table: int) -> None:
        """These rows of a table have a cell for the field that reads as blank and is not."""
        for row, gap in gaps.items():
            self.gaps.setdefault(row + table * STEP, {})[meant] = gap

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

    def name_fields(self, fields_of: Iterable[Mapping[str, str]]) -> None:
        """A field's column is named by a header that says it, where a table has one: the list is then read
        again without a mapping."""
        for of in fields_of:
            for title, meant in of.items():
                if field_of(title) == meant:
                    self.columns.setdefault(meant, title)

    def take(self, titles: Sequence[str], of: Mapping[str, str]) -> None:
        """A table's columns are columns of the list."""
        names = []
        for title in titles:
            name = self.columns.setdefault(of[title], title) if title in of else title
            while title not in of and (name in self.columns.values() or name in names):
                name += " (other)"
            names.append(name)
        self.fields.update(of)
        self.order.update(dict.fromkeys(names))
        self.titles.append(dict(zip(names, titles, strict=True)))


def _own_cells(table: Table) -> Table:
    """The user's own columns and cells; those of a file of ours fed back are as they once were."""
    if not any(column in ADDED and column != PLACE for column in table.columns):
        return table
    marked = has_marks(table.columns)
    titles = _own_titles(table)
    own = (table.cells[n] for n, _ in titles)
    cells = tuple(joined(map(_restored, column.chunks)) if marked else column for column in own)
    return replace(table, columns=tuple(title for _, title in titles), cells=cells)


def _own_titles(table: Table) -> list[tuple[int, str]]:
    """The user's own columns: the place of each and its name as it once was."""
    if not any(column in ADDED and column != PLACE for column in table.columns):
        return list(enumerate(table.columns))
    marked = has_marks(table.columns)
    titles = map(restore, table.columns) if marked else table.columns
    return [(n, title) for n, title in enumerate(titles) if title not in ADDED]


def has_marks(titles: Iterable[str]) -> bool:
    """A file with these columns has a `'` before what a spreadsheet would run: a result or quarantine
    file of ours, annotated since or not. Any other list has its cells as they were."""
    return not _MARKED.isdisjoint(titles)


def _restored(column: pa.Array) -> pa.Array:
    marked = pc.match_substring(column, "'")
    if not pc.any(marked).as_py():
        return column
    cells = [restore(cell) for cell in column.filter(marked).to_pylist()]
    return pc.replace_with_mask(column, marked, pa.array(cells, type=pa.string()))


def _read_row(draft: _Draft, row: int, cells: Mapping[str, str]) -> None:
    columns = draft.columns
    texts = {name: tidy(cells[column]) for name, column in columns.items() if cells[column]}
    gaps = _take_gaps(draft, row, texts)
    faulty = any(RULES[gap.code].severity == "error" for gap in gaps.values())
    faulty = faulty or any(map(shows_error, texts.values()))
    own = (cell for column, cell in cells.items() if column != PLACE)
    if not faulty and not any(cell.strip() and not shows_error(cell) for cell in own):
        draft.note(row, None, "blank-row")
        draft.set_aside[row] = "blank-row"
        return
    values: dict[str, Any] = {"row": row}
    written = texts.pop("phone_number", "")
    phone = read_phone(written)
    gap = gaps.pop("phone_number", None)
    if gap is not None and RULES[gap.code].severity == "error":
        draft.note(row, columns["phone_number"], gap.code, about=gap.about)
    elif shows_error(written):
        draft.note(row, columns["phone_number"], "cell-error", about=written)
    elif isinstance(phone, PhoneFault):
        value = masked("phone_number", written) if written else ""
        about = RULES[gap.code].rule if gap is not None else ""
        draft.note(row, columns["phone_number"], phone, value=value, about=about)
    else:
        values["phone_number"] = phone.number
        if phone.extension is not None:
            _take_extension(draft, row, phone.extension, texts)
    for name, text in texts.items():
        if text:
            values[name], findings = read_field(name, text)
            if findings:
                _note_all(draft, row, name, text, findings)
    for name, gap in gaps.items():
        draft.note(row, columns[name], gap.code, about=gap.about)
    given = {**texts, **{name: value for name, value in values.items() if value}}  # refused or not
    for name, finding in row_findings(given):
        _note_all(draft, row, name, texts[name], [finding])
    if isinstance(phone, PhoneFault):
        return
    draft.targets[row] = _sent(values)


def _take_gaps(draft: _Draft, row: int, texts: dict[str, str]) -> dict[str, Gap]:
    """The row's cells that read as blank and are not, by field; an error is no text, whatever was read."""
    gaps = draft.gaps.get(row, {})
    for name, gap in gaps.items():
        if gap.code == "cell-error" or texts.get(name) == NO_VALUE:
            texts.pop(name, None)
    return {name: gap for name, gap in gaps.items() if not texts.get(name)}


def _sent(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without those that are only checked."""
    return {name: value for name, value in values.items() if name not in CHECKED_ONLY}


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


def _compare_repeats(draft: _Draft, seen: Glance, whole: Table) -> None:
    """Rows of one number: equal ones count once, different ones not at all."""
    column = draft.columns["phone_number"]
    keys = seen.keys.copy()
    own = [int(target["phone_number"][2:]) for target in draft.targets.values()]
    keys[_places(whole, draft.targets)] = own
    groups = list(_repeats(keys))
    cells_of = dict(whole.at(np.concatenate([np.zeros(0, dtype=np.int64), *groups])).records)
    for places in groups:
        rows = whole.numbers[places].tolist()
        first, *others = rows
        for place, row in zip(places.tolist(), rows, strict=True):
            if not seen.odd[place]:
                draft.targets[row] = {"row": row, **_sent(seen.target(place))}
        value = masked("phone_number", draft.targets[first]["phone_number"])
        differ = _differing([_wish(draft, row, cells_of[row]) for row in rows])
        if not differ:
            for row in others:
                draft.note(row, column, "duplicate-row", value=value, about=draft.places.several((first,)))
                draft.set_aside.setdefault(row, "duplicate-row")
            continue
        # of several tables each calls its columns otherwise
        one = len(draft.titles) == 1
        named = ", ".join(shown_header(draft.columns.get(name, name)) if one else name for name in differ)
        told = f"{draft.places.several(rows)} differ in {named}"
        for row in rows:
            draft.note(row, column, "conflicting-rows", value=value, about=told)


def _repeats(keys: Numbers) -> Iterator[Numbers]:
    """The places of each key that several rows have; 0 is no key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    counts = np.diff(starts, append=len(keys))
    several = (counts > 1) & (ordered[starts] > 0) if len(keys) else counts > 1
    groups = [
        order[start : start + count] for start, count in zip(starts[several], counts[several], strict=True)
    ]
    yield from sorted(groups, key=lambda places: int(places[0]))


def _wish(draft: _Draft, row: int, cells: Mapping[str, str]) -> dict[str, Any]:
    """What a row asks for, to be compared: lists as sets, and the text itself where it has no value."""
    wish: dict[str, Any] = {}
    for name, value in draft.targets[row].items():
        text = tidy(cells.get(draft.columns.get(name, ""), "")) if value is None else value
        wish[name] = frozenset(text) if isinstance(text, list) else text
    for name, gap in draft.gaps.get(row, {}).items():
        if RULES[gap.code].severity == "error":
            wish.setdefault(name, gap.code)  # nobody knows what is asked for there
    return {**wish, "row": None}


def _differing(wishes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields of which not all rows ask for the same."""
    names = dict.fromkeys(name for wish in wishes for name in wish)
    return [name for name in names if len({wish.get(name, "") for wish in wishes}) > 1]
