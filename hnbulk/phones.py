"""Reading one cell of a spreadsheet as a phone number that can be hosted, or saying why it is not.

Nothing is repaired: a number whose digits a spreadsheet may have changed is refused. Only US and
Canadian numbers pass. This module touches no table, file or network.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberType


class PhoneFault(StrEnum):
    """Why a cell is no number that can be hosted; the words are problem codes."""

    MISSING = "phone-missing"
    NUMBER_FORMAT = "phone-number-format"
    SIGNS = "phone-signs"
    LETTERS = "phone-letters"
    TOO_SHORT = "phone-too-short"
    TOO_LONG = "phone-too-long"
    AREA_CODE = "phone-area-code"
    COUNTRY = "phone-country"
    CARIBBEAN = "phone-caribbean"
    PREMIUM = "phone-premium"
    SPECIAL = "phone-special"
    INVALID = "phone-invalid"


@dataclass(frozen=True, slots=True, repr=False)
class Phone:
    """A number in E.164 (`+1` and ten digits), and the extension the cell held beside it."""

    number: str
    extension: str | None = None


_BLANKS = frozenset({"", "na", "n/a", "#n/a", "nan", "none", "null", "nil", "tbd", "unknown", "?"})
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-")

# What a spreadsheet makes of a number: 4.15555E+09, 4155550100.0, 4,155,550,100.
_NUMBER_FORMATS = re.compile(
    r"[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+"
    r"|[+-]?[0-9]{5,}\.[0-9]+"
    r"|[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?"
)
# The extension: digits, #, * and w, a pause (error dictionary, 22117).
_EXTENSION = re.compile(
    r"(?P<number>.*[0-9).])[\s,;]*(?:extension|extn|ext|poste|x|#)[.:=\s]*(?P<extension>[0-9#*w]+)",
    re.IGNORECASE,
)
_SIGNS = re.compile(r"[0-9 ()+./-]*")
_NOT_DIGITS = re.compile("[^0-9]")
_HOSTABLE = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,  # US and Canadian numbers do not show which of the two they are
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.TOLL_FREE,
    }
)
_COUNTRIES = frozenset({"US", "CA"})
_LENGTH = 10  # digits after the country code


def is_e164(text: str) -> bool:
    """`+`, then 7 to 15 digits, the first not zero."""
    return re.fullmatch(r"\+[1-9][0-9]{6,14}", text) is not None


def read_phone(cell: str) -> Phone | PhoneFault:
    """The number in a cell, or the first reason why there is none.

    A ten-digit number, or eleven digits with a leading 1, is read as a number of the US or
    Canada; any other country needs its `+` and is refused as such. Blanks of any width and
    dashes of any length may stand between the digits.
    """
    text = _without_mark(tidy(cell))
    text = text if text.isascii() else text.translate(_DASHES)
    if text.lower() in _BLANKS or not text.strip("-. "):
        return PhoneFault.MISSING
    if _NUMBER_FORMATS.fullmatch(text):
        return PhoneFault.NUMBER_FORMAT
    text = (
        re.sub(r"tel:\s*", "", text, count=1, flags=re.IGNORECASE) if text[:4].lower() == "tel:" else text
    )
    extension = None
    if not _SIGNS.fullmatch(text):
        split = _EXTENSION.fullmatch(text)
        extension = split["extension"] if split else None
        text = split["number"] if split else text
        if any(sign.isalpha() for sign in text):
            return PhoneFault.LETTERS
        if not _SIGNS.fullmatch(text):
            return PhoneFault.SIGNS
    if "+" in text[1:].lstrip("("):
        return PhoneFault.SIGNS
    national = _national(_NOT_DIGITS.sub("", text), plus="+" in text)
    if isinstance(national, PhoneFault):
        return national
    return _fault(national) or Phone(f"+1{national}", extension)


def tidy(text: str) -> str:
    """`text` without blanks around it, and with every blank inside (no-break too) an ordinary one."""
    if text.isascii():
        return text.strip(" \t\r\n")
    plain = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    return plain.strip(" \t\r\n")


def _national(digits: str, *, plus: bool) -> str | PhoneFault:
    """The ten digits behind the country code 1."""
    if plus and not digits.startswith("1"):
        return PhoneFault.COUNTRY if _is_country(digits) else PhoneFault.INVALID
    if not plus and digits.startswith("011"):  # how one dials abroad from the US and Canada
        return PhoneFault.COUNTRY
    if digits.startswith("1") and (plus or len(digits) > _LENGTH):
        digits = digits[1:]
    if len(digits) < _LENGTH:
        return PhoneFault.TOO_SHORT
    return digits if len(digits) == _LENGTH else PhoneFault.TOO_LONG


def _is_country(digits: str) -> bool:
    try:
        return phonenumbers.parse(f"+{digits}", None).country_code is not None
    except NumberParseException:
        return False


def _fault(national: str) -> PhoneFault | None:
    """Why these ten digits are no number to host; None where they are."""
    area = national[:3]
    if area[0] in "01":
        return PhoneFault.AREA_CODE
    if shares_country_code(area):
        return PhoneFault.CARIBBEAN
    plain, special = _short_road()
    if any(all(one.fullmatch(national) for one in both) for both in plain) and not special.fullmatch(
        national
    ):
        return None
    number = phonenumbers.PhoneNumber(country_code=1, national_number=int(national))
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.PREMIUM_RATE or area == "900":
        return PhoneFault.PREMIUM
    if kind == PhoneNumberType.UNKNOWN:
        return PhoneFault.INVALID if _is_in_use(area) else PhoneFault.AREA_CODE
    return None if kind in _HOSTABLE else PhoneFault.SPECIAL


@cache
def ordinary_numbers() -> tuple[tuple[tuple[str, str], ...], str]:
    """What the library takes for ordinary and toll-free numbers of the US and of Canada, and for others.

    Each home has two patterns, and ten digits that fit both of one home and not the last pattern (of
    all other kinds) need no further look; the library itself compiles and asks a dozen patterns for
    each number.
    """
    homes = [PhoneMetadata.metadata_for_region(region, None) for region in sorted(_COUNTRIES)]
    plain = tuple(
        (
            _pattern(home, "general_desc"),
            f"(?:{_pattern(home, 'fixed_line')})|(?:{_pattern(home, 'toll_free')})",
        )
        for home in homes
    )
    kinds = ("premium_rate", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail")
    return plain, "|".join(f"(?:{_pattern(home, kind)})" for home in homes for kind in kinds)


@cache
def _short_road() -> tuple[tuple[tuple[re.Pattern[str], ...], ...], re.Pattern[str]]:
    plain, special = ordinary_numbers()
    return tuple(tuple(map(re.compile, both)) for both in plain), re.compile(special)


#: A pattern that no text fits, for every library of patterns.
_NOTHING = r"[^\s\S]"


def _pattern(home: PhoneMetadata | None, kind: str) -> str:
    """The library's pattern for one kind of number; one that matches nothing where it has none."""
    found: str | None = getattr(getattr(home, kind, None), "national_number_pattern", None)
    return found or _NOTHING


@cache
def shares_country_code(area: str) -> bool:
    """The area code (three digits) is of a country or territory that shares +1 with the US and Canada."""
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        metadata = PhoneMetadata.metadata_for_region(region, None)
        leading = metadata.leading_digits if metadata else None
        if region not in _COUNTRIES and leading and re.match(rf"(?:{leading})", area):
            return True
    return False


@cache
def _is_in_use(area: str) -> bool:
    """Some number of the area code exists."""
    some = (
        phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{area}{rest}")) for rest in _TRIALS
    )
    return any(phonenumbers.is_valid_number(number) for number in some)


_TRIALS = ("2345678", "5550123", "9345678")


def _without_mark(text: str) -> str:
    """What a spreadsheet puts before a number to keep it text (`'415...`, `="415..."`) is taken off."""
    marked = re.fullmatch(r"'(?P<plain>.+)|=\"(?P<quoted>[^\"]+)\"", text)
    return text if marked is None else (marked["plain"] or marked["quoted"])
