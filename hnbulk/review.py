"""A plan as a person holds it: it shows itself, as text and in a notebook, and says how to apply it.

The plan is its owner's own, so phone numbers are whole. Everything shown is escaped, without
scripts and without anything loaded from elsewhere. Nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from textwrap import wrap
from typing import Any

import pandas as pd

from hnbulk import overview
from hnbulk.errors import UsageError
from hnbulk.looks import most_requests, writes
from hnbulk.overview import Change, Line, moment
from hnbulk.plaintext import single_line
from hnbulk.plancard import card
from hnbulk.planfile import PlanFile, load_plan
from hnbulk.plannote import note
from hnbulk.rowplaces import BLANK, RowPlaces
from hnbulk.settings import REAL_PACE, Pace, pace_for
from hnbulk.steps import Action, Verdict
from hnbulk.wording import count_text

WIDTH = 100
MOST = 12  # steps shown in full
_VALUE = 25  # columns for each of two values in a line
#: What a plan can be narrowed to: its actions, and the verdicts of rows without a step.
NAMES = (*map(str, Action), *(str(verdict) for verdict in Verdict if verdict is not Verdict.PLANNED))


class Plan:
    """One plan. `file` is what is applied; the rest is for looking at it.

    `pace` is that of the account it is for, by which its time is told: its address's, where none is given.
    """

    def __init__(
        self,
        file: PlanFile,
        *,
        path: Path | None = None,
        pace: Pace | None = None,
        names: Collection[str] = NAMES,
    ) -> None:
        self.file = file
        self.path = path
        self.pace = pace or _pace_of(file)
        self._names = frozenset(names)
        self._seen = overview.only(file, self._names) if self._narrowed else file

    def only(self, *names: str) -> Plan:
        """The same plan, showing nothing but these actions (`create`, `creates`) and verdicts (`blocked`).

        Sums, checksum and the ways to apply it are still the whole plan's. Raises `UsageError` for
        a name that is neither.
        """
        names = tuple(name if name in NAMES else name.removesuffix("s") for name in names)
        wrong = sorted(set(names) - set(NAMES))
        if wrong or not names:
            named = f"{wrong[0]!r} is no action or verdict" if wrong else "nothing was named"
            raise UsageError(f"{named}; a plan can show only: {', '.join(NAMES)}.")
        return Plan(self.file, path=self.path, pace=self.pace, names=names)

    @cached_property
    def places(self) -> RowPlaces:
        """How its rows are named: of several lists by file and sheet too."""
        return RowPlaces.of(self.file)

    @property
    def _narrowed(self) -> bool:
        return self._names != frozenset(NAMES)

    @property
    def checksum(self) -> str:
        """SHA-256 (hex) of what would be sent; its first eight characters approve the plan."""
        return self._checksum

    @cached_property
    def _checksum(self) -> str:
        return self.file.checksum

    @property
    def writes(self) -> int:
        """How many POST and DELETE requests this sends when all goes well; a letter is one."""
        return writes(self.file)

    @property
    def requests(self) -> int:
        """How many requests this makes at most when all goes well, at the pace: each order is read again
        before it is changed, and its number afterwards."""
        return most_requests(self.file, self.pace.rate)

    @property
    def calls(self) -> int:
        """How many phones ring."""
        return overview.calls(self.file)

    def duration(self, rate: float | None) -> float:
        """Seconds the run takes at `rate` requests a second; 0 without a ceiling.

        Reads count too. Requests in doubt and the hours of phones come on top.
        """
        return overview.duration(self.file, rate) if rate else 0.0

    @cached_property
    def lines(self) -> list[Line]:
        """The summary as values; where only what the plan does not have is shown, that."""
        asked = [name for name in NAMES if name in self._names] if self._narrowed else []
        return overview.lines(self._seen) or [Line(name, 0, "none in this plan") for name in asked]

    @property
    def summary(self) -> pd.DataFrame:
        """`action, count, what`: each action, then each verdict without a step."""
        frame = pd.DataFrame([asdict(line) for line in self.lines], columns=["action", "count", "what"])
        return frame.astype({"action": "string", "count": "int64", "what": "string"})

    @property
    def changes(self) -> pd.DataFrame:
        """`row, action, phone_number, field, before, after, risk`: every field of every step."""
        names = list(Change.__dataclass_fields__)
        cells = [tuple(getattr(one, name) for name in names) for one in overview.changes(self._seen)]
        frame = pd.DataFrame(cells, columns=names)
        return frame.astype({"row": "Int64", **dict.fromkeys(names[1:], "string")})

    def as_json(self, *, whole: bool = False) -> dict[str, Any]:
        """The plan as one JSON document: summary, obstacles and warnings; with `whole`, every step too.

        `seconds` is the time of the run at `rate` requests a second; null where the service or the
        hours of phones say how long it takes.
        """
        head = self.file.header
        return {
            "checksum": self.checksum,
            "input": head.input_name,
            "account_sid": head.account_sid,
            "base_url": head.base_url,
            "dialect": head.dialect,
            "read_at": head.read_at,
            "rows": len(self.file.rows),
            "changes": self.writes,
            "requests": self.requests,
            "calls": self.calls,
            "rate": self.pace.rate,
            "seconds": self.duration(self.pace.rate) if self.pace.rate and not self.calls else None,
            "counts": self.file.counts,
            "summary": [asdict(line) for line in self.lines],
            "obstacles": [asdict(one) for one in overview.obstacles(self._seen, *overview.WITHOUT_STEP)],
            "warnings": [asdict(one) for one in overview.cautions(self._seen)],
            **({"steps": [step.as_line() for step in self._seen.steps]} if whole else {}),
        }

    def save(self, path: Path | str) -> Path:
        """`path` holds the plan, 0600, ready for `hnbulk apply`. Raises `UsageError`."""
        self.path = Path(path)
        self.file.save(self.path)
        return self.path

    @classmethod
    def load(cls, path: Path | str) -> Plan:
        """The plan in `path`, its checksum proved. Raises `UsageError`, `PlanAltered`."""
        return cls(load_plan(Path(path)), path=Path(path))

    @property
    def command(self) -> str:
        """The exact command that applies this plan."""
        return overview.command(self.file, self.checksum, self.path)

    @property
    def call(self) -> str:
        """The same in Python."""
        calls = overview.calls(self.file)
        more = f", place_calls={calls}" if calls else ""
        return f'account.apply(plan, approve="{self.checksum[:8]}"{more})'

    def __repr__(self) -> str:
        return f"Plan({self.checksum[:8]}, {self.file.counts})"

    def text(self, *, whole: bool = False) -> str:
        """The plan in lines of at most `WIDTH` columns, without the ways to apply it.

        The first steps of each kind are told: creates in one line each, the others field by field.
        With `whole`, every step is told field by field, letters too, and no value is cut.
        """
        most, seen, places = self._most(whole), self._seen, self.places
        told: tuple[Action, ...] = (Action.UPDATE, Action.CANCEL)
        if whole or self._narrowed:
            told = (Action.CREATE, *told, Action.AUTHORIZE)
        parts = (
            _head(self.file, self.checksum, self.pace),
            _summary(self.lines),
            [] if Action.CREATE in told else _creates(seen, places, most),
            *(_changes(seen, action, places, most, whole=whole) for action in told),
            _calls(seen, most),
            _obstacles(seen, places, most),
            _cautions(seen, places, most),
        )
        cut = single_line if whole else _cut
        texts = ["\n".join(cut(line) for line in part) for part in parts if part]
        return "\n\n".join(
            texts if self.file.steps else [*texts, "Nothing to do: no request would be sent."]
        )

    def __str__(self) -> str:
        ways = [self.command] if self.path else [self.call, self.command]
        told = "\n  ".join(["Nothing has been sent. To apply exactly this:", *ways])
        return f"{self.text()}\n\n{told}" if self.file.steps else self.text()

    def _repr_html_(self) -> str:
        return self.card(how=(self.command, self.call))

    def card(self, *, how: Sequence[str] = (), whole: bool = False) -> str:
        """The plan as HTML; `how` are the ways to apply it that are told, none where others are at hand.

        The first steps of each kind are listed; with `whole`, every step is.
        """
        return card(
            self._seen,
            whole=self.file,
            lines=self.lines,
            places=self.places,
            checksum=self.checksum,
            pace=self.pace,
            how=how,
            most=self._most(whole),
        )

    def markdown(self, *, whole: bool = False) -> str:
        """The plan as Markdown, for a pull request, a ticket or a mail; what it lists is as for `text`."""
        return note(
            self._seen,
            whole=self.file,
            lines=self.lines,
            places=self.places,
            checksum=self.checksum,
            pace=self.pace,
            how=[self.command],
            most=self._most(whole),
            brief=not whole and not self._narrowed,
        )

    def _most(self, whole: bool) -> int:
        return len(self.file.steps) + len(self.file.rows) if whole else MOST


def _pace_of(file: PlanFile) -> Pace:
    try:
        return pace_for(file.header.base_url)
    except ValueError:  # no address at all, so no run either
        return REAL_PACE


def _head(file: PlanFile, checksum: str, pace: Pace) -> list[str]:
    head = file.header
    takes = overview.pace_text(file, pace)
    return [
        f"Plan {checksum[:8]} of {head.input_name}",
        f"for {head.account_sid} at {head.base_url} ({head.dialect})",
        overview.sums_text(file, pace),
        *([takes] if takes else []),
    ]


def _summary(lines: Sequence[Line]) -> list[str]:
    wide = max((len(f"{line.count:,}") for line in lines), default=0)
    return [f"  {line.count:>{wide},} × {line.action:<10} {line.what}".rstrip() for line in lines]


def _creates(file: PlanFile, places: RowPlaces, most: int) -> list[str]:
    """The first creates, each in one line with what tells it from the others; `only` has every field."""
    steps = overview.grave_first(step for step in file.steps if step.action is Action.CREATE)
    text = [overview.TITLES[Action.CREATE]]
    table = ""
    for step, what in zip(steps, overview.told_apart(steps, most), strict=False):
        table = _at_table(text, table, places.table(step.row))
        mark = "!" if overview.is_grave(step.risk) else " "
        place = f"{'  ' if table else ''}row {places.number(step.row)}"
        text.append(f"{mark} {place:<9} {step.phone_number:<13} {what}".rstrip())
    if len(steps) > most:
        text.append(f"  … and {len(steps) - most:,} more (hnbulk show --all)")
    return text if steps else []


def _changes(file: PlanFile, action: Action, places: RowPlaces, most: int, *, whole: bool) -> list[str]:
    """The first steps of an action, field by field, aligned; those of a grave risk first, with a `!`."""
    steps = overview.grave_first(step for step in file.steps if step.action is action)
    some = PlanFile(file.header, tuple(steps[:most]), ())
    text = [overview.TITLES[action]]
    last: tuple[int | None, str] | None = None
    table = ""
    for one in overview.changes(some):
        own = (one.row, one.phone_number)
        if own != last:
            table = _at_table(text, table, places.table(one.row))
        indent = "  " if table else ""
        place = indent if own == last else f"{indent}row {places.number(one.row)}"
        number = "" if own == last else one.phone_number
        mark = "!" if own != last and overview.is_grave(one.risk) else " "
        both = (one.before, one.after) if whole else _both(one.before, one.after)
        field = f"{one.field:<17} {' → '.join(both)}"
        text.append(f"{mark} {place:<9} {number:<13} {field}")
        last = own
    if len(steps) > most:
        text.append(f"  … and {len(steps) - most:,} more (hnbulk show --all)")
    return text if steps else []


def _at_table(text: list[str], last: str, table: str) -> str:
    """The table whose rows come next; where it is another one than before, `text` has its name."""
    if table != last:
        text.append(f"  {table}" if table else "  other rows")
    return table


def _calls(file: PlanFile, most: int) -> list[str]:
    """The first calls: which phone may ring, in which wave, between which times."""
    calls = [step for step in file.steps if step.action is Action.VERIFY]
    text = ["Calls"] if calls else []
    for step in calls[:most]:
        when = [moment(str(step.precondition.get(name, ""))) for name in ("not_before", "not_after")]
        wave = f"wave {step.precondition.get('wave', BLANK)}"
        text.append(f"  {wave:<9} {step.phone_number:<13} between {when[0]} and {when[1]}")
    if len(calls) > most:
        text.append(f"  … and {len(calls) - most:,} more (hnbulk show --all)")
    return text


def _obstacles(file: PlanFile, places: RowPlaces, most: int) -> list[str]:
    text: list[str] = []
    found = overview.obstacles(file, *overview.WITHOUT_STEP)
    for one in found[:most]:
        title = f"{str(one.verdict).capitalize()}: {one.code} ({places.several(one.rows)})"
        text += wrap(title, WIDTH - 2, subsequent_indent="  ")
        text += wrap(one.note, WIDTH - 4, initial_indent="  ", subsequent_indent="  ")
    if len(found) > most:
        text.append(f"… and {count_text(len(found) - most, 'more reason')}")
    return text


def _cautions(file: PlanFile, places: RowPlaces, most: int) -> list[str]:
    text: list[str] = []
    found = overview.cautions(file)
    for one in found[:most]:
        line = f"Warning: {one.action} of {places.several(one.rows)}: {one.risk}"
        text += wrap(line, WIDTH - 2, subsequent_indent="  ")
    if len(found) > most:
        text.append(f"… and {len(found) - most:,} more warnings")
    return text


def _both(before: str, after: str) -> tuple[str, str]:
    """Both values in one line; where they are long, from a little before what differs."""
    if len(before) + len(after) <= 2 * _VALUE:
        return before, after
    same = next(
        (n for n, (one, other) in enumerate(zip(before, after, strict=False)) if one != other),
        min(len(before), len(after)),
    )
    start = min(max(0, same - 8), max(len(before), len(after)) - _VALUE + 1)
    told = [f"…{value[start:]}" if start > 1 else value for value in (before, after)]
    # what one of them does not need, the other has
    one, other = (max(_VALUE, 2 * _VALUE - len(value)) for value in reversed(told))
    return _short(told[0], one), _short(told[1], other)


def _short(value: str, most: int) -> str:
    return value if len(value) <= most else f"{value[: most - 1]}…"


def _cut(line: str) -> str:
    line = single_line(line)
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
