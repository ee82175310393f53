"""The two resources of the service as typed values, and how a person's data is shown.

Text from outside becomes an `Order` or a `Letter` here, tolerantly: unknown keys are left
out, an unknown status stays and warns, empty text and null are both None, dates in either
format of the API are read. Bulk lists do not pass here; `frames` reads those from bytes.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hnbulk import lifecycle


class UnreadableDateWarning(UserWarning):
    """The service gave a date that is none; its resource loads without that date."""


def mask_phone(number: str) -> str:
    """`+15017122661` as `+1501***2661`; anything else keeps two characters at each end."""
    if number.startswith("+1") and len(number) == 12:
        return f"{number[:5]}***{number[-4:]}"
    return mask(number)


def mask_email(address: str) -> str:
    """`test@twilio.com` as `t***@t***`."""
    name, at, host = address.partition("@")
    return f"{name[:1]}***{at}{host[:1]}***" if at else mask(address)


def mask(text: str) -> str:
    """Any other value: enough to find it again in one's own file, too little to use it."""
    return f"{text[:2]}***{text[-2:]}" if len(text) > 6 else "***"


def read_date(text: str) -> datetime:
    """A date of the API, UTC. ISO 8601 in every example, RFC 2822 in the prose; both are read.

    Raises `ValueError` for anything else.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        try:
            parsed = parsedate_to_datetime(text)
        except (TypeError, IndexError, OverflowError) as error:
            raise ValueError("not a date") from error
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a date of this age of the world") from error


def _blank_to_none(value: Any) -> Any:
    return None if value == "" else value


def _date(value: Any) -> Any:
    # what a resource is does not hang on when it was made: a bad date is none, and warns
    if value is None or value == "" or isinstance(value, datetime):
        return value or None
    try:
        return read_date(value)
    except (ValueError, TypeError):
        warnings.warn("the service gave a date that is none; it is left out", UnreadableDateWarning, 2)
        return None


def _status(value: Any) -> Any:
    # "action_required" stands in the prose for "action-required" (reference page, status table)
    if isinstance(value, str):
        value = value.replace("_", "-")
        lifecycle.note_unknown(value)
    return value


def _list(value: Any) -> Any:
    return () if value is None else value


def _number(value: Any) -> Any:
    return 0 if value is None else value


def _flags(value: Any) -> Any:
    flags = {} if value is None else value
    if not isinstance(flags, dict):
        return flags
    return {name: flag for name, flag in flags.items() if flag is not None}


Text = Annotated[str | None, BeforeValidator(_blank_to_none)]
Date = Annotated[datetime | None, BeforeValidator(_date)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_list)]
Number = Annotated[int, BeforeValidator(_number)]
Flags = Annotated[dict[str, bool], BeforeValidator(_flags)]


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    sid: str
    account_sid: Text = None
    date_created: Date = None
    date_updated: Date = None
    email: Text = Field(default=None, repr=False)
    cc_emails: Texts = Field(default=(), repr=False)
    address_sid: Text = None
    url: Text = Field(default=None, repr=False)


class Order(_Resource):
    """A HostedNumberOrder: the 23 keys of the reference page; dates UTC, texts as text."""

    incoming_phone_number_sid: Text = None
    signing_document_sid: Text = None
    phone_number: Text = Field(default=None, repr=False)
    capabilities: Flags = Field(default_factory=dict, repr=False)
    friendly_name: Text = Field(default=None, repr=False)
    unique_name: Text = Field(default=None, repr=False)
    status: Annotated[str, BeforeValidator(_status)]
    failure_reason: Text = None
    verification_attempts: Number = 0
    verification_type: Text = None
    verification_document_sid: Text = None
    extension: Text = Field(default=None, repr=False)
    call_delay: Number = 0
    verification_code: Text = Field(default=None, repr=False)
    verification_call_sids: Texts = Field(default=(), repr=False)

    @property
    def live(self) -> bool:
        """Neither failed nor deleted (a deleted order is not answered at all)."""
        return lifecycle.is_live(self.status)

    def shows(self, values: Mapping[str, Any]) -> bool:
        """The order has these values. What the service never echoes cannot be compared."""
        return all(
            _plain(getattr(self, name)) == _plain(value)
            for name, value in values.items()
            if name in Order.model_fields
        )


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return list(value)
    return None if value == "" else value


#: What says which order it is, and where it stands.
_IDENTITY = frozenset({"sid", "account_sid", "phone_number", "unique_name", "status"})


def readable(body: dict[str, Any]) -> dict[str, Any]:
    """`body` without the fields of an order that cannot be read, unless one says which order it is."""
    try:
        Order.model_validate(body)
    except ValidationError as error:
        bad = {part["loc"][0] for part in error.errors(include_input=False) if part["loc"]} - _IDENTITY
        return {name: value for name, value in body.items() if name not in bad}
    return body


class Glimpse(NamedTuple):
    """What a reading of all orders keeps of each: a hundred thousand whole ones take 400 MB."""

    sid: str
    account_sid: str | None
    phone_number: str | None
    unique_name: str | None
    status: str
    date_created: datetime | None
    signing_document_sid: str | None
    verification_attempts: int
    verification_call_sids: tuple[str, ...]
    date_updated: datetime | None

    @property
    def live(self) -> bool:
        """As of an order."""
        return lifecycle.is_live(self.status)

    def __repr__(self) -> str:
        return f"Glimpse({self.sid}, {self.status})"


#: An order as whoever looks it up gets it: whole, or from a reading of all.
Sight = Order | Glimpse


def glimpse_of(item: Mapping[str, Any]) -> Glimpse | None:
    """The order of a list page at a glance; None where a field is not plainly what it should be."""
    account, number, name, document, date, changed = (_blank_to_none(item.get(field)) for field in _GLANCED)
    status, attempts, calls = item.get("status"), item.get("verification_attempts"), item.get(_CALLS)
    texts = (account, number, name, document, date, changed)
    if type(status) is not str or any(text is not None and type(text) is not str for text in texts):
        return None
    if attempts is not None and type(attempts) is not int:
        return None
    if calls is not None and (type(calls) is not list or any(type(one) is not str for one in calls)):
        return None
    try:
        created = None if date is None else read_date(date)
        updated = created if changed == date else None if changed is None else read_date(changed)
    except ValueError:
        return None
    return Glimpse(
        sid=item["sid"],
        account_sid=account and sys.intern(account),
        phone_number=number,
        unique_name=name,
        status=sys.intern(_status(status)),
        date_created=created,
        signing_document_sid=document,
        verification_attempts=attempts or 0,
        verification_call_sids=tuple(calls or ()),
        date_updated=updated,
    )


_GLANCED = (
    "account_sid",
    "phone_number",
    "unique_name",
    "signing_document_sid",
    "date_created",
    "date_updated",
)
_CALLS = "verification_call_sids"


class Letter(_Resource):
    """An AuthorizationDocument: nine keys; which orders it takes is asked for separately."""

    status: str
