"""Hostile text in every column of a list stays text: on every HTML face, in Markdown, in result files."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from payloads import FORMULAS, MARKDOWN, SCRIPTS
from test_report import ATTRIBUTES, ELEMENTS

from hnbulk.frames import TARGET_COLUMNS, empty_orders, events_frame, orders_from
from hnbulk.funnel import build_funnel
from hnbulk.intake import Intake, read_bytes
from hnbulk.models import Order
from hnbulk.plaintext import single_line
from hnbulk.plan import build_plan
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.report import build_report
from hnbulk.results import sort_rows
from hnbulk.review import Plan
from hnbulk.steps import Action, Ending, State, Step, Verdict

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
COLUMNS = tuple(name for name in TARGET_COLUMNS if name != "row")
#: Elements and classes of the cards themselves.
CARD = set("div style p b small h4 table thead tbody tr th td details summary code del ins span".split())
TONES = ("good", "info", "warn", "bad", "calm")
CLASSES = {*(f"hn-{name}" for name in ("plan", "intake", "tiles", "n", "p", "t", "w", "grave", "note"))}
CLASSES |= {f"hn-{name} hn-{tone}" for name in ("tile", "note") for tone in TONES}
GOOD = "North"


class Page(HTMLParser):
    """What a browser would find: elements, attributes with their values, comments, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.values: set[str] = set()
        self.strange: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values |= {value or "" for _, value in attrs}

    def handle_comment(self, data: str) -> None:
        self.strange.append(data)

    def handle_decl(self, decl: str) -> None:
        self.strange.append(decl)

    def handle_pi(self, data: str) -> None:
        self.strange.append(data)

    def unknown_decl(self, data: str) -> None:
        self.strange.append(data)

    def handle_data(self, data: str) -> None:
        self.text += data


def list_with(text: str) -> Intake:
    """A list with the text in each column once, in a column of nobody's, in its name and its header.

    NUL signs are left out: no list with one is read. Its header is one line.
    """
    text = text.replace("\x00", "")
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([*COLUMNS, f"note {' '.join(text.split())}"])
    for row, hostile in enumerate([*COLUMNS, "note", ""]):
        cells = {"phone_number": f"+1415555{row:04d}", "friendly_name": GOOD, hostile: text}
        writer.writerow([cells.get(name, "") for name in (*COLUMNS, "note")])
    return read_bytes(file.getvalue().encode(), name=f"{text}.csv")


def plan_of(intake: Intake, text: str) -> Plan:
    """The plan of the list against an account whose orders hold the text too."""
    known = {"account_sid": "AC" + "0" * 32, "status": "received", "date_created": NOW}
    there = [
        Order.model_validate(
            {"sid": f"HR{n:032x}", "phone_number": f"+1415555{n:04d}", "friendly_name": text, **known}
        )
        for n in (0, 1, len(COLUMNS) + 1)
    ]
    file = build_plan(
        intake.targets,
        orders_from(there) if text else empty_orders(),
        header=PlanHeader(
            dialect="preview",
            base_url="https://preview.twilio.com",
            account_sid="AC" + "0" * 32,
            input_hash=intake.input_hash,
            input_name=intake.name,
            columns=intake.columns,
            made_at=NOW.isoformat(),
            read_at=NOW.isoformat(),
        ),
        rows=intake.rows,
        set_aside=intake.set_aside_notes,
    )
    return Plan(file)


def whole_of(text: str) -> Plan:
    """A plan that holds the text wherever a plan file can, as one that somebody else has written."""
    header = PlanHeader(text, text, text, "0" * 64, text, (text,), NOW.isoformat(), text)
    steps = [
        Step(2, Action.CREATE, text, after={"sms_url": text, text: [text, text]}, risk=f"high: {text}"),
        Step(3, Action.UPDATE, text, text, {text: text}, {text: text}, risk=text),
        Step(4, Action.CANCEL, text, text, {"status": text}, precondition={"status": text}, risk=text),
        Step(5, Action.AUTHORIZE, text, text, after={text: text}, risk=text, group=text),
    ]
    rows = [PlanRow(n, {text: text}, verdict, text, text, text, text) for n, verdict in enumerate(Verdict)]
    return Plan(PlanFile(header, tuple(steps), tuple(rows)), path=Path(text or "x"))


def calls_of(text: str) -> Plan:
    """A plan of a call that holds the text."""
    header = PlanHeader("preview", text, text, "0" * 64, text, (text,), NOW.isoformat(), text)
    when = {"wave": 1, "not_before": text, "not_after": text}
    return Plan(PlanFile(header, (Step(2, Action.VERIFY, text, text, precondition=when, risk=text),), ()))


@pytest.mark.parametrize("text", SCRIPTS)
def test_no_script_of_a_list_or_an_order_becomes_an_element(text: str) -> None:
    """In every column, header, name and order: the faces have their own elements and attributes only."""
    intake = list_with(text)
    plan = plan_of(intake, text)
    assert any(step.before.get("friendly_name") == text for step in plan.file.steps)
    cards = (intake._repr_html_(), plan.card(whole=True, how=[text]), whole_of(text).card(whole=True))
    for face in (*cards, calls_of(text).card(whole=True)):
        page = Page(face)
        assert page.elements <= CARD
        assert page.attributes <= {"class"}
        assert page.values <= CLASSES
        assert page.strange == []
        assert "\x1b" not in page.text
        assert "\u202e" not in page.text
    assert single_line(text) in Page(plan.card(whole=True)).text


def test_no_script_becomes_an_element_of_the_report() -> None:
    """Problems, sums, plan and notes of hostile lists, and a funnel of hostile events."""
    intakes = [list_with(text) for text in SCRIPTS]
    told = {"seen_at": NOW, "source": "poll"}
    events = [{"order_sid": text, "phone_number": text, "status": text, **told} for text in SCRIPTS]
    funnel = build_funnel(events_frame(events), now=NOW)
    shown = build_report(
        funnel=funnel,
        title=SCRIPTS[4],
        made_at=NOW,
        account_label=SCRIPTS[0],
        plan_summary=pd.concat([whole_of(text).summary for text in SCRIPTS]),
        problems=pd.concat([intake.problems for intake in intakes]),
        results_counts=dict.fromkeys(SCRIPTS, 1),
        calls=pd.DataFrame({"attempt": SCRIPTS, **dict.fromkeys(SCRIPTS, SCRIPTS)}),
        notes=SCRIPTS,
    )
    page = Page(shown)
    assert page.elements <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    assert page.strange == ["doctype html"]
    assert shown.count("<style>") == 1
    part = Page(funnel._repr_html_())
    assert part.elements <= CARD | {"caption", "i"}
    assert part.attributes <= {"class", "style"}


def _parsed(text: str) -> Iterator[str]:
    """The kind of every token that a Markdown reader makes of the text."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in reader.parse(text):
        yield token.type
        yield from (child.type for child in token.children or ())


KINDS = set(
    "heading_open heading_close paragraph_open paragraph_close inline text code_inline softbreak "
    "strong_open strong_close bullet_list_open bullet_list_close list_item_open list_item_close "
    "table_open table_close thead_open thead_close tbody_open tbody_close tr_open tr_close "
    "th_open th_close td_open td_close".split()
)


@pytest.mark.parametrize("text", [*MARKDOWN, *SCRIPTS, *FORMULAS])
def test_markdown_has_no_markup_of_anybody(text: str) -> None:
    """No HTML, link, picture or emphasis; each table has its rows and cells, whatever they hold."""
    harmless, shown = whole_of("x").markdown(whole=True), whole_of(text).markdown(whole=True)
    kinds, expected = list(_parsed(shown)), list(_parsed(harmless))
    assert set(kinds) <= KINDS
    blocks = KINDS - {"inline", "text", "code_inline", "softbreak"}
    assert [kind for kind in kinds if kind in blocks] == [kind for kind in expected if kind in blocks]
    for line in shown.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") in (4, 6)
    assert set(_parsed(calls_of(text).markdown(whole=True))) <= KINDS


@pytest.mark.parametrize("text", [*MARKDOWN, *SCRIPTS])
def test_what_others_wrote_stands_in_code_spans(text: str) -> None:
    """Addresses, mentions and numbers of tickets are linked outside of code only, so they are inside."""
    reader = MarkdownIt("commonmark").enable("table")
    loose = ""
    for token in reader.parse(whole_of(text).markdown(whole=True)):
        loose += "".join(child.content for child in token.children or () if child.type == "text") + "\n"
    for sign in ("@", "#", "://", "www.", "<", "[", "$", "*", "_", "~", "&"):
        assert sign not in loose


def _result_file(texts: tuple[str, ...]) -> str:
    """The error file of a run whose rows hold each text in a column, in a header and in a message."""
    header = PlanHeader("preview", "x", "AC", "0" * 64, "x", ("Phone", "Note", "=1+1"), "", "")
    rows = [
        PlanRow(n, {"Phone": "+14155550100", "Note": text, "=1+1": text}, Verdict.PLANNED)
        for n, text in enumerate(texts, 2)
    ]
    steps = tuple(Step(row.row, Action.CREATE, "+14155550100") for row in rows)
    endings = [Ending(n, State.REFUSED, text, text, text, text) for n, text in enumerate(texts)]
    return sort_rows(PlanFile(header, steps, tuple(rows)), endings).csv("error")


def test_result_files_hold_no_formula_and_give_every_cell_back() -> None:
    """No cell of the file begins as a formula, in cells, headers, sids, statuses, codes and messages."""
    assert len(FORMULAS) >= 60
    texts = tuple(text for text in FORMULAS if "\x00" not in text)  # with one, no list is read
    content = _result_file(texts)
    titles, *lines = csv.reader(io.StringIO(content, newline=""))
    assert titles[2] == "'=1+1"
    for text, line in zip(texts, lines, strict=True):
        for cell in line:
            assert cell == "+14155550100" or cell.lstrip()[:1] not in tuple("=+-@＝＋－＠﹦﹢﹣﹫\t\r\n")
        assert len(line) == len(titles)
        assert line[1] != text
    back = read_bytes(content.encode(), name="again.csv")
    assert [cells["Note"] for _, cells in back.rows] == list(texts)
    assert back.columns == ("Phone", "Note", "=1+1")


SOFFICE = shutil.which("soffice") or shutil.which("localc")


@pytest.mark.skipif(SOFFICE is None, reason="needs LibreOffice: Debian package libreoffice-calc-nogui")
@pytest.mark.parametrize("separator", ["44", "59"])
def test_a_spreadsheet_shows_the_text_and_calculates_nothing(tmp_path: Path, separator: str) -> None:
    """LibreOffice opens the file, cut at commas or at semicolons, and writes it with its formulas shown."""
    texts = tuple(text for text in FORMULAS if "\x00" not in text)
    (tmp_path / "in.csv").write_text(_result_file(texts), encoding="utf-8", newline="")
    subprocess.run(
        [
            str(SOFFICE),
            "--headless",
            f"-env:UserInstallation=file://{tmp_path}/profile",
            f"--infilter=CSV:{separator},34,76,1,,0,false,true,false,false,false,-1",
            "--convert-to",
            "fods",
            "--outdir",
            str(tmp_path),
            str(tmp_path / "in.csv"),
        ],
        check=True,
        timeout=180,
        capture_output=True,
    )
    (opened,) = tmp_path.glob("in*.fods")
    content = opened.read_text(encoding="utf-8")
    assert "table:formula=" not in content
    assert "HYPERLINK" in content
