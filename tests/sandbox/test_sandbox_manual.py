"""The sandbox's manual tells the truth: fates, settings, faults and administration, row by row."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from hnbulk.sandbox import FIXED_NUMBERS, WorldSettings, build_sandbox
from hnbulk.sandbox.faults import ACTIONS, Fault
from hnbulk.sandbox.refusals import ERRORS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first column is headed so, without code marks."""
    rows = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.M)
    assert rows is not None
    return [
        [cell.strip().replace("`", "") for cell in row.split("|")[1:-1]] for row in rows[1].splitlines()
    ]


def defaults(kind: Any) -> dict[str, str]:
    """Each field of a dataclass and its default as Python writes it; empty where it has none."""
    return {one.name: "" if one.default is MISSING else repr(one.default) for one in fields(kind)}


def test_the_fixed_fates_are_those_of_the_sandbox() -> None:
    """Every test number with its fate, in order, and what becomes of it."""
    rows = table("number")
    assert {number: fate for number, fate, _ in rows} == FIXED_NUMBERS
    assert all(text for _, _, text in rows)


def test_the_settings_are_those_of_the_sandbox() -> None:
    """Every field with its default, in order; where it is from; and a reason."""
    rows = table("setting")
    assert {name: default for name, default, _, _ in rows} == defaults(WorldSettings)
    assert [name for name, *_ in rows] == [one.name for one in fields(WorldSettings)]
    assert {origin for _, _, origin, _ in rows} == {"documented", "disputed", "ours"}
    assert all(text for *_, text in rows)


def test_the_fixed_choices_are_none_of_the_settings() -> None:
    """Each is said once and is no setting, and a status stands with its own error code."""
    rows = table("choice")
    names = [name for name, _ in rows]
    assert len(set(names)) == len(names)
    assert not set(names) & {one.name for one in fields(WorldSettings)}
    pairs = [pair for _, text in rows for pair in re.findall(r"(\d{3}), (\d{5})", text)]
    assert pairs
    assert all(ERRORS[int(code)][0] == int(status) for status, code in pairs)


def test_the_faults_are_those_of_the_sandbox() -> None:
    """Every action, and every field of a rule with its default."""
    assert [action for action, _ in table("action")] == list(ACTIONS)
    assert {name: default for name, default, _ in table("field")} == defaults(Fault)


def test_the_requests_of_administration_are_those_it_answers() -> None:
    """Every method and path, and no other."""
    admin = build_sandbox().admin
    assert isinstance(admin, Starlette)
    served = {
        f"{method} {route.path}"
        for route in admin.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert {request for request, _ in table("request")} == served


def test_the_example_of_the_manual_runs() -> None:
    """As printed."""
    code = PAGE.split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("20 orders, 0 requests\n")
