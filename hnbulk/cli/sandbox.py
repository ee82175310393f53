"""The verb `sandbox`: the embedded service on loopback, for rehearsals and for other programs."""

from __future__ import annotations

import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hnbulk.cli.options import AsJson
from hnbulk.cli.talk import Talk
from hnbulk.errors import UsageError
from hnbulk.reach import LIBRARIES, Reach

if TYPE_CHECKING:
    from datetime import datetime

    from hnbulk.sandbox import Claim, Sandbox, SandboxClock

_SEED = 7
#: The fastest clock: a day of its world every second.
_FASTEST = 86_400

Port = Annotated[
    int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port on 127.0.0.1. [a free one]")
]
Orders = Annotated[int, typer.Option("--orders", metavar="N", min=0, help="Orders that are already there.")]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="The same seed is the same world. [7]")
]
Clock = Annotated[
    str, typer.Option("--clock", help="`real`, `stepped`, or `xN`: N times as fast.", metavar="MODE")
]
ExampleOrder = Annotated[
    bool,
    typer.Option(
        "--example-order",
        help="The order of the API's reference page is there, in the page's account and time.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of its world, such as answer_rate=1 or check_hours=12,24; docs/sandbox.md "
        "lists them. May be given again for another.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FILE",
        help="It goes on from this file, where there is one, and its state is saved there at the end. "
        "--orders and --example-order are for the first time.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """The verb is part of `app`."""
    app.command(epilog="Example: hnbulk sandbox --orders 200")(sandbox)


def sandbox(
    port: Port = 0,
    orders: Orders = 0,
    seed: Seed = None,
    clock: Clock = "real",
    example_order: ExampleOrder = False,
    settings: Set = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Serve the whole service on this machine, for rehearsals.

    It runs until Ctrl-C, or until stdin closes. Set what it prints in another terminal, and every
    other verb talks to it.
    """
    from hnbulk.sandbox import EPOCH, EXAMPLE_START, WorldSettings, build_sandbox
    from hnbulk.serving import serve

    time = _clock(clock, EXAMPLE_START if example_order else EPOCH)
    changes = _settings(settings or [])
    held = None if state is None else _hold(state)
    made = None if state is None else _load(state, seed, time, changes)
    if made is None:
        made = build_sandbox(
            seed=_SEED if seed is None else seed,
            orders=orders,
            clock=time,
            settings=WorldSettings(**changes),
            example_order=example_order,
        )
    if state is not None:
        _save(made, state)  # a place that cannot be written is told before the work, not after it
    talk = Talk(as_json)
    with (
        serve(made.api, port=port) as api,
        serve(made.admin) as admin,
        made.start_callbacks(),
        suppress(KeyboardInterrupt),  # who has read where it is may end it at once
    ):
        _tell(talk, made, api.url, admin.url, clock)
        _wait_for_the_end()
    if state is not None:
        _save(made, state)
        talk.say(f"saved {state}: {len(made.orders()):,} orders, {made.clock.now():%Y-%m-%d %H:%M} UTC")
    if held is not None:
        held.close()


def _tell(talk: Talk, made: Sandbox, url: str, admin_url: str, clock: str) -> None:
    """What to set is on stdout; how to step its clock and how to use other libraries, on stderr."""
    document = {
        "base_url": url,
        "account_sid": made.account_sid,
        "auth_token": made.auth_token,
        "admin_url": admin_url,
        "admin_token": made.admin_token,
    }
    reach = Reach(url, made.account_sid, made.auth_token)
    admin = f"export HNBULK_ADMIN_URL={admin_url}\nexport HNBULK_ADMIN_TOKEN={made.admin_token}"
    if not talk.as_json:
        talk.say(LIBRARIES)
        talk.say(f"# Its clock is {clock}. A day later, in the other terminal:")
        talk.say('#   curl -H "Authorization: Bearer $HNBULK_ADMIN_TOKEN" $HNBULK_ADMIN_URL/clock \\')
        talk.say("#        -d '{\"advance\": 86400}'")
        talk.say("# Set this there:")
    talk.show(f"{reach.exports}\n{admin}", document)


def _hold(path: Path) -> Claim:
    """No other sandbox goes on from this file until the claim is let go, or this process has ended."""
    from hnbulk.sandbox import Claim

    try:
        return Claim(path)
    except BlockingIOError:
        raise UsageError(
            f"another sandbox goes on from {path}. End that one first, or give another file.",
            path=str(path),
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot save to {path}: {error.strerror}. Choose another place or make room.", path=str(path)
        ) from None


def _settings(texts: list[str]) -> dict[str, Any]:
    from hnbulk.sandbox import read_settings

    try:
        return read_settings(texts)
    except ValueError as error:
        raise UsageError(f"--set: {error}. The settings stand in docs/sandbox.md.") from None


def _load(path: Path, seed: int | None, clock: SandboxClock, changes: dict[str, Any]) -> Sandbox | None:
    """The sandbox of the file; None where there is no file yet."""
    from hnbulk.sandbox import load_sandbox

    try:
        made = load_sandbox(path, clock=clock, changes=changes)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.", path=str(path)) from None
    except ValueError as error:
        raise UsageError(
            f"{path} is no saved sandbox of this version: {error}. Give another file.", path=str(path)
        ) from None
    if seed not in (None, made.seed):
        raise UsageError(
            f"{path} is a world of seed {made.seed}, not {seed}. Leave --seed out, or give another file.",
            path=str(path),
        )
    return made


def _save(made: Sandbox, path: Path) -> None:
    try:
        made.save(path)
    except OSError as error:
        raise UsageError(
            f"cannot save to {path}: {error.strerror}. Choose another place or make room.", path=str(path)
        ) from None


def _clock(text: str, start: datetime) -> SandboxClock:
    from hnbulk.sandbox import SandboxClock

    try:
        if text == "real":
            return SandboxClock("real", start=start)
        if text == "stepped":
            return SandboxClock("stepped", start=start)
        if text.startswith("x") and float(text[1:]) <= _FASTEST:
            return SandboxClock("fast", speed=float(text[1:]), start=start)
    except ValueError:
        pass
    raise UsageError(f"--clock {text}: give `real`, `stepped` or `xN`, such as x60; N is at most 86400.")


def _wait_for_the_end() -> None:
    """Returns when stdin, where it is a pipe, is closed. Ctrl-C and SIGTERM are a `KeyboardInterrupt`."""
    try:
        if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        else:
            threading.Event().wait()
    except (ValueError, OSError):
        return
