"""A cell by two numbers and by its name."""

from __future__ import annotations

import pytest

from hnbulk.addresses import Place, column_of


@pytest.mark.parametrize(
    ("name", "place"),
    [("A1", (1, 1)), ("Z9", (9, 26)), ("AA10", (10, 27)), ("XFD1048576", (1048576, 16384))],
)
def test_a_name_and_its_place_are_one(name: str, place: tuple[int, int]) -> None:
    """There and back, with the marks of a fixed place or without."""
    assert Place(*place).name == name
    assert Place.named(name) == Place.named(f"${name}") == place
    assert column_of(name) == column_of(name.lower()) == place[1]


@pytest.mark.parametrize("name", ["", "A", "1", "A1:B2", "ABCD1", "R1C1x"])
def test_what_names_no_cell_has_no_place(name: str) -> None:
    """Nothing is guessed."""
    assert Place.named(name) is None
