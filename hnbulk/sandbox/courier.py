"""The courier: a thread that sends the queued status callbacks, one after the other.

It also lets a clock that runs by itself carry its world on, so that a callback comes when its
moment has come and not with the next request. It calls nothing but what `callbacks` allows,
follows no redirect, uses no proxy, and needs nothing of a reply but its status.
"""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

from hnbulk.sandbox.callbacks import Callback, Callbacks, Outgoing, is_loopback, outgoing
from hnbulk.sandbox.clock import SandboxClock, seconds_of, stamp
from hnbulk.sandbox.service import Service

#: Bytes of a reply that are read; a receiver that says more is not listened to.
LONGEST_REPLY = 1 << 16
#: Seconds `close` gives the thread; its socket is shut before.
END_WITHIN = 5.0


class Courier:
    """Sends until it is closed; a context manager. What then still waits stays in the queue."""

    def __init__(
        self,
        callbacks: Callbacks,
        service: Service,
        clock: SandboxClock,
        tokens: Mapping[str, str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._callbacks = callbacks
        self._service = service
        self._clock = clock
        self._tokens = tokens
        self._monotonic = monotonic
        self._closing = threading.Event()
        self._line = Line(monotonic)
        self._thread = threading.Thread(target=self._run, name="hnbulk-callbacks", daemon=True)
        clock.watch(callbacks.stirred.set)
        self._thread.start()

    def drain(self, timeout: float = 30.0) -> bool:
        """Whether, within `timeout` seconds, everything until now has been sent, or given up."""
        self._settle()
        return self._callbacks.wait_until_quiet(timeout)

    def close(self) -> None:
        """The thread has ended and no socket is open. Closing twice does nothing."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._clock.unwatch(self._callbacks.stirred.set)
        self._callbacks.stirred.set()
        self._line.cut()
        self._thread.join(END_WITHIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._callbacks.stirred.clear()
            self._settle()
            callback = self._callbacks.take(self._monotonic())
            if callback is not None:
                self._deliver(callback)
            elif not self._closing.is_set():
                self._callbacks.stirred.wait(self._pause())

    def _settle(self) -> None:
        """The world has caught up with the clock, where anybody is to be told of it."""
        if self._service.world.calls_back:
            self._service.settle(seconds_of(self._clock.now()))

    def _pause(self) -> float | None:
        """Real seconds until there is something to do by itself; None where nothing will be."""
        waits = []
        ready = self._callbacks.next_ready()
        if ready is not None:
            waits.append(ready - self._monotonic())
        if self._clock.speed and self._service.world.calls_back:
            due = self._service.next_due()
            if due is not None:
                waits.append((due - self._clock.now().timestamp()) / self._clock.speed + 0.001)
        return max(0.0, min(waits)) if waits else None

    def _deliver(self, callback: Callback) -> None:
        """One attempt, and as many more as the settings give to one that found no ear."""
        settings = self._service.world.settings
        letter = outgoing(callback, self._tokens.get(callback.account_sid, ""))
        attempts: list[dict[str, Any]] = []
        status: int | None = None
        for _ in range(1 + settings.callback_retries):
            at = stamp(seconds_of(self._clock.now()))
            status, error = self._line.send(
                letter, connect=settings.callback_connect_seconds, total=settings.callback_total_seconds
            )
            attempts.append({"at": at, "status": status, "error": error})
            heard = status is not None and (status < 500 or not settings.callback_retry_5xx)
            if self._closing.is_set() or heard:
                break
        done = status is not None and 200 <= status < 300
        self._callbacks.record(callback, "delivered" if done else "failed", attempts)


class Line:
    """One outgoing connection at a time, which another thread may cut."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    def send(self, letter: Outgoing, *, connect: float, total: float) -> tuple[int | None, str | None]:
        """The status of the reply, or why there is none: connect, time-out, or no-reply.

        `connect` seconds for a connection, `total` for everything. No socket stays open.
        """
        deadline = self._monotonic() + total
        try:
            sock = _connected(letter.url, min(connect, total))
        except OSError as error:
            return None, "connect-time-out" if isinstance(error, TimeoutError) else "connect"
        with sock:
            if not self._hold(sock):
                return None, "closed"
            try:
                return self._exchange(sock, letter, deadline), None
            except TimeoutError:
                return None, "time-out"
            except (OSError, HTTPException):
                return None, "no-reply"
            finally:
                self._let_go()

    def cut(self) -> None:
        """What is being sent breaks off, and nothing is sent any more."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                _shut(self._socket)

    def _exchange(self, sock: socket.socket, letter: Outgoing, deadline: float) -> int:
        parts = urlsplit(letter.url)
        sock.settimeout(max(0.001, deadline - self._monotonic()))
        connection = HTTPConnection(parts.hostname or "", parts.port)
        connection.sock = sock
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(letter.method, target, letter.body or None, dict(letter.headers))
        source = _Source(_Reading(sock, deadline, self._monotonic))
        with HTTPResponse(cast(socket.socket, source), method=letter.method) as response:
            response.begin()
            response.read(LONGEST_REPLY)
            return response.status

    def _hold(self, sock: socket.socket) -> bool:
        with self._lock:
            self._socket = None if self._cut else sock
            return not self._cut

    def _let_go(self) -> None:
        with self._lock:
            self._socket = None


class _Source:
    """The part of a socket that a response reads from."""

    def __init__(self, reading: _Reading) -> None:
        self._reading = reading

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reading)


class _Reading(io.RawIOBase):
    """What comes over a socket until a deadline, however slowly it drips."""

    def __init__(self, sock: socket.socket, deadline: float, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline
        self._monotonic = monotonic

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - self._monotonic()
        if left <= 0:
            raise TimeoutError("the total time is over")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


def _connected(url: str, timeout: float) -> socket.socket:
    """A connection to where a URL leads; `localhost` is this machine whatever a resolver says."""
    parts = urlsplit(url)
    host, https = parts.hostname or "", parts.scheme == "https"
    where = "127.0.0.1" if host == "localhost" else host
    sock = socket.create_connection((where, parts.port or (443 if https else 80)), timeout)
    try:
        if is_loopback(host) and not is_loopback(sock.getpeername()[0]):
            raise OSError("a loopback address led elsewhere")
        return ssl.create_default_context().wrap_socket(sock, server_hostname=host) if https else sock
    except BaseException:
        sock.close()
        raise


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
