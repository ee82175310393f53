"""Texts are held against those of another column as one would do it one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.alike import Alike

FREE = st.none() | st.sampled_from(["", "a", "ab", "é", "é" * 2, "abc"])
EVEN = st.sampled_from(["aa", "ab", "ba", "é"])  # two bytes each
KINDS = (pa.string(), pa.large_string())


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("category", [False, True])
@given(data=st.data())
def test_the_same_are_found(kind: pa.DataType, category: bool, data: st.DataObject) -> None:
    """Of any length or all of one, missing ones and slices, each kind against each."""
    column = data.draw(st.lists(data.draw(st.sampled_from([FREE, EVEN])), min_size=1))
    wanted = data.draw(st.lists(data.draw(st.sampled_from([FREE, EVEN]))))
    at = [data.draw(st.integers(0, len(column) - 1)) for _ in wanted]
    there = pa.array(["xyz", *column], type=kind)
    there = (there.dictionary_encode() if category else there).slice(1)
    texts = pa.array(["x", *wanted], type=data.draw(st.sampled_from(KINDS))).slice(1)
    same = Alike(there).same(texts, np.array(at, dtype=np.int64))
    expected = [text is not None and text == column[n] for text, n in zip(wanted, at, strict=True)]
    assert same.dtype == np.bool_
    assert same.tolist() == expected


def test_a_category_of_many_names_is_compared_as_texts() -> None:
    """The answer is the same."""
    names = [f"name {n}" for n in range(40)]
    alike = Alike(pa.array(names).dictionary_encode())
    at = np.array([39, 0, 1], dtype=np.int64)
    assert alike.same(pa.array(["name 39", "name 1", None]), at).tolist() == [True, False, False]
