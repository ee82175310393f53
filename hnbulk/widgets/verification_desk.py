"""Verification calls under a person's eyes: what would ring, the typed count, the run, the outcomes.

No phone rings before a plan of calls was shown and its exact number of calls was typed. Which orders
are due, and when a phone may ring, is decided by the plan and the run, never here. Verification
codes are not shown.
"""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as ipw
import pandas as pd

from hnbulk.account import Account
from hnbulk.errors import LimitRefused, UsageError
from hnbulk.handle import RunHandle
from hnbulk.planfile import PlanFile
from hnbulk.progress import Report
from hnbulk.review import Plan
from hnbulk.widgets import look
from hnbulk.widgets.call_outcomes import count_outcomes, outcomes_frame, outcomes_table, read_outcomes
from hnbulk.widgets.errand import Errand
from hnbulk.widgets.order_browser import OrderBrowser
from hnbulk.wording import count_text

_LOOK_EVERY = 0.25  # seconds between two looks at a run under way


class VerificationDesk:
    """Calls for the due ones of `orders`: a frame, what is chosen in a browser, or all orders.

    Nothing is read or sent until `prepare`, and no phone rings until `place`. The caps are those
    of `Account.verify`. `view` is the box to place inside other widgets.
    """

    def __init__(
        self,
        account: Account,
        orders: pd.DataFrame | OrderBrowser | None = None,
        *,
        max_calls: int | None = None,
        at_once: int | None = None,
        toll_free_zone: str | None = None,
        last_attempt: bool = False,
    ) -> None:
        self._account = account
        self._source = orders
        self._verify_options: dict[str, Any] = {
            "max_calls": max_calls,
            "at_once": at_once,
            "toll_free_zone": toll_free_zone,
            "last_attempt": last_attempt,
        }
        self._lock = threading.RLock()
        self._errand = Errand("verification desk", self._draw)
        self.plan: Plan | None = None
        self.run: RunHandle | None = None
        self.outcomes = outcomes_frame(())
        self._placed: PlanFile | None = None
        self._said = ""
        self._build()
        self._draw()

    # What programs and tests use; the buttons call the same.

    @property
    def count(self) -> int:
        """How many calls the shown plan has; 0 without a plan, or once it was placed."""
        return len(self.plan.file.steps) if self.plan is not None else 0

    @property
    def error(self) -> str:
        """The last error as one line; empty where all went well."""
        return self._errand.message

    def prepare(self) -> Plan:
        """The plan of calls, from the orders as they are now, is shown and returned. Nothing rings.

        Raises `UsageError` where nothing is chosen or a run is under way.
        """
        self._begin()
        return self._prepare()

    def place(self, count: int) -> RunHandle:
        """The run of the shown plan is under way; `count` is exactly its number of calls.

        Raises `LimitRefused` for any other count, `UsageError` without a plan, and what
        `Account.apply` raises; no phone rang then.
        """
        self._begin()
        run = self._start(count)
        self._errand.start(self._follow)
        return run

    def wait(self, timeout: float | None = None) -> pd.DataFrame:
        """The work under way has ended; returned are the outcomes.

        Raises `TimeoutError` after `timeout` seconds, and what ended the run early.
        """
        self._errand.wait(timeout)
        return self.outcomes

    def look_again(self) -> pd.DataFrame:
        """The outcomes of the last run by the orders as they are now: who waited may be verified."""
        if self.run is not None and self._placed is not None:
            orders = self._account.poll()
            connection = self._account.connection
            endings = connection.journal.endings(self.run.run_id)
            self.outcomes = read_outcomes(
                self._placed,
                endings,
                orders,
                last_calls=connection.history.last_calls(),
                now=self._account.now,
            )
        self._draw()
        return self.outcomes

    def pause(self) -> None:
        """No further phone rings until `resume`."""
        if self.run is not None:
            self.run.pause()
        self._draw()

    def resume(self) -> None:
        """The run goes on after a pause."""
        if self.run is not None:
            self.run.resume()
        self._draw()

    def stop(self) -> None:
        """No further phone rings in this run."""
        if self.run is not None:
            self.run.stop()
        self._draw()

    def __str__(self) -> str:
        lines = []
        if self.plan is not None:
            lines.append(f"{count_text(self.count, 'call')} planned, none placed yet")
        if self.run is not None:
            lines.append(f"run {self.run.state}: {look.told(count_outcomes(self.outcomes))}")
        if self.error:
            lines.append(f"error: {self.error}")
        return "\n".join(lines or ["no calls planned yet"])

    __repr__ = __str__

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return look.bundle(self.view, str(self), kwargs)

    # The work.

    def _begin(self) -> None:
        if self._errand.busy:
            raise UsageError("the desk is busy; wait for what is under way, or stop it.")
        self._errand.forget()

    def _prepare(self) -> Plan:
        sids = self._chosen_sids()
        orders = self._account.poll()
        chosen = orders if sids is None else orders[orders["sid"].isin(sids)]
        self.plan = self._account.verify(chosen, **self._verify_options)
        self._draw()
        return self.plan

    def _chosen_sids(self) -> list[str] | None:
        if self._source is None:
            return None
        frame = self._source.selection if isinstance(self._source, OrderBrowser) else self._source
        if frame.empty:
            raise UsageError("no order is chosen; select orders first, then prepare the calls.")
        return [str(sid) for sid in frame["sid"]]

    def _start(self, count: int) -> RunHandle:
        with self._lock:
            plan = self.plan
            if plan is None or not self.count:
                raise UsageError("there is no call to place; prepare the calls first.")
            if count != self.count:
                raise LimitRefused(
                    f"{count} was typed and the plan has {count_text(self.count, 'call')}; "
                    "type the plan's exact number.",
                    limit="place-calls",
                    arithmetic=f"{count} != {self.count}",
                    flag="--place-calls",
                )
            self.run = self._account.apply(plan, approve=plan.checksum[:8], place_calls=count)
            self._placed, self.plan = plan.file, None
            self.outcomes, self._said = outcomes_frame(()), ""
            self._typed.value = ""
            return self.run

    def _follow(self) -> None:
        run = self.run
        if run is None:
            return
        try:
            while (report := _report(run)) is None:
                self._draw()
            self._said = report.message
        finally:
            self.look_again()

    # The controls.

    def _build(self) -> None:
        self._title, self._plan_told, self._asked = map(look.line, ("hn-told", "hn-plan", "hn-asked"))
        self._run_told, self._table, self._notice = map(look.line, ("hn-run", "hn-outcomes", "hn-error"))
        self._show = look.button("Show the calls that are due", "hn-prepare", style="info")
        self._typed = look.named(
            ipw.Text(placeholder="number of calls", layout=ipw.Layout(width="10em")), "hn-typed"
        )
        self._ring = look.button("Place the calls", "hn-place", style="warning")
        self._hold = look.button("Pause", "hn-pause")
        self._halt = look.button("Stop", "hn-stop")
        self._again = look.button("Look again", "hn-look-again", tooltip="Read the orders again")
        self._bar = look.named(ipw.IntProgress(layout=ipw.Layout(width="18em")), "hn-bar")
        self._ask_box = look.bar(self._asked, self._typed, self._ring)
        self._run_box = look.bar(self._bar, self._run_told, self._hold, self._halt, self._again)
        self.view = look.root(
            "hn-verification-desk",
            look.bar(self._title, self._show),
            self._plan_told,
            self._ask_box,
            self._run_box,
            self._table,
            self._notice,
        )
        self._typed.observe(lambda _: self._draw_asked(), names="value")
        self._show.on_click(lambda _: self._errand.start(self._prepare_job))
        self._ring.on_click(lambda _: self._pressed_place())
        self._hold.on_click(lambda _: self.resume() if self._paused else self.pause())
        self._halt.on_click(lambda _: self.stop())
        self._again.on_click(lambda _: self._errand.start(self._look_job))

    def _prepare_job(self) -> None:
        self._prepare()

    def _look_job(self) -> None:
        self.look_again()

    def _pressed_place(self) -> None:
        typed = self._typed.value.strip()
        if self._is_exact(typed):
            self._errand.start(lambda: self._place_job(int(typed)))

    def _place_job(self, count: int) -> None:
        self._start(count)
        self._follow()

    def _is_exact(self, typed: str) -> bool:
        return self.count > 0 and typed == str(self.count)

    @property
    def _paused(self) -> bool:
        return self.run is not None and self.run.state == "paused"

    # Drawing.

    def _draw(self) -> None:
        with self._lock:
            source = "selected orders" if isinstance(self._source, OrderBrowser) else "orders"
            self._title.value = f'<span class="hn-head">Verification calls for the {source}</span>'
            self._plan_told.value = self.plan.card() if self.plan is not None else ""
            self._show.disabled = self._errand.busy
            self._draw_asked()
            self._draw_run()
            self._table.value = outcomes_table(self.outcomes) if len(self.outcomes) else ""
            self._notice.value = look.warning(self.error or self._said)

    def _draw_asked(self) -> None:
        self._ask_box.layout.display = None if self.plan is not None else "none"
        self._typed.layout.display = self._ring.layout.display = None if self.count else "none"
        self._asked.value = (
            f"<b>{count_text(self.count, 'phone')} will ring.</b> Type that number:"
            if self.count
            else "No call is due."
        )
        self._ring.disabled = self._errand.busy or not self._is_exact(self._typed.value.strip())

    def _draw_run(self) -> None:
        run = self.run
        self._run_box.layout.display = "none" if run is None else None
        if run is None:
            return
        progress, under_way = run.progress, run.state in ("running", "paused")
        self._bar.max, self._bar.value = max(progress.total, 1), progress.ended
        self._run_told.value = look.escaped(f"{run.state}: {progress}")
        self._hold.description = "Resume" if self._paused else "Pause"
        self._hold.disabled = self._halt.disabled = not under_way
        self._halt.button_style = "danger" if under_way else ""
        self._again.disabled = self._errand.busy


def _report(run: RunHandle) -> Report | None:
    """How the run ended; None where it has not, after a moment's wait. Raises what ended it early."""
    try:
        return run.wait(timeout=_LOOK_EVERY)
    except TimeoutError:
        return None
