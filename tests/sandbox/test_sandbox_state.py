"""A sandbox in a file, and settings as text: what is saved goes on, what is bad changes nothing."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_driver import DAY, ORDERS, PLAIN, Driver

from hnbulk.cli import main
from hnbulk.sandbox import WorldSettings, build_sandbox, load_sandbox, make_settings, read_settings
from hnbulk.sandbox.choices import plain_settings, settings_of
from hnbulk.sandbox.state import put_state, take_state


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return tmp_path / "world.json"


def text_of(value: Any) -> str:
    """A setting's value as a person types it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


# files


def test_what_is_saved_goes_on_as_it_would_have(file: Path) -> None:
    """A new sandbox of the file has its credentials, time and truth, and the same future."""
    box = Driver(seed=9, orders=30, settings=WorldSettings(answer_rate=1.0, subaccounts=3))
    box.create()
    box.wait(DAY)
    box.sandbox.save(file)
    again = load_sandbox(file)
    assert (again.account_sid, again.auth_token, again.seed) == (
        box.sandbox.account_sid,
        box.sandbox.auth_token,
        9,
    )
    assert (again.subaccounts, again.clock.now()) == (box.sandbox.subaccounts, box.sandbox.clock.now())
    for sandbox in (box.sandbox, again):
        sandbox.clock.advance(20 * DAY)
    assert again.orders() == box.sandbox.orders()
    assert again.calls() == box.sandbox.calls()


def test_a_sandbox_goes_back_to_what_was_saved(file: Path) -> None:
    """`load` undoes what came after `save`, rules of faults included."""
    box = Driver()
    box.sandbox.set_faults({"action": "list_lag", "seconds": 60, "fetch_too": True})
    box.sandbox.save(file)
    box.create()
    box.sandbox.set_faults()
    box.sandbox.load(str(file))
    assert box.sandbox.orders() == []
    assert [rule.action for rule in box.sandbox.desk.faults.rules] == ["list_lag"]


def test_the_file_is_its_owners_and_replaced_whole(file: Path) -> None:
    """Mode 0600 whatever it was before, nothing left beside it, a link stays a link."""
    file.write_text("old")
    file.chmod(0o644)
    link = file.with_name("link.json")
    link.symlink_to(file)
    build_sandbox().save(link)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert link.is_symlink()
    assert sorted(one.name for one in file.parent.iterdir()) == ["link.json", "world.json"]
    assert build_sandbox().auth_token not in file.read_text()


def test_what_cannot_be_saved_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """A folder in the place of the file: an error, and nothing left beside it."""
    (tmp_path / "world.json" / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match=r"world\.json"):
        build_sandbox().save(tmp_path / "world.json")
    assert [one.name for one in tmp_path.iterdir()] == ["world.json"]


def test_the_account_of_the_example_is_kept(file: Path) -> None:
    """A file names its account; a sandbox of another account does not take it."""
    build_sandbox(example_order=True).save(file)
    assert load_sandbox(file).account_sid == build_sandbox(example_order=True).account_sid
    with pytest.raises(ValueError, match="another account"):
        build_sandbox().load(file)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", "NaN", "[" * 100_000, "{}", '{"seed": 7}', '{"seed": true, "settings": {}}', "\x00"],
)
def test_a_file_that_is_no_state_is_refused(file: Path, content: str) -> None:
    """By a `ValueError`, whatever is in it; nothing has changed."""
    box = Driver()
    sid = box.create()["sid"]
    file.write_text(content)
    with pytest.raises(ValueError, match=r"."):
        load_sandbox(file)
    with pytest.raises(ValueError, match=r"."):
        box.sandbox.load(file)
    assert box.status(sid) == "twilio-processing"


def test_a_state_of_another_shape_is_refused(file: Path) -> None:
    """Settings of another version, and a part that is missing."""
    build_sandbox().save(file)
    whole = json.loads(file.read_text())
    for broken in (
        {**whole, "settings": {**whole["settings"], "colour": 1}},
        {**whole, "settings": {**whole["settings"], "subaccounts": "2"}},
        {name: part for name, part in whole.items() if name != "ledger"},
        {**whole, "format": 99},
    ):
        file.write_text(json.dumps(broken))
        with pytest.raises(ValueError, match=r"."):
            load_sandbox(file)


def test_settings_can_be_changed_on_the_way(file: Path) -> None:
    """What is not changed is the file's."""
    build_sandbox(settings=WorldSettings(answer_rate=0.5, code_digits=4)).save(file)
    settings = load_sandbox(file, changes={"answer_rate": 1.0}).desk.service.world.settings
    assert (settings.answer_rate, settings.code_digits) == (1.0, 4)


# settings as text


@pytest.mark.parametrize("name", [one.name for one in fields(WorldSettings)])
def test_every_setting_can_be_given_as_text(name: str) -> None:
    """Its default, typed, is itself."""
    value = getattr(WorldSettings(), name)
    assert read_settings([f"{name}={text_of(value)}"]) == {name: value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("answer_rate=1", 1),
        (" answer_rate = 0.25 ", 0.25),
        ("check_hours=[12, 24]", (12, 24)),
        ("check_hours=(12, 24)", (12, 24)),
        ("contact_required=FALSE", False),
        ("concurrency_limit=20", 20),
        ("concurrency_limit=none", None),
        ("callback_hosts=a.example,b.example:8443", ("a.example", "b.example:8443")),
        ('callback_hosts=["a.example"]', ("a.example",)),
        ("callback_method=GET", "GET"),
        ("answer_rates=415:0.2,@14:0.9", (("415", 0.2), ("@14", 0.9))),
        (" answer_rates = 415@0 : 1 , @23:0 ", (("415@0", 1), ("@23", 0))),
        ("answer_rates=", ()),
        ("page_size_clamped=false", False),
        ("delete_conflict_code=22112", 22112),
        ("rule_status=422", 422),
    ],
)
def test_values_are_read_as_people_write_them(text: str, value: Any) -> None:
    """And are what the field is declared with."""
    (given,) = read_settings([text]).items()
    assert given[1] == value
    assert settings_of(plain_settings(WorldSettings(**dict([given])))) == WorldSettings(**dict([given]))


def test_rates_by_place_and_hour_are_kept_in_a_file(file: Path) -> None:
    """They come back as they were; a file with one that is none is refused."""
    rates = (("415", 0.2), ("415@14", 0.9))
    build_sandbox(settings=WorldSettings(answer_rates=rates)).save(file)
    assert load_sandbox(file).desk.service.world.settings.answer_rates == rates
    whole = json.loads(file.read_text())
    for broken in ([["415"]], [["@24", 0.5]], [["415", 2]], [[415, 0.5]], ["415"], {"415": 0.2}):
        file.write_text(json.dumps({**whole, "settings": {**whole["settings"], "answer_rates": broken}}))
        with pytest.raises(ValueError, match="answer_rates"):
            load_sandbox(file)


def test_of_one_name_the_last_counts() -> None:
    """As with other options."""
    assert read_settings(["answer_rate=0", "latency=1", "answer_rate=1"]) == {
        "answer_rate": 1,
        "latency": 1,
    }


@pytest.mark.parametrize(
    "text",
    [
        "answer_rate",
        "=1",
        "",
        "colour=1",
        "answer_rate=",
        "answer_rate=2",
        "answer_rate=-0.1",
        "answer_rate=nan",
        "answer_rate_off_hours=1.5",
        "latency=Infinity",
        "latency=true",
        "check_hours=12",
        "check_hours=36,12",
        "check_hours=1,2,3",
        "check_hours=a,b",
        "subaccounts=1.5",
        "subaccounts=100000",
        "contact_required=1",
        "callback_method=put",
        "code_digits=0",
        "answer_rates=0.5",
        "answer_rates=415",
        "answer_rates=415:2",
        "answer_rates=415:nan",
        "answer_rates=:0.5",
        "answer_rates=@24:0.5",
        "answer_rates=@09:0.5",
        "answer_rates=41:0.5",
        "answer_rates=none",
        "delete_conflict_code=20404",
        "rule_status=500",
        "concurrency_limit=-1",
        "idle_days=" + "9" * 5000,
        "idle_days=1\n2",
    ],
)
def test_a_bad_setting_is_one_clear_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the setting; the command ends with 2 before anything is served."""
    with pytest.raises(ValueError, match=text.partition("=")[0].strip() or "NAME=VALUE|no setting"):
        read_settings([text])
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "--set", text])
    told = capsys.readouterr()
    assert (ended.value.code, told.out, len(told.err.strip().splitlines())) == (2, "", 1)


# the command


@contextmanager
def running(*arguments: str | Path) -> Iterator[tuple[dict[str, str], subprocess.Popen[str]]]:
    """`hnbulk sandbox --json`, and what it prints."""
    with subprocess.Popen(
        [sys.executable, "-m", "hnbulk", "sandbox", "--json", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), process
        process.stdin.close()
        assert process.wait(timeout=15) == 0


def ask(document: dict[str, str], path: str, body: bytes | None = None) -> str:
    """The administration's answer."""
    request = urllib.request.Request(document["admin_url"] + path, data=body)
    request.add_header("Authorization", f"Bearer {document['admin_token']}")
    with urllib.request.urlopen(request, timeout=30) as reply:
        return str(reply.read().decode())


@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGINT", "SIGHUP"])
def test_the_command_goes_on_where_it_ended(file: Path, end: str) -> None:
    """The same command again: same account, the later time, the same orders."""
    command = ("--state", file, "--orders", "5", "--seed", "3", "--clock", "stepped", "--set", "latency=0")
    with running(*command) as (first, process):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        now = ask(first, "/clock", b'{"advance": 86400}')
        orders = ask(first, "/orders")
        if end != "stdin":
            os.kill(process.pid, getattr(signal, end))
            assert process.wait(timeout=15) == 0
    with running(*command) as (second, _):
        assert (second["account_sid"], second["auth_token"]) == (first["account_sid"], first["auth_token"])
        assert (ask(second, "/clock"), ask(second, "/orders")) == (now, orders)
        assert len(orders.splitlines()) == 5


def refused(*arguments: str | Path) -> str:
    """What the command says where it does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "hnbulk", "sandbox", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout, len(done.stderr.strip().splitlines())) == (2, "", 1)
    return done.stderr


def test_a_file_that_does_not_fit_is_told_and_left_alone(file: Path) -> None:
    """Another seed, no state at all, no such folder: one line, exit 2."""
    build_sandbox(seed=3).save(file)
    content = file.read_bytes()
    assert "seed 3, not 4" in refused("--state", file, "--seed", "4")
    assert file.read_bytes() == content
    file.write_text("my notes")
    assert "world.json" in refused("--state", file)
    assert file.read_text() == "my notes"
    assert "cannot save" in refused("--state", file.parent / "no" / "world.json")


def test_one_sandbox_at_a_time_goes_on_from_a_file(file: Path) -> None:
    """The second is refused by name, and may have it once the first has ended."""
    with running("--state", file):
        assert "another sandbox goes on from" in refused("--state", file)
    with running("--state", file):
        pass


@pytest.mark.parametrize("clock", ["3600", "x0", "xinf", "x1e6", "xnan", "fast"])
def test_a_clock_is_told_how_to_be_written(clock: str) -> None:
    """A number without its x would be anything."""
    assert "such as x60" in refused("--clock", clock)


def test_a_setting_of_the_command_is_that_of_its_world(file: Path) -> None:
    """Given at the start, and given to a world that is there already."""
    with running("--state", file, "--set", "code_digits=4", "--set", "check_hours=12,13"):
        pass
    with running("--state", file, "--set", "code_digits=8") as (document, _):
        settings = json.loads(ask(document, "/state"))["settings"]
    assert (settings["code_digits"], settings["check_hours"]) == (8, [12, 13])


def test_what_is_restored_is_served(file: Path) -> None:
    """An order of the file is fetched by its sid."""
    box = Driver()
    sid = box.create(PLAIN)["sid"]
    box.sandbox.save(file)
    again = Driver()
    again.sandbox.load(file)
    assert again.send("GET", f"{ORDERS}/{sid}")[1]["phone_number"] == PLAIN


@pytest.mark.parametrize(
    "broken",
    [
        {"at": "x"},
        {"at": True},
        {"at": -1},
        {"nth": "x"},
    ],
)
def test_a_late_request_without_a_time_is_refused_and_nothing_has_changed(broken: dict[str, Any]) -> None:
    """Neither the orders nor the clock; the next request is answered."""
    box = Driver()
    box.create()
    state = take_state(box.sandbox.desk)
    late = {"nth": 1, "n": 1, "account_sid": "AC", "sees": [], "at": 5}
    request = {"method": "GET", "path": ORDERS, "query": [], "form": [], "origin": None}
    entries = [{**late, "request": request, **broken}, {**late, "request": request, "nth": 2}]
    state |= {"late": entries, "ledger": [{"n": 1}], "orders": [], "numbers": []}
    with pytest.raises(ValueError, match="late"):
        put_state(box.sandbox.desk, state)
    assert len(box.sandbox.orders()) == 1
    assert box.send("GET", ORDERS)[0] == 200


@pytest.mark.parametrize("name", ["created", "updated", "since"])
@pytest.mark.parametrize("value", [-1, 10**15])
def test_an_order_of_a_time_outside_the_calendar_is_refused(name: str, value: int) -> None:
    """It could be restored, and never be listed."""
    box = Driver()
    box.create()
    state = take_state(box.sandbox.desk)
    state["orders"][0][name] = value
    with pytest.raises(ValueError, match="time"):
        put_state(box.sandbox.desk, state)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code_digits", 0),
        ("check_hours", (36, 12)),
        ("callback_method", "PUT"),
        ("answer_rate", -5),
        ("callback_retries", -1),
        ("idle_days", -1),
        ("concurrency_limit", -1),
        ("no_such_thing", 1),
    ],
)
def test_settings_are_held_to_their_rules_wherever_they_come_from(name: str, value: Any) -> None:
    """In a state, in Python, and by name."""
    box = Driver()
    state = take_state(box.sandbox.desk)
    state["settings"][name] = value
    with pytest.raises(ValueError):
        put_state(box.sandbox.desk, state)
    with pytest.raises(ValueError, match=name):
        make_settings({name: value})
    if name != "no_such_thing":
        with pytest.raises(ValueError, match=name):
            build_sandbox(settings=replace(WorldSettings(), **{name: value}))
