"""A marked token and a marked person are driven through everything, and found nowhere they should not be.

Safety rules, S03: every verb of the command line, the widgets, and thirty errors; then output, logs,
files, public objects and tracebacks are searched for the token in every spelling it might leak in.
"""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import sqlite3
import subprocess
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import pytest
from nbclient import NotebookClient
from pydantic import SecretStr

import hnbulk as hn
from hnbulk import wire
from hnbulk.account import Account
from hnbulk.cli import app, main
from hnbulk.client import Client
from hnbulk.clocks import SteppedClock
from hnbulk.connection import open_connection
from hnbulk.errors import HnbulkError
from hnbulk.intake import read_bytes
from hnbulk.planfile import load_plan
from hnbulk.sandbox import Sandbox, build_sandbox
from hnbulk.sandbox.refusals import Person
from hnbulk.serving import serve
from hnbulk.settings import SANDBOX_PACE, Credentials, read_settings

TOKEN = "hnCANARY0123456789abcdef0123456789abcdef"
EMAIL, NAME = "canarina.7f3a@person.example", "Canarina Quillfeather"
LIST = f"""Branch,Phone,Email
{NAME},(415) 555-0100,{EMAIL}
{NAME} II,415-555-0101,{EMAIL}
{NAME} III,415-555-0102,{EMAIL}
{NAME} IV,415-555-0103,{EMAIL.replace("@", "@@")}
{NAME} V,12,{EMAIL}
"""
#: Verbs whose stdout is the person's own data: plans and lists of orders.
OWN_DATA = {"plan", "cancel", "show", "verify", "authorize", "orders", "retry"}


def spellings(secret: str) -> dict[str, bytes]:
    """The secret as it is, and as headers, addresses and dumps would have it."""
    raw = secret.encode()
    found = {"raw": raw, "quoted": quote(secret, safe="").encode(), "hex": raw.hex().encode()}
    found["reversed"] = raw[::-1]
    for offset in range(3):
        whole = b64encode(bytes(offset) + raw)
        found[f"base64+{offset}"] = whole[(0, 2, 3)[offset] : (offset + len(raw)) * 8 // 6]
    return found


def leaks(content: bytes | str, *secrets: str) -> list[str]:
    """The spellings in which one of the secrets stands in the content, in whatever case."""
    where = (content.encode(errors="replace") if isinstance(content, str) else content).lower()
    named = {f"{secret[:4]} {how}": text for secret in secrets for how, text in spellings(secret).items()}
    return [how for how, text in named.items() if text.lower() in where]


class Broken(io.StringIO):
    """A stream that fails as nothing of ours does."""

    def write(self, text: str) -> int:
        raise RuntimeError(text)


@dataclass
class Said:
    """What one call of the command line said, and the error it ended with where that was raised."""

    arguments: tuple[str, ...]
    out: str
    err: str
    code: int
    raised: BaseException | None = None


@dataclass
class Driven:
    """One sandbox whose token is marked, and everything that was said and left behind."""

    sandbox: Sandbox
    url: str
    home: Path
    said: list[Said] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    log: io.StringIO = field(default_factory=io.StringIO)

    def run(self, *arguments: object, out: Any = None) -> Said:
        """One verb in this process, its two streams and its exit code."""
        texts = tuple(map(str, arguments))
        stdout, stderr = out or io.StringIO(), io.StringIO()
        code, raised = 0, None
        with redirect_stdout(stdout), redirect_stderr(stderr):
            try:
                main(list(texts))
            except SystemExit as end:
                code = int(end.code or 0)
            except Exception as error:
                raised = error
        self.said.append(Said(texts, stdout.getvalue(), stderr.getvalue(), code, raised))
        return self.said[-1]

    def json(self, *arguments: object) -> Any:
        """The document of a verb."""
        said = self.run(*arguments, "--json")
        return json.loads(said.out)

    def plan(self, *arguments: object) -> tuple[str, ...]:
        """What approves the plan that this verb makes."""
        return "--approve", str(self.json(*arguments)["checksum"])[:8]

    def fails(self, call: Callable[[], object]) -> None:
        """The error that this call must end with is kept, traceback and all."""
        with pytest.raises(HnbulkError) as caught:
            call()
        self.errors.append(caught.value)


def marked(sandbox: Sandbox) -> Credentials:
    """The owner's name and the marked token."""
    return Credentials(sandbox.account_sid, sandbox.account_sid, SecretStr(TOKEN))


@contextmanager
def marked_account(driven: Driven, home: Path) -> Iterator[Account]:
    """An account opened with the marked token, its clock stepped by hand."""
    sandbox = driven.sandbox
    clock = SteppedClock(sandbox.clock.now, sandbox.clock.advance)
    credentials = marked(sandbox)
    connection = open_connection(driven.url, credentials, home=home, pace=SANDBOX_PACE, clock=clock)
    with Account(connection) as account:
        yield account


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    """Every verb and thirty errors have been driven with the marked token and person."""
    home = tmp_path_factory.mktemp("canary")
    sandbox = build_sandbox(seed=7)
    account = sandbox.account_sid
    sandbox.desk.admit(account, TOKEN, Person(account, frozenset({account})))
    for nth in range(4):
        sandbox.set_fate(f"+1415555010{nth}", "smooth")
    with serve(sandbox.api) as server, pytest.MonkeyPatch.context() as patch:
        made = Driven(sandbox, server.url, home)
        patch.chdir(home)
        for name in [name for name in os.environ if name.startswith(("TWILIO_", "HNBULK_"))]:
            patch.delenv(name)
        patch.setenv("HNBULK_BASE_URL", server.url)
        patch.setenv("TWILIO_ACCOUNT_SID", account)
        patch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
        patch.setenv("HNBULK_HOME", str(home / ".hnbulk"))
        (home / "list.csv").write_text(LIST, encoding="utf-8")
        with listening(made.log):
            drive_verbs(made)
            drive_errors(made, patch)
            drive_calls(made)
        yield made


@contextmanager
def listening(log: io.StringIO) -> Iterator[None]:
    """Everything that is logged at DEBUG by anybody goes to `log`."""
    handler = logging.StreamHandler(log)
    loggers = [logging.getLogger(name) for name in ("", "httpx", "httpcore")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(handler)
    yield
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def drive_verbs(driven: Driven) -> None:
    """Every verb, once with success and with data to show."""
    driven.run("check", "list.csv")
    driven.json("check", "list.csv")
    driven.run("annotate", "list.csv")
    driven.run("annotate", "list.annotated.xlsx")
    approve = driven.plan("plan", "list.csv", "--out", "a.plan", "--set-aside")
    driven.run("plan", "--rebase", "a.plan", "--out", "b.plan")
    driven.run("show", "a.plan", "--all")
    driven.run("apply", "a.plan")
    no = {"action": "status", "status": 400, "code": 22104, "method": "POST", "path": "Orders$", "nth": 1}
    driven.sandbox.set_faults(no)
    run_id = driven.json("apply", "a.plan", *approve)["run_id"]
    driven.sandbox.set_faults()
    driven.run("resume", run_id)
    driven.run("retry", run_id)
    again = driven.plan("retry", run_id, "--class", "refused-field", "--out", "again.plan")
    assert driven.run("apply", "again.plan", *again).code == 0
    driven.run("cancel", "list.csv", "--out", "gone.plan", "--set-aside")
    driven.sandbox.clock.advance(48 * 3600)
    calls = driven.plan("verify", "--out", "calls.plan")
    driven.run("audit")
    driven.run("orders")
    driven.json("orders", "--limit", "1", "--phone-number", "+14155550100")
    driven.run("apply", "calls.plan", *calls)  # refused: no number of calls is named
    contact = ("--contact-title", "Owner", "--contact-phone", "+14155550100")
    driven.run("authorize", "--out", "letters.plan", *contact)
    driven.run("runs")
    driven.run("funnel")
    driven.run("report", "--out", "report.html")
    driven.run("demo", "--numbers", "5", "--out", "demo")
    driven.run("drill", "list.csv", "--kills", "0", "--faults", "none")
    with pytest.MonkeyPatch.context() as other:
        other.setenv("HNBULK_HOME", str(driven.home / "rebuilt"))
        assert driven.run("rebuild", "a.plan", *approve).code == 0
    served = [sys.executable, "-m", "hnbulk", "sandbox", "--json"]
    done = subprocess.run(served, input="", capture_output=True, text=True, timeout=60, check=False)
    driven.said.append(Said(("sandbox",), done.stdout, done.stderr, done.returncode))


def drive_errors(driven: Driven, patch: pytest.MonkeyPatch) -> None:
    """Errors as the command line meets them: wrong calls, files, addresses, replies, and none of ours."""
    home = driven.home
    (home / "not-a.plan").write_text(NAME, encoding="utf-8")
    altered = (home / "a.plan").read_text(encoding="utf-8").replace(EMAIL, f"x{EMAIL}")
    (home / "altered.plan").write_text(altered, encoding="utf-8")
    (home / "no-phone.csv").write_text(f"Branch\n{NAME}\n", encoding="utf-8")
    for arguments in (
        ("check", "missing.csv"),
        ("check", "no-phone.csv"),
        ("annotate", "missing.csv"),
        ("annotate", "list.csv", "--out", "list.csv"),
        ("plan", "list.csv", "--out", "x.plan"),
        ("plan", "list.csv", "--out", "list.csv", "--set-aside"),
        ("show", "not-a.plan"),
        ("apply", "altered.plan", "--approve", "00000000"),
        ("apply", "b.plan", "--approve", "00000000"),
        ("resume", "r0"),
        ("audit", "r0"),
        ("retry", "r0"),
        ("orders", "--status", TOKEN[:8]),
    ):
        assert driven.run(*arguments).code, arguments
    for faults in (
        {"action": "status", "status": 401, "code": 20003},
        {"action": "status", "status": 403, "code": 20403},
        {"action": "status", "status": 400, "code": 20001},
        {"action": "garbage", "content": "html"},
        {"action": "redirect", "url": "http://elsewhere.example{target}"},
        {"action": "hostile_page", "url": "http://elsewhere.example{target}"},
    ):
        driven.sandbox.set_faults(faults)
        assert driven.run("orders").code, faults
    driven.sandbox.set_faults()
    for name, value in (
        ("HNBULK_BASE_URL", f"http://{driven.sandbox.account_sid}:{TOKEN}@127.0.0.1"),
        ("HNBULK_BASE_URL", f"https://example.com/{TOKEN}"),
        ("HNBULK_BASE_URL", "http://[" + TOKEN),
        ("TWILIO_ACCOUNT_SID", TOKEN),
        ("HNBULK_HOME", str(home / "list.csv")),
    ):
        with pytest.MonkeyPatch.context() as other:
            other.setenv(name, value)
            assert driven.run("orders").code, name
    assert driven.run("orders", out=Broken()).code == 1  # an error that is none of ours: by type and place
    patch.setenv("HNBULK_DEBUG", "1")
    assert driven.run("orders", out=Broken()).raised is not None
    patch.delenv("HNBULK_DEBUG")


def drive_calls(driven: Driven) -> None:
    """Errors as a notebook meets them, with their tracebacks."""
    with marked_account(driven, driven.home / "second") as account:
        for faults in (
            {"action": "status", "status": 401, "code": 20003},
            {"action": "status", "status": 404, "code": 20404},
            {"action": "truncated"},
            {"action": "garbage", "content": "half"},
            {"action": "content_type"},
        ):
            driven.sandbox.set_faults(faults)
            driven.fails(account.orders)
        driven.sandbox.set_faults()
        plan = account.plan(read_bytes(LIST.encode(), name="list.csv"), set_aside=True)
        driven.fails(lambda: account.plan(read_bytes(LIST.encode(), name="list.csv")))
        driven.fails(lambda: account.apply(plan, approve="0" * 8))
        driven.fails(lambda: account.apply(plan, approve=plan.checksum[:8], place_calls=1))
        driven.fails(lambda: account.order("HR" + "0" * 32))
        driven.fails(lambda: account.audit("r0"))
        driven.fails(lambda: account.verify(max_calls=-1))
    nobody = Client("http://127.0.0.1:9", marked(driven.sandbox), sleep=lambda seconds: None)
    with nobody as client:
        driven.fails(lambda: client.read(wire.list_orders(wire.PREVIEW)))
    driven.errors += [said.raised for said in driven.said if said.raised is not None]


# -- where the token must not be


def test_every_verb_was_driven(driven: Driven) -> None:
    """A verb that is added is one to be driven."""
    verbs = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {said.arguments[0] for said in driven.said} == verbs
    failed = [said for said in driven.said if said.code not in (0, 10)]
    assert len(failed) + len(driven.errors) >= 30


def test_the_search_finds_what_it_is_for() -> None:
    """Each spelling of the token is found, a Basic header at every length of the name before it."""
    for text in (TOKEN, TOKEN[::-1], TOKEN.encode().hex(), quote(TOKEN)):
        assert leaks(f"x{text}y", TOKEN)
    for name in ("a", "ab", "abc"):
        assert leaks(b64encode(f"{name}:{TOKEN}".encode()), TOKEN)
    assert leaks("hnCANARY and so on", TOKEN) == []


def test_the_token_is_in_no_output_and_no_log(driven: Driven) -> None:
    """Neither stream of any verb, nor what libraries log at DEBUG."""
    found = {said.arguments: leaks(said.out + said.err, TOKEN) for said in driven.said}
    assert {arguments: how for arguments, how in found.items() if how} == {}
    assert driven.log.getvalue()
    assert leaks(driven.log.getvalue(), TOKEN) == []


def test_the_token_is_in_no_file(driven: Driven) -> None:
    """Journal, history, lock, plans, results, report, demo: no byte of it."""
    files = [path for path in driven.home.rglob("*") if path.is_file()]
    assert {"journal.db", "history.db", "report.html", "a.plan"} <= {path.name for path in files}
    assert {
        str(path): leaks(path.read_bytes(), TOKEN) for path in files if leaks(path.read_bytes(), TOKEN)
    } == {}


def test_the_token_is_in_no_traceback_with_its_variables(driven: Driven) -> None:
    """As a debugger or a verbose notebook would show it, causes and contexts too."""
    for error in driven.errors:
        link: BaseException | None = error
        while link is not None:
            told = "".join(traceback.TracebackException.from_exception(link, capture_locals=True).format())
            assert leaks(told, TOKEN) == [], type(error)
            link = link.__cause__ or link.__context__


def test_the_token_is_in_no_public_object(driven: Driven, tmp_path: Path) -> None:
    """Shown, taken apart or pickled."""
    with marked_account(driven, tmp_path / "home") as account:
        plan = account.plan(read_bytes(LIST.encode(), name="list.csv"), set_aside=True)
        run = account.apply(plan, approve=plan.checksum[:8])
        report = run.wait(timeout=60)
        account.poll()
        connection = account.connection
        objects = [
            *(account, account.orders(), account.audit(), account.events(), account.funnel()),
            *(plan, plan.file, run, run._run, run.results, run.progress, report),
            *(connection, connection.client, connection.journal, connection.history, connection.gate),
            *(read_settings(), read_settings().credentials, hn.CallLimits()),
        ]
        for one in objects:
            assert leaks(inside(one), TOKEN) == [], type(one)
            assert leaks(getattr(one, "_repr_html_", str)() or "", TOKEN) == [], type(one)


def inside(one: object, depth: int = 3) -> bytes:
    """What an object shows of itself and of its attributes, and its pickle where it has one.

    A `SecretStr` is where the secret is kept: it is shown, and not taken apart.
    """
    if isinstance(one, SecretStr):
        return f"{one!r} {one}".encode()
    names = {*getattr(one, "__dict__", ()), *getattr(type(one), "__slots__", ())} - {"__dict__"}
    shown = [f"{one!r} {one}".encode(errors="replace")]
    with suppress(Exception):
        shown.append(pickle.dumps(one))
    if depth:
        shown += [inside(getattr(one, name, None), depth - 1) for name in names]
    return b"\n".join(shown)


# -- where the person must not be


def test_the_person_is_in_no_talk_and_no_log(driven: Driven) -> None:
    """stderr, errors and logs name nobody; stdout does where it is a plan or a list of orders."""
    assert leaks(driven.log.getvalue(), EMAIL, NAME) == []
    for said in driven.said:
        assert leaks(said.err, EMAIL, NAME) == [], said.arguments
        if said.arguments[0] not in OWN_DATA or said.code not in (0, 10):
            assert leaks(said.out, EMAIL, NAME) == [], said.arguments


def test_the_person_is_in_no_error(driven: Driven) -> None:
    """Neither in its message nor in its facts nor in its traceback."""
    for error in driven.errors:
        told = "".join(traceback.format_exception(error)) + repr(vars(error))
        assert leaks(told, EMAIL, NAME) == [], type(error)


def test_the_person_is_in_plans_and_results_alone(driven: Driven) -> None:
    """Neither in the report, nor in history, nor in any table of the journal but the plans."""
    home = driven.home / ".hnbulk"
    kept = [(driven.home / "report.html").read_bytes(), (home / "history.db").read_bytes()]
    with closing(sqlite3.connect(home / "journal.db")) as journal:
        tables = [
            name for (name,) in journal.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        assert "endings" in tables
        for table in set(tables) - {"plans"}:
            kept += [repr(row).encode() for row in journal.execute(f"SELECT * FROM {table}")]
    assert [leaks(content, EMAIL, NAME) for content in kept if leaks(content, EMAIL, NAME)] == []
    assert leaks((driven.home / "a.plan").read_bytes(), EMAIL)


def test_reprs_name_nobody(driven: Driven) -> None:
    """Plans, steps, rows, intakes and what a run hands back show counts and sids."""
    plan = load_plan(driven.home / "a.plan")
    shown = [plan, *plan.steps, *plan.rows, read_bytes(LIST.encode(), name="list.csv"), plan.header]
    assert leaks(" ".join(map(repr, shown)), EMAIL, NAME) == []


# -- a notebook


def test_the_token_is_in_no_notebook_and_no_history(driven: Driven, tmp_path: Path) -> None:
    """Widgets and an error shown with its variables, saved with widget state; and IPython's own history."""
    cells = [
        "%xmode Verbose",
        "import hnbulk as hn\nfrom hnbulk.settings import read_settings\naccount = hn.connect()",
        "browser = hn.widgets.OrderBrowser(account)\nbrowser",
        "desk = hn.widgets.VerificationDesk(account)\ndesk",
        "account, read_settings(), account.runs()",
        "account.audit('r0')",
        "account.close()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    python_path = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": python_path}
    history = tmp_path / "history.sqlite"
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        allow_errors=True,
        store_widget_state=True,
        ipython_hist_file=str(history),
    )
    client.execute(env=environment, cwd=str(driven.home))
    saved = nbformat.writes(notebook)
    (error,) = [out for cell in notebook.cells for out in cell.outputs if out.output_type == "error"]
    assert error.ename == "UsageError"
    assert "hn-desk" in saved
    assert leaks(saved, TOKEN) == []
    assert b"OrderBrowser" in history.read_bytes()
    assert leaks(history.read_bytes(), TOKEN) == []
