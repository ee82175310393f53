"""The comments on the cells of one sheet: ours are added, changed and taken off, others stay.

A comment is in two parts: its text, and the box that shows it. Of a cell that has somebody's comment
already, ours stands below theirs, a line each. A comment whose author is another is never taken off for
how it begins, and words that somebody put into one of ours stay. This module knows no list and no problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import compress
from types import MappingProxyType

from hnbulk.addresses import Place
from hnbulk.xmlparts import Edit, Element, Unreadable, behind_tag, cell_text, edited, walk

Widths = Callable[[int], float]  # of a column, counted from 1, in signs

#: How each of our lines begins, and who wrote them.
LEAD, AUTHOR = "hnbulk: ", "hnbulk"
#: The kind of the part with the texts.
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"

_REMEDY = " To do: "
_NO_TEXTS = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    b'<comments xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    b"<authors></authors><commentList></commentList></comments>"
)
_NO_BOXES = (
    b'<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" '
    b'xmlns:x="urn:schemas-microsoft-com:office:excel"><o:shapelayout v:ext="edit">'
    b'<o:idmap v:ext="edit" data="1"/></o:shapelayout></xml>'
)
# The spaces of names that boxes are told in, each by the prefix it usually has.
_SPACES = {
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "x": "urn:schemas-microsoft-com:office:excel",
}
_SHAPE = (
    '<{v}:shapetype id="_x0000_t202" coordsize="21600,21600" {o}:spt="202" '
    'path="m,l,21600r21600,l21600,xe"><{v}:stroke joinstyle="miter"/>'
    '<{v}:path gradientshapeok="t" {o}:connecttype="rect"/></{v}:shapetype>'
)
# Each sign of a part is looked at once by these, whatever the part is.
_BOX = re.compile(rb"<(?:(\w+):shape(?=[\s/>])|/(\w+):shape\s*>\s*)")
_PLACE = re.compile(rb"<\w+:(Row|Column)>\s*(\d{1,7})\s*</\w+:(?:Row|Column)>")
_NUMBER = re.compile(rb"_x0000_s(\d{1,9})\b")
_LINE, _WIDE = 42, 300  # signs in a line of a box, and pixels that they take
_LAST_COLUMN = 16_383
_USUAL_WIDTH = 9.0  # of a column, in signs


@dataclass(frozen=True, slots=True)
class Comments:
    """The two parts of a sheet's comments; None where it has none. `spared` are cells left as they were."""

    texts: bytes | None
    boxes: bytes | None
    spared: int = 0

    def with_lines(
        self,
        lines: Mapping[Place, str],
        *,
        endings: Mapping[str, str] = MappingProxyType({}),
        width_of: Widths = lambda _: _USUAL_WIDTH,
    ) -> Comments:
        """Our lines are on these cells and on no others; with several in a text, a line each.

        `endings` say how a line of ours ends, by the word before its colon: in somebody's comment only
        such lines are ours. `width_of` says how wide a column is, for boxes of one size. A comment that
        is the head of a conversation stays as it is: its text is not shown. Raises `Unreadable`.
        """
        if self.texts is None and not lines:
            return self
        draft = _Draft(self.texts or _NO_TEXTS, endings)
        gone, fresh = draft.put({place.name: (place, text) for place, text in lines.items()})
        boxes = self.boxes or _NO_BOXES
        boxes = edited(
            boxes, ((start, end, b"") for place, start, end in _boxes_in(boxes) if place in gone)
        )
        boxes = _with_boxes(boxes, {place: lines[place] for place in fresh}, width_of)
        return Comments(draft.content, boxes, draft.spared)


class _Draft:
    """The part with the texts while it is changed."""

    def __init__(self, part: bytes, endings: Mapping[str, str]) -> None:
        self._part, self._endings = part, endings
        self._edits: list[Edit] = []
        self._authors: list[str] = []
        self._found: list[tuple[Element, list[Element]]] = []
        self._groups: dict[str, Element] = {}
        self._texts: list[Element] = []
        self._phonetic = 0
        self.spared = 0  # cells with a conversation
        self._prefix = walk(part, self._closed, opened=self._opened, texts=("t", "author"))
        if {"authors", "commentList"} - self._groups.keys():
            raise Unreadable("no comments")

    @property
    def content(self) -> bytes:
        """The part as it is now."""
        return edited(self._part, self._edits)

    def put(self, lines: Mapping[str, tuple[Place, str]]) -> tuple[set[Place], list[Place]]:
        """Every line stands at its cell; returns the cells whose box goes, and those that need one."""
        gone: set[Place] = set()
        left = dict(lines)
        for comment, texts in self._found:
            name = comment.attributes.get("ref", "").replace("$", "").upper()
            author = self._author_of(comment)
            if author.startswith("tc="):
                self.spared += left.pop(name, None) is not None
                continue
            kept = _without_ours([each.text for each in texts], self._endings, whole=author == AUTHOR)
            if any(each.strip() for each in kept):
                self._rewrite(texts, kept, left.pop(name, None))
            elif kept != [each.text for each in texts]:
                self._edits.append((comment.start, comment.end, b""))
                if (place := Place.named(name)) is not None:
                    gone.add(place)
            else:  # an empty one of somebody's
                self._rewrite(texts, kept, left.pop(name, None))
        self._add(left)
        return gone, sorted(place for place, _ in left.values())

    def _rewrite(self, texts: list[Element], kept: list[str], ours: tuple[Place, str] | None) -> None:
        """Somebody's text stays, run by run; ours goes behind the last."""
        if ours is not None and not texts:
            return
        for n, (element, text) in enumerate(zip(texts, kept, strict=True)):
            if ours is not None and n == len(texts) - 1:
                text += f"{chr(10) * 2 if any(kept) else ''}{_led(ours[1])}"
            if text != element.text:
                made = f'<{self._prefix}t xml:space="preserve">{_comment_text(text)}</{self._prefix}t>'
                self._edits.append((element.start, element.end, made.encode()))

    def _add(self, lines: Mapping[str, tuple[Place, str]]) -> None:
        if not lines:
            return
        p = self._prefix
        if AUTHOR not in self._authors:
            self._insert("authors", f"<{p}author>{AUTHOR}</{p}author>")
            self._authors.append(AUTHOR)
        author = self._authors.index(AUTHOR)
        self._insert(
            "commentList",
            "".join(
                f'<{p}comment ref="{name}" authorId="{author}"><{p}text><{p}r><{p}t xml:space="preserve">'
                f"{_comment_text(_led(text))}</{p}t></{p}r></{p}text></{p}comment>"
                for name, (_, text) in sorted(lines.items(), key=lambda line: line[1][0])
            ),
        )

    def _insert(self, group: str, made: str) -> None:
        element = self._groups[group]
        if element.inside == element.end:  # <authors/>
            name = f"{self._prefix}{group}"
            self._edits.append((element.start, element.end, f"<{name}>{made}</{name}>".encode()))
        else:
            self._edits.append((element.inner, element.inner, made.encode()))

    def _author_of(self, comment: Element) -> str:
        number = comment.attributes.get("authorId", "")
        known = number.isdecimal() and len(number) < 10 and int(number) < len(self._authors)
        return self._authors[int(number)] if known else ""

    def _opened(self, element: Element) -> None:
        if element.name == "comment":
            self._texts = []
        self._phonetic += element.name == "rPh"

    def _closed(self, element: Element) -> None:
        self._phonetic -= element.name == "rPh"
        if element.depth == 1:
            self._groups[element.name] = element
        elif element.name == "author":
            self._authors.append(element.text)
        elif element.name == "t" and not self._phonetic:
            self._texts.append(element)
        elif element.name == "comment":
            self._found.append((element, self._texts))


def _without_ours(pieces: list[str], endings: Mapping[str, str], *, whole: bool) -> list[str]:
    """The pieces of one text without our lines and what was put between them and somebody's; words
    behind a line of ours stay. `whole`: the comment is ours, whatever such a line says."""
    text = "".join(pieces)
    if LEAD not in text:
        return pieces
    keep = bytearray(b"\x01" * len(text))
    at, first, behind_ours = 0, True, False  # `first`: nothing was kept before this line
    for line in text.split("\n"):
        ours = _length_of_ours(line, endings, whole=whole)
        start, end = at, at + ours
        behind = behind_ours
        behind_ours = 0 < ours == len(line)
        if behind_ours and first:
            end = min(end + 1, len(text))
        elif behind_ours:
            blank = not behind and text[max(at - 2, 0) : at] == "\n\n"
            start -= 2 if blank else 1
        keep[start:end] = bytes(end - start)
        first = first and behind_ours
        at += len(line) + 1
    kept, at = [], 0
    for piece in pieces:
        kept.append("".join(compress(piece, keep[at : at + len(piece)])))
        at += len(piece)
    return kept


def _length_of_ours(line: str, endings: Mapping[str, str], *, whole: bool) -> int:
    """How much of the line, from its beginning, is ours."""
    if not line.startswith(LEAD):
        return 0
    word, _, told = line.removeprefix(LEAD).partition(": ")
    ending = endings.get(word)
    if ending is not None and (at := line.find(ending)) >= 0:
        return at + len(ending)
    return len(line) if whole or (ending is not None and _REMEDY in told) else 0


def _led(text: str) -> str:
    return "\n".join(f"{LEAD}{line}" for line in text.split("\n"))


def _comment_text(text: str) -> str:
    return cell_text(text).replace("\r", "&#13;")


def _boxes_in(part: bytes) -> Iterator[tuple[Place, int, int]]:
    """The cell that each box belongs to, and its bytes: from its tag to the first that closes one."""
    start, kind = -1, b""
    for tag in _BOX.finditer(part):
        if tag[1]:
            start, kind = tag.start(), tag[1]
        elif start >= 0 and tag[2] == kind:
            at = {name: int(number) for name, number in _PLACE.findall(part, start, tag.end())}
            if len(at) == 2:
                yield Place(at[b"Row"] + 1, at[b"Column"] + 1), start, tag.end()
            start = -1


def _with_boxes(part: bytes, lines: Mapping[Place, str], width_of: Widths) -> bytes:
    """The part with a box for each of these cells, hidden until a person points at the cell."""
    if not lines:
        return part
    part, names = _named(part)
    end = part.rfind(b"</xml>")
    if end < 0:
        raise Unreadable("no boxes of comments")
    first = max([1024, *map(int, _NUMBER.findall(part))]) + 1
    made = [] if b'id="_x0000_t202"' in part else [_SHAPE.format(**names)]
    made += [_box(names, first + n, place, text, width_of) for n, (place, text) in enumerate(lines.items())]
    return part[:end] + "".join(made).encode() + part[end:]


def _named(part: bytes) -> tuple[bytes, dict[str, str]]:
    """The part, and by which prefix it has each of the spaces; it has them all."""
    start = part.find(b"<xml")
    if start < 0:
        raise Unreadable("no boxes of comments")
    end = behind_tag(part, start)
    root = part[start:end]
    names = {}
    for usual, space in _SPACES.items():
        found = re.search(rb"\sxmlns:(\w+)\s*=\s*[\"']" + re.escape(space.encode()) + rb"[\"']", root)
        names[usual] = found[1].decode() if found else f"hn{usual}"
        if found is None:
            root = root[:-1] + f' xmlns:hn{usual}="{space}">'.encode()
    return part[:start] + root + part[end:], names


def _box(names: Mapping[str, str], number: int, place: Place, text: str, width_of: Widths) -> str:
    """Wide enough for the words, high enough for the lines they take."""
    v, o, x = (names[usual] for usual in _SPACES)
    lines = sum(-(-len(line) // _LINE) for line in _led(text).split("\n")) + 1
    top = max(place.row - 2, 0)
    right, over = place.column, _WIDE + 15  # the first column beside the cell, counted from 0
    while right < _LAST_COLUMN and (wide := int(width_of(right + 1) * 7) + 5) < over:
        right, over = right + 1, over - wide
    anchor = f"{place.column}, 15, {top}, 10, {right}, {over}, {top + lines}, 4"
    return (
        f'<{v}:shape id="_x0000_s{number}" type="#_x0000_t202" style="position:absolute;width:220pt;'
        f'height:{lines * 14}pt;z-index:1;visibility:hidden" fillcolor="#ffffe1" {o}:insetmode="auto">'
        f'<{v}:fill color2="#ffffe1"/><{v}:shadow on="t" color="black" obscured="t"/>'
        f'<{v}:path {o}:connecttype="none"/><{v}:textbox style="mso-direction-alt:auto">'
        f'<div style="text-align:left"></div></{v}:textbox><{x}:ClientData ObjectType="Note">'
        f"<{x}:MoveWithCells/><{x}:SizeWithCells/><{x}:Anchor>{anchor}</{x}:Anchor>"
        f"<{x}:AutoFill>False</{x}:AutoFill><{x}:Row>{place.row - 1}</{x}:Row>"
        f"<{x}:Column>{place.column - 1}</{x}:Column></{x}:ClientData></{v}:shape>"
    )
