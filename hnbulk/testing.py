"""Fixtures for other people's tests: the whole service on loopback, and an account on it.

A suite takes them with `pytest_plugins = ["hnbulk.testing"]`; nothing loads them otherwise. This is
the one file that knows pytest. Every test has a sandbox of its own, and nothing of it stays.

What a sandbox is like is said by a marker, or for a whole suite in pytest's own configuration, with
the same names: `seed`, `orders`, `example_order`, and every field of `WorldSettings`.

    @pytest.mark.hosted_sandbox(seed=3, orders=50, answer_rate=1.0)

    [tool.pytest.ini_options]
    hosted_sandbox = ["seed = 3", "answer_rate = 1.0"]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from pydantic import SecretStr

from hnbulk.clocks import SteppedClock
from hnbulk.connection import open_connection
from hnbulk.reach import Reach
from hnbulk.sandbox import Courier, Sandbox, SandboxClock, WorldSettings, build_sandbox, make_settings
from hnbulk.serving import serve
from hnbulk.settings import SANDBOX_PACE, Credentials

if TYPE_CHECKING:
    from hnbulk.account import Account

MARKER = "hosted_sandbox"
_SETTINGS = frozenset(one.name for one in fields(WorldSettings))
_OPTIONS = frozenset({"seed", "orders", "example_order"})
#: Real seconds that status callbacks have to be delivered, or given up.
CALLBACKS_WITHIN = 30.0


@dataclass(frozen=True)
class HostedSandbox:
    """One sandbox, served. Any program that can be pointed at an address can talk to it."""

    url: str
    admin_url: str
    admin_token: str = field(repr=False)
    sandbox: Sandbox = field(repr=False)
    home: Path = field(repr=False)
    courier: Courier = field(repr=False)

    @property
    def account_sid(self) -> str:
        """The account, and the user name of its requests."""
        return self.sandbox.account_sid

    @property
    def auth_token(self) -> str:
        """The account's token: the password of its requests, and the key of its callbacks."""
        return self.sandbox.auth_token

    @property
    def clock(self) -> SandboxClock:
        """The time of the sandbox's world; it stands still until `clock.advance(seconds)`."""
        return self.sandbox.clock

    @property
    def environ(self) -> dict[str, str]:
        """What points a program at the sandbox: `env={**os.environ, **hosted_sandbox.environ}`."""
        return {"HNBULK_HOME": str(self.home), **self.reach.environ}

    @property
    def reach(self) -> Reach:
        """How other programs reach it; printed, with the code for the official libraries."""
        return Reach(self.url, self.account_sid, self.auth_token)

    def orders(self) -> list[dict[str, Any]]:
        """The truth: every order there ever was, canceled ones too, with `fate` and `history`."""
        return self.sandbox.orders()

    def calls(self) -> list[dict[str, Any]]:
        """Every verification call there ever was."""
        return self.sandbox.calls()

    def ledger(self) -> list[dict[str, Any]]:
        """Every request received, in order, and what it did."""
        return self.sandbox.ledger()

    def callbacks(self) -> list[dict[str, Any]]:
        """Every status callback until now and what became of it; none is still under way.

        Raises `TimeoutError` where a receiver takes longer than half a minute over them.
        """
        if not self.courier.drain(CALLBACKS_WITHIN):
            raise TimeoutError(f"status callbacks are still under way after {CALLBACKS_WITHIN:.0f} s.")
        return self.sandbox.callbacks()

    def set_faults(self, *rules: Mapping[str, Any]) -> None:
        """These fault rules are in force, and no others; none ends all trouble."""
        self.sandbox.set_faults(*(dict(rule) for rule in rules))

    def set_fate(self, phone_number: str, fate: str) -> None:
        """Orders of the number made from now on have this fate, such as `smooth`."""
        self.sandbox.set_fate(phone_number, fate)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's configuration may say what every sandbox is like."""
    parser.addini(MARKER, "what every hosted sandbox is like, a `name = value` a line", "linelist")


def pytest_configure(config: pytest.Config) -> None:
    """The marker is known."""
    config.addinivalue_line("markers", f"{MARKER}(seed, orders, ...): what the test's sandbox is like")


@pytest.fixture
def hosted_sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostedSandbox]:
    """A `HostedSandbox` of the test's own, served on loopback, its clock stepped by hand."""
    made = _build(_wanted(request))
    with serve(made.api) as api, serve(made.admin) as admin, made.start_callbacks() as courier:
        yield HostedSandbox(api.url, admin.url, made.admin_token, made, tmp_path / ".hnbulk", courier)


@pytest.fixture
def hosted_account(hosted_sandbox: HostedSandbox) -> Iterator[Account]:
    """An open `hnbulk` account of the test's sandbox; waiting for the world takes no time."""
    from hnbulk.account import Account  # brings pandas along, which not every suite needs

    there = hosted_sandbox
    credentials = Credentials(there.account_sid, there.account_sid, SecretStr(there.auth_token))
    clock = SteppedClock(there.clock.now, there.clock.advance)
    connection = open_connection(there.url, credentials, home=there.home, pace=SANDBOX_PACE, clock=clock)
    with Account(connection, sandbox=there.sandbox) as account:
        yield account


def _wanted(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the configuration and the test's markers say, the nearest last."""
    wanted = dict(_read(line) for line in request.config.getini(MARKER))
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        if marker.args:
            _refuse(f"{MARKER} takes names only, such as {MARKER}(seed=3)")
        wanted |= marker.kwargs
    unknown = sorted(set(wanted) - _OPTIONS - _SETTINGS)
    if unknown:
        _refuse(f"{MARKER} has no {', '.join(unknown)}")
    return wanted


def _read(line: str) -> tuple[str, Any]:
    name, _, value = (part.strip() for part in line.partition("="))
    try:
        return name, json.loads(value)
    except ValueError:
        _refuse(f'{MARKER}: "{line}" is not `name = value`, a value of JSON')


def _refuse(message: str) -> NoReturn:
    pytest.fail(message, pytrace=False)


def _build(wanted: Mapping[str, Any]) -> Sandbox:
    """A sandbox like that; a list stands for a tuple, which JSON does not have."""
    options = {name: value for name, value in wanted.items() if name in _OPTIONS}
    try:
        settings = make_settings({name: value for name, value in wanted.items() if name in _SETTINGS})
    except ValueError as error:
        _refuse(f"{MARKER}: {error}")
    return build_sandbox(settings=settings, **options)
