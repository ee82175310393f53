"""The README tells the truth: its commands are the ones CI runs, its example runs, its verbs exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hnbulk.cli import app
from hnbulk.errors import HnbulkError

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_commands_stand_on_one_line_each() -> None:
    """One runs the main job, one passes the tests; each sets itself up."""
    setup = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e "
    assert f"\n{setup}. && .venv/bin/hnbulk demo\n" in README
    assert f"\n{setup}'.[test]' && .venv/bin/pytest\n" in README


def test_the_python_example_runs() -> None:
    """The notebook example runs as printed, from the checkout, and shows what it says it shows."""
    code = README.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "2,000 rows" in done.stdout
    assert "success" in done.stdout
    assert "twilio-processing" in done.stdout


def test_the_example_of_a_list_given_back_runs(tmp_path: Path) -> None:
    """It leaves the workbook that it says, and tells what is in it."""
    code = README.split("## Back to the spreadsheet")[1].split("```python\n")[1].split("```")[0]
    (tmp_path / "data").symlink_to(ROOT / "data")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert "no order yet" in done.stdout
    assert (tmp_path / "branches.annotated.xlsx").exists()


def test_every_command_in_the_readme_is_a_verb() -> None:
    """`hnbulk something` in the README is a verb that is there."""
    verbs = {str(command.callback.__name__) for command in app.registered_commands if command.callback}
    assert set(re.findall(r"^hnbulk (\w+)", README, re.M)) <= verbs


def every_error(kind: type[HnbulkError]) -> set[int]:
    return {kind.exit_code}.union(*(every_error(child) for child in kind.__subclasses__()))


def test_every_exit_code_is_in_the_table() -> None:
    """The table of exit codes has every code an error can end with."""
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.M)}
    assert every_error(HnbulkError) <= listed


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)#:]+)\)", README))
def test_what_the_readme_links_to_is_there(name: str) -> None:
    """Every file it shows or links to exists."""
    assert (ROOT / name).exists()


def test_pins_are_names_and_versions_only() -> None:
    """`constraints.txt` names no address, and pins everything exactly."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", line)] == []
