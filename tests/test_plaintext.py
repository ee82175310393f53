"""Text that runs nothing: cells are neutralised and given back exactly, lines steer no terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.plaintext import neutralise, restore, single_line


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n\x00＝＋－＠ \ufeff\u00a0ab1")) | st.text())
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


def test_a_message_of_the_service_becomes_one_harmless_line() -> None:
    """Control and direction signs of the service's text do not reach a terminal or sheet."""
    assert single_line("a\x1b[31m\nb\u202ec") == "a [31m b c"
