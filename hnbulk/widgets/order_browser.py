"""The orders of an account to look through and choose from, by status, by text, one page at a time.

It reads and never changes anything in the service; what is chosen is handed on as rows of the
orders frame. A page holds only the rows it shows, so that thousands of orders stay light.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import Any

import ipywidgets as ipw
import numpy as np
import pandas as pd

from hnbulk import lifecycle
from hnbulk.account import Account
from hnbulk.widgets import look
from hnbulk.widgets.errand import Errand
from hnbulk.wording import count_text, when_text

PAGE_ROWS = 25
#: The columns a search looks into.
SEARCHED = ("phone_number", "friendly_name", "sid", "unique_name", "email", "address_sid")
_CELLS = "12em minmax(9em, 20em) 3em 10.5em minmax(6em, 1fr)"
_HEADS = ("status", "name", "calls", "created", "note")
_NUMBER_WIDTH = "13em"


class OrderBrowser:
    """The orders of `account`: filter, search, page, choose. `selection` is what was chosen.

    The first reading is done when this returns (none where `orders` is given); every later one
    goes on in a thread. `view` is the box to place inside other widgets. Raises what
    `Account.poll` raises.
    """

    def __init__(
        self, account: Account, *, orders: pd.DataFrame | None = None, page_rows: int = PAGE_ROWS
    ) -> None:
        self._account = account
        self._lock = threading.RLock()
        self._drawing = False
        self._errand = Errand("reading orders", self._draw_notice)
        self._chosen: frozenset[str] = frozenset()
        self._statuses: frozenset[str] = frozenset()
        self._page = 0
        self._build(page_rows)
        self._take(account.poll() if orders is None else orders)

    # What programs and tests use; the controls call the same.

    @property
    def orders(self) -> pd.DataFrame:
        """All orders as last read: `frames.ORDER_COLUMNS`."""
        return self._orders

    @property
    def shown(self) -> pd.DataFrame:
        """The orders that pass the status filter and the search, on whatever page."""
        return self._orders.iloc[self._shown]

    @property
    def selection(self) -> pd.DataFrame:
        """The chosen orders as last read, shown or not, in the order of `orders`."""
        with self._lock:
            return self._orders[self._orders["sid"].isin(self._chosen)]

    @property
    def counts(self) -> dict[str, int]:
        """Orders of each status that pass the search, in funnel order."""
        found = self._orders["status"][self._found].value_counts(sort=False)
        named = {str(name): int(count) for name, count in found.items()}
        return {name: named[name] for name in sorted(named, key=lifecycle.position) if named[name]}

    @property
    def pages(self) -> int:
        """How many pages the shown orders fill, at least one."""
        return max(1, -(-len(self._shown) // len(self._rows)))

    def filter(self, *, statuses: Iterable[str] | None = None, search: str | None = None) -> None:
        """Only orders of these statuses (none named: all) that hold this text are shown.

        What is not given stays as it is, and the selection stays in any case.
        """
        with self._lock:
            if statuses is not None:
                self._statuses = frozenset(statuses)
            if search is not None:
                self._quietly(self._search, value=search)
            self._page = 0
            self._look_through()
            self._draw()

    def turn(self, page: int) -> None:
        """Page `page` (from 0) is shown, or the nearest there is."""
        with self._lock:
            self._page = min(max(page, 0), self.pages - 1)
            self._draw()

    def select(self, sids: Iterable[str]) -> None:
        """These orders are chosen, and no others; sids that are not there are left out."""
        with self._lock:
            self._chosen = frozenset(sids) & frozenset(self._orders["sid"])
            self._draw()

    def select_shown(self) -> None:
        """All shown orders, on every page, are chosen besides those that were."""
        self.select(self._chosen | frozenset(self.shown["sid"]))

    def clear(self) -> None:
        """Nothing is chosen."""
        self.select(())

    def refresh(self) -> None:
        """The orders are being read again in a thread; the selection stays. `wait` waits for it."""
        self._errand.start(lambda: self._take(self._account.poll()))

    def wait(self, timeout: float | None = None) -> None:
        """The reading under way has ended. Raises its error, or `TimeoutError`."""
        self._errand.wait(timeout)

    @property
    def error(self) -> str:
        """The last reading's error as one line; empty where it went well."""
        return self._errand.message

    def __str__(self) -> str:
        statuses = [name for name in self.counts if name in self._statuses]
        how = [*statuses, *(["search"] if self._search.value.strip() else [])]
        lines = [
            f"{count_text(len(self._orders), 'order')} read {when_text(self._read_at)}: "
            f"{look.told(_count(self._orders))}",
            f"shown {len(self._shown):,} ({', '.join(how) or 'all'}), selected {len(self._chosen):,}",
        ]
        return "\n".join([*lines, *([f"error: {self.error}"] if self.error else [])])

    __repr__ = __str__

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return look.bundle(self.view, str(self), kwargs)

    # Taking in orders.

    def _take(self, orders: pd.DataFrame) -> None:
        with self._lock:
            gone = len(self._chosen) - int(orders["sid"].isin(self._chosen).sum())
            self._chosen &= frozenset(orders["sid"])
            self._orders = orders
            self._read_at = self._account.now
            self._haystack = haystack(orders)
            self._gone = f"{count_text(gone, 'selected order')} no longer there" if gone else ""
            self._build_chips()
            self._look_through()
            self._page = min(self._page, self.pages - 1)
            self._draw()

    def _look_through(self) -> None:
        self._found = matches(self._haystack, self._search.value)
        of_status = self._orders["status"].isin(self._statuses).to_numpy(bool)
        self._shown = np.flatnonzero(self._found & of_status if self._statuses else self._found)

    # The controls.

    def _build(self, page_rows: int) -> None:
        self._title, self._page_told, self._notice = map(look.line, ("hn-told", "hn-page", "hn-error"))
        self._search = look.named(
            ipw.Text(placeholder="search: number, name, sid, e-mail", layout=ipw.Layout(width="22em")),
            "hn-search",
        )
        self._all = look.button("Select all shown", "hn-select-all")
        self._none = look.button("Clear selection", "hn-clear")
        self._again = look.button("Refresh", "hn-refresh", tooltip="Read the orders again")
        self._back = look.button("‹", "hn-back", tooltip="Previous page")
        self._next = look.button("›", "hn-next", tooltip="Next page")
        self._chips: dict[str, Any] = {}
        self._chip_box = look.named(look.bar(), "hn-statuses")
        self._rows = [_Row(number, self._tick) for number in range(page_rows)]
        number, others = look.line("hn-names"), look.line("hn-names")
        number.layout = ipw.Layout(width=_NUMBER_WIDTH, margin="0")
        others.layout = ipw.Layout(flex="1", margin="0")
        number.value, others.value = "number", look.cells(_HEADS, columns=_CELLS)
        self.view = look.root(
            "hn-order-browser",
            self._title,
            self._chip_box,
            look.bar(self._search, self._all, self._none, self._again),
            ipw.HBox([number, others]),
            look.named(ipw.VBox([row.box for row in self._rows]), "hn-rows"),
            look.bar(self._back, self._page_told, self._next),
            self._notice,
        )
        self._search.observe(lambda _: self._typed(), names="value")
        self._all.on_click(lambda _: self.select_shown())
        self._none.on_click(lambda _: self.clear())
        self._again.on_click(lambda _: self.refresh())
        self._back.on_click(lambda _: self.turn(self._page - 1))
        self._next.on_click(lambda _: self.turn(self._page + 1))

    def _build_chips(self) -> None:
        names = sorted(map(str, self._orders["status"].cat.categories), key=lifecycle.position)
        if list(self._chips) == names:
            return
        for name in names:
            if name not in self._chips:
                chip = ipw.ToggleButton(layout=ipw.Layout(width="auto"))
                chip.observe(lambda _: self._chip_pressed(), names="value")
                self._chips[name] = look.named(chip, "hn-chip", f"hn-status-{look.plain(name)}")
        self._chips = {name: self._chips[name] for name in names}
        self._chip_box.children = tuple(self._chips.values())

    def _quietly(self, control: Any, **values: Any) -> None:
        """The control has these values, and its own observers heard nothing."""
        before, self._drawing = self._drawing, True
        try:
            for name, value in values.items():
                setattr(control, name, value)
        finally:
            self._drawing = before

    def _typed(self) -> None:
        with self._lock:
            if not self._drawing:
                self.filter()

    def _chip_pressed(self) -> None:
        with self._lock:
            if not self._drawing:
                self.filter(statuses=[name for name, chip in self._chips.items() if chip.value])

    def _tick(self, sid: str, chosen: bool) -> None:
        with self._lock:
            if not self._drawing and sid:
                self._chosen = self._chosen | {sid} if chosen else self._chosen - {sid}
                self._draw_told()

    # Drawing.

    def _draw(self) -> None:
        counts = self.counts
        for name, chip in self._chips.items():
            count, pressed = counts.get(name, 0), name in self._statuses
            self._quietly(chip, description=f"{look.plain(name)} {count:,}", value=pressed)
            chip.layout.display = None if count or pressed else "none"
        size = len(self._rows)
        page = self._orders.iloc[self._shown[self._page * size : (self._page + 1) * size]]
        records: list[Any] = page.to_dict("records")
        for place, row in enumerate(self._rows):
            self._draw_row(row, records[place] if place < len(records) else None)
        self._draw_told()
        self._draw_notice()

    def _draw_row(self, row: _Row, record: dict[str, Any] | None) -> None:
        row.sid = str(record["sid"]) if record else ""
        row.box.layout.display = None if record else "none"
        number = look.plain(record["phone_number"]) if record else ""
        self._quietly(row.tick, description=number, value=row.sid in self._chosen)
        row.text.value = _row_cells(record) if record else ""

    def _draw_told(self) -> None:
        size, shown = len(self._rows), len(self._shown)
        first = self._page * size
        self._title.value = (
            f'<span class="hn-head">{count_text(len(self._orders), "order")}, '
            f"{len(self._chosen):,} selected</span> "
            f'<span class="hn-soft">read {when_text(self._read_at)}</span>'
        )
        self._page_told.value = f"{min(first + 1, shown):,} to {min(first + size, shown):,} of {shown:,}"
        self._back.disabled, self._next.disabled = self._page == 0, self._page >= self.pages - 1
        self._all.description = f"Select all {shown:,} shown"
        self._all.disabled, self._none.disabled = not shown, not self._chosen

    def _draw_notice(self) -> None:
        with self._lock:
            self._again.disabled = self._errand.busy
            self._again.description = "Reading …" if self._errand.busy else "Refresh"
            self._notice.value = look.warning(self.error or self._gone)


class _Row:
    """One line of the page: a box to tick, named by the number, and the other cells."""

    def __init__(self, place: int, on_tick: Any) -> None:
        self.sid = ""
        self.tick = look.named(
            ipw.Checkbox(indent=False, layout=ipw.Layout(width=_NUMBER_WIDTH, margin="0")),
            "hn-tick",
            f"hn-tick-{place}",
        )
        self.text = ipw.HTML(layout=ipw.Layout(flex="1", margin="0"))
        self.box = look.named(
            ipw.HBox([self.tick, self.text], layout=ipw.Layout(align_items="center")), "hn-row"
        )
        self.tick.observe(lambda change: on_tick(self.sid, bool(change["new"])), names="value")


def haystack(orders: pd.DataFrame) -> pd.Series[str]:
    """What a search looks through: the texts of `SEARCHED` of each order, in small letters."""
    whole = pd.Series("", index=orders.index, dtype="string[pyarrow]")
    for name in SEARCHED:
        whole = whole + "\n" + orders[name].fillna("")
    return whole.str.lower()


def matches(hay: pd.Series[str], search: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """True for each order that holds every word of `search`; a phone number is found however written."""
    words = search.lower().split()
    if re.fullmatch(r"[0-9\s().+-]*[0-9][0-9\s().+-]*", search):
        words = ["".join(re.findall("[0-9]", search))]
    found = np.ones(len(hay), dtype=bool)
    for word in words:
        found &= hay.str.contains(word, regex=False).to_numpy(bool)
    return found


def _count(orders: pd.DataFrame) -> dict[str, int]:
    found = orders["status"].value_counts(sort=False)
    return {str(name): int(count) for name, count in found.items() if count}


def _row_cells(record: dict[str, Any]) -> str:
    created = record["date_created"]
    parts = (
        look.status_mark(record["status"]),
        f"<bdi>{look.escaped(record['friendly_name'])}</bdi>",
        look.escaped(record["verification_attempts"]),
        "" if pd.isna(created) else look.escaped(f"{created:%Y-%m-%d %H:%M}"),
        f'<span class="hn-soft">{look.escaped(record["failure_reason"])}</span>',
    )
    return look.cells(parts, columns=_CELLS)
