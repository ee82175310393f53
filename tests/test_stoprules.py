"""A run ends by itself when what the service answers settles it, or repeats."""

from __future__ import annotations

import pytest

from hnbulk.errors import ServiceUnreachable
from hnbulk.outcome import Outcome, OutcomeKind
from hnbulk.settings import Pace
from hnbulk.stoprules import StopRules, why_stopped
from hnbulk.throttle import Throttle

OWN, OTHER = "AC" + "1" * 32, "AC" + "2" * 32


@pytest.fixture
def throttle() -> Throttle:
    return Throttle(Pace(None, 1, 120.0))


@pytest.fixture
def rules(throttle: Throttle) -> StopRules:
    return StopRules(throttle, OWN)


def test_half_of_the_first_twenty_refused_is_enough(throttle: Throttle, rules: StopRules) -> None:
    """And is not before all twenty are seen."""
    for n in range(19):
        rules.answered(refused=n < 10)
    assert not throttle.stopping
    rules.answered(refused=False)
    assert throttle.reason.startswith("10 of the first 20")


def test_fewer_refusals_are_not(throttle: Throttle, rules: StopRules) -> None:
    """Nine of twenty, and all after that."""
    for n in range(60):
        rules.answered(refused=n < 9 or n > 20)
    assert not throttle.stopping


def test_rows_left_in_a_row_are_counted(throttle: Throttle, rules: StopRules) -> None:
    """One that could be looked at in between begins the count anew."""
    for n in range(18):
        if n == 9:
            rules.looked_at()
        rules.left(ServiceUnreachable("no reply"))
    assert not throttle.stopping
    rules.left(ServiceUnreachable("no reply"))
    assert (throttle.exit_code, "no reply" in throttle.reason) == (6, True)


def test_a_403_closes_another_account_and_stops_the_own_one(throttle: Throttle, rules: StopRules) -> None:
    """The third in a row; an answer in between begins anew."""
    rules.forbidden(OTHER, "no", once=True)
    for _ in range(2):
        rules.forbidden(OWN, "no", once=False)
        rules.forbidden(OWN, "no", once=False)
        rules.answered(refused=False)
    assert (rules.closed, throttle.stopping) == ({OTHER}, False)
    rules.forbidden(OWN, "no access", once=True)
    assert (throttle.reason, throttle.exit_code) == ("no access", 7)


def test_the_third_403_in_a_row_stops_the_own_account(throttle: Throttle, rules: StopRules) -> None:
    """From the beginning, and after an answer in between."""
    for _ in range(2):
        rules.forbidden(OWN, "no", once=False)
    rules.answered(refused=True)
    for seen in (False, False, True):
        rules.forbidden(OWN, "no", once=False)
        assert throttle.stopping is seen


def test_three_403_are_enough_at_first(throttle: Throttle, rules: StopRules) -> None:
    """Two are not."""
    for seen in (False, False, True):
        rules.forbidden(OWN, "no", once=False)
        assert throttle.stopping is seen


@pytest.mark.parametrize(
    ("outcome", "refused", "told"),
    [
        (
            Outcome(OutcomeKind.STOP_RUN, "status-403", code=20003),
            True,
            "(status-403, code 20003). Check the cred",
        ),
        (Outcome(OutcomeKind.STOP_RUN, "status-401"), True, "(status-401). Check the credentials"),
        (Outcome(OutcomeKind.STOP_RUN, "redirect", code=1), False, "(redirect). Check the address."),
    ],
)
def test_a_person_is_told_what_to_check(outcome: Outcome, refused: bool, told: str) -> None:
    """Credentials where access was refused, with the service's code; else the address."""
    assert told in why_stopped(outcome, refused=refused)


@pytest.mark.parametrize(
    ("kind", "reason", "code"),
    [
        (OutcomeKind.STOP_RUN, "status-401", 7),
        (OutcomeKind.STOP_RUN, "status-403", 7),
        (OutcomeKind.STOP_RUN, "no-access", 7),
        (OutcomeKind.STOP_RUN, "unsaid-403", 7),
        (OutcomeKind.STOP_RUN, "certificate", 6),
        (OutcomeKind.NOT_SENT, "connect", 0),
    ],
)
def test_a_reply_that_settles_it_stops_the_run(
    throttle: Throttle, rules: StopRules, kind: OutcomeKind, reason: str, code: int
) -> None:
    """With 7 where it is about access, else with 6; nothing else does."""
    rules.told_to_stop(Outcome(kind, reason, code=20003))
    assert (throttle.exit_code, throttle.stopping) == (code, code > 0)
    assert (reason.removeprefix("unsaid-") in throttle.reason) is (code > 0)
