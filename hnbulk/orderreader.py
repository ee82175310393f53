"""Orders read from the service into frames: all of them, those of a filter, or those of some numbers.

Reading changes nothing. What was seen by reading all of them is in the history.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

import pandas as pd
from tqdm.auto import tqdm

from hnbulk import wire
from hnbulk.connection import Connection
from hnbulk.frames import orders_frame
from hnbulk.history import Seen

#: A plan of fewer rows than this reads its orders by number when the account's list is long.
FEW_ROWS = 200
PAGE_SIZE = 1000


class OrderReader:
    """Reads the orders of one account."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, *, progress: bool = False, **filters: str) -> pd.DataFrame:
        """The orders that the service lists, the newest first; `filters` are those of the API."""
        return orders_frame(self._pages(progress=progress, **filters))

    def poll(self, *, progress: bool = False) -> pd.DataFrame:
        """All orders; every status seen is in the history."""
        frame = self.read(progress=progress)
        columns = (frame[name].tolist() for name in ("sid", "phone_number", "status", "date_created"))
        seen = (Seen(*values) for values in zip(*columns, strict=True))
        self._connection.history.observe(seen, seen_at=self._now, source="poll")
        return frame

    def or_all(self, orders: pd.DataFrame | None) -> tuple[pd.DataFrame, datetime]:
        """The orders given, or all as they are now; and the service's time, which a reading tells."""
        if orders is None:
            return self.poll(), self._now
        self._connection.read(wire.list_orders(self._connection.dialect, page_size=1))
        return orders, self._now

    def of_targets(
        self, targets: pd.DataFrame, *, progress: bool, whole: bool
    ) -> tuple[pd.DataFrame, datetime]:
        """All orders; or, for few targets and a long list, the orders of their numbers.

        The time is the service's when the first of them were read.
        """
        pages = self._pages(progress=progress)
        first = next(pages)
        read_at = self._now
        longer = next(pages, None)
        if longer is None:
            return orders_frame([first]), read_at
        if whole or len(targets) >= FEW_ROWS:
            return orders_frame(chain([first, longer], pages)), read_at
        numbers = targets["phone_number"].drop_duplicates().tolist()
        shown = tqdm(numbers, desc="reading orders", unit=" numbers", leave=False) if progress else numbers
        found = (page for number in shown for page in self._pages(phone_number=number))
        return orders_frame(found), read_at

    @property
    def _now(self) -> datetime:
        return self._connection.clock.now()

    def _pages(self, *, progress: bool = False, **filters: str) -> Iterator[bytes]:
        request = wire.list_orders(self._connection.dialect, page_size=PAGE_SIZE, **filters)
        replies = self._connection.pages(request)
        shown = tqdm(replies, desc="reading orders", unit=" pages", leave=False) if progress else replies
        return (reply.body for reply in shown)
