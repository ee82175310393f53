"""A bare fast server in a process of its own: what the client is measured against.

It reads a request, takes the form apart and writes one line of JSON; it checks and keeps nothing.
Each create gets the next order, and a list shows all orders from the first on, page by page.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Any
from urllib.parse import parse_qsl

ACCOUNT = "AC" + "1" * 32
ORDERS = "/HostedNumbers/HostedNumberOrders"
_DATE = "2026-01-01T00:00:00Z"


def sid(number: int) -> str:
    """The sid of the nth order."""
    return f"HR{number:032x}"


def phone(number: int) -> str:
    """The nth phone number."""
    return f"+1501{2_000_000 + number}"


def order(number: int, form: dict[str, str]) -> dict[str, Any]:
    """The nth order as the service shows it: its 23 keys."""
    return {
        "sid": sid(number),
        "account_sid": ACCOUNT,
        "incoming_phone_number_sid": "PN" + "0" * 32,
        "address_sid": None,
        "signing_document_sid": None,
        "phone_number": form.get("PhoneNumber"),
        "capabilities": {"sms": True, "voice": False},
        "friendly_name": form.get("FriendlyName"),
        "unique_name": form.get("UniqueName"),
        "status": "received",
        "failure_reason": "",
        "date_created": _DATE,
        "date_updated": _DATE,
        "verification_attempts": 0,
        "email": form.get("Email"),
        "cc_emails": [],
        "url": f"https://preview.example{ORDERS}/{sid(number)}",
        "verification_type": "phone-call",
        "verification_document_sid": None,
        "extension": None,
        "call_delay": 0,
        "verification_code": None,
        "verification_call_sids": [],
    }


@dataclass(frozen=True, slots=True)
class Bare:
    """A running server."""

    url: str
    pipe: Pipe

    def first(self, what: str) -> float:
        """The clock (`time.monotonic`) when the first `GET` or `POST` came; waits for it."""
        while True:
            method, at = self.pipe.recv()
            if method == what:
                return float(at)


@contextmanager
def bare_server(made: int = 0, *, port: int = 0) -> Iterator[Bare]:
    """The server runs; `made` orders are there already."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs, made, port), daemon=True)
    process.start()
    try:
        yield Bare(f"http://127.0.0.1:{ours.recv()}", ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Pipe, made: int, port: int) -> None:
    forms = [
        {"PhoneNumber": phone(n), "FriendlyName": f"Branch {n}", "UniqueName": f"hn1-{n:020d}"}
        for n in range(made)
    ]
    told: set[str] = set()

    class Speaker(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.got = transport, b""

        def data_received(self, data: bytes) -> None:
            self.got += data
            while (head := self.got.find(b"\r\n\r\n")) >= 0:
                lines = self.got[:head].lower()
                at = lines.find(b"content-length:")
                end = head + 4 + (int(lines[at + 15 :].split(b"\r\n")[0]) if at >= 0 else 0)
                if len(self.got) < end:
                    return
                self.answer(self.got[:head].decode(), self.got[head + 4 : end].decode())
                self.got = self.got[end:]

        def answer(self, head: str, body: str) -> None:
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            if method not in told:
                told.add(method)
                pipe.send((method, time.monotonic()))
            if method == "POST":
                forms.append(dict(parse_qsl(body)))
                reply: dict[str, Any] = order(len(forms) - 1, forms[-1])
            else:
                reply = page(dict(parse_qsl(target.partition("?")[2])))
            text = json.dumps(reply).encode()
            date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
            status = "201 Created" if method == "POST" else "200 OK"
            kind = "Content-Type: application/json\r\n"
            begin = f"HTTP/1.1 {status}\r\nDate: {date}\r\n{kind}Content-Length: {len(text)}\r\n\r\n"
            self.transport.write(begin.encode() + text)

    def page(query: dict[str, str]) -> dict[str, Any]:
        size, number = int(query.get("PageSize", 50)), int(query.get("Page", 0))
        found = range(len(forms))
        if "PhoneNumber" in query or "UniqueName" in query:
            found = range(0)
        some = found[number * size : (number + 1) * size]
        more = (
            f"{url}{ORDERS}?PageSize={size}&Page={number + 1}" if some and some[-1] != found[-1] else None
        )
        return {
            "items": [order(n, forms[n]) for n in some],
            "meta": {"key": "items", "next_page_url": more},
        }

    url = ""

    async def serve() -> None:
        nonlocal url
        server = await asyncio.get_running_loop().create_server(Speaker, "127.0.0.1", port)
        bound = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{bound}"
        pipe.send(bound)
        await server.serve_forever()

    asyncio.run(serve())
