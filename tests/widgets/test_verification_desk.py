"""The desk of verification calls: nothing rings unasked, and what became of each call is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import hnbulk as hn
from hnbulk.errors import LimitRefused, UsageError
from hnbulk.frames import empty_orders
from hnbulk.planfile import PlanFile, PlanHeader
from hnbulk.steps import Action, Ending, State, Step
from hnbulk.widgets import OrderBrowser, VerificationDesk
from hnbulk.widgets.call_outcomes import OUTCOMES, outcome_of, outcomes_frame, outcomes_table, read_outcomes

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


def part(desk: VerificationDesk, name: str) -> Any:
    """The one control of this class name."""

    def parts(view: Any) -> Iterator[Any]:
        if name in view._dom_classes:
            yield view
        for child in getattr(view, "children", ()):
            yield from parts(child)

    (found,) = parts(desk.view)
    return found


def assert_set(event: threading.Event) -> None:
    """The event came within half a minute."""
    assert event.wait(30)


def calls_placed(account: hn.Account) -> int:
    """How many phones the sandbox rang."""
    assert account.sandbox is not None
    return len(account.sandbox.calls())


def due(account: hn.Account) -> Any:
    """Orders that wait for a first call."""
    orders = account.orders()
    return orders[(orders["status"] == "received") & (orders["verification_attempts"] == 0)]


def test_nothing_is_read_or_sent_on_construction(filled: hn.Account) -> None:
    """A new desk has no plan, no run and no outcomes, and no phone rang."""
    before = calls_placed(filled)
    desk = VerificationDesk(filled)
    assert (desk.plan, desk.run, len(desk.outcomes)) == (None, None, 0)
    assert str(desk) == "no calls planned yet"
    assert calls_placed(filled) == before


def test_prepare_shows_the_plan_and_rings_nothing(filled: hn.Account) -> None:
    """The plan of calls is shown; its count waits to be typed."""
    before = calls_placed(filled)
    desk = VerificationDesk(filled)
    plan = desk.prepare()
    assert desk.count == len(plan.file.steps) == 12
    assert plan.checksum[:8] in part(desk, "hn-plan").value
    assert "12 phones will ring" in part(desk, "hn-asked").value
    assert calls_placed(filled) == before


@pytest.mark.parametrize("typed", ["", "1", "120", "12.0", "+12", "twelve", "١٢"])
def test_the_button_stays_shut_for_any_other_text(filled: hn.Account, typed: str) -> None:
    """Only the plan's exact count, in plain digits, opens the button."""
    desk = VerificationDesk(filled)
    desk.prepare()
    before = calls_placed(filled)
    part(desk, "hn-typed").value = typed
    assert part(desk, "hn-place").disabled
    part(desk, "hn-place").click()
    desk.wait(timeout=30)
    assert desk.run is None
    assert calls_placed(filled) == before


def test_the_typed_count_opens_the_button_and_the_calls_are_placed(filled: hn.Account) -> None:
    """The exact count opens the button; pressing it places exactly so many calls, once."""
    desk = VerificationDesk(filled, due(filled))
    count = len(desk.prepare().file.steps)
    before = calls_placed(filled)
    part(desk, "hn-typed").value = f" {count} "
    assert not part(desk, "hn-place").disabled
    part(desk, "hn-place").click()
    assert len(desk.wait(timeout=60)) == count
    assert calls_placed(filled) == before + count
    assert part(desk, "hn-bar").value == part(desk, "hn-bar").max == count


def test_a_plan_is_placed_once(filled: hn.Account) -> None:
    """After a run the desk has no plan; pressing again rings nothing."""
    desk = VerificationDesk(filled, due(filled))
    count = len(desk.prepare().file.steps)
    desk.place(count)
    desk.wait(timeout=60)
    rung = calls_placed(filled)
    with pytest.raises(UsageError, match="prepare the calls first"):
        desk.place(count)
    part(desk, "hn-typed").value = str(count)
    part(desk, "hn-place").click()
    desk.wait(timeout=30)
    assert calls_placed(filled) == rung


@pytest.mark.parametrize("more", [-1, 1])
def test_another_count_is_refused_with_its_arithmetic(filled: hn.Account, more: int) -> None:
    """A program that gives another count than the plan's is refused; nothing rings."""
    desk = VerificationDesk(filled)
    desk.prepare()
    before = calls_placed(filled)
    with pytest.raises(LimitRefused, match="exact number") as refused:
        desk.place(desk.count + more)
    assert refused.value.facts["arithmetic"] == f"{12 + more} != 12"
    assert calls_placed(filled) == before


def test_a_desk_calls_only_what_is_selected_in_the_browser(filled: hn.Account) -> None:
    """With a browser, the plan holds the selected due orders and no other."""
    browser = OrderBrowser(filled)
    desk = VerificationDesk(filled, browser)
    chosen = due(filled)["sid"].iloc[:3].tolist()
    browser.select(chosen)
    plan = desk.prepare()
    assert sorted(str(step.sid) for step in plan.file.steps) == sorted(chosen)


def test_an_empty_selection_is_told_in_one_line(filled: hn.Account) -> None:
    """Pressing the button with nothing selected says what to do; no plan is made."""
    desk = VerificationDesk(filled, OrderBrowser(filled))
    part(desk, "hn-prepare").click()
    with pytest.raises(UsageError):
        desk.wait(timeout=30)
    assert "select orders first" in part(desk, "hn-error").value
    assert desk.plan is None


def test_an_error_is_forgotten_when_the_next_work_goes_well(filled: hn.Account) -> None:
    """What went wrong before is neither shown nor raised after a plan was made."""
    browser = OrderBrowser(filled)
    desk = VerificationDesk(filled, browser)
    part(desk, "hn-prepare").click()
    with pytest.raises(UsageError):
        desk.wait(timeout=30)
    browser.select(due(filled)["sid"].iloc[:2])
    desk.prepare()
    desk.wait(timeout=30)
    assert part(desk, "hn-error").value == ""


def test_a_box_is_hidden_alone(filled: hn.Account) -> None:
    """What has nothing to say yet is hidden, and the button that begins stays in sight."""
    desk = VerificationDesk(filled)
    hidden = [box.layout.display for box in desk.view.children[1:]]
    assert hidden == [None, None, "none", "none", None, None]


def test_orders_that_are_not_due_give_no_call(filled: hn.Account) -> None:
    """A plan without calls shows its reasons and asks for nothing."""
    orders = filled.orders()
    desk = VerificationDesk(filled, orders[orders["status"] == "completed"])
    desk.prepare()
    assert desk.count == 0
    assert part(desk, "hn-asked").value == "No call is due."
    assert part(desk, "hn-place").layout.display == "none"


def test_the_plan_is_made_from_the_orders_as_they_are_now(filled: hn.Account) -> None:
    """A stale frame names the orders only; what is due is read afresh."""
    assert filled.sandbox is not None
    old = due(filled)
    filled.sandbox.clock.advance(40 * 86400)
    desk = VerificationDesk(filled, old)
    assert desk.prepare().file.steps == ()


def test_every_call_has_an_outcome_that_the_orders_bear_out(filled: hn.Account) -> None:
    """After the code's lifetime nobody waits: each number is verified or did not answer."""
    assert filled.sandbox is not None
    desk = VerificationDesk(filled, due(filled))
    count = len(desk.prepare().file.steps)
    desk.place(count)
    desk.wait(timeout=60)
    filled.sandbox.clock.advance(900)
    outcomes = desk.look_again()
    verified = outcomes[outcomes["outcome"] == "verified"]
    assert len(outcomes) == count
    assert set(outcomes["outcome"]) <= {"verified", "not answered"}
    assert verified["sid"].tolist() == outcomes["sid"][outcomes["status"] == "verified"].tolist()
    assert set(outcomes["attempts"]) == {1}


def test_a_desk_under_way_takes_no_other_order(filled: hn.Account) -> None:
    """While work is under way, preparing and placing are refused, and the buttons are shut."""
    desk = VerificationDesk(filled, due(filled))
    desk.prepare()
    go = threading.Event()
    desk._errand.start(lambda: assert_set(go))
    for refused in (desk.prepare, lambda: desk.place(12)):
        with pytest.raises(UsageError, match="busy"):
            refused()
    part(desk, "hn-typed").value = "12"
    assert part(desk, "hn-place").disabled
    go.set()
    desk.wait(timeout=30)
    assert not part(desk, "hn-place").disabled


def test_a_paused_run_goes_on_when_resumed(filled: hn.Account) -> None:
    """Pausing and resuming loses no call: each has its outcome in the end."""
    desk = VerificationDesk(filled, due(filled), at_once=1)
    count = len(desk.prepare().file.steps)
    before = calls_placed(filled)
    desk.place(count)
    desk.pause()
    desk.resume()
    assert len(desk.wait(timeout=60)) == count
    assert calls_placed(filled) == before + count


def test_a_stopped_run_rings_no_further_phone(filled: hn.Account) -> None:
    """After stop, what was not called is told as such, and every call is accounted for."""
    desk = VerificationDesk(filled, due(filled), at_once=1)
    count = len(desk.prepare().file.steps)
    before = calls_placed(filled)
    desk.place(count)
    desk.stop()
    outcomes = desk.wait(timeout=60)
    rung = calls_placed(filled) - before
    assert len(outcomes) == count
    assert int((outcomes["outcome"] == "not called").sum()) == count - rung


def test_pause_and_resume_are_one_button(filled: hn.Account) -> None:
    """The button's word says what it would do; controls are shut when the run is over."""
    desk = VerificationDesk(filled, due(filled))
    desk.place(len(desk.prepare().file.steps))
    desk.wait(timeout=60)
    assert part(desk, "hn-pause").description == "Pause"
    assert part(desk, "hn-pause").disabled
    assert part(desk, "hn-stop").disabled


def test_no_code_is_on_the_page(filled: hn.Account) -> None:
    """The codes of the called orders stand in no column and no control."""
    desk = VerificationDesk(filled, due(filled))
    desk.place(len(desk.prepare().file.steps))
    outcomes = desk.wait(timeout=60)
    codes = set(filled.orders()["verification_code"].dropna())
    assert codes
    page = part(desk, "hn-outcomes").value + outcomes.to_csv()
    assert not [code for code in codes if code in page]


def test_the_text_face_counts_and_names_no_number(filled: hn.Account) -> None:
    """As plain text the desk tells plan and outcomes by counts alone."""
    desk = VerificationDesk(filled, due(filled))
    desk.prepare()
    assert desk._repr_mimebundle_()["text/plain"] == "12 calls planned, none placed yet"
    desk.place(12)
    desk.wait(timeout=60)
    assert str(desk).startswith("run ")
    assert "+1" not in str(desk)


@pytest.mark.parametrize(
    ("state", "status", "code_valid", "outcome"),
    [
        (State.DONE, "verified", True, "verified"),
        (State.DONE, "pending-loa", False, "verified"),
        (State.DONE, "pending-verification", True, "waiting"),
        (State.DONE, "pending-verification", False, "not answered"),
        (State.DONE, "action-required", False, "not answered"),
        (State.REFUSED, "received", False, "refused"),
        (State.STALE, "received", False, "not called"),
        (State.STALE, "verified", False, "verified"),
        (State.PENDING, "received", False, "not called"),
        (None, "received", False, "not called"),
        (State.IN_DOUBT, "received", False, "unknown"),
        (State.CALL_UNKNOWN, "pending-verification", True, "unknown"),
        (State.CALL_UNKNOWN, "verified", True, "verified"),
        (State.REVIEW, None, False, "unknown"),
        (State.CONFLICT, "received", False, "unknown"),
    ],
)
def test_each_ending_and_status_has_its_outcome(
    state: State | None, status: str | None, code_valid: bool, outcome: str
) -> None:
    """What the run knows and where the order stands now decide the outcome."""
    ending = None if state is None else Ending(0, state)
    assert outcome_of(ending, status, code_valid=code_valid) == outcome


def test_an_order_that_is_gone_has_an_outcome_too() -> None:
    """A called order that the service no longer has keeps its row, without a status."""
    header = PlanHeader("preview", "http://127.0.0.1:1", "AC1", "0", "calls", (), "", "")
    step = Step(1, Action.VERIFY, "+14155550100", sid="HR1")
    found = read_outcomes(
        PlanFile(header, (step,), ()),
        [Ending(0, State.CALL_UNKNOWN, code="read-timeout")],
        empty_orders(),
        last_calls={"HR1": NOW - timedelta(minutes=1)},
        now=NOW,
    )
    assert found[["phone_number", "outcome", "code"]].values.tolist() == [
        ["+14155550100", "unknown", "read-timeout"]
    ]
    assert found["status"].isna().all()


def test_the_table_of_outcomes_is_escaped_and_puts_trouble_first() -> None:
    """Markup in a note stays text, and what needs a person stands at the top."""
    rows = [
        {"phone_number": f"+1415555010{place}", "outcome": outcome, "note": "<script>"}
        for place, outcome in enumerate(OUTCOMES)
    ]
    page = outcomes_table(outcomes_frame(rows))
    assert "<script" not in page
    assert page.index("+14155550105") < page.index("+14155550100")


IN_A_KERNEL = (
    """
import hnbulk as hn
account = hn.connect_sandbox(seed=7, orders=200)
browser = hn.widgets.OrderBrowser(account)
browser.filter(statuses=["received"])
browser.select_shown()
desk = hn.widgets.VerificationDesk(account, browser, max_calls=4, at_once=4)
desk
""",
    """
print(len(desk.prepare().file.steps))
desk
""",
    """
desk.place(4)
outcomes = desk.wait(60)
account.close()
print(len(outcomes), desk.error == "")
""",
)


def test_the_desk_works_in_a_kernel(run_cells: Callable[..., list[str]]) -> None:
    """In a real kernel: prepared, placed, followed from a thread, and told as text."""
    printed = run_cells(*IN_A_KERNEL)
    assert printed == ["no calls planned yet", "4\n4 calls planned, none placed yet", "4 True"]
