"""Reading parameters: names to values, and each value held against its rule.

A value that breaks its rule raises the `Refusal` with the rule's code. Names nobody knows are
ignored, as the service ignores them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from hnbulk.messages import Pairs
from hnbulk.sandbox.nanp import judge
from hnbulk.sandbox.refusals import Refusal

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>.]+(\.[^@\s,;<>.]+)+\Z")
_EXTENSION = re.compile(r"[0-9#*w]+\Z")
_SID = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}\Z")
LONGEST_NAME = 128

# Parameters that go to the incoming phone number and are never shown with the order.
URLS = ("SmsUrl", "SmsFallbackUrl", "StatusCallbackUrl")
METHODS = ("SmsMethod", "SmsFallbackMethod", "StatusCallbackMethod")


class Form:
    """Parameters of one request; a name may have several values, and the last one counts."""

    def __init__(self, pairs: Pairs) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __bool__(self) -> bool:
        return bool(self._values)

    def get(self, name: str) -> str | None:
        """The value, None where it is not given."""
        values = self._values.get(name)
        return values[-1] if values else None

    def all(self, name: str) -> list[str]:
        """All values given, without empty ones."""
        return [value for value in self._values.get(name, ()) if value]

    def required(self, name: str) -> str:
        """The value. Refuses (20001) where it is missing."""
        value = self.get(name)
        if not value:
            raise Refusal(20001, f"Missing required parameter {name} in the post body")
        return value


def is_sid(prefix: str, value: str) -> bool:
    """The value has the shape of a sid of this kind."""
    return value.startswith(prefix) and bool(_SID.match(value))


def read_phone_number(value: str, *, name: str = "PhoneNumber") -> str:
    """A number that may be hosted. Refuses with 22102, 22103 or 22110."""
    code = judge(value)
    if code == 22102:
        raise Refusal(code, f"Invalid Phone Number: {name} is not a valid number in E.164 format")
    if code is not None:
        raise Refusal(code)
    return value


def read_name(form: Form, name: str, code: int) -> str | None:
    """A name of at most 128 characters; empty counts as none."""
    value = form.get(name)
    if value is not None and len(value) > LONGEST_NAME:
        raise Refusal(code)
    return value or None


def read_email(form: Form, name: str = "Email") -> str | None:
    """An e-mail address; empty counts as none."""
    value = form.get(name)
    if value and not _EMAIL.match(value):
        raise Refusal(22104)
    return value or None


def read_emails(form: Form, name: str = "CcEmails") -> list[str]:
    """E-mail addresses, in the order given."""
    values = form.all(name)
    if not all(_EMAIL.match(value) for value in values):
        raise Refusal(22104)
    return values


def read_sid(form: Form, name: str, prefix: str, code: int) -> str | None:
    """A sid of one kind; empty counts as none."""
    value = form.get(name)
    if value and not is_sid(prefix, value):
        raise Refusal(code)
    return value or None


def read_number_settings(form: Form) -> dict[str, str]:
    """What a request sets on the incoming phone number, by parameter name."""
    settings = {name: form.get(name) or "" for name in (*URLS, *METHODS) if name in form}
    for name in URLS:
        if settings.get(name) and not _is_url(settings[name]):
            raise Refusal(22105, f"Invalid URL format: {name}")
    for name in METHODS:
        if settings.get(name, "GET").upper() not in ("GET", "POST"):
            raise Refusal(22106, f"Invalid Method: {name}")
    application = read_sid(form, "SmsApplicationSid", "AP", 22108)
    return settings if application is None else {**settings, "SmsApplicationSid": application}


def read_verification_type(form: Form) -> str | None:
    """`phone-call` or `phone-bill`."""
    value = form.get("VerificationType")
    if value is not None and value not in ("phone-call", "phone-bill"):
        raise Refusal(22120)
    return value


def read_extension(form: Form) -> str | None:
    """Digits, `#`, `*` and `w` (a pause)."""
    value = form.get("Extension")
    if value is not None and not _EXTENSION.match(value):
        raise Refusal(22117)
    return value


def read_call_delay(form: Form, longest: int) -> int | None:
    """Whole seconds of 0..`longest`."""
    value = form.get("CallDelay")
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 5 and int(value) <= longest):
        raise Refusal(20001, f"Invalid CallDelay: must be between 0 and {longest}")
    return int(value)


def read_whole(values: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of a query."""
    value = values.get(name, "")
    if not value:
        return default
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise Refusal(20001, f"Invalid {name}: must be a whole number")
    return int(value)


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in value
    except ValueError:
        return False
