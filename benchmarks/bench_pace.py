"""How much of a rate is used, and the worst second of it, against two peers and for two processes.

    python benchmarks/bench_pace.py [SECONDS]

Every process sends small requests on four connections to a bare server of this machine, which
notes when each came. `sent` is read where the request goes out, before its first byte; `came` is
the server's own. GCRA is written below; pyrate-limiter (if it can be imported) has its bucket in
memory, and in SQLite where two processes share the rate.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hnbulk.gate import SPAN, Gate
from hnbulk.turnstile import SharedWindow

RATES = (10, 50, 100)
CONNECTIONS = 4
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers on loopback, and notes when each request came."""

    def __init__(self) -> None:
        self.came: list[float] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(4096):
                self.came.append(time.monotonic())
                connection.sendall(REPLY)


# What lets a request through: a function to call before it, and one after its bytes have left.

Pass = tuple[Callable[[], object], Callable[[], object]]


def ours(rate: float, folder: Path) -> Pass:
    """The gate of this project, its window shared by all processes that use the folder."""
    gate = Gate(rate, window=SharedWindow(folder / "own" / "bench.pace", rate, SPAN))
    return (lambda: gate.enter(lambda: False)), gate.left


def gcra(rate: float, _folder: Path) -> Pass:
    """The generic cell rate algorithm with a burst of one second, in this process."""
    lock, interval, due = threading.Lock(), 1 / rate, 0.0

    def enter() -> None:
        nonlocal due
        with lock:
            now = time.monotonic()
            due = max(due, now) + interval
            wait = due - 1.0 - now
        if wait > 0:
            time.sleep(wait)

    return enter, lambda: None


class FileLock:
    """What pyrate-limiter takes from another package: a lock among processes, and again by its holder."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._own = threading.RLock()
        self._depth = 0

    def acquire(self, *_how: Any, **_more: Any) -> bool:
        self._own.acquire()
        if self._depth == 0:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self._depth += 1
        return True

    def release(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._own.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()


def pyrate(rate: float, folder: Path) -> Pass:
    """pyrate-limiter's bucket in SQLite, with the file lock that several processes need."""
    from pyrate_limiter import Duration, Limiter, Rate, SQLiteBucket

    rates = [Rate(int(rate), Duration.SECOND)]
    lock = FileLock(folder / "pyrate.lock")
    with lock:
        made = SQLiteBucket.init_from_file(rates, db_path=str(folder / "pyrate.db"))
    limiter = Limiter(SQLiteBucket(rates, made.conn, made.table, lock=lock))
    return (lambda: limiter.try_acquire("bench", blocking=True)), lambda: None


def pyrate_memory(rate: float, _folder: Path) -> Pass:
    """pyrate-limiter's bucket in memory, for one process."""
    from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate

    limiter = Limiter(InMemoryBucket([Rate(int(rate), Duration.SECOND)]))
    return (lambda: limiter.try_acquire("bench", blocking=True)), lambda: None


KINDS: dict[str, tuple[Callable[[float, Path], Pass], tuple[int, ...]]] = {
    "hnbulk": (ours, (1, 2)),
    "GCRA": (gcra, (1,)),
    "pyrate-limiter": (pyrate_memory, (1,)),
    "pyrate-limiter SQLite": (pyrate, (1, 2)),
}


def load(kind: str, rate: float, folder: Path, port: int, begin: float, seconds: float) -> None:
    """One process: sends until the time is over, and tells on stdout when, and at what cost."""
    enter, left = KINDS[kind][0](rate, folder)
    sent: list[float] = []

    def send() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            time.sleep(max(0.0, begin - time.monotonic()))
            while True:
                enter()
                at = time.monotonic()
                if at >= begin + seconds:
                    return
                sent.append(at)
                connection.sendall(REQUEST)
                left()
                connection.recv(4096)

    used = time.process_time()
    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"sent": sent, "cpu": time.process_time() - used}), flush=True)
    os._exit(0)  # a peer's own threads do not hold up the next


def worst_second(times: list[float]) -> int:
    """The most in any half-open second."""
    times = sorted(times)
    return max(bisect_left(times, begin + 1.0) - place for place, begin in enumerate(times))


def measure(kind: str, rate: int, processes: int, seconds: float) -> dict[str, Any]:
    """Used share and worst seconds of so many processes together."""
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic() + 2.0
        arguments = [kind, str(rate), folder, str(server.port), str(begin), str(seconds)]
        children = [
            subprocess.Popen([sys.executable, __file__, "--load", *arguments], stdout=subprocess.PIPE)
            for _ in range(processes)
        ]
        told = [json.loads(child.communicate()[0]) for child in children]
    sent = [at for one in told for at in one["sent"]]
    return {
        "use": 100 * len(sent) / (rate * seconds),
        "sent": worst_second(sent),
        "came": worst_second(server.came),
        "micros": 1e6 * sum(one["cpu"] for one in told) / len(sent),
    }


def main() -> None:
    """Print a line for each kind, rate and number of processes."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    print(f"{seconds:.0f} s each; most in any second by the sender's clock and the server's; CPU a request")
    print(f"{'':22} {'processes':>9} {'rate':>5} {'used':>7} {'sent':>5} {'came':>5} {'CPU':>7}")
    for kind, (make, counts) in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                make(1.0, Path(folder))
            except ImportError:
                print(f"{kind}: not installed")
                continue
        for processes in counts:
            for rate in RATES:
                found = measure(kind, rate, processes, seconds)
                print(
                    f"{kind:22} {processes:>9} {rate:>5} {found['use']:>6.1f}% {found['sent']:>5} "
                    f"{found['came']:>5} {found['micros']:>4.0f} µs",
                    flush=True,
                )
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        name, rate, folder, port, begin, seconds = sys.argv[2:]
        load(name, float(rate), Path(folder), int(port), float(begin), float(seconds))
    main()
