"""The fault injection is alive: a client that sends again whatever failed makes duplicates by the dozen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from numbers_list import numbers

from hnbulk.drill import OPEN_WORLD, standard_faults
from hnbulk.rehearsal import Rehearsal
from hnbulk.scoreboard import Books, judge

NAIVE = Path(__file__).parent / "naive.py"


def test_a_naive_client_makes_duplicates_under_the_same_faults(memory: Path) -> None:
    """Of 2,000 numbers more than 50 get a second order, or the harness proves nothing."""
    wanted = numbers(2_000)
    (memory / "numbers.txt").write_text("\n".join(wanted))
    with Rehearsal.start(memory, settings=OPEN_WORLD) as there:
        there.give_fate(wanted, "smooth")
        there.set_faults(standard_faults())
        done = subprocess.run(
            [sys.executable, str(NAIVE), str(memory / "numbers.txt")],
            env=there.environment(memory / "home"),
            capture_output=True,
            text=True,
            check=False,
        )
        score = judge(wanted, Books(there.orders(), there.ledger(), there.calls()))
    assert done.returncode == 0, done.stderr  # it believes that all is well
    assert score.duplicates > 50
    assert score.broken.keys() == {"duplicates"}
