"""Which column of a customer's lists is which field, as a person said it once and keeps it in a file.

The file is JSON: `{"Business line": "phone_number", "Notes": null}`. A column with null is known and not
sent. What a mapping says goes before the usual names; a column that it does not name has those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hnbulk.errors import InputError, UsageError
from hnbulk.files import write_private
from hnbulk.headers import FIELD_ALIASES, shown_header
from hnbulk.plaintext import single_line
from hnbulk.tablefiles import read_file

Stated = Mapping[str, str | None]


def read_mapping(path: Path) -> dict[str, str | None]:
    """The mapping in a file. Raises `InputError`, in one line, where it is none."""
    if str(path).lstrip().startswith("{"):
        raise InputError("a mapping is read from a file: write the JSON into one and name that.")
    content = read_file(path, remedy="Name the JSON file that says which column is which field")
    return parse_mapping(content, name=single_line(path.name))


def parse_mapping(content: bytes, *, name: str) -> dict[str, str | None]:
    """The mapping in these bytes; `name` is the file's. Raises `InputError`."""
    try:
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except UnicodeDecodeError:
        raise _refused(name, "is not UTF-8 text", "Save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise _refused(name + line, "is not JSON", _EXAMPLE) from None
    if not isinstance(found, _Pairs):
        raise _refused(name, "is no object of columns and fields", _EXAMPLE)
    return check_mapping(found, name=name)


def check_mapping(pairs: Iterable[tuple[str, Any]], *, name: str = "the mapping") -> dict[str, str | None]:
    """The columns, blanks around them taken off, each with a field or None. Raises `InputError`."""
    mapping: dict[str, str | None] = {}
    for title, field in pairs:
        column = title.strip()
        shown = shown_header(column)
        if not column or column in mapping:
            what = f"names the column {shown} twice" if column else "names a column without a name"
            raise _refused(name, what, "Keep one line for each column")
        if field is not None and not (isinstance(field, str) and field in FIELD_ALIASES):
            fields = ", ".join(FIELD_ALIASES)
            what = f"gives the column {shown} a field that there is not: {str(field)[:40]!r}"
            raise _refused(name, what, f"Name one of {fields}; or null")
        mapping[column] = field
    if not mapping:
        raise _refused(name, "names no column", _EXAMPLE)
    return mapping


def refuse_strangers(mapping: Stated, columns: Iterable[str], *, name: str) -> None:
    """Every column that the mapping names is in the list. Raises `InputError`."""
    known = list(dict.fromkeys(columns))
    for column in mapping:
        if column not in known:
            headers = ", ".join(map(shown_header, known[:20]))
            what = f"has no column {shown_header(column)}, which the mapping names; it has {headers}"
            raise _refused(f"{name}, row 1:", what, "Correct the mapping, or the header in row 1")


def save_mapping(path: Path, mapping: Stated) -> None:
    """`path` holds the mapping, 0600.

    Raises `UsageError` where something else than a mapping is there: it may be the customer's list.
    """
    if path.exists():
        try:
            read_mapping(path)
        except InputError:
            told = f"{single_line(str(path))} exists and is no mapping; it was left as it is."
            raise UsageError(f"{told} Name another file with --save-map.", path=str(path)) from None
    write_private(path, json.dumps(dict(mapping), ensure_ascii=False, indent=2).encode() + b"\n")


_EXAMPLE = 'Write {"Business line": "phone_number", "Notes": null}'


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it stands, so that a column that is named twice is seen."""


def _refused(name: str, what: str, remedy: str) -> InputError:
    return InputError(single_line(f"{name} {what}. {remedy}."), file=name)
