"""Free text is told without people's numbers and addresses."""

from __future__ import annotations

import pytest

from hnbulk.masking import mask_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+14155552671", "+1415***2671"),
        ("call 415-555-2671 now", "call +1415***2671 now"),
        ("(415) 555 2671.", "+1415***2671."),
        ("14155552671,4155552672", "+1415***2671,+1415***2672"),
        ("+442071838750", "+4***50"),
        ("a.b+c@mail.example.com!", "a***@m***!"),
        ("2,000 rows on 2026-01-05", "2,000 rows on 2026-01-05"),
        ("HR00000000000000004155552671000000", "HR00000000000000004155552671000000"),
    ],
)
def test_numbers_and_addresses_in_text_are_masked(text: str, shown: str) -> None:
    """However they are written; counts, dates and sids stay."""
    assert mask_text(text) == shown
