"""One account opened: client, journal, history, clock and pace, side by side.

This is what every run and every read stands on, with pandas or without. It sends nothing
by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hnbulk import wire
from hnbulk.client import Client
from hnbulk.clocks import ServiceClock
from hnbulk.closing import Closing
from hnbulk.errors import UsageError
from hnbulk.files import private_folder, refuse_network
from hnbulk.gate import SPAN, Gate
from hnbulk.history import History
from hnbulk.journal import Journal
from hnbulk.messages import Reply, Request
from hnbulk.settings import MOST_CONNECTIONS, Credentials, Pace, Settings, check_base_url, pace_for
from hnbulk.turnstile import SharedWindow, place_for
from hnbulk.work import WorldClock


@dataclass(frozen=True, slots=True)
class Connection(Closing):
    """An open account. Close it, or use it as a context manager: nothing stays open behind it."""

    client: Client
    journal: Journal
    history: History
    clock: WorldClock
    pace: Pace
    home: Path
    gate: Gate
    dialect: wire.Dialect = wire.PREVIEW

    @property
    def account_sid(self) -> str:
        """The account this connection acts for."""
        return self.client.account_sid

    @property
    def base_url(self) -> str:
        """Where the service is."""
        return self.client.base_url

    def with_pace(
        self, *, rate: float | None = None, connections: int | None = None, settle: float | None = None
    ) -> Pace:
        """The connection's pace with what is given changed. `connections` is then the most, too.

        Raises `UsageError` for more connections than there may be, and for a rate or a settle time
        that cannot be kept.
        """
        now = self.pace
        if connections is not None and not 1 <= connections <= MOST_CONNECTIONS:
            raise UsageError(
                f"{connections} requests at once is not from 1 to {MOST_CONNECTIONS}: more are not faster, "
                "and the service answers them as too many. Choose fewer, or leave it out."
            )
        return replace(
            now,
            rate=now.rate if rate is None else rate,
            connections=connections or now.connections,
            most_connections=connections or now.most_connections,
            settle=now.settle if settle is None else settle,
        )

    def read(self, request: Request) -> Reply:
        """The reply to one read, at the account's pace. Raises as `Client.read` does."""
        return self.client.read(request, admit=self.gate)

    def pages(self, request: Request) -> Iterator[Reply]:
        """Every page from `request` on, at the account's pace. Raises as `Client.pages` does."""
        return self.client.pages(request, self.dialect, admit=self.gate)

    def close(self) -> None:
        """Journal, history and client are closed, and no other process keeps to our rate."""
        self.journal.close()
        self.history.close()
        self.client.close()
        self.gate.close()


def open_connection(
    base_url: str,
    credentials: Credentials,
    *,
    home: Path,
    pace: Pace | None = None,
    clock: WorldClock | None = None,
    unsafe_fs: bool = False,
) -> Connection:
    """An open connection; `home` exists, 0700, and holds `journal.db` and `history.db`.

    All processes of this user that open the same account on this machine keep one rate together;
    one whose world's `clock` is its own (a sandbox in this process) keeps its own.
    Raises `UsageError` for an address that is not allowed, a home that cannot be written, or one
    on a network file system unless `unsafe_fs`; `JournalError` where a journal is there and
    cannot be used.
    """
    base_url = check_base_url(base_url)
    pace = pace or pace_for(base_url)
    if not unsafe_fs:
        refuse_network(home)
    private_folder(home)
    account_sid = credentials.account_sid
    place = place_for(account_sid=account_sid, base_url=base_url)
    shared = SharedWindow(place, pace.rate, SPAN) if clock is None else None
    gate = Gate(pace.rate, window=shared)
    client = Client(
        base_url, credentials, connections=max(MOST_CONNECTIONS, pace.most_connections), left=gate.left
    )
    try:
        journal = Journal.open(home, account_sid=account_sid, base_url=base_url)
        try:
            history = History.open(home, account_sid=account_sid, base_url=base_url)
        except BaseException:
            journal.close()
            raise
    except BaseException:
        client.close()
        raise
    return Connection(
        client=client,
        journal=journal,
        history=history,
        clock=clock or ServiceClock(client.server_now),
        pace=pace,
        home=home,
        gate=gate,
    )


def connect_from(settings: Settings, *, pace: Pace | None = None) -> Connection:
    """An open connection by the environment. Raises `AccessRefused` where credentials are missing."""
    return open_connection(
        settings.hnbulk_base_url,
        settings.credentials,
        home=settings.hnbulk_home,
        pace=pace,
        unsafe_fs=settings.hnbulk_unsafe_fs,
    )
