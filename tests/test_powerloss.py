"""After a power loss at any moment, every request the service has seen has its intent on disk.

The journal runs on a file system that notes every write, cut, sync and removal. From these the
disk is put together as a power loss at each moment may leave it: what was not synced is gone, all
of it or a random half. The same harness must show a journal of weaker settings to lose rows.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from run_bench import Bench, open_bench

from hnbulk import engine
from hnbulk.apply import Changes
from hnbulk.client import Client
from hnbulk.journal import Journal
from hnbulk.messages import Failure, Reply, Request
from hnbulk.shapes import Link

COUNT = 12


@dataclass(frozen=True)
class Op:
    """Something done to a file: `data` written at `offset`, cut to `offset`, synced, removed."""

    kind: str
    name: str
    offset: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """What was done to the files of one folder, in order, and what they held before."""

    folder: Path
    before: dict[str, bytes] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)

    def begin(self) -> None:
        """All there is now is durable; notes begin here."""
        self.before = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        self.ops.clear()

    def after(self, cut: int, keep: Callable[[], bool]) -> dict[str, bytes]:
        """The files after a power loss when `cut` operations were done. What was not synced by then
        is there where `keep` says so."""
        synced = {op.name: n for n, op in enumerate(self.ops[:cut]) if op.kind == "sync"}
        files = {name: bytearray(data) for name, data in self.before.items()}
        for n, op in enumerate(self.ops[:cut]):
            if op.kind == "sync" or not (n < synced.get(op.name, -1) or keep()):
                continue
            if op.kind == "remove":
                files.pop(op.name, None)
                continue
            data = files.setdefault(op.name, bytearray())
            if op.kind == "cut":
                del data[op.offset :]
            else:
                data.extend(bytes(max(0, op.offset - len(data))))
                data[op.offset : op.offset + len(op.data)] = op.data
        return {name: bytes(data) for name, data in files.items()}


class NotingFile(apsw.VFSFile):
    """A file whose changes are noted."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.ops.append(Op("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._disk.ops.append(Op("cut", self._name, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._disk.ops.append(Op("sync", self._name))


class NotingSystem(apsw.VFS):
    """The system's own files, every change noted."""

    def __init__(self, disk: Disk) -> None:
        self.title = f"noting-{id(disk)}"
        super().__init__(self.title, "")
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> NotingFile:
        return NotingFile(self._disk, name, flags)

    def xDelete(self, name: str, sync_folder: bool) -> None:
        super().xDelete(name, sync_folder)
        self._disk.ops.append(Op("remove", Path(name).name))
        if sync_folder:
            self._disk.ops.append(Op("sync", Path(name).name))


@dataclass
class Found:
    """What a statement gave."""

    rows: list[Any]
    lastrowid: int | None

    def fetchone(self) -> Any:
        return self.rows[0] if self.rows else None

    def fetchall(self) -> list[Any]:
        return self.rows


class Noted:
    """A connection on the noting system that speaks as sqlite3 does; `instead` exchanges statements."""

    def __init__(self, path: Path, system: NotingSystem, instead: dict[str, str]) -> None:
        self._connection = apsw.Connection(str(path), vfs=system.title)
        self._instead = instead

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Found:
        try:
            rows = list(self._connection.execute(self._instead.get(sql, sql), tuple(values)))
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error
        return Found(rows, self._connection.last_insert_rowid())

    def close(self) -> None:
        self._connection.close()


class Watched:
    """The bench's client, noting for each write how much had been done to the disk when it left."""

    def __init__(self, client: Client, disk: Disk) -> None:
        self.base_url, self.account_sid = client.base_url, client.account_sid
        self._client, self._disk = client, disk
        self.sent: list[tuple[int, str]] = []

    def send(self, request: Request, **more: Any) -> Reply | Failure:
        if request.method == "POST":
            self.sent.append((len(self._disk.ops), request.fingerprint()))
        return self._client.send(request, **more)

    def read(self, request: Request, **more: Any) -> Reply | Failure:
        return self._client.read(request, **more)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path / "bench") as opened:
        yield opened


def run_on(bench: Bench, home: Path, instead: dict[str, str]) -> tuple[Disk, Watched, str]:
    """A run of creates whose journal lies on a noting disk: the disk, what was sent, the run."""
    disk = Disk(home)
    system = NotingSystem(disk)

    def connect(path: Path) -> Link:
        return Noted(path, system, instead)

    lineage = {"account_sid": bench.client.account_sid, "base_url": bench.client.base_url}
    watched = Watched(bench.client, disk)
    with Journal.open(home, connect=connect, **lineage) as journal:
        disk.begin()
        means = replace(bench.means, client=watched, journal=journal)
        plan = bench.creates(COUNT)
        report = engine.start(plan, Changes(), means, approve=plan.checksum[:8]).wait(60)
    assert report.exit_code == 0
    system.unregister()
    return disk, watched, report.run_id


def left(disk: Disk, cut: int, keep: Callable[[], bool], folder: Path) -> None:
    """`folder` holds the files as the power loss left them."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in disk.after(cut, keep).items():
        (folder / name).write_bytes(data)


def test_every_request_sent_has_its_intent_on_disk_whatever_the_power_does(
    bench: Bench, tmp_path: Path
) -> None:
    """At every moment from the first send to the end; the journal opens and goes on from there."""
    disk, watched, run_id = run_on(bench, tmp_path / "home", {})
    assert len(watched.sent) == COUNT == len(bench.posts())
    chance = random.Random(4)
    lineage = {"account_sid": bench.client.account_sid, "base_url": bench.client.base_url}
    keepers: tuple[Callable[[], bool], ...] = (lambda: False, lambda: chance.random() < 0.5)
    for cut in range(watched.sent[0][0], len(disk.ops) + 1):
        sent = {fingerprint for done, fingerprint in watched.sent if done <= cut}
        for keep in keepers:
            left(disk, cut, keep, tmp_path / "left")
            with Journal.open(tmp_path / "left", **lineage) as journal:
                intended = {attempt.fingerprint for attempt in journal.attempts(run_id)}
            assert sent <= intended, f"cut at {cut} of {len(disk.ops)}"


def test_the_harness_sees_a_journal_that_loses_rows(bench: Bench, tmp_path: Path) -> None:
    """WAL with synchronous NORMAL: intents of requests that were sent are gone, or this sees nothing."""
    weak = {
        "PRAGMA journal_mode = TRUNCATE": "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = EXTRA": "PRAGMA synchronous = NORMAL",
    }
    disk, watched, _ = run_on(bench, tmp_path / "home", weak)
    lost = 0
    for done, fingerprint in watched.sent:
        left(disk, done, lambda: False, tmp_path / "left")
        with sqlite3.connect(tmp_path / "left" / "journal.db") as journal:
            lost += (fingerprint,) not in journal.execute("SELECT fingerprint FROM attempts").fetchall()
        journal.close()
    assert lost > COUNT / 2
