"""A list with its annotations, as what is given back: what is in it, and where it may go.

It never goes where the list itself lies, nor over anything that another program has saved or that was
made of another list.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hnbulk.errors import UsageError
from hnbulk.files import write_private
from hnbulk.plaintext import single_line
from hnbulk.wording import count_text

#: The kinds of workbook that come back as what they were.
KEPT = (".xlsx", ".xlsm")

_MARK, _DIGITS = b"hnbulk annotate ", 16
_MARKED = re.compile(re.escape(_MARK) + rb"[0-9a-f]{%d}" % _DIGITS)
_NUMBERED = re.compile(r"(?P<stem>.*)\.annotated(?:-(?P<n>\d{1,6}))?")


@dataclass(frozen=True, slots=True, repr=False)
class Annotated:
    """The workbook to give back, not on disk yet, and what is in it. Shows itself."""

    name: str  # of the list
    source: Path  # where the list is
    content: bytes
    rows: int
    set_aside: int
    statuses: Mapping[str, int]  # rows by what stands in `hn_status`
    errors: int  # cells that are coloured for an error
    warnings: int  # cells that are coloured for a warning alone
    notes: tuple[str, ...] = ()  # what is not as in the list, a line each

    def save(self, path: Path | str | None = None) -> Path:
        """The workbook is in `path` (else beside the list, see `place_for`), 0600; returns where.

        Raises `UsageError` for the list itself, and for a file that is not as this wrote it: somebody's
        own, one that was saved by another program since, or one that was made of another list.
        """
        place = place_for(self.source) if path is None else Path(path)
        check_place(place, self.source)
        write_private(place, self.content)
        return place

    def as_json(self) -> dict[str, object]:
        """What is in it, as a document."""
        return {
            "rows": self.rows,
            "set_aside": self.set_aside,
            "statuses": dict(self.statuses),
            "error_cells": self.errors,
            "warning_cells": self.warnings,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        cells = f"{count_text(self.errors, 'cell')} red, {self.warnings:,} yellow"
        lines = [f"{single_line(self.name)}: {count_text(self.rows, 'row')}; {cells}", ""]
        wide = max(map(len, self.statuses), default=0)
        lines += [f"  {status:<{wide}}  {count:>7,}" for status, count in self.statuses.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Annotated({single_line(self.name)}: {count_text(self.rows, 'row')})"


def place_for(path: Path) -> Path:
    """Where an annotated list goes when nobody says: beside it, `a.annotated.xlsx` for `a.csv`.

    One that was annotated before is followed by `a.annotated-2.xlsx`. Where what stands there was made of
    another list, say of `a.tsv`, it is `a.csv.annotated.xlsx`.
    """
    suffix = path.suffix if is_kept(path.name) else KEPT[0]
    stem = path.name.removesuffix(path.suffix)
    place = path.with_name(f"{stem}.annotated{suffix}")
    if is_kept(path.name) and (known := _NUMBERED.fullmatch(stem)):
        place = path.with_name(f"{known['stem']}.annotated-{int(known['n'] or 1) + 1}{suffix}")
    try:
        of_another = _mark_in(place) not in (None, mark_of(path.name))
    except (OSError, ValueError):
        of_another = False
    return path.with_name(f"{path.name}.annotated{suffix}") if of_another else place


def mark_of(name: str) -> bytes:
    """How a workbook ends that was made of the list of this name, and saved by no other program since."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return _MARK + digest[:_DIGITS].encode()


def check_place(path: Path, source: Path) -> None:
    """`path` may be written. Raises `UsageError` for another ending, a folder, the list itself, and every
    file but one that was made of this list and saved by no other program since."""
    suffix = _suffix_of(source.name)
    if path.suffix.lower() != suffix:
        raise UsageError(f"--out {path}: name it {suffix}, which is what it will be.", path=str(path))
    if path.resolve() == source.resolve():
        raise UsageError(f"--out {path} is the list itself. Name another file.", path=str(path))
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder; name a file in it.", path=str(path))
    try:
        mark = _mark_in(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise UsageError(f"--out {path} cannot be used: {reason}.", path=str(path)) from None
    if mark != mark_of(source.name):
        what = "is not as hnbulk wrote it" if mark is None else "was made of another list"
        raise UsageError(
            f"--out {path} exists and {what}; it was left as it is. Name another file.", path=str(path)
        )


def is_kept(name: str) -> bool:
    """A list of this name comes back as the workbook it was."""
    return name.lower().endswith(KEPT)


def _mark_in(path: Path) -> bytes | None:
    """How the file ends, where it is as it was written here."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(size - len(_MARK) - _DIGITS, 0))
        end = file.read()
    return end if _MARKED.fullmatch(end) else None


def _suffix_of(name: str) -> str:
    return Path(name).suffix.lower() if is_kept(name) else KEPT[0]
