"""What the API serves, as a table: operations by method and path, with what they take and answer.

The service finds its operation here and the description of the API is written from here. Nothing
in this module carries out a request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hnbulk.sandbox import letters
from hnbulk.sandbox.orders import FILTERS
from hnbulk.sandbox.paging import PAGING
from hnbulk.sandbox.parameters import LETTER_STATUS, METHODS, PARAMETERS, URLS, Parameter
from hnbulk.sandbox.records import LETTERS, ORDERS

#: Error codes that any request may be answered with: by credentials, body and concurrency.
GENERAL = (20003, 20422, 20429)
#: Refusals of the desk that have no code of the service: their code is the HTTP status.
DESK = (413, 421)

_ORDER = f"{ORDERS}/{{Sid}}"
_LETTER = f"{LETTERS}/{{Sid}}"
_NUMBER = "/2010-04-01/Accounts/{AccountSid}/IncomingPhoneNumbers/{Sid}.json"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `answers` names what a success carries; None is no body."""

    operation: str
    method: str
    path: str
    about: str
    success: int
    answers: str | None
    query: tuple[str, ...] = ()
    form: tuple[Parameter, ...] = ()
    required: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()  # errors beside those of the form's rows and `GENERAL`

    @property
    def errors(self) -> tuple[int, ...]:
        """Every error code this operation may be answered with, ascending."""
        return tuple(sorted({*self.codes, *GENERAL, *(row.code for row in self.form)}))


def _form(*names: str) -> tuple[Parameter, ...]:
    return tuple(PARAMETERS[name] for name in names)


_SHARED = _form(
    "FriendlyName", "UniqueName", "Email", "CcEmails", "VerificationType", "VerificationDocumentSid"
)
_SETTINGS = _form(*URLS, *METHODS, "SmsApplicationSid")
_CONTENT = _form(*letters.CONTENT)
_LISTING = (20001, 20007, 21481, 22111, 70002)

ROUTES: tuple[Route, ...] = (
    Route(
        "create_order",
        "POST",
        ORDERS,
        "Orders hosting for a number; the order begins in twilio-processing.",
        201,
        "order",
        form=(*_form("PhoneNumber", "SmsCapability", "AccountSid", "AddressSid"), *_SHARED, *_SETTINGS),
        required=("PhoneNumber", "SmsCapability"),
        codes=(20001, 20409, 21471, 22103, 22110),
    ),
    Route(
        "list_orders",
        "GET",
        ORDERS,
        "A page of the orders, newest first.",
        200,
        "order_page",
        query=(*FILTERS, *PAGING),
        codes=_LISTING,
    ),
    Route("fetch_order", "GET", _ORDER, "One order.", 200, "order", codes=(20404,)),
    Route(
        "update_order",
        "POST",
        _ORDER,
        "Changes an order, asks for verification, or verifies by code.",
        200,
        "order",
        form=(*_SHARED, *_form("Extension", "CallDelay", "Status", "VerificationCode")),
        codes=(20404, 20409, 22100, 22112, 22114, 22123),
    ),
    Route(
        "delete_order",
        "DELETE",
        _ORDER,
        "Cancels an order; its number goes with it.",
        204,
        None,
        codes=(20404, 20409, 22112),
    ),
    Route(
        "create_letter",
        "POST",
        LETTERS,
        "Sends a letter of authorization out for signing.",
        201,
        "letter",
        form=_CONTENT,
        required=("HostedNumberOrderSids", "AddressSid", "Email", "ContactTitle", "ContactPhoneNumber"),
        codes=(20001,),
    ),
    Route(
        "list_letters",
        "GET",
        LETTERS,
        "A page of the letters, newest first.",
        200,
        "letter_page",
        query=(*letters.FILTERS, *PAGING),
        codes=(20001, 20007, 21481, 22122, 70002),
    ),
    Route("fetch_letter", "GET", _LETTER, "One letter.", 200, "letter", codes=(20404,)),
    Route(
        "update_letter",
        "POST",
        _LETTER,
        "Opens a letter, changes it while it is opened, or sends it out again.",
        200,
        "letter",
        form=(*_CONTENT, LETTER_STATUS),
        codes=(20001, 20404, 22107),
    ),
    Route(
        "list_dependents",
        "GET",
        f"{_LETTER}/DependentHostedNumberOrders",
        "A page of the orders of a letter.",
        200,
        "dependent_page",
        query=(*FILTERS, *PAGING),
        codes=(20404, *_LISTING),
    ),
    Route("fetch_number", "GET", _NUMBER, "The number of an order.", 200, "number", codes=(20404,)),
    Route(
        "update_number",
        "POST",
        _NUMBER,
        "Changes what a number does with messages.",
        200,
        "number",
        form=(*_form("FriendlyName"), *_SETTINGS, *_form("StatusCallback")),
        codes=(20404,),
    ),
    Route(
        "delete_number",
        "DELETE",
        _NUMBER,
        "Off-boards a number whose order is completed.",
        204,
        None,
        codes=(20404, 20409),
    ),
)
_AT: dict[str, dict[str, Route]] = {}
for _route in ROUTES:
    _AT.setdefault(_route.path, {})[_route.method] = _route


def _expression(path: str) -> str:
    """A path's regular expression: a name in braces is one segment of it."""
    return re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))


_PATHS = {path: re.compile(_expression(path)) for path in _AT if "{" in path}


@dataclass(frozen=True, slots=True)
class Found:
    """The operations at a path, by method, and what its segments are."""

    routes: dict[str, Route]
    segments: dict[str, str]


def find_route(path: str) -> Found | None:
    """What is served at a path, None where nothing is. Paths are case sensitive."""
    if path in _AT:
        return Found(_AT[path], {})
    for template, expression in _PATHS.items():
        if match := expression.fullmatch(path):
            return Found(_AT[template], match.groupdict())
    return None
