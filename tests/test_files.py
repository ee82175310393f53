"""A file is written whole or not at all, for its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hnbulk.errors import UsageError
from hnbulk.files import networked, private_folder, refuse_network, write_private


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_holds_what_was_written_and_is_private(tmp_path: Path) -> None:
    """Bytes as they are, 0600, and nothing else left in the folder."""
    path = tmp_path / "plan.hn"
    write_private(path, b"\x00\xffx")
    assert (path.read_bytes(), mode(path)) == (b"\x00\xffx", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_an_open_mask_does_not_open_the_file(tmp_path: Path) -> None:
    """0600 whatever the mask of the process."""
    before = os.umask(0)
    try:
        write_private(tmp_path / "x", b"")
        private_folder(tmp_path / "home")
    finally:
        os.umask(before)
    assert (mode(tmp_path / "x"), mode(tmp_path / "home")) == (0o600, 0o700)


def test_an_old_file_is_replaced_whole(tmp_path: Path) -> None:
    """Its looser mode goes with it; a link is replaced, not followed."""
    path, other = tmp_path / "x", tmp_path / "other"
    other.write_bytes(b"other's")
    path.symlink_to(other)
    write_private(path, b"new")
    assert (path.read_bytes(), other.read_bytes(), path.is_symlink()) == (b"new", b"other's", False)
    other.chmod(0o644)
    write_private(other, b"")
    assert mode(other) == 0o600


@pytest.mark.parametrize("name", ["missing/x", "taken", "x" * 300, "a\0b", "file/x"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    """One line with the remedy; the folder is as it was."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match=r"cannot write .* Choose another place") as caught:
        write_private(tmp_path / name, b"x")
    assert caught.value.facts["path"] == str(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


def test_a_folder_is_made_and_found_again(tmp_path: Path) -> None:
    """An existing one stays as it is."""
    home = tmp_path / "a" / "home"
    assert private_folder(home) == home
    assert mode(home) == 0o700
    home.chmod(0o755)
    assert mode(private_folder(home)) == 0o755


@pytest.mark.parametrize("name", ["file", "file/home", "a\0b"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, name: str) -> None:
    """A file stands there."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot write"):
        private_folder(tmp_path / name)


MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:50 / /home rw - nfs4 server:/home rw,vers=4.2
24 23 8:2 / /home/local\040disk rw master:1 - xfs /dev/sdb1 rw
25 22 0:51 / /media/cloud rw - fuse.sshfs me@there: rw
26 22 0:52 / /layers rw - fuse.fuse-overlayfs fuse-overlayfs rw
27 22 0:53 / /mnt/c rw - 9p drvfs rw
28 22 0:54 / /srv rw - ext4 /dev/sdc1 rw
29 28 0:55 / /srv rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/x", None),
        ("/homework", None),
        ("/home/me/.hnbulk", "nfs4"),
        ("/home/local disk/.hnbulk", None),
        ("/media/cloud", "fuse.sshfs"),
        ("/layers/home", None),
        ("/mnt/c/Users", "9p"),
        ("/srv/x", "cifs"),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(path: str, kind: str | None) -> None:
    """The nearest mount point above the path counts, the last one where two lie on each other."""
    assert networked(Path(path), MOUNTS) == kind


def test_a_home_on_the_network_is_refused_with_both_ways_out() -> None:
    """Another folder, or a word that the risk is known."""
    with pytest.raises(UsageError, match=r"nfs4.*HNBULK_HOME.*HNBULK_UNSAFE_FS=1"):
        refuse_network(Path("/home/me/.hnbulk"), mounts=MOUNTS)
    refuse_network(Path("/var/x"), mounts=MOUNTS)
