"""What the sandbox holds: orders, letters, incoming numbers and calls, and the indexes over them.

These are plain records; nothing here decides. An order keeps its JSON until a field of it is set:
lists are read far more often than orders change. So a list in a field is replaced, never changed.
"""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from json.encoder import encode_basestring as _text
from typing import Any, NamedTuple, TypeVar

from hnbulk.lifecycle import Mover
from hnbulk.sandbox.clock import stamp

PREVIEW = "https://preview.twilio.com"
ORDERS = "/HostedNumbers/HostedNumberOrders"
LETTERS = "/HostedNumbers/AuthorizationDocuments"

#: The keys of an order in the API, as every example of it lists them.
ORDER_KEYS = (
    "account_sid",
    "address_sid",
    "call_delay",
    "capabilities",
    "cc_emails",
    "date_created",
    "date_updated",
    "email",
    "extension",
    "failure_reason",
    "friendly_name",
    "incoming_phone_number_sid",
    "phone_number",
    "sid",
    "signing_document_sid",
    "status",
    "unique_name",
    "url",
    "verification_attempts",
    "verification_call_sids",
    "verification_code",
    "verification_document_sid",
    "verification_type",
)
_TEMPLATE = "{" + ", ".join(f'"{key}": %s' for key in ORDER_KEYS) + "}"
_MADE = {"capabilities", "date_created", "date_updated", "url"}
_PLAIN = tuple(key for key in ORDER_KEYS if key not in _MADE)

Key = tuple[int, str]
T = TypeVar("T", "Order", "Letter", "Number", "Call")
_write = json.JSONEncoder(ensure_ascii=False).encode
# Kept for speed only, made anew when needed.
_KEPT = {"ticket", "written"}
_NONE = type(None)
# What a record's field may hold, by its annotation.
_CHECKED: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "int | None": (int, _NONE),
    "bool": (bool,),
    "str": (str,),
    "str | None": (str, _NONE),
    "list[str]": (list,),
    "list[str] | None": (list, _NONE),
    "list[Event]": (list,),
    "dict[str, str]": (dict,),
}


class Event(NamedTuple):
    """One change of status: what to, when in seconds since 1970, and by whom."""

    status: str
    at: int
    mover: str

    @classmethod
    def by(cls, mover: Mover, status: str, at: int) -> Event:
        """The event as the records keep it: with the mover's plain name, which all of them share."""
        return cls(status, at, mover.value)


@dataclass(slots=True)
class Order:
    """One hosted number order: what the API shows, and what only the world knows."""

    sid: str
    account_sid: str
    incoming_phone_number_sid: str
    phone_number: str
    attempt: int
    fate: str
    created: int
    updated: int
    since: int  # when the present status began
    status: str = "twilio-processing"
    address_sid: str | None = None
    signing_document_sid: str | None = None
    friendly_name: str | None = None
    unique_name: str | None = None
    email: str | None = None
    cc_emails: list[str] = field(default_factory=list)
    verification_type: str = "phone-call"
    verification_document_sid: str | None = None
    extension: str | None = None
    call_delay: int = 0
    verification_attempts: int = 0
    verification_code: str | None = None
    verification_call_sids: list[str] | None = None
    failure_reason: str = ""
    code_at: int = 0  # when the code was made
    calls_placed: int = 0  # ever; `verification_attempts` can be reset by an operator
    reviews: int = 0
    review_at: int | None = None  # a phone bill is under review since
    letters: int = 0  # letters that ever took the order
    changes: int = 0  # of status
    ticket: int = 0  # the entry of the world's list that counts
    deleted: bool = False
    offboarded: bool = False
    history: list[Event] = field(default_factory=list)
    written: bytes | None = field(default=None, compare=False, repr=False)  # the JSON, while it is true

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        object.__setattr__(self, "written", None)

    @property
    def key(self) -> Key:
        """The place in a list: oldest first."""
        return (self.created, self.sid)

    @property
    def occupies(self) -> bool:
        """No second order for the number is possible."""
        return not (self.deleted or self.offboarded or self.status == "failed")

    def shown(self) -> dict[str, Any]:
        """The order as the API shows it: exactly the 23 keys, in alphabetical order."""
        known = {name: getattr(self, name) for name in _PLAIN}
        known["capabilities"] = {"sms": True, "voice": False}
        known["date_created"] = stamp(self.created)
        known["date_updated"] = stamp(self.updated)
        known["url"] = f"{PREVIEW}{ORDERS}/{self.sid}"
        return {name: known[name] for name in ORDER_KEYS}

    def json(self) -> bytes:
        """`shown` as JSON, as `encode` writes it."""
        if self.written is None:
            written = (_TEMPLATE % self._values()).encode("utf-8", "backslashreplace")
            object.__setattr__(self, "written", written)
            return written
        return self.written

    def _values(self) -> tuple[str, ...]:
        """The JSON of every value, in the order of `ORDER_KEYS`."""
        return (
            _text(self.account_sid),
            _maybe(self.address_sid),
            str(self.call_delay),
            '{"sms": true, "voice": false}',
            _texts(self.cc_emails),
            f'"{stamp(self.created)}"',
            f'"{stamp(self.updated)}"',
            _maybe(self.email),
            _maybe(self.extension),
            _text(self.failure_reason),
            _maybe(self.friendly_name),
            _text(self.incoming_phone_number_sid),
            _text(self.phone_number),
            _text(self.sid),
            _maybe(self.signing_document_sid),
            _text(self.status),
            _maybe(self.unique_name),
            _text(f"{PREVIEW}{ORDERS}/{self.sid}"),
            str(self.verification_attempts),
            "null" if self.verification_call_sids is None else _texts(self.verification_call_sids),
            _maybe(self.verification_code),
            _maybe(self.verification_document_sid),
            _text(self.verification_type),
        )

    def truth(self) -> dict[str, Any]:
        """What administration shows: the API's keys and what only the world knows."""
        return {
            **self.shown(),
            "deleted": self.deleted,
            "attempt": self.attempt,
            "fate": self.fate,
            "history": [{**event._asdict(), "at": stamp(event.at)} for event in self.history],
        }


@dataclass(slots=True)
class Letter:
    """One authorization document."""

    sid: str
    account_sid: str
    address_sid: str
    email: str
    contact_title: str | None
    contact_phone_number: str | None
    order_sids: list[str]
    created: int
    updated: int
    status: str = "signing"
    cc_emails: list[str] = field(default_factory=list)
    sent: int = 0  # how often it went out for signing
    ends: str = "never"
    due: int | None = None
    ticket: int = 0
    history: list[Event] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """The letter as the API shows it."""
        url = f"{PREVIEW}{LETTERS}/{self.sid}"
        return {
            "address_sid": self.address_sid,
            "cc_emails": self.cc_emails,
            "date_created": stamp(self.created),
            "date_updated": stamp(self.updated),
            "email": self.email,
            "links": {"dependent_hosted_number_orders": f"{url}/DependentHostedNumberOrders"},
            "sid": self.sid,
            "status": self.status,
            "url": url,
        }


@dataclass(slots=True)
class Number:
    """The incoming phone number that an order brings with it."""

    sid: str
    account_sid: str
    phone_number: str
    order_sid: str
    created: int
    updated: int
    status: str = "pending"
    settings: dict[str, str] = field(default_factory=dict)
    released_at: int | None = None


@dataclass(slots=True)
class Call:
    """One verification call. `ends` is what comes of it, known to the world from the first moment."""

    sid: str
    order_sid: str
    phone_number: str
    at: int
    attempt: int  # the nth call of its order
    ends: str
    ends_at: int
    code: str
    outcome: str = "ringing"

    def truth(self) -> dict[str, Any]:
        """What administration shows of the call."""
        return {
            "sid": self.sid,
            "order_sid": self.order_sid,
            "phone_number": self.phone_number,
            "at": stamp(self.at),
            "attempt": self.attempt,
            "outcome": self.outcome,
            "ended_at": None if self.outcome == "ringing" else stamp(self.ends_at),
        }


class Books:
    """All records of one sandbox, with the indexes that make looking them up cheap."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.letters: dict[str, Letter] = {}
        self.numbers: dict[str, Number] = {}
        self.calls: dict[str, Call] = {}
        self.accounts: set[str] = set()  # that have, or had, an order
        self.order_keys: list[Key] = []
        self.letter_keys: list[Key] = []
        self._by_number: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        self._calls_of: dict[str, list[str]] = {}

    def add_order(self, order: Order, number: Number | None) -> None:
        """The order, and its number unless that is gone, are known."""
        self.orders[order.sid] = order
        self.accounts.add(order.account_sid)
        if number is not None:
            self.numbers[number.sid] = number
        self._by_number.setdefault(order.phone_number, []).append(order.sid)
        if not order.deleted:
            insort(self.order_keys, order.key)
            self._note_name(order)

    def remove_order(self, order: Order) -> None:
        """The order is no longer listed; the truth keeps it. Its number is gone."""
        order.deleted = True
        del self.order_keys[bisect_left(self.order_keys, order.key)]
        self._forget_name(order)
        self.numbers.pop(order.incoming_phone_number_sid, None)

    def rename(self, order: Order, unique_name: str | None) -> None:
        """The order is found by its new unique name and no longer by the old one."""
        self._forget_name(order)
        order.unique_name = unique_name
        self._note_name(order)

    def add_letter(self, letter: Letter) -> None:
        """The letter is known."""
        self.letters[letter.sid] = letter
        insort(self.letter_keys, (letter.created, letter.sid))

    def add_call(self, call: Call) -> None:
        """The call is known."""
        self.calls[call.sid] = call
        self._calls_of.setdefault(call.order_sid, []).append(call.sid)

    def calls_of(self, order_sid: str) -> list[Call]:
        """The calls of an order, in the order in which they were placed."""
        return [self.calls[sid] for sid in self._calls_of.get(order_sid, ())]

    def with_number(self, phone_number: str) -> Iterator[Order]:
        """The orders of a number, deleted ones too, oldest first."""
        return (self.orders[sid] for sid in self._by_number.get(phone_number, ()))

    def with_name(self, unique_name: str) -> Iterator[Order]:
        """The listed orders that carry a unique name."""
        return (self.orders[sid] for sid in self._by_name.get(unique_name, ()))

    def _note_name(self, order: Order) -> None:
        if order.unique_name is not None:
            self._by_name.setdefault(order.unique_name, []).append(order.sid)

    def _forget_name(self, order: Order) -> None:
        if order.unique_name is not None:
            self._by_name[order.unique_name].remove(order.sid)


def encode(document: Any) -> bytes:
    """A JSON document as the service writes it."""
    return _write(document).encode("utf-8", "backslashreplace")


def _texts(values: list[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _maybe(value: str | None) -> str:
    return "null" if value is None else _text(value)


def as_plain(record: Order | Letter | Number | Call) -> dict[str, Any]:
    """A record as JSON can hold it, without what is only kept for speed."""
    plain = {name: value for name, value in asdict(record).items() if name not in _KEPT}
    if "history" in plain:
        plain["history"] = [event._asdict() for event in plain["history"]]
    return plain


def from_plain(kind: type[T], plain: dict[str, Any]) -> T:
    """The record that `as_plain` was made from. Raises `ValueError` for one of another shape."""
    types = {one.name: str(one.type) for one in fields(kind) if one.name not in _KEPT}
    if not isinstance(plain, dict) or set(plain) != set(types):
        raise ValueError(f"a {kind.__name__.lower()} of the state has not the fields it should have")
    for name, declared in types.items():
        value = plain[name]
        texts = declared.startswith("list[str]") and value is not None
        if type(value) not in _CHECKED[declared] or (texts and not all(type(one) is str for one in value)):
            raise ValueError(f"{name} of a {kind.__name__.lower()} of the state is not {declared}")
    if "history" in plain:
        plain = {**plain, "history": [Event(**event) for event in plain["history"]]}
    return kind(**plain)
