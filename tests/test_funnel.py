"""The funnel counts every number once, infers openly, and shows itself without lies or clipped text."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
POLL = timedelta(hours=6)

# Mean days in each stage and the chance to leave it forward; the rest is stuck, then fails or stays.
STORY: tuple[tuple[str, float, float], ...] = (
    ("twilio-processing", 0.8, 0.97),
    ("received", 1.5, 0.99),
    ("pending-verification", 1.0, 0.93),
    ("verified", 0.7, 1.0),
    ("pending-loa", 4.0, 0.92),
    ("carrier-processing", 6.0, 0.98),
    ("testing", 0.9, 0.99),
    ("completed", 0.0, 0.0),
)


def truth_of(chance: random.Random, begin: datetime) -> list[tuple[datetime, str]]:
    """The true moves of one order from its creation until it ends or gets stuck."""
    moves, moment = [], begin
    for stage, days, forward in STORY:
        moves.append((moment, stage))
        if chance.random() >= forward:
            side = "failed" if stage == "twilio-processing" else "action-required"
            moves += [(moment + timedelta(days=1), side)] if stage != "completed" else []
            break
        moment += timedelta(hours=2) + timedelta(days=chance.expovariate(1 / days) if days else 0)
    return moves


def seen_by_polling(moves: list[tuple[datetime, str]], end: datetime) -> list[dict[str, Any]]:
    """What a look every six hours sees of these moves: changes with the look before as lower bound."""
    seen = [{"status": moves[0][1], "seen_at": moves[0][0], "not_before": moves[0][0], "source": "own"}]
    place, look = 0, START
    while look < end:
        look += POLL
        now = max((n for n, move in enumerate(moves) if move[0] <= look), default=0)
        if now > place:
            place = now
            seen.append(
                {"status": moves[now][1], "seen_at": look, "not_before": look - POLL, "source": "poll"}
            )
    return seen


def realistic_events(numbers: int = 2000, days: float = 14, seed: int = 7) -> list[dict[str, Any]]:
    """Events of `numbers` numbers created over two days and looked at for `days` days."""
    chance, records = random.Random(seed), []
    for n in range(numbers):
        moves = truth_of(chance, START + timedelta(hours=chance.random() * 48))
        for event in seen_by_polling(moves, START + timedelta(days=days)):
            who = {"order_sid": f"HR{n:032x}", "phone_number": f"+1415{2000000 + n}", "attempt": 1}
            records.append({**who, **event, "run_id": None})
    return records
