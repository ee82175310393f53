"""Ctrl-C at every line of starting, resuming and waiting: the lock is free or the run is under way, and
whatever was begun is finished by a resume, with one order a number.

The lines are found by running once; each is then interrupted, in a world of its own numbers.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
import typer
from run_bench import Bench, number, open_bench

from hnbulk import approval, engine, journal, runlock, running, runs
from hnbulk.cli import runs as verbs
from hnbulk.cli.talk import Talk
from hnbulk.errors import RunInterrupted
from hnbulk.planfile import PlanFile
from hnbulk.runlock import holder_of
from hnbulk.running import Run
from hnbulk.runs import resume_run, start_run

ROWS = 2
Line = tuple[str, int]
#: The functions whose lines are interrupted, by file and name.
_TRACED = {
    engine.__file__: {
        "start",
        "resume",
        "_launch",
        "_over_already",
    },
    running.__file__: {"Run.wait", "Run._wait", "Run.__init__"},
    runs.__file__: {"start_run", "resume_run", "kind_of", "_means", "results_of", "write_results"},
    verbs.__file__: {"_follow", "_wait", "in_lines"},
    runlock.__file__: {"RunLock.take"},
    journal.__file__: {"Journal.lock", "Journal.begin", "Journal.mark"},
    approval.__file__: {"refuse_moved"},
}


@dataclass
class Tracer:
    """Notes the lines that this thread comes to in the traced functions, and interrupts at one of them."""

    at: Line | None = None
    lines: list[Line] = field(default_factory=list)
    struck: bool = False

    def __enter__(self) -> Tracer:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        return self._line if _is_traced(frame.f_code) else None

    def _line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        line = (frame.f_code.co_qualname, frame.f_lineno)
        if event == "line":
            self.lines.append(line)
            if line == self.at and not self.struck:
                self.struck = True
                raise KeyboardInterrupt
        return self._line


def test_what_is_traced_exists() -> None:
    """A function that was renamed is not left out quietly."""
    modules = {
        module.__file__: module for module in (engine, running, runs, verbs, runlock, journal, approval)
    }
    for file, names in _TRACED.items():
        for name in names:
            assert callable(attrgetter(name)(modules[file])), name


def _is_traced(code: CodeType) -> bool:
    return code.co_qualname.partition(".<locals>")[0] in _TRACED.get(code.co_filename, ())


class Held:
    """The bench's client, whose requests wait until they are let go."""

    def __init__(self, client: Any) -> None:
        self.gone = threading.Event()
        self._client = client

    def send(self, *request: Any, **more: Any) -> Any:
        assert self.gone.wait(20)
        return self._client.send(*request, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@dataclass
class Worlds:
    """One bench, and for every interrupt a plan of numbers that none had before."""

    bench: Bench
    used: int = 0

    def plan(self) -> PlanFile:
        self.used += ROWS
        for n in range(self.used, self.used + ROWS):
            self.bench.sandbox.set_fate(number(n), "smooth")
        return self.bench.creates(ROWS, first=self.used)

    def begun(self, plan: PlanFile) -> str:
        """A run of the plan that died before its first request."""
        run_id = f"r-died-{self.used}"
        self.bench.journal.begin(run_id, plan, kind="orders", at=self.bench.clock.now(), options={})
        return run_id

    def start_held(self, plan: PlanFile) -> tuple[Run, Held]:
        """A run that cannot end before its requests are let go."""
        held = Held(self.bench.client)
        connection = replace(self.bench, client=held).connection  # type: ignore[arg-type]
        return start_run(connection, plan, approve=plan.checksum), held

    def finish(self, plan: PlanFile) -> None:
        """The journal is readable, the lock free, and a resume (or a first start) leaves one order each."""
        _join()
        mine = [record for record in self.bench.journal.runs() if record.checksum == plan.checksum]
        assert len(mine) <= 1
        if not mine:
            assert self.bench.apply(plan).ok
        else:
            assert self.bench.resume(mine[0].run_id).exit_code == 0
        truth = self.bench.truth()
        assert [len(truth.get(number(self.used + n), [])) for n in range(ROWS)] == [1] * ROWS
        self.bench.journal.lock("free").release()


def _coordinators() -> list[threading.Thread]:
    alive = threading.enumerate()
    return [one for one in alive if one.name.startswith("hnbulk-r") and one.name.count("-") < 4]


def _join() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("hnbulk-r"):
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    with open_bench(tmp_path, smooth=False) as bench:
        yield Worlds(bench)


def every_line(scene: Callable[[Tracer], None], *, functions: set[str]) -> None:
    """`scene` is played once to learn its lines, then once more for each of them, interrupted there."""
    first = Tracer()
    scene(first)
    lines = list(dict.fromkeys(first.lines))
    assert functions <= {name for name, _ in lines}
    broken = []
    for line in lines:
        tracer = Tracer(line)
        try:
            scene(tracer)
            assert tracer.struck
        except AssertionError as error:
            broken.append((line, str(error).partition("\n")[0]))
    assert broken == []


# -- starting and resuming


def test_an_interrupt_anywhere_in_start_leaves_the_lock_with_the_run(worlds: Worlds) -> None:
    """A run that is under way holds the lock until its end; where none is, the lock is free at once."""

    def scene(tracer: Tracer) -> None:
        plan = worlds.plan()
        held = Held(worlds.bench.client)
        connection = replace(worlds.bench, client=held).connection  # type: ignore[arg-type]
        with suppress(KeyboardInterrupt), tracer:
            start_run(connection, plan, approve=plan.checksum)
        _lock_is_with_the_run(worlds, held)
        worlds.finish(plan)

    every_line(scene, functions={"start_run", "kind_of", "_means", "start", "_launch", "Run.__init__"})


def test_an_interrupt_anywhere_in_resume_leaves_the_lock_with_the_run(worlds: Worlds) -> None:
    """The same for a run that is taken up."""

    def scene(tracer: Tracer) -> None:
        plan = worlds.plan()
        run_id = worlds.begun(plan)
        held = Held(worlds.bench.client)
        connection = replace(worlds.bench, client=held).connection  # type: ignore[arg-type]
        with suppress(KeyboardInterrupt), tracer:
            resume_run(connection, run_id)
        _lock_is_with_the_run(worlds, held)
        worlds.finish(plan)

    every_line(scene, functions={"resume_run", "_means", "resume", "_launch", "Run.__init__"})


def _lock_is_with_the_run(worlds: Worlds, held: Held) -> None:
    under_way, holder = _coordinators(), holder_of(worlds.bench.home)
    held.gone.set()
    _join()
    assert (holder is not None) == bool(under_way), f"holder {holder}, under way {under_way}"
    assert holder_of(worlds.bench.home) is None, "the lock is held by nobody"


# -- waiting


def _stopped(run: Run) -> None:
    """The run can still be told to stop, and then is over."""
    run.stop()
    with suppress(RunInterrupted):
        run.wait(20)


def test_an_interrupt_anywhere_in_wait_leaves_a_run_that_can_be_stopped(worlds: Worlds) -> None:
    """And resumed to its end."""

    def scene(tracer: Tracer) -> None:
        plan = worlds.plan()
        run, held = worlds.start_held(plan)
        with suppress(KeyboardInterrupt, RunInterrupted), tracer:
            run.wait(20, on_progress=lambda _: held.gone.set())
        held.gone.set()
        _stopped(run)
        worlds.finish(plan)

    every_line(scene, functions={"Run.wait", "Run._wait"})


def test_a_second_interrupt_anywhere_after_the_first_changes_nothing(worlds: Worlds) -> None:
    """Also between the first one and the message that nothing is lost."""

    def scene(tracer: Tracer) -> None:
        plan = worlds.plan()
        run, held = worlds.start_held(plan)

        def press(_: object) -> None:
            if not held.gone.is_set():
                held.gone.set()
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt, RunInterrupted), tracer:
            run.wait(20, on_progress=press)
        _stopped(run)
        worlds.finish(plan)

    every_line(scene, functions={"Run.wait", "Run._wait"})


def test_an_interrupt_anywhere_in_the_command_leaves_a_run_that_can_be_resumed(
    worlds: Worlds, tmp_path: Path
) -> None:
    """While the bar is drawn, while the results are written, and while the last line is said."""

    def scene(tracer: Tracer) -> None:
        plan = worlds.plan()
        run, held = worlds.start_held(plan)
        release = threading.Timer(0.2, held.gone.set)
        release.start()
        with suppress(KeyboardInterrupt, RunInterrupted, typer.Exit), tracer:
            verbs._follow(Talk(as_json=False), worlds.bench.connection, run, tmp_path)
        release.join()
        _stopped(run)
        worlds.finish(plan)

    every_line(scene, functions={"_follow", "_wait", "Run.wait", "results_of", "write_results"})
