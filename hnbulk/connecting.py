"""The two ways in: the account of the environment, or one of a sandbox of its own."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from hnbulk.account import Account
from hnbulk.clocks import SteppedClock
from hnbulk.connection import connect_from, open_connection
from hnbulk.errors import UsageError
from hnbulk.sandbox import WorldSettings, build_sandbox, make_settings
from hnbulk.serving import serve
from hnbulk.settings import SANDBOX_PACE, CallLimits, Credentials, Pace, Settings, read_settings


def connect(settings: Settings | None = None, *, pace: Pace | None = None) -> Account:
    """The account of the environment: `TWILIO_ACCOUNT_SID` with `TWILIO_AUTH_TOKEN` or an API key.

    `HNBULK_BASE_URL` points it at a sandbox on this machine. Raises `AccessRefused` where
    credentials are missing; nothing has been sent yet.
    """
    settings = settings or read_settings()
    return Account(connect_from(settings, pace=pace))


def connect_sandbox(
    seed: int = 7,
    *,
    orders: int = 0,
    home: Path | str | None = None,
    pace: Pace = SANDBOX_PACE,
    limits: CallLimits | None = None,
    example_order: bool = False,
    **settings: Any,
) -> Account:
    """An account of a sandbox of its own, served on loopback, its clock stepped by hand.

    `account.sandbox.clock.advance(seconds)` lets its world go on; `settings` say what that world is
    like (the settings of `docs/sandbox.md`, such as `answer_rate=1.0`). `print(account.reach)` shows
    how other programs reach it. The journal lies in `home`, or in a folder that goes with the
    account. Two sandboxes of one seed live the same life. Raises `UsageError` for a bad setting.
    """
    world = _world(settings)
    if type(seed) is not int or type(orders) is not int or orders < 0:
        raise UsageError("a sandbox's seed is a whole number, its orders one that is not negative.")
    closing = ExitStack()
    with ExitStack() as undo:
        sandbox = build_sandbox(seed=seed, orders=orders, settings=world, example_order=example_order)
        server = undo.enter_context(serve(sandbox.api))
        undo.enter_context(sandbox.start_callbacks())
        if home is None:
            home = undo.enter_context(tempfile.TemporaryDirectory(prefix="hnbulk-"))
        account_sid = sandbox.account_sid
        credentials = Credentials(account_sid, account_sid, SecretStr(sandbox.auth_token))
        clock = SteppedClock(sandbox.clock.now, sandbox.clock.advance)
        connection = open_connection(
            server.url, credentials, home=Path(home), pace=pace, clock=clock, unsafe_fs=True
        )
        closing = undo.pop_all()
    return Account(connection, limits=limits, sandbox=sandbox, closing=closing)


def _world(settings: dict[str, Any]) -> WorldSettings:
    try:
        return make_settings(settings)
    except ValueError as error:
        raise UsageError(f"{error}. The settings of a sandbox stand in docs/sandbox.md.") from None
