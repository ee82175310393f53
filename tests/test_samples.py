"""The sample lists are what their script makes, and their README tells the truth about them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from hnbulk.intake import Intake, read_targets

FOLDER = Path(__file__).parent.parent / "data" / "samples"
NAMES = ("branches.csv", "branches-v2.csv")


@pytest.fixture(scope="module")
def lists() -> tuple[Intake, Intake]:
    """Both lists, read."""
    first, second = (read_targets(FOLDER / name) for name in NAMES)
    return first, second


def changed(lists: tuple[Intake, Intake]) -> pd.DataFrame:
    """Which fields differ between the lists, number by number."""
    before, after = (
        pd.DataFrame(
            {name: each.targets[name].astype("string") for name in each.targets if name != "cc_emails"}
        )
        .set_index("phone_number")
        .fillna("")
        for each in lists
    )
    return before != after


def test_the_script_makes_exactly_these_files(tmp_path: Path) -> None:
    """The same bytes, from another process."""
    subprocess.run([sys.executable, FOLDER / "make_branches.py", tmp_path], check=True)
    assert [(tmp_path / name).read_bytes() for name in NAMES] == [
        (FOLDER / name).read_bytes() for name in NAMES
    ]


@pytest.mark.parametrize("place", [0, 1])
def test_the_readme_has_every_kind_of_problem_with_its_count(
    lists: tuple[Intake, Intake], place: int
) -> None:
    """What is documented is what intake finds, in either list."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = {code: int(n) for code, n in re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", text, re.MULTILINE)}
    assert lists[place].counts["by_code"] == table
    good, aside, bad = (
        int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?:rows are good|are set|with an)", text)
    )
    counts = lists[place].counts
    assert (counts["good"], counts["rows"] - counts["good"], counts["bad"]) == (good, aside, bad)


def test_every_number_is_a_fictional_one(lists: tuple[Intake, Intake]) -> None:
    """555-0100 to 555-0199, and no area code with a fate of its own."""
    numbers = lists[0].targets["phone_number"]
    assert numbers.str.fullmatch(r"\+1[2-9][0-9]{2}55501[0-9]{2}").all()
    assert not numbers.str.startswith("+1907").any()
    toll_free = numbers.str.slice(2, 5).isin(["800", "833", "844", "855", "866", "877", "888"])
    assert 0.06 < toll_free.mean() < 0.10


def test_the_list_has_two_thousand_rows_and_sixty_signers(lists: tuple[Intake, Intake]) -> None:
    """One letter of authorization an owner."""
    assert [len(each.rows) for each in lists] == [2_000, 2_000]
    assert lists[0].targets.groupby(["address_sid", "email"]).ngroups == 60


def test_the_second_list_has_forty_edits(lists: tuple[Intake, Intake]) -> None:
    """One field a row, the same numbers, and every kind among the first fifty rows."""
    edits = changed(lists)
    assert edits.sum(axis=1).value_counts().to_dict() == {0: 1_820, 1: 40}
    assert edits.sum()[lambda count: count > 0].to_dict() == {
        "friendly_name": 18,
        "email": 8,
        "extension": 14,
    }
    early = edits[(lists[0].targets["row"] <= 51).to_numpy()]
    assert early.sum()[lambda count: count > 0].to_dict() == {
        "friendly_name": 1,
        "email": 1,
        "extension": 1,
    }


def test_three_of_the_first_fifty_rows_are_bad(lists: tuple[Intake, Intake]) -> None:
    """A short demonstration meets a fault of each usual kind."""
    early = Counter(code for row, code in lists[0].set_aside.items() if row <= 51)
    assert early == {"phone-number-format": 1, "phone-missing": 1, "email-format": 1}
