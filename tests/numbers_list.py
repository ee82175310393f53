"""Lists of numbers for tests: fictional ones (555-0100 to 555-0199), as many as are wanted."""

from __future__ import annotations

from itertools import islice

import pandas as pd

from hnbulk.intake import Intake
from hnbulk.phones import Phone, read_phone


def numbers(count: int, *, skip: int = 0) -> list[str]:
    """So many different numbers that can be hosted, always the same ones."""
    found = (
        f"+1{area}55501{line:02}"
        for line in range(100)
        for area in range(201, 990)
        if isinstance(read_phone(f"{area}55501{line:02}"), Phone)
    )
    return list(islice(found, skip, skip + count))


def listed(count: int, *, skip: int = 0) -> Intake:
    """The numbers as a list of branches."""
    found = numbers(count, skip=skip)
    names = [f"Branch {n}" for n in range(len(found))]
    return Intake.from_frame(pd.DataFrame({"Phone": found, "Branch": names}), name="branches")
