"""What the tests of the widgets share: filled sandbox accounts, and a real kernel to run cells in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import hnbulk as hn

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., list[str]]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[hn.Account]:
    """An account of a sandbox with 200 orders in mixed statuses; nobody minds its calls."""
    limits = hn.CallLimits(max_calls=12, at_once=12, toll_free_zone="America/New_York")
    with hn.connect_sandbox(seed=7, orders=200, home=tmp_path / "home", limits=limits) as account:
        yield account


@pytest.fixture
def run_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run these cells in a kernel of its own; returned is what each printed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*sources: str) -> list[str]:
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        notebook = nbformat.v4.new_notebook(cells=cells)
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(
            notebook, timeout=120, kernel_name="python3", store_widget_state=False, resources=resources
        ).execute()
        return [_text(cell.outputs) for cell in notebook.cells]

    return run


def _text(outputs: list[Any]) -> str:
    shown = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in outputs]
    return "".join(shown).strip()
