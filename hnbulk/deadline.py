"""Sockets that wait no longer than the request they carry may, and that know if a byte left.

The time-outs of HTTP libraries count from the last byte, so a drip of bytes could hold a
request for ever. This opens connections for the client and sends nothing by itself.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from hnbulk.failpoints import failpoint


class Call(threading.local):
    """What the thread's current request needs to know on its way down to the socket."""

    ends: float = float("inf")
    wrote: bool = False

    def __init__(self, left: Callable[[], object] = lambda: None) -> None:
        self.left = left  # called when bytes have left, in the thread of their request


class DeadlineNetwork(httpcore.NetworkBackend):
    """Opens TCP connections whose every step ends with the calling thread's request."""

    def __init__(self, call: Call, monotonic: Callable[[], float]) -> None:
        self._inner = httpcore.SyncBackend()
        self._call = call
        self._monotonic = monotonic

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._call, self._monotonic, timeout, httpcore.ConnectTimeout)
        inner = self._inner.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(inner, self._call, self._monotonic)


class _Stream(httpcore.NetworkStream):
    """A socket that waits no longer than the current request may, and notes that bytes left."""

    PIECE = 64 * 1024

    def __init__(self, inner: httpcore.NetworkStream, call: Call, monotonic: Callable[[], float]) -> None:
        self._inner = inner
        self._call = call
        self._monotonic = monotonic
        self._held = b""  # what was written and has not left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._flush(timeout)
        return self._inner.read(max_bytes, self._left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """A request's head and body leave together: its end is told by a write of nothing."""
        self._held += buffer
        if not buffer or len(self._held) >= self.PIECE:
            self._flush(timeout)

    def _flush(self, timeout: float | None) -> None:
        held, self._held = self._held, b""
        for start in range(0, len(held), self.PIECE):
            left = self._left(timeout, httpcore.WriteTimeout)
            self._call.wrote = True
            self._inner.write(held[start : start + self.PIECE], left)
            self._call.left()
            failpoint("after_bytes")

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._left(timeout, httpcore.ConnectTimeout)
        inner = self._inner.start_tls(ssl_context, server_hostname, left)
        return _Stream(inner, self._call, self._monotonic)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def _left(self, timeout: float | None, late: type[Exception]) -> float:
        return _left(self._call, self._monotonic, timeout, late)


def _left(
    call: Call, monotonic: Callable[[], float], timeout: float | None, late: type[Exception]
) -> float:
    left = call.ends - monotonic()
    if left <= 0:
        raise late("the deadline of the request has passed")
    return left if timeout is None else min(timeout, left)
