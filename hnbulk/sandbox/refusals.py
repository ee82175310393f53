"""The errors of the API: one table of codes, and the refusal that carries one to its reply.

Where the HTTP status of a code is documented nowhere, it is 400, or what the settings say. Bodies
never carry the four keys `type`, `title`, `status`, `code` together: a client library reads those
differently.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from hnbulk.messages import Reply
from hnbulk.sandbox.records import encode

# code -> (HTTP status, message)
ERRORS: dict[int, tuple[int, str]] = {
    20001: (400, "Invalid or missing parameter"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20007: (400, "Page size too large"),
    20404: (404, "The requested resource was not found"),
    20409: (409, "Conflict"),
    20422: (422, "Invalid Parameter"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service Unavailable"),
    21470: (400, "Invalid Account SID"),
    21471: (400, "Account not found"),
    21481: (400, "Invalid PageToken"),
    22100: (400, "Reached Maximum Verification Attempts"),
    22101: (400, "Invalid Hosted Number Order SIDs"),
    22102: (400, "Invalid Phone Number"),
    22103: (400, "Unsupported Iso Country"),
    22104: (400, "Invalid Email Format"),
    22105: (400, "Invalid URL format"),
    22106: (400, "Invalid Method"),
    22107: (400, "Unable to Update Authorization Document"),
    22108: (400, "Invalid Application SID"),
    22109: (400, "Invalid Address SID"),
    22110: (400, "Phone Number Not Hostable"),
    22111: (400, "Invalid Hosted Number Order Status"),
    22112: (400, "Unable to Update Hosted Number Order Status"),
    22113: (400, "Phone Verification Incorrect"),
    22114: (400, "Unable to Verify Code"),
    22115: (400, "Invalid Unique Name"),
    22116: (400, "Invalid Friendly Name"),
    22117: (400, "Invalid Extension"),
    22118: (400, "Invalid Verification Document SID"),
    22119: (400, "Invalid Capabilities"),
    22120: (400, "Invalid Verification Type"),
    22121: (400, "Unable to Transfer Hosted Number"),
    22122: (400, "Invalid Authorization Document Status"),
    22123: (400, "Unable to Initiate Verification Call"),
    70002: (400, "Paged requests must include a PageToken"),
}


def status_of(code: int, rule_status: int) -> int:
    """The HTTP status of a code, where those of the 22xxx errors are all `rule_status`."""
    return rule_status if code // 1000 == 22 else ERRORS[code][0]


class Refusal(Exception):
    """The service refuses a request with an error code of the table."""

    def __init__(self, code: int, message: str | None = None, **extra: str) -> None:
        status, told = ERRORS[code]
        super().__init__(code)
        self.code = code
        self.status = status
        self.message = message or told
        self.extra = extra
        self.headers: dict[str, str] = {}

    def reply(self) -> Reply:
        """The reply with the error's body."""
        reply = error_reply(self.status, self.code, self.message, **self.extra)
        return Reply(reply.status, {**reply.headers, **self.headers}, reply.body)


@dataclass(frozen=True, slots=True)
class Done:
    """A request answered: the reply, and for the ledger what was done, to which record."""

    reply: Reply
    did: str
    sid: str | None = None
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking: the account of the credentials, and the accounts it may see.

    With `until`, what was created later than that is not there for them yet; with `may_double`,
    they may take a UniqueName that another order has.
    """

    account_sid: str
    sees: frozenset[str] = field(default_factory=frozenset)
    until: float = inf
    may_double: bool = False


def error_reply(status: int, code: int, message: str, **extra: str) -> Reply:
    """An error body as the service writes it."""
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, **extra, "message": message, "more_info": more_info, "status": status}
    return json_reply(status, encode(dict(sorted(body.items()))))


def json_reply(status: int, body: bytes) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, {"content-type": "application/json"}, body)


def not_found(path: str) -> Refusal:
    """The refusal of a path, or of a record, that is not there."""
    return Refusal(20404, f"The requested resource {path} was not found")


def not_allowed(methods: Iterable[str]) -> Refusal:
    """The refusal of a method that a path does not have."""
    refusal = Refusal(20004)
    refusal.headers["allow"] = ", ".join(sorted(methods))
    return refusal


def not_authenticated() -> Reply:
    """The reply to wrong or missing credentials."""
    refusal = Refusal(20003, detail="Your AccountSid or AuthToken was incorrect.")
    refusal.headers["www-authenticate"] = 'Basic realm="Twilio API"'
    return refusal.reply()
