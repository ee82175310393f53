"""One tree of errors, each with its exit code and its facts."""

from __future__ import annotations

import json
import pickle
import re

import pytest

from hnbulk import errors
from hnbulk.errors import HnbulkError, InputError, RunInterrupted, RunStopped, UsageError

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HnbulkError)]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Every class stands there with its own exit code."""
    drawn = dict(re.findall(r"([A-Z]\w+) {2,}(\d+)(?: {2,}|$)", errors.__doc__ or "", re.MULTILINE))
    drawn |= dict(re.findall(r"(RunInterrupted) +(\d+)", errors.__doc__ or ""))
    assert {kind.__name__: str(kind.exit_code) for kind in ALL} == drawn


@pytest.mark.parametrize("kind", ALL)
def test_an_error_answers_as_json(kind: type[HnbulkError]) -> None:
    """Code, message, facts; and it survives being sent to another process."""
    error = kind("what happened", row=3)
    document = {"error": {"code": kind.code, "message": "what happened", "row": 3}}
    assert error.as_json() == document == json.loads(json.dumps(error.as_json()))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.facts) == (kind, "what happened", {"row": 3})


def test_every_error_has_a_code_of_its_own() -> None:
    """In kebab case."""
    codes = [kind.code for kind in ALL]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_a_fact_does_not_replace_code_or_message() -> None:
    """`code` is the error's own, whatever stands beside it."""
    document = HnbulkError("what happened", code="22110", sid="HR").as_json()["error"]
    assert (document["code"], document["message"], document["sid"]) == ("error", "what happened", "HR")


def test_errors_can_be_caught_by_what_they_ask_of_the_caller() -> None:
    """Bad input is a wrong call; an interrupt is a stop."""
    assert issubclass(InputError, UsageError)
    assert issubclass(RunInterrupted, RunStopped)
