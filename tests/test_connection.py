"""One account opened: its pace, and with whom it shares it."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from run_bench import open_bench

from hnbulk.clocks import SteppedClock
from hnbulk.connection import open_connection
from hnbulk.errors import UsageError
from hnbulk.settings import Credentials, Pace
from hnbulk.turnstile import place_for
from hnbulk.wire import PREVIEW, list_orders


def test_a_number_of_connections_is_also_the_most(tmp_path: Path) -> None:
    """Who asks for two gets two and never more; who does not ask, what the service bears."""
    with open_bench(tmp_path) as bench:
        connection = bench.connection
        asked, usual = connection.with_pace(connections=2), connection.with_pace(rate=3.0)
        assert (asked.connections, asked.most_connections) == (2, 2)
        assert (usual.connections, usual.most_connections, usual.rate) == (4, 10, 3.0)
        for many in (0, 11):
            with pytest.raises(UsageError, match="from 1 to 10"):
                connection.with_pace(connections=many)


@pytest.mark.parametrize("asked", [{"rate": math.inf}, {"rate": math.nan}, {"settle": math.inf}])
def test_a_pace_that_cannot_be_kept_is_refused(tmp_path: Path, asked: dict[str, float]) -> None:
    """A wrong call, before anything has begun."""
    with open_bench(tmp_path) as bench, pytest.raises(UsageError):
        bench.connection.with_pace(**asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("own_world", [False, True])
def test_two_connections_of_one_account_share_the_rate(tmp_path: Path, own_world: bool) -> None:
    """By their reads, as the service saw them; a sandbox in this process keeps a rate of its own."""
    (home := tmp_path / "bench").mkdir()
    with open_bench(home) as bench:
        box = bench.sandbox
        who = Credentials(box.account_sid, box.account_sid, SecretStr(box.auth_token))
        clock = SteppedClock(box.clock.now, box.clock.advance) if own_world else None
        homes = [tmp_path / "one", tmp_path / "other"]
        pace, url = Pace(4.0, 4, 120.0), bench.client.base_url
        with (
            open_connection(url, who, home=homes[0], pace=pace, clock=clock) as one,
            open_connection(url, who, home=homes[1], pace=pace, clock=clock) as other,
        ):
            began = time.monotonic()
            for connection in (one, other) * 4:
                connection.read(list_orders(PREVIEW, page_size=1))
            took = time.monotonic() - began
    assert own_world or took >= 1.0
    place = place_for(box.account_sid, url)
    assert place.exists() is not own_world
    place.unlink(missing_ok=True)
