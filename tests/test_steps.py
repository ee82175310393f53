"""Steps as values: fixed, sorted, and the same hash for the same request."""

from __future__ import annotations

import dataclasses

import pytest

from hnbulk.steps import SEVERITY, Action, State, Step, canonical, sort_steps

STEP = Step(
    2, Action.CREATE, "+15017122661", after={"friendly_name": "Empfang Süd", "cc_emails": ["a@b.c"]}
)


def test_steps_sort_by_wave_row_and_action_whatever_their_order() -> None:
    """A dependent update follows its create; steps without a row come last; waves come first."""
    create = Step(2, Action.CREATE, "+15017122661")
    update = Step(2, Action.UPDATE, "+15017122661", after={"extension": "7"})
    later = Step(1, Action.VERIFY, "+15017122662", precondition={"wave": 1})
    rowless = Step(None, Action.CANCEL, "+15017122663", sid="HR1")
    expected = (create, update, rowless, later)
    assert sort_steps([later, rowless, update, create]) == expected
    assert sort_steps([update, create, later, rowless]) == expected


def test_a_step_cannot_be_changed() -> None:
    """What a step holds is fixed, down to its mappings."""
    with pytest.raises(TypeError):
        STEP.after["friendly_name"] = "other"  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        STEP.row = 3  # type: ignore[misc]


def test_equal_requests_have_equal_content_hashes() -> None:
    """The hash is of what is sent: row, risk and precondition do not count, a value does."""
    same = dataclasses.replace(STEP, row=9, risk="x", precondition={"live": None})
    assert same.content_hash() == STEP.content_hash()
    assert dataclasses.replace(STEP, after={}).content_hash() != STEP.content_hash()


def test_canonical_text_is_one_text_for_one_value() -> None:
    """The order of keys does not matter; signs stay readable."""
    assert canonical({"b": 1, "a": "ü"}) == canonical({"a": "ü", "b": 1}) == '{"a":"ü","b":1}'


def test_every_state_has_its_place_in_the_order_of_severity() -> None:
    """A new state cannot be forgotten where the worst of a row is found."""
    assert set(SEVERITY) == set(State)
