"""One run at a time in one home, and whoever only asks never stands in the way."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hnbulk.errors import RunLocked
from hnbulk.runlock import RunLock, holder_of


def test_the_holder_is_named_and_free_again(tmp_path: Path) -> None:
    """To who asks and to who wants it."""
    lock = RunLock.take(tmp_path, "r1")
    assert holder_of(tmp_path) == "r1"
    with pytest.raises(RunLocked, match="r1"):
        RunLock.take(tmp_path, "r2")
    lock.release()
    assert holder_of(tmp_path) is None
    RunLock.take(tmp_path, "r2").release()


def test_asking_keeps_nobody_from_running(tmp_path: Path) -> None:
    """A monitor that lists runs all the time does not make a start fail."""
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            holder_of(tmp_path)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for n in range(200):
            RunLock.take(tmp_path, f"r{n}").release()
    finally:
        over.set()
        for asker in askers:
            asker.join()
