"""How a list that was read tells itself: as text for a terminal and as HTML for a notebook.

Values of problems are masked before they come here; texts of the file are on one line and escaped.
Nothing is loaded from elsewhere. This module checks nothing itself.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from hnbulk.checks import RULES
from hnbulk.plaintext import single_line
from hnbulk.wording import count_text

_FIRST = 8  # how many problems are shown in full
_STYLE = """
.hn-intake{color:inherit;font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);max-width:60rem}
.hn-intake p{margin:.2em 0}.hn-intake small{opacity:.75}
.hn-intake table{border-collapse:collapse;margin:.2em 0 1em;color:inherit;background:transparent;
font-size:13px}
.hn-intake th,.hn-intake td{text-align:left;vertical-align:top;padding:3px 14px 3px 0;border:0;
border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.35));background:transparent;color:inherit}
.hn-intake th{opacity:.75;white-space:nowrap}
.hn-intake td:first-child{white-space:nowrap}
.hn-intake td.hn-p{white-space:normal;overflow-wrap:anywhere;max-width:22rem}
.hn-intake .hn-n{text-align:right}
""".strip()


def summary(name: str, counts: Mapping[str, Any], mapping: Mapping[str, str]) -> str:
    """Counts, which column is which field, and the problems by kind."""
    lines = [f"{single_line(name)}: {_told(counts)}", ""]
    lines += [f"  {single_line(column)} -> {field}" for column, field in mapping.items()]
    kinds = counts["by_code"].items()
    lines += ["", "problems"] if kinds else []
    lines += [f"  {code:<26}{n:>7,}  {RULES[code].rule}" for code, n in kinds]
    return "\n".join(lines)


def text(summary: str, problems: pd.DataFrame, place: Callable[[int], str]) -> str:
    """The summary and the first few problems."""
    first = [f"  {line}" for line in problem_lines(_first(problems), place)]
    more = len(problems) - len(first)
    first += [f"  and {more:,} more"] if more else []
    return "\n".join([summary, *(["", "first problems"] if first else []), *first])


def problem_lines(problems: pd.DataFrame, place: Callable[[int], str]) -> list[str]:
    """Each of these problems in one line: place of the row, column, masked value, code, rule and remedy."""
    shown = _cells(problems, ("row", "column", "value", "code", "message", "suggestion"))
    return [
        f"{place(row)}{', ' if column else ''}{column}:{' ' if value else ''}{value} {code}: "
        f"{rule}; {remedy}"
        for row, column, value, code, rule, remedy in shown
    ]


def page_part(
    name: str, counts: Mapping[str, Any], problems: pd.DataFrame, place: Callable[[int], str]
) -> str:
    """The same as one escaped HTML fragment without scripts, readable on light and dark."""
    kinds = [
        (code, f"{n:,}", RULES[code].rule, RULES[code].remedy) for code, n in counts["by_code"].items()
    ]
    parts = [f"<p><b>{_escape(name)}</b>: {_escape(_told(counts))}</p>"]
    if kinds:
        parts.append(_table(("problem", "rows", "rule", "remedy"), kinds, number=1))
        names = ("row", "column", "code", "value", "message")
        first = [
            (place(row).removeprefix("row "), *cells) for row, *cells in _cells(_first(problems), names)
        ]
        bare = all(own.isdecimal() for own, *_ in first)  # a whole place is read from the left
        parts.append("<p>First problems</p>")
        parts.append(
            _table(("row", "column", "problem", "value", "rule"), first, number=0 if bare else None)
        )
        if len(problems) > len(first):
            parts.append(f"<p><small>… and {len(problems) - len(first):,} more</small></p>")
    return f'<div class="hn-intake"><style>{_STYLE}</style>{"".join(parts)}</div>'


def _told(counts: Mapping[str, Any]) -> str:
    set_aside = counts["rows"] - counts["good"]
    told = f"{count_text(counts['rows'], 'row')}, {counts['good']:,} good, {set_aside:,} set aside"
    with_errors = "1 with an error" if counts["bad"] == 1 else f"{counts['bad']:,} with errors"
    return f"{told} ({with_errors}); {count_text(counts['warnings'], 'warning')}"


def _first(problems: pd.DataFrame) -> pd.DataFrame:
    """The first few, errors before warnings."""
    return problems.sort_values("severity", kind="stable").head(_FIRST)


def _cells(problems: pd.DataFrame, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """These columns row by row; missing is an empty text."""
    columns = ([("" if pd.isna(cell) else cell) for cell in problems[name].tolist()] for name in names)
    return list(zip(*columns, strict=True))


def _escape(value: object) -> str:
    return html.escape(single_line(str(value)))


def _table(header: Sequence[str], rows: Iterable[Sequence[object]], *, number: int | None) -> str:
    """A table whose column `number` stands to the right; without one its first holds places."""
    marks = [' class="hn-n"' if n == number else "" for n in range(len(header))]
    if number is None:
        marks[0] = ' class="hn-p"'
    head = "".join(f"<th{mark}>{_escape(title)}</th>" for title, mark in zip(header, marks, strict=True))
    body = (
        "".join(f"<td{mark}>{_escape(cell)}</td>" for cell, mark in zip(row, marks, strict=True))
        for row in rows
    )
    lines = "".join(f"<tr>{cells}</tr>" for cells in body)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
