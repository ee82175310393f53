"""An SVG drawing rebuilt from known elements and attributes alone, to stand inside a page.

No link, script, style or foreign content comes through; texts are masked and escaped anew. This
module draws nothing.
"""

from __future__ import annotations

import html
from html.parser import HTMLParser

from hnbulk.masking import mask_text


def clean_svg(svg: str) -> str:
    """The drawing alone: known elements and attributes; no link, script, style or foreign content."""
    parser = _Drawing()
    parser.feed(svg)
    parser.close()
    return "".join(parser.parts)


_ATTRIBUTES = """
d x y dx dy x1 x2 y1 y2 cx cy r rx ry width height viewbox transform fill stroke opacity fill-opacity
stroke-opacity stroke-width stroke-dasharray stroke-miterlimit stroke-linecap stroke-linejoin text-anchor
font-family font-size font-weight font-style xmlns class
"""


class _Drawing(HTMLParser):
    """Rebuilds an SVG from an allow-list; texts and values are escaped anew."""

    ELEMENTS = frozenset(("svg", "g", "path", "rect", "line", "circle", "text", "tspan"))
    ATTRIBUTES = frozenset(_ATTRIBUTES.split())

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside.append(tag)
        self._open(tag, attrs, ">")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open(tag, attrs, "/>")

    def handle_endtag(self, tag: str) -> None:
        if self._known():
            self.parts.append(f"</{tag}>")
        if tag in self._inside:
            while self._inside.pop() != tag:
                continue

    def handle_data(self, data: str) -> None:
        if self._known() and self._inside and self._inside[-1] in {"text", "tspan"}:
            self.parts.append(html.escape(mask_text(data)))

    def _known(self) -> bool:
        return self.ELEMENTS.issuperset(self._inside)

    def _open(self, tag: str, attrs: list[tuple[str, str | None]], end: str) -> None:
        if tag in self.ELEMENTS and self._known():
            kept = "".join(
                f' {"viewBox" if name == "viewbox" else name}="{html.escape(value or "")}"'
                for name, value in attrs
                if name in self.ATTRIBUTES and "url(" not in (value or "")
            )
            self.parts.append(f"<{tag}{kept}{end}")
