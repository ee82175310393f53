"""Where each of many whole numbers is, found by sorting once instead of a table of hashes.

Numbers that are asked for in order are found in one walk over those that are there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


class NumberIndex:
    """The places of whole numbers."""

    def __init__(self, numbers: Numbers) -> None:
        self._order = None if _rises(numbers) else np.argsort(numbers)
        self._sorted = numbers if self._order is None else numbers[self._order]

    @property
    def distinct(self) -> bool:
        """No number is there twice."""
        return bool((np.diff(self._sorted) > 0).all())

    def find(self, wanted: Numbers) -> Numbers:
        """The place of each wanted number (int64), any of those it has; -1 where it is not."""
        if not len(self._sorted):
            return np.full(len(wanted), -1, dtype=np.int64)
        if _rises(wanted):
            return self._find(wanted)
        order = np.argsort(wanted)  # a walk in order and back is quicker than a million jumps
        places = np.empty(len(wanted), dtype=np.int64)
        places[order] = self._find(wanted[order])
        return places

    def _find(self, wanted: Numbers) -> Numbers:
        at = np.searchsorted(self._sorted, wanted)
        at[at == len(self._sorted)] = 0
        found = self._sorted[at] == wanted
        return np.where(found, at if self._order is None else self._order[at], -1)


def _rises(numbers: Numbers) -> bool:
    return bool((numbers[1:] >= numbers[:-1]).all())
