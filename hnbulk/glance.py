"""Rows of a list at a glance: which of them break no rule, and what those ask for.

The rules are those of `checks` and `phones`, asked once for each different cell, or for each different
set of filled fields, instead of once a row. A row about which there is anything to say is left to
those who have the words. This module reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hnbulk.checks import PLAIN, PLAIN_LENGTH, read_field, row_findings
from hnbulk.numberindex import Numbers
from hnbulk.phonecolumn import Keys, e164_texts, read_phones
from hnbulk.phones import tidy

Mask = npt.NDArray[np.bool_]

#: What a field's values are; text where nothing is said.
TYPES: Mapping[str, pa.DataType] = {"cc_emails": pa.list_(pa.string()), "call_delay": pa.int64()}


@dataclass(frozen=True, slots=True, repr=False)
class Glance:
    """What was seen of the rows: `values` by field, as long as the list; missing where a cell is blank.

    Of a row that is `odd` nothing is known but that.
    """

    keys: Keys  # the ten digits of each row's number; 0 where the row is odd
    values: Mapping[str, pa.Array]
    odd: Mask

    def without(self, places: Numbers) -> Self:
        """The rows at these places are odd."""
        keys, odd = self.keys.copy(), self.odd.copy()
        keys[places], odd[places] = 0, True
        return replace(self, keys=keys, odd=odd)

    def target(self, place: int) -> dict[str, Any]:
        """What the row at this place asks for, its blank fields left out."""
        cells = {name: column[place].as_py() for name, column in self.values.items()}
        return {name: cell for name, cell in cells.items() if cell is not None}


def glance(cells: Mapping[str, pa.Array]) -> Glance:
    """The rows whose cells are these, by field; strings without a missing one, equally long."""
    keys = read_phones(cells["phone_number"])
    odd = keys == 0
    values: dict[str, pa.Array] = {}
    for name, column in cells.items():
        if name != "phone_number":
            values[name], strange = _read_column(name, column)
            odd |= strange
    odd |= _with_findings(values, len(keys))
    keys = np.where(odd, 0, keys)
    values["phone_number"] = e164_texts(keys)
    return Glance(keys, values, odd)


def _read_column(name: str, column: pa.Array) -> tuple[pa.Array, Mask]:
    """The values of one field, and where its cells break a rule."""
    strange: Mask = np.zeros(len(column), dtype=np.bool_)
    pattern = PLAIN.get(name)
    if pattern is None:
        values, strange[:] = _read_cells(name, column)
        return values, strange
    short = pc.less_equal(pc.binary_length(column), PLAIN_LENGTH)
    others = pc.invert(pc.and_(short, pc.match_substring_regex(column, rf"\A(?:{pattern})\z")))
    places = np.flatnonzero(np.asarray(others, dtype=np.bool_))
    if not len(places):
        return column, strange
    values, strange[places] = _read_cells(name, column.take(pa.array(places)))
    return pc.replace_with_mask(column, others, values), strange


def _read_cells(name: str, column: pa.Array) -> tuple[pa.Array, Mask]:
    """The same, each different cell read by the rules for one."""
    encoded = column.dictionary_encode()
    read = [_read(name, cell) for cell in encoded.dictionary.to_pylist()]
    values = pa.array([value for value, _ in read], type=TYPES.get(name, pa.string()))
    strange = np.array([odd for _, odd in read], dtype=np.bool_)
    return values.take(encoded.indices), strange[encoded.indices.to_numpy()]


def _read(name: str, cell: str) -> tuple[Any, bool]:
    text = tidy(cell)
    if not text:
        return None, False
    value, findings = read_field(name, text)
    return value, bool(findings)


def _with_findings(values: Mapping[str, pa.Array], length: int) -> Mask:
    """Where something is wrong between the fields of a row; it rests on which of them are filled, and on
    how ownership is verified."""
    alike = np.zeros(length, dtype=np.int64)
    names = [name for name in values if name != "verification_type"]
    for n, name in enumerate(names):
        alike |= np.asarray(values[name].is_valid(), dtype=np.int64) << n
    ways: list[Any] = [None]
    if "verification_type" in values:
        encoded = pc.fill_null(values["verification_type"], "").dictionary_encode()
        ways = encoded.dictionary.to_pylist()
        alike |= encoded.indices.to_numpy().astype(np.int64) << len(names)
    kinds = pa.array(alike).dictionary_encode()
    wrong = [bool(row_findings(_example(kind, names, ways))) for kind in kinds.dictionary.to_pylist()]
    found: Mask = np.array(wrong, dtype=np.bool_)[kinds.indices.to_numpy()]
    return found


def _example(kind: int, names: list[str], ways: list[Any]) -> dict[str, Any]:
    """A row that has these fields filled."""
    filled: dict[str, Any] = {name: "filled" for n, name in enumerate(names) if kind >> n & 1}
    return {**filled, "verification_type": ways[kind >> len(names)] or None}
