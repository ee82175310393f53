"""Every row of a list has one verdict in the end, whatever it is and whoever asks for it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from test_plan import header, order

from hnbulk.drafts import Draft
from hnbulk.frames import orders_from
from hnbulk.planfile import VERDICTS, PlanFile, PlanRow, loads_plan
from hnbulk.steps import Verdict
from hnbulk.table import Table

ROWS = [(2, {"Phone": "a"}), (3, {"Phone": "b"}), (4, {"Phone": "c"}), (5, {"Phone": "d"})]

UPDATED = datetime(2026, 1, 5, 15, tzinfo=UTC)


def test_rows_come_with_their_cells_verdicts_and_orders() -> None:
    """Decided one by one or many at once; what nobody decided names no target."""
    draft = Draft(ROWS, {3: ("duplicate-row", "repeats row 2")})
    orders = orders_from([order(1), order(2, "failed").model_copy(update={"date_updated": UPDATED})])
    draft.leave_as_wanted(np.array([2, 5]), orders, np.array([1, 0]))
    draft.leave(5, Verdict.CONFLICT, "two-live-orders")  # what is said of one row goes before
    rows = draft.rows()
    assert [row.row for row in rows] == [2, 3, 4, 5]
    assert rows[0] == PlanRow(
        2, {"Phone": "a"}, Verdict.NOTHING, None, None, order(2).sid, "failed", UPDATED.isoformat()
    )
    assert (rows[1].verdict, rows[1].note) == (Verdict.SET_ASIDE, "repeats row 2")
    assert (rows[2].code, rows[2].note) == ("no-target", "the row names no target")
    assert (rows[3].verdict, rows[3].sid) == (Verdict.CONFLICT, None)


def test_an_order_without_a_status_has_none() -> None:
    """The service may leave it out; the row says so."""
    orders = orders_from([order(1), order(2).model_copy(update={"status": None})])
    draft = Draft(ROWS[:2], {})
    draft.leave_as_wanted(np.array([2, 3]), orders, np.array([1, 0]))
    assert [row.status for row in draft.rows()] == [None, "received"]


def test_verdicts_are_those_of_the_rows() -> None:
    """Told without making a row of them."""
    draft = Draft(ROWS, {3: ("conflicting-rows", "x")})
    draft.leave_as_wanted(np.array([2]), orders_from([order(1)]), np.array([0]))
    draft.leave(9, Verdict.BLOCKED, "not-cancelable")
    rows = draft.rows()
    assert [VERDICTS[code] for code in rows.codes()] == [row.verdict for row in rows]
    assert [row.row for row in rows] == [2, 3, 4, 5, 9]
    assert dict(rows[4].cells) == {}
    assert draft.last_row == 9


def test_rows_of_any_order_come_by_their_numbers() -> None:
    """With their own cells, from a table too."""
    table = Table.of(("Phone",), [(7, ("seven",)), (2, ("two",)), (5, ("five",))])
    draft = Draft(table.records, {})
    assert [(row.row, row.cells["Phone"]) for row in draft.rows()] == [
        (2, "two"),
        (5, "five"),
        (7, "seven"),
    ]
    assert draft.last_row == 7


def test_a_list_without_rows_has_none() -> None:
    """And the header's is the last one."""
    draft = Draft([], {})
    assert (len(draft.rows()), draft.last_row) == (0, 1)


def test_rows_one_after_the_other_are_those_at_their_places() -> None:
    """In a list in order, in one that is not, and with rows that are in none."""
    for numbers in ([2, 3, 4], [4, 2, 3], [2, 4, 3]):
        draft = Draft([(row, {"Phone": str(row)}) for row in numbers], {4: ("duplicate-row", "x")})
        draft.leave(9, Verdict.BLOCKED, "not-cancelable")
        rows = draft.rows()
        assert list(rows) == [rows[n] for n in range(4)]
        assert [row.cells.get("Phone") for row in rows] == ["2", "3", "4", None]


def test_rows_with_a_verdict_are_found_among_the_others() -> None:
    """Whether a plan was just made or was read from its file."""
    draft = Draft(ROWS, {3: ("duplicate-row", "repeats row 2"), 5: ("phone-missing", "x")})
    draft.leave_as_wanted(np.array([2, 4]), orders_from([order(1)]), np.array([0, 0]))
    plan = PlanFile(header(), (), draft.rows())
    for one in (plan, loads_plan(plan.dumps(), name="a.plan")):
        assert [row.row for row in one.rows_left(Verdict.SET_ASIDE)] == [3, 5]
        assert list(one.rows_left(Verdict.BLOCKED)) == []
        assert list(one.rows_left(*Verdict)) == list(plan.rows)
