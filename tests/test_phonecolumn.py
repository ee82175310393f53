"""A column of phone cells is read as the reader reads each of its cells, or left to it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.phonecolumn import e164_keys, e164_texts, read_phones
from hnbulk.phones import Phone, read_phone

#: Ways to write a number; the first are read at a glance, the others need the reader.
PLAIN = (
    "{a}{b}{c}",
    "1{a}{b}{c}",
    "+1{a}{b}{c}",
    "({a}) {b}-{c}",
    "({a}){b}-{c}",
    "{a}-{b}-{c}",
    "{a}.{b}.{c}",
    "{a} {b} {c}",
    "1-{a}-{b}-{c}",
    "+1 ({a}) {b}-{c}",
    "+1.{a}.{b}.{c}",
    " {a}/{b}-{c} ",
    "tel:+1-{a}-{b}-{c}",
    "'{a}{b}{c}",
    '="{a}{b}{c}"',
)
ODD = ("{a}{b}.{c}", "+{a}{b}{c}", "2{a}{b}{c}", "{a}-{b}-{c} x12", "011{a}{b}{c}", "{a},{b}{c}", "{a}{b}")


def as_read(cell: str) -> int:
    """The key that the reader's answer comes to."""
    phone = read_phone(cell)
    if isinstance(phone, Phone) and phone.extension is None:
        return int(phone.number.removeprefix("+1"))
    return 0


def test_every_area_code_in_every_way_is_read_as_the_reader_does() -> None:
    """No disagreement: 800 area codes, 22 ways to write them, ordinary and strange exchanges."""
    numbers = [
        (str(area), exchange, line)
        for area in range(200, 1_000)
        for exchange, line in (("236", "8000"), ("555", "0142"), ("911", "1234"))
    ]
    cells = [way.format(a=a, b=b, c=c) for way in (*PLAIN, *ODD) for a, b, c in numbers]
    found = read_phones(pa.array(cells)).tolist()
    differ = [cell for cell, key in zip(cells, found, strict=True) if key and key != as_read(cell)]
    missed = [cell for cell, key in zip(cells, found, strict=True) if not key and as_read(cell)]
    assert differ == []
    # what the library alone knows (a kind of its own) is left to the reader; the rest is not
    assert len(missed) < 0.01 * len(cells)


@pytest.mark.parametrize("way", PLAIN)
def test_usual_ways_to_write_a_number_need_no_reader(way: str) -> None:
    """Each is read here."""
    assert read_phones(pa.array([way.format(a="415", b="236", c="8000")])).tolist() == [4152368000]


SIGNS = st.sampled_from([*"0123456789+-() ./x'=\"\u00a0\uff10", "415", "212", "tel:", "ext"])


@given(st.lists(st.lists(SIGNS, max_size=18).map("".join), max_size=20))
def test_what_is_read_here_the_reader_reads_alike(cells: list[str]) -> None:
    """Whatever the cells are."""
    found = read_phones(pa.array(cells, type=pa.string())).tolist()
    assert len(found) == len(cells)
    assert all(key in (0, as_read(cell)) for cell, key in zip(cells, found, strict=True))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_missing_cells_slices_and_chunks_are_read_as_they_are(kind: pa.DataType) -> None:
    """Where a column comes from makes no difference."""
    cells = ["4152368000", None, "+1 415 236 8001", "", "4152368002"]
    expected = [4152368000, 0, 4152368001, 0, 4152368002]
    whole = pa.array(cells, type=kind)
    numbers = pa.array(["+12125552368", "+14152368000"], type=kind)
    keys = e164_keys(numbers.slice(1))
    assert keys is not None
    assert keys.tolist() == [14152368000]
    assert read_phones(whole).tolist() == expected
    assert read_phones(whole.slice(1, 3)).tolist() == expected[1:4]
    assert read_phones(pa.chunked_array([whole.slice(0, 2), whole.slice(2)])).tolist() == expected
    assert read_phones(pa.array([], type=pa.string())).tolist() == []


def test_keys_are_written_as_numbers() -> None:
    """And no key is no number."""
    texts = e164_texts(np.array([4152368000, 0, 2125552368]))
    assert texts.to_pylist() == ["+14152368000", None, "+12125552368"]


@given(st.lists(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), max_size=12))
def test_different_numbers_have_different_keys(numbers: list[str]) -> None:
    """Of any country and length."""
    keys = e164_keys(pa.array(numbers, type=pa.string()))
    assert keys is not None
    assert [f"+{key}" for key in keys.tolist()] == numbers


@pytest.mark.parametrize(
    "other", [None, "", "4152368000", "+04152368000", "+1415236800x", "+", "+" + "1" * 16]
)
def test_a_column_with_another_text_has_no_keys(other: str | None) -> None:
    """Not even for the others."""
    assert e164_keys(pa.array(["+14152368000", other])) is None
