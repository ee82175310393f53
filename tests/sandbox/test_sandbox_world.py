"""The outside world: timers, calls, letters, carriers, and that chance is a function."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sandbox_driver import DAY, DOCUMENT, FIXED, HOUR, LETTERS, ORDERS, Driver

from hnbulk.lifecycle import may_move
from hnbulk.sandbox import FATES, FIXED_NUMBERS, WorldSettings, fates
from hnbulk.sandbox.past import number_of

NUMBERS = [number_of(place) for place in range(400)]


def played(box: Driver, numbers: list[str]) -> None:
    """Numbers are created, verified and put into letters; then weeks pass."""
    for number in numbers:
        box.send("POST", ORDERS, PhoneNumber=number, SmsCapability="true")
    for _ in range(5):
        box.wait(DAY)
        for order in box.sandbox.orders():
            if order["status"] in ("received", "pending-verification"):
                box.call(order["sid"])
    for order in box.sandbox.orders():
        if order["status"] == "verified":
            box.letter(order["sid"])


def test_every_move_of_the_world_is_in_the_lifecycle() -> None:
    """In a world of all fates and of chance, no order makes a move the table does not have."""
    box = Driver()
    played(box, [*FIXED_NUMBERS, *NUMBERS])
    box.wait(60 * DAY)
    for order in box.sandbox.orders():
        path = [None, *(event["status"] for event in order["history"])]
        moves = list(pairwise(path))
        assert all(may_move(a, b) for a, b in moves if b != "deleted"), moves


def test_in_the_end_every_order_has_ended() -> None:
    """Sixty days after the last act nothing is under way any more."""
    box = Driver()
    played(box, NUMBERS[:200])
    box.wait(60 * DAY)
    counts = Counter(order["status"] for order in box.sandbox.orders())
    assert set(counts) == {"completed", "failed"}
    assert counts["completed"] > 100


def test_one_long_step_is_many_short_ones() -> None:
    """The truth is the same to the second, however the clock was stepped."""
    one, many = Driver(), Driver()
    for box in (one, many):
        played(box, [*FIXED_NUMBERS, *NUMBERS[:100]])
    one.wait(30 * DAY)
    chance = random.Random(1)
    left = 30 * DAY
    while left:
        step = min(left, chance.randint(1, 9 * HOUR))
        many.wait(step)
        many.sandbox.orders()
        left -= step
    assert one.sandbox.orders() == many.sandbox.orders()
    assert one.sandbox.calls() == many.sandbox.calls()


def test_racing_threads_make_the_same_world() -> None:
    """Eight threads creating in any order leave what one thread leaves."""
    alone, raced = Driver(), Driver()
    for number in NUMBERS:
        alone.send("POST", ORDERS, PhoneNumber=number, SmsCapability="true")
    mixed = random.Random(2).sample(NUMBERS, len(NUMBERS))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: raced.send("POST", ORDERS, PhoneNumber=n, SmsCapability="true"), mixed))
    for box in (alone, raced):
        box.wait(40 * DAY)
    assert alone.sandbox.orders() == raced.sandbox.orders()


def test_another_seed_is_another_world() -> None:
    """Sids and credentials follow from the seed."""
    one, other = Driver(seed=1), Driver(seed=2)
    assert one.sandbox.account_sid != other.sandbox.account_sid
    assert one.create()["sid"] != other.create()["sid"]


def test_the_documented_numbers_are_those_of_the_table() -> None:
    """The module's text has one line for each test number, with its fate."""
    lines = [line.split()[:2] for line in (fates.__doc__ or "").splitlines() if "+1907" in line]
    assert lines == [list(item) for item in FIXED_NUMBERS.items()]


@pytest.mark.parametrize("number", NUMBERS[:30])
def test_no_stage_of_the_world_is_shorter_than_its_least(number: str) -> None:
    """A poll every six hours sees every stage the world drives."""
    box = Driver()
    box.sandbox.set_fate(number, "smooth")
    sid = box.create(number)["sid"]
    box.wait(36 * HOUR)
    box.call(sid)
    box.wait(HOUR)
    box.letter(sid)
    seen = []
    for _ in range(60):
        seen.append(box.status(sid))
        box.wait(6 * HOUR)
    assert list(dict.fromkeys(seen)) == ["pending-loa", "carrier-processing", "testing", "completed"]


@pytest.mark.parametrize(
    ("ending", "after", "path"),
    [
        ("175", 2, ["twilio-processing", "verified"]),
        ("176", 2, ["twilio-processing", "failed"]),
        ("180", 2, ["twilio-processing", "action-required"]),
        ("180", 10, ["twilio-processing", "action-required", "failed"]),
        ("186", 29, ["twilio-processing"]),
        ("186", 31, ["twilio-processing", "failed"]),
        ("170", 7, ["twilio-processing", "received"]),
        ("170", 9, ["twilio-processing", "received", "action-required"]),
    ],
)
def test_what_the_check_and_the_timers_do(ending: str, after: int, path: list[str]) -> None:
    """Fixed fates of the check, and idle timers of seven and thirty days."""
    box = Driver()
    sid = box.create(FIXED + ending)["sid"]
    box.wait(after * DAY)
    assert box.path_of(sid) == path


@pytest.mark.parametrize(("ending", "calls"), [("170", 1), ("172", 3), ("174", 2)])
def test_who_answers_in_the_end_is_verified(ending: str, calls: int) -> None:
    """The right code on the nth call verifies the number, by the person."""
    box = Driver()
    sid = box.received(ending)
    for _ in range(calls):
        assert box.status(sid) in ("received", "pending-verification")
        box.call(sid)
        box.wait(11 * 60)
    assert box.truth(sid)["history"][-1]["mover"] == "person"
    assert box.order(sid)["verification_attempts"] == calls == len(box.sandbox.calls())


@pytest.mark.parametrize("ending", ["171", "173", "189", "179"])
def test_three_calls_without_success_require_action(ending: str) -> None:
    """After the third unsuccessful call the order is in action-required, and failed a week later."""
    box = Driver()
    sid = box.received(ending)
    for _ in range(3):
        box.call(sid)
        assert box.status(sid) == "pending-verification"
        box.wait(12 * 60)
    assert box.status(sid) == "action-required"
    assert "attempts" in box.order(sid)["failure_reason"]
    box.wait(7 * DAY)
    assert box.status(sid) == "failed"


def test_an_extension_reaches_who_is_behind_a_menu() -> None:
    """With the extension set the call is answered."""
    box = Driver()
    sid = box.received("179")
    box.update(sid, Extension="ww12", CallDelay="10")
    box.call(sid)
    box.wait(300)
    assert box.status(sid) == "verified"


def test_a_refused_phone_bill_requires_action_and_an_accepted_one_verifies() -> None:
    """An operator looks at the bill for a day or two."""
    box = Driver()
    good = box.received("170", VerificationType="phone-bill", VerificationDocumentSid=DOCUMENT)
    bad = box.create(FIXED + "187", VerificationType="phone-bill", VerificationDocumentSid=DOCUMENT)["sid"]
    box.wait(36 * HOUR)
    for sid in (good, bad):
        assert box.call(sid)[1]["status"] == "pending-verification"
    assert box.sandbox.calls() == []
    box.wait(23 * HOUR)
    assert {box.status(good), box.status(bad)} == {"pending-verification"}
    box.wait(25 * HOUR)
    assert (box.status(good), box.status(bad)) == ("verified", "action-required")
    assert box.truth(good)["history"][-1]["mover"] == "operator"


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        ("170", ["carrier-processing", "testing", "completed"]),
        ("181", ["carrier-processing", "action-required"]),
        ("182", ["carrier-processing", "testing", "action-required"]),
        ("183", ["verified"]),
        ("185", ["action-required"]),
    ],
)
def test_what_becomes_of_a_letter_and_after(ending: str, end: list[str]) -> None:
    """Signers, carriers and tests do as the number's fate says."""
    box = Driver()
    sid = box.verified(ending)
    letter = box.letter(sid)[1]
    box.wait(11.5 * DAY if end[-1] != "action-required" else 12 * DAY)
    path = box.path_of(sid)
    assert [s for s in path[path.index("pending-loa") + 1 :] if s != "failed"] == end
    back = end == ["verified"]
    assert box.order(sid)["signing_document_sid"] == (None if back else letter["sid"])


def test_a_letter_refused_once_is_signed_the_next_time() -> None:
    """The second letter of the number goes through."""
    box = Driver()
    sid = box.verified("184")
    first = box.letter(sid)[1]["sid"]
    box.wait(6 * DAY)
    assert box.status(sid) == "verified"
    second = box.letter(sid)[1]["sid"]
    assert first != second
    box.wait(12 * DAY)
    assert box.status(sid) == "completed"


def test_a_number_sms_enabled_once_goes_well_the_second_time() -> None:
    """A failed order leaves its number free; the next one is attempt 2 with a new sid."""
    box = Driver()
    first = box.received("188")
    assert box.status(first) == "failed"
    second = box.received("188")
    assert second != first
    assert (box.status(second), box.truth(second)["attempt"]) == ("received", 2)


def test_the_rates_are_about_those_of_the_settings() -> None:
    """Of 2,000 numbers about as many go wrong as the settings say."""
    box = Driver()
    statuses = Counter(
        box.send("POST", ORDERS, PhoneNumber=number_of(place), SmsCapability="true")[0]
        for place in range(2000)
    )
    assert 10 <= statuses[400] <= 60
    box.wait(2 * DAY)
    counts = Counter(order["status"] for order in box.sandbox.orders())
    assert 30 <= counts["failed"] <= 100
    assert set(counts) == {"received", "failed", "action-required"}


def test_three_of_four_calls_in_office_hours_are_answered() -> None:
    """On a Wednesday noon most people answer, on a Sunday night few do."""
    box = Driver(settings=WorldSettings(not_hostable_rate=0, sms_enabled_rate=0, trouble_rate=0))
    sids = [box.create(number)["sid"] for number in NUMBERS]
    box.wait(2 * DAY + 3 * HOUR)
    for sid in sids[:200]:
        box.call(sid)
    box.wait(4 * DAY + 10 * HOUR)
    for sid in sids[200:]:
        box.call(sid)
    box.wait(HOUR)
    outcome = Counter((call["at"][:10], call["outcome"] == "no-answer") for call in box.sandbox.calls())
    assert outcome["2026-01-07", False] > 130
    assert outcome["2026-01-12", False] < 80


@pytest.mark.parametrize(
    ("phone_number", "hour", "rate"),
    [
        ("+14155550123", 14, 0.4),  # code and hour
        ("+14155550123", 15, 0.3),  # the code alone
        ("+12125550123", 14, 0.2),  # the hour alone
        ("+12125550123", 15, 0.75),
        ("+12125550123", 20, 0.25),
        ("+18005550123", 14, 0.2),  # New York's hour
    ],
)
def test_the_most_specific_answer_rate_counts(phone_number: str, hour: int, rate: float) -> None:
    """By area code and hour where the number is, falling back to the two common rates."""
    world = WorldSettings(answer_rates=(("@14", 0.2), ("415", 0.3), ("415@14", 0.4)))
    zone = "America/Los_Angeles" if "415" in phone_number else "America/New_York"
    at = datetime(2026, 1, 7, hour, 30, tzinfo=ZoneInfo(zone))
    assert fates.answer_rate_at(world, phone_number, int(at.timestamp())) == rate


def test_another_answer_rate_draws_no_other_lots() -> None:
    """Who answers at a low rate answers at a higher one too, and what they key is the same."""
    at, ends = 1767798000, {}
    for rate in (0.3, 0.6):
        world = WorldSettings(answer_rates=tuple((number[2:5], rate) for number in NUMBERS))
        cases = [fates.Case(7, "AC", number, 1) for number in NUMBERS]
        ends[rate] = [fates.call_ends(case, world, 1, at, extension=False)[0] for case in cases]
    assert ends[0.3].count("no-answer") > ends[0.6].count("no-answer") > 0
    assert all(low in ("no-answer", high) for low, high in zip(ends[0.3], ends[0.6], strict=True))


@pytest.mark.parametrize(("ends", "left_in"), [(True, "action-required"), (False, "pending-verification")])
def test_what_the_third_failed_call_leads_to_is_a_setting(ends: bool, left_in: str) -> None:
    """By itself to action-required, or only a fourth request does; refused is that either way."""
    box = Driver(settings=WorldSettings(last_failure_ends=ends))
    sid = box.received("171")
    for _ in range(3):
        box.call(sid)
        box.wait(HOUR)
    assert box.status(sid) == left_in
    assert box.call(sid)[1]["code"] == (22112 if ends else 22100)
    assert box.status(sid) == "action-required"


def test_an_operator_sends_back_where_the_settings_say_so() -> None:
    """With the rate at 1, an order that got stuck goes on from where it was, with fresh attempts."""
    box = Driver(settings=WorldSettings(operator_fix_rate=1.0))
    sid = box.received("171")
    for _ in range(3):
        box.call(sid)
        box.wait(12 * 60)
    assert box.status(sid) == "action-required"
    box.wait(5 * DAY)
    assert box.status(sid) == "received"
    assert box.order(sid)["verification_attempts"] == 0


def test_orders_of_the_past_are_in_mixed_statuses() -> None:
    """A sandbox may begin with weeks behind it, the same weeks for the same seed."""
    orders = Driver(orders=300).sandbox.orders()
    assert len(orders) == 300
    assert len({order["status"] for order in orders}) >= 7
    assert orders == Driver(orders=300).sandbox.orders()
    assert all(order["date_created"] < "2026-01-05T15:00:00Z" for order in orders)


def test_every_fate_is_known_by_name() -> None:
    """A fate nobody knows is refused."""
    box = Driver()
    with pytest.raises(ValueError, match="no such fate"):
        box.sandbox.set_fate(NUMBERS[0], "glorious")
    for name in FATES:
        box.sandbox.set_fate(NUMBERS[0], name)


def test_attempts_are_as_many_as_call_sids_after_an_operator_too() -> None:
    """Fresh attempts come with a fresh list of calls; the calls themselves are not forgotten."""
    box = Driver(settings=WorldSettings(operator_fix_rate=1.0))
    sid = box.received("171")
    for _ in range(3):
        box.call(sid)
        box.wait(12 * 60)
    box.wait(5 * DAY)
    assert box.order(sid)["verification_call_sids"] is None
    _, order = box.call(sid)
    assert (order["verification_attempts"], len(order["verification_call_sids"])) == (1, 1)
    assert len(box.sandbox.calls()) == 4


@pytest.mark.parametrize("ending", ["181", "182"])
def test_what_an_operator_has_mended_at_the_carrier_goes_well(ending: str) -> None:
    """Sent back to the carrier once, and completed: no order goes round for ever."""
    box = Driver(settings=WorldSettings(operator_fix_rate=1.0))
    sid = box.verified(ending)
    box.letter(sid)
    box.wait(25 * DAY)
    assert box.path_of(sid).count("action-required") == 1
    assert box.status(sid) == "completed"


def test_a_call_with_an_old_code_verifies_nothing() -> None:
    """A newer call has brought another code since: keyed too late, says the truth, and nothing moves."""
    box = Driver(settings=WorldSettings(keying_seconds=(100, 100)))
    sid = box.received("174")
    for wait in (599, 2, 99):
        box.call(sid)
        box.wait(wait)
    assert box.status(sid) == "pending-verification"
    assert [call["outcome"] for call in box.sandbox.calls()] == ["no-answer", "late", "ringing"]
    box.wait(1)
    assert box.status(sid) == "verified"


def test_an_operator_leaves_neither_an_old_code_nor_an_old_letter() -> None:
    """Sent back from a letter nobody signed, the order is verified and no letter has it."""
    box = Driver(settings=WorldSettings(operator_fix_rate=1.0, operator_hours=(24, 24)))
    sid = box.verified("185")
    box.letter(sid)
    box.wait(7 * DAY + HOUR)
    assert box.status(sid) == "action-required"
    box.wait(DAY)
    order = box.order(sid)
    assert (order["status"], order["signing_document_sid"], order["verification_code"]) == (
        "verified",
        None,
        None,
    )


def test_a_failed_letter_frees_its_orders() -> None:
    """The first letter fails by itself, the next is signed."""
    box = Driver()
    sid = box.verified("190")
    _, letter = box.letter(sid)
    box.wait(6 * DAY)
    assert box.send("GET", f"{LETTERS}/{letter['sid']}")[1]["status"] == "failed"
    assert (box.status(sid), box.order(sid)["signing_document_sid"]) == ("verified", None)
    box.letter(sid)
    box.wait(14 * DAY)
    assert box.status(sid) == "completed"


def test_a_bill_under_review_is_not_ended_by_the_third_call() -> None:
    """Turned to a phone bill while the last call rings: the bill decides."""
    box = Driver()
    sid = box.received("171")
    for _ in range(3):
        box.call(sid)
    box.update(sid, VerificationType="phone-bill", VerificationDocumentSid=DOCUMENT)
    assert box.call(sid)[0] == 200
    box.wait(HOUR)
    assert box.status(sid) == "pending-verification"
    box.wait(48 * HOUR)
    assert box.status(sid) == "verified"
