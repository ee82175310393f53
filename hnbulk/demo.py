"""The main job as a story: a messy branch list becomes hosted numbers, end to end, on a sandbox.

It goes a user's way through the account's own calls over real HTTP and leaves the files a real
migration would leave. Each chapter says what happened, to how many numbers, and how long it took.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from hnbulk.account import Account
from hnbulk.connecting import connect_sandbox
from hnbulk.files import private_folder, write_private
from hnbulk.frames import parquet_bytes, records_of
from hnbulk.handle import RunHandle
from hnbulk.intake import Intake, read_bytes
from hnbulk.models import mask_phone
from hnbulk.report import build_report, reasons_of
from hnbulk.results import PARTS
from hnbulk.review import Plan
from hnbulk.settings import CallLimits, Pace

PACE = Pace(rate=300.0, connections=8, settle=120.0)
POLL_EVERY = timedelta(hours=6)
DAYS = 45
TEXT_WIDTH = 72
#: The caps on calls are lifted here by name: nobody's phone rings in a sandbox.
LIMITS = CallLimits(max_calls=100_000, at_once=100_000, toll_free_zone="America/New_York")
SIGNER_TITLE, SIGNER_PHONE = "Operations manager", "+14155550100"


@dataclass
class _Telling:
    """One telling of the story: where it speaks, and the seconds of each chapter so far."""

    account: Account
    out: Path
    say: Callable[[str], None]
    progress: bool
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def chapter(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - began, 2)

    def line(self, name: str, text: str) -> None:
        first, *more = textwrap.wrap(text, TEXT_WIDTH)
        self.say(f"{name:<10} {first:<{TEXT_WIDTH}} {self.seconds[name]:>5.1f} s")
        for line in more:
            self.say(f"{'':<10} {line}")


def tell(
    *,
    numbers: int = 2000,
    seed: int = 7,
    out: Path,
    say: Callable[[str], None],
    progress: bool = False,
) -> dict[str, Any]:
    """The story has been told and its files lie in `out`; returned is the document of `--json`.

    The same `numbers` and `seed` give the same counts, statuses, checksum and funnel.
    """
    private_folder(out)
    say(f"hnbulk demo: {numbers:,} rows of a branch list, a sandbox of seed {seed}, no account needed\n")
    began = time.monotonic()
    with connect_sandbox(seed, pace=PACE, limits=LIMITS) as account:
        document = tell_on(account, numbers=numbers, out=out, say=say, progress=progress)
    whole = round(time.monotonic() - began, 2)
    say("\n" + textwrap.fill(f"in {out}/: " + ", ".join(document["files"]), 90, subsequent_indent="  "))
    say(f"all of it in {whole:.0f} s; open {out / 'report.html'} in a browser")
    return {"numbers": numbers, "seed": seed, **document, "seconds": {**document["seconds"], "all": whole}}


def tell_on(
    account: Account, *, numbers: int, out: Path, say: Callable[[str], None], progress: bool = False
) -> dict[str, Any]:
    """The same story on an account of a sandbox that is already there; the account stays open."""
    private_folder(out)
    telling = _Telling(account, out, say, progress)
    intake = _check(telling, "branches.csv", numbers)
    plan, run = _apply_list(telling, intake)
    edits = _apply_edits(telling, _sample("branches-v2.csv", numbers))
    _wait_for_checks(telling)
    calls = _verify(telling)
    letters = _authorize(telling)
    orders = _let_time_pass(telling)
    funnel = _picture(telling, intake, plan, run, calls)
    return {
        "rows": intake.counts,
        "problems": intake.counts["by_code"],
        "plan_checksum": plan.checksum,
        "results": _parts(run),
        **edits,
        "calls": calls,
        "letters": letters,
        "statuses": _count_statuses(orders),
        "funnel": funnel,
        "files": sorted(path.name for path in out.iterdir() if path.is_file()),
        "seconds": telling.seconds,
    }


def sample_bytes(name: str) -> bytes:
    """A sample list as bytes: from the installed package, else from the checkout beside it."""
    inside = package_files("hnbulk") / "samples" / name
    if inside.is_file():
        return inside.read_bytes()
    return (Path(__file__).parent.parent / "data" / "samples" / name).read_bytes()


def _sample(name: str, numbers: int) -> Intake:
    lines = sample_bytes(name).splitlines(keepends=True)
    return read_bytes(b"".join(lines[: numbers + 1]), name=name)


def _check(telling: _Telling, name: str, numbers: int) -> Intake:
    with telling.chapter("check"):
        intake = _sample(name, numbers)
    counts = intake.counts
    telling.line(
        "check",
        f"{counts['rows']:,} rows: {counts['good']:,} good, {counts['rows'] - counts['good']:,} set aside "
        f"({len(counts['by_code'])} kinds of problem)",
    )
    return intake


def _apply_list(telling: _Telling, intake: Intake) -> tuple[Plan, RunHandle]:
    account = telling.account
    with telling.chapter("plan"):
        plan = account.plan(intake, set_aside=True)
        plan.save(telling.out / "branches.plan")
    telling.line("plan", f"{_told(plan)}; checksum {plan.checksum[:8]}")
    with telling.chapter("apply"):
        run = account.apply(plan, approve=plan.checksum[:8])
        run.wait(progress=telling.progress)
        run.save_results(telling.out, name="branches")
    telling.line("apply", f"{run.results!r}")
    return plan, run


def _apply_edits(telling: _Telling, edited: Intake) -> dict[str, Any]:
    account = telling.account
    with telling.chapter("edit"):
        plan = account.plan(edited, set_aside=True)
        account.apply(plan, approve=plan.checksum[:8]).wait(progress=telling.progress)
        again = account.plan(edited, set_aside=True)
    telling.say("")
    for line in _first_changes(plan):
        telling.say(f"{'':<10} {line}")
    telling.line("edit", f"a week later: {_told(plan)}; planned again: {_told(again)}")
    return {"edit": plan.file.counts, "again": again.file.counts}


def _wait_for_checks(telling: _Telling) -> None:
    """The service has looked at every number: none is in `twilio-processing` any more."""
    with telling.chapter("checks"):
        began = telling.account.now
        while (telling.account.poll()["status"] == "twilio-processing").any():
            _step(telling.account)
    waited = telling.account.now - began
    counts = _count_statuses(telling.account.orders())
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    telling.line("checks", f"{waited.total_seconds() / 3600:.0f} hours later: {told}")


def _verify(telling: _Telling) -> list[dict[str, Any]]:
    """Two rounds of calls, a day apart; the second is for those who did not answer the first."""
    account, rounds = telling.account, []
    for number in (1, 2):
        with telling.chapter("verify"):
            plan = account.verify()
            calls = len(plan.file.steps)
            waves = len({step.precondition["wave"] for step in plan.file.steps})
            plan.save(telling.out / f"calls-{number}.plan")
            if calls:
                run = account.apply(plan, approve=plan.checksum[:8], place_calls=calls)
                run.wait(progress=telling.progress)
            counts = _count_statuses(account.poll())
        verified = counts.get("verified", 0)
        rounds.append({"round": number, "calls": calls, "waves": waves, "verified": verified})
        telling.line(
            "verify", f"round {number}: {calls:,} calls in {waves} waves; {verified:,} verified so far"
        )
        if number == 1:
            _step(account)
    return rounds


def _authorize(telling: _Telling) -> dict[str, int]:
    account = telling.account
    with telling.chapter("letters"):
        plan = account.authorize(contact_title=SIGNER_TITLE, contact_phone_number=SIGNER_PHONE)
        plan.save(telling.out / "letters.plan")
        letters = len({step.group for step in plan.file.steps})
        if letters:
            account.apply(plan, approve=plan.checksum[:8]).wait(progress=telling.progress)
    telling.line("letters", f"{letters:,} letters of authorization for {len(plan.file.steps):,} numbers")
    return {"letters": letters, "numbers": len(plan.file.steps)}


def _let_time_pass(telling: _Telling) -> pd.DataFrame:
    """45 days have passed, polled every 6 hours of the world; returned are the orders at the end."""
    account = telling.account
    polls = int(timedelta(days=DAYS) / POLL_EVERY)
    with telling.chapter("45 days"):
        orders = account.poll()
        for _ in tqdm(
            range(polls), desc="45 days", unit=" polls", leave=False, disable=not telling.progress
        ):
            orders = _step(account)
    counts = _count_statuses(orders)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    telling.line("45 days", f"{polls} polls: {told}")
    for stage, count, advice in account.funnel().next_steps.itertuples(index=False):
        told = f"next, for the {count:,} {stage}: {advice}"
        for line in textwrap.wrap(told, TEXT_WIDTH, subsequent_indent="  "):
            telling.say(f"{'':<10} {line}")
    return orders


def _picture(
    telling: _Telling, intake: Intake, plan: Plan, run: RunHandle, calls: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    account, out = telling.account, telling.out
    with telling.chapter("report"):
        funnel = account.funnel()
        orders = account.orders()
        write_private(out / "orders.parquet", parquet_bytes(orders))
        write_private(out / "events.parquet", parquet_bytes(account.events()))
        page = build_report(
            funnel=funnel,
            plan_summary=plan.summary,
            problems=intake.problems,
            results_counts=_parts(run),
            reasons=reasons_of(orders),
            calls=pd.DataFrame(calls),
            title="From branch list to hosted numbers",
            made_at=account.now,
            account_label="sandbox",
        )
        write_private(out / "report.html", page.encode())
        funnel.plot().save(out / "funnel.svg")
    telling.say(f"\n{funnel}\n")
    telling.line("report", "report.html and funnel.svg written")
    return records_of(funnel.table)


def _parts(run: RunHandle) -> dict[str, int]:
    results = run.results
    return {part: len(getattr(results, part)) for part in PARTS}


def _step(account: Account) -> pd.DataFrame:
    account.connection.clock.wait_until(account.now + POLL_EVERY)
    return account.poll()


def _count_statuses(orders: pd.DataFrame) -> dict[str, int]:
    counts = orders["status"].value_counts(sort=False)
    return {str(name): int(count) for name, count in counts.items() if count}


def _first_changes(plan: Plan, *, most: int = 4) -> list[str]:
    """A few updates as a person reads them: number, field, before and after."""
    updates = plan.changes[plan.changes["action"] == "update"]
    cells = (updates[name].head(most).tolist() for name in ("phone_number", "field", "before", "after"))
    shown = [
        f"{mask_phone(number)}  {name:<14} {_short(before):<27} -> {_short(after)}"
        for number, name, before, after in zip(*cells, strict=True)
    ]
    left = len(updates) - len(shown)
    return [*shown, f"... and {left:,} more, each field before -> after"] if left > 0 else shown


def _short(text: str) -> str:
    return text if len(text) <= 27 else f"{text[:3]}...{text[-21:]}"


def _told(plan: Plan) -> str:
    named = {"nothing": "already as wanted", "set-aside": "set aside"}
    counts = dict(plan.file.counts)
    dependent = sum(step.precondition.get("after") == "create" for step in plan.file.steps)
    if dependent:
        named["create"] = f"create ({dependent:,} with an update after it)"
        counts["update"] -= dependent
    told = ", ".join(f"{count:,} {named.get(name, name)}" for name, count in counts.items() if count)
    return told if plan.file.steps else f"nothing to do ({told})"
