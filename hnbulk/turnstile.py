"""One rate for all processes of this user on this host that talk to one account: a file of starts.

The file holds when the last requests started, by the clock that all processes of one boot share,
and who takes part at which rate. Whoever looks into it holds its lock for some microseconds. What
is in it is no record: a reboot empties it, and without it each process keeps its rate by itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import math
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hnbulk.pacing import SlidingWindow, check_rate, next_start, settle

#: Seconds: who has not asked for so long has no say in the rate. A killed process says no goodbye.
LEASE = 5.0
#: The most starts one window can hold; a higher rate is kept at this.
CAPACITY = 2000
_MEMBERS = 16
_AHEAD = 10.0  # a start counted further ahead than this was counted by another clock
#: Where another one has waited longer, one comes so many seconds after the next start is free, at most;
#: a quarter of the time between two starts at the rate, where that is less.
_COURTESY = 0.25
_WAITING = 1.0  # who waits says so every half second, or is gone
_HEAD = struct.Struct("<8s40sQ")
_MEMBER = struct.Struct("<Qddd")
_START = _HEAD.size + _MEMBERS * _MEMBER.size
_SIZE = _START + 8 * CAPACITY
_MAGIC = b"hnpace2\n"
_TRIES, _BETWEEN = 4000, 0.0005  # for the lock: two seconds in all

#: Folders that all processes of one machine share.
SHARED = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - ours alone in there, or not used

_log = logging.getLogger("hnbulk")


def place_for(account_sid: str, base_url: str, *, among: Sequence[Path] = SHARED) -> Path:
    """Where the file of this account's rate lies; nothing is made yet.

    In the first folder of `among` that is there. Neither the environment nor a login decides: what
    they name differs between a terminal, a cron job and `docker exec`. A container or a service
    with a `/tmp` of its own keeps a rate of its own.
    """
    base = next((folder for folder in among if folder.is_dir()), among[0])
    name = hashlib.sha256(_MAGIC + f"{account_sid}\n{base_url}".encode()).hexdigest()[:16]
    return base / f"hnbulk-{os.geteuid()}" / f"{name}.pace"


@dataclass(slots=True)
class _Member:
    """One who takes part: at which rate, when last heard of, and since when it waits for a start."""

    rate: float
    seen: float
    since: float = math.inf  # it does not wait


@dataclass(slots=True)
class _Book:
    """What the file says: the starts that count, and who takes part."""

    starts: list[float] = field(default_factory=list)
    members: dict[int, _Member] = field(default_factory=dict)

    def join(self, name: int, rate: float, now: float) -> float:
        """The member is there now; the lowest rate of all who are. Who is gone, and what another
        clock counted, is forgotten."""
        before = self.members.get(name)
        living = {
            other: member
            for other, member in self.members.items()
            if other != name and now - LEASE <= member.seen <= now + LEASE
        }
        living = dict(sorted(living.items(), key=lambda one: one[1].rate)[: _MEMBERS - 1])
        since = before.since if before and _is_waiting(before, now) else math.inf
        self.members = {**living, name: _Member(rate, now, since)}
        self.starts = [start for start in self.starts if start <= now + _AHEAD]
        return min(CAPACITY, *(member.rate for member in self.members.values()))

    def comes_first(self, name: int, now: float) -> bool:
        """No other waits longer."""
        since = min(self.members[name].since, now)
        return not any(
            other != name and member.since < since and _is_waiting(member, now)
            for other, member in self.members.items()
        )


def _is_waiting(member: _Member, now: float) -> bool:
    return member.since < math.inf and abs(now - member.seen) <= _WAITING


class SharedWindow:
    """A `SlidingWindow` among processes: no `span` seconds of all their starts hold more than the
    lowest rate of those who take part. Who has no rate takes no part, and opens no file. Where several
    wait, who has waited longest goes first, if it wakes up in time.

    Where the file cannot be used, `warn` is told once and the rate is kept in this process alone.
    Not for several threads at once.
    """

    def __init__(
        self,
        path: Path,
        rate: float | None,
        span: float = 1.0,
        *,
        warn: Callable[[str], object] = _log.warning,
    ) -> None:
        self._path = path
        self._span = span
        self._warn = warn
        self._member = int.from_bytes(os.urandom(8), "little") | 1
        self._file: int | None = None
        self._alone: SlidingWindow | None = None
        self._behind: float | None = None  # not before that, for the sake of others
        self._rate = check_rate(rate)

    @property
    def rate(self) -> float | None:
        """This process's own rate; None is no limit."""
        return self._rate

    def change(self, rate: float | None) -> None:
        """This process's rate is another from now on. None: it takes no part any more."""
        self._rate = check_rate(rate)
        if self._alone is not None:
            self._alone.change(rate)
        elif rate is None and self._file is not None:
            self._leave()

    def take(self, now: float, counted: float | None = None) -> float:
        """The earliest time a request may start. Where that is `now` it has started, and is counted
        there, or at `counted`; otherwise nothing is counted."""
        if self._rate is None:
            return now
        if self._alone is not None:
            return self._alone.take(now, counted)
        try:
            with self._open_book() as book:
                lowest = book.join(self._member, self._rate, now)
                return self._take(book, lowest, now, counted)
        except OSError as error:
            return self._go_alone(error, now)

    def settle(self, counted: float, at: float) -> None:
        """The start counted at `counted` was really at `at`."""
        if self._alone is not None:
            self._alone.settle(counted, at)
        elif self._file is not None:
            try:
                with self._open_book() as book:
                    settle(book.starts, counted, at)
            except OSError as error:
                self._go_alone(error, at)

    def _take(self, book: _Book, rate: float, now: float, counted: float | None) -> float:
        behind = self._let_others_go(book, rate, now)
        starts = book.starts if behind <= now else list(book.starts)  # it only looks
        start = max(behind, next_start(starts, now, counted, rate=rate, span=self._span))
        me = book.members[self._member]
        if start > now:
            me.since = min(me.since, now)
        else:
            me.since, self._behind = math.inf, None
        return start

    def _let_others_go(self, book: _Book, rate: float, now: float) -> float:
        """Not before that: now, or a little after the next start is free, while another one waits for it
        longer. Otherwise who wakes up first, every time, would leave it standing."""
        if book.comes_first(self._member, now):
            self._behind = None
            return now
        free = next_start(list(book.starts), now, None, rate=rate, span=self._span)
        if free > now or self._behind is None:
            self._behind = free + min(_COURTESY, 0.25 / rate)
        return self._behind

    def _leave(self) -> None:
        try:
            with self._open_book() as book:
                book.members.pop(self._member, None)
        except OSError:
            pass  # a place in a file that nobody can use
        finally:
            self._close()

    def _go_alone(self, error: OSError, now: float) -> float:
        """From now on the rate is this process's own; what was counted so far counts as just now."""
        self._close()
        self._alone = SlidingWindow(self._rate, self._span)
        while self._alone.take(now) <= now:
            pass
        self._warn(
            f"the pace cannot be shared with other processes through {self._path} "
            f"({error.strerror or error}); this one keeps it by itself. Remove that file, or run one at "
            "a time."
        )
        return self._alone.take(now)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextmanager
    def _open_book(self) -> Iterator[_Book]:
        """What the file says, held alone; what has become of it is in the file afterwards."""
        if self._file is None:
            self._file = _open_private(self._path)
        file = self._file
        _lock(file)
        try:
            book = _read(file)
            yield book
            # past the page cache nothing is needed: a file of a dead machine is worth nothing
            os.pwrite(file, _written(book), 0)
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _open_private(path: Path) -> int:
    """A file that is ours alone, in a folder that is ours alone. Raises `OSError` where either is not."""
    folder = path.parent
    folder.mkdir(mode=0o700, exist_ok=True)
    _check_ours(folder.lstat(), stat.S_ISDIR, "its folder")
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(path, flags, 0o600)
    try:
        _check_ours(os.fstat(handle), stat.S_ISREG, "it")
    except OSError:
        os.close(handle)
        raise
    return handle


def _check_ours(found: os.stat_result, is_kind: Callable[[int], bool], what: str) -> None:
    if not is_kind(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise OSError(f"{what} is not ours alone")


def _lock(file: int) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN)
        else:
            return
    raise OSError("it stays locked")


def _read(file: int) -> _Book:
    size = os.fstat(file).st_size
    if size == 0:
        os.ftruncate(file, _SIZE)  # never grows: it cannot be cut off half-way
        return _Book()
    content = os.pread(file, _SIZE, 0)
    if size != _SIZE or len(content) != _SIZE:
        raise OSError("it is damaged")
    magic, boot, count = _HEAD.unpack_from(content)
    if not content[: _HEAD.size].strip(b"\0"):
        return _Book()  # who made it died before it wrote
    if magic != _MAGIC or count > CAPACITY:
        raise OSError("it is damaged")
    if boot.rstrip(b"\0") != _BOOT:
        return _Book()  # the clock began anew since
    members = {name: _Member(*known) for name, *known in _members(content) if name}
    starts = list(struct.unpack_from(f"<{count}d", content, _START))
    if any(math.isnan(start) for start in starts) or not all(
        0 < member.rate < math.inf and math.isfinite(member.seen) and not math.isnan(member.since)
        for member in members.values()
    ):
        raise OSError("it is damaged")
    return _Book(starts, members)


def _members(content: bytes) -> Iterator[tuple[int, float, float, float]]:
    for place in range(_MEMBERS):
        name, rate, seen, since = _MEMBER.unpack_from(content, _HEAD.size + place * _MEMBER.size)
        yield name, rate, seen, since


def _written(book: _Book) -> bytes:
    starts = sorted(book.starts)[-CAPACITY:]
    members = b"".join(
        _MEMBER.pack(name, member.rate, member.seen, member.since) for name, member in book.members.items()
    )
    return b"".join(
        (
            _HEAD.pack(_MAGIC, _BOOT, len(starts)),
            members.ljust(_START - _HEAD.size, b"\0"),
            struct.pack(f"<{len(starts)}d", *starts),
        )
    )


def _boot() -> bytes:
    """What tells one boot of this machine from the next; nothing where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:40]
    except OSError:
        return b""


_BOOT = _boot()
