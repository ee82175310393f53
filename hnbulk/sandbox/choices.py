"""Settings of the world as people and documents give them: typed, checked, refused in one line.

A setting comes as text (`answer_rate=1`) or as JSON; either becomes the value its field is
declared with. What a value means is not decided here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from math import isfinite
from typing import Any

from hnbulk.sandbox.fates import WorldSettings

_DECLARED = {one.name: str(one.type) for one in fields(WorldSettings)}


def settings_of(plain: Mapping[str, Any]) -> WorldSettings:
    """The settings of a JSON object that holds all of them. Raises `ValueError`."""
    if set(plain) != set(_DECLARED):
        raise ValueError("the state's settings are not those of this version")
    return make_settings(plain)


def make_settings(given: Mapping[str, Any]) -> WorldSettings:
    """The settings of these names, the others as they usually are; a list stands for a tuple.

    Raises `ValueError` that says what is wrong with the first bad one.
    """
    if unknown := sorted(set(given) - set(_DECLARED)):
        raise ValueError(f"there is no setting `{_short(unknown[0])}`")
    values: dict[str, Any] = {name: _tuples(value) for name, value in given.items()}
    made = WorldSettings(**values)
    check_settings(made)
    return made


def check_settings(settings: WorldSettings) -> None:
    """Every setting is one a world can be made with. Raises `ValueError` for the first that is not."""
    for name in _DECLARED:
        if not _holds(name, value := getattr(settings, name)):
            raise ValueError(f"{name} takes {_takes(name)}, not {value!r}")


def plain_settings(settings: WorldSettings) -> dict[str, Any]:
    """The settings as JSON can hold them."""
    return {name: _lists(value) for name, value in asdict(settings).items()}


def read_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Fields of `WorldSettings` by name, out of texts `NAME=VALUE`; of one name, the last counts.

    Values are numbers, `true` or `false`, words, `12,36` for a span, `415:0.2,@14:0.9` for rates,
    `none`. Raises `ValueError` that says what is wrong with the first bad one.
    """
    return dict(_read(text) for text in texts)


def _read(text: str) -> tuple[str, Any]:
    name, equals, given = (part.strip() for part in text.partition("="))
    if not equals:
        raise ValueError(f"`{_short(text)}` is not NAME=VALUE, such as answer_rate=1")
    if name not in _DECLARED:
        raise ValueError(f"there is no setting `{_short(name)}`")
    value = _value(_DECLARED[name], given)
    if not _holds(name, value):
        raise ValueError(f"{name} takes {_takes(name)}, not `{_short(given)}`")
    return name, value


def _holds(name: str, value: Any) -> bool:
    """The setting may have this value."""
    return _KINDS[_DECLARED[name]][0](value) and _is_sound(name, value)


def _takes(name: str) -> str:
    """What the setting may be, in words."""
    return _BOUNDS.get(name, "a number from 0 to 1" if _is_rate(name) else _KINDS[_DECLARED[name]][1])


def _short(text: str) -> str:
    """On one line, and not more of it than anybody reads."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= 40 else f"{plain[:40]}..."


def _value(declared: str, text: str) -> Any:
    """What the text stands for; of the wrong type where it stands for nothing of the kind."""
    if declared == "str":
        return text
    if declared in ("Span", "Rates", "tuple[str, ...]"):
        parts = [part.strip(" \"'") for part in text.strip("[]() ").split(",") if part.strip()]
        if declared == "Rates":
            return tuple(_rate_of(part) for part in parts)
        return tuple(parts) if declared != "Span" else tuple(_number(part) for part in parts)
    return _number(text)


def _rate_of(text: str) -> tuple[str, Any]:
    where, _, rate = text.partition(":")
    return where.strip(), _number(rate.strip())


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _lists(value: Any) -> Any:
    return list(map(_lists, value)) if isinstance(value, tuple) else value


def _number(text: str) -> Any:
    """The number, truth or nothing that a text is."""
    word = text.lower()
    try:
        return json.loads("null" if word == "none" else word)
    except (ValueError, RecursionError):
        return text


def _is_sound(name: str, value: Any) -> bool:
    """The value is one a world can be made with."""
    if name in _SOUND:
        return _SOUND[name](value)
    numbers = value if isinstance(value, tuple) else (value,)
    if any(isinstance(one, int | float) and not 0 <= one < 10**6 for one in numbers):
        return False
    if _DECLARED[name] == "Span":
        return bool(value[0] <= value[1])
    return bool(value <= 1) if _is_rate(name) else True


def _is_rate(name: str) -> bool:
    return "_rate" in name and _DECLARED[name] == "float"


def _are_rates(value: object) -> bool:
    """Pairs of a place, an hour or both, and a number from 0 to 1."""
    return isinstance(value, tuple) and all(
        isinstance(pair, tuple)
        and len(pair) == 2
        and type(pair[0]) is str
        and _WHERE_WHEN.fullmatch(pair[0]) is not None
        and type(pair[1]) in (int, float)
        and 0 <= pair[1] <= 1
        for pair in value
    )


def _is_whole(value: object) -> bool:
    return type(value) is int


# An area code, a local hour from 0 to 23 without a leading zero, or both: 415, @9, 415@14.
_WHERE_WHEN = re.compile(r"(?=.)([2-9][0-9]{2})?(@(1?[0-9]|2[0-3]))?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")
# What a setting may be, by its annotation, and how that is told.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "int": (_is_whole, "a whole number, not negative"),
    "int | None": (
        lambda value: value is None or _is_whole(value),
        "a whole number, not negative, or `none`",
    ),
    "float": (lambda value: type(value) in (int, float) and isfinite(value), "a number, not negative"),
    "bool": (lambda value: type(value) is bool, "`true` or `false`"),
    "str": (lambda value: type(value) is str, "a word"),
    "Span": (
        lambda value: isinstance(value, tuple) and len(value) == 2 and all(map(_is_whole, value)),
        "two whole numbers from,to such as 12,36",
    ),
    "tuple[str, ...]": (
        lambda value: isinstance(value, tuple) and all(type(one) is str for one in value),
        "names with commas between them",
    ),
    "Rates": (_are_rates, "rates by area code and hour such as 415:0.2,415@14:0.5,@9:0.9"),
    "Conflict": (lambda value: type(value) is int and value in (20409, 22112), "20409 or 22112"),
    "RuleStatus": (lambda value: type(value) is int and value in (400, 409, 422), "400, 409 or 422"),
}
# Settings that take less than their kind.
_SOUND: dict[str, Callable[[Any], bool]] = {
    "callback_hosts": lambda value: all(_HOST.fullmatch(host) for host in value),
    "callback_method": lambda value: value in ("GET", "POST"),
    "code_digits": lambda value: 1 <= value <= 10,
    "subaccounts": lambda value: 0 <= value <= 100,
}
_BOUNDS = {
    "callback_hosts": "hosts with commas between them, such as example.com,example.com:8443",
    "callback_method": "GET or POST",
    "code_digits": "a whole number from 1 to 10",
    "subaccounts": "a whole number from 0 to 100",
}
