"""`hnbulk sandbox` tells how the official libraries are pointed at it, and what it tells works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hnbulk.reach import NODE, PYTHON

EXAMPLE = "HR" + "a" * 32


@dataclass
class Printed:
    """What `hnbulk sandbox --example-order` printed, and how it ended."""

    variables: dict[str, str]
    out: list[str]
    err: str
    python: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module", name="printed")
def _printed() -> Iterator[Printed]:
    """The sandbox as another program, with the printed Python run against it as another one."""
    with subprocess.Popen(
        [sys.executable, "-m", "hnbulk", "sandbox", "--example-order"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        variables = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        python = run_python(variables)
        out, err = process.communicate(timeout=15)
        assert process.returncode == 0
        yield Printed(variables, [*lines, *out.splitlines()], err, python)


def run_python(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The snippet run as a program of its own, with these variables set and no proxy in the way."""
    return subprocess.run(
        [sys.executable, "-c", PYTHON],
        env=variables,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_stdout_is_five_lines_to_set(printed: Printed) -> None:
    """Nothing else is on stdout, so that it can be copied whole."""
    assert len(printed.out) == 5
    service = {"HNBULK_BASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"}
    assert set(printed.variables) == service | {"HNBULK_ADMIN_URL", "HNBULK_ADMIN_TOKEN"}
    assert printed.variables["TWILIO_ACCOUNT_SID"] == "AC" + "a" * 32


def test_both_snippets_are_printed_as_talk(printed: Printed) -> None:
    """On stderr, whole, so that they can be copied too."""
    assert PYTHON in printed.err
    assert NODE in printed.err


def test_the_printed_python_lists_the_pages_order(printed: Printed) -> None:
    """Run as it stands, with nothing but those variables."""
    assert (printed.python.returncode, printed.python.stdout) == (0, f"['{EXAMPLE}']\n")


def test_without_an_address_the_printed_python_sends_nothing(printed: Printed) -> None:
    """It never falls back to the service itself."""
    done = run_python({**printed.variables, "HNBULK_BASE_URL": ""})
    assert (done.returncode, done.stdout) == (1, "")
    assert "Invalid URL" in done.stderr
    unset = {name: value for name, value in printed.variables.items() if name != "HNBULK_BASE_URL"}
    assert "KeyError: 'HNBULK_BASE_URL'" in run_python(unset).stderr
