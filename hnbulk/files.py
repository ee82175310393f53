"""The one way a file is written: whole or not at all, and for its owner's eyes only.

Plans, result files and reports carry people's numbers, so what is written is 0600. An
existing file is replaced atomically: after a crash it is the old one or the new one.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hnbulk.errors import UsageError

_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs"}
_LOCAL = {"fuse.fuse-overlayfs"}  # the layers of a container, on this machine's own disk


def write_private(path: Path, content: bytes | Iterable[bytes]) -> None:
    """`path` holds exactly `content` (or its parts, one after the other), mode 0600, on disk.

    Raises `UsageError` where the folder is missing, the place is not writable or the disk
    is full; `path` is then as it was before.
    """
    try:
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
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


def networked(path: Path, mounts: str) -> str | None:
    """The kind of network file system that `path` lies on, by the text of a `mountinfo`; None where
    it is a local one. Locks and syncs of a network do not hold what a journal promises."""
    kinds: dict[str, str] = {}
    for line in mounts.splitlines():
        place, _, kind = line.partition(" - ")
        if len(fields := place.split()) > 4 and kind:
            point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
            kinds[point] = kind.split()[0]  # a later mount covers an earlier one
    whole = Path(os.path.realpath(path))
    longest = next((kinds[str(at)] for at in (whole, *whole.parents) if str(at) in kinds), "")
    remote = longest in _REMOTE or (longest.startswith("fuse.") and longest not in _LOCAL)
    return longest if remote else None


def refuse_network(path: Path, *, mounts: str | None = None) -> None:
    """`path` lies on a local file system. Raises `UsageError` where it does not; where the system
    does not say, it is believed to."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace") if mounts is None else mounts
    except OSError:
        return
    if (kind := networked(path, mounts)) is not None:
        raise UsageError(
            f"{path} lies on a network file system ({kind}), where two machines may run one journal and a "
            "written row may be lost. Set HNBULK_HOME to a folder on a local disk; or, at your own risk, "
            "HNBULK_UNSAFE_FS=1.",
            path=str(path),
            reason=kind,
        )


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
