"""What a glance says of a row is what the rules say of each of its cells."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk.checks import PLAIN, PLAIN_LENGTH, read_field, row_findings
from hnbulk.glance import glance
from hnbulk.headers import FIELD_ALIASES
from hnbulk.phones import Phone, read_phone, tidy

SID = "0123456789abcdef" * 2
#: Cells as lists have them, good ones and bad ones, for each field.
CELLS: dict[str, list[str]] = {
    "phone_number": ["4152368000", "(415) 236-8001", "+1 212 555 2368 x9", "oops", "", "8764152368"],
    "friendly_name": ["Main St", "  Rue Émile ", "x" * 65, "x" * 129, "a\tb", "\u202eevil", "", "\u00a0"],
    "unique_name": ["site-1", "", "x" * 200, " padded "],
    "email": ["a@example.com", "a@b", "a@example.com; b@example.com", "A.B+c@EX-ample.co.uk", ""],
    "cc_emails": ["a@example.com;b@example.com", "a@example.com", "nobody", "", ";"],
    "address_sid": [f"AD{SID}", f"AP{SID}", "", f" AD{SID} "],
    "sms_application_sid": [f"AP{SID}", ""],
    "sms_url": ["https://sms.acme.com/in", "http://sms.acme.com", "", "https://localhost/"],
    "sms_method": ["post", "PUT", ""],
    "verification_type": ["Phone Call", "phone_bill", "letter", ""],
    "verification_document_sid": [f"RI{SID}", "", "RI"],
    "extension": ["12", "12w3", "x", ""],
    "call_delay": ["0", "30", "31", "61", "1.5", ""],
    "line_type": ["mobile", "Fixed line", "?", ""],
}


@st.composite
def lists(draw: st.DrawFn) -> dict[str, list[str]]:
    """A few rows of some of the fields."""
    others = draw(st.lists(st.sampled_from(sorted(CELLS.keys() - {"phone_number"})), unique=True))
    rows = draw(st.integers(0, 6))
    return {
        name: draw(st.lists(st.sampled_from(CELLS[name]), min_size=rows, max_size=rows))
        for name in ("phone_number", *others)
    }


def by_the_rules(cells: dict[str, str]) -> dict[str, Any] | None:
    """The values of one row, or None where there is anything to say about it."""
    phone = read_phone(tidy(cells["phone_number"]))
    if not isinstance(phone, Phone) or phone.extension:
        return None
    values: dict[str, Any] = {}
    for name, cell in cells.items():
        if name != "phone_number" and (text := tidy(cell)):
            values[name], findings = read_field(name, text)
            if findings:
                return None
    return None if row_findings(values) else {**values, "phone_number": phone.number}


@given(lists())
def test_a_row_is_seen_as_the_rules_read_it(cells: dict[str, list[str]]) -> None:
    """Its values are theirs; where they have something to say, it is odd."""
    seen = glance({name: pa.array(column, type=pa.string()) for name, column in cells.items()})
    for n in range(len(cells["phone_number"])):
        expected = by_the_rules({name: column[n] for name, column in cells.items()})
        assert bool(seen.odd[n]) == (expected is None)
        if expected is not None:
            assert seen.target(n) == expected
            assert seen.keys[n] == int(expected["phone_number"][2:])


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_cell_is_its_own_value(name: str) -> None:
    """What the short pattern lets through, the rules let through, and change nothing of it."""

    @given(st.from_regex(re.compile(PLAIN[name], re.ASCII), fullmatch=True))
    def holds(text: str) -> None:
        if len(text) <= PLAIN_LENGTH:
            assert tidy(text) == text
            assert read_field(name, text) == (text, ())

    holds()


@given(
    st.sets(st.sampled_from(sorted(FIELD_ALIASES.keys() - {"verification_type"}))),
    st.sampled_from([None, "phone-call", "phone-bill"]),
    st.sampled_from(["a", f"AP{SID}", "https://x.example.com", ["a@example.com"], 7]),
)
def test_what_is_wrong_between_fields_rests_on_which_are_filled(
    filled: set[str], way: str | None, value: object
) -> None:
    """Not on what is in them, but for the way of verification: on that the glance relies."""
    one: dict[str, Any] = {**dict.fromkeys(filled, value), "verification_type": way}
    other: dict[str, Any] = {**dict.fromkeys(filled, "filled"), "verification_type": way}
    assert row_findings(one) == row_findings(other)


def test_rows_can_be_made_odd() -> None:
    """Nothing is known of them any more; what was seen before stays as it was."""
    before = glance({"phone_number": pa.array(["4155550100", "4155550101"])})
    after = before.without(np.array([1]))
    assert (after.odd.tolist(), after.keys.tolist()) == ([False, True], [4155550100, 0])
    assert before.odd.tolist() == [False, False]
