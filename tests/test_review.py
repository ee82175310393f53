"""How a plan shows itself: complete, escaped, readable, with the exact way to apply it."""

from __future__ import annotations

import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hnbulk.errors import UsageError
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.plannote import said
from hnbulk.review import MOST, WIDTH, Plan
from hnbulk.settings import Pace
from hnbulk.steps import Action, Step, Verdict, sort_steps

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
PAYLOADS = (
    "<script>x()</script>",
    '"><img src=x onerror=x()>',
    "</style><svg onload=x()>",
    "javascript:x()",
    "<a href=//evil.example>",
    "&lt;b&gt;",
    "a\x1b[31mb\u202ec",
)


def vars_of(header: PlanHeader) -> dict[str, Any]:
    """The fields of a header."""
    return {name: getattr(header, name) for name in header.__dataclass_fields__}


def create(row: int, **after: Any) -> Step:
    """A create of the row-th number."""
    return Step(row, Action.CREATE, f"+1501712{row:04d}", after=after)


def update(row: int, before: Any = "old", after: Any = "new") -> Step:
    """An update of one field."""
    return Step(
        row,
        Action.UPDATE,
        f"+1501712{row:04d}",
        sid=f"HR{row}",
        before={"friendly_name": before},
        after={"friendly_name": after},
    )


def plan_of(*steps: Step, rows: list[PlanRow] | None = None, header: PlanHeader = HEADER) -> Plan:
    """A plan of these steps; planned rows come of themselves."""
    own = [PlanRow(step.row, {}, Verdict.PLANNED) for step in steps if step.row is not None]
    return Plan(PlanFile(header, sort_steps(steps), tuple(rows if rows is not None else own)))


class Tags(HTMLParser):
    """The elements and attributes a browser would make of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_text_begins_with_the_summary_and_ends_with_the_command() -> None:
    """Counts and what is shared first; the exact words to apply it last."""
    plan = plan_of(*(create(row, sms_url="https://a.example/sms") for row in range(2, 7)))
    text = str(plan)
    assert "5 × create     same SMS URL" in text
    assert text.endswith(f"hnbulk apply PLAN --approve {plan.checksum[:8]}")
    assert f'account.apply(plan, approve="{plan.checksum[:8]}")' in text


def test_the_summary_says_what_creates_do_not_share() -> None:
    """Two addresses and a missing one are seen without reading every row."""
    plan = plan_of(create(2, sms_url="https://a"), create(3, sms_url="https://b"), create(4))
    (line,) = plan.lines
    assert line.what == "2 SMS URLs (1 without)"


def test_updates_show_field_before_and_after() -> None:
    """A step of two fields names its row and number once; a blank before is a dash."""
    step = Step(
        2,
        Action.UPDATE,
        "+15017122661",
        sid="HR1",
        before={"email": None, "cc_emails": ["a@b.c"]},
        after={"email": "n@b.c", "cc_emails": ["a@b.c", "d@b.c"]},
    )
    lines = [line for line in str(plan_of(step)).split("\n") if "→" in line]
    assert lines == [
        "  row 2     +15017122661  email             – → n@b.c",
        "                          cc_emails         a@b.c → a@b.c, d@b.c",
    ]


def test_only_the_first_updates_are_listed() -> None:
    """The rest is counted, in text and page."""
    plan = plan_of(*(update(row) for row in range(2, MOST + 7)))
    assert str(plan).count("→") == MOST
    for shown in (str(plan), plan._repr_html_()):
        assert "… and 5 more" in shown


def test_the_text_fits_its_width_except_for_the_command() -> None:
    """Long values, notes and risks are cut or wrapped."""
    note = "the way out " * 30
    rows = [PlanRow(2, {}, Verdict.PLANNED), PlanRow(3, {}, Verdict.BLOCKED, "address-differs", note)]
    long = Step(
        2, Action.UPDATE, "+15017122661", "HR1", {"email": "o" * 300}, {"email": "n" * 300}, risk=note
    )
    lines = str(plan_of(long, rows=rows)).split("\n")
    assert max(map(len, lines)) <= WIDTH
    assert sum("way out" in line for line in lines) > 4


def test_long_values_are_shown_where_they_differ() -> None:
    """What is added to the end of a long name is seen; with `whole` nothing is cut."""
    name = "Larch & Lantern Calgary - Côte-des-Érables, second floor 1727"
    plan = plan_of(update(2, before=name, after=f"{name} (new)"))
    assert "… second floor 1727 → … second floor 1727 (new)" in str(plan)
    assert f"{name} → {name} (new)" in plan.text(whole=True)


def test_creates_are_listed_by_what_tells_them_apart() -> None:
    """The first of them in one line each; what all share, sids and our own name are left out."""
    shared = {"sms_url": "https://a.example", "address_sid": "AD1", "unique_name": "hn1-a"}
    names = [
        create(row, friendly_name=f"n{row}", email=f"e{row}@a.example", **shared) for row in range(2, 20)
    ]
    odd = Step(30, Action.CREATE, "+15017120030", after={**shared, "friendly_name": "odd"}, risk="high: b")
    lines = str(plan_of(*names, odd)).splitlines()
    first = lines.index("Creates") + 1
    assert lines[first] == "! row 30    +15017120030  odd; b"
    assert lines[first + 1] == "  row 2     +15017120002  n2; email e2@a.example"
    assert lines[first + MOST] == f"  … and {19 - MOST} more (hnbulk show --all)"


def test_rows_without_a_step_are_grouped_with_their_reason() -> None:
    """One line a reason with its rows; rows that need nothing are only counted."""
    blocked = [PlanRow(row, {}, Verdict.BLOCKED, "22110", "refused before") for row in range(2, 12)]
    calm = [PlanRow(row, {}, Verdict.NOTHING) for row in range(20, 30)]
    plan = plan_of(rows=[*blocked, PlanRow(12, {}, Verdict.SET_ASIDE, "duplicate-row"), *calm])
    text = str(plan)
    assert "Blocked: 22110 (rows 2, 3, 4, 5, 6, 7 and 4 more)" in text
    assert "10 × nothing" in text
    assert "1 × set-aside  duplicate-row 1" in text
    assert "row 20" not in text
    assert "Nothing to do" in text
    assert "refused before" in plan._repr_html_()


def test_risks_are_warned_of_with_a_word() -> None:
    """Not by colour alone."""
    step = Step(2, Action.CANCEL, "+15017122661", sid="HR1", risk="high: deleted")
    plan = plan_of(step)
    assert "Warning: cancel of row 2: high: deleted" in str(plan)
    assert "<b>Warning</b> cancel of row 2: high: deleted" in plan._repr_html_()
    assert "deleted" in plan.changes["after"].tolist()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_of_anybody_becomes_markup_or_a_control_sign(payload: str) -> None:
    """The page has the elements of a harmless one, whatever fields, codes and names hold."""
    named = {"input_name": payload, "base_url": payload, "account_sid": payload}
    header = PlanHeader(**{**vars_of(HEADER), **named})
    steps = [
        Step(2, Action.UPDATE, payload, payload, {payload: payload}, {payload: payload}, risk=payload),
        Step(3, Action.CREATE, payload, after={payload: [payload]}, risk=payload),
        Step(4, Action.AUTHORIZE, payload, sid=payload, after={payload: payload}, group=payload),
    ]
    rows = [PlanRow(5, {payload: payload}, Verdict.BLOCKED, payload, payload, payload, payload)]
    shown = plan_of(*steps, rows=rows, header=header)
    harmless = plan_of(
        update(2), create(3, a=["b"]), Step(4, Action.AUTHORIZE, "+1", group="g"), rows=rows[:0]
    )
    tags, known = Tags(shown._repr_html_()), Tags(harmless._repr_html_())
    assert tags.found <= known.found | {"h4"}
    assert tags.attributes <= {"class"}
    for text in (shown._repr_html_(), str(shown)):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    """No script, no address, no outside picture or font; its colours follow the page's theme."""
    page = plan_of(update(2), create(3))._repr_html_()
    assert not {"script", "link", "img", "iframe"} & Tags(page).found
    assert "url(" not in page
    assert "@import" not in page
    assert "color:inherit;background:transparent" in page


def test_a_letter_is_one_change_and_any_other_step_one_each() -> None:
    """Requests are counted as they will be sent; without a ceiling they take no time of their own."""
    letter = {"email": "a@b.c"}
    steps = [Step(n, Action.AUTHORIZE, f"+{n}", after=letter, group=f"letter-{n % 2}") for n in range(10)]
    plan = plan_of(*steps)
    assert plan.writes == 2
    both = plan_of(create(2), update(3))
    # the time, what moved, each order before it is changed, the two changes, and the create's number again
    assert (both.writes, both.requests) == (2, 1 + 2 + 2 + 2 + 1)
    assert both.duration(0.5) == 16.0
    assert plan.duration(None) == 0.0
    assert "10 × authorize  2 letters, mailed at once" in str(plan)


def test_a_plan_of_calls_says_how_many_calls_must_be_named() -> None:
    """The command has the count, the summary the waves and when the first phone may ring."""
    calls = [
        Step(
            n,
            Action.VERIFY,
            f"+1501712000{n}",
            sid=f"HR{n}",
            after={"status": "pending-verification"},
            precondition={
                "wave": n,
                "not_before": f"2026-01-05T1{n}:00:00+00:00",
                "not_after": "2026-01-05T23:00:00+00:00",
            },
        )
        for n in (1, 2)
    ]
    plan = plan_of(*calls)
    assert plan.command.endswith("--place-calls 2")
    assert plan.call.endswith("place_calls=2)")
    text = str(plan)
    assert "2 waves, from 2026-01-05 11:00 UTC to 2026-01-05 12:00 UTC" in text
    assert "wave 1    +15017120001  between 2026-01-05 11:00 UTC and 2026-01-05 23:00 UTC" in text


def test_the_time_of_a_run_is_told_at_the_pace_of_its_account() -> None:
    """Requests by the rate; what a lost reply adds is said apart. Without a ceiling nothing is claimed."""
    creates = [create(row) for row in range(2, 1914)]
    service = PlanHeader(**{**vars_of(HEADER), "base_url": "https://preview.twilio.com"})
    plan = plan_of(*creates, header=service)
    told = "about 13 min at 5/s; up to 2 min more where a reply is lost"
    assert all(told in shown for shown in (plan.text(), plan.card()))
    assert f"{told}." in plan.markdown()
    document = plan.as_json()
    assert 2 * 1912 < document["requests"] < 2.02 * 1912  # each number is looked at just before
    assert (document["seconds"], document["rate"]) == (document["requests"] / 5, 5.0)
    slow = Plan(plan.file, pace=Pace(rate=1.0, connections=1, settle=0.0))
    assert "about 1 h 6 min at 1/s\n" in slow.text()
    assert "about" not in plan_of(*creates).text()
    assert plan_of(*creates).as_json()["seconds"] is None


def test_a_grave_risk_is_red_and_listed_first() -> None:
    """The row that sends messages elsewhere is seen among a thousand, by a mark and by a word."""
    creates = [create(row, sms_url="https://a.example") for row in range(2, 1002)]
    odd = Step(1002, Action.CREATE, "+15017121002", after={"sms_url": "https://b.example"}, risk="high: b")
    plan = plan_of(*creates, odd, Step(1003, Action.UPDATE, "+1", "HR1", risk="a word"))
    assert [one["grave"] for one in plan.as_json()["warnings"]] == [True, False]
    text = plan.text(whole=True)
    assert text.count("\n! row 1002") == 1
    assert text.index("row 1002") < text.index("row 2 ")
    page = plan.card()
    assert page.count('<tr class="hn-grave">') == 1
    assert '<p class="hn-note hn-bad"><b>Warning</b> create of row 1002' in page
    assert page.index(">1002<") < page.index(">2<")
    note = plan.markdown()
    assert "- 🟥 **Warning:** create of row 1002: high: b" in note
    assert "| 🟥`1002` | `+15017121002` | `b` |" in note
    line = "| 🟥`1002` | `+15017121002` | `sms_url` | – | `set to https://b.example` |"
    assert line in plan.markdown(whole=True)
    assert line in plan.only("create").markdown()


def test_a_plan_can_be_narrowed_to_an_action_or_a_verdict() -> None:
    """Only those are shown, in every form; what is approved is still the whole plan."""
    rows = [PlanRow(2, {}, Verdict.PLANNED), PlanRow(4, {}, Verdict.BLOCKED, "22110", "no")]
    plan = plan_of(create(2, email="a@b.c"), update(3), rows=rows)
    creates, blocked = plan.only("create"), plan.only("blocked")
    assert creates.changes["action"].unique().tolist() == ["create"]
    assert [line.action for line in creates.lines] == ["create"]
    assert [line.action for line in blocked.lines] == ["blocked"]
    for shown in (creates.text(), creates.card(), creates.markdown()):
        assert "Creates" in shown
        assert "Updates" not in shown
        assert "22110" not in shown
    assert "22110" in blocked.text()
    assert [step["action"] for step in creates.as_json(whole=True)["steps"]] == ["create"]
    whole = (plan.checksum, plan.command, plan.writes, plan.file)
    assert (creates.checksum, creates.command, creates.writes, creates.file) == whole
    assert plan.only("creates").text() == creates.text()
    for wrong in (("creations",), ()):
        with pytest.raises(UsageError, match="can show only: create, update, "):
            plan.only(*wrong)


def test_markdown_has_the_parts_of_the_plan() -> None:
    """Sums, a table field by field, rows without a step, and the way to apply it."""
    rows = [PlanRow(2, {}, Verdict.PLANNED), PlanRow(4, {}, Verdict.BLOCKED, "address-differs", "leave it")]
    plan = plan_of(update(2), rows=rows)
    assert (
        plan.markdown()
        == f"""### Plan `{plan.checksum[:8]}` of `branches.csv`

For `AC00000000000000000000000000000000` at `http://127.0.0.1:1` (`preview`); 2 rows, 1 change, up to 4 \
requests, read 2026-01-05 15:00 UTC.

| count | action | what |
| --- | --- | --- |
| 1 | update | `friendly_name` 1 |
| 1 | blocked | address-differs 1 |

#### Updates

| row | number | field | before | after |
| --- | --- | --- | --- | --- |
| `2` | `+15017120002` | `friendly_name` | `old` | `new` |

#### Rows without a step

- **Blocked** `address-differs` (row 4): leave it

Nothing has been sent. To apply exactly this:

- `hnbulk apply PLAN --approve {plan.checksum[:8]}`

Checksum `{plan.checksum}`
"""
    )
    assert "Nothing to do" in plan_of().markdown()


def test_frames_hold_the_summary_and_every_change() -> None:
    """Typed columns, also where the plan is empty; write-only fields show as set."""
    plan = plan_of(create(2, sms_url="https://a"), update(3, before=["x"], after=None))
    assert plan.summary["count"].tolist() == [1, 1]
    assert plan.changes["after"].tolist() == ["set to https://a", "–"]
    empty = plan_of()
    assert list(empty.changes.columns) == list(plan.changes.columns)
    assert (empty.changes.dtypes == plan.changes.dtypes).all()
    assert (empty.summary.dtypes == plan.summary.dtypes).all()


def test_a_saved_plan_names_its_own_file_in_the_command(tmp_path: Path) -> None:
    """What is saved loads to the same checksum, is private, and a blank in its path is quoted."""
    plan = plan_of(update(2))
    path = plan.save(tmp_path / "my branches.plan")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = Plan.load(str(path))
    assert loaded.checksum == plan.checksum
    assert f"hnbulk apply '{path}' --approve" in str(loaded)


def test_the_json_of_a_plan_has_its_sums_and_reasons() -> None:
    """What a program needs to decide; the steps are in the plan file."""
    rows = [PlanRow(2, {}, Verdict.PLANNED), PlanRow(3, {}, Verdict.BLOCKED, "22110", "no")]
    document = plan_of(update(2), rows=rows).as_json()
    assert document["counts"] == {"update": 1, "blocked": 1}
    assert document["obstacles"] == [{"verdict": "blocked", "code": "22110", "note": "no", "rows": (3,)}]
    assert (document["changes"], document["requests"]) == (1, 4)


def test_one_reason_is_told_once_for_all_its_rows() -> None:
    """Rows that contradict each other in pairs are one obstacle, not one a pair."""
    rows = [
        PlanRow(row, {}, Verdict.CONFLICT, "conflicting-rows", f"they differ (rows {row}, {row + 1})")
        for row in range(2, 12)
    ]
    (told,) = plan_of(rows=rows).as_json()["obstacles"]
    assert (told["note"], len(told["rows"])) == ("they differ", 10)


def test_a_card_can_leave_out_how_it_is_applied() -> None:
    """Where a button applies the plan, no command is told; the checksum stays."""
    plan = plan_of(create(2))
    assert "hnbulk apply" not in plan.card()
    assert plan.checksum in plan.card()


def test_a_repr_names_no_number() -> None:
    """A traceback that shows a plan shows counts."""
    assert "+1501" not in repr(plan_of(update(2)))


def test_what_a_plan_does_not_have_is_said_so() -> None:
    """Where only that is asked for: in no face is there silence."""
    made = plan_of(create(2)).only("blocked", "cancel")
    assert [(line.action, line.count) for line in made.lines] == [("cancel", 0), ("blocked", 0)]
    for face in (made.text(), made.markdown(), made.card()):
        assert "none in this plan" in face


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("differ in 'Verification type', 'E-Mail'", "differ in `'Verification type'`, `'E-Mail'`"),
        ("of one number (us.csv, row 2)", "of one number (`us.csv`, row 2)"),
        ("it's 'a' or (b) 'c d')", "it's `'a'` or (b) `'c d'`)"),
        ("('x y') and [x](y) @me", "`('x y')` and `[x](y)` `@me`"),
    ],
)
def test_a_quoted_name_stands_in_markdown_as_one(text: str, shown: str) -> None:
    """Whatever blanks are in it; brackets of the sentence are outside of it."""
    assert said(text) == shown
