"""Plan files: what was approved is what is read, byte for byte, and nothing else is accepted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.errors import PlanAltered, UsageError
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow, load_plan, loads_plan
from hnbulk.steps import Action, Step, Verdict, canonical

HEADER = PlanHeader(
    dialect="preview",
    base_url="http://127.0.0.1:1",
    account_sid="AC" + "0" * 32,
    input_hash="0" * 64,
    input_name="branches.csv",
    columns=("Phone",),
    made_at="2026-01-05T15:00:00+00:00",
    read_at="2026-01-05T15:00:00+00:00",
)
STEP = Step(
    2, Action.CREATE, "+15017122661", after={"friendly_name": "Empfang Süd", "cc_emails": ["a@b.c"]}
)
ROW = PlanRow(2, {"Phone": "501-712-2661"}, Verdict.PLANNED)
PLAN = PlanFile(HEADER, (STEP,), (ROW, PlanRow(3, {"Phone": ""}, Verdict.SET_ASIDE, code="blank")))

texts = st.text(max_size=8)
values = st.none() | texts | st.integers() | st.lists(texts, max_size=3)
steps = st.builds(
    Step,
    row=st.none() | st.integers(1, 99),
    action=st.sampled_from(Action),
    phone_number=texts,
    sid=st.none() | texts,
    before=st.dictionaries(texts, values, max_size=3),
    after=st.dictionaries(texts, values, max_size=3),
    precondition=st.dictionaries(texts, values, max_size=3),
    risk=st.none() | texts,
    group=st.none() | texts,
)
rows = st.builds(
    PlanRow,
    row=st.integers(1, 99),
    cells=st.dictionaries(texts, texts, max_size=3),
    verdict=st.sampled_from(Verdict),
    code=st.none() | texts,
    note=st.none() | texts,
)


@given(st.lists(steps, max_size=4), st.lists(rows, max_size=4))
def test_a_plan_reads_back_as_it_was(some_steps: list[Step], some_rows: list[PlanRow]) -> None:
    """Any text of any field, line separators and quotes included, survives the file."""
    plan = PlanFile(HEADER, tuple(some_steps), tuple(some_rows))
    assert loads_plan(plan.dumps(), name="plan") == plan


@given(st.lists(steps, max_size=4), st.lists(rows, max_size=4))
def test_a_plan_that_was_read_is_written_as_it_stands(
    some_steps: list[Step], some_rows: list[PlanRow]
) -> None:
    """Byte for byte, with the checksum it came with."""
    plan = PlanFile(HEADER, tuple(some_steps), tuple(some_rows))
    read = loads_plan(plan.dumps(), name="plan")
    assert read.dumps() == plan.dumps()
    assert (read.checksum, read.counts) == (plan.checksum, plan.counts)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30, 0.1, 1e16])
def test_numbers_of_any_size_are_read_exactly(number: float) -> None:
    """Also those that are more than 64 bits."""
    plan = PlanFile(HEADER, (dataclasses.replace(STEP, after={"a": number, "b": [number]}),), ())
    (step,) = loads_plan(plan.dumps(), name="plan").steps
    assert step.after == {"a": number, "b": [number]}
    assert type(step.after["a"]) is type(number)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"verdict":"set-aside"', b'"verdict":"perhaps"'),
        (b'"note":null,', b""),
        (b'"kind":"row"', b'"kind":"row" "'),
        (b'"cells":{"Phone":""}', b'"cells":{"Phone":"\xff"}'),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_when_the_plan_is_read(old: bytes, new: bytes) -> None:
    """Not later, when somebody asks for the row; the checksum does not cover it."""
    content = PLAN.dumps()
    assert old in content
    with pytest.raises(PlanAltered, match="not a whole plan file"):
        loads_plan(content.replace(old, new), name="plan")


@pytest.mark.parametrize("value", [b"[]", b'"ab"', b"1"])
def test_a_step_whose_fields_are_none_is_refused_even_with_the_right_checksum(value: bytes) -> None:
    """Whoever edits a plan and corrects its checksum does not get a traceback."""
    lines = PLAN.dumps().split(b"\n")
    lines[1] = lines[1].replace(b'"before":{}', b'"before":' + value)
    covered = canonical([HEADER.format, HEADER.dialect, HEADER.account_sid, HEADER.input_hash])
    checksum = hashlib.sha256(covered.encode() + b"\n" + lines[1]).hexdigest()
    lines[0] = lines[0].replace(PLAN.checksum.encode(), checksum.encode())
    with pytest.raises(PlanAltered, match="not a whole plan file"):
        loads_plan(b"\n".join(lines), name="plan")


def test_a_step_written_in_another_way_is_another_plan() -> None:
    """The checksum is of the bytes that were approved, not of what they may mean."""
    content = PLAN.dumps().replace(b'"action":"create","after"', b'"action": "create","after"')
    with pytest.raises(PlanAltered, match="was altered"):
        loads_plan(content, name="plan")


def test_a_saved_plan_is_private_and_loads(tmp_path: Path) -> None:
    """The file is its owner's alone and loads to the same checksum."""
    path = tmp_path / "branches.plan"
    PLAN.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_plan(path).checksum == PLAN.checksum


def test_a_missing_plan_is_a_usage_error(tmp_path: Path) -> None:
    """A wrong path is named with its reason."""
    with pytest.raises(UsageError, match="No such file"):
        load_plan(tmp_path / "none.plan")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Empfang", b"Eingang"),
        (b"+15017122661", b"+15017122662"),
        (b'"action":"create"', b'"action":"cancel"'),
        (b'"account_sid":"AC0', b'"account_sid":"AC1'),
        (b'"action":"create"', b'"action":"explode"'),
        (b'"row":2', b'"wor":2'),
    ],
)
def test_an_edited_plan_is_refused(old: bytes, new: bytes) -> None:
    """A change to what would be sent, to whom, or by whom is seen."""
    content = PLAN.dumps()
    assert old in content
    with pytest.raises(PlanAltered):
        loads_plan(content.replace(old, new), name="plan")


def test_a_plan_cut_at_any_byte_is_refused() -> None:
    """No beginning of a plan file passes for a plan."""
    content = PLAN.dumps()
    for length in range(len(content) - 1):
        with pytest.raises(PlanAltered):
            loads_plan(content[:length], name="plan")


@pytest.mark.parametrize("content", [b"\n", b"[]", b"{}", b"null\n", b"\xff\xfe", b"a,b\n1,2\n"])
def test_another_file_is_a_wrong_call(content: bytes) -> None:
    """What never was a plan is exit 2, in one line that shows nothing of its content."""
    with pytest.raises(UsageError, match="is not a plan file; make one with `hnbulk plan`") as caught:
        loads_plan(content, name="plan")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [b"", b'{"kind": "header"}\n', b'{"account_sid":1'])
def test_a_plan_that_is_not_whole_is_refused_without_a_traceback(content: bytes) -> None:
    """What begins as a plan and is none any more is refused in one line."""
    with pytest.raises(PlanAltered, match="not a whole plan file") as caught:
        loads_plan(content, name="plan")
    assert caught.value.__cause__ is None


def test_a_plan_of_another_format_says_so() -> None:
    """A plan of a later version names its format and the remedy."""
    content = PLAN.dumps().replace(b'"format":1', b'"format":99')
    with pytest.raises(PlanAltered, match="format 99"):
        loads_plan(content, name="plan")


@pytest.mark.parametrize("field", ["base_url", "snapshot_id", "made_at", "read_at", "input_name"])
def test_the_checksum_leaves_out_place_and_time(field: str) -> None:
    """The same input against the same state has the same checksum, wherever and whenever read."""
    moved = dataclasses.replace(PLAN, header=dataclasses.replace(HEADER, **{field: "other"}))
    assert moved.checksum == PLAN.checksum


@pytest.mark.parametrize("field", ["dialect", "account_sid", "input_hash"])
def test_the_checksum_covers_account_dialect_and_input(field: str) -> None:
    """A plan for another account, dialect or file is another plan."""
    moved = dataclasses.replace(PLAN, header=dataclasses.replace(HEADER, **{field: "other"}))
    assert moved.checksum != PLAN.checksum


def test_counts_name_actions_and_the_other_verdicts() -> None:
    """A planned row is counted by its steps, every other row by its verdict."""
    assert PLAN.counts == {"create": 1, "set-aside": 1}


def test_reprs_name_no_number_and_no_person() -> None:
    """A traceback or a log line that shows a plan, step or row shows nobody's data."""
    shown = f"{PLAN!r} {STEP!r} {ROW!r} {json.dumps(PLAN.counts)}"
    assert "2661" not in shown
    assert "Empfang" not in shown
