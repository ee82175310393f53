"""`hnbulk sandbox` as another program, and the command line pointed at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode


@dataclass
class Service:
    """`hnbulk sandbox --json` as another program, and the command line pointed at it."""

    document: dict[str, str]
    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "HNBULK_BASE_URL": self.document["base_url"],
            "TWILIO_ACCOUNT_SID": self.document["account_sid"],
            "TWILIO_AUTH_TOKEN": self.document["auth_token"],
            "HNBULK_HOME": str(self.home / ".hnbulk"),
            **self.extra,
        }

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """A verb under way."""
        return subprocess.Popen(
            [sys.executable, "-m", "hnbulk", *map(str, arguments)],
            env=self.environment,
            cwd=self.home,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A verb that has ended."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: str | Path, code: int | tuple[int, ...] = 0) -> Any:
        """The one document a verb prints with `--json`; its exit code is (one of) `code`."""
        done = self.run(*arguments, "--json")
        assert done.returncode in (code if isinstance(code, tuple) else (code,)), done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout)

    def apply(self, plan: str, checksum: str, *more: str) -> Any:
        """The document of an approved apply that finished: all done, or some rows refused by their fate."""
        return self.json("apply", plan, "--approve", checksum[:8], *more, code=(0, 3))

    def admin(self, path: str, body: object = None) -> str:
        """The administration's answer, as text."""
        request = urllib.request.Request(
            self.document["admin_url"] + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.document['admin_token']}"},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return str(reply.read().decode())

    def order(self, phone_number: str, **form: str) -> None:
        """Somebody else of the same account has made an order on the number."""
        fields = {"PhoneNumber": phone_number, "SmsCapability": "true", **form}
        self._as_rival("POST", "", urlencode(fields).encode())

    def update(self, sid: str, **form: str) -> None:
        """Somebody else of the same account has changed the order."""
        self._as_rival("POST", f"/{sid}", urlencode(form).encode())

    def delete(self, sid: str) -> None:
        """Somebody else of the same account has deleted the order."""
        self._as_rival("DELETE", f"/{sid}", None)

    def _as_rival(self, method: str, path: str, body: bytes | None) -> None:
        pair = f"{self.document['account_sid']}:{self.document['auth_token']}"
        request = urllib.request.Request(
            f"{self.document['base_url']}/HostedNumbers/HostedNumberOrders{path}",
            data=body,
            headers={"Authorization": "Basic " + b64encode(pair.encode()).decode()},
            method=method,
        )
        urllib.request.urlopen(request, timeout=30).close()

    def creates(self, plan: str) -> list[str]:
        """The numbers that a saved plan would create orders for."""
        lines = map(json.loads, (self.home / plan).read_text(encoding="utf-8").splitlines())
        return [line["phone_number"] for line in lines if line.get("action") == "create"]

    def truth(self) -> list[dict[str, Any]]:
        """Every order the sandbox ever had, with its history."""
        return [json.loads(line) for line in self.admin("/orders").splitlines()]

    def ledger(self) -> list[dict[str, Any]]:
        """Every request the sandbox received and what it did."""
        return [json.loads(line) for line in self.admin("/ledger").splitlines()]
