"""Verbs on the account's orders: `orders`, `verify`, `authorize`, `funnel`, `report`.

They read, plan and picture; no phone rings and no letter goes out from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Annotated

import typer

from hnbulk.cli.columns import in_columns, minute
from hnbulk.cli.options import AsJson
from hnbulk.cli.talk import Talk

if TYPE_CHECKING:
    import pandas as pd

    from hnbulk.funnel import Funnel


_SLOW = 1.0  # seconds after which somebody waiting is told what is going on
_READING = "reading the account's orders ..."


def add_to(app: typer.Typer) -> None:
    """The verbs are part of `app`."""
    app.command(epilog="Example: hnbulk orders --status pending-verification")(orders)
    app.command(epilog="Example: hnbulk verify --out calls.plan --max-calls 20")(verify)
    app.command(
        epilog="Example: hnbulk authorize --out letters.plan --contact-title Owner "
        "--contact-phone +14155550100"
    )(authorize)
    app.command(epilog="Example: hnbulk funnel --picture funnel.svg")(funnel)
    app.command(epilog="Example: hnbulk report --out report.html")(report)


def orders(
    status: Annotated[
        str | None, typer.Option("--status", metavar="STATUS", help="Only orders in this status.")
    ] = None,
    phone_number: Annotated[
        str | None, typer.Option("--phone-number", metavar="NUMBER", help="Only this number (E.164).")
    ] = None,
    unique_name: Annotated[
        str | None, typer.Option("--unique-name", metavar="NAME", help="Only this name.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Rows of the table shown to a person.")
    ] = 40,
    as_json: AsJson = False,
) -> None:
    """List the account's orders.

    Shown are the counts by status and a table; --json gives every order, as JSON Lines.
    """
    from hnbulk.connecting import connect
    from hnbulk.frames import records_of

    talk = Talk(as_json)
    _check_filters(status, phone_number)
    asked = {"status": status, "phone_number": phone_number, "unique_name": unique_name}
    given = {name: value for name, value in asked.items() if value is not None}
    with connect() as account:
        frame = account.orders(progress=talk.progress, **given)
    if as_json:
        talk.rows("", records_of(frame))
    elif frame.empty:
        talk.show("no such orders in this account" if given else "no orders in this account yet", None)
    else:
        talk.show("\n".join(_told_orders(frame, limit)), None)


def _check_filters(status: str | None, phone_number: str | None) -> None:
    """Raises `UsageError` for a filter that could only find nothing."""
    from hnbulk import lifecycle
    from hnbulk.errors import UsageError
    from hnbulk.phones import is_e164

    if status is not None and lifecycle.known(status) is None:
        raise UsageError(f"--status {status} is no status. There are: {', '.join(lifecycle.ORDER)}.")
    if phone_number is not None and not is_e164(phone_number):
        raise UsageError(f"--phone-number {phone_number} is not in E.164 form, such as +14155550100.")


def _told_orders(frame: pd.DataFrame, limit: int) -> list[str]:
    """Counts by status, then the first orders, one a line."""
    from hnbulk.frames import records_of
    from hnbulk.wording import count_text

    found = frame["status"].value_counts(sort=False)
    counts = [(str(name), int(count)) for name, count in found.items() if count]
    named = ["phone_number", "status", "date_updated", "verification_attempts", "sid"]
    rows = [
        tuple({**order, "date_updated": minute(order["date_updated"])}.values())
        for order in records_of(frame[named].head(limit))
    ]
    left = len(frame) - limit
    return [
        *in_columns((count_text(len(frame), "order"), ""), counts),
        "",
        *in_columns(("number", "status", "updated (UTC)", "attempts", "sid"), rows),
        *([f"... and {left:,} more: --limit shows more, --json all"] if left > 0 else []),
    ]


def verify(
    out: Annotated[Path, typer.Option("--out", help="Where the plan of calls goes.", metavar="CALLS")],
    max_calls: Annotated[
        int | None, typer.Option("--max-calls", metavar="N", min=1, help="At most this many calls. [10]")
    ] = None,
    at_once: Annotated[
        int | None, typer.Option("--at-once", metavar="N", min=1, help="At most this many at once. [2]")
    ] = None,
    toll_free_zone: Annotated[
        str | None,
        typer.Option(
            "--toll-free-zone",
            metavar="ZONE",
            help="Time zone of the owners of toll-free numbers, such as America/Chicago; without it "
            "they are not called.",
        ),
    ] = None,
    last_attempt: Annotated[
        bool,
        typer.Option("--last-attempt", help="Also orders with one attempt left: a third failure is final."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Plan the verification calls that are due; no phone rings.

    They go in waves, inside each number's calling hours, and nothing rings before
    `hnbulk apply CALLS --approve HASH8 --place-calls N`.
    """
    from hnbulk.cli.plans import check_plan_out, save_plan
    from hnbulk.connecting import connect

    check_plan_out(out)
    with connect() as account:
        made = account.verify(
            max_calls=max_calls, at_once=at_once, toll_free_zone=toll_free_zone, last_attempt=last_attempt
        )
    save_plan(Talk(as_json), made, out)


def authorize(
    out: Annotated[Path, typer.Option("--out", help="Where the plan of letters goes.", metavar="LETTERS")],
    contact_title: Annotated[
        str, typer.Option("--contact-title", metavar="TITLE", help="Title of the person who signs.")
    ],
    contact_phone: Annotated[
        str,
        typer.Option("--contact-phone", metavar="NUMBER", help="Phone of the person who signs (E.164)."),
    ],
    address_sid: Annotated[
        str | None,
        typer.Option(
            "--address-sid", metavar="SID", help="For orders that have none: the owner's address."
        ),
    ] = None,
    email: Annotated[
        str | None, typer.Option("--email", metavar="ADDRESS", help="For orders that have none: who signs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Plan the letters of authorization for verified orders.

    Orders of one address and one signer share a letter. None is mailed before
    `hnbulk apply LETTERS --approve HASH8`.
    """
    from hnbulk.cli.plans import check_plan_out, save_plan
    from hnbulk.connecting import connect
    from hnbulk.errors import UsageError
    from hnbulk.phones import is_e164

    check_plan_out(out)
    if not is_e164(contact_phone):
        raise UsageError(f"--contact-phone {contact_phone} is not in E.164 form, such as +14155550100.")
    if not contact_title.strip():
        raise UsageError("--contact-title is empty; write the title of the person who signs.")
    with connect() as account:
        made = account.authorize(
            contact_title=contact_title,
            contact_phone_number=contact_phone,
            address_sid=address_sid,
            email=email,
        )
    save_plan(Talk(as_json), made, out)


def funnel(
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", metavar="FILE", help="Also write the funnel as SVG or PNG, by its ending."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how far every number has come, and how long it took.

    All orders are read once more; what was seen of them before is remembered.
    """
    from hnbulk.connecting import connect
    from hnbulk.frames import records_of

    talk = Talk(as_json)
    with connect() as account:
        with _told_if_slow(talk, _READING, unless=talk.progress):
            account.poll(progress=talk.progress)
        with _told_if_slow(talk, "counting how far the numbers came ..."):
            made = account.funnel()
    if picture is not None:
        with _told_if_slow(talk, "drawing the picture ..."):
            made.plot().save(picture)
        talk.say(f"picture: {picture}")
    told = [str(made), *_told_next(made)] if made.numbers else ["no orders in this account yet"]
    talk.show(
        "\n".join(told), {"as_of": made.as_of, "numbers": made.numbers, "stages": records_of(made.table)}
    )


def _told_next(made: Funnel) -> list[str]:
    """What to do next, status by status."""
    steps = [
        (f"{count:,} {stage}", advice) for stage, count, advice in made.next_steps.itertuples(index=False)
    ]
    return ["", *in_columns(("next", ""), steps)] if steps else []


@contextmanager
def _told_if_slow(talk: Talk, text: str, *, unless: bool = False) -> Iterator[None]:
    """`text` is said on stderr once the block has taken a second; not `unless` a bar is shown."""
    if unless:
        yield
        return
    timer = Timer(_SLOW, talk.say, (text,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def report(
    out: Annotated[Path, typer.Option("--out", help="Where the page goes.", metavar="HTML")] = Path(
        "report.html"
    ),
    as_json: AsJson = False,
) -> None:
    """Write the funnel as one self-contained HTML page.

    How far numbers came, how long it takes, where they stand, what is stuck; no number is named
    in full.
    """
    from hnbulk.cli.plans import check_out
    from hnbulk.connecting import connect
    from hnbulk.files import write_private
    from hnbulk.report import build_report, reasons_of

    talk = Talk(as_json)
    check_out(out, is_ours=lambda begins: begins.lower().startswith(b"<!doctype html"), what="a report")
    with connect() as account:
        with _told_if_slow(talk, _READING, unless=talk.progress):
            orders = account.poll(progress=talk.progress)
        with _told_if_slow(talk, "drawing the report ..."):
            page = build_report(
                funnel=account.funnel(),
                reasons=reasons_of(orders),
                title="Hosted numbers",
                made_at=account.now,
                account_label=account.connection.account_sid,
            )
    write_private(out, page.encode())
    talk.show(f"report: {out}", {"report": str(out), "bytes": len(page.encode())})
