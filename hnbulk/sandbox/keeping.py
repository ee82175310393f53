"""The state of a sandbox in a file: written whole or not at all, for its owner's eyes only.

The file holds people's numbers, so it is 0600; after a crash it is the old one or the new one.
What a state is, is said elsewhere: this only carries documents to the disk and back.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hnbulk.sandbox.records import encode


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
