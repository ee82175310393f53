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
from hnbulk.phonecolumn import e164_keys

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LiveOrders:
    """Where the live orders are in a frame of all, and what failed before them."""

    orders: pd.DataFrame  # all of the account's, as given
    places: Places  # of the live ones
    doubled: list[str]  # numbers with more than one live order
    failures: Mapping[str, int]  # failed orders by number
    single: Places  # of the live orders that are alone on their number

    @classmethod
    def of(cls, orders: pd.DataFrame) -> LiveOrders:
        known = orders["phone_number"].notna().to_numpy(dtype=np.bool_)
        alive = _alive(orders["status"])
        places = np.flatnonzero(alive & known)
        again = _repeated(orders["phone_number"].iloc[places])
        if again.any():  # an order that a frame has twice counts once
            places = places[~orders["sid"].iloc[places].duplicated().to_numpy(dtype=np.bool_)]
            again = _repeated(orders["phone_number"].iloc[places])
        failed = np.flatnonzero(~alive & known)
        failures = orders[["sid", "phone_number"]].iloc[failed].drop_duplicates("sid")["phone_number"]
        return cls(
            orders=orders,
            places=places,
            doubled=orders["phone_number"].iloc[places[again]].unique().tolist(),
            failures=Counter(failures.tolist()),
            single=places[~again],
        )

    def __len__(self) -> int:
        return len(self.places)

    def column(self, name: str) -> pd.Series[Any]:
        """One column of the live orders."""
        return self.orders[name].iloc[self.places]

    def find(self, numbers: pd.Series[Any]) -> Places:
        """The place in `orders` of each number's one live order; -1 where it has none, or two."""
        single = self.orders["phone_number"].iloc[self.single]
        have, wanted = e164_keys(arrow_texts(single)), e164_keys(arrow_texts(numbers))
        if have is None or wanted is None:
            at = pd.Index(single, dtype="str").get_indexer(pd.Index(numbers, dtype="str"))
        else:
            at = pd.Index(have).get_indexer(pd.Index(wanted))
        found: Places = np.append(self.single, -1)[at]
        return found

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


def _repeated(numbers: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    """Which of the numbers are there more than once."""
    keys = e164_keys(arrow_texts(numbers))
    plain = numbers if keys is None else pd.Series(keys)
    return plain.duplicated(keep=False).to_numpy(dtype=np.bool_)
