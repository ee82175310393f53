"""Open connections to one service: each carries one request at a time, the last used goes first.

A connection is taken from a stack and put back when its reply is read, so that threads meet for a
moment only; the library's own pool asks every connection, under one lock, twice a request.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import cast

import httpcore


class Sockets:
    """At most `most` connections, each of them closed where it was unused for `keepalive` seconds."""

    def __init__(
        self,
        network: httpcore.NetworkBackend,
        *,
        most: int,
        keepalive: float,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._network = network
        self._keepalive = keepalive
        self._ssl_context = ssl_context
        self._places = threading.Semaphore(most)
        self._idle: list[httpcore.HTTPConnection] = []
        self._open: set[httpcore.HTTPConnection] = set()
        self._closed = False

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """The reply's head; its connection is free again when the reply's stream is closed.

        Raises the library's exceptions, `PoolTimeout` where no connection comes free in time.
        """
        wait = request.extensions.get("timeout", {}).get("pool")
        if not self._places.acquire(timeout=wait):
            raise httpcore.PoolTimeout("no connection came free in time")
        connection = None
        try:
            connection = self._take(request.url.origin)
            response = connection.handle_request(request)
        except BaseException:
            self._give_back(connection)
            raise
        stream = cast(Iterable[bytes], response.stream)
        response.stream = _Body(stream, partial(self._give_back, connection))
        return response

    def close(self) -> None:
        """No connection is open, those in use neither."""
        self._closed = True
        for connection in list(self._open):
            self._drop(connection)

    def _take(self, origin: httpcore.Origin) -> httpcore.HTTPConnection:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if connection.can_handle_request(origin) and not connection.has_expired():
                return connection
            self._drop(connection)
        connection = httpcore.HTTPConnection(
            origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=self._keepalive,
            retries=0,
            network_backend=self._network,
        )
        self._open.add(connection)
        return connection

    def _give_back(self, connection: httpcore.HTTPConnection | None) -> None:
        if connection is not None:
            if connection.is_idle() and not connection.is_closed() and not self._closed:
                self._idle.append(connection)
            else:
                self._drop(connection)
        self._places.release()

    def _drop(self, connection: httpcore.HTTPConnection) -> None:
        self._open.discard(connection)
        connection.close()


class _Body:
    """The bytes of one reply; closing it frees its connection, once."""

    def __init__(self, stream: Iterable[bytes], done: Callable[[], None]) -> None:
        self._stream = stream
        self._done: Callable[[], None] | None = done

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        """The connection may carry the next request, where the reply was read to its end."""
        done, self._done = self._done, None
        if done is None:
            return
        try:
            cast(httpcore.ConnectionPool, self._stream).close()
        finally:
            done()
