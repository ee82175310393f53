"""A listener on loopback for an ASGI application, in a thread of this process.

It binds 127.0.0.1 and nothing else, logs no request, and adds no header of its own. It is the
only file that knows the HTTP server library; every connection it accepts can be reset by the
application through `scope["extensions"]["hnbulk.abort"]`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hnbulk.errors import UsageError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"
#: Seconds an idle connection is kept; longer than clients keep theirs, so they close first.
KEEP_ALIVE = 30
#: Seconds that requests under way have when the listener stops, and then the thread to end.
GRACE = 1
START_WITHIN = 10.0
STOP_WITHIN = 5.0


class Server:
    """A listener that accepts connections until it is stopped; a context manager."""

    def __init__(self, server: _Listener, thread: threading.Thread, sock: socket.socket) -> None:
        self._server = server
        self._thread = thread
        self._socket = sock
        self.port: int = sock.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        """Nothing listens any more and the thread has ended. Stopping twice does nothing."""
        self._server.end()
        self._thread.join(STOP_WITHIN)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Server({self.url})"


def serve(app: Application, *, port: int = 0) -> Server:
    """`app` is served on 127.0.0.1 and accepts connections; port 0 is a free one.

    Raises `UsageError` where the port is taken or may not be used.
    """
    sock = _bind(port)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Listener(config)
    thread = threading.Thread(target=server.run, args=([sock],), name=f"hnbulk-serving-{port}", daemon=True)
    thread.start()
    if not server.accepting.wait(START_WITHIN):
        sock.close()
        raise RuntimeError(f"the listener did not start within {START_WITHIN} seconds")
    return Server(server, thread, sock)


class _Listener(uvicorn.Server):
    """A server that tells when it accepts connections, and ends when told to, without polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = threading.Event()
        self._ending = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._loop = asyncio.get_running_loop()
        self.accepting.set()

    async def main_loop(self) -> None:
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        """Nothing new is accepted; requests under way have a moment to end, then their connections do.

        In place of the library's own way, which always takes a tenth of a second and more.
        """
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await _ended(self.server_state.tasks, GRACE)
        for task in list(self.server_state.tasks):
            task.cancel()
        await _ended(self.server_state.tasks, GRACE)
        for turn in range(100):  # what has been written goes out, then closed connections say so
            await asyncio.sleep(0.001 if turn else 0)
            if not self.server_state.connections:
                return
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def end(self) -> None:
        """The server stops accepting, and ends; from any thread, any number of times."""
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it has ended in this very moment
                self._loop.call_soon_threadsafe(self._ending.set)


class _Protocol(H11Protocol):
    """HTTP/1.1 on one connection, which the application may reset."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        inner = self.app

        async def app(scope: Message, receive: Receive, send: Send) -> None:
            scope["extensions"] = {"hnbulk.abort": self._abort}
            try:
                await inner(scope, receive, send)
            except asyncio.CancelledError:  # the listener ends
                self._abort()
                await asyncio.sleep(0.01)

        self.app = app

    def _abort(self) -> None:
        """The other side sees a reset, not an orderly end: nothing lingers to be sent."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


async def _ended(tasks: set[asyncio.Task[None]], seconds: float) -> None:
    if tasks:
        await asyncio.wait(set(tasks), timeout=seconds)


def _bind(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((LOOPBACK, port))
        sock.listen(2048)
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or "not a port"
        raise UsageError(
            f"cannot listen on port {port} of {LOOPBACK}: {reason}; give another, or 0 for a free one.",
            port=port,
        ) from None
    return sock
