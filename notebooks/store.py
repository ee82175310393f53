"""Runs the notebooks again and stores them with outputs, ready to be checked: `python notebooks/store.py`.

Stored are the outputs after `sanitize.cfg`, so that nothing that differs from run to run and no
person's data is kept; no widget state, no times of execution, nothing of this machine.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
LIVE_VIEW = "application/vnd.jupyter.widget-view+json"  # useless without the kernel it was shown by
PICTURE = "image/svg+xml"  # stored as drawn, where the rules would leave a word


def patterns() -> list[tuple[str, str]]:
    """The rules of `sanitize.cfg`, in their order, read as nbval reads them."""
    text = (HERE / "sanitize.cfg").read_text(encoding="utf-8")
    return re.findall(r"^regex: (.*)$\n^replace: (.*)$", text, flags=re.MULTILINE)


def sanitize(value: Any) -> Any:
    """`value` with every text in it as the rules leave it."""
    if isinstance(value, dict):
        return {name: sanitize(part) for name, part in value.items()}
    if isinstance(value, list):
        return [sanitize(part) for part in value]
    if isinstance(value, str):
        for regex, replace in patterns():
            value = re.sub(regex, replace, value)
    return value


def store(path: Path) -> None:
    """The notebook in `path` has been run from a fresh kernel and holds clean outputs."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {name: cell.metadata[name] for name in ("tags",) if name in cell.metadata}
        for output in cell.get("outputs", ()):
            output.metadata = {}
            output.get("data", {}).pop(LIVE_VIEW, None)
            picture = output.get("data", {}).get(PICTURE)
            for part in ("data", "text"):
                if part in output:
                    output[part] = sanitize(output[part])
            if picture:
                output.data[PICTURE] = picture
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for notebook_path in map(Path, sys.argv[1:] or sorted(map(str, HERE.glob("*.ipynb")))):
        store(notebook_path)
        print(f"stored {notebook_path}")
