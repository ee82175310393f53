"""When a run looks at orders anew, one by one or all of them, and how many requests that makes of a plan.

What a person is told of a plan and what a run does rest on the same numbers here. This reads
nothing and sends nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta

from hnbulk.planfile import PlanFile
from hnbulk.steps import Action

#: A reading older than this is not believed any more (safety rules, 2.1 step 3).
BELIEVED = timedelta(seconds=60)
#: Before a run: up to so many steps their orders are asked for one by one; more by one reading of all.
FEW_STEPS = 20
#: Before a create or a cancel, from so many steps on all orders are read first.
MANY = 200
#: The same before calls and letters, and after them.
LARGE = 50
#: After a run: up to so many numbers of creates, and of cancels, are looked at one by one.
FEW_NUMBERS = 10
#: Orders on one page of a reading of all.
PAGE = 1000


def writes(plan: PlanFile) -> int:
    """How many POST and DELETE requests the plan sends when all goes well; a letter is one."""
    groups = Counter(step.group for step in plan.steps)
    alone = groups.pop(None, 0)
    return alone + len(groups)


def most_requests(plan: PlanFile, rate: float | None = None) -> int:
    """How many requests a run of the plan makes at most, reads too, when all goes well at `rate` a second.

    It is fewer within a minute of the plan's reading. All orders are taken to be as many as the
    plan's rows; a run that reads them all does so again each minute.
    """
    steps = len(plan.steps)
    if not steps:
        return 0
    count = Counter(step.action for step in plan.steps)
    pages = max(1, math.ceil(max(len(plan.rows), steps) / PAGE))
    before = 1 + (steps if steps <= FEW_STEPS else pages)  # the service's time, then what moved
    after = sum(
        pages if count[action] > few else count[action]
        for action, few in (
            (Action.CREATE, FEW_NUMBERS),
            (Action.CANCEL, FEW_NUMBERS),
            (Action.VERIFY, LARGE - 1),
            (Action.AUTHORIZE, LARGE - 1),
        )
    )
    listed = count[Action.CREATE] and steps >= MANY
    # each is looked at just before it is changed
    total = before + steps + writes(plan) + after + (pages if listed else 0)
    if listed and rate is not None:
        anew = min(0.5, pages / (BELIEVED.total_seconds() * rate))  # the share of a minute's requests
        total = math.ceil(total / (1 - anew))
    return total
