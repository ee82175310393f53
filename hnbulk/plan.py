"""What would bring the account to the targets: a plan, row by row, and why a row has no step.

Targets and orders are joined and compared as columns; only what differs becomes steps. This
module sends nothing, reads no file, and asks no clock. Rules: design, "Plan rules".
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from hnbulk import lifecycle
from hnbulk.cancels import plan_prune, refuse_blind_prune
from hnbulk.differences import FIXED, UPDATABLE, any_of, as_found, differing, records, values
from hnbulk.drafts import Draft, Rows, SetAside, changed_at, distinct, not_set_aside, owners
from hnbulk.frames import TARGET_COLUMNS
from hnbulk.live import LiveOrders, Positions
from hnbulk.planfile import PlanFile, PlanHeader
from hnbulk.steps import Action, Step, Verdict, sort_steps
from hnbulk.thresholds import check_thresholds

LATER_FIELDS = ("extension", "call_delay")
#: What a new order can be given; `LATER_FIELDS` need an update after it.
CREATE_FIELDS = tuple(name for name in TARGET_COLUMNS if name not in ("row", "phone_number", *LATER_FIELDS))

# A host this rare among creates that otherwise share one is worth a second look (a changed
# SmsUrl takes every inbound message with it).
RARE_HOST, COMMON_HOST = 0.05, 0.80


def build_plan(
    targets: pd.DataFrame,
    orders: pd.DataFrame,
    *,
    header: PlanHeader,
    rows: Rows,
    set_aside: SetAside,
    prune: bool = False,
    allow_updates: int | None = None,
    allow_cancels: int | None = None,
    refused: Mapping[str, tuple[str, str]] | None = None,
    retry_refused: bool = False,
) -> PlanFile:
    """The plan from `orders` (all of the account's, failed ones too) to `targets`.

    `header` says what it is made from; both frames have the columns of `frames`. Every one of `rows`
    is in the plan with a verdict. With `prune`, each live order the targets do not name gets a row
    behind the last one; it has no cells, so that its line of a result file is no target when fed
    back. `refused` holds what the service said to a create earlier, by content hash or number hash.
    Raises `LimitRefused` where a threshold is passed, `UsageError` for a prune beside faulty rows.
    """
    account_sid = header.account_sid
    draft = Draft(rows, set_aside)
    asked = distinct(not_set_aside(targets, draft), draft)
    live = LiveOrders.of(orders)
    matched = _plan_targets(draft, asked, live, account_sid=account_sid)
    if refused and not retry_refused:
        _block_refused(draft, refused)
    if prune:
        refuse_blind_prune(rows, targets, set_aside)
        plan_prune(draft, live, named=targets["phone_number"], account_sid=account_sid)
    check_thresholds(
        matched=matched,
        updates=draft.count(Action.UPDATE),
        live=len(live),
        cancels=draft.count(Action.CANCEL),
        allow_updates=allow_updates,
        allow_cancels=allow_cancels,
    )
    return PlanFile(header, sort_steps(draft.steps), draft.rows())


def unique_name(account_sid: str, phone_number: str, generation: int) -> str:
    """The name we give an order: one for an account, a number and how many of its orders failed.

    The same on every machine and after a lost journal; no phone number in clear.
    """
    text = f"hnbulk|1|{account_sid}|{phone_number}|{generation}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()[:15]).decode()
    return f"hn1-{digest[:20].lower()}"


def _plan_targets(draft: Draft, asked: pd.DataFrame, live: LiveOrders, *, account_sid: str) -> int:
    """Every target has a verdict; returns how many have a live order to be compared with."""
    at = live.find(asked["phone_number"])
    matched = at >= 0
    doubled = live.among_doubled(asked["phone_number"])
    for row in asked["row"][doubled].tolist():
        draft.leave(int(row), Verdict.CONFLICT, "two-live-orders")
    found = asked if matched.all() else asked[matched]
    _plan_updates(draft, found, live.orders, at[matched], account_sid=account_sid)
    _plan_creates(draft, asked[~matched & ~doubled], live, account_sid=account_sid)
    return int(matched.sum())


def _plan_updates(
    draft: Draft, asked: pd.DataFrame, orders: pd.DataFrame, at: Positions, *, account_sid: str
) -> None:
    """A verdict for each row, whose live order is at its place `at`, and an update where a field
    differs."""
    fixed = differing(asked, orders, FIXED, at)
    changes = differing(asked, orders, UPDATABLE, at)
    differs = any_of({**fixed, **changes}, len(asked))
    all_rows = asked["row"].to_numpy(dtype=np.int64)
    draft.leave_as_wanted(all_rows[~differs], orders, at[~differs])
    places = np.flatnonzero(differs)
    asked, orders, rows = asked.iloc[places], orders.iloc[at[places]], all_rows[places].tolist()
    sids, statuses = values(orders, "sid"), [str(name) for name in orders["status"].tolist()]
    accounts, seen = owners(orders, account_sid), changed_at(orders)
    after = {name: values(asked, name) for name in UPDATABLE}
    before = {name: as_found(orders, name) for name in UPDATABLE}
    numbers = asked["phone_number"].tolist()
    for k, n in enumerate(places.tolist()):
        names = [name for name in UPDATABLE if changes[name][n]]
        fault = _why_not([name for name in FIXED if fixed[name][n]], statuses[k])
        if fault:
            draft.leave(rows[k], Verdict.BLOCKED, *fault, sid=sids[k], status=statuses[k], updated=seen[k])
            continue
        draft.leave(rows[k], Verdict.PLANNED, sid=sids[k], status=statuses[k], updated=seen[k])
        draft.steps.append(
            Step(
                rows[k],
                Action.UPDATE,
                numbers[k],
                sid=sids[k],
                before={name: before[name][k] for name in names},
                after={name: after[name][k] for name in names},
                precondition={"status": statuses[k], "sid": sids[k], **accounts[k]},
                risk=_update_risk(names, statuses[k]),
            )
        )


def _why_not(fixed: Sequence[str], status: str) -> tuple[str, str | None] | None:
    """Code and note where a row's differences cannot be brought to its order."""
    if fixed:
        anew = "cancel the order and create it anew" if lifecycle.may_cancel(status) else ""
        out = f"{anew}, or " if anew else f"an order in {status} cannot be canceled either: "
        what = fixed[0].removesuffix("_sid")
        note = f"the {what} of an order cannot be changed; {out}leave {fixed[0]} blank"
        return f"{what}-differs", note
    if status == "action-required":
        return "action-required", None
    if not lifecycle.may_update(status):
        return "not-updatable", f"an order in {status} takes no changes; leave the fields blank that differ"
    return None


def _update_risk(names: Sequence[str], status: str) -> str | None:
    if status == "pending-loa" and {"email", "cc_emails"} & set(names):
        return "the letter has already gone to the old address"
    if status == "pending-verification" and {"verification_type", "extension"} & set(names):
        return "a verification is under way"
    return None


def _plan_creates(draft: Draft, asked: pd.DataFrame, live: LiveOrders, *, account_sid: str) -> None:
    """An order for each row whose number has none, and an update behind it where one is needed."""
    given = asked["unique_name"]
    double = (given.notna() & given.duplicated(keep=False)).to_numpy(dtype=np.bool_)
    taken = (given.notna() & given.isin(live.column("unique_name").dropna())).to_numpy(dtype=np.bool_)
    for mask, code in ((taken, "unique-name-taken"), (double, "duplicate-unique-name")):
        for row in asked["row"][mask].tolist():
            draft.leave(int(row), Verdict.CONFLICT, code)
    asked = asked[~double & ~taken]
    risks = _host_risks(asked)
    wanted, later = records(asked, CREATE_FIELDS), records(asked, LATER_FIELDS)
    listed = zip(asked["row"].tolist(), asked["phone_number"].tolist(), wanted, later, strict=True)
    for row, number, after, dependent in listed:
        failures = live.failures.get(number, 0)
        after.setdefault("unique_name", unique_name(account_sid, number, failures))
        again = f"attempt {failures + 1}: the order before it failed" if failures else None
        create = Step(
            int(row),
            Action.CREATE,
            number,
            after=after,
            precondition={"live": None, "generation": failures},
            risk=risks.get(after.get("sms_url", "")) or again,
        )
        draft.leave(int(row), Verdict.PLANNED)
        draft.steps.append(create)
        dependent = {name: value for name, value in dependent.items() if value}  # 0 s is the default
        if dependent:
            needs = {"after": str(Action.CREATE)}
            if after.get("account_sid", account_sid) != account_sid:
                needs["account_sid"] = after["account_sid"]
            draft.steps.append(Step(int(row), Action.UPDATE, number, after=dependent, precondition=needs))


def _host_risks(asked: pd.DataFrame) -> dict[str, str]:
    """A warning for each SMS address on a host that few rows have while nearly all share another."""
    counts = Counter(values(asked, "sms_url"))
    counts.pop(None, None)
    hosts: Counter[str] = Counter()
    for url, count in counts.items():
        hosts[urlsplit(url).hostname or ""] += count
    total = hosts.total()
    if not hosts or hosts.most_common(1)[0][1] < COMMON_HOST * total:
        return {}
    rare = {host for host, count in hosts.items() if count < RARE_HOST * total}
    named = ((url, urlsplit(url).hostname or "") for url in counts)
    return {
        url: f"high: all inbound messages go to {host}, unlike those of nearly all rows"
        for url, host in named
        if host in rare
    }


def _block_refused(draft: Draft, refused: Mapping[str, tuple[str, str]]) -> None:
    """Creates the service refused before, for their number or word for word, are blocked with what
    it said."""
    answers: set[int | None] = set()
    for step in draft.steps:
        if step.action is not Action.CREATE:
            continue
        if (said := refused.get(step.number_hash())) is not None:
            way_out = "the service refused this number before ({}); clear the cause and use --retry-refused"
        elif (said := refused.get(step.content_hash())) is not None:
            way_out = (
                "the service refused exactly this before ({}); "
                "change the row, or clear the cause and use --retry-refused"
            )
        else:
            continue
        answers.add(step.row)
        if step.row is not None:
            draft.leave(step.row, Verdict.BLOCKED, said[0], way_out.format(said[1].rstrip(".")))
    draft.steps = [step for step in draft.steps if step.row not in answers]
