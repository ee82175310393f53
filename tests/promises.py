"""What must be true of a simulated run at its end, judged by the service's own truth."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from fake_service import EPOCH, Record
from simulation import RUN, World

from hnbulk.steps import Action, Ending, State, Step


def broken_promises(world: World) -> list[str]:
    """Every promise that was broken, in words; empty where all were kept."""
    endings = {one.step: one for one in world.journal.endings(RUN)}
    found = list(world.broken)
    if not world.finished:
        found.append("the run did not finish, though all was well at last")
    for index, step in enumerate(world.plan.steps):
        ending = endings.get(index, Ending(index, State.PENDING))
        found += [
            f"step {index} ({step.action}, {ending.state}, {ending.code}): {what}"
            for what in _JUDGE[step.action](world, step, ending)
        ]
    return found + _sent_too_often(world) + _too_fast(world)


def _judge_create(world: World, step: Step, ending: Ending) -> list[str]:
    on_number = world.service.on(step.phone_number)
    made = [record for record in on_number if record.by == "us" and _is_of_this_run(world, record)]
    # one that somebody deleted is not there to be found: what is made after it is no double
    ours = [record for record in made if record.deleted_by != "rival"]
    strangers = [record for record in on_number if record.by == "rival"]
    found = []
    if len(ours) > 1:
        found.append(f"{len(ours)} orders were made")
    if ending.state is State.DONE and ending.sid not in {record.sid for record in ours or made}:
        found.append("done, and it is not our one order")
    told = ending.state is State.CONFLICT and strangers
    told = told or (ending.state is State.REVIEW and not world.options.settles)
    if ending.state is not State.DONE and ours and not told:
        found.append("an order was made and is not reported")
    if ending.state is State.CONFLICT and not strangers:
        found.append("a conflict with nobody")
    if ending.state is State.REFUSED and not strangers:
        found.append("refused without a reason")
    if ending.state is State.REVIEW and not _may_be_given_up(world, step, ending):
        found.append("given up before it was sent twice")
    return found + _must_be(ending, State.DONE, State.CONFLICT, State.REFUSED, State.REVIEW)


def _judge_update(world: World, step: Step, ending: Ending) -> list[str]:
    wanted = step.after["friendly_name"]
    (record, *_) = _orders_of(world, step) or [None]
    if record is None:
        return [] if ending.state in (State.STALE, State.REFUSED) else ["there was never an order"]
    set_by = [by for by, name in record.names_by if name == wanted]
    found = []
    if ending.state is State.DONE and not set_by:
        found.append("done, and the order never showed it")
    silent = (State.STALE, State.REFUSED, *((State.REVIEW,) if world.options.settles else ()))
    if ending.state in silent and record.live and record.friendly_name == wanted:
        found.append("changed as wanted, and not reported as done")
    if step.sid and ending.state in (State.STALE, State.CONFLICT) and not _was_disturbed(record):
        found.append("stale, though nobody changed the order")
    if ending.state is State.REVIEW and not _may_be_given_up(world, step, ending):
        found.append("given up before it was sent twice")
    return found + _must_be(ending, State.DONE, State.STALE, State.CONFLICT, State.REVIEW, State.REFUSED)


def _judge_cancel(world: World, step: Step, ending: Ending) -> list[str]:
    (record,) = _orders_of(world, step)
    found = []
    if ending.state is State.DONE and record.deleted_by is None:
        found.append("done, and the order is still there")
    others = [one for one in world.service.on(step.phone_number) if one is not record]
    given_up = ending.state is State.REVIEW and not world.options.settles
    told = ending.state is State.DONE or ending.code == "came-back" or given_up
    if record.deleted_by == "us" and not told:
        found.append("deleted, and not reported as done")
    if ending.code == "came-back" and not others:
        found.append("said to have come back, and there is no other order on its number")
    if ending.state in (State.STALE, State.CONFLICT) and not _was_disturbed(record):
        found.append("stale, though nobody changed the order")
    return found + _must_be(ending, State.DONE, State.STALE, State.CONFLICT, State.REVIEW)


def _judge_call(world: World, step: Step, ending: Ending) -> list[str]:
    (record,) = _orders_of(world, step)
    found = []
    if len(record.calls_by) > 1:
        found.append("the phone rang twice")
    if ending.state is State.DONE and not record.calls_by:
        found.append("done, and the phone never rang")
    if ending.state not in (State.DONE, State.CALL_UNKNOWN) and record.calls_by:
        found.append("the phone rang, and nobody is told")
    if ending.state is State.CALL_UNKNOWN and record.calls_by and world.options.settles:
        found.append("the phone rang, which was there to be seen")
    return found + _must_be(ending, State.DONE, State.PENDING, State.STALE, State.CALL_UNKNOWN)


_JUDGE = {
    Action.CREATE: _judge_create,
    Action.UPDATE: _judge_update,
    Action.CANCEL: _judge_cancel,
    Action.VERIFY: _judge_call,
}


def _must_be(ending: Ending, *states: State) -> list[str]:
    return [] if ending.state in states else ["this is no end for it"]


def _orders_of(world: World, step: Step) -> list[Record]:
    if step.sid is not None:
        return [world.service.orders[step.sid]]
    return [record for record in world.service.on(step.phone_number) if record.by == "us"]


def _is_of_this_run(world: World, record: Record) -> bool:
    return EPOCH + timedelta(seconds=record.made) >= world.began


def _was_disturbed(record: Record) -> bool:
    renamed = any(by == "rival" for by, _ in record.names_by)
    return renamed or record.deleted_by == "rival" or record.status != "received"


def _may_be_given_up(world: World, step: Step, ending: Ending) -> bool:
    """Sent twice, for all anybody knows; or vanished: somebody deleted it, or the window is too short."""
    if ending.code == "vanished":
        deleted = any(record.deleted_by == "rival" for record in world.service.on(step.phone_number))
        return deleted or not world.options.settles
    index = world.plan.steps.index(step)
    return sum(intent.step == index for intent in world.journal.intents) >= 2


def _sent_too_often(world: World) -> list[str]:
    """Per row, writes that may have been carried out: two creates or updates, three deletes, one call."""
    most = {"calls": 1}.get(world.work.kind, 2)
    arrived = Counter(write.request.fingerprint() for write in world.service.writes if not write.proved)
    deletes = {w.request.fingerprint() for w in world.service.writes if w.request.method == "DELETE"}
    return [f"a request was sent {n} times" for mark, n in arrived.items() if n > most + (mark in deletes)]


def _too_fast(world: World) -> list[str]:
    rate, starts = world.options.rate, sorted(world.service.starts)
    if rate is None:
        return []
    first = 0
    for n, start in enumerate(starts):
        while starts[first] <= start - 1.0:
            first += 1
        if n - first + 1 > rate:
            return [f"{n - first + 1} requests in one second, {rate:g} allowed"]
    return []


def duplicates(world: World) -> int:
    """Orders of ours beyond one a number."""
    made = Counter(one.phone_number for one in world.service.orders.values() if one.by == "us")
    return sum(count - 1 for count in made.values())
