"""How many small faults in a module of the protocol its fast tests notice.

    PYTHONPATH=. python benchmarks/mutants.py [--most N] [--seed N] [--out FOLDER] MODULE...

Needs `coverage` beside the test extra. The tests in `TESTS` run once, noting which of them reach
which line; then each mutant of a module is tried, in a forked process, by those that reach its line,
quickest first, until one fails. Who hangs is killed, and so is the mutant. What people read (texts
with a space in them), docstrings, annotations and decorators are not mutated. With `--most` a
sample is drawn, the same one for one seed. Prints a line for each survivor; the folder has all of them
as JSON, and the branch coverage of the first run.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.machinery
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import pytest
from faults import places_of, put

ROOT = Path(__file__).parent.parent
TESTS = [
    "outcome",
    "pacing",
    "attempts",
    "intents",
    "sending",
    "doubts",
    "coordinator",
    "lookups",
    "stoprules",
    "batches",
    "audit",
    "apply",
    "changes",
    "engine",
    "moved",
    "nameless",
    "simulation",
    "engine_model",
]
#: They start other programs, wait on the real clock, or take long.
LEFT_OUT = (
    "killed_run without_pandas ctrl_c full_disk interrupted a_stopped_run pause_holds end_before "
    "meet_everything naive too_short"
)
SEEDS = 3  # chunks of a hundred simulated worlds
LONGEST = 6.0  # seconds of tests for one mutant
OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:nbval", "-o", "addopts=", "--no-header"]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning", "-m", "not nightly"]


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from a tree instead of its file."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name, self._path, self._tree = name, path, tree

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=str(self._path))

    def exec_module(self, module: Any) -> None:
        module.__file__ = str(self._path)
        exec(compile(ast.fix_missing_locations(self._tree), self._path, "exec"), module.__dict__)


class Noting:
    """Which tests reach which lines, and how long each takes."""

    def __init__(self, cov: coverage.Coverage) -> None:
        self.cov = cov
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.cov.switch_context(item.nodeid)
        began = time.monotonic()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.monotonic() - began
            self.cov.switch_context("")


def forked(act: Callable[[], int], longest: float) -> int | None:
    """The exit code of `act` in a process of its own; None where it was killed for taking too long."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            with Path(os.devnull).open("w") as null:
                os.dup2(null.fileno(), 1)
                os.dup2(null.fileno(), 2)
                code = act()
        finally:
            os._exit(code)
    until = time.monotonic() + longest
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return None


def tests() -> list[str]:
    """The files that are there, and what is left out of them."""
    files = [f"tests/test_{name}.py" for name in TESTS if (ROOT / f"tests/test_{name}.py").exists()]
    chunks = [f"{n}00-{n}99" for n in range(SEEDS, 20)]
    return [*files, "-k", " and ".join(f"not {word}" for word in [*LEFT_OUT.split(), *chunks])]


def first_run(path: Path) -> int:
    """All tests once; what was seen is written to `path`."""
    cov = coverage.Coverage(branch=True, source=["hnbulk"], data_file=str(path.with_suffix(".cov")))
    noting = Noting(cov)
    cov.start()
    code = int(pytest.main([*OPTIONS, *tests()], plugins=[noting]))
    cov.stop()
    cov.save()
    data = cov.get_data()
    with path.with_name("coverage.txt").open("w") as report:
        cov.report(file=report, show_missing=True)
    lines: dict[str, Any] = {}
    for file in data.measured_files():
        name = Path(file).relative_to(ROOT).as_posix()
        lines[name] = {
            n: [one for one in tests if one] for n, tests in data.contexts_by_lineno(file).items()
        }
    path.write_text(json.dumps({"lines": lines, "seconds": noting.seconds}))
    return code


def _own() -> set[str]:
    return {"hnbulk", "__main__", *(path.stem for path in (ROOT / "tests").glob("*.py"))}


class Judge:
    """Tries the mutants of modules in a session whose tests are collected already."""

    def __init__(
        self, modules: list[str], seen: dict[str, Any], out: Path, most: int | None, seed: int
    ) -> None:
        self._modules, self._seen, self._out, self._most, self._seed = modules, seen, out, most, seed
        self._failed = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for module in self._modules:
            told = list(self._try(module, items))
            (self._out / f"{module}.json").write_text(json.dumps(told))
            counts = Counter(one["verdict"] for one in told)
            killed = counts["killed"] + counts["hung"]
            share = killed / len(told)
            print(f"{module}: {killed} of {len(told)} killed ({share:.1%}), {dict(counts)}", flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed

    def _try(self, module: str, items: dict[str, pytest.Item]) -> Iterator[dict[str, Any]]:
        path = ROOT / f"hnbulk/{module}.py"
        tree, places = places_of(path)
        count = len(places)
        chosen = list(range(count))
        tests, whole = select(self._seen, module, 1, len(path.read_text().splitlines()))
        if forked(partial(self._run, module, path, tree, tests, items), 60.0 + 3 * whole) != 0:
            raise pytest.UsageError(f"the tests of {module} fail without any fault in it")
        if self._most is not None and self._most < count:
            chosen = sorted(random.Random(f"{module} {self._seed}").sample(chosen, self._most))
        for n in chosen:
            tree, places = places_of(path)
            line, end, name, *_ = places[n]
            put(places[n])
            tests, whole = select(self._seen, module, line, end)
            verdict = "no test"
            if tests:
                act = partial(self._run, module, path, ast.fix_missing_locations(tree), tests, items)
                verdict = {0: "survived", None: "hung"}.get(forked(act, 5.0 + 2 * whole), "killed")
            if verdict in ("survived", "no test"):
                text = path.read_text().splitlines()[end - 1].strip()
                print(f"{module}:{end}: {name}: {verdict}: {text}", flush=True)
            yield {"n": n, "line": line, "what": name, "verdict": verdict}

    def _run(
        self, module: str, path: Path, tree: ast.Module, tests: list[str], items: dict[str, pytest.Item]
    ) -> int:
        """In the forked process: 0 where no test fails."""
        if swap(f"hnbulk.{module}", compile(tree, path, "exec")):
            for one in tests:
                items[one].config.hook.pytest_runtest_protocol(item=items[one], nextitem=None)
                if self._failed:
                    return 1
            return 0
        for name in [name for name in sys.modules if name.split(".")[0] in _own() - {"__main__"}]:
            del sys.modules[name]
        sys.meta_path.insert(0, Mutated(f"hnbulk.{module}", path, tree))
        return int(pytest.main([*OPTIONS, *tests]))


def swap(name: str, code: CodeType) -> bool:
    """The functions of a module that is loaded do what this code of it says; False where none differs:
    then the difference is in what is done while it is imported."""
    new = {one.co_qualname: one for one in _functions(code)}
    module, swapped = sys.modules[name], False
    for function in _loaded(vars(module), name):
        other = new.get(function.__code__.co_qualname)
        if other is not None and other != function.__code__:
            function.__code__, swapped = other, True
    return swapped


def _functions(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _functions(one)


def _loaded(names: Mapping[str, Any], module: str) -> Iterator[FunctionType]:
    for one in list(names.values()):
        one = getattr(one, "fget", None) or getattr(one, "__func__", one)
        one = getattr(one, "__wrapped__", one)
        if isinstance(one, FunctionType) and one.__module__ == module:
            yield one
        elif isinstance(one, type) and one.__module__ == module:
            yield from _loaded(vars(one), module)


def select(seen: dict[str, Any], module: str, line: int, end: int) -> tuple[list[str], float]:
    """The tests that reach the lines, quickest first, as many as there is time for; and how long they take.

    Of what is done while the module is imported, those are asked that reach a line with its name in it.
    """
    lines, seconds = seen["lines"].get(f"hnbulk/{module}.py", {}), seen["seconds"]
    reach = {one for n in range(line, end + 1) for one in lines.get(str(n), [])}
    if not reach:
        text = (ROOT / f"hnbulk/{module}.py").read_text().splitlines()[line - 1]
        words = [word for word in re.findall(r"[A-Za-z_]+", text) if word not in ("class", "def")]
        reach = set(_naming(seen, words[0])) if words else reach
    reach = reach or {one for tests in lines.values() for one in tests}
    own = f"tests/test_{module}.py"

    def rank(one: str) -> tuple[int, float]:
        if seconds[one] < 0.05:
            return 0, seconds[one]
        return 1 if "every_seed[0-99]" in one else 2 if one.startswith(own) else 3, seconds[one]

    order = sorted(reach, key=rank)
    chosen, whole = [], 0.0
    for one in order:
        if whole + seconds[one] > LONGEST:
            continue
        chosen.append(one)
        whole += seconds[one]
    return chosen, whole


def _naming(seen: dict[str, Any], name: str) -> Iterator[str]:
    for file, lines in seen["lines"].items():
        for n, text in enumerate((ROOT / file).read_text().splitlines(), 1):
            if re.search(rf"\b{name}\b", text):
                yield from lines.get(str(n), [])


def main() -> None:
    """Judge the modules that are named, and say how many of their mutants were killed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("modules", nargs="+", metavar="MODULE")
    options.add_argument("--most", type=int)
    options.add_argument("--seed", type=int, default=1, help="of the sample")
    options.add_argument("--out", type=Path, default=Path("/tmp/hnbulk-mutants"))
    options.add_argument("--again", action="store_true", help="believe what an earlier first run saw")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    path = chosen.out / "seen.json"
    if not (chosen.again and path.exists()):
        code = forked(lambda: first_run(path), 900.0)
        if code != 0:
            sys.exit(f"the tests fail without any fault in the code ({code})")
    seen = json.loads(path.read_text())
    judge = Judge(chosen.modules, seen, chosen.out, chosen.most, chosen.seed)
    sys.exit(pytest.main([*OPTIONS, "-s", *tests()], plugins=[judge]))


if __name__ == "__main__":
    main()
