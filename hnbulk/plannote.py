"""A plan as Markdown, for a pull request, a ticket or a mail: the same parts as in its card.

What comes from a file or from the service stands in code spans, where no renderer makes markup, a
link or a mention of it; in a table it cannot end its cell. This module sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hnbulk import overview
from hnbulk.overview import Line, moment
from hnbulk.plaintext import single_line
from hnbulk.planfile import PlanFile
from hnbulk.rowplaces import BLANK, RowPlaces
from hnbulk.settings import Pace
from hnbulk.steps import Action, Step

_GRAVE = "🟥"
# A quoted name is one word, whatever blanks are in it.
_PIECES = re.compile(r"\(?'[^'\s][^']*'\)?[,;:.]?(?!\S)|\S+")
# A word that no renderer makes anything of, whatever stands beside it.
_WORD = re.compile(
    r"\(?(?:[A-Za-z]+(?:['-][A-Za-z]+)*|[0-9]{1,3}(?:,[0-9]{3})*|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}:[0-9]{2}|%)"
    r"\)?[,;:.]?"
)
_TICKS = re.compile("`+")
_SLASHED = re.compile(r"\\(?=\|)")


def note(
    file: PlanFile,
    *,
    whole: PlanFile,
    lines: Sequence[Line],
    places: RowPlaces,
    checksum: str,
    pace: Pace,
    how: Sequence[str],
    most: int,
    brief: bool,
) -> str:
    """The Markdown of what `file` shows of the `whole` plan; `most` steps of an action are listed.

    Where it is `brief`, a create takes one line, with what tells it from the others.
    """
    parts = (
        _head(whole, checksum, pace),
        _table(
            ("count", "action", "what"), ((f"{one.count:,}", one.action, said(one.what)) for one in lines)
        ),
        _cautions(file, places, most),
        *(_steps(file, action, places, most, brief=brief) for action in Action),
        _obstacles(file, places, most),
        _foot(whole, checksum, how),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def code(value: object) -> str:
    """`value` as a code span that holds all of it and ends where it ends; a blank as `–`."""
    text = " ".join(single_line(str(value)).splitlines())
    if not text or text == BLANK:
        return BLANK
    # a cell is cut at bars before code spans are read, and a bar behind a backslash is none
    text = _SLASHED.sub(r"\\ ", text).replace("|", "\\|")
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest or (text[0] == text[-1] == " " and text.strip()) else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def said(text: str) -> str:
    """A sentence: plain words as they are, each other one as a code span."""
    words = _PIECES.findall(" ".join(single_line(text).splitlines()))
    return " ".join(word if _WORD.fullmatch(word) else _coded(word) for word in words)


def _coded(word: str) -> str:
    """The word as a code span; the signs of the sentence around it, such as a bracket, outside."""
    bare = word.rstrip(",;:.")
    opened, closed = bare.count("(") > bare.count(")"), bare.count(")") > bare.count("(")
    first = int(opened and bare.startswith("("))
    last = len(bare) - int(closed and bare.endswith(")"))
    return f"{word[:first]}{code(word[first:last])}{word[last:]}" if word[first:last] else code(word)


def _head(file: PlanFile, checksum: str, pace: Pace) -> str:
    head = file.header
    takes = overview.pace_text(file, pace)
    return (
        f"### Plan {code(checksum[:8])} of {code(head.input_name)}\n\n"
        f"For {code(head.account_sid)} at {code(head.base_url)} ({code(head.dialect)}); "
        f"{said(overview.sums_text(file, pace))}{'; ' if takes else ''}{takes}."
    )


def _cautions(file: PlanFile, places: RowPlaces, most: int) -> str:
    found = overview.cautions(file)
    listed = [
        f"- {_GRAVE if one.grave else '🟧'} **Warning:** {one.action} of "
        f"{places.several(one.rows, name=code)}: {said(one.risk)}"
        for one in found[:most]
    ]
    return "\n".join([*listed, *_more(len(found), most)])


def _steps(file: PlanFile, action: Action, places: RowPlaces, most: int, *, brief: bool) -> str:
    """The first steps of an action, field by field; those of a grave risk before the others."""
    steps = overview.grave_first(step for step in file.steps if step.action is action)
    if not steps:
        return ""
    if action is Action.VERIFY:
        shown = _calls(steps[:most])
    elif action is Action.CREATE and brief:
        shown = _creates(steps, places, most)
    else:
        shown = _changes(file, steps[:most], places)
    return "\n\n".join([f"#### {overview.TITLES[action]}", shown, *_more(len(steps), most)])


def _creates(steps: Sequence[Step], places: RowPlaces, most: int) -> str:
    cells = (
        (_row(step.row, step.risk, places), code(step.phone_number), code(what))
        for step, what in zip(steps, overview.told_apart(steps, most), strict=False)
    )
    return _table(("row", "number", "what"), cells)


def _row(row: int | None, risk: str | None, places: RowPlaces) -> str:
    return f"{_GRAVE if overview.is_grave(risk) else ''}{code(places.short(row))}"


def _changes(file: PlanFile, steps: Sequence[Step], places: RowPlaces) -> str:
    cells = (
        (
            _row(one.row, one.risk, places),
            *(code(value) for value in (one.phone_number, one.field, one.before, one.after)),
        )
        for one in overview.changes(PlanFile(file.header, tuple(steps), ()))
    )
    return _table(("row", "number", "field", "before", "after"), cells)


def _calls(steps: Sequence[Step]) -> str:
    cells = (
        (
            code(step.precondition.get("wave", BLANK)),
            code(step.phone_number),
            *(code(moment(str(step.precondition.get(name, "")))) for name in ("not_before", "not_after")),
        )
        for step in steps
    )
    return _table(("wave", "number", "not before", "not after"), cells)


def _obstacles(file: PlanFile, places: RowPlaces, most: int) -> str:
    found = overview.obstacles(file, *overview.WITHOUT_STEP)
    if not found:
        return ""
    listed = (
        f"- **{str(one.verdict).capitalize()}** {code(one.code)} ({places.several(one.rows, name=code)})"
        f"{': ' if one.note else ''}{said(one.note)}"
        for one in found[:most]
    )
    return "\n".join(["#### Rows without a step", "", *listed, *_more(len(found), most)])


def _foot(file: PlanFile, checksum: str, how: Sequence[str]) -> str:
    if not file.steps:
        return "Nothing to do: no request would be sent."
    ways = "\n".join(f"- {code(way)}" for way in how)
    return f"Nothing has been sent. To apply exactly this:\n\n{ways}\n\nChecksum {code(checksum)}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _more(count: int, most: int) -> list[str]:
    return [f"- … and {count - most:,} more"] if count > most else []
