"""A journal belongs to one home and one machine at a time, and a person says otherwise by name."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from test_journal import ACCOUNT, NOW, URL, begin, open_journal

from hnbulk.errors import JournalError, RunLocked
from hnbulk.journal import Journal
from hnbulk.lineage import Machine, Spot

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
        with pytest.raises(RunLocked, match=r"last used on here.*sent twice.*remove .*lineage"):
            journal.lock("r1")
    (tmp_path / "lineage").unlink()
    with on(THERE, tmp_path) as journal:
        journal.lock("r1").release()
    with on(HERE, tmp_path) as journal, pytest.raises(RunLocked, match="last used on there"):
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


def copied(home: Path, to: Path) -> Path:
    shutil.copytree(home, to)
    return to


def test_an_unfinished_run_is_not_resumed_from_a_copy_on_the_same_machine(tmp_path: Path) -> None:
    """It can be looked at, and the original goes on; a person who removes the marker says otherwise."""
    home = tmp_path / "home"
    with on(HERE, home) as journal:
        begin(journal)
    copy = copied(home, tmp_path / "copy")
    with on(HERE, copy) as journal:
        assert len(journal.runs()) == 1
        with pytest.raises(RunLocked, match=rf"{home}.*sent twice.*remove {copy}/lineage") as caught:
            journal.lock("r1")
        assert caught.value.facts["reason"] == "a copy"
    with on(HERE, home) as journal:
        journal.lock("r1").release()
    (copy / "lineage").unlink()
    for _ in range(2):
        with on(HERE, copy) as journal:
            journal.lock("r1").release()


def test_a_copy_in_the_place_of_the_original_is_refused_too(tmp_path: Path) -> None:
    """A backup that was put back: what was here before may be running somewhere else."""
    home = tmp_path / "home"
    with on(HERE, home) as journal:
        begin(journal)
    home.rename(tmp_path / "old")
    copied(tmp_path / "old", home)
    with on(HERE, home) as journal, pytest.raises(RunLocked, match="sent twice"):
        journal.lock("r1")
    with on(HERE, tmp_path / "old") as journal:
        journal.lock("r1").release()


def test_a_home_that_was_renamed_is_the_same_one(tmp_path: Path) -> None:
    """It is the very file; nothing is left where it was."""
    with on(HERE, tmp_path / "home") as journal:
        begin(journal)
    (tmp_path / "home").rename(tmp_path / "moved")
    with on(HERE, tmp_path / "moved") as journal:
        journal.lock("r1").release()


def test_a_link_to_a_home_leads_to_the_same_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As do a relative name, and another name of the machine."""
    with on(HERE, tmp_path / "home") as journal:
        begin(journal)
    (tmp_path / "link").symlink_to("home")
    with on(HERE, tmp_path / "link") as journal:
        journal.lock("r1").release()
    monkeypatch.chdir(tmp_path)
    with on(Machine("container-7", "boot-1"), Path("home")) as journal:
        journal.lock("r1").release()


def test_where_every_run_has_finished_a_copy_just_works(tmp_path: Path) -> None:
    """And so it does where no run ever was; each is then at home where it is."""
    with on(HERE, tmp_path / "home") as journal:
        begin(journal)
        journal.mark("r1", "finished", at=NOW)
    copy = copied(tmp_path / "home", tmp_path / "copy")
    for home in (copy, tmp_path / "home"):
        with on(HERE, home) as journal:
            journal.lock("r2").release()
            begin(journal, "r2")
            journal.lock("r2").release()
    with on(HERE, copied(copy, tmp_path / "next")) as journal, pytest.raises(RunLocked, match=str(copy)):
        journal.lock("r2")


@pytest.mark.parametrize(
    ("there", "same"),
    [
        (Spot("/home", "1", "7"), True),
        (Spot("/moved", "1", "7"), True),
        (Spot("/home", "2", "7"), True),
        (Spot("/mnt/copy", "2", "7"), False),
        (Spot("/home", "1", "8"), False),
        (Spot("/copy", "1", "8"), False),
    ],
)
def test_a_file_is_known_by_its_number_and_its_disk_or_its_path(there: Spot, same: bool) -> None:
    """A disk may have another number after a restart; two disks may number two files alike."""
    assert there.is_the(Spot("/home", "1", "7")) is same
