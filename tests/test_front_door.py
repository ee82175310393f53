"""The front door: the names people import, and what importing costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hnbulk


@pytest.mark.parametrize("name", hnbulk.__all__)
def test_every_front_door_name_opens(name: str) -> None:
    """Each name in `__all__` is there."""
    assert getattr(hnbulk, name) is not None


def test_no_front_door_name_hides_a_module() -> None:
    """Only the `widgets` folder stands at the front door under its own name."""
    modules = {path.stem for path in Path(hnbulk.__file__).parent.glob("*.py")}
    assert modules & set(hnbulk.__all__) == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelled name says so."""
    with pytest.raises(AttributeError, match="conect"):
        _ = hnbulk.conect  # type: ignore[attr-defined]


def test_importing_the_package_loads_no_library() -> None:
    """`import hnbulk` loads neither pandas nor httpx nor pydantic."""
    code = (
        "import sys, hnbulk; print(sorted({'pandas', 'httpx', 'pydantic', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
