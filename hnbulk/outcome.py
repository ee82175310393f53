"""The one place that decides what became of a request: done, refused, not sent, or in doubt.

A table over status, body and failure phase; it sends nothing, repeats nothing and keeps
nothing. What it cannot prove to be harmless is in doubt, and what is in doubt is looked up,
never blindly repeated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from hnbulk.errors import ReplyUnreadable
from hnbulk.messages import Failure, FailureKind, Phase, Reply
from hnbulk.replies import ApiError, read_error, read_object, read_retry_after, says_json


class OutcomeKind(StrEnum):
    """What may be done next."""

    NOT_SENT = "not-sent"  # not one byte left: send again
    NOT_PROCESSED = "not-processed"  # refused for busyness, by the service's word never acted on
    REJECTED = "rejected"  # the service said no, finally
    STOP_RUN = "stop-run"  # nothing further may be sent by this run
    AMBIGUOUS = "ambiguous"  # may have been acted on: look up, never repeat blindly
    DONE = "done"


class Operation(StrEnum):
    """What the request was for."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    CALL = "call"
    LETTER = "letter"
    READ = "read"


@dataclass(frozen=True, slots=True, repr=False)
class Expected:
    """What the reply must show to be ours; None is not asked for."""

    phone_number: str | None = None
    unique_name: str | None = None
    account_sid: str | None = None
    sid: str | None = None

    def __repr__(self) -> str:
        return f"Expected(sid={self.sid})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request.

    `reason` is a short machine word; `code` and `message` are the service's, the message with
    people's data masked; `sid` and `status` are those of the resource where DONE shows one;
    `retry_after` is in seconds; `server_date` is the reply's own time; `under_way` is how many
    requests of the account the service saw at once, where it says so.
    """

    kind: OutcomeKind
    reason: str
    code: int | None = None
    message: str | None = None
    sid: str | None = None
    status: str | None = None
    retry_after: float | None = None
    server_date: datetime | None = None
    under_way: int | None = None


#: The service said no, and says so with a code of its own. Any other 4xx proves nothing.
FINAL = frozenset({400, 404, 405, 409, 413, 415, 422})
_UNPROVEN = frozenset({"redirect", "unsaid-401", "unsaid-403"})
#: "Phone Number Not Hostable": also what the service says of a number with a live order.
NOT_HOSTABLE = 22110
#: "The requested resource ... was not found": on a list path, no access to this API.
NOT_FOUND = 20404


def classify(operation: Operation, result: Reply | Failure, expected: Expected) -> Outcome:
    """The outcome of one request. Never raises.

    429 was never processed: the service says so (error 20429). A failure before the first
    byte cannot have been acted on. All else without a final word is AMBIGUOUS.
    """
    if isinstance(result, Failure):
        return _failed(result)
    outcome, under_way = _answered(operation, result, expected), _under_way(result)
    return outcome if under_way is None else replace(outcome, under_way=under_way)


def _answered(operation: Operation, result: Reply, expected: Expected) -> Outcome:
    status = result.status
    if 200 <= status < 300:
        return _succeeded(operation, result, expected)
    if 300 <= status < 400:
        return _refused(OutcomeKind.STOP_RUN, "redirect", result)
    if status in (401, 403):
        error = read_error(result)
        # a filter on the way may say so of a reply that it does not let through
        reason = f"status-{status}" if error.code is not None else f"unsaid-{status}"
        return _refused(OutcomeKind.STOP_RUN, reason, result, error)
    if status == 429:
        return _refused(OutcomeKind.NOT_PROCESSED, "busy", result)
    if status in FINAL:
        return _final(operation, result, expected)
    return _refused(OutcomeKind.AMBIGUOUS, f"status-{status}", result)


def may_send_again(outcome: Outcome, operation: Operation) -> bool:
    """The same request may go out again without a look-up: the service cannot have acted on it.

    A read may always be repeated unless the run must stop or the answer is final.
    """
    if outcome.kind is OutcomeKind.AMBIGUOUS:
        return operation is Operation.READ
    return outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.NOT_PROCESSED)


def maybe_processed(outcome: Outcome) -> bool:
    """The service may have acted on the request, though nothing proves it: look it up.

    A redirect counts: a service that has done the work may answer with where to go next. So does a
    401 or 403 without a code of the service's own.
    """
    return outcome.kind is OutcomeKind.AMBIGUOUS or outcome.reason in _UNPROVEN


def says_taken(outcome: Outcome) -> bool:
    """The service refused a create because the number, or its name, has an order already.

    "Phone Number Not Hostable" (22110) is what it says of a number with a live order, too.
    """
    refused = outcome.kind is OutcomeKind.REJECTED
    return refused and (outcome.code == NOT_HOSTABLE or outcome.reason == "status-409")


def _under_way(reply: Reply) -> int | None:
    text = (reply.header("twilio-concurrent-requests") or "").strip()
    return int(text) if re.fullmatch("[0-9]{1,6}", text) else None


def _failed(failure: Failure) -> Outcome:
    reason = str(failure.kind)
    if failure.phase is not Phase.BEFORE_SEND:
        return Outcome(OutcomeKind.AMBIGUOUS, reason)
    if failure.kind in (FailureKind.CERTIFICATE, FailureKind.ORIGIN):
        return Outcome(OutcomeKind.STOP_RUN, reason)
    return Outcome(OutcomeKind.NOT_SENT, reason)


def _final(operation: Operation, reply: Reply, expected: Expected) -> Outcome:
    error = read_error(reply)
    reason = f"status-{reply.status}"
    if error.code is None:  # not the service's own word: a proxy, a portal, the wrong host
        return _refused(OutcomeKind.AMBIGUOUS, reason, reply)
    if reply.status == 404 and operation is Operation.DELETE:
        return _refused(OutcomeKind.DONE, "gone", reply, error)
    creates = operation in (Operation.CREATE, Operation.LETTER) and expected.sid is None
    if reply.status == 404 and error.code == NOT_FOUND and creates:
        return _refused(OutcomeKind.STOP_RUN, "no-access", reply, error)
    return _refused(OutcomeKind.REJECTED, reason, reply, error)


def _refused(kind: OutcomeKind, reason: str, reply: Reply, error: ApiError | None = None) -> Outcome:
    error = error or read_error(reply)
    return Outcome(
        kind,
        reason,
        code=error.code,
        message=error.message or None,
        retry_after=read_retry_after(reply.header("retry-after"), reply.date),
        server_date=reply.date,
    )


def _succeeded(operation: Operation, reply: Reply, expected: Expected) -> Outcome:
    date = reply.date
    if operation is Operation.DELETE:
        done = reply.status == 204
        kind = OutcomeKind.DONE if done else OutcomeKind.AMBIGUOUS
        return Outcome(kind, f"status-{reply.status}", server_date=date)
    if operation is Operation.READ and not says_json(reply):
        return Outcome(OutcomeKind.STOP_RUN, "not-json", server_date=date)
    if operation is Operation.READ and expected == Expected():
        return _read(reply)
    try:
        body = read_object(reply)
    except ReplyUnreadable:
        return Outcome(OutcomeKind.AMBIGUOUS, "unreadable", server_date=date)
    if not _is_ours(operation, body, expected):
        return Outcome(OutcomeKind.AMBIGUOUS, "identity-mismatch", server_date=date)
    status = body.get("status")
    shown = status.replace("_", "-") if isinstance(status, str) else None
    return Outcome(
        OutcomeKind.DONE, f"status-{reply.status}", sid=body["sid"], status=shown, server_date=date
    )


def _read(reply: Reply) -> Outcome:
    # A page can be megabytes: whoever uses it parses it. Here it only has to look whole.
    text = reply.body.strip()
    whole = text.startswith(b"{") and text.endswith(b"}")
    kind = OutcomeKind.DONE if whole else OutcomeKind.AMBIGUOUS
    return Outcome(kind, f"status-{reply.status}" if whole else "unreadable", server_date=reply.date)


def _is_ours(operation: Operation, body: dict[str, Any], expected: Expected) -> bool:
    prefix = "PX" if operation is Operation.LETTER else "HR"
    sid = body.get("sid")
    if not isinstance(sid, str) or not re.fullmatch(prefix + r"[0-9a-fA-F]{32}", sid):
        return False
    if expected.sid not in (None, sid):
        return False
    # An authorization document shows neither number nor account, so only what it shows can differ.
    absent = operation is Operation.LETTER
    for name in ("phone_number", "unique_name", "account_sid"):
        wanted = getattr(expected, name)
        if wanted is not None and body.get(name) != wanted and not (absent and name not in body):
            return False
    return True
