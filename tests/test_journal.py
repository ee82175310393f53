"""The journal holds every intent before its request and every result after it, and is never guessed at."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from forked import in_a_child

from hnbulk.commits import _Job
from hnbulk.entries import ABSENT, Ended, Intent, Result
from hnbulk.errors import JournalError, RunLocked, UsageError
from hnbulk.journal import Journal
from hnbulk.journalfile import intent_entry, result_entry
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.shapes import Rows, connect_sqlite
from hnbulk.steps import Action, Ending, State, Step, Verdict

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
ACCOUNT = "AC" + "a" * 32
URL = "http://127.0.0.1:9"
STEP = Step(2, Action.CREATE, "+15017122661", after={"unique_name": "hn1-x"})


def plan(*steps: Step) -> PlanFile:
    header = PlanHeader(
        "preview", URL, ACCOUNT, "0" * 64, "a.csv", ("phone",), NOW.isoformat(), NOW.isoformat()
    )
    rows = (PlanRow(2, {"phone": "+15017122661"}, Verdict.PLANNED),)
    return PlanFile(header, steps or (STEP,), rows)


def open_journal(home: Path, *, base_url: str = URL) -> Journal:
    return Journal.open(home, account_sid=ACCOUNT, base_url=base_url)


def begin(journal: Journal, run_id: str = "r1") -> str:
    journal.begin(run_id, plan(), kind="orders", at=NOW, options={})
    return run_id


def intent(n: int = 1, step: int = 0) -> Intent:
    return Intent(step, n, "create", "f" * 64, NOW, 1.0, {"attempts": 0})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path) as opened:
        yield opened


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """A home made here is 0700 and the journal in it 0600."""
    with open_journal(tmp_path / "home"):
        assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "home" / "journal.db").stat().st_mode) == 0o600


def test_a_home_that_cannot_be_written_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """Before anything is read or sent; the message names the setting that moves it."""
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(UsageError, match="HNBULK_HOME"):
        open_journal(tmp_path)


def test_an_intent_is_on_disk_when_intend_returns(journal: Journal, tmp_path: Path) -> None:
    """Another process that opens the file at that moment reads it."""
    (attempt,) = journal.intend(begin(journal), [intent()])
    with sqlite3.connect(tmp_path / "journal.db") as other:
        assert other.execute("SELECT id, step, n FROM attempts").fetchall() == [(attempt, 0, 1)]
    other.close()


def test_an_attempt_without_result_says_so(journal: Journal) -> None:
    """Its kind is None until a result is recorded; the newest result counts."""
    (attempt,) = journal.intend(begin(journal), [intent()])
    assert journal.attempts("r1")[0].kind is None
    journal.record("r1", results=[Result(attempt, "ambiguous", "read", NOW)])
    journal.record("r1", results=[Result(attempt, ABSENT, "not-there", NOW)])
    assert journal.attempts("r1")[0].kind == ABSENT
    assert journal.attempts("r1")[0].fence == {"attempts": 0}


def test_a_forked_child_is_told_at_once_that_the_journal_is_its_parents(journal: Journal) -> None:
    """It has no writer to wait for, and leaves what is kept in memory to the parent."""
    begin(journal)

    def child() -> None:
        for use in (
            journal.runs,
            journal.flush,
            lambda: journal.plan_of("r1"),
            lambda: journal.intend("r1", [intent()]),
            lambda: journal.record("r1", results=[Result(1, "ambiguous", "read", NOW)]),
            lambda: journal.lock("r2"),
        ):
            with pytest.raises(JournalError, match="forked"):
                use()
        journal.close()
        assert journal.left_behind == ()

    assert in_a_child(child) == 0
    assert len(journal.intend("r1", [intent()])) == 1


@pytest.mark.parametrize("table", ["attempts", "outcomes", "endings", "states"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id + 1", "DELETE FROM {}"])
def test_what_happened_cannot_be_rewritten(tmp_path: Path, table: str, change: str) -> None:
    """A change or deletion of a row is refused by the file itself."""
    with open_journal(tmp_path) as journal:
        (attempt,) = journal.intend(begin(journal), [intent()])
        journal.record(
            "r1", results=[Result(attempt, "done", "", NOW)], endings=[Ended(Ending(0, State.DONE))]
        )
    with sqlite3.connect(tmp_path / "journal.db") as other, pytest.raises(sqlite3.IntegrityError):
        other.execute(change.format(table))
    other.close()


def test_the_newest_ending_of_a_step_counts(journal: Journal) -> None:
    """In doubt first, done later: done."""
    begin(journal)
    journal.record("r1", endings=[Ended(Ending(0, State.IN_DOUBT))])
    journal.record("r1", endings=[Ended(Ending(0, State.DONE, "HR1", "received"))])
    assert journal.endings("r1") == [Ending(0, State.DONE, "HR1", "received")]


def test_personal_data_lies_in_the_plans_alone(journal: Journal, tmp_path: Path) -> None:
    """Neither number nor name is in the file in clear; the plan comes back whole."""
    begin(journal)
    assert journal.plan_of("r1").dumps() == plan().dumps()
    assert b"5017122661" not in (tmp_path / "journal.db").read_bytes()


def test_refused_creates_are_known_by_content_until_one_is_taken(journal: Journal) -> None:
    """The newest ending of a content decides."""
    begin(journal)
    content = STEP.content_hash()
    refusal = Ending(0, State.REFUSED, code="22110", message="not hostable")
    journal.record("r1", endings=[Ended(refusal, content)])
    assert journal.refused() == {content: ("22110", "not hostable")}
    journal.record("r1", endings=[Ended(replace(refusal, state=State.DONE), content)])
    assert journal.refused() == {}


def test_a_refusal_of_the_number_itself_is_known_by_the_number_too(journal: Journal) -> None:
    """22102, 22103 and 22110 say nothing of the rest of the row; any other code does."""
    begin(journal)
    content, number = STEP.content_hash(), STEP.number_hash()
    for code, known in (("22102", True), ("22103", True), ("22110", True), ("22104", False)):
        refusal = Ending(0, State.REFUSED, code=code, message="no")
        journal.record("r1", endings=[Ended(refusal, content, number)])
        assert (number in journal.refused()) is known
    taken = Ended(Ending(0, State.DONE), "other content", number)
    journal.record("r1", endings=[Ended(replace(refusal, code="22110"), content, number), taken])
    assert list(journal.refused()) == [content]


def test_runs_of_another_address_are_not_ours(journal: Journal, tmp_path: Path) -> None:
    """Runs, plans and refusals belong to one account at one address."""
    begin(journal)
    with open_journal(tmp_path, base_url="http://127.0.0.1:10") as other:
        assert other.runs() == []
        assert other.refused() == {}
        with pytest.raises(UsageError):
            other.plan_of("r1")


def test_runs_are_listed_newest_first_with_their_counts(journal: Journal) -> None:
    """A run left `running` by nobody is unfinished; a marked one is what it was marked."""
    begin(journal, "r1")
    journal.record("r1", endings=[Ended(Ending(0, State.DONE))])
    journal.mark("r1", "finished", at=NOW)
    begin(journal, "r2")
    two, one = journal.runs()
    assert (one.state, one.unfinished, one.counts, one.ended) == ("finished", False, {"done": 1}, 1)
    assert (two.state, two.unfinished, two.counts, two.ended) == ("unfinished", True, {"pending": 1}, 0)


def test_one_lock_a_home(journal: Journal) -> None:
    """A second run is refused with the name of the first, also in the same process."""
    lock = journal.lock("r1")
    with pytest.raises(RunLocked, match="r1"):
        journal.lock("r2")
    lock.release()
    journal.lock("r2").release()


def test_intents_of_many_threads_share_commits_and_keep_their_ids(journal: Journal) -> None:
    """Every caller gets the id of its own row."""
    begin(journal)
    ids: dict[int, int] = {}

    def intend(step: int) -> None:
        (ids[step],) = journal.intend("r1", [intent(step=step)])

    threads = [threading.Thread(target=intend, args=(step,)) for step in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.step: a.attempt for a in journal.attempts("r1")} == ids


def _mutations() -> dict[str, object]:
    return {
        "text": lambda whole: b"these are my notes, and they are long enough " * 20,
        "cut": lambda whole: whole[: len(whole) // 2],
        "zeroed page": lambda whole: whole[:4096] + bytes(4096) + whole[8192:],
        "flipped header": lambda whole: b"\xff" + whole[1:],
        "other application": lambda whole: whole[:68] + b"\x00\x00\x00\x01" + whole[72:],
        "newer version": lambda whole: whole[:60] + b"\x00\x00\x00\x63" + whole[64:],
    }


@pytest.mark.parametrize("mutation", _mutations())
def test_a_file_that_is_not_a_whole_journal_is_refused_and_kept(tmp_path: Path, mutation: str) -> None:
    """It is never read in part and never started over."""
    with open_journal(tmp_path) as journal:
        begin(journal)
    path = tmp_path / "journal.db"
    broken = _mutations()[mutation](path.read_bytes())  # type: ignore[operator]
    path.write_bytes(broken)
    with pytest.raises(JournalError, match="left as it is"):
        open_journal(tmp_path)
    assert path.read_bytes() == broken


def test_an_intent_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Nothing may be sent then, and the journal is not failing: nothing happened."""
    with open_journal(tmp_path) as journal:
        begin(journal)
        journal._database._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(JournalError):
            journal.intend("r1", [replace(intent(), fence={"much": "x" * 200_000})])
        assert not journal.failing


def test_a_result_that_cannot_be_written_is_kept_and_written_later(tmp_path: Path) -> None:
    """It goes to disk with the first write that works again."""
    with open_journal(tmp_path) as journal:
        begin(journal)
        (attempt,) = journal.intend("r1", [intent()])
        connection = journal._database._connection
        connection.execute("PRAGMA max_page_count = 1")
        journal.record("r1", results=[Result(attempt, "done", "x" * 200_000, NOW)])
        with pytest.raises(JournalError):
            journal.flush()
        assert journal.failing
        connection.execute("PRAGMA max_page_count = 1000000")
        assert journal.attempts("r1")[0].kind == "done"
        assert not journal.failing


def test_results_kept_while_another_process_uses_the_journal_are_not_told_as_a_full_disk(
    tmp_path: Path,
) -> None:
    """One waits for it; what is kept is written down with the next write."""
    with open_journal(tmp_path) as journal:
        begin(journal)
        (attempt,) = journal.intend("r1", [intent()])
        assert "disk" in journal.what_to_do
        journal._database._connection.execute("PRAGMA busy_timeout = 10")
        with sqlite3.connect(tmp_path / "journal.db") as other:
            other.execute("BEGIN IMMEDIATE")
            journal.record("r1", results=[Result(attempt, "done", "", NOW, sid="HR7")])
            with pytest.raises(
                JournalError, match=r"1 results are kept.*Another process is using it"
            ) as caught:
                journal.flush()
            assert journal.failing
            assert "Another process" in journal.what_to_do
            assert "room" not in caught.value.message + journal.what_to_do
        other.close()
        assert journal.attempts("r1")[0].kind == "done"


def leave_something(home: Path) -> int:
    """A journal whose disk refused a result and an ending to the end; the attempt they are of."""
    with open_journal(home) as journal:
        begin(journal)
        (attempt,) = journal.intend("r1", [intent()])
        journal._database._connection.execute("PRAGMA max_page_count = 1")
        journal.record("r1", results=[Result(attempt, "done", "x" * 200_000, NOW, sid="HR7")])
        journal.record("r1", endings=[Ended(Ending(0, State.DONE, "HR7", "received"), "c", "n")])
        with pytest.raises(JournalError, match=r"r1\.errored\.jsonl.*hnbulk resume r1"):
            journal.flush()
    assert journal.left_behind == (home / "r1.errored.jsonl",)
    return attempt


def test_a_result_the_disk_never_takes_ends_in_a_plain_file(tmp_path: Path) -> None:
    """Closing leaves it in `<run>.errored.jsonl`, by names, for its owner alone."""
    attempt = leave_something(tmp_path)
    left = tmp_path / "r1.errored.jsonl"
    result, ended = (json.loads(line) for line in left.read_text().splitlines())
    assert (result["record"], result["attempt"], result["sid"]) == ("result", attempt, "HR7")
    assert (ended["record"], ended["step"], ended["state"], ended["content"]) == ("ended", 0, "done", "c")
    assert stat.S_IMODE(left.stat().st_mode) == 0o600


def test_where_no_disk_takes_it_the_lines_are_told_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They name nobody, and are taken in from where a person saves them."""
    (tmp_path / "r1.errored.jsonl").mkdir()
    with open_journal(tmp_path) as journal:
        begin(journal)
        (attempt,) = journal.intend("r1", [intent()])
        journal._database._connection.execute("PRAGMA max_page_count = 1")
        ended = Ended(Ending(0, State.DONE, "HR7", "received"), "c" * 64, "n" * 64)
        journal.record("r1", results=[Result(attempt, "done", "x" * 200_000, NOW)], endings=[ended])
    assert journal.left_behind == ()
    said, *lines = capsys.readouterr().err.splitlines()
    assert re.search(r"Save the lines that follow .*`hnbulk resume r1` takes them in", said)
    assert "c" * 64 not in "".join(lines)
    (tmp_path / "r1.errored.jsonl").rmdir()
    (tmp_path / "r1.errored.jsonl").write_text("\n".join([*lines, ""]))
    with open_journal(tmp_path) as journal:
        assert journal.take_in("r1") == 2
        assert journal.endings("r1") == [Ending(0, State.DONE, "HR7", "received")]


def test_what_was_left_is_taken_in_once(tmp_path: Path) -> None:
    """As if the disk had taken it; the file is kept under another name."""
    leave_something(tmp_path)
    with open_journal(tmp_path) as journal:
        assert journal.attempts("r1")[0].kind is None
        assert journal.take_in("r1") == 2
        assert journal.attempts("r1")[0].kind == "done"
        assert journal.endings("r1") == [Ending(0, State.DONE, "HR7", "received")]
        assert journal.take_in("r1") == 0
    assert [path.name for path in tmp_path.glob("r1.*")] == ["r1.errored.jsonl.imported"]


def test_a_line_that_was_cut_is_left_out(tmp_path: Path) -> None:
    """The attempt is in doubt then, and looked up."""
    leave_something(tmp_path)
    left = tmp_path / "r1.errored.jsonl"
    left.write_text(left.read_text()[:-20])
    with open_journal(tmp_path) as journal:
        assert journal.take_in("r1") == 1
        assert journal.endings("r1") == []


@pytest.mark.parametrize(
    "change",
    [
        {"record": "statement", "sql": "DELETE FROM runs"},
        {"state": "perfect"},
        {"step": 7},
        {"step": "0"},
        {"retryable": 2},
        {"run_id": "r2"},
        {"more": 1},
        {"state": None},
        {"sid": 5},
        ["INSERT INTO endings VALUES (1)", []],
        5,
        "no JSON",
    ],
    ids=str,
)
def test_only_results_and_endings_of_the_run_are_taken_in(tmp_path: Path, change: object) -> None:
    """Anything else is refused by its line, and nothing of the file is taken in."""
    leave_something(tmp_path)
    left = tmp_path / "r1.errored.jsonl"
    first, second = left.read_text().splitlines()
    wrong = json.dumps(json.loads(second) | change if isinstance(change, dict) else change)
    left.write_text(f"{first}\n{wrong if change != 'no JSON' else '{'}\n")
    with open_journal(tmp_path) as journal:
        with pytest.raises(JournalError, match=r"line 2 is no record.*move it away"):
            journal.take_in("r1")
        assert journal.attempts("r1")[0].kind is None
    assert left.exists()


# -- who shares a transaction, and who writes


def test_one_bad_job_fails_alone(tmp_path: Path) -> None:
    """Whoever shares the transaction with it has written; a bad result is kept and stops the run."""
    with open_journal(tmp_path) as journal:
        begin(journal)
        (attempt,) = journal.intend("r1", [intent()])
        commits = journal._commits
        good, bad = [
            _Job([result_entry("r1", Result(one, "done", "", NOW))], "r1") for one in (attempt, attempt + 9)
        ]
        waiting = _Job([intent_entry("r1", intent(step=1), boot="b")])
        twice = _Job([intent_entry("r1", intent(step=0), boot="b")])
        assert commits._write([bad, twice, good, waiting]) == []
        assert (bad.error is None, twice.error is None) == (False, False)
        assert (good.error, waiting.error, len(waiting.ids)) == (None, None, 1)
        assert journal.failing
    assert str(attempt + 9) in (tmp_path / "r1.errored.jsonl").read_text()
    with open_journal(tmp_path) as journal:
        assert [(one.step, one.kind) for one in journal.attempts("r1")] == [(0, "done"), (1, None)]


def test_two_who_send_for_one_run_are_told_apart(journal: Journal, tmp_path: Path) -> None:
    """The second one to intend the same attempt is told that the run is under way elsewhere."""
    begin(journal)
    with open_journal(tmp_path) as other:
        other.intend("r1", [intent()])
        with pytest.raises(RunLocked, match="another process is sending for run r1"):
            journal.intend("r1", [intent()])
        assert not journal.failing
        journal.intend("r1", [intent(step=1)])
        assert [one.step for one in other.attempts("r1")] == [0, 1]


def test_what_the_service_says_in_half_characters_is_written(journal: Journal) -> None:
    """A lone surrogate in a message is no reason to lose an ending, or the writer."""
    begin(journal)
    journal.record("r1", endings=[Ended(Ending(0, State.REFUSED, message="no \ud800 way"))])
    assert journal.endings("r1")[0].message == "no ? way"


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("endings", "step = 1"),
        ("endings", "state = 'refused'"),
        ("outcomes", "kind = 'not-sent'"),
        ("attempts", "n = 2"),
        ("states", "state = 'finished'"),
        ("runs", "account_sid = 'AC'"),
        ("plans", "content = x'00'"),
    ],
)
def test_an_edited_row_breaks_the_chain(tmp_path: Path, table: str, change: str) -> None:
    """Whatever wrote it, and past the triggers: the run is not read as if nothing had happened."""
    with open_journal(tmp_path) as journal:
        begin(journal)
        for step in (0, 3):
            (attempt,) = journal.intend("r1", [intent(step=step)])
            ended = [Ended(Ending(step, State.DONE))]
            journal.record("r1", results=[Result(attempt, "done", "", NOW)], endings=ended)
    with sqlite3.connect(tmp_path / "journal.db") as other:
        triggers = other.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            other.execute(f"DROP TRIGGER {name}")
        other.execute(f"UPDATE {table} SET {change} WHERE rowid = 1")
        for _, sql in triggers:
            other.execute(sql)
    other.close()
    with pytest.raises(JournalError, match=r"not as (it was|they were) written.*hnbulk rebuild"):  # noqa: SIM117
        with open_journal(tmp_path) as journal:
            journal.plan_of("r1"), journal.attempts("r1"), journal.endings("r1")


def test_run_ids_sort_by_time_and_are_never_given_twice(journal: Journal, tmp_path: Path) -> None:
    """`r`, the machine's time, and four characters: others where another account's run has the id."""
    first = journal.new_run_id(NOW, "abc")
    assert (first[:-4], len(first)) == ("r20260105-150000-", 21)
    begin(journal, first)
    with open_journal(tmp_path, base_url="http://127.0.0.1:10") as other:
        assert other.runs() == []
        assert other.new_run_id(NOW, "abc") not in ("", first)


class Busy:
    """A connection of one process while another writes an attempt after every statement."""

    def __init__(self, path: Path, write: Callable[[], object]) -> None:
        self.real, self.write = connect_sqlite(path), write

    @property
    def in_transaction(self) -> bool:
        return self.real.in_transaction

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        found = self.real.execute(sql, values).fetchall()
        self.write()
        return Found(found)

    def close(self) -> None:
        self.real.close()


class Found(list[Any]):
    """What a statement gave, read to its end."""

    lastrowid = None

    def fetchall(self) -> list[Any]:
        return self

    def fetchone(self) -> Any:
        return self[0]


def test_a_journal_that_is_written_to_meanwhile_is_whole(tmp_path: Path) -> None:
    """Whoever looks at a live run does not take its newest rows for lost ones."""
    with open_journal(tmp_path) as journal:
        begin(journal)
        numbers = count(1)
        looked = Journal.open(
            tmp_path,
            account_sid=ACCOUNT,
            base_url=URL,
            connect=lambda path: Busy(path, lambda: journal.intend("r1", [intent(next(numbers))])),
        )
        looked.close()
        assert len(journal.attempts("r1")) > 10
