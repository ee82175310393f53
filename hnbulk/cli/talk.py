"""How a verb speaks: stdout is data, stderr is talk, one line for an error, one exit code.

Where nobody reads a stream any more (a closed pipe or terminal), what is said there goes nowhere and
the verb ends as it would have. Every verb hands its data here once, as text or as a JSON document;
nothing here knows what a verb does.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hnbulk.errors import HnbulkError
from hnbulk.streams import put

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Talk:
    """The two streams of one verb. With `as_json`, stdout carries JSON and nothing else."""

    as_json: bool

    @property
    def progress(self) -> bool:
        """Draw progress bars: somebody is watching stderr."""
        return sys.stderr is not None and sys.stderr.isatty()

    def say(self, text: str = "") -> None:
        """A line of talk, on stderr."""
        with suppress(OSError, ValueError):  # talk that is lost is no reason for anything
            put(sys.stderr, text)

    def tell(self, text: str = "") -> None:
        """A line of a longer text on stdout; with `--json` it is talk."""
        if self.as_json:
            self.say(text)
        else:
            put(sys.stdout, text)

    def show(self, text: str, document: Any) -> None:
        """The verb's data on stdout: the document with `--json`, else the text."""
        put(sys.stdout, dump(document) if self.as_json else text)

    def rows(self, text: str, records: Iterable[dict[str, Any]]) -> None:
        """The verb's rows on stdout: JSON Lines with `--json`, else the text."""
        if not self.as_json:
            put(sys.stdout, text)
        elif lines := [dump(record) for record in records]:
            put(sys.stdout, "\n".join(lines))


def dump(document: Any) -> str:
    """One line of JSON; dates as ISO 8601. A sign that stdout has no code for is escaped as JSON does."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return json.dumps(document, ensure_ascii=not encoding.lower().startswith("utf"), default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def fail(error: BaseException, *, as_json: bool) -> int:
    """The error is told in one line (or one document), and its exit code returned.

    An error of ours speaks for itself, and a full disk by its name. Any other is told by its type and
    place only: its text could carry people's data.
    """
    known = error if isinstance(error, HnbulkError) else HnbulkError(_unexpected(error))
    if os.environ.get("HNBULK_DEBUG") and known is not error:
        raise error
    talk = Talk(as_json)
    if as_json:
        with suppress(OSError, ValueError):
            put(sys.stdout, dump(known.as_json()))
    talk.say(f"hnbulk: {known.message}")
    return known.exit_code


def _unexpected(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return (
            f"cannot write: {error.strerror}. Make room, or send the output elsewhere, and say it again. "
            "Nothing of a run is lost: see `hnbulk runs`."
        )
    trace, place = error.__traceback__, "?"
    while trace is not None:
        code = trace.tb_frame.f_code
        if f"{os.sep}hnbulk{os.sep}" in code.co_filename:
            place = f"{code.co_filename.rpartition(os.sep)[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return (
        f"unexpected {type(error).__name__} at {place}. Nothing of a run is lost: see `hnbulk runs`. "
        "Set HNBULK_DEBUG=1 for the whole trace (it may show people's data)."
    )
