"""A cell is a US or Canadian number, or it is refused with the reason; nothing is repaired."""

from __future__ import annotations

import random
import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.checks import RULES
from hnbulk.phones import Phone, PhoneFault, read_phone, tidy

GOOD = [
    "+14155550100",
    "4155550100",
    "14155550100",
    "(415) 555-0100",
    "415.555.0100",
    "415-555-0100  ",
    "1-415-555-0100",
    "+1 415 555 0100",
    "+1 (415) 555-0100",
    "tel:+1-415-555-0100",
    "415\u00a0555\u00a00100",
    "415\u2009555\u202f0100",
    "415–555—0100",
    "415/555/0100",
    "415-555-0100\n",
]
EXTENSIONS = {
    "(415) 555-0100 x12": "12",
    "415-555-0100 ext. 12": "12",
    "415-555-0100 Ext 12": "12",
    "4155550100x12": "12",
    "415-555-0100, extension: 12": "12",
    "415-555-0100 poste 12": "12",
    "415-555-0100 #12": "12",
    "tel:+1-415-555-0100;ext=12": "12",
    "415-555-0100 x1w2*": "1w2*",
}
BAD = {
    "": "phone-missing",
    " \u00a0 ": "phone-missing",
    "-": "phone-missing",
    "n/a": "phone-missing",
    "NaN": "phone-missing",
    "None": "phone-missing",
    "4.15555E+09": "phone-number-format",
    "1.50171E+10": "phone-number-format",
    "4e9": "phone-number-format",
    "15017122661.0": "phone-number-format",
    "4155550100.5": "phone-number-format",
    "15,017,122,661": "phone-number-format",
    "(415) 555-BOOK": "phone-letters",
    "call us": "phone-letters",
    "1-800-LANTERN": "phone-letters",
    "415-555-0100 ext sales": "phone-letters",
    "４１５５５５０１００": "phone-signs",
    "＋14155550100": "phone-signs",
    "٤١٥٥٥٥٠١٠٠": "phone-signs",
    "=4155550100": "phone-signs",
    "415-555-0100?": "phone-signs",
    "415+5550100": "phone-signs",
    "415-555-0100 / 415-555-0101 ;": "phone-signs",
    "\u202a+14155550100\u202c": "phone-signs",
    "4155\x005550100": "phone-signs",
    "555-0100": "phone-too-short",
    "415555010": "phone-too-short",
    "+1 415 555": "phone-too-short",
    "24155550100": "phone-too-long",
    "0014155550100": "phone-too-long",
    "4155550100415555": "phone-too-long",
    "415-555-0100 415-555-0101": "phone-too-long",
    "(123) 555-0100": "phone-area-code",
    "0555550100": "phone-area-code",
    "+1 055 555 0100": "phone-area-code",
    "(999) 555-0100": "phone-area-code",
    "+44 20 7946 0018": "phone-country",
    "011 44 20 7946 0018": "phone-country",
    "+52 55 5555 0100": "phone-country",
    "+4915112345678": "phone-country",
    "+1 876 555 0100": "phone-caribbean",
    "(809) 555-0100": "phone-caribbean",
    "787-555-0100": "phone-caribbean",
    "441-555-0100": "phone-caribbean",
    "671-555-0100": "phone-caribbean",
    "1-900-555-0100": "phone-premium",
    "500-555-0100": "phone-special",
    "415-155-0100": "phone-invalid",
    "+0 415 555 0100": "phone-invalid",
}


@pytest.mark.parametrize("cell", GOOD)
def test_every_usual_way_of_writing_a_number_is_read(cell: str) -> None:
    """One number, however it is typed."""
    assert read_phone(cell) == Phone("+14155550100")


@pytest.mark.parametrize(("cell", "extension"), EXTENSIONS.items())
def test_an_extension_in_the_cell_is_split_off(cell: str, extension: str) -> None:
    """Number and extension come apart."""
    assert read_phone(cell) == Phone("+14155550100", extension)


@pytest.mark.parametrize(("cell", "code"), BAD.items())
def test_a_bad_cell_is_refused_with_its_reason(cell: str, code: str) -> None:
    """Each fault has its own code."""
    assert read_phone(cell) == code


@pytest.mark.parametrize("area", ["212", "514", "800", "833", "888", "604", "709"])
def test_local_and_toll_free_numbers_of_both_countries_pass(area: str) -> None:
    """US, Canadian and toll-free area codes."""
    assert read_phone(f"({area}) 555-0100") == Phone(f"+1{area}5550100")


def test_what_passes_is_of_the_us_or_canada_in_every_area_code() -> None:
    """Over all area codes, the library's own word on region and validity is the same."""
    for area in range(200, 1000):
        for rest in ("5550100", "2345678"):
            number = phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{area}{rest}"))
            home = phonenumbers.region_code_for_number(number) in ("US", "CA")
            kind = phonenumbers.number_type(number)
            asked = home and kind in (0, 1, 2, 3)  # fixed line, mobile, either, toll-free
            assert isinstance(read_phone(f"{area}{rest}"), Phone) == asked, area


def test_the_short_road_is_the_librarys_own_word() -> None:
    """Numbers of every area code, exchange by exchange at random: passed where the library has them."""
    chance = random.Random(7)
    for _ in range(20_000):
        national = str(chance.randrange(2_000_000_000, 10_000_000_000))
        number = phonenumbers.PhoneNumber(country_code=1, national_number=int(national))
        home = phonenumbers.region_code_for_number(number) in ("US", "CA")
        asked = home and phonenumbers.number_type(number) in (0, 1, 2, 3)
        assert isinstance(read_phone(national), Phone) == asked, national


def test_every_fault_has_its_rule() -> None:
    """A code without a rule and a remedy would tell nobody anything."""
    assert {str(fault) for fault in PhoneFault} <= RULES.keys()


def test_a_number_is_not_shown_by_its_repr() -> None:
    """People's numbers stay out of tracebacks."""
    assert "555" not in repr(read_phone("4155550100"))


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_fault(text: str) -> None:
    """No text breaks the reader, and what passes is E.164."""
    phone = read_phone(text)
    assert isinstance(phone, PhoneFault) or re.fullmatch(r"\+1[2-9][0-9]{9}", phone.number)


@given(st.sampled_from(GOOD))
def test_a_number_read_again_is_the_same(cell: str) -> None:
    """E.164 is read as itself."""
    phone = read_phone(cell)
    assert isinstance(phone, Phone)
    assert read_phone(phone.number) == phone


def test_blanks_are_tidied_and_nothing_else() -> None:
    """No-break and narrow blanks become ordinary ones; a tab inside stays."""
    assert tidy("\u00a0 a\u00a0b\u2003c\td \r\n") == "a b c\td"


@pytest.mark.parametrize("cell", ["'4155550108", '="4155550108"', "'+1 415 555 0108"])
def test_a_spreadsheets_text_mark_is_no_part_of_the_number(cell: str) -> None:
    """What keeps a cell text in a spreadsheet (`'`, `="..."`) is taken off."""
    assert read_phone(cell) == Phone("+14155550108")
