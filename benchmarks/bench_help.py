"""How long `hnbulk --help` takes, as a ratio to a bare interpreter that imports typer.

Run: python benchmarks/bench_help.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 9


def median_seconds(*arguments: str) -> float:
    """The median of several runs of this interpreter with these arguments."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Print both medians and their ratio."""
    ours = median_seconds("-m", "hnbulk", "--help")
    bare = median_seconds("-c", "import typer")
    print(f"hnbulk --help {ours:.3f} s; a bare `import typer` {bare:.3f} s; ratio {ours / bare:.2f}")


if __name__ == "__main__":
    main()
