"""The funnel's table as text for a terminal and as HTML for a notebook: bars, shares, times, footnotes.

Each number counts once in `current`, so its sum is all numbers. Texts of the service are on one
line and escaped; nothing is loaded from elsewhere. This module counts nothing itself.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from hnbulk import lifecycle
from hnbulk.palette import color_of
from hnbulk.plaintext import single_line
from hnbulk.wording import all_text, count_text, share_text, time_text, when_text


def headline(table: pd.DataFrame, as_of: datetime | None) -> str:
    """How many numbers there are, how many are completed, and when that was so."""
    if as_of is None:
        return "no events yet"
    numbers = int(table["current"].sum())
    completed = int(table.loc[table["stage"] == "completed", "current"].sum())
    return (
        f"{count_text(numbers, 'number')}, {completed:,} completed ({share_text(completed / numbers)}), "
        f"as of {when_text(as_of)}"
    )


def unseen(row: Mapping[Any, Any]) -> bool:
    """Numbers passed the stage of this row, and every one of them between two looks."""
    return bool(row["reached"]) and row["inferred"] == row["reached"]


def _time_there(row: Mapping[Any, Any]) -> str:
    if lifecycle.is_terminal(str(row["stage"])) or not row["reached"]:
        return "–"
    return (
        "not seen"
        if unseen(row)
        else time_text(row["median_seconds"], row["median_low"], row["median_high"])
    )


def text(table: pd.DataFrame, as_of: datetime | None) -> str:
    """The funnel in 80 columns."""
    if as_of is None:
        return "Funnel: no events yet"
    head = [
        headline(table, as_of),
        "",
        f"{'':32}{'reached':>8}{'% of':>8}{'% of':>8}{'now':>8}{'median':>16}",
        f"{'stage':32}{'':>8}{'all':>8}{'prev.':>8}{'here':>8}{'time there':>16}",
    ]
    lines = []
    for row in table.to_dict("records"):
        if row["stage"] == _first_side(table):
            lines.append(f"{'·' * 80}")
        lines.append(_text_row(row))
    return "\n".join([*head, *lines, "", *_footnotes(table)])


def _text_row(row: Mapping[Any, Any]) -> str:
    share = 0.0 if math.isnan(row["share_of_all"]) else row["share_of_all"]
    stage = single_line(str(row["stage"]))[:20]
    of_previous = share_text(row["share_of_previous"])
    return (
        f"{stage:20} {_bar(share, 11)}{row['reached']:>8,}{share_text(row['share_of_all']):>8}"
        f"{of_previous:>8}{row['current']:>8,}{_time_there(row):>16}"
    )


def _bar(share: float, width: int) -> str:
    eighths = math.ceil(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width)


def _first_side(table: pd.DataFrame) -> str | None:
    side = [str(stage) for stage in table["stage"] if stage not in lifecycle.FUNNEL]
    return side[0] if side else None


def _footnotes(table: pd.DataFrame) -> list[str]:
    inferred = int(table["inferred"].sum())
    everyone = all_text(int(table["current"].sum()))
    notes = [
        f"% of all: share of {everyone}.",
        "% of prev.: share of those that reached the stage above.",
        "median time there: open stays count as open; ± is what the looks left unseen.",
    ]
    if inferred:
        noun = "passage was" if inferred == 1 else "passages were"
        notes.append(f"reached: in the stage or a later one; {inferred:,} {noun} inferred, not seen.")
    return notes


_STYLE = """
.hn-funnel{font:14px/1.45 system-ui,sans-serif;max-width:56rem;overflow-x:auto;color:inherit}
.hn-funnel table{border-collapse:collapse;width:100%;background:transparent;color:inherit}
.hn-funnel caption{text-align:left;font-weight:600;padding:0 0 .4rem;color:inherit}
.hn-funnel th,.hn-funnel td{padding:.25rem .5rem;text-align:right;white-space:nowrap;
 background:transparent;color:inherit;border-bottom:1px solid rgba(128,128,128,.25)}
.hn-funnel th{font-weight:600;vertical-align:bottom}
.hn-funnel th:first-child,.hn-funnel td:first-child{text-align:left}
.hn-funnel .hn-side td{border-top:2px solid rgba(128,128,128,.5)}
.hn-funnel .hn-bar{width:6rem;height:.8rem;background:rgba(128,128,128,.18);border-radius:2px}
.hn-funnel .hn-bar i{display:block;height:100%;border-radius:2px}
.hn-funnel p{margin:.4rem 0 0;opacity:.75;font-size:12px}
""".strip()


def page_part(table: pd.DataFrame, as_of: datetime | None) -> str:
    """The funnel as one escaped HTML fragment without scripts, readable on light and dark."""
    if as_of is None:
        return f'<div class="hn-funnel"><style>{_STYLE}</style><p>Funnel: no events yet</p></div>'
    side = _first_side(table)
    rows = "".join(_html_row(row, first_side=row["stage"] == side) for row in table.to_dict("records"))
    titles = ("stage", "", "reached", "% of all", "% of previous", "now here", "median time there")
    head = "".join(f"<th>{title}</th>" for title in titles)
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in _footnotes(table))
    return (
        f'<div class="hn-funnel"><style>{_STYLE}</style><table>'
        f"<caption>{html.escape(headline(table, as_of))}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{notes}</div>"
    )


def _html_row(row: Mapping[Any, Any], *, first_side: bool) -> str:
    share = 0.0 if math.isnan(row["share_of_all"]) else row["share_of_all"]
    stage = single_line(str(row["stage"]))
    bar = f'<div class="hn-bar"><i style="width:{share * 100:.2f}%;background:{color_of(stage)}"></i></div>'
    cells = (
        html.escape(stage),
        bar,
        f"{row['reached']:,}",
        html.escape(share_text(row["share_of_all"])),
        html.escape(share_text(row["share_of_previous"])),
        f"{row['current']:,}",
        html.escape(_time_there(row)),
    )
    mark = ' class="hn-side"' if first_side else ""
    return f"<tr{mark}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
