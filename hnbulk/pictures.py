"""A drawn chart as a value: SVG in a notebook, SVG or PNG in a file, words where nothing is seen.

Drawing happens on this machine and fetches nothing. The looks of every chart are here, what is in
one is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import vl_convert

from hnbulk.errors import UsageError
from hnbulk.files import write_private

INK, SOFT = "#1f2733", "#5b6675"
_FONT, _LINE = "Arial, 'Liberation Sans', Helvetica, sans-serif", "#e3e7ec"
_PATH, _LONG = re.compile(r' d="[^"]*"'), re.compile(r"(\.\d\d)\d+")  # hundredths of a pixel are enough


@dataclass(frozen=True)
class Picture:
    """A drawn chart: shows itself in a notebook as SVG and saves as `.svg` or `.png`."""

    spec: Mapping[str, Any]
    alt: str  # what the picture says, for readers who do not see it

    @cached_property
    def svg(self) -> str:
        """The picture as one self-contained SVG element; nothing is fetched to make or show it."""
        drawn: str = vl_convert.vegalite_to_svg(dict(self.spec), allowed_base_urls=[])
        return _PATH.sub(lambda path: _LONG.sub(r"\1", path[0]), drawn)

    @property
    def subtitle(self) -> tuple[str, ...]:
        """What the shares are shares of and the moment they hold for: the lines under the title."""
        return tuple(self.spec.get("title", {}).get("subtitle", ()))

    def untitled(self) -> Picture:
        """The same picture without title and subtitle, for a page that says both in its own words."""
        return Picture(
            spec={name: part for name, part in self.spec.items() if name != "title"}, alt=self.alt
        )

    def png(self, *, scale: float = 2.0) -> bytes:
        """The picture as PNG, `scale` pixels to the SVG unit."""
        drawn: bytes = vl_convert.vegalite_to_png(dict(self.spec), scale=scale, allowed_base_urls=[])
        return drawn

    def save(self, path: str | Path) -> Path:
        """`path` holds the picture, mode 0600. Raises `UsageError` unless it ends in .svg or .png."""
        place = Path(path)
        if place.suffix.lower() not in {".svg", ".png"}:
            raise UsageError(
                f"a picture is saved as .svg or .png, not {place.suffix or 'without ending'!r}."
            )
        content = self.png() if place.suffix.lower() == ".png" else self.svg.encode()
        write_private(place, content)
        return place

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.alt}

    def __repr__(self) -> str:
        return f"Picture({self.alt})"


LOOK: dict[str, Any] = {
    "font": _FONT,
    "background": "#ffffff",
    "padding": {"left": 14, "right": 18, "top": 14, "bottom": 14},
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "frame": "group",
        "color": INK,
        "fontSize": 18,
        "fontWeight": 600,
        "subtitleColor": SOFT,
        "subtitleFontSize": 12,
        "subtitleLineHeight": 17,
        "subtitlePadding": 6,
        "offset": 16,
    },
    "axis": {
        "labelColor": INK,
        "labelFontSize": 12.5,
        "labelLimit": 240,
        "titleColor": SOFT,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "domain": False,
        "ticks": False,
        "labelPadding": 8,
        "gridColor": _LINE,
    },
    "legend": {
        "labelColor": INK,
        "labelFontSize": 12,
        "rowPadding": 5,
        "labelLimit": 220,
        "symbolStrokeWidth": 3,
    },
}
