"""The code samples of the reference page run against the sandbox as printed, by the official library.

`samples/*.js` are the page's six, character for character but for its line numbers and the
indentation that its text does not keep. The library comes from the registry, once a session.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import Box, boxed

from hnbulk.reach import NODE

HERE = Path(__file__).parent
VERSION = "6.2.0"
EXAMPLE = "HR" + "a" * 32
EXPECTED = json.loads((HERE.parent / "samples" / "fetch.json").read_bytes())

Run = Callable[[str], str]


def ended(*command: str | Path, timeout: float = 60, **options: Any) -> subprocess.CompletedProcess[str]:
    """A program that has ended, however it did."""
    return subprocess.run(
        [*map(str, command)], check=False, capture_output=True, text=True, timeout=timeout, **options
    )


@pytest.fixture(scope="session", name="modules")
def _modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the official library in it."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are needed to run the official Node library")
    folder = tmp_path_factory.mktemp("node")
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1")
    command = [npm, "install", *options, "--fetch-retry-mintimeout=500", "--prefix", str(folder)]
    try:
        done = ended(*command, f"twilio@{VERSION}", timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not reach its packages within two minutes")
    if done.returncode != 0:
        error = next(iter(re.findall(r"npm (?:error|ERR!) code (\w+)", done.stderr)), "an error")
        pytest.skip(f"npm could not install twilio@{VERSION}: {error}")
    return folder / "node_modules"


@pytest.fixture(name="box")
def _box() -> Iterator[Box]:
    with boxed(example_order=True) as box:
        yield box


def environment(modules: Path, box: Box) -> dict[str, str]:
    """What a sample needs: the library, the credentials, and where the sandbox is."""
    return {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(modules),
        "HNBULK_BASE_URL": box.url,
        "TWILIO_ACCOUNT_SID": box.sandbox.account_sid,
        "TWILIO_AUTH_TOKEN": box.sandbox.auth_token,
    }


def node(given: dict[str, str], *arguments: str | Path) -> str:
    """What a program prints; it ends well and says nothing on stderr."""
    done = ended("node", *arguments, env=given)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(name="run")
def _run(modules: Path, box: Box) -> Run:
    """Runs a sample by its name and gives what it printed."""
    given = environment(modules, box)
    return lambda name: node(given, "--require", HERE / "preload.js", HERE / "samples" / f"{name}.js")


def truth(box: Box) -> dict[str, object]:
    """The page's order as the world knows it."""
    return next(order for order in box.sandbox.orders() if order["sid"] == EXAMPLE)


def test_the_fetch_sample_prints_the_pages_sid(run: Run) -> None:
    """What the page says: the sid."""
    assert run("fetch") == f"{EXAMPLE}\n"


def test_the_list_sample_prints_the_sids(run: Run) -> None:
    """The page's list is empty; the page's order is in this one."""
    assert run("list") == f"{EXAMPLE}\n"


def test_the_update_sample_renames_the_order(run: Run, box: Box) -> None:
    """The sid is printed and the name is the sample's."""
    assert run("update") == f"{EXAMPLE}\n"
    assert truth(box)["friendly_name"] == "My important hosted number order"


def test_the_verification_sample_places_a_call(run: Run, box: Box) -> None:
    """The sid is printed, a call is under way, and the code is the page's."""
    assert run("verify") == f"{EXAMPLE}\n"
    order = truth(box)
    assert (order["status"], order["verification_attempts"]) == ("pending-verification", 1)
    assert order["verification_code"] == EXPECTED["verification_code"]


def test_the_delete_sample_cancels_the_order(run: Run, box: Box) -> None:
    """Nothing is printed and the order is gone."""
    assert run("delete") == ""
    assert truth(box)["deleted"] is True


def test_the_create_sample_prints_the_sid_of_a_new_order(run: Run, box: Box) -> None:
    """The page prints the sid of its one order for a second one too; here each has its own."""
    sid = run("create").strip()
    assert re.fullmatch(r"HR[0-9a-f]{32}", sid)
    assert sid != EXAMPLE
    assert [order["sid"] for order in box.sandbox.orders() if order["phone_number"] == "+15017122661"] == [
        sid
    ]


def test_an_error_is_the_librarys_own(modules: Path, box: Box, tmp_path: Path) -> None:
    """`RestException` with status, code, message and more_info; the samples' preload serves any program."""
    program = tmp_path / "twice.js"
    program.write_text(
        """
        const client = require("twilio")(process.env.TWILIO_ACCOUNT_SID, process.env.TWILIO_AUTH_TOKEN);
        const given = { phoneNumber: "+14153608311", smsCapability: true, ccEmails: ["a@x.co", "b@x.co"] };
        client.preview.hosted_numbers.hostedNumberOrders.create(given).catch((error) =>
          console.log(JSON.stringify([error.constructor.name, error.status, error.code, error.moreInfo])));
        """
    )
    printed = node(environment(modules, box), "--require", HERE / "preload.js", program)
    assert json.loads(printed) == ["RestException", 400, 22110, "https://www.twilio.com/docs/errors/22110"]


def test_a_list_is_read_to_its_end(modules: Path, tmp_path: Path) -> None:
    """The library follows every page, and a limit goes out as the page size."""
    program = tmp_path / "list.js"
    program.write_text(
        """
        const client = require("twilio")(process.env.TWILIO_ACCOUNT_SID, process.env.TWILIO_AUTH_TOKEN);
        const orders = client.preview.hosted_numbers.hostedNumberOrders;
        (async () => {
          const all = await orders.list({ pageSize: 50 });
          const some = await orders.list({ limit: 70, pageSize: 30 });
          const many = await orders.list({ limit: 2000 });
          const sizes = [all, some, many].map((list) => new Set(list.map((order) => order.sid)).size);
          console.log(JSON.stringify(sizes));
        })();
        """
    )
    with boxed(orders=120) as box:
        printed = node(environment(modules, box), "--require", HERE / "preload.js", program)
        assert json.loads(printed) == [120, 70, 120]


def test_the_printed_snippet_runs(modules: Path, box: Box, tmp_path: Path) -> None:
    """What `hnbulk sandbox` prints for Node needs nothing but what it says."""
    program = tmp_path / "snippet.js"
    program.write_text(NODE)
    assert node(environment(modules, box), program) == f"[ '{EXAMPLE}' ]\n"


def test_without_an_address_the_snippet_sends_nothing(modules: Path, box: Box, tmp_path: Path) -> None:
    """It never falls back to the service itself."""
    program = tmp_path / "snippet.js"
    program.write_text(NODE)
    given = environment(modules, box)
    del given["HNBULK_BASE_URL"]
    done = ended("node", program, env=given)
    assert done.returncode != 0
    assert "Invalid URL" in done.stderr
