"""How fast a plan finds what differs, against what one would do with a table library, in one run.

    pip install polars datacompy        # peers; each is left out where it is not there
    python benchmarks/bench_plan.py [ROWS ...]

ROWS (10,000, 100,000 and 1,000,000) targets are held against as many orders: the number and nine fields
beside it, two in a hundred differing. The orders stand as a service lists those of many bulk runs,
batches of 1,000 in any order and the newest of each first; and once more in no order at all, which is
the worst for whatever gathers what belongs together. Measured are the join and the comparison,
which is what the peers do, and the whole plan with a verdict for every row and its steps. Each is taken
in turn, five times; the median counts. Memory, in runs of their own, is told twice: `asked` is what
Python, numpy, pandas and Arrow hold at most at one time above the inputs, by their allocators' own
counts (those of polars cannot be read); `pages` is what the process has more than with the inputs,
in which is what the allocators keep of what was given back.

The issue's limits at 1,000,000: 4 x pandas, 6 x datacompy, 1.5 x the time of polars, 100 MB.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from hnbulk.differences import FIXED, UPDATABLE, any_of, differing
from hnbulk.frames import empty_orders, targets_of
from hnbulk.live import LiveOrders
from hnbulk.plan import build_plan
from hnbulk.planfile import PlanHeader
from hnbulk.table import Table

FIELDS = (*UPDATABLE, *FIXED)
ROUNDS, BATCH = 5, 1_000
NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
ACCOUNT = "AC" + "a" * 32


def _filled(text: str, numbers: Any) -> pa.Array:
    import pyarrow.compute as pc

    before, after = text.split("#")
    return pc.binary_join_element_wise(before, pa.array(numbers).cast(pa.string()), after, "")


def batches(rows: int) -> npt.NDArray[np.int64]:
    """Batches in any order, each from its end to its beginning."""
    starts = np.random.default_rng(7).permutation(np.arange(0, rows, BATCH))
    return np.concatenate([np.arange(min(start + BATCH, rows) - 1, start - 1, -1) for start in starts])


def no_order(rows: int) -> npt.NDArray[np.int64]:
    """Shuffled one by one."""
    return np.random.default_rng(7).permutation(rows)


def make(rows: int, shuffled: npt.NDArray[np.int64]) -> tuple[pd.DataFrame, pd.DataFrame, Table]:
    """Targets, orders in that order, and the rows of the list that the targets came from."""
    n = np.arange(rows)
    phones = _filled("+1#", 2_015_550_000 + n)
    fields: dict[str, Any] = {
        "phone_number": phones,
        "friendly_name": _filled("Branch #", n),
        "email": _filled("manager#@example.com", n),
        "cc_emails": pa.ListArray.from_arrays(
            np.arange(rows + 1, dtype=np.int32), _filled("cc#@example.com", n)
        ),
        "verification_type": pa.repeat("phone-call", rows),
        "verification_document_sid": _filled("RI" + "0" * 24 + "#", 10_000_000 + n),
        "extension": _filled("#", 1_000 + n % 9_000),
        "call_delay": pa.array(n % 30),
        "address_sid": _filled("AD" + "0" * 28 + "#", 1_000 + n % 60),
        "account_sid": pa.repeat(ACCOUNT, rows),
    }
    targets = targets_of(n + 2, fields)
    orders = empty_orders().reindex(range(rows))
    for name in fields:
        orders[name] = targets[name].take(shuffled).array
    orders["sid"] = pd.array(
        _filled("HR" + "0" * 24 + "#", 10_000_000 + shuffled), dtype=orders["sid"].dtype
    )
    orders["status"] = pd.Categorical(["twilio-processing"] * rows, dtype=orders["status"].dtype)
    other = np.arange(0, rows, 50)
    names = orders["friendly_name"].to_numpy(dtype=object).copy()
    names[other] = "Another"
    orders["friendly_name"] = pd.array(names, dtype=orders["friendly_name"].dtype)
    cells = tuple(pa.chunked_array([fields[name]]) for name in ("phone_number", "friendly_name", "email"))
    return targets, orders, Table(("Phone", "Branch", "Email"), n + 2, cells)


def join_and_compare(targets: pd.DataFrame, orders: pd.DataFrame) -> int:
    """What a plan does to find the rows that differ."""
    live = LiveOrders.of(orders)
    at = live.find(targets["phone_number"])
    return int(any_of(differing(targets, live.orders, FIELDS, at), len(targets)).sum())


def whole_plan(targets: pd.DataFrame, orders: pd.DataFrame, table: Table) -> int:
    """Every row has its verdict, every difference its step."""
    plan = build_plan(
        targets,
        orders,
        header=PlanHeader(
            dialect="preview",
            base_url="http://127.0.0.1",
            account_sid=ACCOUNT,
            input_hash="0" * 64,
            input_name="list.csv",
            columns=table.columns,
            made_at=NOW.isoformat(),
            read_at=NOW.isoformat(),
        ),
        rows=table.records,
        set_aside={},
    )
    assert len(plan.rows) == len(targets)
    return plan.counts["update"]


def by_pandas(targets: pd.DataFrame, orders: pd.DataFrame) -> int:
    """`merge`, then `compare`."""
    both = targets.merge(orders, on="phone_number", how="left", suffixes=("", "_now"))
    wanted = both[list(FIELDS)]
    actual = both[[f"{name}_now" for name in FIELDS]].set_axis(list(FIELDS), axis="columns")
    return len(wanted.compare(actual))


def by_datacompy(targets: pd.DataFrame, orders: pd.DataFrame) -> int:
    """The comparison of two frames that datacompy is made for."""
    import datacompy

    compare = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
    return len(compare(targets, orders, join_columns="phone_number").all_mismatch())


def by_polars(targets: Any, orders: Any) -> int:
    """A bare join of the same columns, and one expression over them."""
    import polars as pl

    both = targets.join(orders, on="phone_number", how="left", suffix="_now")
    differs = pl.any_horizontal([pl.col(name) != pl.col(f"{name}_now") for name in FIELDS])
    return both.filter(differs).height


def seconds(work: Callable[[], int], expected: int) -> float:
    """Of one go; its answer is proved."""
    gc.collect()
    began = time.perf_counter()
    found = work()
    took = time.perf_counter() - began
    assert found == expected, (found, expected)
    return took


class Peak:
    """The most memory that the process has held in between, in MB above where it began."""

    def __enter__(self) -> Peak:
        gc.collect()
        pa.default_memory_pool().release_unused()
        ctypes.CDLL(None).malloc_trim(0)  # what was freed before is given back, or it would not count
        self._began = self.most = self._held()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    @property
    def added(self) -> float:
        return (self.most - self._began) / 2**20

    def _look(self) -> None:
        while not self._over.wait(0.002):
            self.most = max(self.most, self._held())

    def _held(self) -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Asked(Peak):
    """The most that Python's allocators and Arrow's have given out in between."""

    def __enter__(self) -> Asked:
        tracemalloc.start()
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        tracemalloc.stop()

    def _held(self) -> int:
        return tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes()


def measure(rows: int, order: Callable[[int], npt.NDArray[np.int64]]) -> None:
    """One line a way."""
    print(f"{rows:,} rows, orders in {order.__name__.replace('_', ' ')}")
    targets, orders, table = make(rows, order(rows))
    expected = len(range(0, rows, 50))
    plain = [frame[["phone_number", *FIELDS]].copy() for frame in (targets, orders)]
    for frame in plain:  # no peer compares lists
        frame["cc_emails"] = frame["cc_emails"].list[0].astype(frame["email"].dtype)
    ways: dict[str, Callable[[], int]] = {
        "join and compare": lambda: join_and_compare(targets, orders),
        "whole plan": lambda: whole_plan(targets, orders, table),
        "pandas merge": lambda: by_pandas(*plain),
    }
    try:
        import datacompy  # noqa: F401

        ways["datacompy"] = lambda: by_datacompy(*plain)
    except ImportError:
        print("datacompy is not there")
    try:
        import polars as pl

        lent = [pl.from_arrow(pa.Table.from_pandas(frame, preserve_index=False)) for frame in plain]
        ways["polars join"] = lambda: by_polars(*lent)
    except ImportError:
        print("polars is not there")
    rounds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            rounds[way].append(seconds(work, expected))
    middle = {way: median(took) for way, took in rounds.items()}
    own = middle["join and compare"]
    for way, took in middle.items():
        with Peak() as pages:
            ways[way]()
        with Asked() as asked:
            ways[way]()
        told = "" if "polars" in way else f"{asked.added:6.0f} MB asked,"
        times = f"{took:8.3f} s {took / own:6.2f} x of join and compare"
        print(f"  {way:<17}{times} {told:>16}{pages.added:6.0f} MB pages")


if __name__ == "__main__":
    for count in [int(text) for text in sys.argv[1:]] or [10_000, 100_000, 1_000_000]:
        measure(count, batches)
        measure(count, no_order)
