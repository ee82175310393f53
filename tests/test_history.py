"""The history keeps each change of status with the two times between which it happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from forked import in_a_child

from hnbulk.errors import JournalError
from hnbulk.history import History, Seen

T0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
ACCOUNT = "AC" + "a" * 32
URL = "http://127.0.0.1:9"


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def seen(status: str, *, sid: str = "HR1", number: str = "+15017122661", born: float = 0) -> Seen:
    return Seen(sid, number, status, at(born))


def open_history(home: Path, base_url: str = URL) -> History:
    return History.open(home, account_sid=ACCOUNT, base_url=base_url)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with open_history(tmp_path) as opened:
        yield opened


def times(history: History) -> list[tuple[str, datetime, datetime, str]]:
    return [(e["status"], e["not_before"], e["seen_at"], e["source"]) for e in history.events()]


def test_an_order_first_seen_by_a_poll_began_at_its_date_created(history: History) -> None:
    """Its birth is an event, and its present status changed somewhere between birth and the poll."""
    assert history.observe([seen("received")], seen_at=at(6), source="poll") == 2
    assert times(history) == [
        ("twilio-processing", at(0), at(0), "poll"),
        ("received", at(0), at(6), "poll"),
    ]


def test_an_order_first_seen_in_its_first_status_has_one_event(history: History) -> None:
    """A poll that sees a newborn order adds its birth only."""
    assert history.observe([seen("twilio-processing")], seen_at=at(1), source="poll") == 1


def test_our_own_create_is_seen_at_the_time_of_its_reply(history: History) -> None:
    """An own write is exact: nothing lies between its two times."""
    history.observe([seen("twilio-processing")], seen_at=at(0.5), source="own", run_id="r1")
    assert times(history) == [("twilio-processing", at(0.5), at(0.5), "own")]
    assert history.events()[0]["run_id"] == "r1"


def test_not_before_is_the_last_time_the_other_status_was_seen(history: History) -> None:
    """Polls that see nothing new move the earliest time of the next change."""
    for hour in (6, 12, 18):
        history.observe([seen("received")], seen_at=at(hour), source="poll")
    history.observe([seen("verified")], seen_at=at(24), source="poll")
    assert times(history)[-1] == ("verified", at(18), at(24), "poll")


def test_last_sight_outlives_the_process(tmp_path: Path) -> None:
    """A reopened history knows when each order was last seen, from its readings alone."""
    with open_history(tmp_path) as history:
        for hour in (6, 12):
            history.observe([seen("received")], seen_at=at(hour), source="poll")
    with open_history(tmp_path) as history:
        history.observe([seen("verified")], seen_at=at(24), source="poll")
        assert times(history)[-1] == ("verified", at(12), at(24), "poll")


def test_a_partial_look_moves_only_what_it_saw(history: History) -> None:
    """An order that a look left out keeps its own last sight."""
    two = [seen("received"), seen("received", sid="HR2", number="+15017122662")]
    history.observe(two, seen_at=at(6), source="poll")
    history.observe(two[:1], seen_at=at(12), source="poll")
    history.observe([seen("verified", sid="HR2", number="+15017122662")], seen_at=at(18), source="poll")
    assert times(history)[-1] == ("verified", at(6), at(18), "poll")


def test_an_older_look_never_overwrites_a_newer_one(history: History) -> None:
    """A record seen before what is known changes nothing."""
    history.observe([seen("verified")], seen_at=at(6), source="poll")
    assert history.observe([seen("received")], seen_at=at(5), source="callback") == 0
    assert history.last_statuses() == {"HR1": "verified"}


def test_attempt_counts_the_orders_of_one_number_by_their_creation(history: History) -> None:
    """The order made first is attempt 1, in whatever order they were seen."""
    history.observe([seen("received", sid="HR2", born=5)], seen_at=at(6), source="poll")
    history.observe([seen("failed", sid="HR1", born=1)], seen_at=at(7), source="poll")
    assert {(e["order_sid"], e["attempt"]) for e in history.events()} == {("HR1", 1), ("HR2", 2)}


def test_accounts_and_addresses_do_not_mix(tmp_path: Path) -> None:
    """Another address in the same file has its own events."""
    with open_history(tmp_path) as one:
        one.observe([seen("received")], seen_at=at(6), source="poll")
    with open_history(tmp_path, "http://127.0.0.1:10") as other:
        assert other.events() == []
        assert other.observe([seen("received")], seen_at=at(6), source="poll") == 2


def test_last_calls_are_our_own_newest_ones(history: History) -> None:
    """Each order's last call by us is known by its time."""
    history.note_calls([(at(1), "HR1"), (at(1), "HR2")], run_id="r1")
    history.note_calls([(at(2), "HR1")], run_id="r2")
    assert history.last_calls() == {"HR1": at(2), "HR2": at(1)}


def test_what_another_process_saw_is_known(tmp_path: Path) -> None:
    """Two open histories of one account do not repeat each other's events."""
    with open_history(tmp_path) as one, open_history(tmp_path) as two:
        assert one.observe([seen("received")], seen_at=at(6), source="poll") == 2
        assert two.observe([seen("received")], seen_at=at(7), source="poll") == 0
        assert one.observe([seen("verified")], seen_at=at(8), source="poll") == 1
        assert times(one)[-1][1] == at(7)


def test_a_foreign_file_is_refused_and_kept(tmp_path: Path) -> None:
    """A text file under the history's name is neither read nor replaced."""
    (tmp_path / "history.db").write_text("my notes, not a database at all, but quite long enough")
    with pytest.raises(JournalError, match="left as it is"):
        open_history(tmp_path)
    assert (tmp_path / "history.db").read_text().startswith("my notes")


def test_a_poll_without_news_writes_one_reading(history: History) -> None:
    """Two thousand unchanged orders cost one row, and far less time than a poll takes."""
    many = [seen("received", sid=f"HR{n:032x}", number=f"+1501{n:07d}") for n in range(2000)]
    history.observe(many, seen_at=at(1), source="poll")
    began = time.process_time()
    for hour in range(2, 12):
        assert history.observe(many, seen_at=at(hour), source="poll") == 0
    assert len(history.readings()) == 11
    assert time.process_time() - began < 2.0


def test_a_forked_child_is_told_at_once_that_the_history_is_its_parents(history: History) -> None:
    """Not even what is in memory is waited for."""

    def child() -> None:
        for use in (
            history.last_statuses,
            history.events,
            lambda: history.observe([seen("received")], seen_at=at(6), source="poll"),
            lambda: history.note_calls([(at(1), "HR1")]),
        ):
            with pytest.raises(JournalError, match="forked"):
                use()

    assert in_a_child(child) == 0
    assert history.observe([seen("received")], seen_at=at(6), source="poll") == 2
