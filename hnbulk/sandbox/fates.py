"""What becomes of a number: the settings of the outside world, and the table of fixed fates.

Most numbers are `ordinary`: chance decides, at the rates of `WorldSettings`. A number with a
fixed fate does as its row says, every time, and everything else goes well with it. These are the
numbers; administration (`POST /fates`) can give any number any fate by name.

    +19075550170  smooth               first call answered, letter signed, completed
    +19075550171  never-answers        nobody picks up, ever
    +19075550172  wrong-code-twice     keys a wrong code on two calls, the right one on the third
    +19075550173  wrong-code           keys a wrong code on every call
    +19075550174  second-call          misses the first call, answers the second
    +19075550175  caller-id            a verified caller id already: verified without a call
    +19075550176  sms-enabled          already SMS enabled: fails after the check
    +19075550177  not-hostable         refused at once, error 22110
    +19075550178  call-blocked         the call cannot be placed, error 22123
    +19075550179  needs-extension      behind a menu: answered only where an extension is set
    +19075550180  check-trouble        the check ends in action-required
    +19075550181  carrier-rejects      the carrier refuses: action-required
    +19075550182  test-fails           the capability test fails: action-required
    +19075550183  signer-refuses       every letter with this number is refused
    +19075550184  refuses-once         the first letter is refused, the next one signed
    +19075550185  never-signed         no letter with this number is ever signed
    +19075550186  goes-idle            the check never ends: failed after thirty idle days
    +19075550187  bill-refused         a phone bill is not accepted: action-required
    +19075550188  sms-enabled-once     the first order fails as SMS enabled, the next one goes well
    +19075550189  expired-code         answers, but keys the code only after it has expired
    +19075550190  letter-fails         the first letter fails on its way, the next one is signed

An ordinary number on one of the lines 555-0100 to 555-0119 is never refused at create, whatever
the seed, so that a rehearsal can count on it.

A letter shares the fate of the numbers in it: one that is refused, fails or is never signed is enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from hnbulk.sandbox import chance
from hnbulk.sandbox.clock import DAY, HOUR
from hnbulk.sandbox.nanp import is_toll_free, local_time

Span = tuple[int, int]
#: Rates by where and when: "415@14" an area code and a local hour, "415" or "@14" one of them.
Rates = tuple[tuple[str, float], ...]
Conflict = Literal[20409, 22112]
RuleStatus = Literal[400, 409, 422]


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """How the outside world behaves where no fixed fate speaks. Rates are of 1, spans from..to.

    What nobody documents is a setting here, and its default is our choice.
    """

    # How long the stages take that are not ours (hours).
    min_stage_hours: int = 12  # no stage the world drives is shorter: a poll every 6 h sees each
    check_hours: Span = (12, 36)
    signing_hours: Span = (12, 120)
    carrier_hours: Span = (12, 30)  # landline: up to one business day
    carrier_toll_free_hours: Span = (48, 72)  # toll-free: two to three
    testing_hours: Span = (12, 24)
    review_hours: Span = (24, 48)  # an operator looks at a phone bill
    # Idleness (days).
    verification_idle_days: float = 7  # received, pending-verification -> action-required
    letter_idle_days: float = 7  # pending-loa -> action-required
    action_days: float = 7  # action-required -> failed
    idle_days: float = 30  # any other -> failed
    # How often it goes wrong.
    sms_enabled_rate: float = 0.03
    not_hostable_rate: float = 0.015
    trouble_rate: float = 0.015  # action-required at the check, the carrier or the test
    carrier_reject_rate: float = 0.01
    bill_refused_rate: float = 0.05
    letter_refused_rate: float = 0.02
    letter_unsigned_rate: float = 0.06
    # The telephone.
    answer_rate: float = 0.75  # between 9 and 17 on a weekday, where the number is
    answer_rate_off_hours: float = 0.25
    answer_rates: Rates = ()  # in place of both, where an area code or a local hour has one
    wrong_code_rate: float = 0.05  # of those who answer
    keying_seconds: Span = (30, 150)
    ringing_seconds: Span = (25, 60)
    code_digits: int = 6
    # Operators.
    operator_fix_rate: float = 0.0  # action-required sent back
    operator_hours: Span = (24, 120)
    release_days: float = 3  # an off-boarded number is gone after so long
    last_failure_ends: bool = True  # the third failed call itself; False: only a fourth request
    # The service.
    enforce_numbers: bool = True  # False: a number may have several live orders
    enforce_unique_names: bool = True
    address_by_unique_name: bool = False  # an order's path may have its UniqueName in place of its sid
    rule_status: RuleStatus = 400  # the HTTP status of the 22xxx errors
    delete_only_received: bool = False  # the stricter reading of DELETE
    delete_conflict_code: Conflict = 20409  # of a DELETE in a wrong status: 409; 22112 is a 400
    list_newest_first: bool = True  # nobody says in which order lists come
    page_size_clamped: bool = True  # False: a PageSize out of 1 to 1000 is 400, 20007
    max_call_delay: int = 60  # 30 is the stricter reading
    contact_required: bool = True  # a letter needs ContactTitle and ContactPhoneNumber
    preview_access: bool = True  # False: the account has no access to this API, all is 404
    concurrency_limit: int | None = None  # more requests than this at once: 429
    latency: float = 0.0  # real seconds each request takes
    subaccounts: int = 2
    # Status callbacks: to loopback, and over https to the hosts named here (`host` or `host:port`).
    callback_hosts: tuple[str, ...] = ()
    callback_method: str = "POST"  # where the order names none
    callback_retries: int = 1  # after no connection or no reply
    callback_retry_5xx: bool = True  # False: a reply of 5xx is an answer
    callback_connect_seconds: float = 5.0  # real ones, as all of these
    callback_total_seconds: float = 15.0
    callback_duplicate_rate: float = 0.0
    callback_loss_rate: float = 0.0
    callback_reorder_rate: float = 0.0  # held back for so long, and overtaken by later ones
    callback_hold_seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Fate:
    """What is fixed for a number; None leaves it to chance. Of a tuple, the last item repeats."""

    name: str
    hostable: bool | None = None
    check: tuple[str, ...] | None = None  # received verified failed action-required never, by attempt
    calls: tuple[str, ...] | None = None  # right wrong no-answer late, by call
    bill: str | None = None  # accepted refused
    letters: tuple[str, ...] | None = None  # signed refused never failed, by letter
    carrier: str | None = None  # enabled rejected
    test: str | None = None  # passed failed
    call_blocked: bool = False
    needs_extension: bool = False


ORDINARY = Fate("ordinary")
SMOOTH = Fate(
    "smooth",
    hostable=True,
    check=("received",),
    calls=("right",),
    bill="accepted",
    letters=("signed",),
    carrier="enabled",
    test="passed",
)

# In the order of the table above: the first belongs to +19075550170, the next to ...171, and so on.
_FIXED: tuple[Fate, ...] = (
    SMOOTH,
    replace(SMOOTH, name="never-answers", calls=("no-answer",)),
    replace(SMOOTH, name="wrong-code-twice", calls=("wrong", "wrong", "right")),
    replace(SMOOTH, name="wrong-code", calls=("wrong",)),
    replace(SMOOTH, name="second-call", calls=("no-answer", "right")),
    replace(SMOOTH, name="caller-id", check=("verified",)),
    replace(SMOOTH, name="sms-enabled", check=("failed",)),
    replace(SMOOTH, name="not-hostable", hostable=False),
    replace(SMOOTH, name="call-blocked", call_blocked=True),
    replace(SMOOTH, name="needs-extension", needs_extension=True),
    replace(SMOOTH, name="check-trouble", check=("action-required",)),
    replace(SMOOTH, name="carrier-rejects", carrier="rejected"),
    replace(SMOOTH, name="test-fails", test="failed"),
    replace(SMOOTH, name="signer-refuses", letters=("refused",)),
    replace(SMOOTH, name="refuses-once", letters=("refused", "signed")),
    replace(SMOOTH, name="never-signed", letters=("never",)),
    replace(SMOOTH, name="goes-idle", check=("never",)),
    replace(SMOOTH, name="bill-refused", bill="refused"),
    replace(SMOOTH, name="sms-enabled-once", check=("failed", "received")),
    replace(SMOOTH, name="expired-code", calls=("late",)),
    replace(SMOOTH, name="letter-fails", letters=("failed", "signed")),
)
#: Every fate by name.
FATES: dict[str, Fate] = {fate.name: fate for fate in (ORDINARY, *_FIXED)}
#: The test numbers and the names of their fates.
FIXED_NUMBERS: dict[str, str] = {
    f"+1907555{170 + place:04d}": fate.name for place, fate in enumerate(_FIXED)
}


@dataclass(frozen=True, slots=True)
class Case:
    """What a fate is asked about: one order, as far as chance depends on it."""

    seed: int
    account: str
    phone_number: str
    attempt: int
    fate: str = "ordinary"

    def parts(self, *more: chance.Part) -> tuple[chance.Part, ...]:
        """The parts that chance is a function of."""
        return (self.seed, self.account, self.phone_number, self.attempt, *more)


def is_hostable(case: Case, world: WorldSettings) -> bool:
    """The number is not refused at once."""
    fixed = FATES[case.fate].hostable
    if fixed is not None:
        return fixed
    return is_sure(case.phone_number) or chance.draw(*case.parts("hostable")) >= world.not_hostable_rate


def is_sure(phone_number: str) -> bool:
    """One of the fictional lines 555-0100 to 555-0119, which no seed refuses at create."""
    return re.fullmatch(r"\+1[0-9]{3}55501[01][0-9]", phone_number) is not None


def check_ends(case: Case, world: WorldSettings) -> tuple[str, int]:
    """What the check of a number leads to (a status, or `never`), and after how many seconds."""
    after = stage_seconds(case, world, "check", world.check_hours)
    fixed = FATES[case.fate].check
    if fixed is not None:
        return _nth(fixed, case.attempt), after
    if chance.draw(*case.parts("sms-enabled")) < world.sms_enabled_rate:
        return "failed", after
    return ("action-required" if _trouble(case, world, "check") else "received"), after


def carrier_ends(case: Case, world: WorldSettings) -> tuple[str, int]:
    """`enabled` or `rejected`, and after how many seconds."""
    span = world.carrier_toll_free_hours if is_toll_free(case.phone_number) else world.carrier_hours
    after = stage_seconds(case, world, "carrier", span)
    fixed = FATES[case.fate].carrier
    if fixed is not None:
        return fixed, after
    rejected = chance.draw(*case.parts("rejected")) < world.carrier_reject_rate
    return ("rejected" if rejected or _trouble(case, world, "carrier") else "enabled"), after


def capability_ends(case: Case, world: WorldSettings) -> tuple[str, int]:
    """`passed` or `failed`, and after how many seconds."""
    after = stage_seconds(case, world, "test", world.testing_hours)
    fixed = FATES[case.fate].test
    return fixed or ("failed" if _trouble(case, world, "test") else "passed"), after


def bill_ends(case: Case, world: WorldSettings, review: int) -> tuple[str, int]:
    """`accepted` or `refused`, and after how many seconds, for the nth review of an order."""
    low, high = world.review_hours
    after = chance.between(low * HOUR, high * HOUR, *case.parts("review", review))
    fixed = FATES[case.fate].bill
    refused = chance.draw(*case.parts("bill", review)) < world.bill_refused_rate
    return fixed or ("refused" if refused else "accepted"), after


def call_ends(case: Case, world: WorldSettings, call: int, at: int, *, extension: bool) -> tuple[str, int]:
    """What comes of the nth call placed at `at`, and after how many seconds.

    `right`, `wrong`, `no-answer`, or `late`: the right code, keyed after it has expired.
    """
    fate = FATES[case.fate]
    keying = chance.between(*world.keying_seconds, *case.parts("keying", call))
    ringing = chance.between(*world.ringing_seconds, *case.parts("ringing", call))
    if fate.needs_extension and not extension:
        return "no-answer", ringing
    if fate.calls is not None:
        ends = _nth(fate.calls, call)
        return ends, {"no-answer": ringing, "late": 11 * 60}.get(ends, keying)
    if chance.draw(*case.parts("answer", call)) >= answer_rate_at(world, case.phone_number, at):
        return "no-answer", ringing
    wrong = chance.draw(*case.parts("code-keyed", call)) < world.wrong_code_rate
    return ("wrong" if wrong else "right"), keying


def answer_rate_at(world: WorldSettings, phone_number: str, at: int) -> float:
    """How many of the calls to a number at a time are answered, of 1.

    What `answer_rates` has for its area code and local hour, else for the code, else for the
    hour (of any day); else the rate in or out of office hours. Of one key, the last counts.
    """
    local = local_time(phone_number, at)
    code, hour = phone_number[2:5], f"@{local.hour}"
    rates = dict(world.answer_rates)
    for key in (code + hour, code, hour):
        if key in rates:
            return rates[key]
    office = local.weekday() < 5 and 9 <= local.hour < 17
    return world.answer_rate if office else world.answer_rate_off_hours


def letter_ends(
    seed: int, letter_sid: str, fates: list[tuple[str, int]], world: WorldSettings
) -> tuple[str, int]:
    """`signed`, `refused`, `failed` or `never`, and after how many seconds, for a letter sent out now.

    `fates` are those of its numbers, each with how many letters the number has had, this included.
    """
    low, high = (max(hours, world.min_stage_hours) * HOUR for hours in world.signing_hours)
    after = chance.between(low, high, seed, letter_sid, "signing")
    fixed = [_nth(letters, nth) for name, nth in fates if (letters := FATES[name].letters)]
    for ends in ("refused", "failed", "never"):
        if ends in fixed:
            return ends, after
    if fixed and len(fixed) == len(fates):
        return "signed", after
    luck = chance.draw(seed, letter_sid, "signer")
    if luck < world.letter_refused_rate:
        return "refused", after
    return ("never" if luck < world.letter_refused_rate + world.letter_unsigned_rate else "signed"), after


def operator_ends(case: Case, world: WorldSettings, nth: int) -> int | None:
    """Seconds until an operator sends an order in action-required back; None where none does."""
    if chance.draw(*case.parts("operator", nth)) >= world.operator_fix_rate:
        return None
    low, high = world.operator_hours
    return chance.between(low * HOUR, high * HOUR, *case.parts("operator-time", nth))


def stage_seconds(case: Case, world: WorldSettings, stage: str, hours: Span) -> int:
    """How long a stage of the world's lasts, never less than `min_stage_hours`."""
    low, high = (max(hour, world.min_stage_hours) * HOUR for hour in hours)
    return chance.between(low, high, *case.parts(stage))


def days(count: float) -> int:
    """Days in seconds."""
    return round(count * DAY)


def _trouble(case: Case, world: WorldSettings, stage: str) -> bool:
    """The order is one of the few that get stuck, and this is the stage where it does."""
    if chance.draw(*case.parts("trouble")) >= world.trouble_rate:
        return False
    return ("check", "carrier", "test")[chance.between(0, 2, *case.parts("trouble-at"))] == stage


def _nth(items: tuple[str, ...], nth: int) -> str:
    return items[min(nth, len(items)) - 1]
