"""A plan names its rows as a person finds them: by file, sheet and row where several lists are one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from test_review import HEADER, create, plan_of, update, vars_of

import hnbulk as hn
from hnbulk.places import STEP
from hnbulk.planfile import PlanHeader, PlanRow
from hnbulk.review import WIDTH, Plan
from hnbulk.rowplaces import PLACE, RowPlaces
from hnbulk.runs import find_drift
from hnbulk.steps import Verdict

FAR = 2 * STEP + 3  # row 3 of the third table


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Two lists: an update and a create in the first, an update and two obstacles in the second."""
    header = PlanHeader(**{**vars_of(HEADER), "columns": ("Phone", PLACE)})
    steps = (update(2), create(5), replace(update(FAR), phone_number="+15017120009"))
    rows = [
        PlanRow(2, {PLACE: "a.csv, row 2"}, Verdict.PLANNED),
        PlanRow(5, {PLACE: "a.csv, row 5"}, Verdict.PLANNED),
        PlanRow(FAR, {PLACE: "b, c.xlsx, sheet 'W', row 3"}, Verdict.PLANNED),
        PlanRow(FAR + 1, {PLACE: "b, c.xlsx, sheet 'W', row 4"}, Verdict.BLOCKED, "22110", "refused"),
        PlanRow(FAR + 2, {PLACE: "b, c.xlsx, sheet 'W', row 5"}, Verdict.BLOCKED, "22110", "refused"),
    ]
    return plan_of(*steps, rows=rows, header=header)


def test_a_row_of_several_lists_is_named_by_its_place(plan: Plan) -> None:
    """Alone, in a column, and with others of its table."""
    places = RowPlaces.of(plan.file)
    assert places.one(FAR) == "b, c.xlsx, sheet 'W', row 3"
    assert (places.table(FAR), places.number(FAR)) == ("b, c.xlsx, sheet 'W'", "3")
    assert places.several((2, 5, FAR)) == "a.csv, rows 2, 5; b, c.xlsx, sheet 'W', row 3"
    assert places.several((2, 5, FAR), most=1, name=str.upper) == "A.CSV, row 2 and 2 more"


def test_a_row_of_one_list_is_named_by_its_number() -> None:
    """As a spreadsheet shows it; a step without a row has a dash."""
    places = RowPlaces.of(plan_of(update(2)).file)
    assert (places.one(1200), places.short(2), places.short(None)) == ("row 1200", "2", "–")
    assert places.several(range(2, 10)) == "rows 2, 3, 4, 5, 6, 7 and 2 more"


def test_no_face_of_a_plan_tells_a_number_that_nobody_sees(plan: Plan) -> None:
    """Text, card and Markdown name file and sheet, whole or not."""
    faces = [
        str(plan), plan.text(whole=True), plan.card(), plan.card(whole=True),
        plan.markdown(), plan.markdown(whole=True), str(plan.only("blocked")),
    ]  # fmt: skip
    for face in faces:
        assert str(FAR) not in face
        assert str(FAR + 1) not in face
        assert "c.xlsx" in face
    assert "  b, c.xlsx, sheet 'W'\n    row 3   +1" in str(plan)
    assert "Blocked: 22110 (b, c.xlsx, sheet 'W', rows 4, 5)" in str(plan)
    assert "**Blocked** `22110` (`b, c.xlsx, sheet 'W'`, rows 4, 5): refused" in plan.markdown()
    assert max(map(len, str(plan).splitlines())) <= WIDTH


def test_a_file_name_makes_no_markup() -> None:
    """A list may be called anything: no element, link or cell of a table comes of it."""
    name = "a|b](http://evil.example)<img src=x>`"
    header = PlanHeader(**{**vars_of(HEADER), "columns": (PLACE,)})
    rows = [
        PlanRow(2, {PLACE: f"{name}, row 2"}, Verdict.PLANNED),
        PlanRow(3, {PLACE: f"{name}, row 3"}, Verdict.BLOCKED, "22110", "no"),
    ]
    plan = plan_of(update(2), rows=rows, header=header)
    assert "<img" not in plan.card()
    html = MarkdownIt("commonmark").enable("table").render(plan.markdown())
    assert "<img" not in html
    assert "<a " not in html
    assert html.count("<td>") == 5 + 2 * 3


def test_the_rows_of_two_real_lists(account: hn.Account, tmp_path: Path) -> None:
    """Repeats across lists are one reason, and drift names the place too."""
    (tmp_path / "a.csv").write_bytes(b"Phone\n4155550100\n4155550101\n4155550103\n")
    (tmp_path / "b.csv").write_bytes(b"Tel\n4155550100\n4155550101\n4155550102\n")
    intake = hn.read_targets([tmp_path / "a.csv", tmp_path / "b.csv"])
    plan = account.plan(intake, set_aside=True)
    assert "Set-aside: duplicate-row (b.csv, rows 2, 3)" in str(plan)
    assert str(STEP) not in str(plan).replace(",", "")
    other = account.plan(pd.DataFrame({"phone_number": ["+14155550102"], "unique_name": ["theirs"]}))
    account.apply(other, approve=other.checksum[:8]).wait(timeout=60)
    assert "! b.csv, row 4 order HR" in str(find_drift(account.connection, plan.file))
