"""What has to be closed is closed, however its `with` block ends."""

from __future__ import annotations

import pytest

from hnbulk.closing import Closing


class Door(Closing):
    open = True

    def close(self) -> None:
        self.open = False


def test_the_end_of_the_block_closes() -> None:
    """After the block it is closed."""
    with Door() as door:
        assert door.open
    assert not door.open


def test_an_error_closes_and_passes_through() -> None:
    """An error in the block closes it and is raised all the same."""
    door = Door()
    with pytest.raises(KeyError), door:
        raise KeyError
    assert not door.open
