"""The verb `rebuild`: a lost or damaged journal begun anew from a plan that was under way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hnbulk.cli.options import AsJson
from hnbulk.cli.talk import Talk


def add_to(app: typer.Typer) -> None:
    """The verb is part of `app`."""
    app.command(epilog="Example: hnbulk rebuild branches.plan --approve 1a2b3c4d")(rebuild)


def rebuild(
    plan_file: Annotated[Path, typer.Argument(help="The plan that was under way.", metavar="PLAN")],
    approve: Annotated[
        str,
        typer.Option(
            "--approve", metavar="HASH8", help="The first eight characters of the plan's checksum."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Begin a lost or damaged journal anew from a plan.

    Nothing is sent: every step is taken as sent and unanswered, and `hnbulk resume` then looks each
    one up, takes over the orders that are there, and sends what is not. The old journal is kept.
    """
    from hnbulk.files import refuse_network
    from hnbulk.planfile import load_plan
    from hnbulk.rebuild import rebuild as begin_anew
    from hnbulk.settings import check_base_url, read_settings

    talk = Talk(as_json)
    settings, plan = read_settings(), load_plan(plan_file)
    if not settings.hnbulk_unsafe_fs:
        refuse_network(settings.hnbulk_home)
    made = begin_anew(
        settings.hnbulk_home,
        plan,
        approve=approve,
        account_sid=settings.credentials.account_sid,
        base_url=check_base_url(settings.hnbulk_base_url),
    )
    document = {
        "run_id": made.run_id,
        "checksum": made.checksum,
        "steps": made.steps,
        "moved": None if made.moved is None else str(made.moved),
    }
    talk.show(f"run {made.run_id} is rebuilt: {made.steps:,} steps count as sent and unanswered", document)
    if made.moved is not None:
        talk.say(f"the old journal was kept as {made.moved}; rebuild each other plan that was under way.")
    talk.say(
        f"nothing was sent. To look every step up and send what is missing: hnbulk resume {made.run_id}"
    )
