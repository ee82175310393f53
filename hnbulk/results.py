"""What became of every input row: success, error or unprocessed, each row in exactly one.

Result files are written from the plan and the journal's endings alone, with the user's own
columns first. A cell that a spreadsheet would run as a formula is neutralised on the way out
and restored, exactly, on the way in. This module reads and writes no file.
"""

from __future__ import annotations

import csv
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hnbulk.lines import Made
from hnbulk.plaintext import neutralise, single_line
from hnbulk.planfile import PlanFile, PlanRow
from hnbulk.replies import ABOUT_THE_NUMBER
from hnbulk.steps import SEVERITY, Ending, State, Verdict

Part = Literal["success", "error", "unprocessed"]
Cells = dict[str, str]
PARTS: tuple[Part, ...] = ("success", "error", "unprocessed")

#: The columns added behind the user's own.
EXTRA_COLUMNS = (
    "hn_row",
    "hn_sid",
    "hn_status",
    "hn_error_code",
    "hn_error",
    "hn_next_step",
    "hn_retryable",
)

#: The columns that a list gets when it is given back annotated.
STAGE_DATE = "hn_stage_date"
ANNOTATED_COLUMNS = ("hn_status", "hn_sid", STAGE_DATE, "hn_next_step")

_STATE_PART: Mapping[State, Part] = {
    State.DONE: "success",
    State.PENDING: "unprocessed",
    State.IN_DOUBT: "unprocessed",
    State.STALE: "error",
    State.REFUSED: "error",
    State.CALL_UNKNOWN: "error",
    State.REVIEW: "error",
    State.CONFLICT: "error",
}
_VERDICT_PART: Mapping[Verdict, Part] = {
    Verdict.NOTHING: "success",
    Verdict.BLOCKED: "error",
    Verdict.CONFLICT: "error",
    Verdict.SET_ASIDE: "unprocessed",
    Verdict.PLANNED: "unprocessed",  # a row the plan gave no step after all
}

# What a person does next, by code; the code is the API's (error dictionary, 221xx) or our own.
_SUPPORT = "write to the service's support (hostedsms@twilio.com) with hn_sid"
_RETRY = "then plan again with --retry-refused"
NEXT_STEPS: Mapping[str, str] = {
    "22100": f"all verification attempts are used: {_SUPPORT}",
    "22101": "check that the orders are still verified, then make the letters again",
    "22102": f"correct the phone number, {_RETRY}",
    "22103": "only US and Canadian numbers can be hosted: take the row out",
    "22104": "correct the e-mail address, then plan again",
    "22105": "give a full https address, then plan again",
    "22106": "use GET or POST, then plan again",
    "22107": "the letter is signed or out for signature: look at it before changing it",
    "22108": f"check the application sid in this account, {_RETRY}",
    "22109": f"check the address sid in this account, {_RETRY}",
    "22110": f"the number cannot be hosted: check with the carrier, {_RETRY}",
    "22111": "read the orders again and make a new plan",
    "22112": f"the order cannot move from this status: {_SUPPORT}",
    "22113": "ask for the current code, or place a new call",
    "22114": "place a verification call first",
    "22115": "shorten unique_name to 128 characters, then plan again",
    "22116": "shorten friendly_name to 64 characters, then plan again",
    "22117": "use only digits, #, * and w in the extension, then plan again",
    "22118": f"check the verification document sid in this account, {_RETRY}",
    "22119": "only the SMS capability can be hosted: report this as a fault of hnbulk",
    "22120": "use phone-call or phone-bill, then plan again",
    "22122": "a letter can only be opened or sent for signature",
    "22123": "the phone could not be called: check that it takes calls, then make the calls again",
    "20404": "the order is gone: read the orders again and make a new plan",
    "20409": "something with this name or state exists: read the orders again and make a new plan",
    "20429": "the service was busy: run `hnbulk resume`",
    "action-required": _SUPPORT,
    "address-differs": "cancel the order and create it anew, or leave address_sid blank",
    "account-differs": "cancel the order and create it anew, or leave account_sid blank",
    "not-updatable": "leave the row as the order is: this status takes no changes",
    "not-cancelable": "wait, or ask the service's support: this status cannot be canceled",
    "two-live-orders": "find out which order is right and cancel the other by hand",
    "conflicting-rows": "keep one row for the number, then plan again",
    "duplicate-row": "nothing: the first row for the number counts",
    "duplicate-unique-name": "give each row its own unique_name or leave it blank, then plan again",
    "unique-name-taken": "choose another unique_name or leave it blank, then plan again",
    "not-due": "nothing now: the order's status takes no call",
    "called-recently": "wait ten minutes after the last call, then make the calls again",
    "last-attempt": "check that the phone is answered, then make the calls again with --last-attempt",
    "attempts-used": f"all verification attempts are used: {_SUPPORT}",
    "no-zone": "name the owner's time zone for toll-free numbers, then make the calls again",
    "phone-bill": "nothing to call: this order is verified by its phone bill",
    "moved": "plan this file again: the row is then compared with its order as it is now",
    "over-cap": "make the next calls after this run, or raise --max-calls",
    "not-verified": "verify ownership first",
    "no-address": "give --address-sid, or the address in the sheet when the order is created",
    "no-email": "give the signer's --email, or put it on the order",
}
_BY_STATE: Mapping[State, str] = {
    State.DONE: "",
    State.PENDING: "run `hnbulk resume`, or plan this file again",
    State.IN_DOUBT: "run `hnbulk resume`: it looks the order up before anything is sent",
    State.STALE: "the order changed since the plan was made: plan again",
    State.REFUSED: f"read hn_error, correct the row, {_RETRY}",
    State.CALL_UNKNOWN: "ask whether the phone rang; then make the calls again",
    State.REVIEW: "look at the number's orders (`hnbulk orders --phone-number`) before anything else",
    State.CONFLICT: "another order holds this number: see `hnbulk orders --phone-number`, decide by hand",
}
_BY_VERDICT: Mapping[Verdict, str] = {
    Verdict.PLANNED: "",
    Verdict.NOTHING: "",
    Verdict.BLOCKED: "read hn_error for the way out, then plan again",
    Verdict.CONFLICT: "resolve the contradiction, then plan again",
    Verdict.SET_ASIDE: "correct the row, then plan again; `hnbulk check` shows the rule",
}


#: Classes of rows that did not succeed, and what planning each of them again means.
ERROR_CLASSES: Mapping[str, str] = {
    "unsent": "never sent: they go out as they are",
    "busy": "the service was too busy: they go out as they are",
    "stale": "their orders had changed: they are compared with them as they are now",
    "refused-number": "the number was refused: refused again, unless its cause was cleared meanwhile",
    "refused-field": "what they ask for was refused: refused again; correct the rows in the list instead",
    "conflict": "another order is on the number: left alone again, unless that was decided meanwhile",
    "review": "it may have been done: look at the orders first; one that shows late would be doubled",
    "unknown": "the phone may have rung: ask first; another call uses another attempt",
    "in-doubt": "nobody knows yet: not planned again; `hnbulk resume` looks them up",
}
#: What may go out again as it is, without anybody doing anything before.
_AGAIN = {"unsent", "busy", "stale"}
_BUSY = {"20429", "status-429"}
_ABOUT_THE_NUMBER = {str(code) for code in ABOUT_THE_NUMBER}
_CLASS_BY_STATE: Mapping[State, str] = {
    State.PENDING: "unsent",
    State.IN_DOUBT: "in-doubt",
    State.STALE: "stale",
    State.CALL_UNKNOWN: "unknown",
    State.REVIEW: "review",
    State.CONFLICT: "conflict",
}


def error_class(ending: Ending) -> str | None:
    """The class of what did not succeed, a key of `ERROR_CLASSES`; None where it is done."""
    if ending.state is not State.REFUSED:
        return _CLASS_BY_STATE.get(ending.state)
    if ending.code in _BUSY:
        return "busy"
    if ending.code == "no-order":  # the step before it failed, and the row has that one's class
        return "unsent"
    return "refused-number" if ending.code in _ABOUT_THE_NUMBER else "refused-field"


def class_rows(plan: PlanFile, endings: Iterable[Ending]) -> dict[str, list[int]]:
    """The input rows of each error class, by their worst step; rows without a step are in none."""
    found: dict[str, list[int]] = {name: [] for name in ERROR_CLASSES}
    known = {ending.step: ending for ending in endings}
    for row, steps in sorted(_by_row(plan).items()):
        name = error_class(_worst(_became(steps, known)))
        if name is not None:
            found[name].append(row)
    return {name: rows for name, rows in found.items() if rows}


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """Every row of a plan, once, in one of three parts; cells are as the user wrote them."""

    columns: tuple[str, ...]
    success: Sequence[Cells]
    error: Sequence[Cells]
    unprocessed: Sequence[Cells]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each part has."""
        return {part: len(getattr(self, part)) for part in PARTS}

    def csv(self, part: Part) -> str:
        """One part as CSV text: header first, `\\n` line ends, formulas neutralised."""
        return "".join(self.lines(part))

    def lines(self, part: Part) -> Iterator[str]:
        """The same, line by line: those of a large run are never all there at once."""
        rows: Sequence[Cells] = getattr(self, part)
        sink = _Line()
        writer = csv.writer(sink, lineterminator="\r\n")
        writer.writerow([neutralise(name) for name in self.columns])
        for row in rows:
            yield sink.line
            writer.writerow([neutralise(row.get(name, "")) for name in self.columns])
        yield sink.line

    def __repr__(self) -> str:
        return f"Results({self.counts})"


def sort_rows(plan: PlanFile, endings: Iterable[Ending]) -> Results:
    """Every row of `plan` with what became of it; a row with several steps takes the worst.

    `endings` may be of any number of the steps, in any order; of two for one step the later
    counts, and a step without one was never sent.
    """
    known = {ending.step: ending for ending in endings}
    by_row = _by_row(plan)
    own = tuple(name for name in plan.header.columns if name not in EXTRA_COLUMNS)

    def sort(row: PlanRow) -> tuple[Part, Cells]:
        return _of_row(row, _became(by_row.get(row.row, ()), known))

    def cells(row: PlanRow) -> Cells:
        return {**{name: row.cells.get(name, "") for name in own}, **sort(row)[1]}

    def made(places: array[int]) -> Made[Cells]:
        return Made(len(places), lambda n: cells(plan.rows[places[n]]))

    # a row's cells are made when they are asked for: those of a large plan take hundreds of megabytes
    places: dict[Part, array[int]] = {part: array("q") for part in PARTS}
    for place, row in enumerate(plan.rows):
        places[sort(row)[0]].append(place)
    success, error, unprocessed = (made(places[part]) for part in PARTS)
    return Results((*own, *EXTRA_COLUMNS), success, error, unprocessed)


def _by_row(plan: PlanFile) -> dict[int, list[int]]:
    """The steps of each input row that has one."""
    found: dict[int, list[int]] = defaultdict(list)
    for step, row in enumerate(plan.rows_of_steps()):
        if row is not None:
            found[row].append(step)
    return found


def _became(steps: Sequence[int], known: Mapping[int, Ending]) -> list[Ending]:
    return [known.get(step) or Ending(step, State.PENDING) for step in steps]


def _worst(endings: Sequence[Ending]) -> Ending:
    return max(endings, key=lambda ending: SEVERITY.index(ending.state))


def next_step(code: str | None, state: State | Verdict, given: str | None = None) -> str:
    """What a person does next: by code where the answer was final, else as `given`, else by state.

    A code says nothing final about a row in doubt or in conflict.
    """
    default = _BY_VERDICT[state] if isinstance(state, Verdict) else _BY_STATE[state]
    final = isinstance(state, Verdict) or state in (State.REFUSED, State.PENDING)
    by_code = NEXT_STEPS.get(code or "") if final else None
    return by_code or given or default


def _of_row(row: PlanRow, endings: Sequence[Ending]) -> tuple[Part, Cells]:
    if not endings:
        return _of_verdict(row)
    worst = _worst(endings)
    part = _STATE_PART[worst.state]
    sids = [worst.sid, *(ending.sid for ending in endings), row.sid]
    statuses = [worst.status, *(ending.status for ending in reversed(endings)), row.status]
    failed = part != "success"
    extra = {
        "hn_row": str(row.row),
        "hn_sid": next((sid for sid in sids if sid), ""),
        "hn_status": next((status for status in statuses if status), ""),
        "hn_error_code": (worst.code or str(worst.state)) if failed else "",
        "hn_error": single_line(worst.message or "") if failed else "",
        "hn_next_step": next_step(worst.code, worst.state, worst.next_step) if failed else "",
        "hn_retryable": "yes" if failed and (worst.retryable or error_class(worst) in _AGAIN) else "no",
    }
    return part, extra


def _of_verdict(row: PlanRow) -> tuple[Part, Cells]:
    part = _VERDICT_PART[row.verdict]
    failed = part != "success"
    extra = {
        "hn_row": str(row.row),
        "hn_sid": row.sid or "",
        "hn_status": row.status or "",
        "hn_error_code": (row.code or str(row.verdict)) if failed else "",
        "hn_error": single_line(row.note or "") if failed else "",
        "hn_next_step": next_step(row.code, row.verdict) if failed else "",
        "hn_retryable": "no",
    }
    return part, extra


class _Line:
    """Takes rows from the csv writer and ends them with `\\n`.

    The writer is told `\\r\\n`, because it quotes only those line ends it is told of, and a
    cell may hold either.
    """

    line = ""

    def write(self, text: str) -> None:
        self.line = text.removesuffix("\r\n") + "\n"
