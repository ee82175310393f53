"""What goes over the wire, as values: a request, a reply, or the failure to get one.

No API field name and no type of an HTTP library appears here. The client and the sandbox
share these values and nothing else. Their reprs hide bodies and query values: those are
people's data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from urllib.parse import urlencode

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request: a path of the service and text parameters, repeated names allowed.

    `origin` is None for the service the client is connected to; an absolute address that
    came from the service (a next page) keeps its own, and the client refuses a foreign one.
    """

    method: str
    path: str
    query: Pairs = ()
    form: Pairs = ()
    origin: str | None = None

    def target(self) -> str:
        """Path and percent-encoded query, as the request line carries them."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def body(self) -> bytes:
        """The form, `application/x-www-form-urlencoded`; empty where there is none."""
        return urlencode(self.form).encode("ascii")

    def fingerprint(self) -> str:
        """SHA-256 (hex) of method, target and body: two requests with one fingerprint ask the same."""
        text = f"{self.method} {self.target()}\n".encode()
        return hashlib.sha256(text + self.body()).hexdigest()

    def __repr__(self) -> str:
        names = [name for name, _ in (*self.query, *self.form)]
        return f"Request({self.method} {self.path} {names})"


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """One complete reply. Header names are lower case. `elapsed` is in seconds."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    elapsed: float = 0.0

    def header(self, name: str) -> str | None:
        """The value of a header, by its name in any case."""
        return self.headers.get(name.lower())

    @property
    def date(self) -> datetime | None:
        """The server's `Date`, UTC; None where absent or not a date."""
        return read_http_date(self.headers.get("date"))

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


@lru_cache(maxsize=16)  # replies of one second carry the same
def read_http_date(text: str | None) -> datetime | None:
    """A date of an HTTP header, UTC; None where there is none or it is not a date."""
    try:
        parsed = parsedate_to_datetime(text or "")
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class Phase(StrEnum):
    """How far the request had come when it failed."""

    BEFORE_SEND = "before-send"  # not one byte left: the service cannot have acted
    SENT = "sent"  # at least one byte may have left: the service may have acted


class FailureKind(StrEnum):
    """Why there is no reply."""

    CONNECT = "connect"  # refused, unreachable, name not found
    CONNECT_TIMEOUT = "connect-timeout"
    POOL_TIMEOUT = "pool-timeout"  # no free connection in time
    CERTIFICATE = "certificate"  # TLS: the other side is not who it should be
    ORIGIN = "origin"  # refused by us: an address outside the allowed ones
    LOCAL = "local"  # refused by us: not a sendable request
    CANCELED = "canceled"  # stopped before the first byte
    WRITE = "write"
    WRITE_TIMEOUT = "write-timeout"
    READ = "read"  # reset or closed while waiting for or reading the reply
    READ_TIMEOUT = "read-timeout"
    DEADLINE = "deadline"  # the total time ran out
    PROTOCOL = "protocol"  # not HTTP
    ENCODED = "encoded"  # a content encoding nobody asked for
    OVERSIZED = "oversized"  # a body beyond the cap
    INTERRUPTED = "interrupted"  # a person, or the process ending


@dataclass(frozen=True, slots=True)
class Failure:
    """No reply, and how far the request had come. `detail` names no data and no secret."""

    kind: FailureKind
    phase: Phase
    detail: str = ""
