"""Result files: every row once, the user's columns kept, no cell a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.plaintext import restore
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.results import (
    ERROR_CLASSES,
    EXTRA_COLUMNS,
    class_rows,
    error_class,
    next_step,
    sort_rows,
)
from hnbulk.steps import SEVERITY, Action, Ending, State, Step, Verdict

HEADER = PlanHeader(
    dialect="preview",
    base_url="http://127.0.0.1:1",
    account_sid="AC" + "0" * 32,
    input_hash="0" * 64,
    input_name="branches.csv",
    columns=("Phone", "Branch"),
    made_at="2026-01-05T15:00:00+00:00",
    read_at="2026-01-05T15:00:00+00:00",
)
CELLS = {"Phone": "(501) 712-2661", "Branch": "North"}


def plan_of(rows: list[PlanRow], steps: list[Step], columns: tuple[str, ...] = HEADER.columns) -> PlanFile:
    """A plan of these rows and steps."""
    fields = {name: getattr(HEADER, name) for name in HEADER.__dataclass_fields__}
    return PlanFile(PlanHeader(**{**fields, "columns": columns}), tuple(steps), tuple(rows))


def step_of(row: int | None, action: Action = Action.CREATE) -> Step:
    """A step of one row."""
    return Step(row=row, action=action, phone_number="+15017122661")


@st.composite
def plans_with_endings(draw: st.DrawFn) -> tuple[PlanFile, list[Ending]]:
    """Any plan: rows of any verdict with up to three steps, and endings for some of the steps."""
    verdicts = draw(st.lists(st.sampled_from(Verdict), max_size=8))
    rows = [PlanRow(number, CELLS, verdict) for number, verdict in enumerate(verdicts, 2)]
    owners = draw(st.lists(st.sampled_from([None, *(row.row for row in rows)]), max_size=12))
    steps = [step_of(owner) for owner in owners]
    ended = draw(st.lists(st.integers(0, len(steps) - 1), max_size=12)) if steps else []
    return plan_of(rows, steps), [Ending(index, draw(st.sampled_from(State))) for index in ended]


@given(plans_with_endings())
def test_every_row_is_in_exactly_one_part(case: tuple[PlanFile, list[Ending]]) -> None:
    """Success, error and unprocessed together are the plan's rows, and they share none."""
    plan, endings = case
    results = sort_rows(plan, endings)
    rows = [row["hn_row"] for row in (*results.success, *results.error, *results.unprocessed)]
    assert sorted(rows, key=int) == [str(row.row) for row in plan.rows]
    assert sum(results.counts.values()) == len(plan.rows)


def test_a_row_takes_the_worst_of_its_steps() -> None:
    """A created order whose dependent update was refused is an error row with both facts."""
    plan = plan_of([PlanRow(2, CELLS, Verdict.PLANNED)], [step_of(2), step_of(2, Action.UPDATE)])
    results = sort_rows(
        plan,
        [
            Ending(0, State.DONE, sid="HR1", status="received"),
            Ending(1, State.REFUSED, code="22117", message="bad extension", retryable=True),
        ],
    )
    (row,) = results.error
    assert (row["hn_sid"], row["hn_status"], row["hn_error_code"]) == ("HR1", "received", "22117")
    assert row["hn_retryable"] == "yes"
    assert "extension" in row["hn_next_step"]


@pytest.mark.parametrize("state", SEVERITY)
def test_each_state_has_its_part_and_only_success_needs_no_next_step(state: State) -> None:
    """Done is a success, never-sent and in-doubt are unprocessed, all else is an error."""
    results = sort_rows(plan_of([PlanRow(2, CELLS, Verdict.PLANNED)], [step_of(2)]), [Ending(0, state)])
    part = next(name for name, count in results.counts.items() if count)
    expected = {State.DONE: "success", State.PENDING: "unprocessed", State.IN_DOUBT: "unprocessed"}
    assert part == expected.get(state, "error")
    (row,) = getattr(results, part)
    assert bool(row["hn_next_step"]) == (state is not State.DONE)


def test_a_step_without_an_ending_is_unprocessed_and_may_go_out_again() -> None:
    """A run that ended early leaves its unsent rows as retryable."""
    results = sort_rows(plan_of([PlanRow(2, CELLS, Verdict.PLANNED)], [step_of(2)]), [])
    (row,) = results.unprocessed
    assert (row["hn_error_code"], row["hn_retryable"]) == ("pending", "yes")


def test_the_later_of_two_endings_counts() -> None:
    """A resume's outcome replaces the doubt before it."""
    plan = plan_of([PlanRow(2, CELLS, Verdict.PLANNED)], [step_of(2)])
    results = sort_rows(plan, [Ending(0, State.IN_DOUBT), Ending(0, State.DONE)])
    assert results.counts == {"success": 1, "error": 0, "unprocessed": 0}


def test_a_row_without_steps_goes_by_its_verdict() -> None:
    """Nothing to do is a success; blocked and conflict are errors; set aside is unprocessed."""
    verdicts = (Verdict.NOTHING, Verdict.BLOCKED, Verdict.CONFLICT, Verdict.SET_ASIDE)
    rows = [PlanRow(n, CELLS, verdict, code="x", note="why") for n, verdict in enumerate(verdicts, 2)]
    results = sort_rows(plan_of(rows, []), [])
    assert results.counts == {"success": 1, "error": 2, "unprocessed": 1}
    assert results.error[0]["hn_error"] == "why"
    assert results.success[0]["hn_error"] == ""


def test_own_columns_keep_their_order_and_hn_columns_are_not_doubled() -> None:
    """A result file fed back and applied again has one set of hn_ columns, at the end."""
    columns = ("hn_row", "Branch", "hn_error", "Phone")
    rows = [PlanRow(2, {**CELLS, "hn_row": "77", "hn_error": "old"}, Verdict.NOTHING)]
    results = sort_rows(plan_of(rows, [], columns), [])
    assert results.columns == ("Branch", "Phone", *EXTRA_COLUMNS)
    assert results.success[0]["hn_row"] == "2"


def test_csv_text_reads_back_as_the_same_cells() -> None:
    """Quotes, commas, line ends and formulas survive the way out and in."""
    cells = {"Phone": "+15017122661", "Branch": '=1+1,"a"\r\nb\rc'}
    text = sort_rows(plan_of([PlanRow(2, cells, Verdict.NOTHING)], []), []).csv("success")
    header, row = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["Phone", "Branch", *EXTRA_COLUMNS]
    assert [restore(cell) for cell in row[:2]] == list(cells.values())
    assert text.startswith("Phone,Branch,hn_row")
    assert "\r\n" not in text.replace(cells["Branch"].split('"')[-1], "")


def test_an_empty_part_is_a_header_alone() -> None:
    """A run without failures still writes a readable error file."""
    assert sort_rows(plan_of([], []), []).csv("error").count("\n") == 1


def test_the_next_step_of_a_doubtful_row_does_not_follow_its_error_code() -> None:
    """22110 after our own in-doubt request is not yet a refusal: the state speaks."""
    assert "carrier" in next_step("22110", State.REFUSED)
    assert "hnbulk resume" in next_step("22110", State.IN_DOUBT)
    assert "hnbulk orders" in next_step("22110", State.CONFLICT)


def test_a_known_code_says_more_than_the_run_and_the_run_more_than_the_state() -> None:
    """The table by code comes first where the answer is final, then what the ending says."""
    assert "carrier" in next_step("22110", State.REFUSED, "change the row")
    assert next_step("99999", State.REFUSED, "change the row") == "change the row"
    assert next_step(None, State.REVIEW, "look at the order") == "look at the order"


def test_reprs_show_counts_only() -> None:
    """A repr of results holds nobody's data."""
    assert "2661" not in repr(sort_rows(plan_of([PlanRow(2, CELLS, Verdict.NOTHING)], []), []))


@pytest.mark.parametrize(
    ("state", "code", "expected", "again"),
    [
        (State.DONE, None, None, "no"),
        (State.PENDING, None, "unsent", "yes"),
        (State.REFUSED, "no-order", "unsent", "yes"),
        (State.REFUSED, "20429", "busy", "yes"),
        (State.STALE, "changed", "stale", "yes"),
        (State.REFUSED, "22110", "refused-number", "no"),
        (State.REFUSED, "22104", "refused-field", "no"),
        (State.REFUSED, "status-409", "refused-field", "no"),
        (State.CONFLICT, "not-ours", "conflict", "no"),
        (State.REVIEW, "not-there", "review", "no"),
        (State.CALL_UNKNOWN, "call-unknown", "unknown", "no"),
        (State.IN_DOUBT, "read-timeout", "in-doubt", "no"),
    ],
)
def test_every_ending_has_its_class(
    state: State, code: str | None, expected: str | None, again: str
) -> None:
    """The class says what a retry means, and only what may go out as it is, is retryable."""
    ending = Ending(0, state, code=code)
    assert error_class(ending) == expected
    plan = plan_of([PlanRow(2, {}, Verdict.PLANNED)], [step_of(2)])
    assert class_rows(plan, [ending]) == ({expected: [2]} if expected else {})
    found = sort_rows(plan, [ending])
    (row,) = [*found.success, *found.error, *found.unprocessed]
    assert row["hn_retryable"] == again
    assert expected is None or expected in ERROR_CLASSES
