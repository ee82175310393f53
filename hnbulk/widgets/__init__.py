"""Widgets for a notebook: choose orders by hand, and place verification calls under a person's eyes.

Each is a thin face over calls of `account`: it shows, asks and follows, and decides nothing.
This folder is the only one that knows ipywidgets, an extra of the installation.
"""

from __future__ import annotations

try:
    from hnbulk.widgets.order_browser import OrderBrowser
    from hnbulk.widgets.verification_desk import VerificationDesk
except ModuleNotFoundError as error:
    if error.name != "ipywidgets":
        raise
    raise ImportError("the widgets need ipywidgets. Install it: pip install 'hnbulk[lab]'") from None

__all__ = ["OrderBrowser", "VerificationDesk"]
