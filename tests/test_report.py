"""The report is one quiet page: no script, no request, no person's data, the headline first."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from test_funnel import realistic_events, story

from hnbulk.frames import events_frame, problems_frame
from hnbulk.funnel import Funnel, build_funnel
from hnbulk.report import build_report, reasons_of

MADE_AT = datetime(2026, 1, 19, 15, 5, tzinfo=UTC)

# Ways in which text has become markup elsewhere.
PAYLOADS = (
    "<script>window.__x=1</script>",
    "</title></style><script>window.__x=1</script>",
    "<img src=x onerror=window.__x=1>",
    '" onmouseover="window.__x=1',
    "' onfocus='window.__x=1' autofocus='",
    "<svg/onload=window.__x=1>",
    "<a href=javascript:window.__x=1>go</a>",
    "<iframe srcdoc='<script>parent.__x=1</script>'>",
    "]]><!--<style>@import url(//evil.example/x)</style>-->",
    "<meta http-equiv=refresh content=0;url=//evil.example>{{7*7}}&lt;b&gt;",
)
_ELEMENTS = """
html head meta title style body main header section h1 h2 p strong b i ul li div figure
table thead tbody tr th td svg g path rect line text tspan
"""
_ATTRIBUTES = """
lang charset http-equiv content name class style role aria-label data-quarto-disable-processing
data-quarto-bootstrap rowspan colspan scope id headers d x y dx dy x2 y2 width height viewbox transform
fill stroke opacity stroke-width stroke-miterlimit text-anchor font-family font-size font-weight xmlns
"""
ELEMENTS = set(_ELEMENTS.split())
ATTRIBUTES = set(_ATTRIBUTES.split())


class Page(HTMLParser):
    """What a browser would find: elements, attributes, and the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.comments: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.text += data


def problem(row: int, code: str, text: str = "write it as +1 and ten digits") -> dict[str, Any]:
    """A problem of a row."""
    return {
        "row": row,
        "column": "Phone",
        "code": code,
        "value": "+1***",
        "message": "not a number",
        "suggestion": text,
        "severity": "error",
    }


def stopped(*orders: tuple[str, str | None]) -> pd.DataFrame:
    """Orders by status and reason, each of its own number, one a day."""
    return pd.DataFrame(
        [
            {
                "sid": f"HR{place}",
                "phone_number": f"+1415555{place:04}",
                "date_created": pd.Timestamp("2026-01-05", tz="UTC") + pd.Timedelta(days=place),
                "status": status,
                "failure_reason": reason,
            }
            for place, (status, reason) in enumerate(orders)
        ]
    )


def report_of(funnel: Funnel, **more: Any) -> str:
    """The report with a plain title."""
    return build_report(
        **{"funnel": funnel, "title": "Branches", "made_at": MADE_AT, "account_label": "Acme", **more}
    )


@pytest.fixture(scope="module")
def small() -> Funnel:
    """Three numbers."""
    told = [*story(1, "received", "completed"), *story(2, "received"), *story(3, "failed")]
    return build_funnel(events_frame(told))


@pytest.fixture(scope="module")
def big() -> Funnel:
    """Two thousand numbers after two weeks."""
    return build_funnel(events_frame(realistic_events()))


@pytest.fixture(scope="module")
def full(big: Funnel) -> str:
    """A report with every section."""
    return report_of(
        big,
        plan_summary=pd.DataFrame({"action": ["create"], "count": [1912], "what": ["same SMS URL"]}),
        problems=problems_frame(
            [
                problem(2, "phone-invalid"),
                problem(3, "phone-invalid"),
                problem(4, "email-missing", "add it"),
            ]
        ),
        results_counts={"success": 1912, "error": 50, "unprocessed": 38},
        reasons=reasons_of(stopped(("failed", "The number is currently SMS enabled."))),
        calls=pd.DataFrame({"attempt": [1, 2], "calls": [812, 140], "share_verified": ["83 %", None]}),
        seed=7,
        notes=["Made for the board.", "Ask +1 (415) 555-2671, or bob.jones@example.com."],
    )


def test_the_page_stands_alone(full: str) -> None:
    """Known elements and attributes only: no script, link, image, event handler or address to fetch."""
    page = Page(full)
    assert page.elements <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    assert set(re.findall(r"https?://[^\s\"'<]+", full)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in full
    assert "@import" not in full


def test_the_page_forbids_itself_everything_else(full: str) -> None:
    """A policy in the page: nothing is loaded, whatever a reader's program makes of it."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in full
    assert full.index("Content-Security-Policy") < full.index("<title>")


def test_the_headline_comes_first(full: str) -> None:
    """How many, how far, when, and what to do, before any picture."""
    text = Page(full.split("<svg")[0]).text
    assert "725 of 2,000 numbers are completed (36 %)." in text
    assert "As of 19 Jan 2026, 15:00 UTC. 1,217 are under way" in text
    assert "216 pending-loa: have the letters signed" in text
    assert "Nothing to do but wait: 571 carrier-processing, 99 testing" in text


def test_every_section_is_there(full: str) -> None:
    """Each thing a reader asks has its heading."""
    assert re.findall(r"<h2>(.*?)</h2>", full) == [
        "What to do next",
        "Why numbers failed or need action",
        "How far they came",
        "How long each stage takes",
        "Where they stand",
        "Where they stood over time",
        "In one place for more than 3 d",
        "Problems in the file",
        "What was planned",
        "How the run ended",
        "Verification calls",
        "Notes",
    ]


def test_both_denominators_stand_in_the_titles(full: str) -> None:
    """No share without a word of what."""
    assert ">% of all 2,000<" in full
    assert ">% of the stage before<" in full


def test_the_tables_tell_their_numbers(full: str) -> None:
    """Times with uncertainty, problems by code with remedy, outcomes with their sum."""
    text = Page(full).text
    assert "2 d 12 h ± 6 h" in text
    assert re.search(r"phone-invalid\s+error\s+2\s+Phone\s+write it as \+1 and ten digits", text)
    assert re.search(r"unprocessed\s+38\s+1.9 %\s+all\s+2,000\s+100 %", text)
    assert re.search(r"share verified\s+1\s+812\s+83 %\s+2\s+140\s+–", text)


def test_no_phone_number_or_address_is_in_the_page(full: str, big: Funnel) -> None:
    """Stuck numbers are masked, and so is what a note let slip."""
    assert not [number for number in big.standing["phone_number"] if number[2:] in full]
    assert not [sid for sid in big.standing["order_sid"] if sid in full]
    assert "555-2671" not in full
    assert "bob.jones" not in full
    assert "+1415***2671" in full
    assert "b***@e***" in full


def test_sections_without_data_are_left_out(small: Funnel) -> None:
    """No empty headings; a rehearsal is named only where it was one."""
    shown = report_of(small)
    for heading in ("Problems", "planned", "run ended", "Verification calls", "Notes"):
        assert f"{heading}</h2>" not in shown
    assert "sandbox" not in shown


def test_the_same_facts_make_the_same_page(small: Funnel) -> None:
    """No clock, no chance: two reports can be compared."""
    assert report_of(small) == report_of(small)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_becomes_markup(payload: str) -> None:
    """Each payload in every text of the report, statuses and column names among them, stays text."""
    told = [
        {**event, "order_sid": payload, "phone_number": payload} for event in story(1, "received", payload)
    ]
    shown = report_of(
        build_funnel(events_frame(told), now=datetime(2026, 2, 5, tzinfo=UTC)),
        title=payload,
        account_label=payload,
        plan_summary=pd.DataFrame({payload: [payload], "count": [1]}),
        problems=problems_frame(
            [{**dict.fromkeys(problem(1, ""), payload), "row": 1, "severity": "error"}]
        ),
        results_counts={payload: 1},
        reasons=reasons_of(stopped(("failed", payload))),
        calls=pd.DataFrame({"attempt": [payload], payload: [[payload]]}),
        notes=[payload],
    )
    page = Page(shown)
    assert page.elements <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    assert page.comments == []
    assert payload in page.text
    assert len(re.findall("<style>", shown)) == 1


def test_no_events_make_a_page_that_says_so() -> None:
    """A report before anything was seen is short and true."""
    shown = report_of(build_funnel(events_frame([])))
    assert "No events yet" in shown
    assert "<svg" not in shown


def test_reasons_are_counted_most_first_and_say_what_to_do() -> None:
    """One row per status and reason; without a reason it says so, and other statuses are left out."""
    found = reasons_of(
        stopped(
            ("failed", None),
            ("failed", "The number is currently SMS enabled."),
            ("action-required", "Reached maximum verification attempts."),
            ("failed", "The number is currently SMS enabled."),
            ("completed", None),
        )
    )
    assert found[["status", "failure_reason", "count"]].to_numpy().tolist() == [
        ["failed", "The number is currently SMS enabled.", 2],
        ["action-required", "Reached maximum verification attempts.", 1],
        ["failed", "no reason given", 1],
    ]
    assert "SMS switched off" in found["what_to_do"][0]
    assert "support" in found["what_to_do"][1]


def test_a_number_ordered_again_no_longer_counts_as_failed() -> None:
    """The latest order of a number speaks for it, whatever the order of the rows."""
    orders = stopped(("failed", "idle"), ("completed", None)).assign(phone_number="+14155550100")
    assert reasons_of(orders.iloc[::-1]).empty
    assert reasons_of(stopped()[:0].reindex(columns=stopped(("failed", "")).columns)).empty


def test_a_reason_is_masked_like_everything_else(small: Funnel) -> None:
    """A number the service names in its reason is not in the page."""
    shown = report_of(small, reasons=reasons_of(stopped(("failed", "+14155552671 is hosted by a@b.com"))))
    assert "5552671" not in shown
    assert "a@b.com" not in shown
    assert "is hosted by" in shown


def test_a_stage_passed_unseen_says_so() -> None:
    """Between two looks is not the same as not yet: the report says "not seen"."""
    funnel = build_funnel(events_frame(story(1, "received", "completed")))
    assert re.search(r"verified .* not seen\n", str(funnel))
    assert "<td>not seen</td>" in funnel._repr_html_()
    shown = Page(report_of(funnel)).text
    assert re.search(r"verified\s+not seen\s+–\s+–\s+0\s+0\s+0", shown)
    assert not re.search(r"verified\s+not yet", shown)


def test_no_heading_is_said_twice(full: str) -> None:
    """The section's heading stands for the chart's title, what its shares are of stands below."""
    text = Page(full).text
    assert "How far 2,000 numbers came" not in text
    assert "share of all 2,000 numbers" in text
