"""A plan of letters of authorization: which verified orders go into which letter, to whom.

Orders of one address and one signer share a letter. A letter is mailed the moment it is made, so
an order that lacks an address or a signer is left out with its reason. Nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import pandas as pd

from hnbulk.considered import Candidate, Considered
from hnbulk.errors import UsageError
from hnbulk.lifecycle import may_authorize
from hnbulk.planfile import PlanFile
from hnbulk.steps import Action, Step, Verdict

#: The most numbers one letter takes (frequently asked questions of the product).
LETTER_SIZE = 15_000

Key = tuple[str, str]  # address sid and the signer's e-mail address


def build_letters(
    orders: pd.DataFrame,
    *,
    contact_title: str | None,
    contact_phone_number: str | None,
    address_sid: str | None = None,
    email: str | None = None,
    cc_emails: Sequence[str] = (),
    made_at: datetime,
    read_at: datetime,
    dialect: str,
    base_url: str,
    account_sid: str,
) -> PlanFile:
    """The plan of letters for the verified ones of `orders`; every order has a row.

    One group `letter-1`, `letter-2`, ... for each address and signer, at most `LETTER_SIZE`
    numbers a letter. `address_sid` and `email` stand in where an order has none. A letter is
    copied to `cc_emails` and to all whom its orders name. Raises `UsageError` where there is a
    letter to send and no contact to name in it.
    """
    considered = Considered.of(orders)
    doubled = considered.doubled()
    groups: dict[Key, list[Candidate]] = {}
    for one in considered.candidates:
        where, signer = one.address_sid or address_sid, one.email or email
        reason = _why_not(one, where, signer, doubled=one.phone_number in doubled)
        considered.leave(one, *(reason or (Verdict.PLANNED,)))
        if reason is None:
            groups.setdefault((where or "", signer or ""), []).append(one)
    if groups and not (contact_title and contact_phone_number):
        raise UsageError(
            "a letter names a contact: give --contact-title and --contact-phone.",
            letters=len(groups),
        )
    contact = {"contact_title": contact_title, "contact_phone_number": contact_phone_number}
    steps = [
        step
        for number, (key, members) in enumerate(_letters(groups), 1)
        for step in _letter(f"letter-{number}", key, members, contact, cc_emails)
    ]
    return considered.plan(
        steps,
        name="letters",
        dialect=dialect,
        base_url=base_url,
        account_sid=account_sid,
        made_at=made_at,
        read_at=read_at,
    )


def contact_of(plan: PlanFile, rows: Collection[int]) -> dict[str, str]:
    """The contact that a plan's letters for these rows name, to plan them again; and their address
    and signer, where all of them share one."""
    steps = [step for step in plan.steps if step.row in rows]
    named = ("contact_title", "contact_phone_number", "address_sid", "email")
    given = {name: {str(step.after[name]) for step in steps} for name in named}
    return {name: found.pop() for name, found in given.items() if len(found) == 1}


def _why_not(
    one: Candidate, where: str | None, signer: str | None, *, doubled: bool
) -> tuple[Verdict, str, str] | None:
    """Verdict, code and note where this order goes into no letter; None where it does."""
    if doubled:
        return Verdict.CONFLICT, "two-live-orders", "the service has two live orders on this number"
    if not may_authorize(one.status):
        note = f"an order in {one.status} takes no letter; only verified ones do"
        return Verdict.SET_ASIDE, "not-verified", note
    if not where:
        return Verdict.BLOCKED, "no-address", "the order has no address; give one with --address-sid"
    if not signer:
        return Verdict.BLOCKED, "no-email", "nobody is named to sign; give one with --email"
    return None


def _letters(groups: dict[Key, list[Candidate]]) -> list[tuple[Key, list[Candidate]]]:
    return [
        (key, members[start : start + LETTER_SIZE])
        for key, members in sorted(groups.items())
        for start in range(0, len(members), LETTER_SIZE)
    ]


def _letter(
    group: str,
    key: Key,
    members: Sequence[Candidate],
    contact: dict[str, str | None],
    cc_emails: Sequence[str],
) -> list[Step]:
    """The steps of one letter: the same content, one step an order."""
    wanted = {one.cc_emails for one in members}
    copies = sorted({*cc_emails, *(address for addresses in wanted for address in addresses)} - {key[1]})
    content = {"address_sid": key[0], "email": key[1], **contact, "cc_emails": copies}
    return [
        Step(
            one.row,
            Action.AUTHORIZE,
            one.phone_number,
            sid=one.sid,
            before={"status": one.status},
            after=content,
            precondition={"status": one.status, "sid": one.sid},
            risk="its copies differ from order to order; all of them get it" if len(wanted) > 1 else None,
            group=group,
        )
        for one in members
    ]
