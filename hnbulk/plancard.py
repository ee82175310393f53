"""A plan as one piece of HTML for a notebook: tiles, tables, warnings, and how to apply it.

Every text is escaped; there is no script and nothing is loaded from elsewhere. Colours sit on
edges and words, never behind text, so the card reads on a light and on a dark page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby

from hnbulk import overview
from hnbulk.overview import Line, moment
from hnbulk.plaintext import single_line
from hnbulk.planfile import PlanFile
from hnbulk.rowplaces import RowPlaces
from hnbulk.settings import Pace
from hnbulk.steps import Action

_TONES = {
    "create": "good",
    "update": "info",
    "cancel": "bad",
    "verify": "info",
    "authorize": "info",
    "nothing": "calm",
    "blocked": "warn",
    "conflict": "bad",
    "set-aside": "calm",
}
_FOLDED = (Action.CANCEL, Action.CREATE, Action.VERIFY, Action.AUTHORIZE)
_STYLE = """
.hn-plan{--hn-edge:var(--jp-border-color2,rgba(128,128,128,.35));--hn-good:var(--jp-success-color1,#2e9e5b);
--hn-info:var(--jp-brand-color1,#2f7fd1);--hn-warn:var(--jp-warn-color1,#d98200);
--hn-bad:var(--jp-error-color1,#d64545);--hn-calm:rgba(128,128,128,.7);
color:inherit;background:transparent;font-family:var(--jp-ui-font-family,system-ui,sans-serif);
font-size:13px;line-height:1.45;max-width:60rem}
.hn-plan h4{margin:1.1em 0 .4em;font-size:13px;font-weight:600}
.hn-plan p{margin:.2em 0}
.hn-plan small{opacity:.75}
.hn-plan .hn-tiles{display:flex;flex-wrap:wrap;gap:8px;margin:.8em 0}
.hn-plan .hn-tile{border:1px solid var(--hn-edge);border-left:4px solid var(--hn-calm);border-radius:4px;
padding:6px 14px 7px 10px;min-width:5.5rem}
.hn-plan .hn-tile b{display:block;font-size:22px;line-height:1.2;font-weight:600;
font-variant-numeric:tabular-nums}
.hn-plan .hn-good{border-left-color:var(--hn-good)}.hn-plan .hn-info{border-left-color:var(--hn-info)}
.hn-plan .hn-warn{border-left-color:var(--hn-warn)}.hn-plan .hn-bad{border-left-color:var(--hn-bad)}
.hn-plan table{border-collapse:collapse;margin:0;color:inherit;background:transparent;font-size:13px;
width:auto}
.hn-plan th,.hn-plan td{text-align:left;vertical-align:top;padding:3px 14px 3px 0;
border:0;border-bottom:1px solid var(--hn-edge);background:transparent;color:inherit;white-space:normal;
overflow-wrap:anywhere;max-width:26rem}
.hn-plan th{font-weight:600;opacity:.75;white-space:nowrap}
.hn-plan .hn-n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.hn-plan td.hn-w{max-width:42rem}
.hn-plan td.hn-t{font-variant-numeric:tabular-nums;white-space:nowrap}
.hn-plan tr.hn-grave td:first-child{border-left:4px solid var(--hn-bad);padding-left:8px}
.hn-plan del{opacity:.7}.hn-plan ins{text-decoration:none;font-weight:600}
.hn-plan .hn-note{border-left:4px solid var(--hn-warn);padding:2px 0 2px 10px;margin:.35em 0}
.hn-plan .hn-note.hn-bad{border-left-color:var(--hn-bad)}
.hn-plan .hn-note.hn-calm{border-left-color:var(--hn-calm)}
.hn-plan code{font-family:var(--jp-code-font-family,monospace);background:transparent;color:inherit;
border:1px solid var(--hn-edge);border-radius:3px;padding:1px 5px;white-space:pre-wrap;
overflow-wrap:anywhere}
.hn-plan summary{cursor:pointer}
"""


def card(
    file: PlanFile,
    *,
    whole: PlanFile,
    lines: Sequence[Line],
    places: RowPlaces,
    checksum: str,
    pace: Pace,
    how: Sequence[str],
    most: int,
) -> str:
    """The card of what `file` shows of the `whole` plan.

    `how` are the ways to apply it that are told, `most` the steps of an action that are listed.
    """
    parts = (
        _head(whole, checksum, pace),
        _tiles(lines),
        _summary(lines),
        _cautions(file, places, most),
        _updates(file, places, most),
        *(_listed(file, action, places, most) for action in _FOLDED),
        _obstacles(file, places, most),
        _foot(whole, how, checksum),
    )
    return f'<div class="hn-plan"><style>{_STYLE}</style>{"".join(parts)}</div>'


def _text(value: object) -> str:
    return escape(single_line(str(value)))


def _head(file: PlanFile, checksum: str, pace: Pace) -> str:
    head = file.header
    takes = overview.pace_text(file, pace)
    return (
        f"<p><b>Plan {_text(checksum[:8])}</b> of {_text(head.input_name)}</p>"
        f"<p><small>for {_text(head.account_sid)} at {_text(head.base_url)} ({_text(head.dialect)}); "
        f"{_text(overview.sums_text(file, pace))}{'; ' if takes else ''}{_text(takes)}</small></p>"
    )


def _tiles(lines: Iterable[Line]) -> str:
    tiles = (
        f'<div class="hn-tile hn-{_TONES[line.action]}"><b>{line.count:,}</b>{_text(line.action)}</div>'
        for line in lines
    )
    return f'<div class="hn-tiles">{"".join(tiles)}</div>'


def _summary(lines: Iterable[Line]) -> str:
    rows = (
        f'<tr><td class="hn-n">{line.count:,} ×</td><td>{_text(line.action)}</td>'
        f"<td>{_text(line.what)}</td></tr>"
        for line in lines
    )
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _cautions(file: PlanFile, places: RowPlaces, most: int) -> str:
    found = overview.cautions(file)
    notes = (
        f'<p class="hn-note{" hn-bad" if one.grave else ""}"><b>Warning</b> '
        f"{_text(one.action)} of {_text(places.several(one.rows))}: {_text(one.risk)}</p>"
        for one in found[:most]
    )
    return f"{''.join(notes)}{_more(len(found), most)}"


def _updates(file: PlanFile, places: RowPlaces, most: int) -> str:
    """Field by field, before and after; a step's row and number stand in its first line."""
    steps = overview.grave_first(step for step in file.steps if step.action is Action.UPDATE)
    if not steps:
        return ""
    rows = []
    some = PlanFile(file.header, tuple(steps[:most]), ())
    for (row, number), fields in groupby(
        overview.changes(some), key=lambda one: (one.row, one.phone_number)
    ):
        place, named = places.short(row), number
        for one in fields:
            rows.append(
                f'<tr>{_place(place)}<td class="hn-t">{_text(named)}</td>'
                f'<td class="hn-t">{_text(one.field)}</td><td><del>{_text(one.before)}</del></td><td>→</td>'
                f"<td><ins>{_text(one.after)}</ins></td></tr>"
            )
            place = named = ""
    bare = all(places.short(step.row).isdecimal() for step in some.steps)
    head = (
        f'<tr><th class="hn-{"n" if bare else "p"}">row</th><th>number</th><th>field</th><th>before</th>'
        "<th></th><th>after</th></tr>"
    )
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
    return f"<h4>Updates</h4>{table}{_more(len(steps), most)}"


def _place(place: str) -> str:
    """The cell of a row's number, or of its whole place, which may take two lines."""
    return f'<td class="hn-{"n" if place.isdecimal() else "p"}">{_text(place)}</td>'


def _listed(file: PlanFile, action: Action, places: RowPlaces, most: int) -> str:
    """The first steps of an action, each in one line, folded away; those of a grave risk first."""
    steps = overview.grave_first(step for step in file.steps if step.action is action)
    if not steps:
        return ""
    rows = []
    for step in steps[:most]:
        some = PlanFile(file.header, (step,), ())
        fields = "; ".join(f"{one.field} {one.after}" for one in overview.changes(some))
        when = step.precondition.get("not_before")
        if when:
            fields = f"wave {step.precondition['wave']}, from {moment(str(when))}"
        grave = ' class="hn-grave"' if overview.is_grave(step.risk) else ""
        rows.append(
            f"<tr{grave}>{_place(places.short(step.row))}"
            f'<td class="hn-t">{_text(step.phone_number)}</td><td>{_text(step.group or "")}</td>'
            f'<td class="hn-w">{_text(fields)}</td></tr>'
        )
    table = f"<table><tbody>{''.join(rows)}</tbody></table>"
    return (
        f"<h4>{overview.TITLES[action]}</h4><details><summary>{len(steps):,} in all</summary>"
        f"{table}{_more(len(steps), most)}</details>"
    )


def _obstacles(file: PlanFile, places: RowPlaces, most: int) -> str:
    found = overview.obstacles(file, *overview.WITHOUT_STEP)
    if not found:
        return ""
    notes = (
        f'<p class="hn-note hn-{_TONES[str(one.verdict)]}"><b>{_text(str(one.verdict).capitalize())}</b> '
        f"{_text(one.code)} ({_text(places.several(one.rows))}){': ' if one.note else ''}"
        f"{_text(one.note)}</p>"
        for one in found[:most]
    )
    return f"<h4>Rows without a step</h4>{''.join(notes)}{_more(len(found), most)}"


def _more(count: int, most: int) -> str:
    return f"<p><small>… and {count - most:,} more</small></p>" if count > most else ""


def _foot(file: PlanFile, how: Sequence[str], checksum: str) -> str:
    if not file.steps:
        return "<h4>Nothing to do: no request would be sent.</h4>"
    ways = "".join(f"<p><code>{_text(way)}</code></p>" for way in how)
    told = (
        "<h4>Nothing has been sent. To apply exactly this:</h4>"
        if ways
        else "<h4>Nothing has been sent.</h4>"
    )
    return f"{told}{ways}<p><small>checksum {_text(checksum)}</small></p>"
