"""How a verb that makes or shows a plan tells it: the plan on stdout, how to apply it on stderr."""

from __future__ import annotations

from pathlib import Path

from hnbulk.cli.talk import Talk
from hnbulk.review import Plan


def save_plan(talk: Talk, made: Plan, out: Path) -> None:
    """The plan lies in `out` and is shown."""
    made.save(out)
    show_plan(talk, made, out)
    talk.say(f"saved: {out}")


def show_plan(talk: Talk, made: Plan, path: Path) -> None:
    """The plan is on stdout; how to apply it, where there is anything to do, on stderr."""
    talk.show(made.text, {"plan": str(path), **made.as_json()})
    if made.file.steps:
        talk.say(f"nothing was sent. To apply it: {made.command}")
