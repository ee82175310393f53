"""Which journal belongs to a home, and on which machine and in which place it was last used.

A journal has an id of its own, and the file `lineage` beside it holds the same one. So a journal
that is missing or is another one is noticed before anything is sent, and not taken for a first
start. The way to say "this is how it shall be" is to remove that file, by hand and by name.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hnbulk.database import Database
from hnbulk.entries import FINISHED
from hnbulk.errors import JournalError, RunLocked
from hnbulk.files import write_private
from hnbulk.shapes import Statement


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine by its name and by this start of it: monotonic times compare within one start only."""

    host: str
    boot: str

    def is_other(self, known: Machine) -> bool:
        """Neither name nor start is the known one. A restart keeps the name, a container the start."""
        return self.host != known.host and self.boot != known.boot


def this_machine() -> Machine:
    """The machine this runs on."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = "unknown"
    return Machine(socket.gethostname() or "unknown", boot)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a journal lies: the real path of its home, the number of its disk, its number on it."""

    home: str
    device: str
    inode: str

    def is_the(self, known: Spot) -> bool:
        """The very file that is known, and no copy: it was renamed at most, or its disk has another
        number since a restart."""
        return self.inode == known.inode and (self.device == known.device or self.home == known.home)


def spot_of(path: Path) -> Spot:
    """Where the file lies now. Raises `OSError`."""
    found = path.stat()
    home = os.fsencode(os.path.realpath(path.parent)).decode("utf-8", "backslashreplace")
    return Spot(home, str(found.st_dev), str(found.st_ino))


def new_lineage() -> str:
    """An id no other journal has."""
    return secrets.token_hex(16)


def used_on(machine: Machine, lineage: str, at: datetime, spot: Spot | None = None) -> Statement:
    """The journal of this id is used on `machine` from now on, and there; None: it lies nowhere yet."""
    where = (spot.home, spot.device, spot.inode) if spot else (None, None, None)
    values = (lineage, machine.host, machine.boot, at.isoformat(), *where)
    return ("INSERT INTO lineage VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", values)


@dataclass(frozen=True, slots=True)
class Place:
    """The home a journal lies in, and the machine that it is used on now."""

    home: Path
    database: Database
    machine: Machine

    def take(self, known: str | None, at: datetime) -> None:
        """The journal belongs here; `known` is what the marker says. Raises `JournalError`."""
        lineage, _, _ = self._last()
        if known == lineage:
            return
        if known is not None:
            raise _not_ours(
                self.home,
                f"{self.database.path} is another journal than the one begun here",
                "go on with this one",
            )
        # nothing says otherwise: a first start, or a person moved it here and removed the marker
        self._use(at)
        write_private(marker(self.home), f"{lineage}\n".encode())

    def move_in(self, at: datetime) -> None:
        """It is used on this machine, and here. Raises `RunLocked` where it may be running on another
        one, or in another copy."""
        _, machine, spot = self._last()
        here = self._here()
        if self.machine.is_other(machine):
            self._only_finished(
                f"{self.home} was last used on {machine.host}", "on two machines", "used on another machine"
            )
        elif spot is not None and not here.is_the(spot):
            was = (
                "is not the one that was here before, but a copy of it"
                if spot.home == here.home
                else f"is a copy of {spot.home}, or was moved from there"
            )
            self._only_finished(f"{self.database.path} {was}", "in two copies", "a copy")
        self._use(at)

    def _only_finished(self, what: str, twice: str, reason: str) -> None:
        if self.database.read(
            "SELECT 1 FROM states WHERE state != ? AND id IN (SELECT max(id) FROM states GROUP BY run_id)",
            (FINISHED,),
        ):
            raise RunLocked(
                f"{what}. It holds a run that is not finished: resumed {twice} it would be sent twice. "
                f"Finish it there; or, where the work moved here for good, remove {marker(self.home)} and "
                "try again.",
                path=str(self.database.path),
                reason=reason,
            )

    def _use(self, at: datetime) -> None:
        lineage, *last = self._last()
        here = self._here()
        if last != [self.machine, here]:
            self.database.write([used_on(self.machine, lineage, at, here)])

    def _here(self) -> Spot:
        try:
            return spot_of(self.database.path)
        except OSError:
            raise missing(self.home) from None

    def _last(self) -> tuple[str, Machine, Spot | None]:
        rows = self.database.read(
            "SELECT lineage, host, boot, home, device, inode FROM lineage ORDER BY id DESC LIMIT 1"
        )
        if not rows:
            raise self.database.refusal("it has no id")
        lineage, host, boot, home, device, inode = rows[0]
        return str(lineage), Machine(host, boot), Spot(home, device, inode) if inode else None


def marker(home: Path) -> Path:
    """The file that names the journal of `home`."""
    return home / "lineage"


def read_marker(home: Path) -> str | None:
    """The id of the journal that belongs to `home`; None where no file names one.

    Raises `JournalError` where the file holds no id.
    """
    path = marker(home)
    try:
        text = path.read_bytes()[:64].decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JournalError(f"cannot read {path}: {reason}.", path=str(path), reason=reason) from None
    if not re.fullmatch("[0-9a-f]{32}", text):
        raise JournalError(
            f"{path} does not name a journal. If {home / 'journal.db'} is the one you use, remove {path}: "
            "it is written anew.",
            path=str(path),
            reason="not an id",
        )
    return text


def missing(home: Path) -> JournalError:
    """The journal that the marker names is not there."""
    return _not_ours(home, f"{home / 'journal.db'} is missing", "begin a new journal")


def _not_ours(home: Path, what: str, otherwise: str) -> JournalError:
    return JournalError(
        f"{what}: what was sent by its runs is not known without it. Restore it from a copy; or, for each "
        "plan that was under way, `hnbulk rebuild PLAN --approve HASH8`; or, where none was, remove "
        f"{marker(home)} to {otherwise}.",
        path=str(home / "journal.db"),
        reason=what,
    )
