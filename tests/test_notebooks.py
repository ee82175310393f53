"""The stored notebooks: run by nbval in this same test run, and clean of what should not be kept."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RULES = ROOT / "notebooks" / "sanitize.cfg"

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def outputs(path: Path) -> list[Any]:
    """All stored outputs of a notebook."""
    return [
        output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", ())
    ]


def test_every_notebook_is_compared_with_what_it_stores(path: Path, pytestconfig: pytest.Config) -> None:
    """Plain `pytest` runs nbval over the folder, strictly, and no cell is left out."""
    assert pytestconfig.getoption("nbval")
    assert not pytestconfig.getoption("nbval_lax")
    assert path.parent.name in pytestconfig.getini("testpaths")
    assert not re.search("nbval[-_](ignore|skip)", path.read_text(encoding="utf-8"), re.IGNORECASE)


def test_a_notebook_is_stored_whole_and_in_order(path: Path) -> None:
    """Every code cell was run, from a fresh kernel, from top to bottom, without an error."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "error" not in {output.output_type for output in outputs(path)}


def test_a_notebook_keeps_no_widget_state_and_no_times(path: Path) -> None:
    """Neither widget state, nor models of a dead kernel, nor times of execution are stored."""
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert not [cell for cell in notebook.cells if cell.metadata]
    assert "application/vnd.jupyter.widget" not in path.read_text(encoding="utf-8")


def test_a_notebook_keeps_nobodys_data_and_nothing_of_a_machine(path: Path) -> None:
    """No whole phone number or e-mail address, port, home folder or temporary folder is stored."""
    text = json.dumps(outputs(path))
    assert re.findall(r"\+1[0-9]{10}\b", text) == []
    assert re.findall(r"[\w.+-]{2,}@[\w-]+\.\w+", text) == []
    assert re.findall(r"127\.0\.0\.1:[0-9]+", text) == []
    assert re.findall(r"(?:/home|/root|/tmp|/work|/Users)/", text) == []


def test_a_wrong_output_is_found(path: Path, tmp_path: Path) -> None:
    """The comparison is not empty talk: a notebook with one changed output fails."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("print('true')", outputs=[_printed("false\n")], execution_count=1)]
    )
    nbformat.write(notebook, tmp_path / path.name)
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--nbval", "--nbval-current-env"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--nbval-sanitize-with", str(RULES), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert "1 failed" in done.stdout


def _printed(text: str) -> Any:
    return nbformat.v4.new_output("stream", name="stdout", text=text)
