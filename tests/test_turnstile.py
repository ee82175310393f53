"""Processes of one user keep one rate together; where the file is no good, each keeps its own."""

from __future__ import annotations

import json
import math
import os
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.turnstile import LEASE, SharedWindow, place_for

SID, URL = "AC" + "a" * 32, "https://preview.twilio.com"
_CHILD = """
import json, sys, time
from pathlib import Path
from hnbulk.gate import SPAN, Gate
from hnbulk.turnstile import SharedWindow
path, rate, seconds = Path(sys.argv[1]), *map(float, sys.argv[2:])
gate, sent = Gate(rate, window=SharedWindow(path, rate, SPAN)), []
print("there", flush=True)
begin = float(sys.stdin.readline())
while time.monotonic() < begin + seconds:
    gate.enter(lambda: False)
    sent.append(time.monotonic())
    gate.left()
print(json.dumps(sent))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hnbulk-0" / "0123456789abcdef.pace"


@pytest.fixture
def told() -> list[str]:
    return []


def test_two_processes_are_never_more_than_the_rate_together(path: Path) -> None:
    """At 20 a second, and at least nineteen of them; by the times at which each really sent."""
    seconds = 5.0
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, path, "20", str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
    begin = time.monotonic()
    for child in children:
        assert child.stdin is not None
        child.stdin.write(f"{begin}\n")
        child.stdin.flush()
    sent = [json.loads(child.communicate(timeout=60)[0]) for child in children]
    both = sorted(sent[0] + sent[1])
    assert max(sum(t <= s < t + 1 for s in both) for t in both) <= 20
    assert len([at for at in both if at < begin + seconds]) >= 0.95 * 20 * seconds
    assert all(len(times) > 5 for times in sent)  # neither is left standing


@given(st.lists(st.tuples(st.floats(0, 0.4), st.integers(0, 2), st.booleans()), max_size=60))
def test_several_windows_are_one(asked: list[tuple[float, int, bool]]) -> None:
    """Whoever asks in whatever order: all starts together keep the rate, with late ones where they were."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        windows = [SharedWindow(Path(folder) / "own" / "x.pace", 3.0, 1.0) for _ in range(3)]
        now, starts = 100.0, []
        for gap, who, late in asked:
            now += gap
            now = max(now, windows[who].take(now, now + 5.0))
            if windows[who].take(now, now + 5.0) > now:  # the first one took it: told again, it waits
                continue
            starts.append(now)
            if late:
                windows[who].settle(now + 5.0, now)
        for window in windows:
            window.change(None)
        ordered = sorted(starts)
        assert all(later - sooner >= 1.0 for sooner, later in zip(ordered, ordered[3:], strict=False))


@pytest.mark.parametrize("rate", [0.5, 2.0, 20.0, 100.0])
@pytest.mark.parametrize("apart", [0.0001, 0.0005, 0.004])
@pytest.mark.parametrize("late_by", [0.0001, 0.001, 0.008])
@pytest.mark.parametrize("others", [1, 2, 3])
def test_one_that_is_always_a_little_late_is_not_left_standing(
    path: Path, rate: float, apart: float, late_by: float, others: int
) -> None:
    """One process wakes up a little after the others, every time: all have their share."""
    late = {**dict.fromkeys(range(others), 0.0), others: late_by}
    windows = {who: SharedWindow(path, rate) for who in late}
    asks = dict.fromkeys(late, 100.0)
    starts: list[tuple[float, int]] = []
    while (now := min(asks.values())) < 100.0 + 20 * max(1.0, 1 / rate):
        who = min(asks, key=lambda one: asks[one])
        start = windows[who].take(now)
        if start > now:
            asks[who] = min(start, now + 0.5) + late[who]
        else:
            starts.append((now, who))
            asks[who] = now + apart
    shares = [sum(one == who for _, one in starts) / len(starts) for who in late]
    assert min(shares) > 0.25 / len(late)
    assert len(starts) >= 0.97 * 20 * max(1.0, rate)


def taken(window: SharedWindow, now: float) -> int:
    """How many more may start at once."""
    count = 0
    while window.take(now) <= now:
        count += 1
    return count


def test_the_lowest_rate_of_those_who_are_there_counts(path: Path) -> None:
    """Until it leaves, or has not been heard of for a while; who has none takes no part."""
    fast, slow, free = (SharedWindow(path, rate) for rate in (10.0, 2.0, None))
    assert taken(fast, 100.0) == 10
    assert slow.take(100.5) > 100.5
    assert taken(fast, 102.0) == 2
    assert free.take(102.0) == 102.0
    slow.change(None)
    assert taken(fast, 102.5) == 8  # two started in the second before
    slow.change(2.0)
    assert taken(slow, 110.0) == 2
    assert taken(fast, 111.0 + LEASE) == 10
    for window in (fast, slow, free):
        window.change(None)
    assert [window.rate for window in (fast, slow, free)] == [None] * 3


def test_a_rate_below_one_is_shared_too(path: Path) -> None:
    """One every two seconds, of both."""
    one, other = SharedWindow(path, 0.5), SharedWindow(path, 0.5)
    assert one.take(100.0) == 100.0
    assert other.take(100.1) == pytest.approx(102.0)
    assert other.take(102.1) == 102.1
    assert one.take(102.1) == pytest.approx(104.1)


def test_no_rate_opens_no_file(path: Path) -> None:
    """Nothing is left behind by who has no ceiling."""
    window = SharedWindow(path, None)
    window.take(1.0)
    window.settle(1.0, 2.0)
    window.change(None)
    assert not path.parent.exists()


def test_file_and_folder_are_ours_alone(path: Path) -> None:
    """0700 and 0600, and nothing in it names the account."""
    SharedWindow(path, 5.0).take(1.0)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_place_for_one_account_at_one_address(tmp_path: Path) -> None:
    """In the first of the folders that is there; each user's own."""
    place = place_for(SID, URL, among=(tmp_path / "missing", tmp_path, tmp_path.parent))
    assert place.parent == tmp_path / f"hnbulk-{os.geteuid()}"
    assert SID not in str(place)
    assert len(place.stem) == 16
    others = {place_for(SID, URL + ":443"), place_for("AC" + "b" * 32, URL)}
    assert place.name not in {other.name for other in others}
    assert place_for(SID, URL, among=(tmp_path / "missing",)).parent.parent == tmp_path / "missing"


def test_the_place_does_not_depend_on_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login, a cron job and `docker exec` have different ones, and one pace."""
    place = place_for(SID, URL)
    for name in ("XDG_RUNTIME_DIR", "TMPDIR", "TEMP", "TMP", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        assert place_for(SID, URL) == place
        monkeypatch.delenv(name)
        monkeypatch.setattr("tempfile.tempdir", None)
        assert place_for(SID, URL) == place


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def overwrite(path: Path) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)


def no_number(path: Path) -> None:
    content = path.read_bytes()
    start = struct.pack("<d", 100.0)
    assert start in content
    path.write_bytes(content.replace(start, struct.pack("<d", math.nan)))


def linked(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def for_all_eyes(path: Path) -> None:
    path.chmod(0o644)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def open_folder(path: Path) -> None:
    path.parent.chmod(0o777)


@pytest.mark.parametrize(
    "harm",
    [cut, overwrite, no_number, linked, for_all_eyes, a_folder, open_folder],
    ids=lambda harm: harm.__name__,
)
def test_without_a_good_file_each_keeps_the_rate_by_itself(
    path: Path, told: list[str], harm: Callable[[Path], None]
) -> None:
    """One line says so, and what started before still counts."""
    SharedWindow(path, 5.0).take(100.0)
    harm(path)
    window = SharedWindow(path, 5.0, warn=told.append)
    assert window.take(100.5) == pytest.approx(101.5)
    assert taken(window, 101.6) == 5
    window.settle(101.6, 101.8)
    window.change(7.0)
    assert taken(window, 102.7) == 6
    assert len(told) == 1
    assert str(path) in told[0]


def test_a_file_that_breaks_under_way_is_given_up(path: Path, told: list[str]) -> None:
    """When a start is moved, too; and leaving a broken one is no error."""
    window, other = (SharedWindow(path, 5.0, warn=told.append) for _ in range(2))
    window.take(100.0, 105.0)
    other.take(100.0)
    cut(path)
    window.settle(105.0, 100.1)
    assert len(told) == 1
    assert window.take(100.2) > 101.0
    other.change(None)
    assert len(told) == 1


def test_one_who_keeps_the_lock_is_not_waited_for_for_ever(path: Path, told: list[str]) -> None:
    """A stopped process holds up nobody for more than some seconds."""
    import fcntl

    SharedWindow(path, 5.0).take(100.0)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        SharedWindow(path, 5.0, warn=told.append).take(100.0)
    assert "locked" in told[0]


def test_another_boot_or_clock_is_forgotten(path: Path) -> None:
    """Times of another boot, or far in the future, say nothing."""
    window = SharedWindow(path, 1.0)
    window.take(5000.0)
    assert window.take(20.0) == 20.0  # the clock began anew, and nobody noticed
    assert window.take(20.0) > 20.0
    content = bytearray(path.read_bytes())
    content[8:48] = b"another boot".ljust(40, b"\0")
    path.write_bytes(content)
    assert window.take(20.5) == 20.5
    path.write_bytes(b"\0" * len(content))  # made, but never written to
    assert window.take(20.6) == 20.6


def test_many_members_and_high_rates_fit(path: Path) -> None:
    """More than there is room for: the lowest rates stay, and a rate beyond the most is kept at it."""
    windows = [SharedWindow(path, 5000.0 + n) for n in range(40)]
    for window in windows:
        window.take(100.0)
    assert 40 + taken(windows[0], 100.0) == 2000
    slow = SharedWindow(path, 1.0)
    slow.take(102.0)
    for window in windows:
        assert window.take(102.5) > 102.5
