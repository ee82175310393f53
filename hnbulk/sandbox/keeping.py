"""The state of a sandbox in a file: written whole or not at all, for its owner's eyes only.

The file holds people's numbers, so it is 0600; after a crash it is the old one or the new one.
What a state is, is said elsewhere: this only carries documents to the disk and back.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hnbulk.sandbox.records import encode


class Claim:
    """The right to go on from a file, of one process at a time; it ends with the process.

    Raises `BlockingIOError` where another has it, and `OSError` where nothing can be written. It is
    held on a hidden file beside, since the file itself is replaced with every save.
    """

    def __init__(self, path: Path) -> None:
        target = path.resolve()
        lock = target.with_name(f".{target.name}.lock")
        self._handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            raise

    def close(self) -> None:
        """The file is free."""
        os.close(self._handle)


def write_document(path: Path, document: dict[str, Any]) -> None:
    """`path` holds exactly this document, mode 0600, on disk. Raises `OSError`; it is then as before."""
    target = path.resolve()  # a link stays one
    handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(encode(document) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(target)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_document(path: Path) -> dict[str, Any]:
    """The document in the file. Raises `OSError`, and `ValueError` where it is no JSON object."""
    try:
        document = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("the file is not a JSON document") from None
    if not isinstance(document, dict):
        raise ValueError("the file is not a state")
    return document


def _no_constant(name: str) -> float:
    raise ValueError(name)
