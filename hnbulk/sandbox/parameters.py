"""The form parameters of the API, as a table: what a value may be, and the error of one that is not.

Reading a form and describing the API both go by these rows, so that neither can say what the other
does not do. Nothing here reads a request.
"""

from __future__ import annotations

from dataclasses import dataclass

from hnbulk.lifecycle import ORDER

LONGEST_NAME = 128
EMAIL = r"[^@\s,;<>]+@[^@\s,;<>.]+(\.[^@\s,;<>.]+)+"
NUMBER = r"\+[1-9][0-9]{6,14}"
_METHOD = "[Gg][Ee][Tt]|[Pp][Oo][Ss][Tt]"
_URL = r"[Hh][Tt][Tt][Pp][Ss]?://.+"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a form. `pattern` is matched by the whole value."""

    name: str
    about: str
    code: int  # of the refusal of a value that breaks the rule
    pattern: str = ""
    longest: int | None = None
    choices: tuple[str, ...] = ()
    whole: tuple[int, int] | None = None  # a whole number from..to
    many: bool = False  # the name may be repeated, one value each
    empty: bool = False  # an empty value is legal and counts as none


def sid_pattern(prefix: str) -> str:
    """What a sid of this kind matches."""
    return f"{prefix}[0-9a-fA-F]{{32}}"


def _sid(name: str, prefix: str, code: int, about: str) -> Parameter:
    return Parameter(name, about, code, pattern=sid_pattern(prefix), empty=True)


def _url(name: str, about: str) -> Parameter:
    return Parameter(name, about, 22105, pattern=_URL, empty=True)


def _method(name: str, about: str) -> Parameter:
    return Parameter(name, about, 22106, pattern=_METHOD)


_ROWS: tuple[Parameter, ...] = (
    Parameter("PhoneNumber", "the number to host, E.164", 22102, pattern=NUMBER),
    Parameter("SmsCapability", "true: the number is hosted for SMS", 22119, pattern="[Tt][Rr][Uu][Ee]"),
    _sid("AccountSid", "AC", 21470, "the account or subaccount that gets the number"),
    Parameter("FriendlyName", "a name for people", 22116, longest=LONGEST_NAME, empty=True),
    Parameter("UniqueName", "a name no other live order has", 22115, longest=LONGEST_NAME, empty=True),
    Parameter("Email", "who signs the letter", 22104, pattern=EMAIL, empty=True),
    Parameter("CcEmails", "who gets copies of the letter", 22104, pattern=EMAIL, many=True, empty=True),
    _url("SmsUrl", "asked when a message comes in"),
    _method("SmsMethod", "how SmsUrl is asked"),
    _url("SmsFallbackUrl", "asked when SmsUrl fails"),
    _method("SmsFallbackMethod", "how SmsFallbackUrl is asked"),
    _url("StatusCallbackUrl", "told of every change of the order's status"),
    _method("StatusCallbackMethod", "how the status callback is sent"),
    _url("StatusCallback", "told of every change of the order's status"),
    _sid("SmsApplicationSid", "AP", 22108, "an application in place of the Sms URLs"),
    _sid("AddressSid", "AD", 22109, "the service address"),
    Parameter("VerificationType", "how ownership is verified", 22120, choices=("phone-call", "phone-bill")),
    _sid("VerificationDocumentSid", "RI", 22118, "the phone bill"),
    Parameter("Extension", "digits, #, * and w (a pause) keyed after pick-up", 22117, pattern="[0-9#*w]+"),
    Parameter("CallDelay", "seconds before the call", 20001, whole=(0, 60)),
    Parameter("VerificationCode", "the code of the verification call", 22113),
    Parameter("Status", "pending-verification asks for verification", 22111, choices=ORDER),
    Parameter(
        "HostedNumberOrderSids", "the orders of the letter", 22101, pattern=sid_pattern("HR"), many=True
    ),
    Parameter("ContactTitle", "the title of who signs", 20001),
    Parameter("ContactPhoneNumber", "the telephone of who signs, E.164", 22102, pattern=NUMBER),
)
#: Every parameter of a form by name, but for the status of a letter.
PARAMETERS: dict[str, Parameter] = {row.name: row for row in _ROWS}
#: The status a letter may be given.
LETTER_STATUS = Parameter(
    "Status", "opened to change the letter, signing to send it out", 22122, choices=("opened", "signing")
)
#: Parameters that go to the incoming phone number and are never shown with the order.
URLS = ("SmsUrl", "SmsFallbackUrl", "StatusCallbackUrl")
METHODS = ("SmsMethod", "SmsFallbackMethod", "StatusCallbackMethod")
