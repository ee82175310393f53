"""The service as another program, and `hnbulk` itself as others that are pointed at it.

What is served is `hnbulk sandbox`; its truth is asked for at its administration. Nobody's real
account can be reached from here: no `TWILIO_*` or `HNBULK_*` of this process and no `.env` gets
through to a child. All children have ended when it is closed.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr

from hnbulk.account import Account
from hnbulk.closing import Closing
from hnbulk.connection import open_connection
from hnbulk.errors import HnbulkError, UsageError
from hnbulk.settings import Credentials

Record = dict[str, Any]
#: Seconds the sandbox has to end by itself.
_ENDS_WITHIN = 5.0
_ANSWERS_WITHIN = 60.0


class Rehearsal(Closing):
    """One sandbox and its clients, each a process of its own. Close it."""

    def __init__(self, folder: Path, sandbox: subprocess.Popen[bytes], document: Mapping[str, str]) -> None:
        self.folder = folder
        self.base_url = document["base_url"]
        self.account_sid = document["account_sid"]
        self._document = document
        self._sandbox = sandbox
        self._workers: list[subprocess.Popen[bytes]] = []

    @classmethod
    def start(cls, folder: Path, *, seed: int = 7, settings: Sequence[str] = ()) -> Self:
        """A sandbox on the real clock is served; `settings` are `NAME=VALUE`. `folder` is there.

        Raises `HnbulkError` where it does not come up.
        """
        options = [word for setting in settings for word in ("--set", setting)]
        command = _command("sandbox", "--json", "--clock", "real", "--seed", str(seed), *options)
        sandbox = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_clean_environment(),
            cwd=folder,
            start_new_session=True,  # Ctrl-C is for whoever started us to hear, once
        )
        try:
            first = sandbox.stdout.readline() if sandbox.stdout else b""
            document = json.loads(first or b"{}")
            if "error" in document or "base_url" not in document:
                told = document.get("error", {}).get("message", "it ended at once")
                raise HnbulkError(f"the sandbox did not start: {told}")
            return cls(folder, sandbox, document)
        except BaseException:
            _end(sandbox)
            raise

    # -- clients

    def environment(self, home: Path) -> dict[str, str]:
        """What points a program at this sandbox and at nothing else."""
        return {
            **_clean_environment(),
            "HNBULK_BASE_URL": self.base_url,
            "HNBULK_HOME": str(home),
            "TWILIO_ACCOUNT_SID": self.account_sid,
            "TWILIO_AUTH_TOKEN": self._document["auth_token"],
        }

    def worker(self, *arguments: str | Path, home: Path) -> subprocess.Popen[bytes]:
        """A verb of `hnbulk` under way; what it says goes to `workers.log` in the folder."""
        with (self.folder / "workers.log").open("ab") as log:
            worker = subprocess.Popen(  # noqa: S603 - ourselves
                _command(*map(str, arguments)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(home),
                cwd=self.folder,
                start_new_session=True,
            )
        self._workers.append(worker)
        return worker

    def last_words(self) -> str:
        """The last line any worker said."""
        with suppress(OSError):
            lines = (self.folder / "workers.log").read_text("utf-8", "replace").split("\n")
            return next((line for line in reversed(lines) if line.strip()), "")
        return ""

    def account(self, home: Path) -> Account:
        """An account of the sandbox in this process."""
        credentials = Credentials(
            self.account_sid, self.account_sid, SecretStr(self._document["auth_token"])
        )
        return Account(open_connection(self.base_url, credentials, home=home))

    # -- administration

    def orders(self) -> list[Record]:
        """The truth: every order there ever was, canceled ones too."""
        return self._lines("/orders")

    def ledger(self, *, after: int = 0) -> list[Record]:
        """Every request that came in after the nth, and what it did."""
        return self._lines(f"/ledger?after={after}")

    def calls(self) -> list[Record]:
        """Every verification call there ever was."""
        return self._lines("/calls")

    def give_fate(self, numbers: Iterable[str], fate: str) -> None:
        """Orders of the numbers made from now on have this fate."""
        self._ask("/fates", [{"phone_number": number, "fate": fate} for number in numbers])

    def set_faults(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """These fault rules are in force, and no others. Raises `UsageError` for one that is none."""
        self._ask("/faults", [dict(rule) for rule in rules])

    def close(self) -> None:
        """All children have ended."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        _end(self._sandbox)

    def _lines(self, path: str) -> list[Record]:
        return [json.loads(line) for line in self._ask(path).splitlines()]

    def _ask(self, path: str, body: object = None) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - loopback, as the sandbox said
            self._document["admin_url"] + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._document['admin_token']}"},
        )
        try:
            with _NO_PROXY.open(request, timeout=_ANSWERS_WITHIN) as reply:
                return bytes(reply.read())
        except urllib.error.HTTPError as error:
            raise UsageError(f"the sandbox refuses: {json.load(error)['message']}.") from None
        except (OSError, http.client.HTTPException) as error:
            raise HnbulkError(f"the sandbox does not answer any more ({type(error).__name__}).") from None


_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _command(*arguments: str) -> list[str]:
    # -P: what lies in the folder a child works in is not imported
    return [sys.executable, "-P", "-m", "hnbulk", *arguments]


def _clean_environment() -> dict[str, str]:
    """This process's environment without what says whose account it is."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("TWILIO_", "HNBULK_"))
    }


def _end(sandbox: subprocess.Popen[bytes]) -> None:
    """The sandbox ends when nobody holds its stdin any more; else it is made to."""
    for pipe in (sandbox.stdin, sandbox.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    try:
        sandbox.wait(_ENDS_WITHIN)
    except BaseException as error:
        sandbox.kill()
        sandbox.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
