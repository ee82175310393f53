"""Text that runs nothing: cells are neutralised and given back exactly, lines steer no terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from payloads import FORMULAS

from hnbulk.plaintext import neutralise, restore, single_line

INVISIBLE = "\ufeff\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\x00"
E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@given(st.text(alphabet=st.sampled_from("'=+-@;\t\r\n\x00＝＋－＠ \ufeff\u00a0ab1")) | st.text())
@example("'+14155550100;'+1\r\n'';\n'=")
@example("+14155550100\n")
def test_restore_is_the_exact_inverse_of_neutralise(cell: str) -> None:
    """Whatever a cell holds, writing it and reading it back changes nothing."""
    assert restore(neutralise(cell)) == cell


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True).filter(str.isascii))
def test_a_phone_number_stays_as_it_is(number: str) -> None:
    """An exact E.164 number is exempt from neutralising."""
    assert neutralise(number) == number


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠"])
@pytest.mark.parametrize("before", ["", " ", "\ufeff", "\u00a0", "\u200b", "  \ufeff"])
def test_a_formula_sign_is_neutralised_behind_any_blank(sign: str, before: str) -> None:
    """A cell that begins with a formula sign, blanks or a mark before it, gets a quote."""
    assert neutralise(f"{before}{sign}SUM(A1)") == f"'{before}{sign}SUM(A1)"


@pytest.mark.parametrize("cell", ["+1501712266\n", "+0123456789", "+１５０１７１２２６６１", "+1+150171"])
def test_what_only_looks_like_a_phone_number_is_neutralised(cell: str) -> None:
    """A line end, a leading zero or full-width digits end the exemption."""
    assert neutralise(cell) == f"'{cell}"


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_begins_with_a_formula_however_the_file_is_cut(text: str, separator: str) -> None:
    """A reader that cuts at its own separator and at every line end finds no formula at a beginning."""
    shown = neutralise(text)
    assert restore(shown) == text
    for cut in (shown, *re.split(rf"[\r\n]|{'[;]' if separator == ';' else '(?!)'}", shown)):
        bare = cut.lstrip("".join(sign for sign in set(cut) if sign.isspace() or sign in INVISIBLE))
        assert not bare.startswith(tuple("=+-@＝＋－＠﹦﹢﹣﹫")) or E164.fullmatch(bare)


def test_long_cells_take_no_longer_than_their_length() -> None:
    """Rows of line ends, blanks and marks are looked at once."""
    for cell in ("\n" * 200_000, ";" + " " * 200_000, "'" * 200_000, ";'" * 100_000, "\u00a0;" * 100_000):
        assert restore(neutralise(cell)) == cell


def test_a_list_of_numbers_stays_as_it_is() -> None:
    """Each of them is exempt, a formula behind them is not."""
    numbers = "+14155550100;+14155550101"
    assert neutralise(numbers) == numbers
    assert neutralise(f"{numbers};=1+1") == f"{numbers};'=1+1"


def test_a_message_of_the_service_becomes_one_harmless_line() -> None:
    """Control and direction signs of the service's text do not reach a terminal or sheet."""
    assert single_line("a\x1b[31m\nb\u202ec") == "a [31m b c"
