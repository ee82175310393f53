"""Move thousands of phone numbers to Twilio Hosted SMS: plan, review, apply exactly once, watch.

The names here are the front door; each loads what it needs when it is first used, so that
`import hnbulk` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "connect": "hnbulk.connecting",
    "connect_sandbox": "hnbulk.connecting",
    "Account": "hnbulk.account",
    "read_targets": "hnbulk.intake",
    "Plan": "hnbulk.review",
    "build_funnel": "hnbulk.funnel",
    "Funnel": "hnbulk.funnel",
    "HnbulkError": "hnbulk.errors",
    "CallLimits": "hnbulk.settings",
    "Pace": "hnbulk.settings",
}
__all__ = [
    "Account",
    "CallLimits",
    "Funnel",
    "HnbulkError",
    "Pace",
    "Plan",
    "build_funnel",
    "connect",
    "connect_sandbox",
    "read_targets",
    "widgets",
]

if TYPE_CHECKING:
    from hnbulk import widgets
    from hnbulk.account import Account
    from hnbulk.connecting import connect, connect_sandbox
    from hnbulk.errors import HnbulkError
    from hnbulk.funnel import Funnel, build_funnel
    from hnbulk.intake import read_targets
    from hnbulk.review import Plan
    from hnbulk.settings import CallLimits, Pace


def __getattr__(name: str) -> Any:
    if name == "widgets":
        return import_module("hnbulk.widgets")
    if name not in _HOME:
        raise AttributeError(f"module 'hnbulk' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
