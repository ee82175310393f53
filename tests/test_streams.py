"""A closed pipe or terminal is no error; a full disk is."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from hnbulk.streams import flush, let_go, nobody_reads, put

FULL = Path("/dev/full")


@pytest.fixture
def unread() -> Iterator[TextIO]:
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield stream


def test_a_line_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    """With its end, at once."""
    stream = io.StringIO()
    put(stream, "one")
    assert stream.getvalue() == "one\n"
    put(None, "a stream that was closed before the program began has no lines, and they go nowhere else")
    assert capsys.readouterr().out == ""


def test_what_nobody_reads_goes_nowhere(unread: TextIO) -> None:
    """All later lines too, and closing the stream raises nothing."""
    for _ in range(3):
        put(unread, "one")
    print("two", file=unread, flush=True)


def test_what_was_held_back_for_nobody_goes_nowhere(unread: TextIO) -> None:
    """Python's own flush at the end finds nothing that fails."""
    unread.write("one")
    flush(unread)
    flush(None)
    unread.flush()


def test_a_closed_stream_is_left_alone() -> None:
    """It has no place to be turned to."""
    stream = io.StringIO()
    stream.close()
    put(stream, "one")
    flush(stream)
    let_go(stream)


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_is_told() -> None:
    """What was asked for is not there then."""
    with FULL.open("w", encoding="utf-8") as stream:
        with pytest.raises(OSError, match="space"):
            put(stream, "one")
        let_go(stream)


@pytest.mark.parametrize(
    ("error", "closed"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), True),
        (BrokenPipeError(), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (ValueError("I/O operation on closed file."), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (TimeoutError("late"), False),
        (ValueError("closed"), False),
    ],
)
def test_only_what_says_that_nobody_reads_counts(error: Exception, closed: bool) -> None:
    """Any other error is somebody's to hear."""
    assert nobody_reads(error) is closed
