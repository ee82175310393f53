"""The looks of a workbook's cells: those that are marked have a colour, and lose it again.

Looks are only added. A cell that is coloured keeps its font, frame and number format. One plain colour that
filled it before is remembered in its filling, and comes back when nothing is wrong any more; a pattern or
a gradient does not, and nothing does once LibreOffice has saved the workbook.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from hnbulk.xmlparts import Edit, Element, Unreadable, behind_tag, edited, walk, with_attributes

Mark = Literal["error", "warning"]

#: What fills a marked cell: light enough to be read in print, apart in grey too; dark under light letters.
COLORS: dict[Mark, str] = {"error": "FFF4B5AC", "warning": "FFFFE7A0"}
DARK_COLORS: dict[Mark, str] = {"error": "FF9A1B12", "warning": "FF7A5B00"}

_OWN = re.compile(
    rf"""\srgb\s*=\s*["'](?:{"|".join((*COLORS.values(), *DARK_COLORS.values()))})["']""".encode(),
    re.IGNORECASE,
)
_PATTERN = re.compile(rb"""<(?:\w+:)?patternFill\s[^>]*?(?<=\s)patternType\s*=\s*["'](\w+)["']""")
_GRADIENT = re.compile(rb"<(?:\w+:)?gradientFill\b")
_COLOR = re.compile(rb"<(?:\w+:)?color\b([^>]*)/?>")
_LIGHT = re.compile(rb"""\s(?:theme=["'][02]["']|indexed=["'][19]["'])""")
_RGB = re.compile(rb"""\srgb=["'](?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})["']""")
_BACK = re.compile(rb"<(?:\w+:)?bgColor\b([^>]*?)/?>")
_FRONT = re.compile(rb"<(?:\w+:)?fgColor\b([^>]*?)/?>")
_NOTHING = b' indexed="64"'
_TEXT = 49  # the number format @


class Stylesheet:
    """The part with the looks; `content` is it with all that was asked for so far."""

    def __init__(self, part: bytes, *, remembers: bool = True) -> None:
        """`remembers` is False where what filled a marked cell before is not in its filling any more."""
        self._part, self._remembers = part, remembers
        self._fills: list[bytes] = []
        self._fonts: list[bytes] = []
        self._looks: list[bytes] = []
        self._made: dict[tuple[object, ...], int] = {}
        self._groups: dict[str, Element] = {}
        self._prefix = walk(part, self._take)
        if not self._looks or not self._fills or {"fills", "cellXfs"} - self._groups.keys():
            raise Unreadable("no looks of cells")
        self._known = len(self._fills), len(self._looks)
        self._places = {fill: n for n, fill in reversed([*enumerate(self._fills)])}
        fills = [_is_mark(fill) for fill in self._fills]
        self.marked = frozenset(
            n for n, look in enumerate(self._looks) if fills[_number(look, b"fillId") % len(fills)]
        )

    def coloured(self, look: int, mark: Mark) -> int:
        """The look of a cell that is marked, made of the one it has."""
        return self._once(("coloured", self.plain(look), mark), self._colour)

    def plain(self, look: int) -> int:
        """The look without a colour of ours; itself where it has none."""
        return self._once(("plain", look), self._restore) if look in self.marked else look

    def forgets(self, look: int) -> bool:
        """A cell of this look is filled with what does not come back: a pattern or a gradient."""
        if look in self.marked or not 0 <= look < len(self._looks):
            return False
        fill = self._fill_of(self._looks[look])
        return _GRADIENT.search(fill) is not None or _pattern_of(fill) not in (b"none", b"solid")

    def text(self, *, quoted: bool = False) -> int:
        """The look of a cell of ours; `quoted` shows text that begins like a formula as text."""
        return self._once(("text", quoted), self._text)

    @property
    def content(self) -> bytes:
        """The part, with every byte as it was but for what was added."""
        edits: list[Edit] = []
        new = self._fills[self._known[0] :], self._looks[self._known[1] :]
        for name, added in zip(("fills", "cellXfs"), new, strict=True):
            if added:
                group = self._groups[name]
                count = len(self._fills if name == "fills" else self._looks)
                tag = with_attributes(self._part[group.start : group.inside], count=count)
                edits.append((group.start, group.inside, tag))
                edits.append((group.inner, group.inner, b"".join(added)))
        return edited(self._part, edits)

    def _take(self, element: Element) -> None:
        raw = self._part[element.start : element.end]
        if element.depth == 1:
            self._groups[element.name] = element
        elif element.depth == 2 and element.name == "fill":
            self._fills.append(raw)
        elif element.depth == 2 and element.name == "font":
            self._fonts.append(raw)
        elif element.depth == 2 and element.name == "xf":
            self._looks.append(raw)
        if element.depth == 1 and element.name == "cellStyleXfs":
            self._looks.clear()  # those were looks of styles, not of cells

    def _once(self, key: tuple[object, ...], make: Callable[..., int]) -> int:
        if key not in self._made:
            self._made[key] = make(*key[1:])
        return self._made[key]

    def _add(self, look: bytes) -> int:
        self._looks.append(look)
        return len(self._looks) - 1

    def _colour(self, look: int, mark: Mark) -> int:
        own = self._looks[look] if 0 <= look < len(self._looks) else self._looks[0]
        before = self._fill_of(own)
        font = _number(own, b"fontId")
        light = font < len(self._fonts) and _is_light(self._fonts[font])
        color = (DARK_COLORS if light else COLORS)[mark]
        front = _FRONT.search(before)
        kept = front[1].rstrip() if front and _pattern_of(before) == b"solid" else _NOTHING
        return self._add(self._filled(own, self._fill(f' rgb="{color}"'.encode(), kept)))

    def _restore(self, look: int) -> int:
        own = self._looks[look]
        back = _BACK.search(self._fill_of(own))
        kept = back[1].rstrip() if back and self._remembers else _NOTHING
        fill = 0 if kept.strip() == _NOTHING.strip() else self._fill(kept, _NOTHING)
        return self._add(self._filled(own, fill))

    def _fill_of(self, look: bytes) -> bytes:
        return self._fills[_number(look, b"fillId") % len(self._fills)]

    def _text(self, quoted: bool) -> int:
        more = b' quotePrefix="1"' if quoted else b""
        return self._add(
            f'<{self._prefix}xf numFmtId="{_TEXT}" fontId="0" fillId="0" borderId="0" xfId="0"'.encode()
            + more
            + b' applyNumberFormat="1" applyAlignment="1">'
            # a blank before it, so that text running out of the column before does not touch it
            + f'<{self._prefix}alignment horizontal="left" indent="1"/></{self._prefix}xf>'.encode()
        )

    def _fill(self, front: bytes, back: bytes) -> int:
        p = self._prefix.encode()
        made = (
            b'<%(p)sfill><%(p)spatternFill patternType="solid"><%(p)sfgColor%(front)s/>'
            b"<%(p)sbgColor%(back)s/></%(p)spatternFill></%(p)sfill>"
            % {b"p": p, b"front": front, b"back": back}
        )
        if made not in self._places:
            self._places[made] = len(self._fills)
            self._fills.append(made)
        return self._places[made]

    def _filled(self, look: bytes, fill: int) -> bytes:
        end = behind_tag(look, 0)
        return with_attributes(look[:end], fillId=fill, applyFill=1) + look[end:]


def _number(look: bytes, name: bytes) -> int:
    found = re.search(rb"\s" + name + rb"""\s*=\s*["'](\d{1,5})["']""", look[: look.index(b">")])
    return int(found[1]) if found else 0


def _is_mark(fill: bytes) -> bool:
    front = _FRONT.search(fill)
    return front is not None and _OWN.search(front[1]) is not None


def _pattern_of(fill: bytes) -> bytes:
    found = _PATTERN.search(fill)
    return found[1] if found else b"none"


def _is_light(font: bytes) -> bool:
    """Letters of this font are white or nearly so."""
    color = _COLOR.search(font)
    if color is None:
        return False
    rgb = _RGB.search(color[1])
    if rgb is None:
        return _LIGHT.search(color[1]) is not None
    red, green, blue = (int(rgb[1][n : n + 2], 16) for n in (0, 2, 4))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 170  # of 255, as eyes weigh them
