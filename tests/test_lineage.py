"""A journal belongs to one home and one machine at a time, and a person says otherwise by name."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from test_journal import ACCOUNT, NOW, URL, begin, open_journal

from hnbulk.errors import JournalError
from hnbulk.journal import Journal
from hnbulk.lineage import Machine

HERE, THERE = Machine("here", "boot-1"), Machine("there", "boot-2")


def on(machine: Machine, home: Path) -> Journal:
    return Journal.open(home, account_sid=ACCOUNT, base_url=URL, machine=machine)


def test_the_marker_names_the_journal(tmp_path: Path) -> None:
    """0600, made with the journal, made again where it was removed, and the same ever after."""
    with open_journal(tmp_path):
        marker = tmp_path / "lineage"
        name = marker.read_text()
        assert stat.S_IMODE(marker.stat().st_mode) == 0o600
    marker.unlink()
    with open_journal(tmp_path):
        assert marker.read_text() == name


def test_another_journal_than_the_one_begun_here_is_refused(tmp_path: Path) -> None:
    """It stays, and goes on where a person removes the marker."""
    one, two = tmp_path / "one", tmp_path / "two"
    for home in (one, two):
        with open_journal(home) as journal:
            begin(journal)
    shutil.copy(two / "journal.db", one / "journal.db")
    with pytest.raises(JournalError, match=r"another journal.*remove .*lineage to go on with this one"):
        open_journal(one)
    (one / "lineage").unlink()
    with open_journal(one) as journal:
        assert len(journal.runs()) == 1


@pytest.mark.parametrize("text", ["", "x", "my notes"])
def test_a_marker_that_names_nothing_is_refused(tmp_path: Path, text: str) -> None:
    """The message names the file to remove."""
    with open_journal(tmp_path):
        pass
    (tmp_path / "lineage").write_text(text)
    with pytest.raises(JournalError, match="lineage does not name a journal"):
        open_journal(tmp_path)


def test_an_unfinished_run_is_not_resumed_from_a_copy_on_another_machine(tmp_path: Path) -> None:
    """It can be looked at; to run there a person removes the marker, and then it is at home there."""
    with on(HERE, tmp_path) as journal:
        begin(journal)
    with on(THERE, tmp_path) as journal:
        assert len(journal.runs()) == 1
        with pytest.raises(JournalError, match=r"last used on here.*sent twice.*remove .*lineage"):
            journal.lock("r1")
    (tmp_path / "lineage").unlink()
    with on(THERE, tmp_path) as journal:
        journal.lock("r1").release()
    with on(HERE, tmp_path) as journal, pytest.raises(JournalError, match="last used on there"):
        journal.lock("r1")


@pytest.mark.parametrize("machine", [Machine("here", "boot-9"), Machine("container-7", "boot-1")])
def test_a_restart_and_a_container_are_the_same_machine(tmp_path: Path, machine: Machine) -> None:
    """Its name or its start is known; whichever it is used on last counts from then on."""
    with on(HERE, tmp_path) as journal:
        begin(journal)
    with on(machine, tmp_path) as journal:
        journal.lock("r1").release()
    with on(Machine(machine.host, "boot-10"), tmp_path) as journal:
        journal.lock("r1").release()


def test_where_every_run_has_finished_a_journal_may_move(tmp_path: Path) -> None:
    """There is nothing that two machines could send twice."""
    with on(HERE, tmp_path) as journal:
        begin(journal)
        journal.mark("r1", "finished", at=NOW)
    with on(THERE, tmp_path) as journal:
        journal.lock("r2").release()
