"""The plan file: what passes between the tables and the runs, and what a person approves by its checksum.

JSON Lines: a header, then `step` lines (what would be sent) and `row` lines (each input row with
its own cells, and why it has no step where it has none), so that results can be written from the
plan and the journal alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from hnbulk.errors import PlanAltered, UsageError
from hnbulk.files import write_private
from hnbulk.lines import Lines, Made, Raw
from hnbulk.steps import Action, Step, Verdict, canonical

FORMAT = 1
#: How every saved plan begins: the first key of its header.
_BEGINNING = b'{"account_sid":'


class Goal(StrEnum):
    """What a plan wants of the numbers in its input."""

    LISTED = "listed"  # orders as the rows say
    CANCELED = "canceled"  # no live order


@dataclass(frozen=True, slots=True, repr=False)
class PlanRow:
    """One input row as it came, and what the plan decided for it.

    `code` and `note` say why a row has no step (`set_aside` holds the code where the row was
    set aside); `sid`, `status` and `updated` (ISO 8601, UTC; to the second) are those of the live
    order it was compared with.
    """

    row: int
    cells: Mapping[str, str]
    verdict: Verdict
    code: str | None = None
    note: str | None = None
    sid: str | None = None
    status: str | None = None
    updated: str | None = None

    @property
    def set_aside(self) -> str | None:
        """The code for which the row was set aside; None where it was not."""
        return self.code if self.verdict is Verdict.SET_ASIDE else None

    def as_line(self) -> dict[str, Any]:
        """The row as its line in the plan file."""
        return {
            "kind": "row",
            "row": self.row,
            "cells": dict(self.cells),
            "verdict": str(self.verdict),
            "set_aside": self.set_aside,
            "code": self.code,
            "note": self.note,
            "sid": self.sid,
            "status": self.status,
            **({"updated": self.updated} if self.updated else {}),
        }

    def __repr__(self) -> str:
        return f"PlanRow({self.row}, {self.verdict}, {self.code})"


#: Every verdict, in an order that never changes while a program runs.
VERDICTS = tuple(Verdict)


class PlanRows(Made[PlanRow]):
    """Rows that are made when they are asked for, and whose verdicts are known without that.

    `codes` has a byte for each row, the place of its verdict in `VERDICTS`; `walk` makes one row after
    the other, which is quicker than each by itself.
    """

    def __init__(
        self,
        count: int,
        make: Callable[[int], PlanRow],
        codes: Callable[[], bytes],
        walk: Callable[[], Iterator[PlanRow]],
    ) -> None:
        super().__init__(count, make)
        self.codes = codes
        self._walk = walk

    def __iter__(self) -> Iterator[PlanRow]:
        return self._walk()


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """What a plan was made from. `read_at` is the world time of the reading it compares with."""

    dialect: str
    base_url: str
    account_sid: str
    input_hash: str
    input_name: str
    columns: tuple[str, ...]  # the user's own columns, in their order
    made_at: str  # ISO 8601, UTC
    read_at: str  # ISO 8601, UTC
    snapshot_id: str | None = None
    format: int = FORMAT
    goal: Goal = Goal.LISTED
    mapping: Mapping[str, str | None] | None = None  # column to field, where a person said it


@dataclass(frozen=True, slots=True, repr=False)
class PlanFile:
    """A whole plan: header, steps sorted by row and action, and every input row.

    The checksum covers format, dialect, account, input hash and the sorted steps; not the
    address, the snapshot or any time: the same input against the same state gives the same.
    """

    header: PlanHeader
    steps: Sequence[Step]
    rows: Sequence[PlanRow]
    _checksum: str = field(default="", init=False, compare=False)

    @property
    def checksum(self) -> str:
        """SHA-256 (hex, 64 characters); its first eight are what a person approves."""
        if not self._checksum:  # a plan never changes: once is enough
            object.__setattr__(self, "_checksum", _checksum(self.header, _lines(self.steps)))
        return self._checksum

    def rows_of_steps(self) -> Iterator[int | None]:
        """The input row of each step, in order; quicker than asking every step for it."""
        if isinstance(self.steps, Lines):
            return (_parse(text)["row"] for text in self.steps.texts())
        return (step.row for step in self.steps)

    def count(self, verdict: Verdict) -> int:
        """How many rows have this verdict; no row is made."""
        return self._codes().count(VERDICTS.index(verdict))

    def _codes(self) -> bytes:
        if isinstance(self.rows, PlanRows):
            return self.rows.codes()
        places = {verdict: place for place, verdict in enumerate(VERDICTS)}
        return bytes(places[row.verdict] for row in self.rows)

    def rows_left(self, *verdicts: Verdict) -> Iterator[PlanRow]:
        """The rows with one of these verdicts, in order; no other row is made."""
        if not isinstance(self.rows, PlanRows):
            yield from (row for row in self.rows if row.verdict in verdicts)
            return
        wanted = {VERDICTS.index(verdict) for verdict in verdicts}
        yield from (self.rows[n] for n, code in enumerate(self._codes()) if code in wanted)

    @property
    def counts(self) -> dict[str, int]:
        """How many steps of each action, then how many rows of each other verdict."""
        actions = Counter(str(step.action) for step in self.steps)
        codes = self._codes()
        others = {str(verdict): codes.count(place) for place, verdict in enumerate(VERDICTS)}
        del others[str(Verdict.PLANNED)]
        both = actions + Counter(others)
        return {str(name): both[str(name)] for name in (*Action, *VERDICTS) if both[str(name)]}

    def dumps(self) -> bytes:
        """The plan file's bytes."""
        head = {
            "kind": "header",
            **{
                name: value
                for name, value in asdict(self.header).items()
                if (name, value) != ("mapping", None)
            },
            "counts": self.counts,
            "rows": len(self.rows),
            "checksum": self.checksum,
        }
        lines = [canonical(head).encode(), *_lines(self.steps), *_lines(self.rows), b""]
        return b"\n".join(lines)

    def save(self, path: Path) -> None:
        """`path` holds this plan, 0600. Raises `UsageError` where it cannot be written."""
        write_private(path, self.dumps())

    def __repr__(self) -> str:
        return f"PlanFile({self.checksum[:8]}, {self.counts})"


def load_plan(path: Path) -> PlanFile:
    """The plan in `path`, its checksum proved.

    Raises `UsageError` where there is no readable file or it never was a plan, `PlanAltered`
    where it is cut, edited or of another format version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f"cannot read the plan {path}: {reason}. Name a plan that `hnbulk plan --out` wrote.",
            path=str(path),
        ) from None
    return loads_plan(content, name=str(path))


def loads_plan(content: Raw, *, name: str, kept: bool = False) -> PlanFile:
    """The plan in these bytes, its checksum proved; `name` is for messages.

    `kept`: they are as `dumps` wrote them, so that the checksum says enough: a line is read when it
    is asked for. Otherwise each is read once here. Raises `UsageError` where the bytes never were a
    plan, `PlanAltered` where they are not one any more.
    """
    if not _was_a_plan(content):
        raise UsageError(f"{name} is not a plan file; make one with `hnbulk plan`.", path=name)
    try:
        bounds = _bounds(content)
        head = _parse(content[slice(*next(bounds))])
        if head["kind"] != "header":
            raise ValueError("no header")
        if head["format"] != FORMAT:
            raise PlanAltered(
                f"{name} is a plan of format {head['format']!r}; this version reads {FORMAT}. "
                "Make it again with `hnbulk plan`.",
                path=name,
            )
        plan = _read_plan(_read_header(head), content, bounds, prove=not kept)
        whole = len(plan.rows) == head["rows"] and plan.checksum == head["checksum"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise PlanAltered(
            f"{name} is not a whole plan file. Make it again with `hnbulk plan`.", path=name
        ) from None
    if not whole:
        raise PlanAltered(
            f"{name} was altered after it was saved: its steps do not have its checksum. "
            "Make it again with `hnbulk plan`.",
            path=name,
        )
    return plan


def _was_a_plan(content: Raw) -> bool:
    """It begins as a plan does, however it goes on, or its first line is a header."""
    if content.startswith(_BEGINNING) or _BEGINNING.startswith(content):
        return True
    try:
        first = json.loads(content.partition(b"\n")[0])
    except ValueError:
        return False
    return isinstance(first, dict) and first.get("kind") == "header"


def _bounds(content: Raw) -> Iterator[tuple[int, int]]:
    """Where each line begins and ends."""
    start, last = 0, len(content) - content.endswith(b"\n")
    while (end := content.find(b"\n", start, last)) >= 0:
        yield start, end
        start = end + 1
    yield start, last


#: How `dumps` begins the line of a step: its first key.
_STEP = b'{"action":'


def _read_plan(
    header: PlanHeader, content: Raw, bounds: Iterator[tuple[int, int]], *, prove: bool
) -> PlanFile:
    """The plan of these lines, none of them kept as a value."""
    steps, rows = array("q"), array("q")
    for start, end in bounds:
        kind = _prove(content[start:end]) if prove else _kind(content, start)
        if kind == "step":
            steps.extend((start, end))
        elif kind == "row":
            rows.extend((start, end))
    return PlanFile(header, Lines(content, steps, _step_of), Lines(content, rows, _row_of))


def _kind(content: Raw, start: int) -> str:
    return "step" if content.startswith(_STEP, start) else "row"


def _prove(text: Raw) -> Any:
    """What kind of line it is; raises where it cannot be read."""
    line = _parse(text)
    if line["kind"] == "step":
        _, action, _, _, *mappings = _OF_STEP(line)
        _ACTIONS[action]
        if not all(type(value) is dict for value in mappings[:3]):
            raise TypeError("not a mapping")
    elif line["kind"] == "row":
        _read_row(line)
    return line["kind"]


def _lines(values: Sequence[Step] | Sequence[PlanRow]) -> Iterator[Raw]:
    """Their lines in the plan file: as they stand where they came from one."""
    if isinstance(values, Lines):
        return values.texts()
    return (canonical(value.as_line()).encode() for value in values)


def _checksum(head: PlanHeader, steps: Iterator[Raw]) -> str:
    covered = [head.format, head.dialect, head.account_sid, head.input_hash]
    digest = hashlib.sha256(canonical(covered).encode())
    for step in steps:
        digest.update(b"\n" + step)
    return digest.hexdigest()


def _parse(text: Raw) -> Any:
    """The JSON value of one line. Raises `ValueError`."""
    # past 64 bits orjson makes another number of an integer
    if _NINETEEN in text.translate(_DIGITS) and _LONG.search(text):
        return json.loads(text.decode())
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text.decode())


_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_NINETEEN = b"0" * 19  # looking for these first is quicker than the pattern alone
_LONG = re.compile(rb"[:,\[] ?-?[0-9]{19}")
_ACTIONS: Mapping[str, Action] = {str(action): action for action in Action}
_VERDICTS: Mapping[str, Verdict] = {str(verdict): verdict for verdict in Verdict}
_OF_STEP = itemgetter(*Step.__dataclass_fields__)
# older plans have no `updated`
_OF_ROW = itemgetter(*(name for name in PlanRow.__dataclass_fields__ if name != "updated"))


def _read_header(line: Mapping[str, Any]) -> PlanHeader:
    line = {"goal": Goal.LISTED, "mapping": None, **line}
    fields = {name: line[name] for name in PlanHeader.__dataclass_fields__}
    fields["columns"] = tuple(fields["columns"])
    fields["goal"] = Goal(fields["goal"])
    return PlanHeader(**fields)


def _step_of(text: Raw) -> Step:
    return _read_step(_parse(text))


def _row_of(text: Raw) -> PlanRow:
    return _read_row(_parse(text))


def _read_step(line: Mapping[str, Any]) -> Step:
    row, action, *others = _OF_STEP(line)
    return Step(row, _ACTIONS[action], *others)


def _read_row(line: Mapping[str, Any]) -> PlanRow:
    row, cells, verdict, code, note, sid, status = _OF_ROW(line)
    return PlanRow(row, cells, _VERDICTS[verdict], code, note, sid, status, line.get("updated"))
