"""What a plan comes to, as a person asks: how many of what, what changes, what stands in the way.

Plain values made from the plan file alone, for a page, a terminal or a frame to show. Texts of
the service and of files are on one line and without control signs here; nothing is escaped.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hnbulk.looks import most_requests, writes
from hnbulk.moved import CHANGED
from hnbulk.plaintext import single_line
from hnbulk.planfile import PlanFile, PlanRow, PlanRows
from hnbulk.rowplaces import BLANK
from hnbulk.settings import Pace
from hnbulk.steps import Action, Step, Verdict
from hnbulk.wording import count_text, duration_text

#: The verdicts of rows that a person has to look at, the gravest first.
WITHOUT_STEP = (Verdict.CONFLICT, Verdict.BLOCKED, Verdict.SET_ASIDE)
TITLES = {
    Action.CREATE: "Creates",
    Action.UPDATE: "Updates",
    Action.VERIFY: "Calls",
    Action.CANCEL: "Cancels",
    Action.AUTHORIZE: "Letters",
}
_AS_WANTED = "already as wanted"
# Which rows a note names besides its own; the same reason for other rows is one obstacle.
_OTHER_ROWS = re.compile(r" \((?:rows? [0-9][0-9, ]*|.*, row [0-9]+)(?: and [0-9,]+ more)?\)$")
# Never echoed by the API (reference page, properties): they can be set but not compared.
_WRITE_ONLY = ("sms_", "status_callback_")
# Fields worth a word when creates share them or not: one, many.
_SHARED = {
    "sms_url": ("SMS URL", "SMS URLs"),
    "sms_application_sid": ("SMS application", "SMS applications"),
    "status_callback_url": ("status callback", "status callbacks"),
    "address_sid": ("address", "addresses"),
    "email": ("signer", "signers"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the summary: an action or verdict, how often, and what is in it."""

    action: str
    count: int
    what: str


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """One field of one step; `before` and `after` are texts to show."""

    row: int | None
    action: str
    phone_number: str
    field: str
    before: str
    after: str
    risk: str | None


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Rows that have no step for one reason."""

    verdict: Verdict
    code: str
    note: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Caution:
    """A risk and the steps that carry it; a `grave` one is to be looked at first."""

    action: str
    risk: str
    rows: tuple[int, ...]
    grave: bool


def lines(plan: PlanFile) -> list[Line]:
    """The summary: each action with what its steps share, then each other verdict by code."""
    steps = {action: [step for step in plan.steps if step.action is action] for action in Action}
    dependent = [step for step in steps[Action.UPDATE] if step.sid is None]
    updates = [step for step in steps[Action.UPDATE] if step.sid is not None]
    rows: dict[Verdict, list[str]] = {verdict: [] for verdict in WITHOUT_STEP}
    for row in plan.rows_left(*WITHOUT_STEP):
        rows[row.verdict].append(row.code or "")
    both = [
        Line("create", len(steps[Action.CREATE]), _creates(steps[Action.CREATE])),
        Line("update", len(updates), _fields(updates)),
        Line("update", len(dependent), f"{_fields(dependent)}, once the order is created"),
        Line("cancel", len(steps[Action.CANCEL]), _counted(_statuses(steps[Action.CANCEL]))),
        Line("verify", len(steps[Action.VERIFY]), _calls(steps[Action.VERIFY])),
        Line("authorize", len(steps[Action.AUTHORIZE]), _letters(steps[Action.AUTHORIZE])),
        _nothing(plan),
        *(
            Line(str(verdict), len(rows[verdict]), _counted(rows[verdict]))
            for verdict in (Verdict.BLOCKED, Verdict.CONFLICT, Verdict.SET_ASIDE)
        ),
    ]
    return [line for line in both if line.count]


def _nothing(plan: PlanFile) -> Line:
    """The rows that need nothing, and of how many that is no longer sure."""
    if isinstance(plan.rows, PlanRows):  # made just now
        return Line("nothing", plan.count(Verdict.NOTHING), _AS_WANTED)
    codes = Counter(row.code for row in plan.rows if row.verdict is Verdict.NOTHING)
    changed = f" when compared; {codes[CHANGED]:,} changed since" if codes[CHANGED] else ""
    return Line("nothing", codes.total(), f"{_AS_WANTED}{changed}")


def changes(plan: PlanFile, *actions: Action) -> Iterator[Change]:
    """Field by field, the steps of these actions (of all, where none is named)."""
    for step in plan.steps:
        if actions and step.action not in actions:
            continue
        names = step.after or {"status": None}
        for name in names:
            yield Change(
                row=step.row,
                action=str(step.action),
                phone_number=step.phone_number,
                field=name,
                before=shown(step.before.get(name)),
                after=_after(step, name),
                risk=step.risk,
            )


def told_apart(steps: Sequence[Step], most: int) -> Iterator[str]:
    """The first `most` creates in few words: the name, then a grave risk, else what not all of them share.

    Sids and our own unique name tell a person nothing and are left out.
    """
    fields = {name for step in steps for name in step.after if name != "unique_name"}
    fields = {name for name in fields if not name.endswith("_sid")}
    first = steps[0].after if steps else {}
    apart = {name for name in fields if any(step.after.get(name) != first.get(name) for step in steps)}
    for step in steps[:most]:
        told = [shown(step.after["friendly_name"])] if "friendly_name" in step.after else []
        if step.risk is not None and is_grave(step.risk):
            told.append(single_line(step.risk).removeprefix("high:").strip())
        else:
            names = [name for name in step.after if name in apart or (len(steps) == 1 and name in fields)]
            names.sort(key=lambda name: name == "cc_emails")  # the longest, which says least
            told += [f"{name} {shown(step.after[name])}" for name in names if name != "friendly_name"]
        yield "; ".join(told)


def obstacles(plan: PlanFile, *verdicts: Verdict) -> list[Obstacle]:
    """The rows without a step, together where their reason is the same; the most frequent first."""
    grouped: dict[tuple[Verdict, str, str], list[PlanRow]] = {}
    for row in plan.rows_left(*verdicts):
        key = (row.verdict, row.code or "", _OTHER_ROWS.sub("", single_line(row.note or "")))
        grouped.setdefault(key, []).append(row)
    found = [Obstacle(*key, tuple(row.row for row in rows)) for key, rows in grouped.items()]
    return sorted(found, key=lambda one: (verdicts.index(one.verdict), -len(one.rows), one.code))


def cautions(plan: PlanFile) -> list[Caution]:
    """Each risk with the rows that carry it; the grave ones first, and of those the cancels."""
    grouped: dict[tuple[str, str], list[int]] = {}
    for step in plan.steps:
        if step.risk:
            grouped.setdefault((str(step.action), single_line(step.risk)), []).append(step.row or 0)
    found = [Caution(*key, tuple(rows), is_grave(key[1])) for key, rows in grouped.items()]
    return sorted(found, key=lambda one: (not one.grave, one.action != Action.CANCEL, -len(one.rows)))


def is_grave(risk: str | None) -> bool:
    """The risk begins with `high:`: what it warns of cannot be undone, or diverts what others send."""
    return risk is not None and risk.startswith("high:")


def grave_first(steps: Iterable[Step]) -> list[Step]:
    """The same steps, those of a grave risk before the others."""
    return sorted(steps, key=lambda step: not is_grave(step.risk))


def only(plan: PlanFile, names: Collection[str]) -> PlanFile:
    """The part of the plan to be shown where only these actions and verdicts are asked for."""
    steps = tuple(step for step in plan.steps if str(step.action) in names)
    return PlanFile(plan.header, steps, tuple(row for row in plan.rows if str(row.verdict) in names))


def duration(plan: PlanFile, rate: float) -> float:
    """Seconds its requests take at `rate` a second, reads too."""
    return most_requests(plan, rate) / rate


def pace_text(plan: PlanFile, pace: Pace) -> str:
    """`about 7 min at 5/s; ...`; nothing where no rate says how long it takes.

    The hours of phones say when calls are placed, and without a ceiling the service does.
    """
    if pace.rate is None or not plan.steps or calls(plan):
        return ""
    told = f"about {duration_text(max(1, duration(plan, pace.rate)))} at {pace.rate:g}/s"
    return f"{told}; up to {duration_text(pace.settle)} more where a reply is lost" if pace.settle else told


def sums_text(plan: PlanFile, pace: Pace) -> str:
    """`40 rows, 38 changes, up to 79 requests, read 2026-01-05 15:00 UTC`; of calls, how many ring."""
    what = count_text(calls(plan), "phone call") if calls(plan) else count_text(writes(plan), "change")
    most = f", up to {count_text(most_requests(plan, pace.rate), 'request')}" if plan.steps else ""
    return f"{count_text(len(plan.rows), 'row')}, {what}{most}, read {moment(plan.header.read_at)}"


def calls(plan: PlanFile) -> int:
    """How many phones would ring."""
    return sum(step.action is Action.VERIFY for step in plan.steps)


def command(plan: PlanFile, checksum: str, path: Path | None = None) -> str:
    """The exact command that applies the plan in `path`."""
    name = shlex.quote(str(path)) if path else "PLAN"
    more = f" --place-calls {calls(plan)}" if calls(plan) else ""
    return f"hnbulk apply {name} --approve {checksum[:8]}{more}"


def shown(value: Any) -> str:
    """A value of a step as one line of text; a blank as `–`."""
    if value is None or value == "" or value == []:
        return BLANK
    if isinstance(value, (list, tuple)):
        return ", ".join(single_line(str(part)) for part in value)
    return single_line(str(value))


def _after(step: Step, name: str) -> str:
    if step.action is Action.CANCEL:
        return "deleted"
    value = shown(step.after.get(name))
    return f"set to {value}" if name.startswith(_WRITE_ONLY) else value


def _creates(steps: Sequence[Step]) -> str:
    parts = []
    for name, (one, many) in _SHARED.items():
        given = Counter(str(step.after[name]) for step in steps if name in step.after)
        if given:
            without = len(steps) - given.total()
            what = f"same {one}" if len(given) == 1 else f"{len(given):,} {many}"
            parts.append(f"{what} ({without:,} without)" if without else what)
    again = sum(bool(step.precondition.get("generation")) for step in steps)
    if again:
        parts.append(f"{again:,} again after a failed order")
    return "; ".join(parts)


def _fields(steps: Sequence[Step]) -> str:
    return _counted(name for step in steps for name in step.after)


def _statuses(steps: Sequence[Step]) -> Iterable[str]:
    return (str(step.precondition.get("status", "")) for step in steps)


def _calls(steps: Sequence[Step]) -> str:
    if not steps:
        return ""
    waves = len({step.precondition["wave"] for step in steps})
    first = min(step.precondition["not_before"] for step in steps)
    last = max(step.precondition["not_before"] for step in steps)
    many = f"{waves} wave{'s' if waves > 1 else ''}"
    return f"{many}, from {moment(first)}" + (f" to {moment(last)}" if last != first else "")


def moment(iso: str) -> str:
    """`2026-01-05T15:00:00+00:00` as `2026-01-05 15:00 UTC`."""
    return f"{iso[:10]} {iso[11:16]} UTC"


def _letters(steps: Sequence[Step]) -> str:
    letters = len({step.group for step in steps})
    return f"{letters:,} letter{'s' if letters > 1 else ''}, mailed at once"


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{word or 'no reason'} {count:,}" for word, count in Counter(words).most_common())
