"""What the tests share: a sandbox account in this process, and the service as another program."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from outside import Service

import hnbulk as hn

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("hnbulk", deadline=None)
settings.load_profile("hnbulk")

#: Files that take minutes: begun first, so that no worker is left alone with one at the end.
LONGEST = ("test_exactly_once.py",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first; the order within a file and among the others stays."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[hn.Account]:
    """An account of an empty sandbox, its clock stepped by hand."""
    with hn.connect_sandbox(seed=7, home=tmp_path / "home") as account:
        yield account


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A sandbox as another program; it ends when its stdin closes."""
    with subprocess.Popen(
        [sys.executable, "-m", "hnbulk", "sandbox", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Service(json.loads(process.stdout.readline()), tmp_path)
        process.stdin.close()
        assert process.wait(timeout=15) == 0


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a kill loses nothing there, and fsync takes no time."""
    shm = Path("/dev/shm")
    if not shm.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="hnbulk-test-", dir=shm) as folder:
        yield Path(folder)


@pytest.fixture
def sample() -> Path:
    """The sample list in the checkout."""
    return Path(__file__).parent.parent / "data" / "samples" / "branches.csv"
