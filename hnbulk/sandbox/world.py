"""The outside world: Twilio's checks, people who answer phones, signers, carriers, idle timers.

What happens next to an order follows from its record and its fate alone; the world keeps a list
of these moments and carries each out at its own time, so one long step of the clock and many
short ones come to the same. It knows no HTTP and no API parameter. The numbers with fixed fates
are in the table of `fates`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from threading import RLock

from hnbulk.lifecycle import CODE_LIFETIME, MAX_ATTEMPTS, Mover, may_authorize, may_letter_move, may_move
from hnbulk.sandbox import chance, fates
from hnbulk.sandbox.fates import FATES, FIXED_NUMBERS, Case, WorldSettings
from hnbulk.sandbox.moments import ATTEMPTS_USED, Moment, next_moment
from hnbulk.sandbox.records import Books, Call, Event, Letter, Number, Order

CODE_SECONDS = int(CODE_LIFETIME.total_seconds())

# (due, label, attempt, change, sid, ticket): ties are broken by what they are about, never by arrival.
Entry = tuple[int, str, int, int, str, int]


class World:
    """One world. Every call that changes it holds `lock`, and gives whole seconds since 1970."""

    def __init__(self, seed: int, settings: WorldSettings) -> None:
        self.seed = seed
        self.settings = settings
        self.lock = RLock()
        self.books = Books()
        self.fates: dict[str, str] = dict(FIXED_NUMBERS)
        #: Told of every change of an order's status, under `lock`; it must return at once.
        self.tell: Callable[[Order, Number | None], None] | None = None
        #: Some number has, or had, a StatusCallbackUrl: somebody is to be told.
        self.calls_back = False
        self._due: list[Entry] = []
        self._moments: dict[str, Moment] = {}  # by order, what its valid entry in the list stands for

    # What happens by itself.

    def next_due(self) -> int | None:
        """When the next thing happens by itself, None where nothing will."""
        while self._due:
            due, _, _, _, sid, ticket = self._due[0]
            if self._ticket(sid) == ticket:
                return due
            heapq.heappop(self._due)
        return None

    def run_until(self, now: int) -> None:
        """Everything due until `now`, included, has happened, each thing at its own time."""
        while (due := self.next_due()) is not None and due <= now:
            sid = heapq.heappop(self._due)[4]
            if sid in self.books.letters:
                self._end_letter(self.books.letters[sid], due)
            else:
                self._carry_out(self.books.orders[sid], due)

    def reschedule_all(self) -> None:
        """The list of what is due is made anew from the records, as after restoring them."""
        self._due.clear()
        self._moments.clear()
        for order in self.books.orders.values():
            self._schedule(order)
        for letter in self.books.letters.values():
            self._schedule_letter(letter)
        self.calls_back = any(map(_calls_back, self.books.numbers.values()))

    # What a client does.

    def case_for(self, account: str, phone_number: str) -> Case:
        """The next order of a number in an account, as chance sees it."""
        earlier = sum(order.account_sid == account for order in self.books.with_number(phone_number))
        return Case(self.seed, account, phone_number, earlier + 1, self.fates.get(phone_number, "ordinary"))

    def create(self, case: Case, now: int, *, number_settings: dict[str, str], **shown: object) -> Order:
        """A new order in `twilio-processing`, with its incoming phone number."""
        order = Order(
            sid=chance.sid("HR", *case.parts()),
            account_sid=case.account,
            incoming_phone_number_sid=chance.sid("PN", *case.parts()),
            phone_number=case.phone_number,
            attempt=case.attempt,
            fate=case.fate,
            created=now,
            updated=now,
            since=now,
        )
        for name, value in shown.items():
            setattr(order, name, value)
        number = Number(
            order.incoming_phone_number_sid, case.account, case.phone_number, order.sid, now, now
        )
        self.configure(number, number_settings, now)
        order.history.append(Event.by(Mover.CLIENT, order.status, now))
        self.books.add_order(order, number)
        self._schedule(order)
        return order

    def configure(self, number: Number, settings: Mapping[str, str], now: int) -> None:
        """The incoming phone number has these settings beside those it had."""
        number.settings = {**number.settings, **settings}
        number.updated = now
        self.calls_back = self.calls_back or _calls_back(number)

    def touch(self, order: Order, now: int) -> None:
        """The order has been changed by its client."""
        order.updated = now
        self._schedule(order)

    def call(self, order: Order, now: int) -> Call:
        """A verification call is under way; the order is in `pending-verification`.

        Within the code's ten minutes the call carries the same code, after them a new one.
        """
        order.calls_placed += 1
        nth = order.calls_placed
        case = self._case(order)
        if order.verification_code is None or now >= order.code_at + CODE_SECONDS:
            order.verification_code = chance.digits(self.settings.code_digits, *case.parts("code", nth))
            order.code_at = now
        ends, after = fates.call_ends(
            case, self.settings, nth, now + order.call_delay, extension=order.extension is not None
        )
        call = Call(
            sid=chance.sid("CA", *case.parts(nth)),
            order_sid=order.sid,
            phone_number=order.phone_number,
            at=now,
            attempt=nth,
            ends=ends,
            ends_at=now + order.call_delay + after,
            code=order.verification_code,
        )
        self.books.add_call(call)
        order.verification_attempts += 1
        order.verification_call_sids = [*(order.verification_call_sids or ()), call.sid]
        self._move(order, "pending-verification", Mover.CLIENT, now)
        return call

    def review(self, order: Order, now: int) -> None:
        """A phone bill is under review; the order is in `pending-verification`."""
        if order.review_at is None:
            order.reviews += 1
            order.review_at = now
            self._move(order, "pending-verification", Mover.CLIENT, now)

    def use_up(self, order: Order, now: int) -> None:
        """One attempt too many: the order requires action."""
        self._move(order, "action-required", Mover.TWILIO, now, ATTEMPTS_USED)

    def code_is_right(self, order: Order, code: str, now: int) -> bool:
        """`code` is the order's, and its ten minutes are not over."""
        return code == order.verification_code and now < order.code_at + CODE_SECONDS

    def verify(self, order: Order, now: int, mover: Mover = Mover.CLIENT) -> None:
        """The order's ownership is verified."""
        self._move(order, "verified", mover, now)

    def delete(self, order: Order, now: int) -> None:
        """The order is canceled and its incoming phone number gone."""
        _hold(may_move(order.status, None), order.status, "deleted")
        self._hang_up(order)
        order.history.append(Event.by(Mover.CLIENT, "deleted", now))
        order.updated = now
        self.books.remove_order(order)
        self._schedule(order)

    def write_letter(
        self, account: str, orders: Sequence[Order], now: int, *, address_sid: str, email: str
    ) -> Letter:
        """A letter for `orders` is out for signing; its content is still to be filled in."""
        about = [f"{order.sid}.{order.letters + 1}" for order in sorted(orders, key=lambda one: one.sid)]
        letter = Letter(
            sid=chance.sid("PX", self.seed, account, *about),
            account_sid=account,
            address_sid=address_sid,
            email=email,
            contact_title=None,
            contact_phone_number=None,
            order_sids=[order.sid for order in orders],
            created=now,
            updated=now,
        )
        letter.history.append(Event.by(Mover.CLIENT, "signing", now))
        self.books.add_letter(letter)
        self._send_out(letter, now)
        return letter

    def reopen(self, letter: Letter, now: int) -> None:
        """The letter's content may change; its orders are back in `verified`."""
        self._move_letter(letter, "opened", Mover.CLIENT, now)
        self._release(letter, Mover.SIGNER, now)

    def may_sign_again(self, letter: Letter) -> bool:
        """At least one of the letter's orders is free and verified."""
        return any(_is_free(self.books.orders[sid]) for sid in letter.order_sids)

    def sign_again(self, letter: Letter, now: int) -> None:
        """The letter is out for signing again, with those of its orders that are free and verified."""
        self._move_letter(letter, "signing", Mover.CLIENT, now)
        self._send_out(letter, now)

    # The moments of an order.

    def _schedule(self, order: Order) -> None:
        order.ticket += 1
        moment = self._next_moment(order)
        self._moments.pop(order.sid, None)
        if moment is not None:
            self._moments[order.sid] = moment
            entry = (moment.at, order.phone_number, order.attempt, order.changes, order.sid, order.ticket)
            heapq.heappush(self._due, entry)

    def _next_moment(self, order: Order) -> Moment | None:
        calls = self.books.calls_of(order.sid) if order.status == "pending-verification" else ()
        return next_moment(order, self._case(order), calls, self.settings)

    def _carry_out(self, order: Order, at: int) -> None:
        moment = self._moments.pop(order.sid)
        match moment.what:
            case "call":
                self._end_call(order, self.books.calls[moment.call_sid], at)
            case "fixed":
                self._send_back(order, at)
            case _:
                self._move(order, moment.target, moment.mover, at, moment.reason)

    def _end_call(self, order: Order, call: Call, at: int) -> None:
        # an old code is as good as an expired one: a newer call has brought another since
        over = at >= order.code_at + CODE_SECONDS or call.code != order.verification_code
        call.outcome = "late" if call.ends == "right" and over else call.ends
        if call.outcome == "right":
            self._move(order, "verified", Mover.PERSON, at)
        elif self._is_used_up(order):
            self._move(order, "action-required", Mover.TWILIO, at, ATTEMPTS_USED)
        else:
            self._schedule(order)

    def _hang_up(self, order: Order) -> None:
        """Nothing about the order's verification is under way any more."""
        order.review_at = None
        if order.calls_placed:
            for call in self.books.calls_of(order.sid):
                call.outcome = "hung-up" if call.outcome == "ringing" else call.outcome

    def _is_used_up(self, order: Order) -> bool:
        """All attempts were made, the last of them is over, and its end is the end."""
        if not self.settings.last_failure_ends or order.verification_attempts < MAX_ATTEMPTS:
            return False
        if order.review_at is not None:  # the bill decides now
            return False
        return not any(call.outcome == "ringing" for call in self.books.calls_of(order.sid))

    def _send_back(self, order: Order, at: int) -> None:
        """An operator has found the fault: on from where it was met, with fresh attempts."""
        met = next(e.status for e in reversed(order.history[:-1]) if e.status != "action-required")
        back = {"twilio-processing": "received", "pending-verification": "received"}
        order.verification_attempts, order.verification_call_sids = 0, None
        order.verification_code, order.signing_document_sid = None, None
        onward = {"pending-loa": "verified", "testing": "carrier-processing"}
        self._move(order, {**back, **onward}.get(met, met), Mover.OPERATOR, at)

    def _move(self, order: Order, target: str, mover: Mover, at: int, reason: str = "") -> None:
        _hold(may_move(order.status, target), order.status, target)
        order.changes += 1
        changed = target != order.status
        if changed:
            order.since = at
        if target != "pending-verification":
            self._hang_up(order)
        order.status = target
        order.updated = at
        order.failure_reason = reason
        order.history.append(Event.by(mover, target, at))
        number = self.books.numbers.get(order.incoming_phone_number_sid)
        if target == "completed" and number is not None:
            number.status, number.updated = "in-use", at
        if changed and self.tell is not None:
            self.tell(order, number)
        self._schedule(order)

    # The moments of a letter.

    def _send_out(self, letter: Letter, now: int) -> None:
        """The mail is out: the letter's free, verified orders wait for its signature."""
        letter.sent += 1
        taken = [order for sid in letter.order_sids if _is_free(order := self.books.orders[sid])]
        for order in taken:
            order.letters += 1
            order.signing_document_sid = letter.sid
            self._move(order, "pending-loa", Mover.CLIENT, now)
        dealt = [(order.fate, order.letters) for order in taken]
        letter.ends, after = fates.letter_ends(
            self.seed, f"{letter.sid}.{letter.sent}", dealt, self.settings
        )
        letter.due = None if letter.ends == "never" else now + after
        self._schedule_letter(letter)

    def _end_letter(self, letter: Letter, at: int) -> None:
        if letter.ends in ("refused", "failed"):
            target, mover = (
                ("canceled", Mover.SIGNER) if letter.ends == "refused" else ("failed", Mover.TWILIO)
            )
            self._move_letter(letter, target, mover, at)
            self._release(letter, Mover.SIGNER, at)
            return
        self._move_letter(letter, "signed", Mover.SIGNER, at)
        for order in self._waiting_for(letter):
            self._move(order, "carrier-processing", Mover.SIGNER, at)

    def _release(self, letter: Letter, mover: Mover, at: int) -> None:
        for order in self._waiting_for(letter):
            order.signing_document_sid = None
            self._move(order, "verified", mover, at)

    def _waiting_for(self, letter: Letter) -> list[Order]:
        orders = (self.books.orders[sid] for sid in letter.order_sids)
        waiting = [
            order
            for order in orders
            if order.status == "pending-loa"
            and order.signing_document_sid == letter.sid
            and not order.deleted
        ]
        return sorted(waiting, key=lambda order: (order.phone_number, order.attempt))

    def _move_letter(self, letter: Letter, target: str, mover: Mover, at: int) -> None:
        _hold(may_letter_move(letter.status, target), letter.status, target)
        letter.status = target
        letter.updated = at
        letter.due = None
        letter.history.append(Event.by(mover, target, at))
        self._schedule_letter(letter)

    def _schedule_letter(self, letter: Letter) -> None:
        letter.ticket += 1
        if letter.due is not None:
            heapq.heappush(self._due, (letter.due, letter.sid, 0, letter.sent, letter.sid, letter.ticket))

    def _case(self, order: Order) -> Case:
        return Case(self.seed, order.account_sid, order.phone_number, order.attempt, order.fate)

    def _ticket(self, sid: str) -> int:
        letter = self.books.letters.get(sid)
        return self.books.orders[sid].ticket if letter is None else letter.ticket


def give_fates(world: World, given: Mapping[str, str]) -> None:
    """Orders of the numbers made from now on have these fates; those there are keep theirs.

    Raises `ValueError` for a fate that is none, and then no number has been given one.
    """
    for name in given.values():
        if name not in FATES:
            raise ValueError(f"no such fate: {name!r}; there are {', '.join(FATES)}")
    world.fates.update(given)


def _calls_back(number: Number) -> bool:
    return bool(number.settings.get("StatusCallbackUrl"))


def _is_free(order: Order) -> bool:
    return may_authorize(order.status) and not order.deleted


def _hold(allowed: bool, source: str, target: str) -> None:
    if not allowed:
        raise RuntimeError(f"the lifecycle has no move from {source} to {target}")
