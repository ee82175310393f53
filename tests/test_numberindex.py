"""Whole numbers are found where they are, in whatever order they lie and are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.numberindex import NumberIndex

WHOLE = st.integers(0, 50)


def index(numbers: list[int]) -> NumberIndex:
    return NumberIndex(np.array(numbers, dtype=np.int64))


@given(st.lists(WHOLE, unique=True), st.lists(WHOLE), st.booleans(), st.booleans())
def test_each_number_has_its_place(numbers: list[int], wanted: list[int], rise: bool, ask: bool) -> None:
    """Sorted or not, on either side; -1 where it is not."""
    numbers = sorted(numbers) if rise else numbers
    wanted = sorted(wanted) if ask else wanted
    found = index(numbers).find(np.array(wanted, dtype=np.int64))
    assert found.dtype == np.int64
    assert found.tolist() == [numbers.index(each) if each in numbers else -1 for each in wanted]


@given(st.lists(WHOLE))
def test_a_number_that_is_there_twice_is_told(numbers: list[int]) -> None:
    """Wherever the two are; any of their places is found."""
    own = index(numbers)
    assert own.distinct is (len(set(numbers)) == len(numbers))
    places = own.find(np.array(numbers, dtype=np.int64)).tolist()
    assert [numbers[place] for place in places] == numbers


@pytest.mark.parametrize("numbers", [[], [7]])
def test_few_numbers_are_found_as_many_are(numbers: list[int]) -> None:
    """None and one; what is asked for may be the largest there is."""
    assert index(numbers).distinct
    far = np.array([7, 2**63 - 1, -(2**63)], dtype=np.int64)
    assert index(numbers).find(far).tolist() == [0 if numbers else -1, -1, -1]
