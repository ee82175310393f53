"""A notebook's kernel interrupted or restarted in the middle of an apply: resume ends it, nothing twice.

The sandbox is another program, so its truth outlives the kernel.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient, KernelManager
from numbers_list import numbers

from hnbulk.drill import OPEN_WORLD
from hnbulk.rehearsal import Rehearsal
from hnbulk.scoreboard import Books, Score, is_create, judge

ROWS = 300
WITHIN = 60.0
CONNECT = """
import hnbulk as hn
from hnbulk.settings import Pace
account = hn.connect(pace=Pace(rate=None, connections=8, settle=1))
"""
PLAN = 'plan = account.plan(hn.read_targets("list.csv"))'
APPLY = "account.apply(plan, approve=plan.checksum[:8]).wait()"
RESUME = "account.resume().wait()"
#: Some replies are lost, so that there is something to look up. Requests that never arrive come early
#: alone: the kernel's death may cost a row its second try, and a third is a person's to decide.
TROUBLE = [
    {"action": "reset_after", "method": "POST", "probability": 0.02, "seed": 1},
    {"action": "reset_before", "method": "POST", "nth": [7, 23, 41]},
]


@pytest.fixture
def there(memory: Path) -> Iterator[Rehearsal]:
    """A sandbox that stops no duplicate, and a list in the folder that the kernel works in."""
    wanted = numbers(ROWS)
    (memory / "list.csv").write_text("\n".join(["phone_number", *wanted]))
    # slow enough that the cell is still at work when it is interrupted
    with Rehearsal.start(memory, settings=[*OPEN_WORLD, "latency=0.02"]) as there:
        there.give_fate(wanted, "smooth")
        there.set_faults(TROUBLE)
        yield there


@contextmanager
def kernel(there: Rehearsal) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel that knows the sandbox alone, and a client of it."""
    manager = KernelManager()
    manager.start_kernel(env=there.environment(there.folder / "home"), cwd=str(there.folder))
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=WITHIN)
        yield manager, client
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)


def run_cell(client: BlockingKernelClient, code: str) -> str:
    """The cell has ended; the name of the error it ended with, or nothing."""
    return ended(client, client.execute(code))


def ended(client: BlockingKernelClient, cell: str) -> str:
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        reply = client.get_shell_msg(timeout=WITHIN)
        if reply["parent_header"].get("msg_id") == cell:
            return str(reply["content"].get("ename", ""))
    raise TimeoutError("the cell did not end")


def wait_for_creates(there: Rehearsal, count: int) -> None:
    """So many creates have come in, and the run is in full swing."""
    deadline = time.monotonic() + WITHIN
    while sum(map(is_create, there.ledger())) < count:
        assert time.monotonic() < deadline, "the run does not begin"
        time.sleep(0.02)


def score(there: Rehearsal) -> Score:
    return judge(numbers(ROWS), Books(there.orders(), there.ledger(), there.calls()))


def assert_once(there: Rehearsal) -> None:
    """One order on every number, by the sandbox's own books."""
    made = score(there)
    assert (made.broken, made.orders) == ({}, ROWS)


def test_an_interrupted_cell_is_resumed_in_the_same_kernel(there: Rehearsal) -> None:
    """The cell ends as interrupted, no thread of it goes on sending, and resume makes the rest."""
    with kernel(there) as (manager, client):
        assert run_cell(client, CONNECT + PLAN) == ""
        cell = client.execute(APPLY)
        wait_for_creates(there, 60)
        manager.interrupt_kernel()
        assert ended(client, cell) == "RunInterrupted"
        halfway = len(there.ledger())
        assert 0 < score(there).orders < ROWS
        assert run_cell(client, "import time; time.sleep(0.3)") == ""
        assert len(there.ledger()) == halfway
        assert run_cell(client, RESUME) == ""
    assert_once(there)


def test_a_restarted_kernel_resumes_what_the_old_one_left(there: Rehearsal) -> None:
    """The old kernel is dead in the middle of it; the new one looks up what is in doubt and goes on."""
    with kernel(there) as (manager, client):
        assert run_cell(client, CONNECT + PLAN) == ""
        client.execute(APPLY)
        wait_for_creates(there, 60)
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=WITHIN)
        assert 0 < score(there).orders < ROWS
        assert run_cell(client, CONNECT) == ""
        assert run_cell(client, RESUME) == ""
    assert_once(there)
