"""The official Python library pointed at a sandbox, by an HTTP client that rewrites the host.

The library itself is as it was installed; only the address of a request is changed, and the
name of the host it was for goes along in a header, so that pages lead on as the service's do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from hnbulk.sandbox import Sandbox, build_sandbox
from hnbulk.serving import serve


class SandboxHttpClient(TwilioHttpClient):
    """What is meant for a host of the service goes to `base_url`; `sent` holds what was asked for."""

    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=30)
        self.session.trust_env = False  # no proxy stands between a test and its sandbox
        self.base_url = base_url
        self.sent: list[tuple[str, str, Any]] = []

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        parts = urlsplit(url)
        self.sent.append((method, url, options.get("params")))
        if str(parts.hostname).endswith(".twilio.com"):
            options["headers"] = {
                **(options.get("headers") or {}),
                "X-Twilio-Original-Host": parts.hostname,
            }
            url = self.base_url + parts._replace(scheme="", netloc="").geturl()
        return super().request(method, url, *args, **options)


class Box:
    """A sandbox that listens, and clients of the official library for it."""

    def __init__(self, **options: Any) -> None:
        self.sandbox: Sandbox = build_sandbox(**options)
        self.url = ""
        self.opened: list[TwilioHttpClient] = []

    def client(self, account: str | None = None, token: str | None = None) -> Client:
        """A client of its own connections, with the sandbox's credentials unless others are given."""
        http = SandboxHttpClient(self.url)
        self.opened.append(http)
        login = (account or self.sandbox.account_sid, token or self.sandbox.auth_token)
        return Client(*login, http_client=http)

    def start_anew(self) -> None:
        """Another sandbox, an empty one, listens where this one did; every connection is closed."""
        self.close()
        self.sandbox = build_sandbox()

    def close(self) -> None:
        """No client holds a connection any more."""
        while self.opened:
            self.opened.pop().session.close()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await self.sandbox.api(scope, receive, send)


@contextmanager
def boxed(**options: Any) -> Iterator[Box]:
    """A sandbox behind a listener; at the end every connection is closed."""
    box = Box(**options)
    with serve(box.app) as server:
        box.url = server.url
        try:
            yield box
        finally:
            box.close()
