"""A field differs where the target wants something that its order has not, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_plan import order

from hnbulk import differences
from hnbulk.differences import UPDATABLE, differing
from hnbulk.frames import orders_from, targets_frame

TEXTS = st.sampled_from([None, "", "a", " a ", "b", "\u00a0a", "Rue É"])
LISTS = st.sampled_from([None, [], ["a@x.com"], ["b@x.com", "a@x.com"], ["a@x.com", "b@x.com"]])
NUMBERS = st.sampled_from([None, 0, 1, 30])
WAYS = st.sampled_from([None, "phone-call", "phone-bill"])
CELLS = {
    **dict.fromkeys(UPDATABLE, TEXTS),
    "cc_emails": LISTS,
    "call_delay": NUMBERS,
    "verification_type": WAYS,
}


def one_by_one(name: str, wanted: Any, actual: Any) -> bool:
    """The rule for one field of one row."""
    if name == "cc_emails":
        return bool(wanted) and set(wanted) != set(actual or ())
    if name == "call_delay":
        return wanted is not None and wanted != (actual or 0)
    want, have = ((text or "").strip() for text in (wanted, actual))
    if name == "verification_type":
        have = have or "phone-call"
    return want not in ("", have)


rows = st.lists(
    st.fixed_dictionaries({name: st.tuples(cell, cell) for name, cell in CELLS.items()}), max_size=8
)


@given(rows, st.randoms(use_true_random=False))
def test_columns_are_compared_as_cells_would_be(pairs: list[dict[str, Any]], chance: Any) -> None:
    """Every field, in whatever order the orders stand."""
    targets = targets_frame(
        [{"row": n + 2, **{name: one for name, (one, _) in pair.items()}} for n, pair in enumerate(pairs)]
    )
    at = list(range(len(pairs)))
    chance.shuffle(at)
    there: list[Any] = [None] * len(pairs)
    for n, pair in enumerate(pairs):
        known = {name: other for name, (_, other) in pair.items()}
        known["cc_emails"] = tuple(known["cc_emails"] or ())
        there[at[n]] = order(n).model_copy(update=known)
    orders = orders_from(there)
    found = differing(targets, orders, UPDATABLE, np.array(at, dtype=np.int64))
    for name in UPDATABLE:
        assert found[name].tolist() == [one_by_one(name, *pair[name]) for pair in pairs], name


def test_rows_beyond_those_compared_together_are_compared_too() -> None:
    """A part begins where the one before it ended."""
    count = differences._ROWS + 3
    texts = pd.array(["a"] * count, dtype="string[pyarrow]")
    targets = pd.DataFrame({"friendly_name": texts})
    orders = targets.copy()
    places = [0, differences._ROWS - 1, differences._ROWS, count - 1]
    orders.loc[places, "friendly_name"] = "b"
    assert np.flatnonzero(differing(targets, orders, ["friendly_name"])["friendly_name"]).tolist() == places


def test_columns_that_are_no_arrow_s_are_compared_alike() -> None:
    """A frame that a person made: lists of Python, text of numpy, in several chunks or one."""
    targets = pd.DataFrame({"cc_emails": [["a@x.com"], None], "email": ["e@x.com", "f@x.com"]})
    orders = pd.DataFrame({"cc_emails": [["b@x.com"], None], "email": ["e@x.com", "g@x.com"]})
    found = differing(targets, orders, ["cc_emails", "email"])
    assert found["cc_emails"].tolist() == [True, False]
    assert found["email"].tolist() == [False, True]
    twice = pd.concat([targets_frame([{"row": 2, "email": "a@x.com"}])] * 2, ignore_index=True)
    assert differing(twice, twice, ["email"])["email"].tolist() == [False, False]


@pytest.mark.parametrize("count", [0, 1])
def test_few_rows_are_compared_too(count: int) -> None:
    """None at all, or one."""
    targets = targets_frame([{"row": 2, "email": "a@x.com"}] * count)
    orders = orders_from([order(1)] * count)
    assert len(differing(targets, orders, UPDATABLE)["email"]) == count
