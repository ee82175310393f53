"""The live orders of an account by their number, and how many orders failed before them.

A live order is neither failed nor deleted; a number should have one at most. This module decides
nothing about them, and keeps no copy of their frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hnbulk import lifecycle
from hnbulk.differences import arrow_texts
from hnbulk.numberindex import NumberIndex
from hnbulk.phonecolumn import e164_keys

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LiveOrders:
    """Where the live orders are in a frame of all, and what failed before them."""

    orders: pd.DataFrame  # all of the account's, as given
    places: Positions  # of the live ones
    doubled: list[str]  # numbers with more than one live order
    failures: Mapping[str, int]  # failed orders by number
    _single: Positions  # of the live orders that are alone on their number
    _index: NumberIndex | pd.Index[Any]  # their numbers; as whole ones where all are plain E.164

    @classmethod
    def of(cls, orders: pd.DataFrame) -> LiveOrders:
        known = orders["phone_number"].notna().to_numpy(dtype=np.bool_)
        alive = _alive(orders["status"])
        numbers = _numbers(orders["phone_number"])
        places = single = np.flatnonzero(alive & known)
        doubled: list[str] = []
        index = _index_of(numbers if len(places) == len(orders) else numbers[places])
        if not (index.distinct if isinstance(index, NumberIndex) else index.is_unique):
            # an order that a frame has twice counts once
            places = places[~orders["sid"].iloc[places].duplicated().to_numpy(dtype=np.bool_)]
            again = numbers[places].duplicated(keep=False)
            doubled = orders["phone_number"].iloc[places[again]].unique().tolist()
            single = places[~again]
            index = _index_of(numbers[single])
        failed = np.flatnonzero(~alive & known)
        failures = orders[["sid", "phone_number"]].iloc[failed].drop_duplicates("sid")["phone_number"]
        return cls(orders, places, doubled, Counter(failures.tolist()), single, index)

    def __len__(self) -> int:
        return len(self.places)

    def column(self, name: str) -> pd.Series[Any]:
        """One column of the live orders."""
        return self.orders[name].iloc[self.places]

    def find(self, numbers: pd.Series[Any]) -> Positions:
        """The place in `orders` of each number's one live order; -1 where it has none, or two."""
        wanted, have = _numbers(numbers), self._index
        at: Positions
        if isinstance(have, NumberIndex) and wanted.dtype == np.int64:
            at = have.find(wanted.to_numpy())
        else:
            texts = (
                self.orders["phone_number"].iloc[self._single] if isinstance(have, NumberIndex) else have
            )
            # an index of its own, so that its table of a million numbers is not kept
            at = pd.Index(_texts_of(texts).array).get_indexer(_texts_of(numbers))
        return at if len(self._single) == len(self.orders) else np.append(self._single, -1)[at]

    def among_doubled(self, numbers: pd.Series[Any]) -> npt.NDArray[np.bool_]:
        """Which of the numbers have two live orders."""
        if not self.doubled:
            return np.zeros(len(numbers), dtype=np.bool_)
        return numbers.isin(self.doubled).to_numpy(dtype=np.bool_)


def _alive(statuses: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    names = statuses.astype("category")
    alive = np.array(
        [lifecycle.is_live(str(name)) for name in names.cat.categories] + [True], dtype=np.bool_
    )
    return alive[names.cat.codes.to_numpy()]  # -1, missing, is the last


def _index_of(numbers: pd.Index[Any]) -> NumberIndex | pd.Index[Any]:
    return NumberIndex(numbers.to_numpy()) if numbers.dtype == np.int64 else numbers


def _numbers(column: pd.Series[Any]) -> pd.Index[Any]:
    """The column's numbers as whole numbers, or as they are where one is no plain E.164 number."""
    keys = e164_keys(arrow_texts(column))
    return _texts_of(column) if keys is None else pd.Index(keys)


def _texts_of(column: pd.Series[Any] | pd.Index[Any]) -> pd.Index[Any]:
    index: pd.Index[Any] = pd.Index(column, dtype="str")
    return index
