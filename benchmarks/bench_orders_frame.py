"""How fast list pages become the orders frame, against pandas' own readers, in one run.

    python benchmarks/bench_orders_frame.py [ORDERS]

The three ways take the same bytes in turn, three times each; the best time counts. Only the
ratios mean something on another machine.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable

import orjson
import pandas as pd

from hnbulk.frames import orders_frame
from hnbulk.lifecycle import ORDER

PAGE_SIZE = 1_000


def order(n: int) -> dict[str, object]:
    """An order as the service lists it: all 23 keys."""
    sid = f"{n:032x}"
    return {
        "sid": f"HR{sid}",
        "account_sid": "AC" + "a" * 32,
        "incoming_phone_number_sid": f"PN{sid}",
        "address_sid": f"AD{n % 60:032x}",
        "signing_document_sid": None,
        "verification_document_sid": None,
        "phone_number": f"+1{2_015_550_000 + n}",
        "capabilities": {"sms": True, "voice": False},
        "friendly_name": f"Branch {n}",
        "unique_name": f"hn1-{n:020d}",
        "status": ORDER[n % len(ORDER)],
        "failure_reason": "",
        "date_created": "2026-01-05T15:00:00Z",
        "date_updated": "2026-01-05T15:00:00Z",
        "verification_attempts": n % 3,
        "email": "manager@example.com",
        "cc_emails": ["ops@example.com"],
        "url": f"https://preview.twilio.com/HostedNumbers/HostedNumberOrders/HR{sid}",
        "verification_type": "phone-call",
        "extension": None,
        "call_delay": 0,
        "verification_code": None,
        "verification_call_sids": None,
    }


def pages(orders: int) -> list[bytes]:
    """List pages as they come from the service."""
    return [
        orjson.dumps(
            {
                "meta": {"key": "items", "page": start // PAGE_SIZE, "page_size": PAGE_SIZE},
                "items": [order(n) for n in range(start, min(start + PAGE_SIZE, orders))],
            }
        )
        for start in range(0, orders, PAGE_SIZE)
    ]


def by_normalize(bodies: list[bytes]) -> pd.DataFrame:
    """Pages through `orjson.loads` and `pandas.json_normalize`."""
    items = [item for body in bodies for item in orjson.loads(body)["items"]]
    return pd.json_normalize(items)


def by_read_json(bodies: list[bytes]) -> pd.DataFrame:
    """Pages through `pandas.read_json`, sids and numbers kept as text."""
    items = (orjson.dumps(orjson.loads(body)["items"]).decode() for body in bodies)
    return pd.concat([pd.read_json(io.StringIO(text), dtype=False) for text in items], ignore_index=True)


def rate(read: Callable[[list[bytes]], pd.DataFrame], bodies: list[bytes], orders: int) -> float:
    """Rows a second, the best of three."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert len(read(bodies)) == orders
        times.append(time.perf_counter() - began)
    return orders / min(times)


def main() -> None:
    """Prints the three rates and the ratios."""
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    bodies = pages(orders)
    ours = rate(orders_frame, bodies, orders)
    print(f"{orders:,} orders in {len(bodies):,} pages, {sum(map(len, bodies)) / 1e6:.0f} MB")
    print(f"{'orders_frame':<18}{ours:>12,.0f} rows/s")
    for name, read in (("read_json", by_read_json), ("json_normalize", by_normalize)):
        theirs = rate(read, bodies, orders)
        print(f"{name:<18}{theirs:>12,.0f} rows/s   orders_frame is {ours / theirs:.1f} times as fast")


if __name__ == "__main__":
    main()
