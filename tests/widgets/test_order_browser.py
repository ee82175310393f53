"""The browser of orders: what it shows, what stays chosen, and what it says when reading fails."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import ipywidgets as ipw
import pandas as pd
import pytest
from payloads import SCRIPTS

import hnbulk as hn
from hnbulk import lifecycle
from hnbulk.errors import ServiceUnreachable
from hnbulk.frames import ORDER_COLUMNS, empty_orders, status_dtype
from hnbulk.widgets import OrderBrowser

NASTY = "<img src=x onerror=alert(1)>\x1b[31m\u202eend"


@dataclass
class Door:
    """An account whose reading of orders is whatever the test says."""

    poll: Callable[[], pd.DataFrame]
    now: datetime = datetime(2026, 1, 5, 15, tzinfo=UTC)


class Elements(HTMLParser):
    """The names of all elements of some HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)


def parts(view: Any, name: str) -> Iterator[Any]:
    """Every control of a view that has this class name."""
    if name in view._dom_classes:
        yield view
    for child in getattr(view, "children", ()):
        yield from parts(child, name)


def part(browser: OrderBrowser, name: str) -> Any:
    """The one control of this class name."""
    (found,) = parts(browser.view, name)
    return found


def rows_shown(browser: OrderBrowser) -> list[Any]:
    """The boxes to tick that are on the page now."""
    rows = parts(browser.view, "hn-row")
    return [row.children[0] for row in rows if row.layout.display != "none"]


def html_of(view: Any) -> str:
    """All HTML of a view, its own style sheet left out."""
    own = view.value if isinstance(view, ipw.HTML) and not view.value.startswith("<style>") else ""
    return own + "".join(html_of(child) for child in getattr(view, "children", ()))


def test_the_counts_are_all_orders_in_funnel_order(filled: hn.Account) -> None:
    """Every order is counted once, and statuses stand as they follow each other."""
    browser = OrderBrowser(filled)
    assert sum(browser.counts.values()) == len(browser.orders) == 200
    assert list(browser.counts) == sorted(browser.counts, key=lifecycle.ORDER.index)


def test_a_chip_names_its_status_and_count(filled: hn.Account) -> None:
    """Each status that occurs has a chip that says how many orders it has."""
    browser = OrderBrowser(filled)
    for name, count in browser.counts.items():
        assert part(browser, f"hn-status-{name}").description == f"{name} {count}"


def test_a_pressed_chip_shows_that_status_alone(filled: hn.Account) -> None:
    """Pressing a chip filters the rows; pressing it again shows all."""
    browser = OrderBrowser(filled)
    chip = part(browser, "hn-status-received")
    chip.value = True
    assert set(browser.shown["status"]) == {"received"}
    chip.value = False
    assert len(browser.shown) == 200


def test_pages_hold_every_shown_order_once(filled: hn.Account) -> None:
    """Turning through all pages meets each number once, in the order of the frame."""
    browser = OrderBrowser(filled, page_rows=30)
    met = []
    for page in range(browser.pages):
        browser.turn(page)
        met += [tick.description for tick in rows_shown(browser)]
    assert met == browser.orders["phone_number"].tolist()


def test_a_page_out_of_range_is_the_nearest(filled: hn.Account) -> None:
    """Turning past either end stays at that end."""
    browser = OrderBrowser(filled)
    browser.turn(99)
    assert part(browser, "hn-page").value == "176 to 200 of 200"
    assert part(browser, "hn-next").disabled
    browser.turn(-1)
    assert part(browser, "hn-page").value == "1 to 25 of 200"


@pytest.mark.parametrize("form", ["{0}", "({1}) {2}-{3}", "{1}.{2}.{3}", "1 {1} {2} {3}"])
def test_a_number_is_found_however_it_is_written(filled: hn.Account, form: str) -> None:
    """The search reads phone numbers as people write them."""
    browser = OrderBrowser(filled)
    number = browser.orders["phone_number"].iloc[40]
    browser.filter(search=form.format(number, number[2:5], number[5:8], number[8:]))
    assert browser.shown["phone_number"].tolist() == [number]


def test_every_word_of_a_search_must_be_there(filled: hn.Account) -> None:
    """Words narrow the search down, in any order and whatever the case."""
    orders = filled.orders()
    orders["friendly_name"] = [f"Shop-{number} North" for number in range(len(orders))]
    browser = OrderBrowser(filled, orders=orders)
    browser.filter(search="NORTH shop-17")
    assert browser.shown["friendly_name"].str.slice(0, 7).unique().tolist() == ["Shop-17"]
    assert len(browser.shown) == 11


def test_a_search_is_text_and_not_a_pattern(filled: hn.Account) -> None:
    """Signs that mean something in patterns find nothing but themselves."""
    browser = OrderBrowser(filled)
    browser.filter(search=".*")
    assert browser.shown.empty


def test_a_ticked_row_is_in_the_selection(filled: hn.Account) -> None:
    """Ticking and unticking a row's box moves its order in and out."""
    browser = OrderBrowser(filled)
    tick = rows_shown(browser)[3]
    tick.value = True
    assert browser.selection["phone_number"].tolist() == [tick.description]
    tick.value = False
    assert browser.selection.empty


def test_the_selection_is_rows_of_the_orders_frame(filled: hn.Account) -> None:
    """Columns and types are those of the orders frame, whatever is chosen."""
    browser = OrderBrowser(filled)
    assert tuple(browser.selection.columns[: len(ORDER_COLUMNS)]) == ORDER_COLUMNS
    assert browser.selection.dtypes.equals(browser.orders.dtypes)


def test_the_selection_stays_through_a_filter(filled: hn.Account) -> None:
    """What was chosen stays chosen when another filter hides it."""
    browser = OrderBrowser(filled)
    browser.filter(statuses=["received"])
    part(browser, "hn-select-all").click()
    chosen = browser.selection["sid"].tolist()
    browser.filter(statuses=["verified"], search="no such order")
    assert (
        browser.selection["sid"].tolist()
        == chosen
        == browser.orders.query("status == 'received'")["sid"].tolist()
    )


def test_the_selection_stays_through_a_refresh_with_fresh_rows(filled: hn.Account) -> None:
    """After a refresh the same orders are chosen, as the service has them by then."""
    assert filled.sandbox is not None
    browser = OrderBrowser(filled)
    browser.filter(statuses=["twilio-processing"])
    browser.select_shown()
    before = browser.selection
    filled.sandbox.clock.advance(10 * 86400)
    browser.refresh()
    browser.wait(timeout=30)
    assert browser.selection["sid"].tolist() == before["sid"].tolist()
    assert "twilio-processing" not in set(browser.selection["status"])


def test_select_all_shown_adds_and_clear_empties(filled: hn.Account) -> None:
    """Selections of two filters add up until they are cleared."""
    browser = OrderBrowser(filled)
    for status in ("received", "verified"):
        browser.filter(statuses=[status])
        browser.select_shown()
    assert len(browser.selection) == browser.counts["received"] + browser.counts["verified"]
    part(browser, "hn-clear").click()
    assert browser.selection.empty


def test_an_order_that_is_gone_leaves_the_selection_and_is_told(filled: hn.Account) -> None:
    """A selected order that the service no longer has is dropped with a line that says so."""
    orders = filled.orders()
    browser = OrderBrowser(Door(lambda: orders.iloc[1:]), orders=orders)
    browser.select(orders["sid"].iloc[:3])
    browser.refresh()
    browser.wait(timeout=30)
    assert len(browser.selection) == 2
    assert "1 selected order no longer there" in part(browser, "hn-error").value


def test_a_refresh_leaves_the_kernel_free() -> None:
    """While a slow reading goes on, the browser can be used, and says that it is reading."""
    go = threading.Event()

    def slow() -> pd.DataFrame:
        go.wait(30)
        return empty_orders()

    browser = OrderBrowser(Door(slow), orders=empty_orders())
    browser.refresh()
    with pytest.raises(TimeoutError, match="reading orders"):
        browser.wait(timeout=0.05)
    browser.filter(search="free")
    assert part(browser, "hn-refresh").disabled
    go.set()
    browser.wait(timeout=30)
    assert not part(browser, "hn-refresh").disabled


def test_a_failed_reading_is_told_in_one_line_and_kept(filled: hn.Account) -> None:
    """The error is shown, escaped; the orders stay, and `wait` raises it."""

    def fail() -> pd.DataFrame:
        raise ServiceUnreachable(f"no reply {NASTY}")

    browser = OrderBrowser(Door(fail), orders=filled.orders())
    browser.refresh()
    with pytest.raises(ServiceUnreachable):
        browser.wait(timeout=30)
    assert "no reply &lt;img" in part(browser, "hn-error").value
    assert len(browser.orders) == 200


def test_an_unforeseen_error_is_not_swallowed(filled: hn.Account) -> None:
    """An error that is not ours is named by its kind and raised by `wait`."""

    def fail() -> pd.DataFrame:
        raise ZeroDivisionError("a person's data")

    browser = OrderBrowser(Door(fail), orders=filled.orders())
    browser.refresh()
    with pytest.raises(ZeroDivisionError):
        browser.wait(timeout=30)
    assert "ZeroDivisionError" in part(browser, "hn-error").value
    assert "person" not in part(browser, "hn-error").value


def test_everything_from_outside_is_escaped(filled: hn.Account) -> None:
    """Markup, control and direction signs in any text of an order never reach the page."""
    orders = filled.orders()
    for name in ("friendly_name", "failure_reason", "phone_number", "unique_name", "email"):
        orders[name] = pd.Series([NASTY] * len(orders), dtype=orders[name].dtype)
    browser = OrderBrowser(filled, orders=orders)
    browser.filter(search="<img")
    page = html_of(browser.view)
    assert Elements(page).names <= {"div", "span", "bdi"}
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_no_script_becomes_an_element(filled: hn.Account) -> None:
    """Every payload in every text of an order is shown as text."""
    orders = filled.orders().head(len(SCRIPTS))
    for name in ("friendly_name", "failure_reason", "phone_number", "unique_name", "email"):
        orders[name] = pd.Series(SCRIPTS, dtype=orders[name].dtype)
    browser = OrderBrowser(filled, orders=orders)
    for text in SCRIPTS:
        browser.filter(search=text)
        assert Elements(html_of(browser.view)).names <= {"div", "span", "bdi"}


def test_codes_are_never_on_the_page(filled: hn.Account) -> None:
    """Verification codes of orders are neither shown nor held by any control."""
    orders = filled.orders()
    orders["verification_code"] = pd.Series(["314159"] * len(orders), dtype=orders["sid"].dtype)
    browser = OrderBrowser(filled, orders=orders)
    browser.select_shown()
    controls = list(parts(browser.view, "hn-tick"))
    assert "314159" not in html_of(browser.view) + "".join(tick.description for tick in controls)
    browser.filter(search="314159")
    assert "314159" not in set(browser.shown["phone_number"])


def test_an_unknown_status_has_a_chip_behind_the_known_ones(filled: hn.Account) -> None:
    """A status that the lifecycle does not have can be filtered like any other."""
    orders = filled.orders()
    known = orders["status"].astype(object)
    known.iloc[:4] = "paused-by-carrier"
    orders["status"] = known.astype(status_dtype(["paused-by-carrier"]))
    browser = OrderBrowser(filled, orders=orders)
    part(browser, "hn-status-paused-by-carrier").value = True
    assert len(browser.shown) == 4
    assert list(browser.counts)[-1] == "paused-by-carrier"


def test_no_orders_at_all_is_said_plainly() -> None:
    """A browser of an empty account has no rows and nothing to select."""
    browser = OrderBrowser(Door(empty_orders), orders=empty_orders())
    assert rows_shown(browser) == []
    assert part(browser, "hn-select-all").disabled
    assert str(browser) == ("0 orders read 5 Jan 2026, 15:00 UTC: none\nshown 0 (all), selected 0")


def test_the_text_face_counts_and_names_no_number(filled: hn.Account) -> None:
    """As plain text the browser tells counts and selection; no number or name stands in it."""
    browser = OrderBrowser(filled)
    browser.filter(statuses=["received"], search="+1")
    browser.select_shown()
    count = browser.counts["received"]
    text = browser._repr_mimebundle_()["text/plain"]
    assert text == str(browser) == repr(browser)
    assert f"{count} received" in text
    assert f"shown {count} (received, search), selected {count}" in text
    assert "+1" not in text


def test_without_ipywidgets_the_import_says_what_to_install() -> None:
    """Where the extra is missing, importing the widgets names the command that brings it."""
    code = "import sys; sys.modules['ipywidgets'] = None; import hnbulk; hnbulk.widgets"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().splitlines()[-1] == (
        "ImportError: the widgets need ipywidgets. Install it: pip install 'hnbulk[lab]'"
    )


IN_A_KERNEL = (
    """
import hnbulk as hn
account = hn.connect_sandbox(seed=7, orders=200)
browser = hn.widgets.OrderBrowser(account)
browser
""",
    """
browser.filter(statuses=["received"])
browser.select_shown()
before = browser.selection["sid"].tolist()
browser.refresh()
browser.wait(30)
print(len(before) > 0, before == browser.selection["sid"].tolist())
""",
    """
browser.filter(statuses=[])
account.close()
print(len(browser.shown), browser.error == "")
""",
)


def test_the_browser_works_in_a_kernel(run_cells: Callable[..., list[str]]) -> None:
    """In a real kernel: it shows itself as text, a refresh in a thread ends, the selection stays."""
    printed = run_cells(*IN_A_KERNEL)
    assert printed[0].startswith("200 orders read 5 Jan 2026")
    assert printed[1:] == ["True True", "200 True"]
