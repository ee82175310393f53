"""The rules for one cell of a target, and the table of everything that can be wrong with a list.

Each reader turns a cell's text into the value the API takes, or says which rule it breaks. A
cell is never repaired beyond blanks around it. This module knows no table and no file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from hnbulk.models import mask, mask_email, mask_phone
from hnbulk.plaintext import BIDI

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a problem's code stands for, and what a person does about it."""

    rule: str
    remedy: str
    severity: Severity = "error"


_SHEET_TEXT = "make the column text where it comes from (in a spreadsheet: format it, type it again)"
_TEN_DIGITS = "write area code and number: ten digits, or +1 and ten digits"
_TAKE_OUT = "take the row out: only US and Canadian numbers can be hosted"

#: Every problem code: its rule, its remedy, and whether the row is set aside for it (error).
RULES: Mapping[str, Rule] = {
    "phone-missing": Rule("a row needs a phone number", "write the number, or take the row out"),
    "phone-number-format": Rule(
        "it is written as a spreadsheet writes sums (point, exponent, thousands); digits may be lost",
        _SHEET_TEXT,
    ),
    "phone-signs": Rule("a phone number has signs that do not belong there", _TEN_DIGITS),
    "phone-letters": Rule("a phone number has no letters", _TEN_DIGITS),
    "phone-too-short": Rule("a phone number has ten digits; this one has fewer", _TEN_DIGITS),
    "phone-too-long": Rule("a phone number has ten digits; this one has more", _TEN_DIGITS),
    "phone-area-code": Rule("there is no such area code", "correct the area code"),
    "phone-country": Rule("the number is of another country", _TAKE_OUT),
    "phone-caribbean": Rule("the number is of another country or territory that shares +1", _TAKE_OUT),
    "phone-premium": Rule("a premium-rate number cannot be hosted", "take the row out"),
    "phone-special": Rule("a personal or special-service number cannot be hosted", "take the row out"),
    "phone-invalid": Rule("there is no such number in its area code", "correct the number"),
    "friendly-name-long": Rule(
        "the API document allows 64 characters", "shorten the name to 64 characters", "warning"
    ),
    "friendly-name-too-long": Rule(
        "a name has at most 128 characters", "shorten the name to 64 characters"
    ),
    "unique-name-too-long": Rule(
        "a unique name has at most 128 characters", "shorten it, or leave it blank"
    ),
    "text-signs": Rule(
        "text has control or direction signs, which show one thing and mean another",
        "type the cell in again, on one line",
    ),
    "email-format": Rule("not an e-mail address", "write one whole address: a name, an @ and a domain"),
    "email-several": Rule("one signer only", "keep one address and move the others to the cc column"),
    "cc-format": Rule(
        "a copy goes to something that is no e-mail address", "write addresses with ; between"
    ),
    "sid-format": Rule("a sid is two letters and 32 hex digits", "copy the whole sid from the console"),
    "url-format": Rule("not a web address", "write the full address: https://host.company.com/path"),
    "url-scheme": Rule("messages and events go to https addresses only", "begin the address with https://"),
    "url-host": Rule("the service cannot reach this host, or must not", "use a public host name"),
    "method-unknown": Rule("the method is GET or POST", "write GET or POST, or leave it blank"),
    "verification-type-unknown": Rule(
        "ownership is verified by phone-call or phone-bill", "write phone-call or phone-bill"
    ),
    "document-missing": Rule(
        "verification by phone bill needs the bill's document", "give verification_document_sid (RI...)"
    ),
    "extension-format": Rule(
        "an extension has only digits, #, * and w (a pause)", "write the digits to dial after the answer"
    ),
    "extension-differs": Rule(
        "the phone cell and the extension column name different extensions", "keep one of the two"
    ),
    "line-type-mobile": Rule(
        "the list calls it a mobile line, and those cannot be hosted",
        "take the row out, or correct the line type",
    ),
    "line-type-unknown": Rule(
        "the line type is none that is known; whether the number can be hosted is not checked",
        "write landline, voip, toll-free or mobile, or leave it blank",
        "warning",
    ),
    "call-delay-format": Rule("the delay is a whole number of seconds from 0 to 60", "write 0 to 60"),
    "call-delay-long": Rule(
        "the API document names both 30 and 60 seconds as the longest delay", "use 30 or less", "warning"
    ),
    "application-overrides-urls": Rule(
        "an application's own addresses are used instead of the row's SMS addresses",
        "keep the application sid or the SMS addresses",
        "warning",
    ),
    "cell-error": Rule(
        "the cell shows an error and has no value", "correct the formula, or type the value in"
    ),
    "formula-without-value": Rule(
        "the cell is a formula, and its value is not in the file",
        "open the file in a spreadsheet, recalculate and save it, or paste the values",
    ),
    "cell-merged": Rule(
        "the cell is merged with the one above: only the first row of a merge has the value",
        "unmerge the cells and fill each row",
        "warning",
    ),
    "duplicate-row": Rule(
        "the same number and wishes stand in an earlier row; the first counts",
        "take the row out",
        "warning",
    ),
    "conflicting-rows": Rule("rows want different things of one number", "keep one row for the number"),
    "blank-row": Rule("the row is empty", "take the row out", "warning"),
    "unknown-column": Rule(
        "no field has this name; its cells are kept and not sent",
        "rename the column if it is one",
        "warning",
    ),
    "column-displaced": Rule(
        "by the mapping another column is this field; its cells are kept and not sent",
        "give the column null in the mapping if that is meant, or make the two one column",
        "warning",
    ),
    "rows-above": Rule(
        "what stands above the headers is not read", "delete it if it is no title of yours", "warning"
    ),
    "other-sheets": Rule("only one sheet is read", "name another sheet with --sheet", "warning"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule; `about` adds what the rule alone does not say."""

    code: str
    about: str = ""


Read = tuple[Any, tuple[Finding, ...]]


def read_field(field: str, text: str) -> Read:
    """The value of a cell that is not blank, and the rules it breaks; on an error no value.

    Text without a shape of its own is taken as it stands.
    """
    if shows_error(text):
        return None, (Finding("cell-error", text),)
    plain = text.isascii() and text.isprintable()
    if not plain and any(sign in BIDI or unicodedata.category(sign) in ("Cc", "Zl", "Zp") for sign in text):
        return None, (Finding("text-signs"),)
    return _READERS.get(field, _as_it_is)(text)


def shows_error(text: str) -> bool:
    """The text is what a spreadsheet shows in place of a value: `#N/A`, `#REF!`, `#WERT!`."""
    return text[:1] in ("#", "E") and _ERRORS.fullmatch(text) is not None


def row_findings(values: Mapping[str, Any]) -> list[tuple[str, Finding]]:
    """What is wrong between the fields of one row, each with the field to point at.

    It rests on which fields are there, and of `verification_type` alone on its value.
    """
    found = []
    if values.get("verification_type") == "phone-bill" and not values.get("verification_document_sid"):
        found.append(("verification_type", Finding("document-missing")))
    if values.get("sms_application_sid") and (values.get("sms_url") or values.get("sms_fallback_url")):
        found.append(("sms_application_sid", Finding("application-overrides-urls")))
    return found


def masked(field: str, text: str) -> str:
    """A cell's text as a problem may show it: enough to find it in one's own file."""
    if field == "phone_number":
        return mask_phone(text)
    return mask_email(text) if "email" in field else mask(text)


def _as_it_is(text: str) -> Read:
    return text, ()


def _friendly_name(text: str) -> Read:
    # 64 in the reference page, 128 in the error dictionary (22116)
    if len(text) > 128:
        return None, (Finding("friendly-name-too-long", f"it has {len(text)}"),)
    return text, (Finding("friendly-name-long", f"it has {len(text)}"),) if len(text) > 64 else ()


def _unique_name(text: str) -> Read:
    if len(text) > 128:  # error dictionary, 22115
        return None, (Finding("unique-name-too-long", f"it has {len(text)}"),)
    return text, ()


# As spreadsheets name them in English, French, Spanish, Portuguese, German, Italian and Dutch; by number,
# LibreOffice does.
_ERRORS = re.compile(
    r"#(?:NULL|DIV/0|VALUE|REF|NUM|SPILL|CALC|FIELD|BLOCKED|CONNECT|UNKNOWN|BUSY|PYTHON)!|#NAME\?|#N/A"
    r"|#GETTING_DATA|#(?:NUL|VALEUR|NOMBRE|DEPASSE)!|#NOM\?|#¡(?:NULO|DIV/0|VALOR|REF|NUM|DESBORDAMIENTO)!"
    r"|#¿NOMBRE\?|#N/D|#(?:NULO|VALOR|NÚM)!|#NOME\?|#(?:WERT|BEZUG|ZAHL|ÜBERLAUF)!|#NV"
    r"|#(?:NULLO|VALORE|RIF)!|#(?:LEEG|DEEL/0|WAARDE|VERW|GETAL)!|#NAAM\?|#N/B|Err:[0-9]{3}"
)
_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(
    rf"(?=.{{6,254}}\Z)(?=[^@]{{1,64}}@){_WORD}(?:\.{_WORD})*@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}"
)
_HOST = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?")


def _addresses(text: str) -> list[str]:
    parts = (part.strip() for part in re.split("[;,]", text))
    return list(dict.fromkeys(part for part in parts if part))


def _email(text: str) -> Read:
    if _EMAIL.fullmatch(text):
        return text, ()
    parts = _addresses(text)
    several = Finding("email-several", f"it names {len(parts)}")
    return None, (several if len(parts) > 1 else Finding("email-format"),)


def _cc_emails(text: str) -> Read:
    parts = _addresses(text)
    bad = [place for place, part in enumerate(parts, 1) if not _EMAIL.fullmatch(part)]
    if bad or not parts:
        return None, tuple(Finding("cc-format", f"address {place} of {len(parts)}") for place in bad or [0])
    return parts, ()


def _sid(prefix: str) -> Callable[[str], Read]:
    pattern = re.compile(rf"{prefix}[0-9a-fA-F]{{32}}")

    def read(text: str) -> Read:
        if pattern.fullmatch(text):
            return text, ()
        return None, (Finding("sid-format", f"here {prefix} and 32 hex digits"),)

    return read


@lru_cache(maxsize=256)  # a list of thousands of rows has a handful of these
def _url(text: str) -> Read:
    """An https address of a public host name: no user, no bare address, no inside name."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return None, (Finding("url-format"),)
    if parts.scheme != "https":
        return None, (Finding("url-scheme"),)
    if not host or " " in text or "\\" in text or len(text) > 2_048:
        return None, (Finding("url-format"),)
    inside = host.endswith((".localhost", ".local", ".internal", ".localdomain", ".lan", ".home.arpa"))
    if parts.username is not None or inside or not _HOST.fullmatch(host):
        return None, (Finding("url-host"),)
    return text, ()


def _method(text: str) -> Read:
    upper = text.upper()
    return (upper, ()) if upper in ("GET", "POST") else (None, (Finding("method-unknown"),))


def _verification_type(text: str) -> Read:
    name = re.sub("[ _]", "-", text.lower())
    known = name in ("phone-call", "phone-bill")
    return (name, ()) if known else (None, (Finding("verification-type-unknown"),))


def _extension(text: str) -> Read:
    known = re.fullmatch("[0-9#*w]+", text.lower())
    return (text.lower(), ()) if known else (None, (Finding("extension-format"),))


def _call_delay(text: str) -> Read:
    # 0-30 in the properties, 0-60 in the update parameter of the reference page
    seconds = int(text) if re.fullmatch("[0-9]{1,3}", text) else None
    if seconds is None or seconds > 60:
        return None, (Finding("call-delay-format"),)
    return seconds, (Finding("call-delay-long"),) if seconds > 30 else ()


_MOBILE = re.compile(
    "mobile|mobile ?phone|mobile ?line|cell|cell ?phone|cellular|wireless"
    "|movil|celular|cellulaire|sans ?fil"
)
_NOT_MOBILE = re.compile(
    "land ?line|fixed|fixed ?line|fixe|fijo|linea fija|wireline|pots|pstn|business|main|office"
    "|voip|fixed ?voip|non ?fixed ?voip|sip|toll ?free|sans ?frais"
)


def _line_type(text: str) -> Read:
    plain = unicodedata.normalize("NFKD", text.lower())
    words = " ".join(re.sub("[^a-z -]", "", plain).replace("-", " ").split())
    if _MOBILE.fullmatch(words):
        return None, (Finding("line-type-mobile"),)
    return text, () if _NOT_MOBILE.fullmatch(words) else (Finding("line-type-unknown"),)


_READERS: Mapping[str, Callable[[str], Read]] = {
    "friendly_name": _friendly_name,
    "unique_name": _unique_name,
    "email": _email,
    "cc_emails": _cc_emails,
    "address_sid": _sid("AD"),
    "sms_application_sid": _sid("AP"),
    "verification_document_sid": _sid("RI"),
    "account_sid": _sid("AC"),
    "sms_url": _url,
    "sms_fallback_url": _url,
    "status_callback_url": _url,
    "sms_method": _method,
    "sms_fallback_method": _method,
    "status_callback_method": _method,
    "verification_type": _verification_type,
    "extension": _extension,
    "call_delay": _call_delay,
    "line_type": _line_type,
}

#: Cells that nothing can be said about: of these fields, one of at most `PLAIN_LENGTH` characters that is
#: wholly of the pattern is its own value. (The patterns say less than the rules do, never more.)
PLAIN_LENGTH = 64
# No error is a plain word: they begin with # or Err.
_WORDS = r'[!-"$-DF-~](?:[ -~]*[!-~])?|E(?:(?:[ -qs-~][ -~]*)?[!-~])?'
PLAIN: Mapping[str, str] = {
    "friendly_name": _WORDS,
    "unique_name": _WORDS,
    "email": (
        r"[A-Za-z0-9_%+'-]+(?:\.[A-Za-z0-9_%+'-]+)*"
        r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
    ),
    "address_sid": "AD[0-9a-fA-F]{32}",
    "sms_application_sid": "AP[0-9a-fA-F]{32}",
    "verification_document_sid": "RI[0-9a-fA-F]{32}",
    "account_sid": "AC[0-9a-fA-F]{32}",
}
