"""`hnbulk drill`: a list under fire, told by the sandbox's own books, and nothing left running."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from numbers_list import listed, numbers

from hnbulk.drill import drill, standard_faults
from hnbulk.errors import HnbulkError
from hnbulk.planfile import load_plan
from hnbulk.rehearsal import Rehearsal
from hnbulk.runlock import holder_of

REAL = "AC" + "f" * 32


def verb(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`hnbulk drill` in a folder whose `.env` and environment name somebody's real account."""
    (folder / ".env").write_text("TWILIO_API_KEY=SK00\nTWILIO_API_SECRET=real\nHNBULK_FAILPOINT=x\n")
    real = {
        "HNBULK_BASE_URL": "https://preview.twilio.com",
        "HNBULK_HOME": str(folder / "real-home"),
        "HNBULK_FAILPOINT": "after_intent:1:kill",
        "TWILIO_ACCOUNT_SID": REAL,
        "TWILIO_AUTH_TOKEN": "real",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "hnbulk", "drill", *arguments],
        env={**os.environ, **real},
        cwd=folder,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    with verb(folder, *arguments) as process:
        out, err = process.communicate(timeout=240)
    assert "Traceback" not in err
    return process.returncode, out, err


def write_list(folder: Path, count: int) -> None:
    rows = [f"{number},{REAL},Branch" for number in numbers(count)]
    (folder / "list.csv").write_text("\n".join(["Phone,account_sid,Branch", *rows, "nonsense,,Last", ""]))


def test_a_drill_that_holds_exits_0_and_leaves_nothing(memory: Path) -> None:
    """Subaccounts and bad rows of a real list are no obstacle; the real account's home is not made."""
    write_list(memory, 60)
    code, out, _ = run(memory, "list.csv", "--kills", "2", "--seed", "3", "--settle", "1.5", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["held"], document["broken"], document["folder"]) == (True, [], None)
    assert (document["rows"], document["planned"], document["orders"]) == (61, 60, 60)
    assert {path.name for path in memory.iterdir()} == {".env", "list.csv"}


def test_a_broken_promise_exits_1_and_keeps_what_it_left(memory: Path) -> None:
    """What comes later than the settle time makes a second order: told, counted, kept for a look."""
    write_list(memory, 40)
    late = {"action": "late", "seconds": 5, "method": "POST", "probability": 0.2, "seed": 1}
    (memory / "late.json").write_text(json.dumps(late))
    options = ("--kills", "0", "--settle", "0", "--faults", "late.json", "--out", "left")
    code, out, err = run(memory, "list.csv", *options)
    assert code == 1, err
    assert "BROKEN: duplicates" in out
    left = memory / "left"
    assert left.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in left.iterdir()} >= {"drill.plan", "workers.log", "results"}
    orders = [json.loads(line) for line in (left / "orders.jsonl").read_text().splitlines()]
    twice = len(orders) - 3 - 40
    assert f"duplicates  {twice}" in re.sub(" +", "  ", out)


@pytest.mark.parametrize(
    ("content", "arguments", "told"),
    [
        ("Phone\nnonsense\n", (), "no row that can be planned"),
        ("Name\nx\n", (), "phone number"),
        ("Phone\n+14155550100\n", ("--kills", "-1"), "kills"),
        ("Phone\n+14155550100\n", ("--faults", "some"), "nor a JSON file"),
        ("Phone\n+14155550100\n", ("--faults", "rule.json"), "a rule is an object with an action"),
    ],
)
def test_bad_input_exits_2(tmp_path: Path, content: str, arguments: tuple[str, ...], told: str) -> None:
    """In one line that says what is wrong."""
    (tmp_path / "list.csv").write_text(content)
    (tmp_path / "rule.json").write_text('{"action": "nonsense"}')
    code, _, err = run(tmp_path, "list.csv", *arguments)
    assert code == 2
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_an_interrupted_drill_leaves_nothing_running(memory: Path) -> None:
    """After Ctrl-C the sandbox listens no more and no worker holds the journal."""
    write_list(memory, 2_000)
    with verb(memory, "list.csv", "--out", "left", "--kills", "0") as process:
        deadline = time.monotonic() + 60
        while not any(map(holder_of, (memory / "left").glob("home-*"))):  # a run is under way
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    plan = load_plan(memory / "left" / "drill.plan")
    (home,) = (memory / "left").glob("home-*")
    assert holder_of(home) is None
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", urlsplit(plan.header.base_url).port or 0)) != 0


def test_a_run_that_cannot_end_is_told(memory: Path) -> None:
    """A service that refuses access ends the drill as not held; what the worker said is passed on."""
    done = drill(
        listed(20), folder=memory, kills=0, faults=[{"action": "status", "status": 401, "method": "POST"}]
    )
    assert not done.held
    assert "the worker ended with 7" in done.stopped
    assert done.as_json()["lost"] == 20


def test_a_sandbox_that_does_not_start_is_told(tmp_path: Path) -> None:
    """In the sandbox's own words."""
    with pytest.raises(HnbulkError, match="there is no setting `nonsense`"):
        Rehearsal.start(tmp_path, settings=["nonsense=1"])


def test_a_sandbox_that_is_gone_is_told(tmp_path: Path) -> None:
    """Whoever asks for its truth learns that it does not answer."""
    with Rehearsal.start(tmp_path) as there:
        there.close()
        with pytest.raises(HnbulkError, match="does not answer any more"):
            there.orders()


def test_the_standard_faults_are_a_bad_day() -> None:
    """5 % resets, 5 % 503, half of each carried out; 5 % 429, 1 % late, 1 % garbage, each with its lots."""
    rules = standard_faults(3)
    shares = {
        kind: round(sum(rule["probability"] for rule in rules if rule["action"] == kind), 6)
        for kind in ("reset_before", "reset_after", "status", "late", "garbage")
    }
    assert shares == {
        "reset_before": 0.025,
        "reset_after": 0.025,
        "status": 0.1,
        "late": 0.01,
        "garbage": 0.01,
    }
    assert len({rule["seed"] for rule in rules}) == len(rules)
