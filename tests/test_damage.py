"""Three hundred damaged journals: refused with the way out, or the very content; never silence."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_journal import ACCOUNT, NOW, URL, open_journal, plan

from hnbulk.entries import Ended, Intent, Result
from hnbulk.errors import JournalError
from hnbulk.history import History, Seen
from hnbulk.journal import Journal
from hnbulk.journalfile import SHAPE
from hnbulk.steps import Action, Ending, State, Step

PAGE = 4096
STEPS = 60
RUNS = ("r1", "r2")


def fill(home: Path) -> None:
    """Two runs of sixty creates: done, refused, in doubt and never sent, as runs leave them."""
    steps = [
        Step(n + 2, Action.CREATE, f"+1501200{n:04d}", after={"unique_name": f"hn1-{n}"})
        for n in range(STEPS)
    ]
    with open_journal(home) as journal:
        for run_id in RUNS:
            journal.begin(run_id, plan(*steps), kind="orders", at=NOW, options={"rate": 5.0})
            for n in range(STEPS - 10):
                (attempt,) = journal.intend(run_id, [Intent(n, 1, "create", f"{n:064d}", NOW, 1.5)])
                if n % 7 == 0:
                    continue  # its process died here
                state = State.REFUSED if n % 5 == 0 else State.DONE
                ending = Ending(n, state, f"HR{n:032d}", "received", code="22104", message="no — é")
                journal.record(
                    run_id,
                    results=[Result(attempt, "done", "", NOW, 22104, ending.sid, "received", NOW)],
                    endings=[Ended(ending, f"c{n}", f"n{n}")],
                )
            journal.mark(run_id, "stopped", at=NOW, note="stopped by hand.")


def all_of(journal: Journal) -> list[object]:
    """Everything a resume and a next plan go by."""
    found: list[object] = [journal.runs(), journal.refused()]
    for run_id in RUNS:
        read = (journal.plan_of(run_id).dumps(), journal.attempts(run_id), journal.endings(run_id))
        found += [*read, journal.marked_at(run_id)]
    return found


def damages(whole: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """A kind of damage, and the file after it."""
    pages = len(whole) // PAGE

    def flip(data: bytes, at: int) -> bytes:
        return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]

    def page(n: int) -> bytes:
        return whole[n * PAGE : (n + 1) * PAGE]

    def swapped() -> bytes:
        one, two = sorted(chance.sample(range(pages), 2))
        middle = whole[(one + 1) * PAGE : two * PAGE]
        return whole[: one * PAGE] + page(two) + middle + page(one) + whole[(two + 1) * PAGE :]

    def zeroed() -> bytes:
        n = chance.randrange(pages)
        return whole[: n * PAGE] + bytes(PAGE) + whole[(n + 1) * PAGE :]

    def repeated() -> bytes:
        one, two = chance.sample(range(pages), 2)
        return whole[: one * PAGE] + page(two) + whole[(one + 1) * PAGE :]

    def written(at: int, number: int) -> bytes:
        return whole[:at] + number.to_bytes(4, "big") + whole[at + 4 :]

    used = [at for at, byte in enumerate(whole) if byte]
    kinds: dict[str, tuple[int, Callable[[], bytes]]] = {
        "flip in what is written": (150, lambda: flip(whole, chance.choice(used))),
        "flip in the header": (20, lambda: flip(whole, chance.randrange(100))),
        "cut": (30, lambda: whole[: chance.randrange(len(whole))]),
        "cut to pages": (15, lambda: whole[: chance.randrange(pages) * PAGE]),
        "zero page": (25, zeroed),
        "swapped pages": (25, swapped),
        "a page twice": (20, repeated),
        "text": (5, lambda: b"my notes, and long ones\n" * chance.randrange(1, 900)),
        "noise": (4, lambda: chance.randbytes(chance.randrange(1, 9000))),
        "newer": (3, lambda: written(60, chance.randrange(4, 1000))),
        "of somebody else": (3, lambda: written(68, chance.randrange(1, 1 << 30))),
    }
    for kind, (count, make) in kinds.items():
        for _ in range(count):
            yield kind, make()


def test_a_damaged_journal_is_refused_or_tells_the_same(tmp_path: Path) -> None:
    """No other error, no empty start, no other content; and the message says the way out."""
    whole_home = tmp_path / "whole"
    fill(whole_home)
    with open_journal(whole_home) as journal:
        truth = all_of(journal)
    whole = (whole_home / "journal.db").read_bytes()
    home = tmp_path / "damaged"
    home.mkdir()
    shutil.copy(whole_home / "lineage", home)
    seen: Counter[tuple[str, bool]] = Counter()
    said: set[str] = set()
    for kind, data in damages(whole, random.Random(4)):
        (home / "journal.db").write_bytes(data)
        try:
            with open_journal(home) as journal:
                found = all_of(journal)
        except JournalError as error:
            said.add(error.message.partition("left as it is. ")[2])
            seen[kind, True] += 1
        else:
            assert found == truth, kind
            seen[kind, False] += 1
    assert seen.total() == 300
    assert said == {SHAPE.way_out}
    refused = Counter({kind: count for (kind, was), count in seen.items() if was})
    assert refused["flip in what is written"] > 100, "most of what is written matters"
    assert [
        seen[kind, False] for kind in ("cut to pages", "text", "noise", "newer", "of somebody else")
    ] == [0] * 5


@pytest.mark.parametrize("marker", [True, False])
def test_a_journal_that_is_gone_is_not_begun_anew_beside_its_marker(tmp_path: Path, marker: bool) -> None:
    """The message names what to do; with the marker removed by hand a new one begins."""
    fill(tmp_path)
    (tmp_path / "journal.db").unlink()
    if marker:
        with pytest.raises(JournalError, match=r"missing.*hnbulk rebuild PLAN.*remove .*lineage"):
            open_journal(tmp_path)
        assert not (tmp_path / "journal.db").exists()
    else:
        (tmp_path / "lineage").unlink()
        with open_journal(tmp_path) as journal:
            assert journal.runs() == []


def test_a_damaged_history_is_refused_without_a_traceback(tmp_path: Path) -> None:
    """Flips in what is written: the file is refused, or it opens."""
    lineage = {"account_sid": ACCOUNT, "base_url": URL}
    with History.open(tmp_path, **lineage) as history:
        for n in range(200):
            seen = [Seen(f"HR{n:032d}", f"+1501200{n:04d}", "received", NOW)]
            history.observe(seen, seen_at=NOW, source="poll")
    path = tmp_path / "history.db"
    whole, chance = path.read_bytes(), random.Random(4)
    used = [at for at, byte in enumerate(whole) if byte]
    refused = 0
    for _ in range(40):
        at = chance.choice(used)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        try:
            History.open(tmp_path, **lineage).close()
        except JournalError:
            refused += 1
    assert refused > 0
