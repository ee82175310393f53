"""The listener: on loopback only, quiet, stopped without a trace."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from hnbulk.errors import UsageError
from hnbulk.serving import serve

Message = MutableMapping[str, Any]


async def hello(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Says hello; resets the connection on /reset."""
    if scope["path"] == "/reset":
        scope["extensions"]["hnbulk.abort"]()
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


def test_it_accepts_connections_when_it_is_there_and_none_when_stopped() -> None:
    """Ready on return; after stop the port is closed and the thread has ended."""
    with serve(hello) as server:
        assert httpx.get(server.url, trust_env=False).text == "hello"
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url, trust_env=False)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hnbulk-serving")]


def test_it_adds_no_header_of_its_own() -> None:
    """Date and server are the application's to write."""
    with serve(hello) as server:
        headers = httpx.get(server.url, trust_env=False).headers
    assert set(headers) == {"content-length"}


def test_a_connection_can_be_reset_by_the_application() -> None:
    """The other side sees a reset, not an orderly end; the next connection is served."""
    with serve(hello) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(b"GET /reset HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                sock.recv(100)
        assert httpx.get(server.url, trust_env=False).status_code == 200


def test_a_port_that_is_taken_is_a_usage_error() -> None:
    """The message names the port and the way out."""
    with serve(hello) as server, pytest.raises(UsageError, match="or 0 for a free one"):
        serve(hello, port=server.port)


def test_a_port_that_is_none_is_a_usage_error() -> None:
    """Beyond 65535 there is no port."""
    with pytest.raises(UsageError):
        serve(hello, port=70_000)


def test_it_listens_on_loopback_only() -> None:
    """The address is 127.0.0.1 and no other."""
    with serve(hello) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        with pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.port), timeout=1):
            pass


def test_stopping_twice_does_nothing_more() -> None:
    """And an idle connection does not keep it."""
    server = serve(hello)
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        client.get("/")
        server.stop()
    server.stop()


def test_eight_threads_share_one_listener() -> None:
    """Four hundred requests of eight threads are all answered."""
    with (
        serve(hello) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        replies = list(threads.map(lambda _: client.get("/").status_code, range(400)))
    assert replies == [200] * 400


def test_the_port_can_be_taken_again_at_once() -> None:
    """A listener of the same port follows the one that was stopped."""
    with serve(hello) as server:
        httpx.get(server.url, trust_env=False)
        port = server.port
    with serve(hello, port=port) as server:
        assert httpx.get(server.url, trust_env=False).text == "hello"


def test_a_request_that_takes_for_ever_does_not_keep_it(caplog: pytest.LogCaptureFixture) -> None:
    """After a moment its connection ends, and nothing is logged."""
    caplog.set_level(logging.INFO)
    server = serve(hello)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        httpx.get(server.url, trust_env=False)
        server.stop()
        with pytest.raises(ConnectionResetError):
            sock.recv(100)
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_stopping_an_idle_listener_takes_no_time() -> None:
    """With a connection that is kept alive, too: a test suite stops hundreds."""
    times = []
    for _ in range(3):
        server = serve(hello)
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            client.get("/")
            began = time.monotonic()
            server.stop()
            times.append(time.monotonic() - began)
    assert min(times) < 0.09


def test_a_reply_under_way_is_whole_when_the_listener_stops() -> None:
    """Who was being answered gets the answer, and then the connection ends."""
    asked = threading.Event()

    async def slow(
        _scope: Message,
        _receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        asked.set()
        await asyncio.sleep(0.05)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 100_000})

    server = serve(slow)
    with ThreadPoolExecutor(1) as threads:
        reply = threads.submit(httpx.get, server.url, trust_env=False)
        asked.wait(5)
        server.stop()
        assert len(reply.result().content) == 100_000
