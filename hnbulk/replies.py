"""What a reply says, read with distrust: its JSON object, its error, its Retry-After.

Rules on both sides of a request ask here. Nothing here raises but `ReplyUnreadable`, knows
which request was answered, or lets through text that names a person.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from hnbulk.errors import ReplyUnreadable
from hnbulk.messages import Reply, read_http_date
from hnbulk.models import mask, mask_email, mask_phone

#: Refusals of the number itself, whatever else was asked for: not a valid number, not of a country
#: that can be hosted, "Phone Number Not Hostable" (error dictionary).
ABOUT_THE_NUMBER = frozenset({22102, 22103, 22110})
#: The longest message of the service that is kept, in characters.
MESSAGE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class ApiError:
    """The error a reply carries. `code` is the API's own number, None where the body has none.

    `message` names no person: numbers, addresses and codes are masked, control characters gone.
    """

    code: int | None
    message: str
    status: int


_NO_CODE = 1_000_000  # the API's codes have five digits


def read_error(reply: Reply) -> ApiError:
    """The error in `reply`; never raises. A body that is no JSON object, or a number that
    cannot be a code, gives code None."""
    try:
        body = read_object(reply)
    except ReplyUnreadable:
        return ApiError(None, "", reply.status)
    code, message = body.get("code"), body.get("message")
    whole = isinstance(code, int) and not isinstance(code, bool) and 0 <= code < _NO_CODE
    return ApiError(
        code if whole else None, scrub(message) if isinstance(message, str) else "", reply.status
    )


def read_object(reply: Reply) -> dict[str, Any]:
    """The one JSON object of the body, every name in it used once. Raises `ReplyUnreadable`.

    NaN, a byte order mark, lone surrogates, deep nesting, endless numbers and repeated names
    are refused: each is something a lenient parser would silently turn into another value.
    """
    value = read_json(reply)
    if not isinstance(value, dict):
        raise unreadable(reply, "the body is not an object")
    try:
        if not _plainly_once(reply.body, value):
            json.loads(reply.body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise unreadable(reply, "the body repeats a name or goes too deep") from None
    return value


def read_json(reply: Reply) -> Any:
    """The JSON value of the body. Raises `ReplyUnreadable`; repeated names are not looked for."""
    if not says_json(reply):
        raise unreadable(reply, "the body is not declared as JSON")
    try:
        return orjson.loads(reply.body)
    except ValueError:
        raise unreadable(reply, "the body is not JSON") from None


def says_json(reply: Reply) -> bool:
    """The reply declares JSON, or declares nothing."""
    kind = (reply.header("content-type") or "application/json").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def unreadable(reply: Reply, reason: str) -> ReplyUnreadable:
    """The error for a reply that is not what the API describes; shows nothing of its body."""
    return ReplyUnreadable(
        f"a reply with status {reply.status} cannot be read: {reason}. If it happens again, check that "
        "the address is the service's own and nothing stands in between.",
        status=reply.status,
        reason=reason,
    )


def read_retry_after(value: str | None, date: datetime | None) -> float | None:
    """The seconds a `Retry-After` asks for, never negative; None where it says nothing usable.

    An HTTP date counts from `date`, the reply's own `Date`. Of several numbers (a header sent
    twice) the largest counts.
    """
    text = (value or "").strip()
    parts = [part.strip() for part in text.split(",")]
    if all(re.fullmatch(r"-?[0-9]{1,10}", part) for part in parts):
        return max(0.0, *(float(part) for part in parts))
    until = read_http_date(text)
    return None if date is None or until is None else max(0.0, (until - date).total_seconds())


_SID = r"\b[A-Z]{2}[0-9a-fA-F]{32}\b"
_ADDRESS = r"[^\s@<>\"'=&,;:()]{1,64}(?:@|%40)[^\s@<>\"'=&,;:()]{1,255}"
_DIGITS = r"(?:\+|%2[bB])?\(?\d(?:[\s().\-/]{0,3}\d){5,}"
_PERSONAL = re.compile(f"(?P<sid>{_SID})|(?P<address>{_ADDRESS})|(?P<digits>{_DIGITS})")


def scrub(text: str) -> str:
    """`text` on one line, without control or direction characters, with nobody's data, cut to 200.

    Sids stay. E-mail addresses and every run of six or more digits (numbers, verification
    codes) are masked; API codes have five.
    """
    plain = "".join(_visible(char) for char in text[:2000])
    return " ".join(_PERSONAL.sub(_masked, plain).split())[:MESSAGE_LENGTH]


def _visible(char: str) -> str:
    return " " if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else char


def _masked(found: re.Match[str]) -> str:
    text = found.group()
    if found.lastgroup == "sid":
        return text
    if found.lastgroup == "address":
        return mask_email(text.replace("%40", "@"))
    digits = "".join(char for char in re.sub("^%2[bB]", "", text) if char.isdigit())
    return mask_phone(f"+{digits}") if len(digits) == 11 and digits.isascii() else mask(digits)


def _plainly_once(body: bytes, value: Any) -> bool:
    """No name is repeated, as counting shows; False where counting cannot show it.

    Where no blank stands before a colon, each name in the body ends in `":`. A value has as many
    names as that only if none of them was there twice.
    """
    return not any(blank in body for blank in _BLANKS) and body.count(b'":') == _names(value)


_BLANKS = (b" :", b"\t:", b"\n:", b"\r:")


def _names(value: Any) -> int:
    if type(value) is dict:
        return len(value) + sum(_names(one) for one in value.values() if type(one) in _HOLDERS)
    return sum(_names(one) for one in value if type(one) in _HOLDERS)


_HOLDERS = (dict, list)


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name is repeated")
