"""The house keeps its floors: a module imports only from earlier lines, never from its own.

`TYPE_CHECKING` imports and imports inside functions count like any other.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hnbulk"

# One line of the house each, from the ground up. A package in the list stands for all its files.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "lifecycle", "failpoints"),
    ("files", "clocks", "closing", "deadline", "lines", "plaintext", "reach", "sockets", "streams"),
    ("messages", "models"),
    ("steps", "settings", "replies"),
    ("planfile", "shapes"),
    (
        "phones",
        "headers",
        "checks",
        "thresholds",
        "looks",
        "moved",
        "wording",
        "palette",
        "masking",
        "rowplaces",
    ),
    ("wire", "outcome", "pacing", "windows", "results", "scoreboard"),
    ("lending", "extents", "encodings", "signs", "places", "numberindex"),
    ("table", "phonecolumn", "alike", "addresses", "xmlparts", "volumes"),
    ("gaps",),
    (
        "workbooks",
        "textfiles",
        "parquet",
        "glance",
        "packages",
        "stylesheet",
        "comments",
        "titles",
        "textbook",
        "orderpages",
        "differences",
        "pictures",
        "intakecard",
        "runlock",
        "database",
        "pool",
        "entries",
        "serving",
        "gate",
        "turnstile",
    ),
    (
        "tablefiles",
        "annotated",
        "worksheet",
        "frames",
        "live",
        "considered",
        "overview",
        "drafts",
        "client",
        "history",
        "journalfile",
        "lineage",
    ),
    ("cancels", "mapping", "quarantine"),
    ("sifting",),
    (
        "intake",
        "plan",
        "schedule",
        "letters",
        "durations",
        "plancard",
        "plannote",
        "funnelcard",
        "chains",
        "progress",
        "throttle",
    ),
    ("review", "charts", "commits", "lookups"),
    ("funnel", "journal", "work"),
    ("annotations", "attempts", "stoprules"),
    ("annotate", "intents"),
    ("sending", "audit"),
    ("doubts", "approval", "batches"),
    ("coordinator", "running"),
    ("engine",),
    ("apply", "verify", "authorize", "connection"),
    ("runs",),
    ("rebuild",),
    ("handle", "orderreader"),
    ("account",),
    ("connecting",),
    ("page", "drawings", "rehearsal"),
    ("report", "widgets"),
    ("demo", "testing", "drill"),
    ("cli",),
)
LEFT = set(
    (
        "lending extents volumes encodings signs numberindex alike parquet places table phonecolumn "
        "textfiles glance mapping quarantine sifting gaps "
        "addresses xmlparts packages stylesheet comments titles textbook annotated worksheet annotations "
        "annotate workbooks orderpages differences live pictures tablefiles frames considered overview "
        "drafts cancels intake plan schedule letters durations plancard funnelcard intakecard review "
        "charts funnel"
    ).split()
)
RIGHT = set(
    (
        "shapes runlock database pool entries serving gate turnstile client history journalfile lineage "
        "chains commits journal throttle progress lookups work attempts stoprules intents audit "
        "sending doubts approval batches coordinator running engine apply verify authorize connection "
        "runs rebuild"
    ).split()
)
PURE = set(
    (
        "wire outcome pacing windows results scoreboard phones headers checks thresholds looks moved "
        "wording palette masking rowplaces replies lifecycle messages"
    ).split()
)

# The sandbox is a house of its own.
SANDBOX_FLOORS: tuple[tuple[str, ...], ...] = (
    ("clock", "chance", "nanp", "parameters"),
    ("fates", "records"),
    ("moments", "refusals", "callbacks", "choices", "keeping"),
    ("world", "forms", "faults"),
    ("paging", "past", "example", "numbers"),
    ("orders",),
    ("letters",),
    ("routes",),
    ("service", "openapi"),
    ("desk", "courier"),
    ("state", "truth", "app"),
    ("admin",),
    ("__init__",),
)
SANDBOX_MAY_USE = {"lifecycle", "messages"}

# A foreign thing has one door.
DOORS = {
    "httpx": {"client"},
    "httpcore": {"deadline", "sockets"},
    "fastexcel": {"workbooks"},
    "phonenumbers": {"phones", "windows"},
    "sqlite3": {"database", "shapes"},
    "uvicorn": {"serving"},
    "starlette": {"sandbox"},
    "ipywidgets": {"widgets"},
    "altair": {"charts"},
    "vl_convert": {"pictures"},
    "great_tables": {"report"},
    "typer": {"cli"},
    "pytest": {"testing"},
}
NO_PANDAS = RIGHT | PURE | set("errors files lines sockets streams clocks models steps settings".split())


def imported(path: Path) -> set[str]:
    """Every module a file imports, dotted and absolute, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def rooms(package: Path) -> dict[str, set[str]]:
    """Each top-level module or subpackage with the dotted names it imports; the sandbox apart."""
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        first = path.relative_to(package).parts[0].removesuffix(".py")
        if first not in {"sandbox", "__init__", "__main__"}:
            found.setdefault(first, set()).update(imported(path))
    return found


def used(names: set[str], root: str) -> set[str]:
    """The first-level modules of package `root` among dotted names."""
    return {name.split(".")[1] for name in names if re.match(rf"{root}\.\w+", name)}


def breaches(package: Path, floors: tuple[tuple[str, ...], ...]) -> list[str]:
    """Every import that does not go down, and every module without a floor."""
    level = {name: number for number, line in enumerate(floors) for name in line}
    found = []
    for room, names in rooms(package).items():
        if room not in level:
            found.append(f"{room} has no floor")
            continue
        for other in sorted(used(names, "hnbulk") - {room, "sandbox"}):
            if other in level and level[other] >= level[room]:
                found.append(f"{room} imports {other}")
    return found


def test_every_module_imports_only_downward() -> None:
    """No module of the house imports from its own line or a later one."""
    assert breaches(PACKAGE, FLOORS) == []


def test_every_floor_has_only_modules_that_exist() -> None:
    """The picture names no module that is not there."""
    listed = {name for line in FLOORS for name in line}
    assert listed - set(rooms(PACKAGE)) == set()


def test_the_wings_do_not_import_each_other() -> None:
    """Tables and runs meet in `account` only."""
    found = rooms(PACKAGE)
    assert [
        (room, used(found[room], "hnbulk") & RIGHT) for room in LEFT if used(found[room], "hnbulk") & RIGHT
    ] == []
    assert [
        (room, used(found[room], "hnbulk") & LEFT) for room in RIGHT if used(found[room], "hnbulk") & LEFT
    ] == []


@pytest.mark.parametrize(("foreign", "doors"), DOORS.items(), ids=DOORS)
def test_a_foreign_library_has_one_door(foreign: str, doors: set[str]) -> None:
    """Only its door imports the library."""
    users = {
        path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for path in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == foreign for name in imported(path))
    }
    assert users == doors


def test_rules_and_runs_know_no_pandas() -> None:
    """Neither the pure rules nor the right wing import pandas."""
    found = rooms(PACKAGE)
    assert [
        room for room in sorted(NO_PANDAS) if any(name.split(".")[0] == "pandas" for name in found[room])
    ] == []


def test_pure_rules_touch_no_outside_world() -> None:
    """A rule imports no network, disk, thread or clock."""
    outside = {"socket", "time", "threading", "pathlib", "os", "httpx", "sqlite3", "random", "requests"}
    found = rooms(PACKAGE)
    assert [(room, found[room] & outside) for room in sorted(PURE) if found[room] & outside] == []


def test_the_sandbox_stands_on_its_own() -> None:
    """The sandbox uses only lifecycle and messages of the main house, and keeps its own floors."""
    level = {name: number for number, line in enumerate(SANDBOX_FLOORS) for name in line}
    found = []
    for path in sorted((PACKAGE / "sandbox").glob("*.py")):
        names = imported(path)
        room = path.stem
        found += [
            f"{room} imports {name}" for name in used(names, "hnbulk") - SANDBOX_MAY_USE - {"sandbox"}
        ]
        inner = {name.split(".")[2] for name in names if re.match(r"hnbulk\.sandbox\.[a-z]\w*", name)}
        found += [f"{room} imports {name}" for name in inner if level[name] >= level[room]]
    assert found == []


def test_only_the_lower_desk_and_faces_start_the_sandbox() -> None:
    """Nobody below `account` knows that there is a sandbox."""
    users = {room for room, names in rooms(PACKAGE).items() if "sandbox" in used(names, "hnbulk")}
    assert users <= {"account", "connecting", "cli", "testing"}


def test_an_upward_import_is_found(tmp_path: Path) -> None:
    """On a made-up tree, an import upward, one hidden in a function and one for types are all found."""
    (tmp_path / "errors.py").write_text("def f():\n    from hnbulk import account\n")
    (tmp_path / "frames.py").write_text("import pandas\nfrom hnbulk.errors import HnbulkError\n")
    (tmp_path / "wire.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from hnbulk.frames import orders_frame\n"
    )
    (tmp_path / "outcome.py").write_text("import hnbulk.wire\n")
    (tmp_path / "account.py").write_text("from hnbulk import frames\n")
    (tmp_path / "stray.py").write_text("")
    assert breaches(tmp_path, FLOORS) == [
        "errors imports account",
        "outcome imports wire",
        "stray has no floor",
        "wire imports frames",
    ]


def test_the_readme_shows_the_same_picture() -> None:
    """Every module of the house stands in the README's picture, on a line in the same order."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = readme.split("```text floors")[1].split("```")[0]
    lines = [set(re.findall(r"\w+", line)) for line in picture.splitlines()]
    for floor in FLOORS:
        assert [name for name in floor if not any(name in line for line in lines)] == []
    order = [
        next(n for n, line in enumerate(lines) if name in line) for floor in FLOORS for name in floor[:1]
    ]
    assert order == sorted(order)
