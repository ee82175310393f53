"""How the widgets look, and how text gets into HTML: escaped, without control or direction signs.

The colours of text and lines come from the notebook's own theme, light or dark; only the status
marks have colours of their own. This module builds text and controls and holds no state.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ipywidgets as ipw
import pandas as pd

from hnbulk.palette import color_of
from hnbulk.plaintext import single_line

_CSS = """
.hn-desk { color: var(--jp-ui-font-color1, inherit); }
.hn-desk .widget-html, .hn-desk .jupyter-widgets.widget-html-content { line-height: 1.5; }
.hn-desk .hn-head { font-size: 1.15em; font-weight: 600; }
.hn-desk .hn-soft { color: var(--jp-ui-font-color2, inherit); opacity: .85; }
.hn-desk .hn-warn { color: var(--jp-error-color1, #c62828); font-weight: 600; }
.hn-desk .hn-mark { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
  margin-right: .45em; border: 1px solid rgba(128, 128, 128, .6); }
.hn-desk .hn-cells { display: grid; gap: 0 1em; align-items: center; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.hn-desk .hn-cells > span { overflow: hidden; text-overflow: ellipsis; }
.hn-desk .hn-names { font-weight: 600; }
.hn-desk .hn-tick input { vertical-align: middle; margin-top: -.1em; }
.hn-desk .hn-row { border-top: 1px solid var(--jp-border-color2, rgba(128, 128, 128, .3)); }
.hn-desk .hn-row:hover { background: var(--jp-layout-color2, rgba(128, 128, 128, .12)); }
.hn-desk .hn-scroll { max-height: 26em; overflow: auto; }
.hn-desk table.hn-table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.hn-desk table.hn-table th, .hn-desk table.hn-table td { padding: .15em .9em .15em 0; text-align: left;
  border-top: 1px solid var(--jp-border-color2, rgba(128, 128, 128, .3)); }
.hn-desk table.hn-table tr:first-child th { border-top: none; }
.hn-desk .hn-chip { border-radius: 1em; }
"""


def plain(value: Any) -> str:
    """`value` as one line of text: missing is empty, control and direction signs become blanks."""
    return "" if value is None or value is pd.NA or value is pd.NaT else single_line(str(value))


def escaped(value: Any) -> str:
    """`plain(value)`, safe inside HTML and in quoted attributes."""
    return html.escape(plain(value))


def told(counts: Mapping[str, int]) -> str:
    """`34 received, 2 failed`; `none` where nothing is counted."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none"


def status_mark(status: Any) -> str:
    """A status as HTML: its colour and its name."""
    name = plain(status)
    return f'<span class="hn-mark" style="background:{color_of(name)}"></span>{html.escape(name)}'


def cells(parts: Iterable[str], *, columns: str) -> str:
    """One line of a grid; `parts` are HTML already, `columns` is its CSS template."""
    inner = "".join(f"<span>{part}</span>" for part in parts)
    return f'<div class="hn-cells" style="grid-template-columns:{columns}">{inner}</div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table, scrolling when long; `columns` are text, the cells of `rows` are HTML already."""
    head = "".join(f"<th>{escaped(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="hn-scroll"><table class="hn-table"><tr>{head}</tr>{body}</table></div>'


def warning(text: str) -> str:
    """One line that says what went wrong; nothing for an empty text."""
    return f'<span class="hn-warn" role="alert">{escaped(text)}</span>' if text else ""


def named(control: Any, *names: str) -> Any:
    """`control`, with these class names, so that a page or a test can find it."""
    for name in names:
        control.add_class(name)
    return control


def line(name: str) -> Any:
    """An empty line of HTML with a class name."""
    return named(ipw.HTML(layout=ipw.Layout(margin="0 0.7em 0 0")), name)


def button(text: str, name: str, *, style: str = "", tooltip: str = "") -> Any:
    """A button as wide as its text."""
    made = ipw.Button(
        description=text, button_style=style, tooltip=tooltip, layout=ipw.Layout(width="auto")
    )
    return named(made, name)


def bar(*controls: Any) -> Any:
    """Controls side by side, wrapped where the page is narrow."""
    return ipw.HBox(controls, layout=ipw.Layout(flex_flow="row wrap", align_items="center"))


def root(name: str, *children: Any) -> Any:
    """The outermost box of a widget, its looks included."""
    looks = ipw.HTML(f"<style>{_CSS}</style>", layout=ipw.Layout(display="none"))
    return named(ipw.VBox([looks, *children], layout=ipw.Layout(width="100%")), "hn-desk", name)


def bundle(view: Any, text: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook shows: the live widget, or `text` where there are no widgets."""
    shown: dict[str, Any] = view._repr_mimebundle_(**kwargs) or {}
    return {**shown, "text/plain": text}
