"""How a verb that makes or shows a plan tells it: the plan on stdout, how to apply it on stderr."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnbulk.cli.talk import Talk
from hnbulk.errors import UsageError
from hnbulk.planfile import load_plan
from hnbulk.review import Plan

if TYPE_CHECKING:
    from hnbulk.runs import Drifted


def check_out(out: Path, *, is_ours: Callable[[bytes], bool], what: str) -> None:
    """`out` may be written: it is not there yet, or it is `what`, made by us before.

    Raises `UsageError` for anything else, so that no list is ever written over.
    """
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it.", path=str(out))
    try:
        with out.open("rb") as file:
            begins = file.read(1 << 16)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"--out {out} cannot be used: {error.strerror}.", path=str(out)) from None
    if begins and not is_ours(begins):
        raise UsageError(
            f"--out {out} exists and is not {what}; it was left as it is. Name another file.", path=str(out)
        )


def check_plan_out(out: Path) -> None:
    """`out` may be written as a plan. Raises `UsageError` where it holds something else."""
    check_out(out, is_ours=lambda begins: b'"kind":"header"' in begins.partition(b"\n")[0], what="a plan")


def save_plan(talk: Talk, made: Plan, out: Path, **more: Any) -> None:
    """The plan lies in `out` and is shown; `more` stands beside it with `--json`."""
    made.save(out)
    try:
        show_plan(talk, made, out, **more)
    finally:  # also where it could not be shown
        talk.say(f"saved: {out}")


def rebase_plan(talk: Talk, old: Path, out: Path) -> Plan:
    """What is left of the plan in `old` lies in `out` and is shown, with what was kept and dropped."""
    from hnbulk import runs
    from hnbulk.connection import connect_from
    from hnbulk.settings import read_settings

    plan = load_plan(old)
    with connect_from(read_settings()) as connection:
        rebased = runs.rebase_plan(connection, plan)
    made = Plan(rebased.plan)
    save_plan(talk, made, out, **rebased.as_json())
    talk.say(str(rebased))
    return made


def read_drift(plan: Plan) -> Drifted:
    """How the service is not as the plan saw it."""
    from hnbulk import runs
    from hnbulk.connection import connect_from
    from hnbulk.settings import read_settings

    with connect_from(read_settings()) as connection:
        return runs.find_drift(connection, plan.file)


def told_as(made: Plan, form: str, *, whole: bool) -> str:
    """The plan as `text`, `markdown` or `html`; the last is a page that stands alone."""
    if form == "markdown":
        return made.markdown(whole=whole).rstrip("\n")
    if form == "html":
        from hnbulk.page import page

        body = f"<section>{made.card(how=[made.command], whole=whole)}</section>"
        return page(f"Plan {made.checksum[:8]}", "", [body]).rstrip("\n")
    return made.text(whole=whole)


def show_plan(
    talk: Talk,
    made: Plan,
    path: Path,
    *,
    whole: bool = False,
    form: str = "text",
    drift: Drifted | None = None,
    **more: Any,
) -> None:
    """The plan is on stdout; how to apply it, where there is anything to do, on stderr.

    `drift` stands behind it, or on stderr where the plan is told in a form of its own.
    """
    told = told_as(made, form, whole=whole)
    if drift is not None:
        more |= drift.as_json()
        told = f"{told}\n\n{drift}" if form == "text" else told
    talk.show(told, {"plan": str(path), **made.as_json(whole=whole), **more})
    if drift is not None and form != "text":
        talk.say(str(drift))
    if made.file.steps:
        talk.say(f"nothing was sent. To apply it: {made.command}")
