"""One run at a time in one home, and whoever only asks never stands in the way."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import threading
from pathlib import Path

import pytest
from forked import in_a_child

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


def test_the_name_of_a_killed_run_is_not_believed_while_somebody_only_asks(tmp_path: Path) -> None:
    """Its lock died with it; who asks holds the file for a moment, and the start waits for that."""
    with (tmp_path / "run.lock").open("w+") as asking:
        asking.write("r-dead")
        asking.flush()
        fcntl.flock(asking, fcntl.LOCK_SH)
        over = threading.Timer(0.05, fcntl.flock, (asking, fcntl.LOCK_UN))
        over.start()
        lock = RunLock.take(tmp_path, "r-new")
        over.join()
    assert holder_of(tmp_path) == "r-new"
    lock.release()


def test_what_is_given_up_is_free_unless_somebody_keeps_it(tmp_path: Path) -> None:
    """Of the two who may have the lock after a start that failed, exactly one frees it."""
    lock = RunLock.take(tmp_path, "r1")
    assert lock.keep()
    lock.give_up()
    assert holder_of(tmp_path) == "r1"
    lock.release()
    assert holder_of(tmp_path) is None
    other = RunLock.take(tmp_path, "r2")
    other.give_up()
    assert holder_of(tmp_path) is None
    assert not other.keep()


def test_a_child_keeps_no_lock_of_a_dead_parent(tmp_path: Path) -> None:
    """A worker of a process pool outlives the run that was killed; the resume is not refused."""
    done, over = os.pipe()

    def killed() -> None:
        held = RunLock.take(tmp_path, "r-parent")
        if os.fork() == 0:
            os.close(over)
            os.read(done, 1)
            os._exit(0)
        assert held
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_child(killed) == -signal.SIGKILL
    RunLock.take(tmp_path, "r-resume").release()
    os.close(over)
    os.close(done)


def test_a_child_frees_no_lock_of_its_parent(tmp_path: Path) -> None:
    """Whatever it does with its copy."""
    lock = RunLock.take(tmp_path, "r1")

    def child() -> None:
        lock.give_up()
        lock.release()
        with pytest.raises(RunLocked, match="r1"):
            RunLock.take(tmp_path, "r2")

    assert in_a_child(child) == 0
    assert holder_of(tmp_path) == "r1"
    lock.release()


def test_a_lock_nobody_has_any_more_is_free(tmp_path: Path) -> None:
    """Where an error fell between taking it and having it."""
    RunLock.take(tmp_path, "r1")
    gc.collect()
    assert holder_of(tmp_path) is None
