"""Verbs on the account's orders: `orders`, `verify`, `authorize`, `funnel`, `report`.

They read, plan and picture; no phone rings and no letter goes out from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hnbulk.cli.options import AsJson
from hnbulk.cli.talk import Talk

if TYPE_CHECKING:
    from hnbulk.review import Plan


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
    status: Annotated[str | None, typer.Option("--status", help="Only orders in this status.")] = None,
    phone_number: Annotated[
        str | None, typer.Option("--phone-number", help="Only this number (E.164).")
    ] = None,
    unique_name: Annotated[str | None, typer.Option("--unique-name", help="Only this name.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows of the table shown to a person.")] = 40,
    as_json: AsJson = False,
) -> None:
    """List the account's orders: counts by status and a table; all rows with --json (JSON Lines)."""
    from hnbulk.account import connect
    from hnbulk.frames import records_of

    talk = Talk(as_json)
    given = {"status": status, "phone_number": phone_number, "unique_name": unique_name}
    with connect() as account:
        frame = account.orders(
            progress=talk.progress, **{name: value for name, value in given.items() if value is not None}
        )
    counts = frame["status"].value_counts(sort=False)
    lines = [f"{name:<22}{count:>8,}" for name, count in counts.items() if count]
    shown = frame[["phone_number", "status", "date_updated", "verification_attempts", "sid"]].head(limit)
    table = shown.to_string(index=False) if len(frame) else ""
    more = f"... and {len(frame) - limit:,} more (--limit, or --json for all)" if len(frame) > limit else ""
    text = "\n".join(part for part in (f"{len(frame):,} orders", *lines, "", table, more) if part or lines)
    talk.rows(text, records_of(frame))


def verify(
    out: Annotated[Path, typer.Option("--out", help="Where the plan of calls goes.", metavar="CALLS")],
    max_calls: Annotated[
        int | None, typer.Option("--max-calls", min=1, help="At most this many calls. [10]")
    ] = None,
    at_once: Annotated[
        int | None, typer.Option("--at-once", min=1, help="At most this many at once. [2]")
    ] = None,
    toll_free_zone: Annotated[
        str | None,
        typer.Option(
            "--toll-free-zone", help="Time zone of the owners of toll-free numbers; else not called."
        ),
    ] = None,
    last_attempt: Annotated[
        bool,
        typer.Option("--last-attempt", help="Also orders with one attempt left: a third failure is final."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Plan the verification calls that are due, in waves inside each number's calling hours.

    No phone rings before `hnbulk apply CALLS --approve HASH8 --place-calls N`.
    """
    from hnbulk.account import connect

    with connect() as account:
        made = account.verify(
            max_calls=max_calls, at_once=at_once, toll_free_zone=toll_free_zone, last_attempt=last_attempt
        )
    _save(Talk(as_json), made, out, extra=f" --place-calls {len(made.file.steps)}")


def authorize(
    out: Annotated[Path, typer.Option("--out", help="Where the plan of letters goes.", metavar="LETTERS")],
    contact_title: Annotated[str, typer.Option("--contact-title", help="Title of the person who signs.")],
    contact_phone: Annotated[
        str, typer.Option("--contact-phone", help="Phone of the person who signs (E.164).")
    ],
    address_sid: Annotated[
        str | None, typer.Option("--address-sid", help="For orders that have none: the owner's address.")
    ] = None,
    email: Annotated[
        str | None, typer.Option("--email", help="For orders that have none: who signs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Plan the letters of authorization for verified orders, one a letter for each owner."""
    from hnbulk.account import connect

    with connect() as account:
        made = account.authorize(
            contact_title=contact_title,
            contact_phone_number=contact_phone,
            address_sid=address_sid,
            email=email,
        )
    _save(Talk(as_json), made, out)


def funnel(
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Also write the funnel as SVG or PNG, by its ending.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read all orders once more and show how far every number has come, and how long it took."""
    from hnbulk.account import connect
    from hnbulk.frames import records_of

    talk = Talk(as_json)
    with connect() as account:
        account.poll(progress=talk.progress)
        made = account.funnel()
    if picture is not None:
        made.plot().save(picture)
        talk.say(f"picture: {picture}")
    talk.show(str(made), {"as_of": made.as_of, "numbers": made.numbers, "stages": records_of(made.table)})


def report(
    out: Annotated[Path, typer.Option("--out", help="Where the page goes.", metavar="HTML")] = Path(
        "report.html"
    ),
    as_json: AsJson = False,
) -> None:
    """Write one self-contained HTML page: the funnel, where every number stands, what is stuck."""
    from hnbulk.account import connect
    from hnbulk.files import write_private
    from hnbulk.report import build_report

    talk = Talk(as_json)
    with connect() as account:
        account.poll(progress=talk.progress)
        page = build_report(
            funnel=account.funnel(),
            title="Hosted numbers",
            made_at=account.now,
            account_label=account.connection.account_sid,
        )
    write_private(out, page.encode())
    talk.show(f"report: {out}", {"report": str(out), "bytes": len(page.encode())})


def _save(talk: Talk, made: Plan, out: Path, *, extra: str = "") -> None:
    made.save(out)
    talk.show(f"{made}\nsaved: {out}", {"plan": str(out), **made.as_json()})
    if made.file.steps:
        talk.say(f"nothing was sent. To apply it: hnbulk apply {out} --approve {made.checksum[:8]}{extra}")
