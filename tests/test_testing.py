"""The fixtures for other people's suites: how their own code is tested, and that nothing of it stays."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Somebody's own code: no hnbulk in it, only the address and the credentials it is given.
OWN_CODE = """
import base64, json, os, urllib.parse, urllib.request

def host_number(number, callback=None):
    form = {"PhoneNumber": number, "SmsCapability": "true", "FriendlyName": "Shop"}
    if callback:
        form["StatusCallbackUrl"] = callback
    login = os.environ["TWILIO_ACCOUNT_SID"] + ":" + os.environ["TWILIO_AUTH_TOKEN"]
    request = urllib.request.Request(
        os.environ["HNBULK_BASE_URL"] + "/HostedNumbers/HostedNumberOrders",
        urllib.parse.urlencode(form).encode(),
        {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()},
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)
"""

OWN_TESTS = """
import http.server, os, subprocess, sys, threading, urllib.error, urllib.request
import pytest
from shop import host_number

NUMBER = "+19075550170"

@pytest.fixture(autouse=True)
def pointed(hosted_sandbox, monkeypatch):
    for name, value in hosted_sandbox.environ.items():
        monkeypatch.setenv(name, value)

def test_the_order_arrives(hosted_sandbox):
    order = host_number(NUMBER)
    assert [one["sid"] for one in hosted_sandbox.orders()] == [order["sid"]]
    assert [line["did"] for line in hosted_sandbox.ledger()] == ["created " + order["sid"]]

def test_time_goes_on(hosted_sandbox):
    host_number(NUMBER)
    hosted_sandbox.clock.advance(36 * 3600)
    assert hosted_sandbox.orders()[0]["status"] == "received"

def test_trouble_is_scripted(hosted_sandbox):
    hosted_sandbox.set_faults({"action": "status", "status": 503, "times": 1})
    with pytest.raises(urllib.error.HTTPError, match="503") as caught:
        host_number(NUMBER)
    caught.value.close()
    hosted_sandbox.set_faults()
    assert host_number(NUMBER)["status"] == "twilio-processing"

def test_a_number_has_a_fate(hosted_sandbox):
    hosted_sandbox.set_fate("+12125550123", "sms-enabled")
    host_number("+12125550123")
    hosted_sandbox.clock.advance(36 * 3600)
    assert hosted_sandbox.orders()[0]["status"] == "failed"

@pytest.mark.hosted_sandbox(preview_access=False)
def test_an_account_without_access():
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        host_number(NUMBER)
    caught.value.close()

def test_callbacks_are_sent_and_told_of(hosted_sandbox):
    heard = []
    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()
        def log_message(self, *_):
            pass
    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            host_number(NUMBER, f"http://127.0.0.1:{receiver.server_port}/status")
            hosted_sandbox.clock.advance(36 * 3600)
            told = hosted_sandbox.callbacks()
        finally:
            receiver.shutdown()
            thread.join()
    assert [one["result"] for one in told] == ["delivered"]
    assert b"Status=received" in heard[0]

def test_another_program(hosted_sandbox):
    call = [sys.executable, "-c", "from shop import host_number; host_number('+19075550170')"]
    subprocess.run(call, env={**os.environ, **hosted_sandbox.environ}, check=True)
    assert len(hosted_sandbox.orders()) == 1

def test_administration(hosted_sandbox):
    bearer = {"Authorization": "Bearer " + hosted_sandbox.admin_token}
    request = urllib.request.Request(hosted_sandbox.admin_url + "/clock", headers=bearer)
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200
    assert hosted_sandbox.auth_token not in repr(hosted_sandbox)
    assert hosted_sandbox.admin_token not in repr(hosted_sandbox)
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty suite of somebody else, where every warning is an error."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # only theirs and ours
    pytester.makeconftest('pytest_plugins = ["hnbulk.testing"]')
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config")
    return pytester


def outcome(suite: pytest.Pytester, source: str) -> pytest.RunResult:
    """What became of a test file of that suite, in a process of its own."""
    suite.makepyfile(test_own=source)
    return suite.runpytest_subprocess("-p", "no:cacheprovider")


def test_somebody_tests_their_own_code(suite: pytest.Pytester) -> None:
    """Orders, time, faults, fates, callbacks, other programs; no socket and no warning is left."""
    suite.makepyfile(shop=OWN_CODE)
    outcome(suite, OWN_TESTS).assert_outcomes(passed=8)


def test_an_account_on_the_sandbox(suite: pytest.Pytester) -> None:
    """The toolkit itself is pointed at the same sandbox; the journal is the test's own."""
    result = outcome(
        suite,
        """
        import pandas as pd
        import pytest

        @pytest.mark.hosted_sandbox(orders=20)
        def test_a_list_is_applied(hosted_sandbox, hosted_account, tmp_path):
            plan = hosted_account.plan(pd.DataFrame({"phone_number": ["+19075550170", "+19075550171"]}))
            hosted_account.apply(plan, approve=plan.checksum[:8]).wait(timeout=60)
            assert len(hosted_account.orders()) == len(hosted_sandbox.orders()) == 22
            assert hosted_account.now == hosted_sandbox.clock.now()
            assert (tmp_path / ".hnbulk" / "journal.db").exists()
        """,
    )
    result.assert_outcomes(passed=1)


def test_markers_and_configuration_say_what_the_sandbox_is_like(suite: pytest.Pytester) -> None:
    """The nearest marker wins over the farther one, and both over the configuration."""
    suite.makeini(
        "[pytest]\nhosted_sandbox =\n  seed = 3\n  carrier_hours = [12, 13]\n  answer_rate = 0.5\n"
    )
    result = outcome(
        suite,
        """
        import pytest

        pytestmark = pytest.mark.hosted_sandbox(answer_rate=0.9, orders=5)

        def world(hosted_sandbox):
            world = hosted_sandbox.sandbox.desk.service.world
            settings = world.settings
            return world.seed, settings.carrier_hours, settings.answer_rate, len(world.books.orders)

        def test_of_the_file(hosted_sandbox):
            assert world(hosted_sandbox) == (3, (12, 13), 0.9, 5)

        @pytest.mark.hosted_sandbox(seed=4, answer_rate=1.0)
        def test_of_its_own(hosted_sandbox):
            assert world(hosted_sandbox) == (4, (12, 13), 1.0, 5)

        @pytest.mark.hosted_sandbox(sed=4)
        def test_unknown(hosted_sandbox):
            pass

        @pytest.mark.hosted_sandbox(4)
        def test_nameless(hosted_sandbox):
            pass
        """,
    )
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*hosted_sandbox has no sed*", "*takes names only*"])


def test_a_configuration_that_cannot_be_read_is_said(suite: pytest.Pytester) -> None:
    """The line is shown, and what it should be."""
    suite.makeini("[pytest]\nhosted_sandbox = seed: 3\n")
    result = outcome(suite, "def test_any(hosted_sandbox):\n    pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*seed: 3*is not `name = value`*"])


def test_nobody_gets_the_fixtures_unasked() -> None:
    """Using hnbulk imports neither pytest nor, with the fixtures, pandas."""
    code = "import sys, hnbulk, hnbulk.account; assert 'pytest' not in sys.modules;"
    late = "import sys, hnbulk.testing; assert 'pandas' not in sys.modules"
    for program in (code, late):
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "block", [text for text in re.findall(r"```python\n(.*?)```", README, re.S) if "hosted_sandbox" in text]
)
def test_the_example_of_the_readme_passes(suite: pytest.Pytester, block: str) -> None:
    """As printed, as a test file of its own."""
    suite.makeconftest("")
    result = outcome(suite, block)
    result.assert_outcomes(passed=block.count("def test_"))
