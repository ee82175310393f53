"""The object a notebook holds: one account of the service, or of the sandbox.

Here the two wings meet: replies become frames, frames become plans, plans become runs. Reading
is free; everything that changes something is a plan first, and runs only through `apply`.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from hnbulk import wire
from hnbulk.annotate import annotate
from hnbulk.annotated import Annotated
from hnbulk.annotations import annotations_of
from hnbulk.cancels import build_cancels
from hnbulk.closing import Closing
from hnbulk.connection import Connection
from hnbulk.errors import UsageError
from hnbulk.frames import classes_frame, drift_frame, events_frame, runs_frame
from hnbulk.funnel import Funnel, build_funnel
from hnbulk.handle import Audit, RunHandle
from hnbulk.intake import Intake, raise_for_problems, read_bytes
from hnbulk.letters import build_letters, contact_of
from hnbulk.mapping import Stated
from hnbulk.models import Order
from hnbulk.orderreader import OrderReader
from hnbulk.plan import build_plan
from hnbulk.planfile import Goal, PlanFile, PlanHeader
from hnbulk.reach import Reach
from hnbulk.results import class_rows
from hnbulk.review import Plan
from hnbulk.runs import (
    CALLS,
    ORDERS,
    audit_run,
    endings_of,
    find_drift,
    kind_of,
    rebase_plan,
    resume_run,
    rows_to_retry,
    start_run,
)
from hnbulk.sandbox import Sandbox
from hnbulk.schedule import build_calls
from hnbulk.settings import CallLimits
from hnbulk.tablefiles import read_file


class Account(Closing):
    """One account. Close it when done, or use it as a context manager."""

    def __init__(
        self,
        connection: Connection,
        *,
        limits: CallLimits | None = None,
        sandbox: Sandbox | None = None,
        closing: ExitStack | None = None,
    ) -> None:
        self.connection = connection
        self.limits = limits or CallLimits()
        self.sandbox = sandbox
        self._closing = closing or ExitStack()
        self._reader = OrderReader(connection)

    @property
    def reach(self) -> Reach:
        """How other programs reach this account's sandbox: what to set, and the official libraries.

        Raises `UsageError` for an account that has no sandbox of its own.
        """
        if self.sandbox is None:
            raise UsageError(
                "this account has no sandbox of its own; the libraries reach the service as is."
            )
        return Reach(self.connection.base_url, self.sandbox.account_sid, self.sandbox.auth_token)

    # Reading: free, and never changes anything.

    def orders(self, *, progress: bool = False, **filters: str) -> pd.DataFrame:
        """The account's orders as the typed frame of `frames.ORDER_COLUMNS`, newest first.

        `filters` are those of the API: `status`, `phone_number`, `unique_name`, `friendly_name`,
        `incoming_phone_number_sid`. Raises `AccessRefused`, `ServiceRefused`, `ServiceUnreachable`.
        """
        return self._reader.read(progress=progress, **filters)

    def order(self, sid: str) -> Order:
        """One order as it is now."""
        return wire.read_order(self.connection.read(wire.fetch_order(self.connection.dialect, sid)))

    def poll(self, *, progress: bool = False) -> pd.DataFrame:
        """All orders, as `orders` gives them; every status seen is in the history."""
        return self._reader.poll(progress=progress)

    @property
    def now(self) -> datetime:
        """The world's time, UTC: the stepped clock's in a sandbox; on the service the server's, once
        anything was read, and this machine's until then."""
        return self.connection.clock.now()

    def events(self) -> pd.DataFrame:
        """The status history so far: `frames.EVENT_COLUMNS`, in order of observation."""
        return events_frame(self.connection.history.events())

    def funnel(self) -> Funnel:
        """Where every number stands, by the history so far and the world's time."""
        return build_funnel(self.events(), now=self.now)

    def runs(self) -> pd.DataFrame:
        """The runs of this account, newest first: `frames.RUN_COLUMNS`."""
        return runs_frame(record.as_line() for record in self.connection.journal.runs())

    def audit(self, run_id: str | None = None) -> Audit:
        """The creates of a run (the newest finished one) compared with the orders there are now.

        It shows itself; `table` has a row for each finding. Nothing is changed, nothing written.
        """
        return Audit(audit_run(self.connection, run_id))

    def annotate(
        self,
        path: Path | str,
        *,
        sheet: str | Sequence[str] | None = None,
        all_sheets: bool = False,
        encoding: str | None = None,
        mapping: Stated | Path | str | None = None,
        progress: bool = False,
    ) -> Annotated:
        """The list in this file given back with status, sid, stage date and next step of every row.

        An XLSX or XLSM comes back as it was, with four columns and marked cells; a list of another kind
        as a new XLSX of text. It is on disk after `save()` of what comes back. All orders are read, and
        nothing is sent; options are those of `read_targets`. Raises `InputError` for a file that is no
        list; rows with errors are marked, not refused.
        """
        source = Path(path)
        content = read_file(source)
        bar = partial(tqdm, unit=" rows", delay=1, leave=False, disable=not progress)
        intake = read_bytes(
            content,
            name=source.name,
            sheet=sheet,
            all_sheets=all_sheets,
            encoding=encoding,
            mapping=mapping,
            watch=partial(bar, desc="checking"),
        )
        orders = self.poll(progress=progress)
        known = annotations_of(
            intake, orders=orders, events=self.events(), refused=self.connection.journal.refused()
        )
        return annotate(
            source,
            content,
            intake,
            known,
            sheets=(sheet,) if isinstance(sheet, str) else tuple(sheet or ()),
            every=all_sheets,
            encoding=encoding,
            watch=partial(bar, desc="annotating"),
        )

    # Planning: reads, compares, sends nothing.

    def plan(
        self,
        targets: Intake | pd.DataFrame,
        *,
        set_aside: bool = False,
        prune: bool = False,
        allow_updates: int | None = None,
        allow_cancels: int | None = None,
        retry_refused: bool = False,
        progress: bool = False,
    ) -> Plan:
        """What would bring the account to `targets`; nothing is sent but reads.

        An intake with error rows is refused (`InputError`) unless `set_aside`, and then those rows
        come back as unprocessed with their reasons. `prune` also cancels live orders that the
        targets do not name. Raises `LimitRefused` where a threshold of changes is passed.
        """
        intake = _intake_of(targets)
        if not set_aside:
            raise_for_problems(intake)
        orders, read_at = self._reader.of_targets(intake.targets, progress=progress, whole=prune)
        file = build_plan(
            intake.targets,
            orders,
            header=self._header(intake, read_at),
            rows=intake.rows,
            set_aside=intake.set_aside_notes,
            prune=prune,
            allow_updates=allow_updates,
            allow_cancels=allow_cancels,
            refused=self.connection.journal.refused(),
            retry_refused=retry_refused,
        )
        return self._told(file)

    def cancel(
        self,
        targets: Intake | pd.DataFrame,
        *,
        set_aside: bool = False,
        allow_cancels: int | None = None,
        progress: bool = False,
    ) -> Plan:
        """A plan that cancels the live order of each number in `targets`; nothing else of them counts.

        Only statuses that the service lets go get a step, the others are blocked. Faulty rows and
        the threshold are as for `plan`.
        """
        intake = _intake_of(targets)
        if not set_aside:
            raise_for_problems(intake)
        orders, read_at = self._reader.of_targets(intake.targets, progress=progress, whole=True)
        file = build_cancels(
            intake.targets,
            orders,
            header=self._header(intake, read_at),
            rows=intake.rows,
            set_aside=intake.set_aside_notes,
            allow_cancels=allow_cancels,
        )
        return self._told(file)

    def verify(
        self,
        orders: pd.DataFrame | None = None,
        *,
        max_calls: int | None = None,
        at_once: int | None = None,
        toll_free_zone: str | None = None,
        last_attempt: bool = False,
    ) -> Plan:
        """A plan of verification calls for those of `orders` (default: all) that are due.

        No phone rings until the plan is given to `apply` with its checksum and its exact number of
        calls. `max_calls` and `at_once` default to the account's limits (10 and 2). Raises
        `UsageError` for limits or a zone that make no sense.
        """
        own = self.limits
        limits = replace(
            own,
            max_calls=own.max_calls if max_calls is None else max_calls,
            at_once=own.at_once if at_once is None else at_once,
            toll_free_zone=toll_free_zone or own.toll_free_zone,
        )
        orders, read_at = self._reader.or_all(orders)
        return self._told(
            build_calls(
                orders,
                now=read_at,
                limits=limits,
                read_at=read_at,
                last_calls=self.connection.history.last_calls(),
                last_attempt=last_attempt,
                **self._where,
            )
        )

    def authorize(
        self,
        orders: pd.DataFrame | None = None,
        *,
        contact_title: str | None = None,
        contact_phone_number: str | None = None,
        address_sid: str | None = None,
        email: str | None = None,
        cc_emails: Sequence[str] = (),
    ) -> Plan:
        """A plan of letters of authorization for the verified ones of `orders` (default: all).

        Orders of one address and e-mail share a letter. `address_sid` and `email` stand in for
        orders that have none. No letter goes out until the plan is given to `apply`.
        """
        orders, read_at = self._reader.or_all(orders)
        return self._told(
            build_letters(
                orders,
                contact_title=contact_title,
                contact_phone_number=contact_phone_number,
                address_sid=address_sid,
                email=email,
                cc_emails=cc_emails,
                made_at=datetime.now(UTC),
                read_at=read_at,
                **self._where,
            )
        )

    def drift(self, plan: Plan | PlanFile) -> pd.DataFrame:
        """The rows of the plan whose orders are not as it saw them: `frames.DRIFT_COLUMNS`.

        `stands` where what is planned can be done all the same. Only reads. Raises as `rebase` does.
        """
        found = find_drift(self.connection, _file_of(plan))
        return drift_frame(asdict(one) for one in found.drift)

    def rebase(self, plan: Plan | PlanFile) -> Plan:
        """The plan without the steps whose orders moved on since or are done, with a checksum of its own.

        The rows of those that moved are blocked with code `moved` and say why; of those that are done
        already they need nothing. Raises `PlanStale`, `AccessRefused` for
        a plan of another place.
        """
        return self._told(rebase_plan(self.connection, _file_of(plan)).plan)

    def error_classes(self, run_id: str) -> pd.DataFrame:
        """What of a run did not succeed: `class, rows, meaning`, a row for each class that occurs."""
        plan = self.connection.journal.plan_of(run_id)
        return classes_frame(class_rows(plan, endings_of(self.connection, run_id, plan)))

    def retry(
        self,
        run_id: str,
        classes: Sequence[str],
        *,
        allow_updates: int | None = None,
        allow_cancels: int | None = None,
    ) -> Plan:
        """A plan of those rows of a finished run that are of these error classes, made anew.

        The rows are the journal's own, compared with the account as it is now; nothing is sent
        until the plan is applied. Raises `UsageError` for a class that the run does not have, or
        for a run that can be resumed.
        """
        old, rows = rows_to_retry(self.connection, run_id, classes)
        picked = [row for row in old.rows if row.row in rows]
        kind = kind_of(old)
        if kind == ORDERS:
            again = [(row.row, dict(row.cells)) for row in picked]
            intake = Intake.from_rows(
                old.header.columns, again, name=old.header.input_name, mapping=old.header.mapping
            )
            if old.header.goal is Goal.CANCELED:
                return self.cancel(intake, set_aside=True, allow_cancels=allow_cancels)
            return self.plan(
                intake,
                set_aside=True,
                allow_updates=allow_updates,
                allow_cancels=allow_cancels,
                retry_refused=any(name.startswith("refused") for name in classes),
            )
        orders = self.poll()
        orders = orders[orders["sid"].isin([row.sid for row in picked])]
        return self.verify(orders) if kind == CALLS else self.authorize(orders, **contact_of(old, rows))

    # Doing: only what a plan says, only when it is approved by its checksum.

    def apply(
        self,
        plan: Plan | PlanFile,
        *,
        approve: str,
        place_calls: int | None = None,
        rate: float | None = None,
        connections: int | None = None,
        settle: float | None = None,
    ) -> RunHandle:
        """A run of `plan` is under way; the handle follows it.

        `approve` is the first eight characters of `plan.checksum`. A plan of calls also needs
        `place_calls`, exactly its number of calls.
        """
        file = _file_of(plan)
        if not isinstance(approve, str):
            raise UsageError("apply needs approve=, the first eight characters of plan.checksum.")
        pace = self.connection.with_pace(rate=rate, connections=connections, settle=settle)
        run = start_run(self.connection, file, approve=approve, place_calls=place_calls, pace=pace)
        return RunHandle(run, self.connection)

    def resume(
        self,
        run_id: str | None = None,
        *,
        rate: float | None = None,
        connections: int | None = None,
        settle: float | None = None,
    ) -> RunHandle:
        """The newest unfinished run (or the one named) goes on, at this pace or the account's.

        Calls are never placed on resume.
        """
        pace = self.connection.with_pace(rate=rate, connections=connections, settle=settle)
        return RunHandle(resume_run(self.connection, run_id, pace=pace), self.connection)

    def close(self) -> None:
        """Connection closed; a sandbox of its own is stopped and forgotten."""
        self.connection.close()
        self._closing.close()

    def __repr__(self) -> str:
        place = "sandbox" if self.sandbox else self.connection.base_url
        return f"Account {self.connection.account_sid} at {place}"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(repr(self))}</b></p>"

    @property
    def _where(self) -> dict[str, str]:
        return {
            "dialect": self.connection.dialect.name,
            "base_url": self.connection.base_url,
            "account_sid": self.connection.account_sid,
        }

    def _told(self, file: PlanFile) -> Plan:
        return Plan(file, pace=self.connection.pace)

    def _header(self, intake: Intake, read_at: datetime) -> PlanHeader:
        """What a plan of the list says of itself."""
        return PlanHeader(
            dialect=self.connection.dialect.name,
            base_url=self.connection.base_url,
            account_sid=self.connection.account_sid,
            input_hash=intake.input_hash,
            input_name=intake.name,
            columns=intake.columns,
            mapping=intake.stated,
            made_at=datetime.now(UTC).isoformat(),
            read_at=read_at.isoformat(),
        )


def _file_of(plan: Plan | PlanFile) -> PlanFile:
    file = plan.file if isinstance(plan, Plan) else plan
    if not isinstance(file, PlanFile):
        raise UsageError("this takes a plan: account.plan(...), or hn.Plan.load(path).")
    return file


def _intake_of(targets: object) -> Intake:
    if isinstance(targets, Intake):
        return targets
    if isinstance(targets, pd.DataFrame):
        return Intake.from_frame(targets)
    raise UsageError(
        f"targets are a list that was read or a DataFrame, not {type(targets).__name__}: "
        "hn.read_targets(path) reads a file."
    )
