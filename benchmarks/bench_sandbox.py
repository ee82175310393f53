"""How fast the sandbox answers through its real listener, against a bare route of the same length.

    python benchmarks/bench_sandbox.py [ORDERS] [SECONDS]

The server has one core in a process of its own, the load (1 to 8 connections) another. The bare
route is Starlette's, in the same listener, answering fixed bytes as long as the sandbox's. Rates
by the clock suffer from whatever else the machine does; those per second of the server's CPU time
hardly do. ORDERS (200,000) are there already when memory is measured, and again when each has been
listed once: an order keeps its JSON from then on.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import Response
from starlette.routing import Route

from hnbulk.sandbox import WorldSettings, build_sandbox
from hnbulk.serving import serve

ORDERS = "/HostedNumbers/HostedNumberOrders"
#: Orders of the sandbox that is asked for rates; pages and fetches cost the same with more.
SMALL = 2_000
CONNECTIONS = (1, 2, 4, 8)
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


# The server: a process of its own.


def serve_sandbox(orders: int) -> None:
    """A sandbox is served, and tells of itself on stdout, until stdin closes."""
    began = time.process_time()
    sandbox = build_sandbox(orders=orders, settings=WorldSettings(not_hostable_rate=0.0))
    built = time.process_time() - began
    with serve(sandbox.api) as server:
        about = {
            "url": server.url,
            "login": f"{sandbox.account_sid}:{sandbox.auth_token}",
            "sid": next(iter(sandbox.desk.service.world.books.orders)),
            "built": built,
        }
        _tell_usage(about)


def serve_bare(length: int, status: int) -> None:
    """A route that answers every request with `length` fixed bytes is served until stdin closes."""
    body = b'"' + b"x" * (length - 2) + b'"'

    async def answer(_: Asked) -> Response:
        return Response(body, status, media_type="application/json")

    app = Starlette(routes=[Route("/{rest:path}", answer, methods=["GET", "POST"])])
    with serve(app) as server:
        _tell_usage({"url": server.url, "login": "", "sid": "HR", "built": 0.0})


def _tell_usage(about: dict[str, Any]) -> None:
    """One line of facts, then one of CPU seconds and resident bytes for every line of stdin."""
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        print(json.dumps([time.process_time(), pages * os.sysconf("SC_PAGESIZE")]), flush=True)


# The load: this process.


@dataclass
class Served:
    """A server in its process."""

    url: str
    login: str
    sid: str
    built: float
    process: subprocess.Popen[str]

    def usage(self) -> tuple[float, int]:
        """CPU seconds so far, and resident bytes now."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        cpu, resident = json.loads(self.process.stdout.readline())
        return cpu, resident

    def message(self, target: str, form: dict[str, str] | None = None) -> bytes:
        """The bytes of a GET, or of a POST of `form`."""
        body = b"" if form is None else urlencode(form).encode()
        lines = [
            f"{'GET' if form is None else 'POST'} {target} HTTP/1.1",
            f"Host: {urlsplit(self.url).netloc}",
            f"Authorization: Basic {b64encode(self.login.encode()).decode()}",
            "Accept: application/json",
        ]
        if form is not None:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def started(*arguments: object) -> Iterator[Served]:
    """This file as a server on a core of its own, with `arguments`."""
    command = [sys.executable, __file__, *map(str, arguments), str(CORES[0])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Served(**json.loads(process.stdout.readline()), process=process)
        finally:
            process.stdin.close()


@dataclass(frozen=True)
class Rate:
    """What a load met: requests a second by the clock, and a second of the server's CPU time."""

    by_clock: float
    by_cpu: float
    longest: int  # bytes of the last body


def load(served: Served, messages: Iterator[bytes], connections: int, until: Callable[[int], bool]) -> Rate:
    """`messages` are sent over `connections` kept alive, one at a time each, until `until(answered)`."""
    selector = selectors.DefaultSelector()
    parts = urlsplit(served.url)
    cpu, _ = served.usage()
    began, done, length = time.perf_counter(), 0, 0
    for _ in range(connections):
        sock = socket.create_connection((parts.hostname or "", parts.port or 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(next(messages))
        selector.register(sock, selectors.EVENT_READ, bytearray())
    while not until(done):
        for key, _ in selector.select():
            sock, got = key.fileobj, key.data
            assert isinstance(sock, socket.socket)
            got += sock.recv(1 << 20)
            if (size := _length(got)) >= 0:
                length = size
                got.clear()
                done += 1
                sock.sendall(next(messages))
    took = time.perf_counter() - began
    used = served.usage()[0] - cpu
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    selector.close()
    return Rate(done / took, done / used, length)


def _length(got: bytearray) -> int:
    """The length of the body when `got` is a whole reply, otherwise -1. Raises for an error reply."""
    head = got.find(b"\r\n\r\n")
    if head < 0:
        return -1
    assert got[9:10] == b"2", bytes(got)
    place = got.lower().find(b"content-length: ", 0, head) + 16
    length = int(got[place : got.find(b"\r\n", place)])
    return length if len(got) - head - 4 >= length else -1


def read_all(served: Served) -> int:
    """Every order has been listed once, by pages of 1,000; how many pages that were."""
    url: str | None = f"{served.url}{ORDERS}?PageSize=1000"
    login = {"Authorization": f"Basic {b64encode(served.login.encode()).decode()}"}
    pages = 0
    while url is not None:
        with urlopen(Request(url, headers=login)) as reply:
            url = json.loads(reply.read())["meta"]["next_page_url"]
        pages += 1
    return pages


def repeated(message: bytes) -> Iterator[bytes]:
    """The same message for ever."""
    while True:
        yield message


def creates(served: Served) -> Iterator[bytes]:
    """A create of another number each time."""
    for place in itertools.count(3_000_000):
        form = {
            "PhoneNumber": f"+1212{place}",
            "SmsCapability": "true",
            "FriendlyName": f"Branch {place}",
            "UniqueName": f"bench-{place}",
            "Email": "owner@example.com",
        }
        yield served.message(ORDERS, form)


def passed(seconds: float) -> Callable[[int], bool]:
    """So many seconds have passed, from now on."""
    end = time.perf_counter() + seconds
    return lambda _done: time.perf_counter() >= end


def compare(
    what: str, sandbox: Served, messages: Iterator[bytes], seconds: float, connections: int
) -> None:
    """A line: the rate, and that of the bare route whose body is as long."""
    ours = load(sandbox, messages, connections, passed(seconds))
    with started("bare", ours.longest, 201 if what == "create" else 200) as bare:
        route = load(bare, repeated(bare.message(ORDERS)), connections, passed(seconds))
    print(
        f"{what:<8}{connections:>3}{ours.longest:>9,}{ours.by_clock:>10,.0f}{ours.by_cpu:>10,.0f}"
        f"{1000 / ours.by_cpu:>9.2f}{route.by_clock:>10,.0f}{route.by_cpu:>10,.0f}"
        f"{route.by_clock / ours.by_clock:>7.1f}{route.by_cpu / ours.by_cpu:>7.1f}",
        flush=True,
    )


def main() -> None:
    """Prints rates, ratios and memory."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    _stay_on(CORES[-1])
    print("a second, by the clock and of server CPU; the bare route's; how many times as fast it is")
    print("           c    bytes   /s clock    /s CPU   ms CPU  bare clock  CPU    clock    CPU")
    with started("sandbox", SMALL) as sandbox:
        one = sandbox.message(f"{ORDERS}/{sandbox.sid}")
        page = sandbox.message(f"{ORDERS}?PageSize=1000")
        for connections in CONNECTIONS:
            compare("fetch", sandbox, repeated(one), seconds, connections)
        compare("page", sandbox, repeated(page), seconds, 1)
        compare("create", sandbox, creates(sandbox), seconds, 4)
    if many:
        with started("sandbox", many) as sandbox:
            _, resident = sandbox.usage()
            print(
                f"{many:,} orders: made in {sandbox.built:.0f} s of CPU, {resident / 1e6:,.0f} MB resident"
            )
            page = sandbox.message(f"{ORDERS}?PageSize=1000")
            rate = load(sandbox, repeated(page), 1, passed(seconds))
            print(f"{many:,} orders: a page of 1,000 takes {1000 / rate.by_cpu:.1f} ms of CPU")
            cpu, _ = sandbox.usage()
            pages = read_all(sandbox)
            used, resident = sandbox.usage()
            print(
                f"{many:,} orders: a page takes {(used - cpu) / pages * 1000:.1f} ms of CPU once; "
                f"all read, {resident / 1e6:,.0f} MB resident"
            )


def _stay_on(core: int) -> None:
    """This process runs on one core, where the machine lets it choose."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["sandbox", orders, core]:
            _stay_on(int(core))
            serve_sandbox(int(orders))
        case ["bare", length, status, core]:
            _stay_on(int(core))
            serve_bare(int(length), int(status))
        case _:
            main()
