"""Scripted trouble: rules that say which request meets which fault.

Whether a rule strikes by `probability` is a function of its seed, the request's method, path and phone
number, and how many like it came before: racing threads meet the same faults. `nth` and `times` count
requests as they come. This module only decides: what
a fault does to a connection is done where the connection is.

A rule is a JSON object. Which requests: `method`, `path` (a regular expression, searched for in
the path), `nth` (the nth matching one, or a list of such), `probability` with `seed`, `times` (at
most so often). What happens, `action`:

    status        an error reply: `status` (503), `code`, `retry_after`, `content` json|html|empty,
                  `processed` (false): whether the request was carried out all the same
    delay         answered after `seconds` of real time
    reset_before  the connection is reset, nothing was done
    reset_after   the request is carried out, then the connection is reset without a reply
    late          the connection is reset; the request is carried out `seconds` of the sandbox's
                  time later
    garbage       carried out; the body is not what the API describes: `content` html|text|half|
                  list|null|nan|nested|utf8
    truncated     carried out; the connection is reset in the middle of the body
    drip          carried out; the body comes in pieces of `bytes` every `seconds`
    oversized     carried out; the body is padded to `bytes`
    content_type  carried out; the right body, declared as `media_type` (text/html)
    redirect      sent on to `url`: `status` 301, 302 (as a rule), 303, 307 or 308; `processed` as above
    hostile_page  a list whose next page is said to be at `url`
    ignore_filter a list that takes no notice of its filters
    list_lag      orders and letters created in the last `seconds` of the sandbox's time are not in
                  lists; with `fetch_too`, a fetch does not find them either (404)
    swap          carried out; the reply is the one before it to a request of the same kind (method,
                  one or list), as from a proxy that mixes them up
    double_name   a create or an update may take a UniqueName that another live order has

What is about lists meets lists only (`list_lag` with `fetch_too` fetches too), what is about names only
requests with one: nothing else matches, or counts for `nth`. In a `url`, `{origin}`, `{host}`, `{path}`
and `{target}` (path and query) stand for those of the request; without a `url` it is the request's own
address: a circle.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import quote

from hnbulk.messages import Reply, Request
from hnbulk.sandbox import chance
from hnbulk.sandbox.records import LETTERS, ORDERS, encode
from hnbulk.sandbox.refusals import ERRORS, error_reply

ACTIONS = (
    "status",
    "delay",
    "reset_before",
    "reset_after",
    "late",
    "garbage",
    "truncated",
    "drip",
    "oversized",
    "content_type",
    "redirect",
    "hostile_page",
    "ignore_filter",
    "list_lag",
    "swap",
    "double_name",
)
_OF_LISTS = ("hostile_page", "ignore_filter", "list_lag")
_REDIRECTS = (301, 302, 303, 307, 308)
_LISTS = re.compile(rf"{ORDERS}|{LETTERS}(?:/[^/]+/DependentHostedNumberOrders)?")
_ITEMS = re.compile(rf"(?:{ORDERS}|{LETTERS})/[^/]+")
_WHOLE = (int, type(None))
# What a rule's entries may be; a boolean is no number.
_KINDS: dict[str, tuple[type, ...]] = {
    "method": (str, type(None)),
    "path": (str, type(None)),
    "nth": (int, tuple, type(None)),
    "probability": (int, float, type(None)),
    "seed": (int,),
    "times": _WHOLE,
    "status": (int,),
    "code": _WHOLE,
    "retry_after": (str, int, type(None)),
    "content": (str, type(None)),
    "processed": (bool,),
    "seconds": (int, float),
    "bytes": _WHOLE,
    "media_type": (str, type(None)),
    "url": (str, type(None)),
    "fetch_too": (bool,),
}
_CODES = {429: 20429, 500: 20500, 503: 20503, 401: 20003, 403: 20403, 404: 20404}
_HTML = b"<html><head><title>Error</title></head><body><h1>Something is in the way</h1></body></html>"
_GARBAGE = {
    "html": (_HTML, "text/html"),
    "text": (b"it works!", "text/plain"),
    "list": (b"[1, 2, 3]", "application/json"),
    "null": (b"null", "application/json"),
    "nan": (b'{"sid": NaN}', "application/json"),
    "nested": (b"[" * 100_000, "application/json"),
    "utf8": (b'{"sid": "\xff\xfe"}', "application/json"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule; see the module's text."""

    action: str
    method: str | None = None
    path: str | None = None
    nth: int | tuple[int, ...] | None = None
    probability: float | None = None
    seed: int = 0
    times: int | None = None
    status: int = 503
    code: int | None = None
    retry_after: str | int | None = None
    content: str | None = None
    processed: bool = False
    seconds: float = 1.0
    bytes: int | None = None
    media_type: str | None = None
    url: str | None = None
    fetch_too: bool = False

    @classmethod
    def read(cls, rule: Mapping[str, Any]) -> Fault:
        """The rule of a JSON object. Raises `ValueError` that names what is wrong with it."""
        if not isinstance(rule, Mapping) or rule.get("action") not in ACTIONS:
            raise ValueError(f"a rule is an object with an action: one of {', '.join(ACTIONS)}")
        unknown = sorted(set(rule) - {one.name for one in fields(cls)})
        if unknown:
            raise ValueError(f"a rule has no {', '.join(unknown)}")
        given = dict(rule)
        if isinstance(given.get("nth"), list):
            given["nth"] = tuple(given["nth"])
        if given["action"] == "redirect":
            given.setdefault("status", 302)
        fault = cls(**given)
        fault._check()
        return fault

    def _check(self) -> None:
        for name, kinds in _KINDS.items():
            if type(getattr(self, name)) not in kinds:
                raise ValueError(f"{name} is not what a rule takes")
        try:
            re.compile(self.path or "")
        except re.error:
            raise ValueError("path is not a regular expression") from None
        nths = self.nth if isinstance(self.nth, tuple) else (self.nth,)
        if self.nth is not None and not (nths and all(type(nth) is int and nth > 0 for nth in nths)):
            raise ValueError("nth counts from 1")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError("probability is a number of 0..1")
        if not 0 <= self.seconds <= 10 * 365 * 86400 or (self.times is not None and self.times < 0):
            raise ValueError("seconds and times are not negative")
        if not 200 <= self.status <= 599 or (self.bytes is not None and not 0 < self.bytes <= 1 << 28):
            raise ValueError("status is one of 200..599, bytes one of 1..268435456")
        self._check_reply()

    def _check_reply(self) -> None:
        contents: tuple[str, ...] = (
            ("half", *_GARBAGE) if self.action == "garbage" else ("json", "html", "empty")
        )
        if self.content is not None and self.content not in contents:
            raise ValueError(f"no such content; {self.action} has {', '.join(contents)}")
        if self.action == "redirect" and self.status not in _REDIRECTS:
            raise ValueError(f"a redirect has a status of {', '.join(map(str, _REDIRECTS))}")
        if self.media_type == "":
            raise ValueError("media_type is not empty")
        for name in ("retry_after", "media_type", "url"):
            text = getattr(self, name)
            free = name == "url" and self.action == "hostile_page"  # no header: any text
            if isinstance(text, str) and not free and not (text.isascii() and text.isprintable()):
                raise ValueError(f"{name} is one line of ASCII")

    def as_rule(self) -> dict[str, Any]:
        """The rule as JSON can hold it."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        given["nth"] = list(self.nth) if isinstance(self.nth, tuple) else self.nth
        return given


class Faults:
    """The rules in force, and how often each has been asked and has struck."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self.matched: Counter[int] = Counter()
        self.struck: Counter[int] = Counter()
        self.seen: Counter[str] = Counter()

    def set(self, rules: list[Fault]) -> None:
        """These rules are in force, and have met nothing yet; an empty list ends all trouble."""
        self.rules = list(rules)
        self.matched.clear()
        self.struck.clear()
        self.seen.clear()

    def choose(self, request: Request) -> Fault | None:
        """The fault this request meets: that of the first rule that strikes."""
        if not self.rules:
            return None
        number = next((value for name, value in request.form if name == "PhoneNumber"), "")
        about = f"{request.method} {request.path} {number}"
        self.seen[about] += 1
        chosen = None
        for place, rule in enumerate(self.rules):
            if not _matches(rule, request):
                continue
            self.matched[place] += 1
            if chosen is None and self._strikes(place, rule, about):
                self.struck[place] += 1
                chosen = rule
        return chosen

    def _strikes(self, place: int, rule: Fault, about: str) -> bool:
        if rule.times is not None and self.struck[place] >= rule.times:
            return False
        nths = rule.nth if isinstance(rule.nth, tuple) else (rule.nth,)
        if rule.nth is not None and self.matched[place] not in nths:
            return False
        if rule.probability is None:
            return True
        return chance.draw("fault", rule.seed, place, about, self.seen[about]) < rule.probability


def fault_reply(fault: Fault) -> Reply:
    """The reply of a `status` fault; 204 and 304 have no body."""
    headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
    if fault.content == "empty" or fault.status in (204, 304):
        return Reply(fault.status, headers)
    if fault.content == "html":
        return Reply(fault.status, {**headers, "content-type": "text/html"}, _HTML)
    code = fault.code or _CODES.get(fault.status, fault.status)
    _, meaning = ERRORS.get(code, (0, "A fault of the sandbox's script"))
    told = error_reply(fault.status, code, meaning)
    return Reply(fault.status, {**headers, **told.headers}, told.body)


def redirect_reply(fault: Fault, request: Request) -> Reply:
    """The reply of a `redirect` fault: where to go next, and no body."""
    return Reply(fault.status, {"location": _address(fault, request)})


def spoiled(fault: Fault, reply: Reply, request: Request) -> Reply:
    """The reply to `request` as a fault changes it that changes replies.

    For `garbage` and `oversized` a reply of 204 becomes one of 200: only so can it have a body at all.
    """
    if fault.action == "content_type":
        kind = fault.media_type or "text/html"
        return Reply(reply.status, {**reply.headers, "content-type": kind}, reply.body)
    if fault.action == "hostile_page":
        return _led_on(reply, _address(fault, request))
    status = 200 if reply.status == 204 else reply.status
    if fault.action == "oversized":
        return Reply(status, reply.headers, reply.body.ljust(fault.bytes or 9 << 20))
    if fault.content == "half":
        return Reply(status, reply.headers, reply.body[: len(reply.body) // 2])
    body, kind = _GARBAGE[fault.content or "html"]
    return Reply(status, {**reply.headers, "content-type": kind}, body)


def _address(fault: Fault, request: Request) -> str:
    origin, path = request.origin or "", quote(request.path, "/:")
    known = {
        "{origin}": origin,
        "{host}": origin.partition("://")[2],
        "{path}": path,
        "{target}": path + request.target()[len(request.path) :],
    }
    text = "{origin}{target}" if fault.url is None else fault.url
    return re.sub(r"\{\w+\}", lambda found: known.get(found[0], found[0]), text)


def _led_on(reply: Reply, address: str) -> Reply:
    """The page, its next one at `address`; a refusal stays as it is."""
    if reply.status != 200:
        return reply
    page = json.loads(reply.body)
    page["meta"]["next_page_url"] = address
    return Reply(reply.status, reply.headers, encode(page))


def _meets(rule: Fault, request: Request) -> bool:
    """The request is of the kind that the rule's action can happen to."""
    if rule.action == "double_name":
        return request.method == "POST" and any(name == "UniqueName" for name, _ in request.form)
    if rule.action not in _OF_LISTS:
        return True
    if request.method != "GET":
        return False
    if rule.action != "list_lag":
        return _LISTS.fullmatch(request.path) is not None
    fetched = rule.fetch_too and _ITEMS.fullmatch(request.path) is not None
    return fetched or request.path in (ORDERS, LETTERS)


def _matches(rule: Fault, request: Request) -> bool:
    if not _meets(rule, request):
        return False
    if rule.method is not None and rule.method.upper() != request.method:
        return False
    return rule.path is None or re.search(rule.path, request.path) is not None
