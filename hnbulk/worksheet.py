"""One sheet of a workbook: cells of ours are put into its XML, and looks changed, all else as it was.

A cell of ours is text, never a formula. Rows and columns count from 1. This module knows no list.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hnbulk.addresses import Place, column_of
from hnbulk.titles import Strings, column_in, read_titles
from hnbulk.xmlparts import Edit, Element, Unreadable, edited, text_element, walk, with_attributes

MOST_COLUMNS = 16_384
_USUAL_WIDTH = 9.0

# What stands behind the reference to a sheet's boxes (CT_Worksheet).
_BEHIND_BOXES = frozenset(
    (
        *(
            "legacyDrawingHF",
            "picture",
            "oleObjects",
            "controls",
            "webPublishItems",
            "tableParts",
            "extLst",
        ),
        "AlternateContent",  # around controls or objects, where it stands behind the cells
    )
)
_ONLY = frozenset(("row", "c", "col", "mergeCell"))
_SPANS = re.compile(rb"(?<!\s)\s+spans\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


class _Cell(NamedTuple):
    column: int
    start: int
    inside: int
    end: int
    look: int


@dataclass(slots=True)
class _Row:
    element: Element
    look: int | None  # that of its cells that are not there
    last: int  # the byte behind its last cell
    cells: list[_Cell]  # those that may be changed, in order


@dataclass(slots=True)
class _Changes:
    cells: dict[int, dict[int, bytes]] = field(default_factory=dict)  # row, column: the whole cell
    looks: dict[Place, int] = field(default_factory=dict)
    widths: dict[int, float] = field(default_factory=dict)
    boxes: str | None = None


class Worksheet:
    """The part of one sheet. What is asked of it is in `content`."""

    def __init__(self, part: bytes, *, header: int, strings: Strings) -> None:
        self._part = part
        self.header = header
        self.titles = read_titles(part, header, strings)
        self._rows: dict[int, _Row] = {}
        self._single: dict[str, Element] = {}
        self._columns: list[Element] = []
        self._known_columns: dict[int, Element | None] = {}
        self._tail = 0
        self._widest = max(self.titles.values(), default=0)
        self._changes = _Changes()
        self.marked: list[tuple[Place, int]] = []
        self._prefix = ""

    def survey(self, *, whole: Collection[int], since: int | None, marked: Collection[int]) -> None:
        """The sheet is known: of the rows `whole` every cell may be changed, of the others those from
        column `since` on, or the empty ones at the end. Cells of a look in `marked` are in `marked`.
        """
        cells: list[_Cell] = []
        at = column = behind = wide_merges = 0

        def opened(element: Element) -> None:
            nonlocal at, column, behind
            if element.name == "row":
                at = element.number("r", at + 1)
                column = behind = 0
                cells.clear()

        def closed(element: Element) -> None:
            nonlocal column, behind, wide_merges
            name = element.name
            if name == "c":
                column = column_in(element, column + 1)
                behind = element.end
                look = element.number("s")
                cell = _Cell(column, element.start, element.inside, element.end, look)
                filled = element.inner > element.inside
                if filled and column > self._widest:
                    self._widest = column
                if look in marked:
                    self.marked.append((Place(at, column), look))
                elif since is None and at not in whole:
                    if filled:
                        cells.clear()
                        return
                elif at not in whole and since is not None and column < since:
                    return
                cells.append(cell)
            elif name == "row":
                self._rows[at] = _Row(element, _row_look(element), behind or element.inside, [*cells])
            elif name == "col":
                self._columns.append(element)
            elif name == "mergeCell":
                _, _, until = element.attributes.get("ref", "").partition(":")
                corner = Place.named(until)
                if until and corner is None:
                    raise Unreadable("merged cells without a place")
                if corner is not None and corner.row >= self.header:
                    wide_merges = max(wide_merges, corner.column)
            elif element.depth <= 1:
                self._single.setdefault(name, element)
                if self._tail == 0 and "sheetData" in self._single and name in _BEHIND_BOXES:
                    self._tail = element.start

        self._prefix = walk(self._part, closed, opened=opened, only=_ONLY)
        if "sheetData" not in self._single:
            raise Unreadable("no cells")
        self._widest = max(self._widest, wide_merges)
        self._tail = self._tail or self._single["worksheet"].inner

    def room(self, count: int) -> int:
        """The first of so many columns to the right of all that is there. Raises `Unreadable`."""
        if self._widest + count > MOST_COLUMNS:
            raise Unreadable("no column is free")
        return self._widest + 1

    def look_of(self, place: Place) -> int:
        """The look of a cell of a surveyed row; of one that is not there, that of its row or column."""
        row = self._rows.get(place.row)
        for cell in row.cells if row else ():
            if cell.column == place.column:
                return cell.look
        if row is not None and row.look is not None:
            return row.look
        element = self._told_of(place.column)
        return element.number("style") if element else 0

    def set_look(self, place: Place, look: int) -> None:
        """The cell has this look; one that is not there is, and is empty."""
        self._changes.looks[place] = look

    def put(self, place: Place, text: str, look: int) -> None:
        """The cell holds this text and nothing else."""
        p, name = self._prefix, place.name
        made = f'<{p}c r="{name}" s="{look}"'
        if text:
            made += f' t="inlineStr"><{p}is>{text_element(text, p)}</{p}is></{p}c>'
        else:
            made += "/>"
        self._changes.cells.setdefault(place.row, {})[place.column] = made.encode()

    def set_width(self, column: int, width: float) -> None:
        """The column is this wide, and is seen."""
        self._changes.widths[column] = width

    def width_of(self, column: int) -> float:
        """How many signs wide the column is; nothing where it is hidden."""
        if column in self._changes.widths:
            return self._changes.widths[column]
        element = self._told_of(column)
        if element is None:
            return _USUAL_WIDTH
        hidden = element.attributes.get("hidden") in ("1", "true")
        return 0.0 if hidden else element.measure("width", _USUAL_WIDTH)

    @property
    def boxes(self) -> str | None:
        """The id of the part with the boxes of comments."""
        element = self._single.get("legacyDrawing")
        if element is None:
            return None
        return next((value for name, value in element.attributes.items() if name.endswith("id")), None)

    def set_boxes(self, relation: str) -> None:
        """The boxes of comments are in the part of this id; there were none before."""
        self._changes.boxes = relation

    @property
    def content(self) -> bytes:
        """The part with every change, and every other byte as it was."""
        edits = [*self._row_edits(), *self._column_edits(), *self._dimension_edits()]
        if self._changes.boxes is not None:
            made = f'<{self._prefix}legacyDrawing xmlns:hn="{_RELATIONS}" hn:id="{self._changes.boxes}"/>'
            edits.append((self._tail, self._tail, made.encode()))
        return edited(self._part, edits)

    def _row_edits(self) -> Iterator[Edit]:
        wanted: dict[int, dict[int, bytes]] = {row: dict(made) for row, made in self._changes.cells.items()}
        for place, look in self._changes.looks.items():
            if (known := self._cell(place)) is not None:
                if place.column not in wanted.get(place.row, {}):
                    tag = with_attributes(self._part[known.start : known.inside], s=look)
                    yield known.start, known.inside, tag
            else:
                empty = f'<{self._prefix}c r="{place.name}" s="{look}"/>'.encode()
                wanted.setdefault(place.row, {}).setdefault(place.column, empty)
        fresh = sorted(wanted.keys() - self._rows.keys())
        for row in wanted.keys() & self._rows.keys():
            yield from self._of_row(self._rows[row], wanted[row])
        yield from self._new_rows(fresh, wanted)

    def _of_row(self, row: _Row, made: Mapping[int, bytes]) -> Iterator[Edit]:
        known = {cell.column: cell for cell in row.cells}
        places: dict[int, list[bytes]] = {}
        for column in sorted(made):
            if column in known:
                yield known[column].start, known[column].end, made[column]
                continue
            at = next((cell.start for cell in row.cells if cell.column > column), row.last)
            places.setdefault(at, []).append(made[column])
        element = row.element
        tag = self._part[element.start : element.inside]
        if element.inside == element.end:  # <row/>: it has no cells yet
            cells = b"".join(piece for pieces in places.values() for piece in pieces)
            opened = _SPANS.sub(b"", tag).removesuffix(b"/>") + b">"
            yield element.start, element.end, opened + cells + f"</{self._prefix}row>".encode()
            return
        if (spans := _SPANS.search(tag)) is not None:
            yield element.start + spans.start(), element.start + spans.end(), b""
        for at, pieces in places.items():
            yield at, at, b"".join(pieces)

    def _new_rows(self, fresh: list[int], wanted: Mapping[int, Mapping[int, bytes]]) -> Iterator[Edit]:
        """Rows that the sheet does not have, each before the first one behind it."""
        if not fresh:
            return
        known = sorted(self._rows)
        data = self._single["sheetData"]
        places: dict[int, list[bytes]] = {}
        n = 0
        for row in fresh:
            while n < len(known) and known[n] < row:
                n += 1
            at = self._rows[known[n]].element.start if n < len(known) else data.inner
            cells = b"".join(wanted[row][column] for column in sorted(wanted[row]))
            p = self._prefix
            places.setdefault(at, []).append(f'<{p}row r="{row}">'.encode() + cells + f"</{p}row>".encode())
        for at, pieces in places.items():
            yield at, at, b"".join(pieces)

    def _column_edits(self) -> Iterator[Edit]:
        """The columns that are given a width are told alone, out of a range that others share."""
        p, widths = self._prefix, self._changes.widths
        if not widths:
            return
        own = {
            column: f'<{p}col min="{column}" max="{column}" width="{width:g}" customWidth="1"/>'.encode()
            for column, width in widths.items()
        }
        left = dict(own)
        for element in self._columns:
            first, last = _reach(element)
            if not any(first <= column <= last for column in own):
                continue
            tag = self._part[element.start : element.inside]
            pieces, begin = [], first
            for column in sorted(column for column in own if first <= column <= last):
                if begin < column:
                    pieces.append(with_attributes(tag, min=begin, max=column - 1))
                pieces.append(left.pop(column, b""))
                begin = column + 1
            if begin <= last:
                pieces.append(with_attributes(tag, min=begin, max=last))
            yield element.start, element.inside, b"".join(pieces)
        if "cols" not in self._single:
            at = self._single["sheetData"].start
            made = b"".join(left[column] for column in sorted(left))
            yield at, at, f"<{p}cols>".encode() + made + f"</{p}cols>".encode()
            return
        for column in sorted(left):
            at = next(
                (each.start for each in self._columns if _reach(each)[0] > column),
                self._single["cols"].inner,
            )
            yield at, at, left[column]

    def _dimension_edits(self) -> Iterator[Edit]:
        element = self._single.get("dimension")
        if element is None or not self._changes.cells:
            return
        first, _, last = element.attributes.get("ref", "").partition(":")
        match = re.fullmatch(r"[A-Z]{1,3}([0-9]+)", last or first)
        if match is None:
            return
        deepest = max(int(match[1]), *self._changes.cells)
        widest = max(column_of(last or first), *(max(made) for made in self._changes.cells.values()))
        tag = self._part[element.start : element.inside]
        ref = f"{first}:{Place(deepest, widest).name}"
        yield element.start, element.inside, with_attributes(tag, ref=ref)

    def _told_of(self, column: int) -> Element | None:
        """What the sheet says of a whole column, looked up once."""
        if column not in self._known_columns:
            reaches = ((element, *_reach(element)) for element in self._columns)
            self._known_columns[column] = next(
                (element for element, first, last in reaches if first <= column <= last), None
            )
        return self._known_columns[column]

    def _cell(self, place: Place) -> _Cell | None:
        row = self._rows.get(place.row)
        return next((cell for cell in row.cells if cell.column == place.column), None) if row else None


def _reach(column: Element) -> tuple[int, int]:
    first = column.number("min", 1)
    return first, column.number("max", first)


def _row_look(element: Element) -> int | None:
    custom = element.attributes.get("customFormat") in ("1", "true")
    return element.number("s") if custom and "s" in element.attributes else None
