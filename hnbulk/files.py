"""The one way a file is written: whole or not at all, and for its owner's eyes only.

Plans, result files and reports carry people's numbers, so what is written is 0600. An
existing file is replaced atomically: after a crash it is the old one or the new one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hnbulk.errors import UsageError


def write_private(path: Path, content: bytes) -> None:
    """`path` holds exactly `content`, mode 0600, on disk.

    Raises `UsageError` where the folder is missing, the place is not writable or the disk
    is full; `path` is then as it was before.
    """
    try:
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
        sync_folder(path.parent)
    except BaseException as error:
        Path(scratch).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(path, error) from None
        raise


def private_folder(path: Path) -> Path:
    """`path` is a folder of mode 0700 when this made it; an existing folder stays as it is."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None
    return path


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in `folder` stays so after a power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, error: OSError | ValueError) -> UsageError:
    reason = getattr(error, "strerror", None) or "not a file name"
    if isinstance(error, FileExistsError):
        reason = "there is a file of that name where a folder is needed"
    return UsageError(
        f"cannot write {path}: {reason}. Choose another place or make room, then run it again.",
        path=str(path),
        reason=reason,
    )
