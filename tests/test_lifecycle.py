"""The tables agree with the reference page and with each other."""

from __future__ import annotations

import pytest

from hnbulk import lifecycle
from hnbulk.lifecycle import (
    ASKABLE,
    FUNNEL,
    LETTER_MOVES,
    LETTER_ORDER,
    MOVES,
    ORDER,
    STATUSES,
    Mover,
    UnknownStatusWarning,
)


def test_there_are_the_ten_statuses_of_the_reference_page() -> None:
    """In funnel order, the side statuses last."""
    assert ORDER == (
        "twilio-processing", "received", "pending-verification", "verified", "pending-loa",
        "carrier-processing", "testing", "completed", "action-required", "failed",
    )  # fmt: skip
    assert ORDER[:8] == FUNNEL
    assert [lifecycle.position(name) for name in (*ORDER, "new")] == list(range(11))


def test_every_move_is_between_known_statuses() -> None:
    """None is creation or deletion."""
    assert {move.source for move in MOVES} | {move.target for move in MOVES} <= {None, *ORDER}
    assert {m.source for m in LETTER_MOVES} | {m.target for m in LETTER_MOVES} <= {None, *LETTER_ORDER}
    assert all(move.when for move in (*MOVES, *LETTER_MOVES))


def test_terminal_is_what_nothing_leaves() -> None:
    """And everything else can be left."""
    left = {move.source for move in MOVES}
    assert {status.name for status in STATUSES if status.terminal} == set(ORDER) - left


def test_every_status_can_be_reached_from_creation_and_can_end() -> None:
    """No island and no dead end."""
    reached: set[str | None] = {None}
    for _ in ORDER:
        reached |= {move.target for move in MOVES if move.source in reached}
    assert reached >= set(ORDER)
    ending: set[str | None] = {"completed", "failed"}
    for _ in ORDER:
        ending |= {move.source for move in MOVES if move.target in ending}
    assert ending >= set(ORDER)


def test_what_may_be_canceled_is_what_the_reference_page_says() -> None:
    """received, pending-verification, verified, pending-loa; the moves say the same."""
    allowed = {name for name in ORDER if lifecycle.may_cancel(name)}
    assert allowed == {"received", "pending-verification", "verified", "pending-loa"}
    assert allowed == {move.source for move in MOVES if move.target is None}


def test_what_may_be_called_is_what_a_client_may_move_there() -> None:
    """Only into pending-verification, again and again."""
    allowed = {name for name in ORDER if lifecycle.may_call(name)}
    asked = {move.source for move in MOVES if move.mover is Mover.CLIENT and move.target == ASKABLE}
    assert allowed == asked == {"received", "pending-verification"}


def test_a_client_moves_nothing_else() -> None:
    """Create, call, code, letter, cancel."""
    targets = {move.target for move in MOVES if move.mover is Mover.CLIENT}
    assert targets == {"twilio-processing", "pending-verification", "verified", "pending-loa", None}


def test_live_is_all_but_failed() -> None:
    """A failed order may be followed by a new one; a completed one still holds the number."""
    assert [name for name in ORDER if not lifecycle.is_live(name)] == ["failed"]
    assert [name for name in ORDER if lifecycle.is_terminal(name)] == ["completed", "failed"]
    assert [name for name in ORDER if not lifecycle.may_update(name)] == ["completed", "failed"]
    assert [name for name in ORDER if lifecycle.may_authorize(name)] == ["verified"]


def test_moves_are_asked_by_both_ends() -> None:
    """For orders and letters."""
    assert lifecycle.may_move(None, "twilio-processing")
    assert not lifecycle.may_move("completed", "received")
    assert lifecycle.may_letter_move("opened", "signing")
    assert not lifecycle.may_letter_move("signed", "opened")


def test_an_unknown_status_is_allowed_nothing_and_counts_as_live() -> None:
    """It never crashes and is never touched."""
    name = "hibernating"
    assert lifecycle.known(name) is None
    assert lifecycle.is_live(name)
    asked = ("is_terminal", "may_cancel", "may_call", "may_update", "may_authorize")
    assert [getattr(lifecycle, question)(name) for question in asked] == [False] * 5
    with pytest.warns(UnknownStatusWarning, match="hibernating"):
        lifecycle.note_unknown(name)


def test_known_statuses_do_not_warn() -> None:
    """Each has its row."""
    for name in ORDER:
        lifecycle.note_unknown(name)
        assert lifecycle.known(name) is not None


def test_the_rules_of_the_page_are_numbers() -> None:
    """Ten minutes, three attempts."""
    assert (lifecycle.CODE_LIFETIME.total_seconds(), lifecycle.MAX_ATTEMPTS) == (600, 3)
