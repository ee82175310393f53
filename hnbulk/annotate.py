"""A list given back with what is known of its rows: the same workbook, four columns, marked cells.

An XLSX or XLSM stays what it was, byte for byte but for its list sheets' new cells, looks and comments.
A list of another kind becomes a new workbook of text. Only rows and texts come in; nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pyarrow.compute as pc

from hnbulk.addresses import Place
from hnbulk.annotated import Annotated, is_kept, mark_of
from hnbulk.annotations import STAGE_DATE_MEANS, Annotation, count_statuses
from hnbulk.checks import RULES
from hnbulk.comments import KIND, Comments
from hnbulk.errors import InputError
from hnbulk.intake import Intake
from hnbulk.packages import Package
from hnbulk.plaintext import neutralise, restore, single_line
from hnbulk.results import ANNOTATED_COLUMNS, STAGE_DATE
from hnbulk.sifting import ADDED, has_marks
from hnbulk.stylesheet import Mark, Stylesheet
from hnbulk.table import Table
from hnbulk.tablefiles import MAX_CELL, MAX_COLUMNS, read_tables
from hnbulk.textbook import LEAST, TextSheet, sheet_names, text_workbook
from hnbulk.wording import count_text
from hnbulk.workbooks import MAX_CELLS, MAX_UNPACKED, look_inside
from hnbulk.worksheet import Worksheet
from hnbulk.xmlparts import Unreadable

#: More cells than these get their colour and no comment: a spreadsheet would take minutes to open them.
MOST_COMMENTS = 10_000

_WIDTHS = dict(zip(ANNOTATED_COLUMNS, (21, 39, 15, 72), strict=True))
_NOT_A_CELL = {"other-sheets", "rows-above"}
# How what is said in a comment ends, by what it begins with.
_ENDINGS = {code: f"To do: {rule.remedy}." for code, rule in RULES.items()} | {STAGE_DATE: STAGE_DATE_MEANS}

Watch = Callable[[Iterable[int]], Iterable[int]]


def annotate(
    source: Path,
    content: bytes,
    intake: Intake,
    annotations: Mapping[int, Annotation],
    *,
    sheets: Sequence[str] = (),
    every: bool = False,
    encoding: str | None = None,
    watch: Watch = iter,
) -> Annotated:
    """The list of the file `source` with its annotations. `content` are its bytes, which `intake` was read
    from with the same options.

    `watch` is handed the numbers of the rows and gives them back one by one. Raises `InputError` for a
    workbook whose parts are not what spreadsheet programs write, and for a list that would be too large
    to be read again.
    """
    name = intake.name
    notes: list[str] = []
    tables = [sheet for _, sheet in intake.places.tables]
    if not is_kept(name):
        read = read_tables(
            content, name=name, sheets=sheets, every=every, encoding=encoding, fields=intake.mapping
        )
        if _least_size(read, annotations) > MAX_UNPACKED:
            raise _too_much(name)
        content, notes = _new_workbook(read, name=name)
        tables = list(sheet_names([_sheet_name(table, name) for table in read]))
    try:
        book = _Book.open(content)
        for sheet, part in zip(tables, _by_table(intake), strict=True):
            book.annotate(sheet or "", part, annotations, watch)
        if book.size > MAX_UNPACKED or book.widest > MAX_COLUMNS:
            raise _too_much(name)
        packed = book.packed(mark_of(source.name))
    except Unreadable as error:
        told = single_line(str(error))
        raise InputError(
            f"{single_line(name)} is no workbook that can be added to ({told}). Save it again "
            "as .xlsx in a spreadsheet program.",
            file=name,
        ) from None
    try:
        look_inside(packed, name=name)
    except InputError:
        raise _too_much(name) from None
    return Annotated(
        name=name,
        source=source,
        content=packed,
        rows=len(intake.rows),
        set_aside=len(intake.set_aside),
        statuses=count_statuses(annotations[row] for row, _ in intake.rows),
        errors=book.errors,
        warnings=book.warnings,
        notes=(*notes, *book.notes()),
    )


def _least_size(tables: Iterable[Table], annotations: Mapping[int, Annotation]) -> int:
    """How many bytes a new workbook of these has at least, unpacked."""
    own = sum(
        pc.sum(pc.binary_length(column)).as_py() + LEAST * pc.sum(pc.not_equal(column, "")).as_py()
        for table in tables
        for column in table.cells
    )
    return int(own) + sum(LEAST + len(text) for row in annotations.values() for text in row if text)


def _too_much(name: str) -> InputError:
    return InputError(
        f"{single_line(name)} is too large to be given back: with four columns more it would not be read "
        f"again (at most {MAX_UNPACKED >> 20} MB unpacked, {MAX_CELLS:,} cells and {MAX_COLUMNS} columns a "
        "sheet). Split the list and annotate its parts.",
        file=name,
    )


@dataclass(slots=True)
class _Part:
    """The rows of one table, own number to the list's, and what is wrong in them."""

    rows: dict[int, int] = field(default_factory=dict)
    problems: list[tuple[int, str, str, Mark]] = field(default_factory=list)  # row, column, text, severity
    phones: frozenset[str] = frozenset()  # the columns that are phone numbers, here or in another table

    @property
    def header(self) -> int:
        return min(self.rows) - 1


def _by_table(intake: Intake) -> list[_Part]:
    phones = frozenset(
        single_line(title) for title, meant in intake.mapping.items() if meant == "phone_number"
    )
    parts = {table: _Part(phones=phones) for table in intake.places.tables}
    for row, _ in intake.rows:
        file, sheet, own = intake.places.of(row)
        parts[file, sheet].rows[own] = row
    names = ("row", "column", "code", "message", "suggestion", "severity")
    columns = (intake.problems[name].tolist() for name in names)
    for row, column, code, message, suggestion, severity in zip(*columns, strict=True):
        if code in _NOT_A_CELL:
            continue
        file, sheet, own = intake.places.of(row)
        text = f"{code}: {message}. To do: {suggestion}."
        place = column if isinstance(column, str) else ""
        parts[file, sheet].problems.append((own, place, text, severity))
    return list(parts.values())


class _Book:
    """A workbook that is being annotated, sheet by sheet."""

    def __init__(self, package: Package, looks: str) -> None:
        self._package, self._looks = package, looks
        # LibreOffice puts a colour of its own where ours remembers what was there before
        program = package.parts.get("docProps/app.xml", b"")
        self._styles = Stylesheet(package.part(looks), remembers=b"LibreOffice" not in program)
        self._sheets = package.sheets()
        self._signed = package.signed
        self._uncommented = self._spared = self._forgotten = 0
        self.errors = self.warnings = 0
        self.widest = 0  # columns of a sheet, from its first to its last

    @classmethod
    def open(cls, content: bytes) -> _Book:
        package = Package.open(content)
        looks = package.related(package.workbook, "styles")
        if looks is None:
            raise Unreadable("no looks of cells")
        return cls(package, looks)

    def annotate(
        self, sheet: str, part: _Part, annotations: Mapping[int, Annotation], watch: Watch
    ) -> None:
        """The sheet has the four columns, and its problems are marked; earlier marks are taken back."""
        name, styles, header = self._sheets.get(sheet, ""), self._styles, part.header
        work = Worksheet(self._package.part(name), header=header, strings=self._package.strings)
        known = {title: work.titles[title] for title in ANNOTATED_COLUMNS if title in work.titles}
        marks = _marks(part, work.titles)
        work.survey(
            whole={place.row for place in marks} | {header},
            since=min(known.values()) if known else None,
            marked=styles.marked,
        )
        columns = _place_columns(work, known, header, styles)
        self.widest = max(self.widest, max(columns) + 1 - min(work.titles.values(), default=1))
        texts, quoted = styles.text(), styles.text(quoted=True)
        for own in watch(part.rows):
            for column, text in zip(columns, annotations[part.rows[own]], strict=True):
                plain = _shown(text)
                work.put(Place(own, column), plain, texts if plain == text else quoted)
        for place, look in work.marked:
            if place not in marks:
                work.set_look(place, styles.plain(look))
        for place, (mark, _) in marks.items():
            look = work.look_of(place)
            self._forgotten += styles.forgets(look)
            work.set_look(place, styles.coloured(look, mark))
            self.errors += mark == "error"
            self.warnings += mark == "warning"
        self._comment(name, work, marks, Place(header, columns[2]))
        self._package.parts[name] = work.content

    @property
    def size(self) -> int:
        """Bytes of all parts, but for the looks that were added."""
        return sum(map(len, self._package.parts.values()))

    def packed(self, mark: bytes) -> bytes:
        self._package.parts[self._looks] = self._styles.content
        return self._package.packed(mark=mark)

    def notes(self) -> Iterator[str]:
        """What is not as in the list, or not as it might be expected."""
        if self._signed:
            yield "the workbook was signed; with the new columns the signature does not hold"
        if self._uncommented:
            yield (
                f"{count_text(self._uncommented, 'cell')} more than {MOST_COMMENTS:,} are coloured without "
                "a comment; hn_next_step and `hnbulk check` say what is wrong"
            )
        if self._forgotten:
            yield (
                f"{count_text(self._forgotten, 'cell')} with a pattern or a gradient: coloured instead, "
                "and without a filling once nothing is wrong any more"
            )
        if self._spared:
            yield (
                f"{count_text(self._spared, 'cell')} with a conversation on it: coloured, and the "
                "conversation left alone; `hnbulk check` says what is wrong"
            )

    def _comment(
        self, name: str, work: Worksheet, marks: Mapping[Place, tuple[Mark, list[str]]], dated: Place
    ) -> None:
        package = self._package
        related = package.relations(name)
        texts = package.related(name, "comments")
        boxes = related.get(work.boxes or "", ("", ""))[1] or None
        lines = {dated: f"{STAGE_DATE}: {STAGE_DATE_MEANS}"}
        for place, (_, told) in sorted(marks.items(), key=lambda mark: (mark[1][0], mark[0])):
            if len(lines) <= MOST_COMMENTS:
                lines[place] = "\n".join(dict.fromkeys(told))
        self._uncommented += len(marks) + 1 - len(lines)
        made = Comments(
            package.part(texts) if texts else None, package.part(boxes) if boxes else None
        ).with_lines(lines, endings=_ENDINGS, width_of=work.width_of)
        self._spared += made.spared
        if made.texts is not None:
            texts = texts or self._added(name, "xl/hnbulkComments{}.xml", "comments", made.texts, KIND)[0]
            package.parts[texts] = made.texts
        if made.boxes is not None:
            if boxes is None:
                boxes, relation = self._added(
                    name, "xl/drawings/hnbulkBoxes{}.vml", "vmlDrawing", made.boxes, None
                )
                work.set_boxes(relation)
            package.parts[boxes] = made.boxes

    def _added(
        self, sheet: str, pattern: str, kind: str, content: bytes, content_type: str | None
    ) -> tuple[str, str]:
        part = self._package.free(pattern)
        self._package.add(part, content, kind=content_type)
        return part, self._package.relate(sheet, kind, part)


def _place_columns(work: Worksheet, known: Mapping[str, int], header: int, styles: Stylesheet) -> list[int]:
    """The four columns: those that are there, and the others to the right of everything."""
    missing = [title for title in ANNOTATED_COLUMNS if title not in known]
    own = [title for title in work.titles if title not in ADDED] or list(work.titles)
    look = styles.plain(work.look_of(Place(header, work.titles[own[-1]]))) if own else styles.text()
    first = work.room(len(missing)) if missing else 0
    fresh = {title: first + n for n, title in enumerate(missing)}
    for title, column in fresh.items():
        work.put(Place(header, column), title, look)
        work.set_width(column, _WIDTHS[title])
    return [fresh.get(title) or known[title] for title in ANNOTATED_COLUMNS]


def _marks(part: _Part, titles: Mapping[str, int]) -> dict[Place, tuple[Mark, list[str]]]:
    """The cells to be marked, each with its worst severity and all that is wrong."""
    columns: dict[str, int] = {}
    back = restore if has_marks(titles) else str
    for title, column in titles.items():
        columns.setdefault(single_line(back(title)), column)
    phones = (place for title, place in columns.items() if title in part.phones)
    usual = next(phones, min(titles.values(), default=1))
    found: dict[Place, tuple[Mark, list[str]]] = {}
    header = part.header
    for row, named, text, severity in part.problems:
        place = Place(max(row, header), columns.get(named, usual))
        before, told = found.get(place, ("warning", []))
        found[place] = ("error" if "error" in (before, severity) else "warning", [*told, text])
    return found


def _new_workbook(tables: Sequence[Table], *, name: str) -> tuple[bytes, list[str]]:
    """A workbook of the tables as they were written, and what of the file is not in it."""
    sheets = []
    for table in tables:
        # with the marks of a result file, which has the columns that say so: read again it is the same
        sheets.append(TextSheet(_sheet_name(table, name), table.columns, table.rows))
    left = tables[0].unread_sheets
    notes = [f"sheets that were not read are not in it: {', '.join(map(repr, left))}"] if left else []
    return text_workbook(sheets), [single_line(note) for note in notes]


@lru_cache(maxsize=4096)  # a list of thousands of rows has a handful of most of these
def _shown(text: str) -> str:
    return neutralise(single_line(text))[:MAX_CELL]


def _sheet_name(table: Table, name: str) -> str:
    return table.sheet or Path(name).stem
