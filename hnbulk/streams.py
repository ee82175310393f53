"""Output whose reader has gone: a closed pipe, a closed terminal. Nothing else ends because of it."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO, TypeVar

T = TypeVar("T")
_GONE = {errno.EPIPE, errno.EIO, errno.ENXIO, errno.EBADF}


def nobody_reads(error: Exception) -> bool:
    """The error says that what was written to is closed, not that something went wrong."""
    if isinstance(error, OSError):
        return isinstance(error, BrokenPipeError) or error.errno in _GONE
    return isinstance(error, ValueError) and "closed file" in str(error)


def while_read(tell: Callable[[T], object] | None) -> Callable[[T], None]:
    """Calls `tell` until it finds that nobody reads what it writes, and then no more."""
    told = tell

    def call(what: T) -> None:
        nonlocal told
        try:
            if told is not None:
                told(what)
        except (OSError, ValueError) as error:
            if not nobody_reads(error):
                raise
            told = None

    return call


def put(stream: TextIO | None, text: str) -> None:
    """The line is on the stream; where nobody reads there, it and all later ones go nowhere.

    Raises `OSError` where it cannot be written for another reason, such as a full disk.
    """
    if stream is None:  # closed before this program began
        return
    try:
        print(text, file=stream, flush=True)
    except (OSError, ValueError) as error:
        if not nobody_reads(error):
            raise
        let_go(stream)


def escape_strangers(stream: TextIO | None) -> None:
    """A sign that the stream's encoding does not have is written as Python escapes it, and is no error."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def let_go(stream: TextIO) -> None:
    """What is still to be written to the stream goes nowhere, and raises nothing."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


def flush(stream: TextIO | None) -> None:
    """Nothing is held back any more: Python's own end could not tell a closed pipe from an error."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        let_go(stream)
