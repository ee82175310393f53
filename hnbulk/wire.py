"""What the API calls things: our words become requests, its replies become orders and pages.

Every path, parameter name and list envelope of the service is written here and nowhere else,
as a dialect: a value. This module sends nothing and keeps nothing.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from hnbulk.errors import AccessRefused, DialectCannot, ReplyUnreadable, ServiceRefused, UsageError
from hnbulk.lifecycle import ASKABLE
from hnbulk.messages import Pairs, Reply, Request
from hnbulk.models import Glimpse, Letter, Order, Sight, glimpse_of, readable
from hnbulk.replies import ApiError as ApiError
from hnbulk.replies import read_error as read_error
from hnbulk.replies import read_json, read_object, unreadable

#: "How many resources to return in each list page ... the maximum is 1000." (reference page, Read)
MAX_PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Dialect:
    """One version of the API: its paths, and its parameter names by ours, in the API's order."""

    name: str
    orders: str
    letters: str
    create_params: Mapping[str, str]
    update_params: Mapping[str, str]
    letter_params: Mapping[str, str]
    letter_update_params: Mapping[str, str]
    order_filters: Mapping[str, str]
    letter_filters: Mapping[str, str]
    has_unique_name: bool


def _names(*fields: str) -> dict[str, str]:
    return {field: "".join(part.capitalize() for part in field.split("_")) for field in fields}


_LETTER = ("hosted_number_order_sids", "address_sid", "email", "contact_title", "contact_phone_number")

PREVIEW = Dialect(
    name="preview",
    orders="/HostedNumbers/HostedNumberOrders",
    letters="/HostedNumbers/AuthorizationDocuments",
    create_params=_names(
        "phone_number",
        "sms_capability",
        "account_sid",
        "friendly_name",
        "unique_name",
        "cc_emails",
        "sms_url",
        "sms_method",
        "sms_fallback_url",
        "sms_fallback_method",
        "status_callback_url",
        "status_callback_method",
        "sms_application_sid",
        "address_sid",
        "email",
        "verification_type",
        "verification_document_sid",
    ),
    update_params=_names(
        "friendly_name",
        "unique_name",
        "email",
        "cc_emails",
        "status",
        "verification_code",
        "verification_type",
        "verification_document_sid",
        "extension",
        "call_delay",
    ),
    letter_params=_names(*_LETTER, "cc_emails"),
    letter_update_params=_names(*_LETTER, "cc_emails", "status"),
    order_filters=_names(
        "status", "phone_number", "incoming_phone_number_sid", "friendly_name", "unique_name"
    ),
    letter_filters=_names("email", "status"),
    has_unique_name=True,
)
DIALECTS: dict[str, Dialect] = {PREVIEW.name: PREVIEW}


@dataclass(frozen=True, slots=True)
class Page:
    """The envelope of one list page: where the next is (None: this is the last), and how many items."""

    next_url: str | None
    key: str
    size: int


# requests


def create_order(dialect: Dialect, params: Mapping[str, Any]) -> Request:
    """The request for a new order; `SmsCapability=true` always goes with it.

    Names are ours (`phone_number`, ...); None is left out. Raises `DialectCannot` for a name
    this API version does not have.
    """
    given = {**params, "sms_capability": True}
    return Request("POST", dialect.orders, form=_pairs(dialect, dialect.create_params, given, "create"))


def fetch_order(dialect: Dialect, sid: str) -> Request:
    """The request for one order."""
    return Request("GET", _order_path(dialect, sid))


def update_order(dialect: Dialect, sid: str, params: Mapping[str, Any]) -> Request:
    """The request that changes fields of an order. Raises `DialectCannot` as `create_order` does."""
    form = _pairs(dialect, dialect.update_params, params, "update")
    return Request("POST", _order_path(dialect, sid), form=form)


def ask_verification(
    dialect: Dialect,
    sid: str,
    *,
    verification_type: str | None = None,
    extension: str | None = None,
    call_delay: int | None = None,
) -> Request:
    """The request that places a verification call: `Status=pending-verification`."""
    params = {
        "status": ASKABLE,
        "verification_type": verification_type,
        "extension": extension,
        "call_delay": call_delay,
    }
    return update_order(dialect, sid, params)


def delete_order(dialect: Dialect, sid: str) -> Request:
    """The request that cancels an order and deletes its incoming phone number."""
    return Request("DELETE", _order_path(dialect, sid))


def list_orders(dialect: Dialect, *, page_size: int = MAX_PAGE_SIZE, **filters: Any) -> Request:
    """The request for the first page of orders; `filters` in our names (`status`, ...)."""
    return Request(
        "GET", dialect.orders, query=_filters(dialect, dialect.order_filters, filters, page_size)
    )


def create_letter(dialect: Dialect, params: Mapping[str, Any]) -> Request:
    """The request for a new authorization document over `hosted_number_order_sids`, mailed at once."""
    form = _pairs(dialect, dialect.letter_params, params, "letter")
    return Request("POST", dialect.letters, form=form)


def fetch_letter(dialect: Dialect, sid: str) -> Request:
    """The request for one authorization document."""
    return Request("GET", _letter_path(dialect, sid))


def update_letter(dialect: Dialect, sid: str, params: Mapping[str, Any]) -> Request:
    """The request that changes an authorization document or its `status`."""
    form = _pairs(dialect, dialect.letter_update_params, params, "letter update")
    return Request("POST", _letter_path(dialect, sid), form=form)


def list_letters(dialect: Dialect, *, page_size: int = MAX_PAGE_SIZE, **filters: Any) -> Request:
    """The request for the first page of authorization documents."""
    query = _filters(dialect, dialect.letter_filters, filters, page_size)
    return Request("GET", dialect.letters, query=query)


def list_dependents(
    dialect: Dialect, letter_sid: str, *, page_size: int = MAX_PAGE_SIZE, **filters: Any
) -> Request:
    """The request for the first page of the orders one authorization document takes."""
    query = _filters(dialect, dialect.order_filters, filters, page_size)
    return Request("GET", f"{_letter_path(dialect, letter_sid)}/{_DEPENDENTS}", query=query)


def follow(dialect: Dialect, url: str) -> Request:
    """The request for an absolute next-page address of the service, its origin kept.

    Raises `ReplyUnreadable` for anything but a plain http(s) address of one of the lists.
    Whether the origin is ours is the client's to say.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        query = tuple(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _foreign("it is not an address") from None
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url or "#" in url:
        raise _foreign("it has characters that no address of a list has")
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise _foreign("it is not a plain http(s) address")
    dependents = rf"{re.escape(dialect.letters)}/PX[0-9a-fA-F]{{32}}/{_DEPENDENTS}"
    if parts.path not in (dialect.orders, dialect.letters) and not re.fullmatch(dependents, parts.path):
        raise _foreign("its path is not that of a list")
    standard = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + ("" if standard else f":{port}")
    return Request("GET", parts.path, query=query, origin=origin)


# replies


def read_order(reply: Reply, *, lenient: bool = False) -> Order:
    """The order in `reply`. Raises `ReplyUnreadable`; an unknown status warns and stays.

    `lenient`: a field that cannot be read is left out, unless it says which order it is.
    """
    return _order(read_object(reply), reply, lenient=lenient)


def read_letter(reply: Reply) -> Letter:
    """The authorization document in `reply`. Raises `ReplyUnreadable`."""
    return _model(Letter, read_object(reply), "PX", reply)


def read_orders(reply: Reply, *, lenient: bool = False) -> tuple[list[Order], Page]:
    """Every order of one page, validated, and its envelope: for look-ups, not for bulk.

    `lenient` as in `read_order`: an order is never left out, or it would pass for one that is not there.
    """
    body = read_object(reply)
    page = _envelope(body, reply)
    return [_order(item, reply, lenient=lenient) for item in body[page.key]], page


def read_sights(reply: Reply, *, whole: Container[str] = ()) -> tuple[list[Sight], Page]:
    """Every order of one page, those with a sid or unique name in `whole` whole and the others at a
    glance, and the page's envelope. Lenient as `read_orders` may be."""
    body = read_object(reply)
    page = _envelope(body, reply)
    return [_sight(item, reply, whole) for item in body[page.key]], page


def read_letters(reply: Reply) -> tuple[list[Letter], Page]:
    """Every authorization document of one page, validated, and the page's envelope."""
    body = read_object(reply)
    page = _envelope(body, reply)
    return [_model(Letter, item, "PX", reply) for item in body[page.key]], page


def read_page(reply: Reply) -> Page:
    """The envelope of one page; the items stay bytes. Raises `ReplyUnreadable`."""
    return _envelope(read_json(reply), reply)


def is_list(path: str) -> bool:
    """`path` is that of a list, not of one resource."""
    return not _ITEM.search(path)


def raise_for_reply(reply: Reply, request: Request) -> None:
    """`reply` is a success (2xx), or this raises.

    `AccessRefused` for 401, 403, and for 404 with code 20404 on a list: that is how the
    service answers an account without access to this API. `ServiceRefused` for the rest.
    """
    if 200 <= reply.status < 300:
        return
    error = read_error(reply)
    facts = {
        "status": reply.status,
        "api_code": error.code,
        "method": request.method,
        "path": request.path,
    }
    said = f" ({error.code}: {error.message})" if error.code is not None else ""
    if reply.status in (401, 403):
        raise AccessRefused(
            f"the service refused the credentials with {reply.status}{said}. Check the account sid, and "
            "that the token or key is a valid one of that account.",
            **facts,
        )
    if reply.status == 404 and error.code == 20404 and not _UNDER.search(request.path):
        raise AccessRefused(
            f"this account has no access to this API: {request.path} is not there for it{said}. Ask the "
            "service to enable hosted numbers for the account.",
            **facts,
        )
    raise ServiceRefused(
        f"the service answered {request.method} {request.path} with {reply.status}{said}.", **facts
    )


_DEPENDENTS = "DependentHostedNumberOrders"
_UNDER = re.compile(r"/(?:HR|PX)[0-9a-fA-F]{32}(?:/|\Z)")
_ITEM = re.compile(r"/(?:HR|PX)[0-9a-fA-F]{32}\Z")
_Resource = TypeVar("_Resource", Order, Letter)


def _is_sid(value: object, prefix: str) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(prefix + r"[0-9a-fA-F]{32}", value))


def _order_path(dialect: Dialect, sid: str) -> str:
    return _item_path(dialect.orders, sid, "HR", "an order")


def _letter_path(dialect: Dialect, sid: str) -> str:
    return _item_path(dialect.letters, sid, "PX", "an authorization document")


def _item_path(base: str, sid: str, prefix: str, what: str) -> str:
    if not _is_sid(sid, prefix):
        raise UsageError(f"this is not the sid of {what}: it must be {prefix} and 32 hex digits.")
    return f"{base}/{sid}"


def _pairs(dialect: Dialect, known: Mapping[str, str], given: Mapping[str, Any], verb: str) -> Pairs:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise DialectCannot(
            f"the {dialect.name} API has no {', '.join(unknown)} in {verb}. Leave it out.",
            dialect=dialect.name,
            fields=unknown,
        )
    return tuple(
        (known[name], text) for name in known if name in given for text in _texts(name, given[name])
    )


def _texts(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, (str, int)):
        return [str(value)]
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return list(value)
    raise UsageError(f"{name} must be text, a whole number or a list of texts.")


def _filters(dialect: Dialect, known: Mapping[str, str], given: Mapping[str, Any], page_size: int) -> Pairs:
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise UsageError(f"a page holds 1 to {MAX_PAGE_SIZE} items; {page_size} were asked for.")
    return (*_pairs(dialect, known, given, "list"), ("PageSize", str(page_size)))


def _order(body: Any, reply: Reply, *, lenient: bool) -> Order:
    try:
        return _model(Order, body, "HR", reply)
    except ReplyUnreadable:
        if not lenient or not isinstance(body, dict):
            raise
        return _model(Order, readable(body), "HR", reply)


def _model(kind: type[_Resource], body: Any, prefix: str, reply: Reply) -> _Resource:
    try:
        resource = kind.model_validate(body)
    except ValidationError as error:
        fields = sorted({str(part["loc"][0]) for part in error.errors(include_input=False) if part["loc"]})
        shown = ", ".join(name for name in fields if name in kind.model_fields) or "the object"
        raise unreadable(reply, f"not as the API describes: {shown}") from None
    if not _is_sid(resource.sid, prefix):
        raise unreadable(reply, f"the sid is not {prefix} and 32 hex digits")
    return resource


def _sight(item: Any, reply: Reply, whole: Container[str]) -> Sight:
    seen = glimpse_of(item) if isinstance(item, dict) and _is_sid(item.get("sid"), "HR") else None
    if seen is not None and not _is_among(seen, whole):
        return seen
    order = _order(item, reply, lenient=True)
    return (
        order if _is_among(order, whole) else Glimpse(*(getattr(order, name) for name in Glimpse._fields))
    )


def _is_among(order: Sight, some: Container[str]) -> bool:
    return order.sid in some or (order.unique_name is not None and order.unique_name in some)


def _envelope(body: Any, reply: Reply) -> Page:
    meta = body.get("meta") if isinstance(body, dict) else None
    if not isinstance(meta, dict) or meta.get("key") != "items" or not isinstance(body.get("items"), list):
        raise unreadable(reply, "not a list page of the API")
    url = meta.get("next_page_url") or None
    if url is not None and not isinstance(url, str):
        raise unreadable(reply, "the next page's address is not text")
    return Page(next_url=url, key="items", size=len(body["items"]))


def _foreign(reason: str) -> ReplyUnreadable:
    return ReplyUnreadable(
        f"the address of the next page is refused: {reason}. Nothing was sent to it.", reason=reason
    )
