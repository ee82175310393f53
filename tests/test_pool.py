"""Workers do their jobs, hand their errors over, and are idle when the pool says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from hnbulk.pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(3, name="test")
    yield made
    assert made.close(timeout=5)


def test_every_job_is_done_when_run_returns(pool: Pool) -> None:
    """Also the second time."""
    done: list[int] = []
    pool.run([lambda n=n: done.append(n) for n in range(50)])  # type: ignore[misc]
    pool.run([lambda: done.append(50)])
    assert sorted(done) == list(range(51))


def test_a_jobs_error_is_raised_once_all_are_idle(pool: Pool) -> None:
    """The pool is usable afterwards."""
    with pytest.raises(ZeroDivisionError):
        pool.run([lambda: 1 / 0])  # type: ignore[list-item, return-value]
    done: list[int] = []
    pool.run([lambda: done.append(1)])
    assert done == [1]


def test_an_error_in_between_waits_for_the_workers(pool: Pool) -> None:
    """What is under way ends before the error is raised; what is not begun never is."""
    done: list[int] = []
    begun = threading.Event()

    def slow() -> None:
        begun.set()
        time.sleep(0.7)
        done.append(1)

    def broken() -> None:
        begun.wait()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.run([slow] * 9, meanwhile=broken)
    assert len(done) == 3
