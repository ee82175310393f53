"""What goes out comes back the same: lists, result files, phone numbers, and a plan that was applied."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from payloads import FORMULAS
from sandbox.sandbox_driver import DOCUMENT, Driver

from hnbulk import wire
from hnbulk.cancels import build_cancels
from hnbulk.frames import empty_orders, orders_frame, records_of
from hnbulk.intake import Intake, read_bytes
from hnbulk.lifecycle import ORDER
from hnbulk.messages import Reply
from hnbulk.phones import Phone, read_phone
from hnbulk.plan import build_plan
from hnbulk.planfile import PlanFile, PlanHeader
from hnbulk.results import PARTS, Results, sort_rows
from hnbulk.sandbox.state import put_state, take_state
from hnbulk.steps import Action, Ending, State, Step, Verdict

Cells = Sequence[Sequence[str]]
TITLES = ("Phone", "Branch", "Email", "CC", "SMS URL", "Ext", "Opening hours", "=Note")
NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)

# -- lists: what people write, what spreadsheets do to it, and what is meant to hurt

PHONES = st.sampled_from(
    [
        "4155550100",
        "(415) 555-0101",
        "+1 415 555 0102",
        "415.555.0103 x12",
        "+14155550104",
        "12",
        "",
        "oops",
    ]
)
# no NUL and no lone surrogates: no list with one is read
SIGNS = "aZé0 '\";,|\t\n=+-@＝\u200b\u00a0#*/:.\\"
TEXTS = st.text(st.sampled_from(SIGNS), max_size=8) | st.sampled_from(
    [text for text in FORMULAS if "\x00" not in text and "\r" not in text]
)
ROWS = st.tuples(
    PHONES,
    TEXTS,
    st.sampled_from(["", "owner@example.com", "owner@", "=1+1"]),
    st.sampled_from(["", "a@example.com; b@example.com", "a@example.com;=1+1"]),
    st.sampled_from(["", "https://a.example/sms", "http:/x"]),
    st.sampled_from(["", "12", "+1"]),
    TEXTS,
    TEXTS,
)
LAST = ("+14165550199", "last", "", "", "", "", "", "")  # a list of blank rows alone is none
LISTS = st.lists(ROWS, max_size=6).map(lambda rows: [*rows, LAST])


def as_csv(titles: Sequence[str], rows: Cells) -> bytes:
    """A CSV file of these cells."""
    content = io.StringIO(newline="")
    csv.writer(content).writerows([titles, *rows])
    return content.getvalue().encode()


def as_xlsx(titles: Sequence[str], rows: Cells) -> bytes:
    """A workbook of these cells, each of them text."""
    book = openpyxl.Workbook()
    for n, line in enumerate([titles, *rows], 1):
        for m, cell in enumerate(line, 1):
            place = book.active.cell(n, m, cell)  # type: ignore[union-attr]
            place.data_type = "s"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def plan_of(intake: Intake, orders: pd.DataFrame, account_sid: str = "AC" + "0" * 32) -> PlanFile:
    """The plan of the list against these orders."""
    return build_plan(intake.targets, orders, **made_of(intake, account_sid))


def made_of(intake: Intake, account_sid: str) -> dict[str, Any]:
    """What a plan says of the list it was made from."""
    return {
        "header": PlanHeader(
            dialect="preview",
            base_url="http://127.0.0.1:1",
            account_sid=account_sid,
            input_hash=intake.input_hash,
            input_name=intake.name,
            columns=intake.columns,
            made_at=NOW.isoformat(),
            read_at=NOW.isoformat(),
        ),
        "rows": intake.rows,
        "set_aside": intake.set_aside_notes,
    }


def wanted(intake: Intake) -> list[dict[str, Any]]:
    """The targets, wherever in a file they stand."""
    return records_of(intake.targets.drop(columns="row"))


def codes(intake: Intake) -> list[str]:
    """Why rows are no targets, in their order."""
    return [intake.set_aside[row] for row, _ in intake.rows if row in intake.set_aside]


def ended(plan: PlanFile, draw: Any) -> Results:
    """The results of a run of the plan that may have gone any way."""
    states = draw.draw(st.lists(st.sampled_from(State), min_size=len(plan.steps), max_size=len(plan.steps)))
    said = draw.draw(TEXTS)
    endings = [Ending(n, state, said, said, said, said) for n, state in enumerate(states)]
    return sort_rows(plan, draw.draw(st.permutations(endings)))


def lines_of(results: Results) -> tuple[list[str], list[list[str]]]:
    """The header and every line of the three files, in the order of the rows they came from."""
    titles: list[str] = []
    lines: list[list[str]] = []
    for part in PARTS:
        titles, *more = csv.reader(io.StringIO(results.csv(part), newline=""), strict=True)
        lines += more
    place = titles.index("hn_row")
    return titles, sorted(lines, key=lambda line: int(line[place]))


def cells_of(intake: Intake) -> list[dict[str, str]]:
    """The cells as they were written; one of mere blanks is none in a workbook."""
    return [
        {name: cell if cell.strip(" \t\r\n") else "" for name, cell in cells.items()}
        for _, cells in intake.rows
    ]


@given(LISTS, st.data())
@settings(max_examples=20, deadline=None)
def test_result_files_fed_back_give_the_same_targets(rows: Cells, draw: Any) -> None:
    """As CSV and as a workbook: targets, columns, cells and what is wrong with a row are as before."""
    intake = read_bytes(as_csv(TITLES, rows), name="list.csv")
    titles, lines = lines_of(ended(plan_of(intake, empty_orders()), draw))
    for again in (
        read_bytes(as_csv(titles, lines), name="again.csv"),
        read_bytes(as_xlsx(titles, lines), name="again.xlsx"),
    ):
        assert again.columns == intake.columns
        assert wanted(again) == wanted(intake)
        assert codes(again) == codes(intake)
        assert cells_of(again) == cells_of(intake)


@given(LISTS)
@settings(max_examples=12, deadline=None)
def test_a_list_is_the_same_whatever_file_it_is_in(rows: Cells) -> None:
    """A workbook, a CSV file and one that is cut at semicolons give the same targets and problems."""
    content = io.StringIO(newline="")
    csv.writer(content, delimiter=";").writerows([TITLES, *rows])
    first, *others = (
        read_bytes(as_csv(TITLES, rows), name="list.csv"),
        read_bytes(content.getvalue().encode("utf-8-sig"), name="list.csv"),
        read_bytes(as_xlsx(TITLES, rows), name="list.xlsx"),
    )
    for other in others:
        assert records_of(other.targets) == records_of(first.targets)
        assert other.set_aside == first.set_aside


@given(LISTS, st.data())
@settings(max_examples=20, deadline=None)
def test_success_error_and_unprocessed_are_the_input(rows: Cells, draw: Any) -> None:
    """However a run went, each row is in one of the three files, once, with the cells it came with."""
    intake = read_bytes(as_csv(TITLES, rows), name="list.csv")
    results = ended(plan_of(intake, empty_orders()), draw)
    everything = [line for part in PARTS for line in getattr(results, part)]
    assert sum(results.counts.values()) == len(intake.rows)
    own = {int(line["hn_row"]): {name: line[name] for name in TITLES} for line in everything}
    assert own == dict(intake.rows)


# -- phone numbers

FORMATS = (
    "{a}{b}{c}",
    "1{a}{b}{c}",
    "+1{a}{b}{c}",
    "+1 {a} {b} {c}",
    "+1-{a}-{b}-{c}",
    "+1.{a}.{b}.{c}",
    "+1 ({a}) {b}-{c}",
    "+1({a}){b}-{c}",
    "({a}) {b}-{c}",
    "({a}){b}{c}",
    "({a}) {b} {c}",
    "{a}-{b}-{c}",
    "{a}.{b}.{c}",
    "{a} {b} {c}",
    "{a}/{b}-{c}",
    "{a} {b}-{c}",
    "1-{a}-{b}-{c}",
    "1 ({a}) {b}-{c}",
    "1.{a}.{b}.{c}",
    "'{a}{b}{c}",
    "'+1{a}{b}{c}",
    '="{a}{b}{c}"',
    "\u00a0{a}\u00a0{b}\u00a0{c} ",
    "{a}\u2011{b}\u2013{c}",
    "{a}\u2212{b}\u2212{c}",
    "  {a}-{b}-{c}\t",
)
AREAS = ("201", "212", "415", "416", "514", "604", "907", "808", "800", "888")


@given(st.sampled_from(AREAS), st.integers(200, 999), st.integers(0, 9999))
@settings(max_examples=60, deadline=None)
def test_the_way_a_number_is_written_never_changes_which_it_is(area: str, exchange: int, line: int) -> None:
    """All formats of a number are read as one E.164, or all of them are refused for one reason."""
    a, b, c = area, f"{exchange:03d}", f"{line:04d}"
    read = {read_phone(form.format(a=a, b=b, c=c)) for form in FORMATS}
    assert len(read) == 1
    (one,) = read
    if isinstance(one, Phone):
        assert one == Phone(f"+1{a}{b}{c}")
        assert read_phone(one.number) == one


@given(
    st.sampled_from(AREAS), st.integers(0, 9999), st.sampled_from(("x", " x ", " ext. ", " #", " poste "))
)
@settings(max_examples=40, deadline=None)
def test_an_extension_beside_a_number_never_changes_which_it_is(area: str, line: int, mark: str) -> None:
    """It is split off, whatever stands between."""
    plain = read_phone(f"{area}555{line:04d}")
    beside = read_phone(f"({area}) 555-{line:04d}{mark}12")
    assert beside == (Phone(plain.number, "12") if isinstance(plain, Phone) else plain)


# -- a plan that was applied

WISHES = st.fixed_dictionaries(
    {},
    optional={
        "friendly_name": st.sampled_from(["North", " North ", "Süd & Co", "=1+1", "x" * 64]),
        "email": st.sampled_from(["owner@example.com", "boss@example.com"]),
        "cc_emails": st.sampled_from(["a@example.com", "b@example.com; a@example.com"]),
        "verification_type": st.sampled_from(["phone-call", "phone-bill"]),
        "verification_document_sid": st.just(DOCUMENT),
        "extension": st.sampled_from(["12", "ww3"]),
        "call_delay": st.sampled_from(["0", "5"]),
        "sms_url": st.just("https://a.example/sms"),
    },
)
# numbers of the sandbox whose orders are never refused when they are made
NUMBERS = [f"+1415555{n:04d}" for n in range(100, 106)]


def orders_of(driver: Driver) -> pd.DataFrame:
    """What the service lists."""
    reply = answer(driver, wire.list_orders(wire.PREVIEW))
    return orders_frame([reply.body])


def answer(driver: Driver, request: Any) -> Reply:
    """The sandbox's reply to one of our own requests."""
    return driver.service.answer(request, driver.person, driver.sandbox.clock.now()).reply


def send(driver: Driver, step: Step, made: dict[int | None, str]) -> None:
    """The step is done, and not refused."""
    if step.action is Action.CREATE:
        request = wire.create_order(wire.PREVIEW, {"phone_number": step.phone_number, **step.after})
    elif step.action is Action.UPDATE:
        request = wire.update_order(wire.PREVIEW, step.sid or made[step.row], step.after)
    else:
        request = wire.delete_order(wire.PREVIEW, step.sid or "")
    reply = answer(driver, request)
    assert reply.status < 300, reply.body
    if step.action is Action.CREATE:
        made[step.row] = wire.read_order(reply).sid


@given(
    there=st.dictionaries(st.sampled_from(NUMBERS), st.sampled_from(ORDER), max_size=4),
    asked=st.lists(st.tuples(st.sampled_from(NUMBERS), WISHES), min_size=1, max_size=6),
)
@settings(max_examples=20, deadline=None)
def test_a_plan_that_was_applied_leaves_nothing_to_do(
    there: dict[str, str], asked: list[tuple[str, dict[str, str]]]
) -> None:
    """Whatever statuses the orders are in: every step is taken, and planned again none is left.

    What could not be done is still told for the same reason.
    """
    driver = Driver(seed=7)
    for number in there:
        driver.create(number, FriendlyName="Old")
    state = take_state(driver.sandbox.desk)
    for order in state["orders"]:
        order["status"] = there[order["phone_number"]]
    put_state(driver.sandbox.desk, state)
    titles = ["phone_number", *dict.fromkeys(name for _, wish in asked for name in wish)]
    rows = [[number, *(wish.get(name, "") for name in titles[1:])] for number, wish in asked]
    intake = read_bytes(as_csv(titles, rows), name="list.csv")
    account = driver.sandbox.account_sid
    plan = plan_of(intake, orders_of(driver), account)
    made: dict[int | None, str] = {}
    for step in plan.steps:
        send(driver, step, made)
    again = plan_of(intake, orders_of(driver), account)
    assert list(again.steps) == []
    for before, after in zip(plan.rows, again.rows, strict=True):
        expected = Verdict.NOTHING if before.verdict is Verdict.PLANNED else before.verdict
        assert (after.verdict, after.code) == (expected, before.code)
    listed = Counter(orders_of(driver).query("status != 'failed'")["phone_number"].tolist())
    assert set(listed.values()) <= {1}
    gone = build_cancels(intake.targets, orders_of(driver), **made_of(intake, account))
    for step in gone.steps:
        send(driver, step, made)
    assert not build_cancels(intake.targets, orders_of(driver), **made_of(intake, account)).steps
