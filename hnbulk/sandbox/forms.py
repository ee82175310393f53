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
from hnbulk.sandbox.parameters import METHODS, PARAMETERS, URLS, Parameter
from hnbulk.sandbox.refusals import Refusal


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

    def renamed(self, name: str, other: str) -> Form:
        """The same form, where what is called `name` goes by `other`."""
        pairs = ((other if key == name else key, one) for key, all_ in self._values.items() for one in all_)
        return Form(tuple(pairs))

    def required(self, name: str) -> str:
        """The value. Refuses (20001) where it is missing."""
        value = self.get(name)
        if not value:
            raise Refusal(20001, f"Missing required parameter {name} in the post body")
        return value


def read_phone_number(value: str, *, name: str = "PhoneNumber") -> str:
    """A number that may be hosted. Refuses with 22102, 22103 or 22110."""
    code = judge(value)
    if code == 22102:
        raise Refusal(code, f"Invalid Phone Number: {name} is not a valid number in E.164 format")
    if code is not None:
        raise Refusal(code)
    return value


def read(form: Form, name: str) -> str | None:
    """The value, held against its row of `parameters`; None where it is not given or counts as none."""
    value = form.get(name)
    if value is None or (not value and PARAMETERS[name].empty):
        return None
    if not fits(PARAMETERS[name], value):
        raise Refusal(PARAMETERS[name].code)
    return value


def read_all(form: Form, name: str) -> list[str]:
    """The values of a name that may be repeated, in the order given, without empty ones."""
    values = form.all(name)
    if not all(fits(PARAMETERS[name], value) for value in values):
        raise Refusal(PARAMETERS[name].code)
    return values


def fits(row: Parameter, value: str) -> bool:
    """The value is what its row says."""
    if row.longest is not None and len(value) > row.longest:
        return False
    if row.choices and value not in row.choices:
        return False
    return not row.pattern or re.fullmatch(row.pattern, value) is not None


def read_number_settings(form: Form) -> dict[str, str]:
    """What a request sets on the incoming phone number, by parameter name."""
    settings = {name: form.get(name) or "" for name in (*URLS, *METHODS) if name in form}
    for name in URLS:
        if settings.get(name) and not _is_url(settings[name]):
            raise Refusal(22105, f"Invalid URL format: {name}")
    for name in METHODS:
        if name in settings and not fits(PARAMETERS[name], settings[name]):
            raise Refusal(22106, f"Invalid Method: {name}")
    if "SmsApplicationSid" in form:
        settings["SmsApplicationSid"] = read(form, "SmsApplicationSid") or ""
    return settings


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
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and " " not in value
