"""The live orders of an account by their number, and how many orders failed before them.

A live order is neither failed nor deleted; a number should have one at most. This module decides
nothing about them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hnbulk import lifecycle


@dataclass(frozen=True, slots=True)
class LiveOrders:
    """The live orders, where each number's one is, and what failed before them."""

    orders: pd.DataFrame
    doubled: list[str]  # numbers with more than one live order
    failures: Mapping[str, int]  # failed orders by number
    index: pd.Index[Any]  # numbers with one live order
    place: np.ndarray[Any, np.dtype[np.intp]]  # its position in `orders`, -1 behind the last

    @classmethod
    def of(cls, orders: pd.DataFrame) -> LiveOrders:
        alive = np.array(
            [lifecycle.is_live(str(name)) for name in orders["status"].tolist()], dtype=np.bool_
        )
        known = orders["phone_number"].notna().to_numpy(dtype=np.bool_)
        live = orders[alive & known].drop_duplicates("sid").reset_index(drop=True)
        failed = orders[~alive & known].drop_duplicates("sid")["phone_number"]
        twice = live["phone_number"].duplicated(keep=False).to_numpy(dtype=np.bool_)
        return cls(
            orders=live,
            doubled=live["phone_number"][twice].unique().tolist(),
            failures=Counter(failed.tolist()),
            index=pd.Index(live["phone_number"][~twice], dtype="str"),
            place=np.append(np.flatnonzero(~twice), -1),
        )

    def find(self, numbers: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.intp]]:
        """The position of each number's one live order; -1 where it has none, or two."""
        return self.place[self.index.get_indexer(pd.Index(numbers, dtype="str"))]
