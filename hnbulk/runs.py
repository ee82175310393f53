"""Starting and resuming a run of whatever kind a plan is, and writing what became of its rows.

The kind is read from the plan's own steps; of a run that has begun, the journal knows it. Nothing
is sent here but by the kind's own module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hnbulk import engine
from hnbulk.apply import Changes
from hnbulk.authorize import Letters
from hnbulk.connection import Connection
from hnbulk.engine import Means, Run
from hnbulk.errors import UsageError
from hnbulk.files import private_folder, write_private
from hnbulk.results import PARTS, Results, sort_rows
from hnbulk.settings import Pace
from hnbulk.steps import Action, PlanFile
from hnbulk.verify import Calls, check_calls
from hnbulk.work import Work

ORDERS, CALLS, LETTERS = "orders", "calls", "letters"


_WORK: Mapping[str, Callable[[], Work]] = {ORDERS: Changes, CALLS: Calls, LETTERS: Letters}


def kind_of(plan: PlanFile) -> str:
    """What a plan does: `orders` (create, update, cancel), `calls` or `letters`.

    Raises `UsageError` for a plan that mixes them.
    """
    actions = {step.action for step in plan.steps}
    kinds = {
        CALLS if action is Action.VERIFY else LETTERS if action is Action.AUTHORIZE else ORDERS
        for action in actions
    }
    if len(kinds) > 1:
        raise UsageError(f"this plan mixes {' and '.join(sorted(kinds))}; make one plan for each.")
    return kinds.pop() if kinds else ORDERS


def start_run(
    connection: Connection,
    plan: PlanFile,
    *,
    approve: str,
    place_calls: int | None = None,
    pace: Pace | None = None,
) -> Run:
    """A run of the plan is under way in its own threads.

    `approve` is the first eight characters (or more) of the plan's checksum; a plan of calls
    also needs `place_calls`, exactly its number of calls. Raises `PlanRefused` and its kinds,
    `LimitRefused`, `AccessRefused`; nothing was sent then.
    """
    kind = kind_of(plan)
    if place_calls is not None and kind != CALLS:
        raise UsageError("--place-calls is for a plan of calls; this plan has none.")
    if kind == CALLS:
        check_calls(plan, place_calls)
    return engine.start(plan, _WORK[kind](), _means(connection, pace), approve=approve)


def resume_run(connection: Connection, run_id: str | None = None, *, pace: Pace | None = None) -> Run:
    """The newest unfinished run, or the one named, goes on: what is in doubt is looked up first.

    No call is placed on resume. Raises `UsageError` where there is no such run, `RunLocked` where
    it is under way elsewhere.
    """
    known = connection.journal.runs()
    chosen = [run for run in known if (run.run_id == run_id if run_id else run.unfinished)]
    if not chosen:
        wanted = f"no run {run_id!r}" if run_id else "no unfinished run"
        raise UsageError(f"there is {wanted} of this account in {connection.home}; see `hnbulk runs`.")
    run = chosen[0]
    return engine.resume(run.run_id, _WORK[run.kind](), _means(connection, pace))


def write_results(results: Results, stem: Path) -> dict[str, Path]:
    """Three files lie beside each other: `<stem>.success.csv`, `.error.csv`, `.unprocessed.csv`.

    Each has the user's own columns in their order, then the `hn_` columns. Raises `UsageError`
    where one cannot be written.
    """
    private_folder(stem.parent)
    paths: dict[str, Path] = {part: stem.with_name(f"{stem.name}.{part}.csv") for part in PARTS}
    for part in PARTS:
        write_private(paths[part], results.csv(part).encode())
    return paths


def results_of(connection: Connection, run_id: str) -> Results:
    """Every input row of a run with what became of it, by the journal alone."""
    plan = connection.journal.plan_of(run_id)
    return sort_rows(plan, connection.journal.endings(run_id))


def _means(connection: Connection, pace: Pace | None) -> Means:
    return Means(
        client=connection.client,
        journal=connection.journal,
        history=connection.history,
        clock=connection.clock,
        pace=pace or connection.pace,
        gate=connection.gate,
    )
