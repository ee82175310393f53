"""How long a bad list keeps `hnbulk check` busy, and how much memory it takes: every list of the corpus.

    python benchmarks/bench_bad_lists.py [NAME ...]

Each list is a file of its own and is checked by a process of its own, which must end with 2. Told are the
slowest and the largest ones, beside those of a good list. The issue's limits: 2 s, 300 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from bad_lists import FileFault, RowFault, files, rows

SECONDS, MEGABYTES, SHOWN = 2.0, 300.0, 8


def lay(folder: Path, name: str, fault: FileFault | RowFault) -> Path:
    """The list as a file."""
    path = folder / f"{name}.{fault.ending}"
    path.write_bytes(fault.content)
    if isinstance(fault, FileFault) and fault.size:
        os.truncate(path, fault.size)
    return path


def check(path: Path, *options: str) -> tuple[int, float, float]:
    """Exit code, seconds and peak memory (MB) of `hnbulk check`."""
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "hnbulk", "check", str(path), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, time.monotonic() - began, used.ru_maxrss / 1024


def main(wanted: list[str]) -> int:
    """Every list is checked; 1 where one of them passes a limit or ends otherwise."""
    found: list[tuple[float, float, str]] = []
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        good = Path(folder) / "good.csv"
        good.write_text("Phone\n4155550100\n")
        check(good)  # the first one reads the libraries from the disk
        code, plain, least = check(good)
        print(f"a good list of one row: {plain:.2f} s, {least:.0f} MB, exit {code}")
        corpus: dict[str, FileFault | RowFault] = {**rows(), **files()}
        for n, (name, fault) in enumerate(corpus.items()):
            if wanted and name not in wanted:
                continue
            options = fault.options if isinstance(fault, FileFault) else ()
            code, seconds, megabytes = check(lay(Path(folder), f"list-{n}", fault), *options)
            found.append((seconds, megabytes, name))
            if code != 2 or seconds > SECONDS or megabytes > MEGABYTES:
                print(f"{name}: exit {code}, {seconds:.2f} s, {megabytes:.0f} MB")
                wrong += 1
    print(f"{len(found)} bad lists, {wrong} past a limit")
    for what, place, unit in (("slowest", 0, "s"), ("largest", 1, "MB")):
        for one in sorted(found, key=lambda one: -float(one[place]))[:SHOWN]:
            print(f"{what}: {one[place]:8.2f} {unit}  {one[2]}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
