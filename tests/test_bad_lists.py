"""Every bad list is refused in one line that says where and what to do, and every rule is needed for it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import bad_lists
import fastexcel
import pytest
from bad_lists import FileFault, RowFault

from hnbulk import checks, encodings, headers, parquet, sifting, tablefiles, textfiles, workbooks
from hnbulk.checks import RULES
from hnbulk.cli import main
from hnbulk.errors import UsageError
from hnbulk.intake import read_bytes

ROWS, FILES = bad_lists.rows(), bad_lists.files()


def check(path: Path, *options: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `hnbulk check`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
        main(["check", str(path), *options])
    return int(str(end.value.code)), out.getvalue(), err.getvalue()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a connection fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a bad list made a connection")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.create_connection", refuse)


def test_there_are_enough_of_them() -> None:
    """At least a hundred and fifty."""
    assert len(ROWS) + len(FILES) >= 150


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ROWS)
def test_a_bad_row_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    """Exit 2; file, sheet, row, column, code, rule and remedy in the line; no value in clear, no trace."""
    fault = ROWS[name]
    path = tmp_path / f"list.{fault.ending}"
    path.write_bytes(fault.content)
    began = time.monotonic()
    code, out, err = check(path)
    took = time.monotonic() - began
    rule = RULES[fault.code]
    sheet = f", sheet {fault.sheet!r}" if fault.sheet else ""
    lines = [line for line in out.splitlines() if re.match(r"list\.\w+, ", line)]
    assert code == 2
    assert len(lines) == fault.more
    assert lines[0].startswith(f"list.{fault.ending}{sheet}, row {fault.row}, {fault.column}:")
    assert f" {fault.code}: {rule.rule}" in lines[0]
    assert lines[0].endswith(rule.remedy)
    assert not fault.secret or fault.secret not in out + err
    assert "Traceback" not in out + err
    assert took < 2


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_list_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    """Exit 2; file, sheet and row where there is one, what is wrong and what to do; nothing on stdout."""
    fault = FILES[name]
    path = tmp_path / f"list.{fault.ending}"
    path.write_bytes(fault.content)
    if fault.size:
        os.truncate(path, fault.size)
    began = time.monotonic()
    code, out, err = check(path, *fault.options)
    took = time.monotonic() - began
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("hnbulk: ")
    assert fault.told in line
    assert fault.options or f"list.{fault.ending}" in line
    assert re.fullmatch(r".*[.:] .+\.", line)  # a rule, then a remedy
    assert bad_lists.GOOD not in line
    assert took < 2


@pytest.mark.usefixtures("no_network")
def test_what_is_no_file_is_refused_in_one_line(tmp_path: Path) -> None:
    """Folders, pipes, devices, loops, names that cannot be: none is waited for."""
    pipe, loop = tmp_path / "pipe.csv", tmp_path / "loop.csv"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    missing = [tmp_path / name for name in ("none.csv", "a\nb.csv", "x" * 300, "a/../../b.csv")]
    for path in (tmp_path, pipe, loop, Path("/dev/zero"), *missing):
        code, out, err = check(path)
        assert (code, out) == (2, "")
        (line,) = err.splitlines()
        assert line.endswith("CSV, TSV, XLSX, XLSB, XLS, ODS or Parquet.")


# Is every rule needed? One is switched off, and the corpus has to notice.


def is_seen(fault: RowFault) -> bool:
    """Its row is told with its code, as an error."""
    try:
        intake = read_bytes(fault.content, name=f"list.{fault.ending}")
    except KeyError:  # a row that is no target and has no error
        return False
    errors = intake.problems[intake.problems["severity"] == "error"]
    return fault.code in errors["code"].tolist()


@contextlib.contextmanager
def without(code: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The rule's findings are not told."""
    with monkeypatch.context() as patch:
        note = sifting._Draft.note

        def silent(self: sifting._Draft, row: int, column: str | None, found: str, **facts: str) -> None:
            if str(found) == code:
                self.set_aside.setdefault(row, code)
            else:
                note(self, row, column, found, **facts)

        patch.setattr(sifting._Draft, "note", silent)
        yield


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.severity == "error"])
def test_the_corpus_notices_when_a_rule_is_off(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least one list is there for each rule, and is seen by no other."""
    mine = [fault for fault in ROWS.values() if fault.code == code]
    assert mine
    assert all(map(is_seen, mine))
    with without(code, monkeypatch):
        assert not any(map(is_seen, mine))
    softer = replace(RULES[code], severity="warning")
    with monkeypatch.context() as patch:
        patch.setattr(sifting, "RULES", {**checks.RULES, code: softer})
        assert not any(map(is_seen, mine))


# Is every refusal of a file needed? Its statement is taken out of the running code, one at a time.

MODULES = (tablefiles, textfiles, workbooks, encodings, parquet, headers)
#: What is refused before there are bytes is tested beside the function.
NO_BYTES = {"read_file"}


def refusals() -> dict[str, tuple[ModuleType, str, int]]:
    """Each statement that refuses: its module, the function it stands in, and its line."""
    found = {}
    for module in MODULES:
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for function in tree.body:
            if isinstance(function, ast.FunctionDef) and function.name not in NO_BYTES:
                for node in ast.walk(function):
                    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                        found[f"{module.__name__}:{node.lineno}"] = (module, function.name, node.lineno)
    return found


class _Out(ast.NodeTransformer):
    """The refusal of a line is taken out; what was caught for it goes on its way."""

    def __init__(self, line: int) -> None:
        self.line, self.caught = line, 0

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.caught += 1
        made = self.generic_visit(node)
        self.caught -= 1
        return made

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if node.lineno != self.line:
            return node
        return ast.copy_location(ast.Raise() if self.caught else ast.Pass(), node)


@contextlib.contextmanager
def taken_out(module: ModuleType, function: str, line: int) -> Iterator[None]:
    """The function runs without that refusal."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    changed = ast.fix_missing_locations(_Out(line).visit(tree))
    apart = dict(vars(module))
    exec(compile(changed, "changed", "exec"), apart)
    running = inspect.unwrap(getattr(module, function))
    before = running.__code__
    running.__code__ = inspect.unwrap(apart[function]).__code__
    try:
        yield
    finally:
        running.__code__ = before


def told(fault: FileFault) -> str:
    """What is said of the file: the message of its refusal, or the kind of another error."""
    given = dict(zip(fault.options[::2], fault.options[1::2], strict=False))
    try:
        read_bytes(
            fault.content.ljust(fault.size, b"\0"),
            name=f"list.{fault.ending}",
            sheet=given.get("--sheet"),
            encoding=given.get("--encoding"),
            all_sheets="--all-sheets" in fault.options,
        )
    except BaseException as error:
        return error.message if isinstance(error, UsageError) else type(error).__name__
    return "read"


class _Harmless:
    """A reader of workbooks that is never given what would take the machine's memory."""

    FastExcelError = workbooks.fastexcel.FastExcelError
    ExcelReader = workbooks.fastexcel.ExcelReader
    ExcelSheet = workbooks.fastexcel.ExcelSheet

    @staticmethod
    def read_excel(content: bytes) -> object:
        if any(content is FILES[name].content for name in FILES if name.startswith(("far", "xls that"))):
            raise RuntimeError("this would have been read")
        return fastexcel.read_excel(content)


@pytest.fixture(scope="module")
def as_it_is() -> dict[str, str]:
    """What is said of each file with every refusal in place."""
    return {name: told(fault) for name, fault in FILES.items()}


@pytest.mark.parametrize("refusal", refusals())
def test_the_corpus_notices_when_a_refusal_is_out(
    refusal: str, as_it_is: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of at least one file something else is said."""
    monkeypatch.setattr(workbooks, "fastexcel", _Harmless)
    with taken_out(*refusals()[refusal]):
        assert any(told(fault) != as_it_is[name] for name, fault in FILES.items())
