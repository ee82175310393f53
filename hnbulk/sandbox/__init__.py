"""The sandbox: the whole service on this machine, with a world of its own behind it.

`build_sandbox` makes one; what it gives holds two ASGI applications, the API and its
administration, and the clock. Nothing here listens on a port: that is done with `serving`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hnbulk.sandbox import chance
from hnbulk.sandbox.admin import admin_app
from hnbulk.sandbox.app import Application, api_app
from hnbulk.sandbox.choices import check_settings, make_settings, plain_settings, read_settings, settings_of
from hnbulk.sandbox.clock import EPOCH, SandboxClock, seconds_of
from hnbulk.sandbox.courier import Courier
from hnbulk.sandbox.desk import Desk
from hnbulk.sandbox.example import EXAMPLE_ACCOUNT, EXAMPLE_START, put_example
from hnbulk.sandbox.fates import FATES, FIXED_NUMBERS, WorldSettings
from hnbulk.sandbox.faults import Fault, Faults
from hnbulk.sandbox.keeping import Claim, read_document, write_document
from hnbulk.sandbox.past import live_through
from hnbulk.sandbox.refusals import Person
from hnbulk.sandbox.service import Service
from hnbulk.sandbox.state import put_state, take_state
from hnbulk.sandbox.truth import callbacks_of, calls_of, ledger_of, orders_of
from hnbulk.sandbox.world import World, give_fates

__all__ = [
    "EPOCH",
    "EXAMPLE_START",
    "FATES",
    "FIXED_NUMBERS",
    "Claim",
    "Courier",
    "Credential",
    "Sandbox",
    "SandboxClock",
    "WorldSettings",
    "build_sandbox",
    "load_sandbox",
    "make_settings",
    "read_settings",
]


@dataclass(frozen=True, slots=True)
class Credential:
    """A name and a secret that the sandbox accepts."""

    sid: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One sandbox. Its clock may be stepped from any thread."""

    api: Application
    admin: Application
    clock: SandboxClock
    account_sid: str
    auth_token: str = field(repr=False)
    admin_token: str = field(repr=False)
    api_key: Credential
    subaccounts: tuple[Credential, ...]
    desk: Desk = field(repr=False)

    @property
    def seed(self) -> int:
        """What everything in it follows from."""
        return self.desk.service.world.seed

    def orders(self) -> list[dict[str, Any]]:
        """The truth: every order there ever was, with its status history."""
        return orders_of(self.desk)

    def calls(self) -> list[dict[str, Any]]:
        """Every verification call there ever was."""
        return calls_of(self.desk)

    def callbacks(self) -> list[dict[str, Any]]:
        """Every status callback and what became of it: waiting, delivered, failed, lost, not-sent."""
        return callbacks_of(self.desk)

    def start_callbacks(self) -> Courier:
        """A courier sends the status callbacks until it is closed; one at a time is enough."""
        return Courier(self.desk.callbacks, self.desk.service, self.clock, self.desk.tokens)

    def ledger(self) -> list[dict[str, Any]]:
        """Every request received and what it did."""
        return ledger_of(self.desk)

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """These rules of `faults` are in force, and no others. Raises `ValueError` for a bad one."""
        read = [Fault.read(rule) for rule in rules]
        with self.desk.service.world.lock:
            self.desk.faults.set(read)

    def set_fate(self, phone_number: str, fate: str) -> None:
        """Orders of the number made from now on have this fate (a name of `FATES`)."""
        with self.desk.service.world.lock:
            give_fates(self.desk.service.world, {phone_number: fate})

    def save(self, path: str | Path) -> None:
        """The file holds the state as it is now, mode 0600, as `GET /state` gives it.

        It is replaced whole or not at all. Raises `OSError`.
        """
        write_document(Path(path), take_state(self.desk))

    def load(self, path: str | Path) -> None:
        """The sandbox is as it was when the file was saved; its clock runs on in its own mode.

        Raises `OSError`, and `ValueError` where the file is no state of this seed, account and
        version; then nothing has changed.
        """
        put_state(self.desk, read_document(Path(path)))


def build_sandbox(
    *,
    seed: int = 7,
    orders: int = 0,
    clock: SandboxClock | None = None,
    settings: WorldSettings | None = None,
    account_sid: str | None = None,
    example_order: bool = False,
) -> Sandbox:
    """A sandbox whose sids, credentials and fates all follow from `seed`.

    `orders` orders are there already, of the last weeks and in mixed statuses. With `example_order`,
    so is the one of the reference page, made now; the sandbox begins when the page's order was made,
    unless it is given a clock, and its account is the page's, unless it is given one. Raises
    `ValueError` for what no world can be made with.
    """
    settings = settings or WorldSettings()
    check_settings(settings)
    if type(seed) is not int or type(orders) is not int or orders < 0:
        raise ValueError("seed is a whole number, orders one that is not negative")
    clock = clock or SandboxClock(start=EXAMPLE_START if example_order else EPOCH)
    world = World(seed, settings)
    desk = Desk(Service(world), clock, Faults())
    account = account_sid or (EXAMPLE_ACCOUNT if example_order else chance.sid("AC", seed, "account"))
    subs = tuple(_credential("AC", seed, f"sub{nth}") for nth in range(world.settings.subaccounts))
    key = _credential("SK", seed, "key")
    token = chance.sid("", seed, "token")
    owner = Person(account, frozenset({account, *(sub.sid for sub in subs)}))
    desk.account_sid = account
    desk.admit(account, token, owner)
    desk.admit(key.sid, key.secret, owner)
    for sub in subs:
        desk.admit(sub.sid, sub.secret, Person(sub.sid, frozenset({sub.sid})))
    live_through(world, account, orders, until=seconds_of(clock.now()))
    if example_order:
        put_example(world, account, seconds_of(clock.now()))
    admin_token = secrets.token_urlsafe(24)
    return Sandbox(
        api=api_app(desk),
        admin=admin_app(desk, admin_token),
        clock=clock,
        account_sid=account,
        auth_token=token,
        admin_token=admin_token,
        api_key=key,
        subaccounts=subs,
        desk=desk,
    )


def load_sandbox(
    path: str | Path,
    *,
    clock: SandboxClock | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Sandbox:
    """A sandbox of the seed, account and settings of a saved state, and in that state.

    `changes` are settings, by name, that are others from now on. Raises `OSError`, and `ValueError`
    where the file is no state of this version.
    """
    document = read_document(Path(path))
    seed, account, settings = (document.get(name) for name in ("seed", "account_sid", "settings"))
    if type(seed) is not int or not isinstance(account, str | None) or not isinstance(settings, dict):
        raise ValueError("the file is not a state")
    wanted = make_settings({**plain_settings(settings_of(settings)), **(changes or {})})
    made = build_sandbox(seed=seed, clock=clock, settings=wanted, account_sid=account)
    put_state(made.desk, document | {"settings": plain_settings(wanted)})
    return made


def _credential(prefix: str, seed: int, name: str) -> Credential:
    return Credential(chance.sid(prefix, seed, name), chance.sid("", seed, name, "secret"))
