"""Random calls, legal and not, in any order and at any time: the promises of the world hold after each.

A second sandbox, the twin, gets the same calls; where the first one's clock is stepped once, the
twin's goes in many small steps. What both know must be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sandbox_driver import DAY, DOCUMENT, HOUR, LETTERS, ORDERS, Driver

from hnbulk.lifecycle import (
    CODE_LIFETIME,
    MAX_ATTEMPTS,
    MOVES,
    ORDER,
    may_authorize,
    may_call,
    may_cancel,
    may_letter_move,
    may_update,
)
from hnbulk.sandbox import FATES, FIXED_NUMBERS, WorldSettings
from hnbulk.sandbox.past import number_of

NUMBERS = [*FIXED_NUMBERS, *(number_of(place) for place in range(6))]
MOVED = {(move.source, move.target, str(move.mover)) for move in MOVES}
CODE_SECONDS = int(CODE_LIFETIME.total_seconds())
SPANS = st.one_of(
    st.integers(0, 300),
    st.sampled_from([CODE_SECONDS - 1, CODE_SECONDS, CODE_SECONDS + 1]),
    st.integers(1, 40).map(lambda hours: hours * HOUR),
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 31]).map(lambda days: days * DAY),
)
NTH = st.integers(0, 20)
LETTER_STATUSES = st.sampled_from(["opened", "signing", "signed", None])
LEGAL = st.sampled_from([True, True, True, False])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "FriendlyName": st.sampled_from(["", "A", "x" * 128, "x" * 129]),
        "UniqueName": st.sampled_from(["", "one", "two"]),
        "Email": st.sampled_from(["a@example.com", "nobody", ""]),
        "CcEmails": st.sampled_from([["a@example.com", "b@example.com"], ["b"]]),
        "Extension": st.sampled_from(["ww1", "", "x"]),
        "CallDelay": st.sampled_from(["0", "60", "61", "-1"]),
        "VerificationType": st.sampled_from(["phone-call", "phone-bill", "fax"]),
        "VerificationDocumentSid": st.sampled_from([DOCUMENT, "RI"]),
        "Status": st.sampled_from([*ORDER, "flying"]),
    },
)


class Life(RuleBasedStateMachine):
    """One account's life. Most rules choose an order that may be asked so; some choose any."""

    @initialize(
        seed=st.integers(0, 3),
        fixing=st.sampled_from([0.0, 1.0]),
        numbers=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=6, unique=True),
    )
    def begin(self, seed: int, fixing: float, numbers: list[str]) -> None:
        """Two worlds of one seed, with some orders past their check; in some, operators help."""
        options: dict[str, Any] = {"seed": seed, "settings": WorldSettings(operator_fix_rate=fixing)}
        self.one, self.twin = Driver(**options), Driver(**options)
        self.updated: dict[str, str] = {}
        self.gone: set[str] = set()
        for number in numbers:
            self.ask("POST", ORDERS, PhoneNumber=number, SmsCapability="true")
        self.wait(36 * HOUR, [500])

    def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """The reply of both worlds, which is the same and never a 5xx."""
        one, twin = self.one.send(method, path, **more), self.twin.send(method, path, **more)
        assert one == twin
        assert one[0] < 500
        return one

    def pick(self, nth: int, legal: bool, allowed: Callable[[str], bool]) -> str:
        """The path of an order, deleted ones among them; where `legal`, of one in an allowed status."""
        orders = self.one.sandbox.orders()
        fit = [one for one in orders if allowed(one["status"]) and not one["deleted"]]
        among = fit if legal and fit else orders
        return f"{ORDERS}/{among[nth % len(among)]['sid'] if among else 'HR' + '0' * 32}"

    @rule(number=st.sampled_from(NUMBERS), fields=FIELDS)
    def create(self, number: str, fields: dict[str, Any]) -> None:
        """An order, or a refusal that has made nothing."""
        before = len(self.one.sandbox.orders())
        status, _ = self.ask("POST", ORDERS, PhoneNumber=number, SmsCapability="true", **fields)
        assert len(self.one.sandbox.orders()) - before == (status == 201)

    @rule(number=st.sampled_from(NUMBERS))
    def create_plainly(self, number: str) -> None:
        """An order of a number alone."""
        self.create(number, {})

    @rule(nth=NTH, legal=LEGAL, fields=FIELDS)
    def update(self, nth: int, legal: bool, fields: dict[str, Any]) -> None:
        """Anything may be asked of an order; a refusal changes no field, but for the call too many."""
        path = self.pick(nth, legal, may_update)
        before = self.ask("GET", path)
        status, after = self.ask("POST", path, **fields)
        if status != 200 and after["code"] != 22100:
            assert self.ask("GET", path) == before

    @rule(nth=NTH, legal=LEGAL, times=st.integers(1, 4))
    def call(self, nth: int, legal: bool, times: int) -> None:
        """A call is counted at once, where it is placed; the fourth is not."""
        path = self.pick(nth, legal, may_call)
        for _ in range(times):
            _, before = self.ask("GET", path)
            status, after = self.ask("POST", path, Status="pending-verification")
            if status == 200 and after["verification_type"] == "phone-call":
                assert after["verification_attempts"] == before["verification_attempts"] + 1
                assert after["status"] == "pending-verification"
            elif status == 400 and after["code"] == 22100:
                assert before["verification_attempts"] == MAX_ATTEMPTS

    @rule(nth=NTH, legal=LEGAL, right=LEGAL)
    def verify(self, nth: int, legal: bool, right: bool) -> None:
        """A code verifies exactly where it is the order's, asked for, and not ten minutes old."""
        path = self.pick(nth, legal, "pending-verification".__eq__)
        status, order = self.ask("GET", path)
        if status != 200:
            return
        code = order["verification_code"]
        pending = order["status"] == "pending-verification" and code is not None
        alive = pending and right and self.code_age(order["sid"]) < CODE_SECONDS
        answer, after = self.ask("POST", path, VerificationCode=code if right and code else "x")
        assert answer == (200 if alive else 400)
        assert after["status"] == "verified" if alive else after["code"] in (22112, 22113, 22114)

    @rule(nth=NTH, legal=LEGAL)
    def call_and_verify(self, nth: int, legal: bool) -> None:
        """A right code, given at once."""
        self.call(nth, legal, 1)
        self.verify(nth, True, True)

    @rule(nth=NTH, legal=LEGAL)
    def delete(self, nth: int, legal: bool) -> None:
        """Deleted where the table has it so, and then gone for good."""
        path = self.pick(nth, legal, may_cancel)
        status, order = self.ask("GET", path)
        answer, _ = self.ask("DELETE", path)
        assert answer == (404 if status == 404 else 204 if may_cancel(order["status"]) else 409)
        if answer == 204:
            self.gone.add(order["sid"])

    @rule(nths=st.lists(NTH, min_size=1, max_size=3), legal=LEGAL)
    def write_letter(self, nths: list[int], legal: bool) -> None:
        """A letter takes verified orders and no others."""
        paths = [self.pick(nth, legal, may_authorize) for nth in nths]
        found = [self.ask("GET", path) for path in paths]
        fit = all(status == 200 and may_authorize(order["status"]) for status, order in found)
        sids = [path.rpartition("/")[2] for path in paths]
        answer = self.one.letter(*sids)
        assert answer == self.twin.letter(*sids)
        assert answer[0] == (201 if fit else 400)

    @rule(
        nth=NTH,
        status=st.sampled_from(["opened", "signing", "signed", None]),
        nths=st.lists(NTH, max_size=2),
    )
    def update_letter(self, nth: int, status: str | None, nths: list[int]) -> None:
        """A letter is opened, changed, sent out again, or none of it; a refusal changes nothing."""
        letters = [sid for _, sid in self.one.service.world.books.letter_keys]
        if not letters:
            return
        path = f"{LETTERS}/{letters[nth % len(letters)]}"
        sids = [self.pick(nth, True, may_authorize).rpartition("/")[2] for nth in nths]
        form: dict[str, Any] = {"HostedNumberOrderSids": sids} if sids else {}
        if status is not None:
            form["Status"] = status
        before = self.ask("GET", path)
        if self.ask("POST", path, **form)[0] != 200:
            assert self.ask("GET", path) == before

    @rule(number=st.sampled_from(NUMBERS), fate=st.sampled_from(sorted(FATES)))
    def give_fate(self, number: str, fate: str) -> None:
        """The next order of a number has this fate."""
        for box in (self.one, self.twin):
            box.sandbox.set_fate(number, fate)

    @rule(span=SPANS, steps=st.lists(st.integers(1, 1000), min_size=1, max_size=8))
    def wait(self, span: int, steps: list[int]) -> None:
        """One step of the clock, and the same in as many steps as there are cuts, each looked at."""
        self.one.wait(span)
        cuts = sorted({span * step // 1000 for step in steps} | {span})
        for start, end in pairwise([0, *cuts]):
            self.twin.wait(end - start)
            self.twin.sandbox.orders()

    @rule(nth=NTH)
    def look(self, nth: int) -> None:
        """An update of nothing is the order as it was."""
        path = self.pick(nth, False, may_update)
        before = self.ask("GET", path)
        assert self.ask("POST", path) == before

    @invariant()
    def every_promise_holds(self) -> None:
        """After each step, all of these."""
        self.both_worlds_are_the_same()
        self.every_move_is_in_the_table()
        self.attempts_are_counted()
        self.no_date_goes_backwards()
        self.list_and_fetch_agree()
        self.a_number_has_one_live_order()

    def both_worlds_are_the_same(self) -> None:
        """One long step of the clock is many short ones."""
        self.truth = self.one.sandbox.orders()
        assert self.truth == self.twin.sandbox.orders()
        assert self.one.sandbox.calls() == self.twin.sandbox.calls()

    def every_move_is_in_the_table(self) -> None:
        """By its mover too; and nothing is dated before what came before it."""
        for order in self.truth:
            history = order["history"]
            path = [None, *(event["status"] for event in history)]
            for (source, target), event in zip(pairwise(path), history, strict=True):
                goal = None if target == "deleted" else target
                assert (source, goal, event["mover"]) in MOVED, (source, target, event["mover"])
            times = [event["at"] for event in history]
            assert times == sorted(times)
        for letter in self.one.service.world.books.letters.values():
            path = [None, *(event.status for event in letter.history)]
            assert all(may_letter_move(source, target) for source, target in pairwise(path)), path

    def attempts_are_counted(self) -> None:
        """Never above three, one call sid each; and a telephone rings only while that is of use."""
        calls = {call["sid"]: call["order_sid"] for call in self.one.sandbox.calls()}
        for order in self.truth:
            called = order["verification_call_sids"] or []
            assert len(called) == order["verification_attempts"] <= MAX_ATTEMPTS
            assert all(calls[sid] == order["sid"] for sid in called)
        pending = {one["sid"] for one in self.truth if one["status"] == "pending-verification"}
        ringing = [call for call in self.one.sandbox.calls() if call["outcome"] == "ringing"]
        assert {call["order_sid"] for call in ringing} <= pending - self.gone

    def no_date_goes_backwards(self) -> None:
        """`date_updated` only grows, and is never ahead of the clock."""
        now = self.one.sandbox.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        for order in self.truth:
            assert self.updated.get(order["sid"], "") <= order["date_updated"] <= now
            assert order["date_created"] <= order["date_updated"]
            self.updated[order["sid"]] = order["date_updated"]

    def list_and_fetch_agree(self) -> None:
        """What is listed, page by page, is what can be fetched; what is deleted is neither."""
        listed, token = [], None
        while True:
            query = {"PageSize": "3"} | ({"Page": "1", "PageToken": token} if token else {})
            page = self.one.send("GET", ORDERS, query=query)[1]
            listed += page["items"]
            if page["meta"]["next_page_url"] is None:
                break
            token = page["meta"]["next_page_url"].rpartition("=")[2]
        assert [self.one.order(order["sid"]) for order in listed] == listed
        deleted = {order["sid"] for order in self.truth if order["deleted"]}
        assert {order["sid"] for order in self.truth} - {order["sid"] for order in listed} == deleted
        assert deleted == self.gone
        assert all(self.one.send("GET", f"{ORDERS}/{sid}")[0] == 404 for sid in deleted)

    def a_number_has_one_live_order(self) -> None:
        """Of all orders of a number at most one is neither failed nor deleted."""
        live = [
            one["phone_number"] for one in self.truth if not one["deleted"] and one["status"] != "failed"
        ]
        assert len(live) == len(set(live))

    def code_age(self, sid: str) -> int:
        """Seconds since the order's present code was first carried by a call."""
        calls = self.one.service.world.books.calls_of(sid)
        order = self.one.service.world.books.orders[sid]
        first = next((call.at for call in calls if call.code == order.verification_code), 0)
        return int(self.one.sandbox.clock.now().timestamp()) - first


def test_no_order_of_calls_breaks_a_promise() -> None:
    """Hundreds of lives of up to thirty steps each, the same ones every time."""
    steady = settings(
        max_examples=500,
        stateful_step_count=30,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Life, settings=steady)
