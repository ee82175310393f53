"""A text file is read in the encoding it names or that is stated, or refused with the way out."""

from __future__ import annotations

import pytest

from hnbulk.encodings import decode
from hnbulk.errors import InputError, UsageError
from hnbulk.intake import read_bytes

TEXT = "Phone,Name\n4155550100,Café\n"


@pytest.mark.parametrize(
    ("encoding", "stated"),
    [
        ("cp1252", "cp1252"),
        ("latin-1", "ISO-8859-1"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16", "utf-16"),
        ("utf-16", "utf-16-le"),
        ("utf-32", "utf-32"),
        ("gb18030", "gb18030"),
        ("utf-8", "UTF8"),
        ("utf-8-sig", "utf-8"),
        ("mac-roman", "mac_roman"),
    ],
)
def test_a_stated_encoding_is_used(encoding: str, stated: str) -> None:
    """Whatever its spelling; a mark at the beginning is no sign of the text."""
    assert decode(TEXT.encode(encoding), name="a.csv", encoding=stated) == TEXT


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-32"])
def test_without_a_word_it_is_refused_with_the_way_out(encoding: str) -> None:
    """Never guessed."""
    with pytest.raises(InputError, match="--encoding"):
        decode(TEXT.encode(encoding), name="a.csv")


def test_what_does_not_decode_is_refused_with_its_row() -> None:
    """Whatever was stated."""
    with pytest.raises(InputError, match=r"a.csv, row 2: the text is not CP1252 \(byte 11\)"):
        decode(b"Phone,Name\n\x81,x\n", name="a.csv", encoding="cp1252")
    with pytest.raises(InputError, match="is not UTF-16"):
        decode(TEXT.encode("utf-16")[:-1], name="a.csv", encoding="utf-16")


def test_a_mark_of_another_encoding_is_a_contradiction() -> None:
    """The file says one thing and the person another."""
    with pytest.raises(InputError, match="begins with the mark of UTF-8 and is not CP1252"):
        decode(TEXT.encode("utf-8-sig"), name="a.csv", encoding="cp1252")


@pytest.mark.parametrize(
    "name", ["klingon", "rot13", "zlib", "hex", "punycode", "unicode_escape", "", "\x00"]
)
def test_what_is_no_encoding_of_a_file_is_refused(name: str) -> None:
    """Python's own ways of packing text are none."""
    with pytest.raises(UsageError, match="--encoding"):
        decode(b"Phone\n1\n", name="a.csv", encoding=name)


def test_a_workbook_needs_no_encoding() -> None:
    """It has its own."""
    with pytest.raises(InputError, match="Leave --encoding out"):
        read_bytes(b"PK\x03\x04", name="a.xlsx", encoding="cp1252")
    assert read_bytes(TEXT.encode("cp1252"), name="a.csv", encoding="cp1252").counts["good"] == 1
