"""Every error a person can meet, as one tree.

    HnbulkError                   1    unexpected
    ├── UsageError                2    a wrong call: option, name, path
    │   ├── InputError            2    a file with rows that cannot go on
    │   └── DialectCannot         2    this version of the API has no such thing
    ├── LimitRefused              4    a safety limit; names limit, arithmetic and flag
    ├── PlanRefused               5
    │   ├── PlanStale             5    the service moved on since the plan was made
    │   ├── PlanAltered           5    the file is not what was saved
    │   └── RunLocked             5    another run holds the journal, or this plan has one
    ├── RunStopped                6    ended early, nothing lost, can be resumed
    │   └── RunInterrupted      130    the same, by the person
    ├── AccessRefused             7    credentials, wrong account, no access to the API
    ├── ServiceRefused            1    the service said no to a read
    ├── ServiceUnreachable        1    no reply
    ├── ReplyUnreadable           1    a reply that is not what the API describes
    └── JournalError              1    the journal cannot be read or written

A message says what happened, with what, and what to do next. The facts stand beside it
as `facts`, so that `--json` can answer on failure too. No message carries a secret;
phone numbers and e-mail addresses are masked by whoever raises.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HnbulkError(Exception):
    """The base of every error of this package: a one-line message and the facts behind it."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def as_json(self) -> dict[str, Any]:
        """The document `--json` prints for this error: `{"error": {"code", "message", ...}}`."""
        own = {"code": self.code, "message": self.message}
        return {"error": own | self.facts | own}


class UsageError(HnbulkError):
    """The call itself is wrong; nothing was read or sent."""

    code = "usage"
    exit_code = 2


class InputError(UsageError):
    """A file cannot go on as it is. `facts["problems"]` holds the rows, where there are rows."""

    code = "bad-input"


class DialectCannot(UsageError):
    """The API version in use has no such verb or parameter."""

    code = "dialect"


class LimitRefused(HnbulkError):
    """A safety limit refused. `facts`: `limit`, `arithmetic`, `flag`."""

    code = "limit"
    exit_code = 4


class PlanRefused(HnbulkError):
    """A plan cannot be applied as it is."""

    code = "plan-refused"
    exit_code = 5


class PlanStale(PlanRefused):
    """The service is no longer in the state the plan was made from."""

    code = "plan-stale"


class PlanAltered(PlanRefused):
    """The plan file does not have the content its checksum stands for."""

    code = "plan-altered"


class RunLocked(PlanRefused):
    """Another run holds the journal or may, as in a copy of it, or this plan has an unfinished run."""

    code = "run-locked"


class RunStopped(HnbulkError):
    """A run ended early. Nothing is lost; `facts["run_id"]` resumes."""

    code = "run-stopped"
    exit_code = 6


class RunInterrupted(RunStopped):
    """A person stopped the run. Nothing is lost; `facts["run_id"]` resumes."""

    code = "interrupted"
    exit_code = 130


class AccessRefused(HnbulkError):
    """The credentials are missing, wrong, of another account, or without access to this API."""

    code = "access"
    exit_code = 7


class ServiceRefused(HnbulkError):
    """The service answered a read with an error. `facts`: `status`, `api_code`, `method`, `path`."""

    code = "service-refused"


class ServiceUnreachable(HnbulkError):
    """The service did not answer a read. `facts`: `kind`, `phase`, `method`, `path`."""

    code = "service-unreachable"


class ReplyUnreadable(HnbulkError):
    """A reply is not what the API describes. `facts`: `status`, `method`, `path`, `reason`."""

    code = "reply-unreadable"


class JournalError(HnbulkError):
    """The journal or history cannot be read or written. `facts`: `path`, `reason`."""

    code = "journal"
