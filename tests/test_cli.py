"""The command line as other programs drive it: streams, JSON, exit codes, nothing sent by accident."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from outside import Service

from hnbulk.cli import main

FULL = Path("/dev/full")
VERBS = (
    "demo drill sandbox check annotate plan cancel show retry apply resume runs audit rebuild orders "
    "verify authorize funnel report"
).split()


def few_rows(sample: Path, count: int, folder: Path) -> Path:
    """The first rows of the sample as a file of their own."""
    path = folder / "few.csv"
    path.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[: count + 1]))
    return path


def run_main(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` tells what the verb does and shows a command that can be typed."""
    assert run_main([verb, "--help"]) == 0
    assert f"Example: hnbulk {verb}" in " ".join(capsys.readouterr().out.split())


def test_help_lists_exactly_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of verbs is the documented one."""
    run_main(["--help"])
    listed = re.findall(r"^  (\w+)  ", capsys.readouterr().out.split("Commands:")[1], re.M)
    assert sorted(listed) == sorted(VERBS)


def test_a_wrong_option_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake is told in one line, without a trace."""
    assert run_main(["check", "x.csv", "--sheeet", "1"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_too_many_at_once_are_refused_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Eleven and none; the cap is that of the library."""
    from hnbulk.cli.options import MOST
    from hnbulk.settings import MOST_CONNECTIONS

    assert MOST == MOST_CONNECTIONS
    for asked in ("11", "0"):
        assert run_main(["resume", "--concurrency", asked]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert f"{asked} is not from 1 to 10: more at once is not faster" in line


@pytest.mark.parametrize("verb", ["apply", "resume", "drill"])
@pytest.mark.parametrize("option", [("--settle", "inf"), ("--settle", "nan"), ("--settle", "1e12")])
def test_a_settle_time_that_cannot_be_waited_is_a_wrong_call(
    verb: str, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and exit 2, whatever else was asked; the cap is that of the library."""
    from hnbulk.cli.options import LONGEST
    from hnbulk.settings import MOST_SETTLE

    assert LONGEST == MOST_SETTLE
    assert run_main([verb, *(() if verb == "resume" else ("no-such-file",)), *option]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "is not from 0 to 86,400 seconds" in line


@pytest.mark.parametrize("verb", ["apply", "resume"])
@pytest.mark.parametrize("rate", ["inf", "nan"])
def test_a_rate_that_is_no_number_is_a_wrong_call(
    verb: str, rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and exit 2."""
    assert run_main([verb, *(() if verb == "resume" else ("no-such-file",)), "--rate", rate]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "'--rate'" in line


def test_a_run_is_told_calmly() -> None:
    """What it waits for once, and where it is once a minute; nothing at its end."""
    from hnbulk.cli.runs import in_lines
    from hnbulk.progress import Progress

    said: list[str] = []
    now = [0.0]
    look = in_lines(said.append, monotonic=lambda: now[0])
    going = Progress(100, done=40, pending=60, rate=4.9, eta=70.0)
    for at, progress in (
        (0.0, going),
        (59.0, going),
        (60.0, going),
        (61.0, going),
        (100.0, Progress(100, done=99, in_doubt=1, doing="1 in doubt")),
        (150.0, Progress(100, done=99, in_doubt=1, doing="1 in doubt")),
        (155.0, Progress(100, done=100)),
        (300.0, Progress(100, done=100)),
    ):
        now[0] = at
        look(progress)
    assert said == ["40 of 100 done, 60 left (4.9 requests/s, about 1 min left)", "1 in doubt"]


def test_a_bare_call_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`hnbulk` alone is a question, not a mistake."""
    assert run_main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: hnbulk")


def test_a_wrong_call_points_to_the_verbs_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The remedy is one command away."""
    run_main(["plan", "--bogus"])
    assert capsys.readouterr().err.rstrip().endswith(". See `hnbulk plan --help`.")


def test_a_failure_answers_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json`, stdout holds one document with code and message even when the verb fails."""
    assert run_main(["check", "no-such-file.csv", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] in {"usage", "bad-input"}
    assert "no-such-file.csv" in error["message"]


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "arguments", ["check list.csv", "check list.csv --json", "--version", "--help", "plan --help"]
)
def test_a_full_disk_under_stdout_is_told_in_one_line(arguments: str, tmp_path: Path) -> None:
    """Exit 1, what is wrong and the way on; never a trace."""
    (tmp_path / "list.csv").write_text("Phone\n4155550100\n")
    with FULL.open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hnbulk", *arguments.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("hnbulk: ")]
    assert line.startswith("hnbulk: cannot write: No space left on device. Make room")
    assert "unexpected" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("json_too", [False, True])
def test_a_terminal_without_a_sign_shows_its_code(encoding: str, json_too: bool, tmp_path: Path) -> None:
    """Words and JSON are whole in whatever encoding stdout has; nothing ends because of a letter."""
    (tmp_path / "naïve→.csv").write_text("Phone,Straße→\n4155550100,x\noops,y\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "hnbulk", "check", "naïve→.csv", *(["--json"] if json_too else [])],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert done.returncode == 2, done.stderr
    told = done.stdout.decode(encoding)
    if json_too:
        assert json.loads(told)["file"] == "naïve→.csv"
    else:
        assert "naïve→.csv" in told.encode("ascii", "backslashreplace").decode("unicode_escape")


def test_without_credentials_nothing_is_sent(tmp_path: Path) -> None:
    """Missing credentials are exit 7 and one line that says what to set."""
    nobody = Service({"base_url": "http://127.0.0.1:9", "account_sid": "", "auth_token": ""}, tmp_path)
    done = nobody.run("orders")
    assert done.returncode == 7
    assert "TWILIO_ACCOUNT_SID" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_foreign_address_is_refused(tmp_path: Path) -> None:
    """Credentials go to the service or to this machine, nowhere else."""
    foreign = Service(
        {"base_url": "https://example.com", "account_sid": "AC" + "a" * 32, "auth_token": "t"}, tmp_path
    )
    assert foreign.json("orders", code=2)["error"]["code"] == "usage"


def test_check_tells_all_problems_and_exits_2(sample: Path, tmp_path: Path) -> None:
    """`check --json` lists every problem with row, column, rule and remedy; bad rows make it exit 2."""
    done = subprocess.run(
        [sys.executable, "-m", "hnbulk", "check", sample, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(done.stdout)
    assert done.returncode == 2
    assert document["rows"] == 2000
    assert document["rows"] == document["good"] + document["set_aside"]
    errors = [problem for problem in document["problems"] if problem["severity"] == "error"]
    assert all(problem["row"] >= 1 and problem["message"] and problem["suggestion"] for problem in errors)


def test_a_list_is_given_back_with_its_errors_marked(service: Service, sample: Path) -> None:
    """Exit 0 and only reads; the list itself and somebody's file stay, and no list is exit 2."""
    few = few_rows(sample, 120, service.home)
    before = few.read_bytes()
    made = service.json("annotate", few)
    out = service.home / "few.annotated.xlsx"
    assert (made["annotated"], made["rows"]) == (str(out), 120)
    assert made["error_cells"] > 0
    assert made["statuses"]["set aside"] == made["set_aside"]
    assert service.json("annotate", out)["annotated"] == str(service.home / "few.annotated-2.xlsx")
    assert (
        "few.annotated.xlsx" in service.run("annotate", few).stderr
    )  # as it wrote it: it may be made anew
    out.write_bytes(out.read_bytes()[:-1] + b"?")
    for arguments in ((few,), (few, "--out", few), (few, "--out", service.home), ("none.csv",)):
        assert service.json("annotate", *arguments, code=2)["error"]["message"]
    for folder in (".", "/", ".."):
        error = service.json("annotate", folder, code=2)["error"]
        assert error == service.json("check", folder, code=2)["error"]
    assert few.read_bytes() == before
    assert {request["method"] for request in service.ledger()} == {"GET"}


def test_a_file_with_errors_is_not_planned(service: Service, sample: Path) -> None:
    """`plan` refuses error rows unless they are set aside on purpose, and asks the service nothing."""
    error = service.json("plan", sample, "--out", "p.plan", code=2)["error"]
    assert "--set-aside" in error["message"]
    assert service.ledger() == []
    assert not (service.home / "p.plan").exists()


def test_the_whole_way_on_the_command_line(service: Service, sample: Path) -> None:
    """check, plan, dry run, apply, orders: each good row is created once, bad rows never."""
    few = few_rows(sample, 120, service.home)
    counts = service.json("check", few, code=2)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    assert service.json("show", "few.plan")["checksum"] == plan["checksum"]
    assert service.json("apply", "few.plan")["dry_run"]
    assert not any(request["method"] == "POST" for request in service.ledger())
    ran = service.apply("few.plan", plan["checksum"])
    assert sum(ran["counts"].values()) == counts["rows"] == 120
    listed = service.run("orders", "--json").stdout.splitlines()
    truth = service.truth()
    refused = [entry for entry in service.ledger() if entry["code"] == 22110]
    assert len(listed) == len(truth) == plan["counts"]["create"] - len(refused)
    assert len({order["phone_number"] for order in truth}) == len(truth)
    assert {json.loads(line)["sid"] for line in listed} == {order["sid"] for order in truth}


def test_result_files_account_for_every_row(service: Service, sample: Path) -> None:
    """success + error + unprocessed = input, with the user's own columns first and unchanged."""
    few = few_rows(sample, 60, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    ran = service.apply("few.plan", plan["checksum"])
    rows = []
    for part in ("success", "error", "unprocessed"):
        with (service.home / ran["results"][part]).open(newline="", encoding="utf-8") as file:
            rows += list(csv.DictReader(file))
    with few.open(newline="", encoding="utf-8-sig") as file:
        given = list(csv.DictReader(file))
    assert sorted(int(row["hn_row"]) for row in rows) == list(range(2, 62))
    by_row = {int(row["hn_row"]): row for row in rows}
    assert [by_row[n]["Branch"] for n in by_row] == [given[n - 2]["Branch"] for n in by_row]


def test_plans_are_made_in_the_services_time(service: Service, sample: Path) -> None:
    """How old a plan is and when a phone may ring go by the service's clock, not the machine's."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    assert plan["read_at"].startswith("2026-01-05T15:")
    service.apply("few.plan", plan["checksum"])
    service.admin("/clock", {"advance": 48 * 3600})
    calls = service.json("verify", "--out", "calls.plan")
    assert calls["read_at"].startswith("2026-01-07T15:")
    steps = [json.loads(line) for line in (service.home / "calls.plan").read_text().splitlines()[1:]]
    opens = {step["precondition"]["not_before"][:10] for step in steps if step["kind"] == "step"}
    assert opens == {"2026-01-07"}


def test_orders_are_a_table_for_a_person(service: Service, sample: Path) -> None:
    """Counts, then aligned lines of at most a hundred columns with short dates; nothing is said plainly."""
    assert service.run("orders").stdout == "no orders in this account yet\n"
    few = few_rows(sample, 30, service.home)
    service.apply("few.plan", service.json("plan", few, "--out", "few.plan", "--set-aside")["checksum"])
    told = service.run("orders", "--limit", "5").stdout.splitlines()
    table = told[told.index("") + 1 :]
    assert table[0].split() == ["number", "status", "updated", "(UTC)", "attempts", "sid"]
    assert re.fullmatch(r"\+1\d{10}  twilio-processing  2026-01-05 15:0\d +0  HR[0-9a-f]{32}", table[1])
    assert len(table) == 1 + 5 + 1
    assert max(map(len, told)) <= 100
    assert service.run("orders", "--status", "failed").stdout == "no such orders in this account\n"


def test_runs_are_a_table_for_a_person(service: Service, sample: Path) -> None:
    """One line a run, or a plain word that there is none."""
    assert service.run("runs").stdout.startswith("no runs of this account")
    few = few_rows(sample, 20, service.home)
    service.apply("few.plan", service.json("plan", few, "--out", "few.plan", "--set-aside")["checksum"])
    title, line = service.run("runs").stdout.splitlines()
    assert title.split()[:3] == ["run", "state", "what"]
    assert line.split()[1:4] == ["finished", "orders", "2026-01-05"]
    assert line.endswith("few.csv")


def test_an_audit_is_clean_or_exits_3(service: Service, sample: Path) -> None:
    """After a clean run: exit 0. When somebody has deleted an order: exit 3, one line, the remedy."""
    assert service.json("audit", code=2)["error"]["code"] == "usage"
    few = few_rows(sample, 20, service.home)
    ran = service.apply(
        "few.plan", service.json("plan", few, "--out", "few.plan", "--set-aside")["checksum"]
    )
    clean = service.json("audit")
    assert (clean["run_id"], clean["clean"], clean["findings"]) == (ran["run_id"], True, [])
    service.admin("/clock", {"advance": 48 * 3600})
    lost = next(order for order in service.truth() if order["status"] == "received")
    service.delete(lost["sid"])
    (found,) = service.json("audit", ran["run_id"], code=3)["findings"]
    assert (found["kind"], found["sid"]) == ("vanished", lost["sid"])
    told = service.run("audit").stdout.splitlines()
    assert (len(told), "1 vanished" in told[0], "plan again" in told[1]) == (2, True, True)


def test_a_plan_that_moved_is_refused_and_rebased(service: Service, sample: Path) -> None:
    """Exit 5 with the row; rebased, the others are applied and the rival's order is left alone."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    taken = service.creates("few.plan")[0]
    service.order(taken, UniqueName="theirs")
    service.admin("/clock", {"advance": 120})
    approve = ("--approve", plan["checksum"][:8])
    error = service.json("apply", "few.plan", *approve, code=5)["error"]
    assert (error["code"], [row["code"] for row in error["rows"]]) == ("plan-stale", ["not-ours"])
    assert "--rebase" in error["message"]
    assert len(service.truth()) == 1
    made = service.json("plan", "--rebase", "few.plan", "--out", "new.plan")
    assert (made["moved"], made["kept"]) == (error["rows"], made["changes"])
    assert taken not in service.creates("new.plan")
    told = service.run("plan", "--rebase", "few.plan", "--out", "new.plan")
    assert "dropped 1" in told.stderr
    assert f"Blocked: moved (row {error['rows'][0]['row']})" in told.stdout
    service.apply("new.plan", made["checksum"])
    assert [order["unique_name"] for order in service.truth() if order["phone_number"] == taken] == [
        "theirs"
    ]


@pytest.mark.parametrize("rows", [1, 25])
def test_an_order_of_ours_that_was_renamed_is_taken_over(
    service: Service, tmp_path: Path, rows: int
) -> None:
    """By the same plan where its journal is lost: it is no reason to refuse, few steps or many."""
    numbers = [f"907555{n:04}" for n in range(100, 100 + rows)]
    path = service.home / "list.csv"
    path.write_text("".join(["Phone,Name\n", *(f"{number},One\n" for number in numbers)]))
    plan = service.json("plan", path, "--out", "list.plan")
    service.apply("list.plan", plan["checksum"])
    path.write_text(path.read_text().replace("One", "Two", 1))
    again = service.json("plan", path, "--out", "again.plan")
    service.apply("again.plan", again["checksum"])
    service.admin("/clock", {"advance": 120})
    other = Service(service.document, tmp_path / "other")
    other.home.mkdir()
    (other.home / "list.plan").write_bytes((service.home / "list.plan").read_bytes())
    other.apply("list.plan", plan["checksum"])
    assert len(service.truth()) == rows
    assert [order["friendly_name"] for order in service.truth()].count("Two") == 1


def test_a_plan_that_was_applied_is_rebased_to_nothing(service: Service, sample: Path) -> None:
    """Exit 0 with --detailed-exitcode, as of the list planned afresh; `show --drift` says the same."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    ran = service.apply("few.plan", plan["checksum"])
    rebase = ("plan", "--rebase", "few.plan", "--out", "new.plan", "--detailed-exitcode")
    told = service.run(*rebase)
    assert told.returncode == 0
    done, refused = ran["steps"]["done"], ran["steps"]["refused"]
    assert f"kept 0 steps, dropped {refused}, already done {done}\n" in told.stderr
    document = service.json("plan", few, "--out", "fresh.plan", "--set-aside", "--detailed-exitcode")
    assert document["counts"]["nothing"] == service.json(*rebase)["counts"]["nothing"]
    document = service.json(*rebase)
    assert (document["kept"], document["done"], document["requests"]) == (0, done, 0)
    assert "19 done already" in service.run("show", "few.plan", "--drift").stdout


def test_a_change_behind_a_plan_that_needed_nothing_is_told(service: Service) -> None:
    """`show --drift` names the row, and a rebase does not say that its order is as wanted."""
    few = service.home / "one.csv"
    few.write_text("Phone,Name\n4155550100,Main\n")
    service.apply("one.plan", service.json("plan", few, "--out", "one.plan")["checksum"])
    service.admin("/clock", {"advance": 60})
    assert service.json("plan", few, "--out", "n.plan")["counts"] == {"nothing": 1}
    service.admin("/clock", {"advance": 60})
    (order,) = service.truth()
    service.update(order["sid"], FriendlyName="Rival")
    (changed,) = service.json("show", "n.plan", "--drift")["drift"]
    assert (changed["row"], changed["code"], changed["stands"]) == (2, "changed", True)
    told = service.run("plan", "--rebase", "n.plan", "--out", "r.plan")
    assert "1 × nothing    already as wanted when compared; 1 changed since" in told.stdout
    assert "1 row that needed nothing changed since; plan the list again" in told.stderr


def test_a_plan_that_is_not_there_is_told_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which file it was, and what to name instead."""
    assert run_main(["plan", "--rebase", "no-such.plan", "--out", str(tmp_path / "new.plan")]) == 2
    assert "Name a plan that `hnbulk plan --out` wrote" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [(), ("x.csv", "--rebase", "x.plan"), ("--rebase", "x.plan", "--prune")]
)
def test_a_plan_is_of_a_list_or_of_an_older_plan(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither or both is a wrong call."""
    assert run_main(["plan", *arguments, "--out", "no-such-folder.plan"]) == 2
    assert "--rebase" in capsys.readouterr().err


def test_rows_of_a_run_are_planned_again_by_class(service: Service, sample: Path) -> None:
    """Listed with counts and meanings first; then a plan of just those rows, which makes their orders."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    no = {"action": "status", "status": 400, "code": 22110, "method": "POST", "path": "Orders$"}
    service.admin("/faults", [no | {"nth": [2, 4]}])
    ran = service.apply("few.plan", plan["checksum"])
    service.admin("/faults", [])
    (found,) = service.json("retry", ran["run_id"])["classes"]
    refused = 2 + sum(entry["code"] == 22110 for entry in service.ledger())  # by the faults, by their fate
    assert (found["class"], found["rows"]) == ("refused-number", refused)
    assert "refused-number" in service.run("retry", ran["run_id"]).stdout
    again = service.json("retry", ran["run_id"], "--class", "refused-number", "--out", "again.plan")
    assert (again["rows"], again["counts"]["create"]) == (refused, refused)
    before = len(service.truth())
    service.apply("again.plan", again["checksum"])
    assert len(service.truth()) == before + 2  # the two that were refused by a fault, not by their fate
    error = service.json("retry", ran["run_id"], "--class", "busy", "--out", "again.plan", code=2)["error"]
    assert f"refused-number ({refused})" in error["message"]
    assert service.json("retry", ran["run_id"], "--class", "busy", code=2)["error"]["code"] == "usage"


def test_a_run_with_failed_rows_says_why_in_one_line(service: Service, sample: Path) -> None:
    """How many, of which classes, and where they are; told again by a resume of the finished run."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    taken = service.creates("few.plan")[0]
    service.order(taken, UniqueName="theirs")
    no = {"action": "status", "status": 400, "code": 22110, "method": "POST", "path": "Orders$"}
    service.admin("/faults", [no | {"nth": [2, 4]}])
    done = service.run("apply", "few.plan", "--approve", plan["checksum"][:8])
    run_id = json.loads(service.run("runs", "--json").stdout)["run_id"]
    classes = service.json("retry", run_id)["classes"]
    rows = {line["class"]: line["rows"] for line in classes}
    kinds = ", ".join(f"{count} {name}" for name, count in rows.items())
    line = f"{sum(rows.values())} rows failed: {kinds}; see {run_id}.error.csv"
    assert done.returncode == 3
    assert rows["refused-number"] >= 2
    assert done.stderr.splitlines().count(line) == 1
    again = service.run("resume", run_id)
    assert (again.returncode, again.stderr.splitlines().count(line)) == (3, 1)


def test_the_way_to_apply_a_plan_is_told_once(service: Service, sample: Path) -> None:
    """stdout is the plan; the command stands on stderr, whole, for every kind of plan."""
    few = few_rows(sample, 20, service.home)
    made = service.run("plan", few, "--out", "a plan.json", "--set-aside")
    assert "hnbulk apply" not in made.stdout
    (command,) = re.findall(r"hnbulk apply .*", made.stderr)
    assert re.fullmatch(r"hnbulk apply 'a plan.json' --approve [0-9a-f]{8}", command)
    assert command in service.run("show", "a plan.json").stderr
    assert command in service.run("apply", "a plan.json").stderr
    service.apply("a plan.json", command[-8:])
    service.admin("/clock", {"advance": 48 * 3600})
    calls = service.run("verify", "--out", "calls.plan", "--max-calls", "3").stderr
    dry = service.run("apply", "calls.plan").stderr
    assert re.findall(r"--approve \w+ --place-calls 3", calls) == re.findall(r"--approve .*", dry)


def test_check_tells_every_problem_in_a_line(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Row by row, then the sums by kind."""
    assert run_main(["check", str(sample)]) == 2
    told = capsys.readouterr().out.splitlines()
    rows = [line for line in told if line.startswith("branches.csv, row ")]
    run_main(["check", str(sample), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert len(rows) == len(document["problems"])
    assert told[len(rows) + 1].startswith(f"{sample.name}: 2,000 rows, {document['good']:,} good")


def test_the_list_of_verbs_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb's first sentence fits its line."""
    run_main(["--help"])
    assert "..." not in capsys.readouterr().out.split("Commands:")[1]


@pytest.mark.parametrize("verb", ["plan", "report"])
def test_a_list_is_never_written_over(service: Service, sample: Path, verb: str) -> None:
    """`--out` naming a file that is something else is refused, and the file stays as it was."""
    few = few_rows(sample, 5, service.home)
    before = few.read_bytes()
    arguments = ("plan", few, "--set-aside") if verb == "plan" else ("report",)
    error = service.json(*arguments, "--out", few, code=2)["error"]
    assert "left as it is" in error["message"]
    assert few.read_bytes() == before
    assert service.ledger() == []


def test_a_plan_is_written_over_a_plan(service: Service, sample: Path) -> None:
    """Planning again into the same file is fine."""
    few = few_rows(sample, 5, service.home)
    service.json("plan", few, "--out", "few.plan", "--set-aside")
    service.json("plan", few, "--out", "few.plan", "--set-aside")


def test_show_all_tells_every_step(service: Service, sample: Path) -> None:
    """`show --all` names every number that would be created, and with `--json` holds every step."""
    few = few_rows(sample, 40, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    whole = service.json("show", "few.plan", "--all")
    assert len(whole["steps"]) == sum(plan["counts"].get(name, 0) for name in ("create", "update"))
    text = service.run("show", "few.plan", "--all").stdout
    assert all(step["phone_number"] in text for step in whole["steps"])


def test_show_tells_a_part_and_in_other_forms(service: Service, sample: Path) -> None:
    """One action alone; Markdown and a page of its own; what moved since, by reading the service."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    creates = service.run("show", "few.plan", "--only", "create", "--format", "markdown").stdout
    assert creates.startswith(f"### Plan `{plan['checksum'][:8]}` of `few.csv`\n")
    assert creates.count("\n#### ") == 1
    page = service.run("show", "few.plan", "--format", "html").stdout
    assert page.startswith("<!doctype html>")
    assert plan["checksum"] in page
    assert service.json("show", "few.plan", "--only", "creations", code=2)["error"]["code"] == "usage"
    told = service.run("show", "few.plan", "--drift").stdout
    assert "\n\nDrift: no order has another status or date of change since" in told
    service.order(service.creates("few.plan")[0])
    (moved,) = service.json("show", "few.plan", "--drift")["drift"]
    assert (moved["code"], moved["stands"]) == ("not-ours", False)
    told = service.run("show", "few.plan", "--drift").stdout
    assert f"! row {moved['row']}" in told
    assert "--rebase" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("orders", "--status", "nope"),
        ("orders", "--phone-number", "4155550101"),
        ("authorize", "--out", "l.plan", "--contact-title", "Owner", "--contact-phone", "555"),
        ("authorize", "--out", "l.plan", "--contact-title", " ", "--contact-phone", "+14155550100"),
    ],
)
def test_what_could_only_go_wrong_is_refused_before_anything_is_read(
    service: Service, arguments: tuple[str, ...]
) -> None:
    """A status that is none, a number or a contact that is not E.164: exit 2, nothing asked."""
    assert service.json(*arguments, code=2)["error"]["code"] == "usage"
    assert service.ledger() == []


def test_a_wrong_approval_sends_nothing(service: Service, sample: Path) -> None:
    """Another checksum than the plan's is exit 5, and no order appears."""
    few = few_rows(sample, 20, service.home)
    service.json("plan", few, "--out", "few.plan", "--set-aside")
    assert service.json("apply", "few.plan", "--approve", "00000000", code=5)["error"]["message"]
    assert service.truth() == []


def test_an_altered_plan_is_refused(service: Service, sample: Path) -> None:
    """A plan edited by hand no longer has its checksum: exit 5, nothing sent."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    path = service.home / "few.plan"
    path.write_text(path.read_text().replace("sms.example.com", "evil.example.com"))
    error = service.json("apply", "few.plan", "--approve", plan["checksum"][:8], code=5)["error"]
    assert error["code"] == "plan-altered"
    assert service.truth() == []


def test_a_second_apply_sends_nothing(service: Service, sample: Path) -> None:
    """A plan is applied once: again, it says so and creates no second order."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    first = service.apply("few.plan", plan["checksum"])
    posts = sum(request["method"] == "POST" for request in service.ledger())
    second = service.apply("few.plan", plan["checksum"])
    assert second["run_id"] == first["run_id"]
    assert sum(request["method"] == "POST" for request in service.ledger()) == posts


def test_ctrl_c_loses_nothing_and_resume_ends_it(service: Service, sample: Path) -> None:
    """Interrupted in the run: exit 130, a word how to resume; resumed, each good row has one order."""
    few = few_rows(sample, 150, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    process = service.start("apply", "few.plan", "--approve", plan["checksum"][:8], "--rate", "40")
    deadline = time.monotonic() + 30
    while len(service.truth()) < 12 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "hnbulk resume" in err
    assert len(re.findall(r"^stopping; .* under way$", err, re.M)) == 1
    assert "Traceback" not in err
    assert len(service.truth()) < plan["counts"]["create"]
    service.json("resume", code=(0, 3))
    numbers = [order["phone_number"] for order in service.truth()]
    creates = [
        entry
        for entry in service.ledger()
        if entry["method"] == "POST" and entry["path"].endswith("/HostedNumberOrders")
    ]
    made = [entry["phone_number"] for entry in creates if entry["did"].startswith("created")]
    # a number refused in the moment of the end is asked for again: nobody could look it up then
    assert len({entry["phone_number"] for entry in creates}) == plan["counts"]["create"]
    assert len(made) == len(set(made))
    assert len(numbers) == len(set(numbers))
    runs = [json.loads(line) for line in service.run("runs", "--json").stdout.splitlines()]
    assert [run["state"] for run in runs] == ["finished"]


def test_sigterm_waits_for_replies_and_is_resumable(service: Service, sample: Path) -> None:
    """A service manager's end: exit 6, every request that went out has its outcome written down."""
    few = few_rows(sample, 120, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    slow = {"action": "delay", "seconds": 0.5, "method": "POST", "probability": 1.0}
    service.admin("/faults", [slow])
    process = service.start("apply", "few.plan", "--approve", plan["checksum"][:8], "--json")
    deadline = time.monotonic() + 30
    while len(service.truth()) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 6, err
    assert json.loads(out)["error"]["run_id"] in err
    (run,) = (json.loads(line) for line in service.run("runs", "--json").stdout.splitlines())
    assert run["state"] == "interrupted"
    assert 0 < run["ended"] < run["steps"]
    assert "in-doubt" not in run["counts"]
    service.admin("/faults", [])
    service.json("resume", code=(0, 3))
    creates = [
        entry
        for entry in service.ledger()
        if entry["method"] == "POST" and entry["path"].endswith("/HostedNumberOrders")
    ]
    made = [entry["phone_number"] for entry in creates if entry["did"].startswith("created")]
    assert len(made) == len(set(made))
    # a number refused in the moment of the end is asked for again: nobody could look it up then
    assert len({entry["phone_number"] for entry in creates}) == plan["counts"]["create"]


def held_at_its_first_read(service: Service, *arguments: str | Path) -> subprocess.Popen[str]:
    """A verb whose first request is under way and not answered yet."""
    service.admin("/faults", [{"action": "delay", "seconds": 3, "method": "GET", "probability": 1.0}])
    process = service.start(*arguments)
    deadline = time.monotonic() + 30
    while not (service.home / ".hnbulk" / "run.lock").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    return process


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 6)])
def test_an_apply_that_is_ended_before_its_run_has_begun_says_so(
    service: Service, sample: Path, signum: signal.Signals, code: int
) -> None:
    """One line on stderr and one document on stdout; nothing was sent."""
    few = few_rows(sample, 10, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    process = held_at_its_first_read(
        service, "apply", "few.plan", "--approve", plan["checksum"][:8], "--json"
    )
    process.send_signal(signum)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    error = json.loads(out)["error"]
    assert (error["code"], err) == ("interrupted", f"hnbulk: {error['message']}\n")
    assert "nothing was sent. Apply the plan again" in error["message"]
    assert service.truth() == []
    assert service.run("runs", "--json").stdout == ""


def test_a_verb_that_only_reads_tells_its_interrupt(service: Service, sample: Path) -> None:
    """Exit 130 and one line."""
    service.admin("/faults", [{"action": "delay", "seconds": 5, "method": "GET", "probability": 1.0}])
    process = service.start("orders")
    deadline = time.monotonic() + 30
    while not (service.home / ".hnbulk" / "history.db").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "hnbulk: interrupted; nothing at the service was changed. Give the command again.\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_run_that_nobody_reads_ends_with_its_own_code(
    service: Service, sample: Path, stream: str
) -> None:
    """A closed pipe changes nothing: all rows are sent, the result files are there."""
    few = few_rows(sample, 10, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    with service.start("apply", "few.plan", "--approve", plan["checksum"][:8], "--json") as process:
        getattr(process, stream).close()
        rest = (process.stdout if stream == "stderr" else process.stderr).read()  # type: ignore[union-attr]
    assert process.returncode == 0
    assert "finished" in rest or "result files" in rest
    assert len(service.truth()) == plan["counts"]["create"]
    assert len(list(service.home.glob("*.success.csv"))) == 1


def test_a_list_that_nobody_reads_to_its_end_is_no_error(service: Service) -> None:
    """As in `hnbulk runs | head -0`."""
    with service.start("orders") as process:
        process.stdout.close()  # type: ignore[union-attr]
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 0


#: The terminal is this session's own from now on, so that its end is told.
_ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_a_closed_terminal_leaves_a_run_to_be_resumed(service: Service, sample: Path) -> None:
    """SIGHUP while the bar is drawn, and then nothing can be written any more: exit 6."""
    few = few_rows(sample, 120, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    apply = "-m hnbulk apply few.plan --rate 20 --approve"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_A_TERMINAL, *apply.split(), plan["checksum"][:8]],
        env=service.environment,
        cwd=service.home,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    deadline = time.monotonic() + 30
    while len(service.truth()) < 6 and time.monotonic() < deadline:
        if select.select([ours], [], [], 0.05)[0]:
            os.read(ours, 65536)
    os.close(ours)
    assert process.wait(timeout=30) == 6
    (run,) = (json.loads(line) for line in service.run("runs", "--json").stdout.splitlines())
    assert run["state"] == "interrupted"
    assert len(list(service.home.glob("*.unprocessed.csv"))) == 1


def test_calls_need_their_exact_number(service: Service, sample: Path) -> None:
    """A plan of calls rings no phone unless the exact count is given with `--place-calls`."""
    few = few_rows(sample, 20, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    service.apply("few.plan", plan["checksum"])
    service.admin("/clock", {"advance": 48 * 3600})
    calls = service.json("verify", "--out", "calls.plan", "--max-calls", "3")
    assert calls["counts"]["verify"] == 3
    approve = ("--approve", calls["checksum"][:8])
    assert service.json("apply", "calls.plan", *approve, code=4)["error"]["code"] == "limit"
    assert (
        service.json("apply", "calls.plan", *approve, "--place-calls", "4", code=4)["error"]["code"]
        == "limit"
    )
    assert service.admin("/calls") == ""


def test_funnel_and_report_count_what_is_there(service: Service, sample: Path) -> None:
    """`funnel --json` has every order's number once, and `report` is one page without addresses to load."""
    few = few_rows(sample, 40, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    service.apply("few.plan", plan["checksum"])
    service.admin("/clock", {"advance": 48 * 3600})
    funnel = service.json("funnel")
    assert funnel["numbers"] == len(service.truth())
    assert sum(stage["current"] for stage in funnel["stages"]) == funnel["numbers"]
    service.json("report", "--out", "r.html")
    page = (service.home / "r.html").read_text(encoding="utf-8")
    assert "Content-Security-Policy" in page
    assert not re.search(r"(src|href)=[\"']https?://", page)


def test_apply_works_without_pandas(service: Service, sample: Path) -> None:
    """From start to result files, `apply` never loads pandas."""
    few = few_rows(sample, 10, service.home)
    plan = service.json("plan", few, "--out", "few.plan", "--set-aside")
    code = (
        "import sys\nfrom hnbulk.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n"
        "    print('pandas' in sys.modules, end.code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "apply", "few.plan", "--approve", plan["checksum"][:8]],
        env=service.environment,
        cwd=service.home,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "False 0"


def test_a_quarantine_file_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be corrected already; the same content may lie there, and no bad row needs no file."""
    bad, good, out = tmp_path / "bad.csv", tmp_path / "good.csv", tmp_path / "q.csv"
    bad.write_bytes(b"Phone\noops\n4155550100\n")
    good.write_bytes(b"Phone\n4155550100\n")
    assert run_main(["check", str(good), "--quarantine", str(out)]) == 0
    assert "there is no bad row" in capsys.readouterr().err
    assert not out.exists()
    for _ in range(2):
        assert run_main(["check", str(bad), "--quarantine", str(out)]) == 2
        assert "1 bad row in" in capsys.readouterr().err
    out.write_bytes(out.read_bytes().replace(b"oops", b"4155550101"))
    assert run_main(["check", str(bad), "--quarantine", str(out)]) == 2
    assert "it was left as it is" in capsys.readouterr().err
    assert b"4155550101" in out.read_bytes()


def test_warnings_of_a_list_are_told_where_a_plan_is_made(service: Service, tmp_path: Path) -> None:
    """A line for each kind, on stderr: no plan shows them."""
    path = tmp_path / "list.csv"
    path.write_bytes(b"Phone,Line type,Fax\n4155550100,smartphone,1\n4155550101,portable,2\n")
    done = service.run("plan", path, "--out", tmp_path / "a.plan")
    lines = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(lines) == 2
    assert any("line-type-unknown" in line and "2 times, the first: row 2" in line for line in lines)
    assert any("unknown-column" in line and "(row 1; column 'Fax')" in line for line in lines)
