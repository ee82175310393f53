"""Seconds and peak memory of the whole demo, and the share of the demo's own pace it reached.

The pace bound is what its POST requests need at its rate: no run of it can be faster.
Run: python benchmarks/bench_demo.py [ROWS]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile

from hnbulk.demo import PACE


def main() -> None:
    """Print seconds, peak memory and the bound."""
    rows = sys.argv[1] if len(sys.argv) > 1 else "2000"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "hnbulk", "demo", "--numbers", rows, "--out", folder, "--json"],
            check=True,
            capture_output=True,
            text=True,
        )
    document = json.loads(done.stdout)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    posts = document["results"]["success"] + sum(wave["calls"] for wave in document["calls"])
    bound = posts / (PACE.rate or 1)
    taken = document["seconds"]["all"]
    print(f"{rows} rows: {taken:.1f} s, peak {peak:.0f} MiB")
    print(f"its {posts:,} creates and calls need {bound:.1f} s at {PACE.rate:.0f}/s;")
    print(f"the whole demo took {taken / bound:.1f} times that")
    print(json.dumps(document["seconds"]))


if __name__ == "__main__":
    main()
