"""What stands beside a row: status, sid, day and next step, from the orders and what was seen of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import old_books
import openpyxl
import pandas as pd
import pytest

import hnbulk as hn
from hnbulk.annotations import Annotation, annotations_of, count_statuses
from hnbulk.errors import InputError
from hnbulk.frames import empty_events, events_frame, orders_from
from hnbulk.funnel import NEXT_STEPS
from hnbulk.intake import read_bytes
from hnbulk.models import Order
from hnbulk.results import NEXT_STEPS as BY_CODE
from hnbulk.steps import Action, Step

NUMBER = "+14155550100"
LIST = b"Phone,Email\n4155550100,a@example.com\n"
DAY = datetime(2026, 1, 5, 12, tzinfo=UTC)


def order(sid: str, status: str, **more: object) -> Order:
    fields = {
        "sid": sid,
        "phone_number": NUMBER,
        "status": status,
        "date_created": DAY,
        "date_updated": DAY,
    }
    return Order.model_validate({**fields, **more})


def beside(*orders: Order, events: pd.DataFrame | None = None, content: bytes = LIST) -> list[Annotation]:
    intake = read_bytes(content, name="a.csv")
    seen = empty_events() if events is None else events
    return list(annotations_of(intake, orders=orders_from(orders), events=seen, refused={}).values())


def event(status: str, seen_at: datetime, not_before: datetime) -> dict[str, object]:
    own = {"order_sid": "HR1", "phone_number": NUMBER, "attempt": 1, "source": "poll", "run_id": None}
    return {**own, "status": status, "seen_at": seen_at, "not_before": not_before}


def test_a_number_without_an_order_is_to_be_planned() -> None:
    """Its row says so, and has neither sid nor day."""
    assert beside() == [Annotation("no order yet", "", "", "plan it: hnbulk plan")]


def test_a_live_order_counts_before_failed_ones() -> None:
    """A failed attempt before it is past."""
    failed, live = order("HR0", "failed", failure_reason="x"), order("HR1", "received")
    assert beside(failed, live) == [Annotation("received", "HR1", "2026-01-05", NEXT_STEPS["received"])]


def test_the_last_of_failed_orders_says_why() -> None:
    """The service's own reason is in the next step."""
    later = DAY + timedelta(days=3)
    orders = (
        order("HR2", "failed", failure_reason="SMS enabled.", date_created=later, date_updated=later),
        order("HR1", "failed", failure_reason="other"),
    )
    (told,) = beside(*orders)
    assert told[:3] == ("failed", "HR2", "2026-01-08")
    assert told.next_step.startswith("it failed (SMS enabled), mend the rows and plan again")


def test_two_live_orders_are_a_conflict() -> None:
    """Both are named, and a person decides."""
    (told,) = beside(order("HR1", "received"), order("HR2", "verified"))
    assert told == Annotation("two live orders", "HR1; HR2", "", BY_CODE["two-live-orders"])


def test_a_status_nobody_knows_is_told_as_it_is() -> None:
    """With advice to look."""
    with pytest.warns(Warning, match="does not know"):
        (told,) = beside(order("HR1", "on-the-moon"))
    assert told.status == "on-the-moon"
    assert "Console" in told.next_step


@pytest.mark.parametrize(
    ("seen_after", "updated_after", "day"),
    [(1, 3, "2026-01-06"), (3, 2, "2026-01-07"), (3, 0, "2026-01-08"), (3, None, "2026-01-08")],
)
def test_the_day_is_the_latest_it_can_have_been(
    seen_after: int, updated_after: int | None, day: str
) -> None:
    """The first sighting, or the order's last change where that lies between it and the status before."""
    events = events_frame(
        [
            event("twilio-processing", DAY, DAY),
            event("received", DAY + timedelta(days=seen_after), DAY),
        ]
    )
    updated = None if updated_after is None else DAY + timedelta(days=updated_after)
    (told,) = beside(order("HR1", "received", date_updated=updated), events=events)
    assert told.stage_date == day


def test_an_event_of_another_status_says_nothing_of_this_one() -> None:
    """The order's own last change does."""
    events = events_frame([event("verified", DAY - timedelta(days=2), DAY - timedelta(days=3))])
    (told,) = beside(order("HR1", "received"), events=events)
    assert told.stage_date == "2026-01-05"


def test_a_row_set_aside_has_its_reasons_and_what_is_known_of_its_number() -> None:
    """All its errors, each with what to do; a number that cannot be read has no order."""
    content = b"Phone,Email\n4155550100,a@@example.com\n12,b@@example.com\n\n4155550101,c@example.com\n"
    first, second, empty, _ = beside(order("HR1", "received"), content=content)
    assert first[:3] == ("received", "HR1", "2026-01-05")
    assert first.next_step == "not an e-mail address: write one whole address: a name, an @ and a domain"
    assert second.status == "set aside"
    assert second.next_step.count(" | ") == 1
    assert empty.next_step == "the row is empty: take the row out"


def test_a_number_the_service_refused_says_what_to_do() -> None:
    """Planning it again would be of no use."""
    intake = read_bytes(LIST, name="a.csv")
    said = {Step(None, Action.CREATE, NUMBER).number_hash(): ("22110", "not eligible")}
    found = annotations_of(intake, orders=orders_from(()), events=empty_events(), refused=said)
    assert found[2] == Annotation("refused", "", "", BY_CODE["22110"])


def test_statuses_are_counted_in_the_order_of_the_funnel() -> None:
    """The words that are no status come last."""
    rows = [
        Annotation("no order yet"),
        Annotation("verified"),
        Annotation("received"),
        Annotation("verified"),
    ]
    assert list(count_statuses(rows).items()) == [("received", 1), ("verified", 2), ("no order yet", 1)]


def test_an_account_gives_a_list_back_as_its_orders_are(account: hn.Account, tmp_path: Path) -> None:
    """Before the run, after it, and days later; only reads are sent."""
    assert account.sandbox is not None
    path = tmp_path / "list.csv"
    path.write_bytes(b"Phone,Email\n4155550100,a@example.com\n12,b@example.com\n")
    account.sandbox.set_fate(NUMBER, "smooth")
    assert account.annotate(path).statuses == {"no order yet": 1, "set aside": 1}
    plan = account.plan(hn.read_targets(path), set_aside=True)
    account.apply(plan, approve=plan.checksum[:8]).wait(timeout=60)
    account.connection.clock.wait_until(account.now + timedelta(days=2))
    made = account.annotate(path)
    sheet = openpyxl.load_workbook(made.save()).active
    assert sheet is not None
    (known,) = wire_orders(account)
    told = [cell.value for cell in sheet[2]]
    assert told[2:4] == ["received", known.sid]
    assert told[4] <= account.now.date().isoformat()
    assert [cell.value for cell in sheet[3]][2] == "set aside"
    assert str(made).startswith("list.csv: 2 rows; 1 cell red, 0 yellow")


def two_sheets(path: Path) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in {"West": [("Phone",), ("12",)], "East": [("Tel X",), ("4155550100",)]}.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def titles_of(path: Path) -> dict[str, list[object]]:
    return {sheet.title: [cell.value for cell in sheet[1]] for sheet in openpyxl.load_workbook(path)}


@pytest.mark.parametrize(
    ("how", "statuses", "annotated"),
    [
        ({}, {"set aside": 1}, ["West"]),
        ({"sheet": "West"}, {"set aside": 1}, ["West"]),
        ({"sheet": "East", "mapping": {"Tel X": "phone_number"}}, {"no order yet": 1}, ["East"]),
        ({"sheet": ["East", "West"]}, {"no order yet": 1, "set aside": 1}, ["East", "West"]),
        ({"all_sheets": True}, {"no order yet": 1, "set aside": 1}, ["East", "West"]),
    ],
    ids="first named mapped several every".split(),
)
def test_sheets_and_columns_are_chosen_as_for_a_plan(
    account: hn.Account,
    tmp_path: Path,
    how: dict[str, Any],
    statuses: dict[str, int],
    annotated: list[str],
) -> None:
    """`sheet`, `all_sheets` and `mapping` say what is read; the other sheets get no columns."""
    if len(annotated) == 2:
        how = {**how, "mapping": {"Tel X": "phone_number", "Phone": "phone_number"}}
    made = account.annotate(two_sheets(tmp_path / "a.xlsx"), **how)
    assert made.statuses == statuses
    titles = titles_of(made.save())
    assert sorted(title for title in titles if "hn_status" in titles[title]) == annotated


def test_a_list_of_another_kind_says_which_sheets_it_left_out(account: hn.Account, tmp_path: Path) -> None:
    """Through the account as through the command line: East is not in the new workbook, and is named."""
    sheets = {"West": (("Phone",), ("4155550100",)), "East": (("Phone",), ("4155550101",))}
    (tmp_path / "a.ods").write_bytes(old_books.ods(sheets))
    made = account.annotate(tmp_path / "a.ods", sheet="West")
    assert made.notes == ("sheets that were not read are not in it: 'East'",)
    assert list(titles_of(made.save())) == ["West"]


def wire_orders(account: hn.Account) -> list[Order]:
    return [account.order(sid) for sid in account.orders()["sid"].tolist()]


def test_a_file_that_is_no_list_is_refused_before_anything_is_read(
    account: hn.Account, tmp_path: Path
) -> None:
    """One line, and no workbook."""
    (tmp_path / "x.csv").write_bytes(b"Branch\nPier\n")
    with pytest.raises(InputError):
        account.annotate(tmp_path / "x.csv")
