"""One run at a time in one home: a lock of the operating system that dies with its process.

It guards the journal's "one writer" rule between processes, notebooks and threads alike. It
never looks at a process id: a lock left by a killed process is simply free.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from hnbulk.errors import JournalError, RunLocked

#: How often, ten milliseconds apart, a held lock is tried for. Several who only ask may hold it in
#: turns for longer than it looks. The name in it may be that of a killed run, so it is not believed
#: at once; without a name nobody runs but on a full disk.
_TRIES, _TRIES_NAMED = 200, 25


class RunLock:
    """Held from `take` until `release`.

    Whoever took it may hand it to a thread of its own: that thread calls `keep` and is from then
    on the only one to release it. Who took it calls `give_up` where the handing over failed.
    """

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        self._turn = threading.Lock()  # whoever gets it decides about the lock
        _live.add(self)

    @classmethod
    def take(cls, home: Path, run_id: str) -> RunLock:
        """The lock of `home` is held for `run_id`. Raises `RunLocked` naming the run that holds it."""
        path = home / "run.lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise JournalError(f"cannot lock {path}: {reason}.", path=str(path), reason=reason) from None
        lock = cls(handle)  # an error from here on frees it
        holder = _try_for_a_moment(handle)
        if holder is not None:
            os.close(handle)
            lock._handle = None
            raise RunLocked(
                f"another run{f' ({holder})' if holder else ''} is under way in {home}. Wait for it, or "
                "stop it where it was started.",
                run_id=holder or None,
            )
        lock.name(run_id)
        return lock

    def name(self, run_id: str) -> None:
        """Whoever finds the lock held is told this run, where the disk takes its name."""
        if self._handle is not None:
            with suppress(OSError):  # a full disk: the lock holds without a name
                os.ftruncate(self._handle, 0)
                os.pwrite(self._handle, run_id.encode("ascii"), 0)

    def keep(self) -> bool:
        """The caller alone frees the lock from now on; False where it was given up before."""
        return self._turn.acquire(blocking=False)

    def give_up(self) -> None:
        """The lock is free, unless somebody keeps it."""
        if self._turn.acquire(blocking=False):
            self.release()

    def release(self) -> None:
        """The lock is free; releasing twice is fine."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):  # a disk that fails: the name stays, the lock does not
                os.ftruncate(handle, 0)
            os.close(handle)

    def forget(self) -> None:
        """A forked child has no part in it: the lock dies with the process that took it."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)  # no more: unlocked here, it would be free for the parent too

    def __del__(self) -> None:
        # an interrupt fell between taking it and having it
        self.release()


_live: WeakSet[RunLock] = WeakSet()


def _forget_all() -> None:
    for lock in list(_live):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)


def holder_of(home: Path) -> str | None:
    """The run that holds the lock of `home` right now; None where none does."""
    try:
        handle = os.open(home / "run.lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _named_in(handle) or "unknown"
    else:
        return None
    finally:
        os.close(handle)


def _try_for_a_moment(handle: int) -> str | None:
    """The lock is held (None), or whoever has it is named ("" where it never said)."""
    for tried in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if tried >= _TRIES_NAMED and (holder := _named_in(handle)):
                return holder
            time.sleep(0.01)
        else:
            return None
    return ""


def _named_in(handle: int) -> str:
    return os.pread(handle, 64, 0).decode("ascii", "replace").strip()
