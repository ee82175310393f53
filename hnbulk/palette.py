"""One colour for each status, the same in every picture, table and widget.

No two of them fall together for colour-blind readers. This module draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

#: One colour per status, pairwise over 0.1 apart in OKLab for normal, deuteranope and protanope eyes.
COLORS: Mapping[str, str] = {
    "twilio-processing": "#778999",
    "received": "#9CD0FB",
    "pending-verification": "#145FBF",
    "verified": "#2AC3AD",
    "pending-loa": "#AD89F1",
    "carrier-processing": "#361A9A",
    "testing": "#983D78",
    "completed": "#095228",
    "action-required": "#E7B602",
    "failed": "#DA5A28",
}
UNKNOWN_COLOR = "#B9B2A6"


def color_of(status: str) -> str:
    """The colour a status has in every picture; one shared colour for statuses the table lacks."""
    return COLORS.get(status, UNKNOWN_COLOR)
