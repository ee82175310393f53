"""Whatever settles nothing counts as a request that was carried out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hnbulk.attempts import Sent, is_doubtful, maybe_sent, sent_before
from hnbulk.entries import Attempt

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


def attempt(kind: str | None, reason: str = "", n: int = 1) -> Attempt:
    return Attempt(n, 0, n, "create", f"f{n}", {}, NOW, kind, reason)


@pytest.mark.parametrize(
    ("kind", "reason", "doubtful", "possible"),
    [
        (None, "", True, True),
        ("ambiguous", "read", True, True),
        ("done", "status-201", True, True),  # its meaning was not recorded with it
        ("rejected", "status-400", True, True),
        ("stop-run", "redirect", True, True),
        ("stop-run", "unsaid-403", True, True),
        ("absent", "not-there", False, True),
        ("stop-run", "status-403", False, False),
        ("not-sent", "waited", False, False),
        ("not-processed", "busy", False, False),
    ],
)
def test_only_what_was_surely_not_carried_out_counts_for_nothing(
    kind: str | None, reason: str, doubtful: bool, possible: bool
) -> None:
    """An attempt proved absent is in doubt no more, and still was one of the few that may be."""
    one = attempt(kind, reason)
    assert (is_doubtful(one), maybe_sent(one)) == (doubtful, possible)


def test_an_act_knows_its_attempts() -> None:
    """How many, how many of them may have been carried out, and what the first one asked for."""
    tried = [attempt("not-sent", n=1), attempt("absent", n=2), attempt(None, n=3)]
    assert sent_before(tried) == Sent(attempts=3, possible=2, fingerprint="f1")
    assert sent_before([]) == Sent()
