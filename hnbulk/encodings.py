"""The text in a file's bytes, by the encoding that is stated or that the file names; never by a guess.

This module reads no file and knows no cell.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

from hnbulk.errors import InputError, UsageError

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Encodings of Python that turn text into other text, or never decode.
_NO_FILE_HAS = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf_7"}
_WAY_OUT = "Save it as CSV UTF-8, or say what it is with --encoding (cp1252, utf-16, ...)"


def decode(content: bytes, *, name: str, encoding: str | None = None) -> str:
    """The text of a file that is in `encoding`; without one it is UTF-8, or UTF-16 with its mark.

    `name` is the file's, for messages. Raises `InputError` with the row where the bytes are not in
    it, or where the file's own mark says another; `UsageError` where no encoding has that name.
    """
    mark = next((known for sign, known in _MARKS if content.startswith(sign)), None)
    if encoding is None:
        if mark == "utf-32":
            raise _refused(name, "is UTF-32 text", _WAY_OUT)
        return _decode(content, mark or "utf-8", name=name, remedy=_WAY_OUT)
    stated = _known(encoding)
    if mark is not None and _family(mark) != _family(stated):
        what = f"begins with the mark of {_shown(mark)} and is not {_shown(stated)}"
        raise _refused(name, what, "Leave --encoding out, or name that one")
    remedy = "Name the encoding it has with --encoding, or save it as CSV UTF-8"
    text = _decode(content, mark or stated, name=name, remedy=remedy)
    return text.removeprefix("\ufeff")


def utf8(content: bytes, *, name: str, encoding: str | None = None) -> bytes:
    """The same text in UTF-8 without a mark, as `decode` reads it and with what it raises."""
    text = decode(content, name=name, encoding=encoding)
    same = encoding is None and not any(content.startswith(sign) for sign, _ in _MARKS)
    return content if same else text.encode()


def says_itself(content: bytes) -> bool:
    """The bytes are Unicode text beyond doubt: by their mark, or by signs that only UTF-8 has so."""
    if any(content.startswith(sign) for sign, _ in _MARKS):
        return True
    if content.isascii() or b"\x00" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        with suppress(UnicodeError):
            b"a".decode(encoding)  # an encoding of something else than text raises LookupError
    except (LookupError, ValueError):
        name = "undefined"
    if name.replace("-", "_") in _NO_FILE_HAS:
        raise UsageError(
            f"--encoding: no text file has an encoding {encoding[:40]!r}. Name one such as cp1252, "
            "latin-1, utf-16 or gb18030, or leave it out for UTF-8."
        )
    return name


def _family(encoding: str) -> str:
    found = re.match("utf-(8|16|32)", encoding)
    return found[0] if found else encoding


def _decode(content: bytes, encoding: str, *, name: str, remedy: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        what = f"row {row}: the text is not {_shown(encoding)} (byte {error.start:,})"
        raise _refused(f"{name},", what, remedy) from None
    if "\x00" in text:
        row = text[: text.index("\x00")].count("\n") + 1
        raise _refused(f"{name},", f"row {row}: the text has NUL signs", remedy)
    return text


def _shown(encoding: str) -> str:
    return encoding.removesuffix("-sig").upper()


def _refused(name: str, what: str, remedy: str) -> InputError:
    return InputError(f"{name} {what}. {remedy}.", file=name.rstrip(","))
