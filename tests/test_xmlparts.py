"""A part is cut at its tags' own bytes, and nothing else of it changes."""

from __future__ import annotations

import pytest

from hnbulk.xmlparts import Element, Enough, Unreadable, cell_text, edited, walk, with_attributes


def elements(part: bytes, **how: object) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def closed(element: Element) -> None:
        found[element.name] = part[element.start : element.end]

    walk(part, closed, **how)  # type: ignore[arg-type]
    return found


def test_every_element_is_found_where_it_stands() -> None:
    """Behind a mark and signs of several bytes, with `>` in values, with and without an end tag."""
    text = '\ufeff<?xml version="1.0"?><!-- é > --><x:a xmlns:x="u"><b c="é>\'">é</b><d e=\'"/>\' /></x:a>'
    part = text.encode()
    found = elements(part)
    assert found["b"] == '<b c="é>\'">é</b>'.encode()
    assert found["d"] == b"<d e='\"/>' />"
    assert found["a"].startswith(b"<x:a")
    assert walk(part, lambda _: None) == "x:"


def test_a_look_may_end_early_and_name_what_it_wants() -> None:
    """What is deeper than the root's children and not asked for is not told."""
    seen = []

    def closed(element: Element) -> None:
        seen.append(element.name)
        raise Enough

    walk(b"<a><b><c/><d/></b></a>", closed, only=frozenset("d"))
    assert seen == ["d"]


def test_edits_stand_where_they_were_asked_for() -> None:
    """At one byte the earlier one first; two of one place are refused."""
    assert edited(b"<a></a>", [(3, 3, b"2"), (3, 3, b"3"), (0, 3, b"<b>")]) == b"<b>23</a>"
    with pytest.raises(Unreadable):
        edited(b"<a></a>", [(0, 3, b""), (1, 2, b"")])


def test_attributes_are_set_and_escaped() -> None:
    """The others and the way they are written stay, however far apart they stand."""
    assert with_attributes(b'<c r=\'A1\'  s="3" t="s">', s=5) == b'<c s="5" r=\'A1\' t="s">'
    assert with_attributes(b"<c" + b" " * (1 << 20) + b'r="A1">', s=1).startswith(b'<c s="1" ')
    assert with_attributes(b"<c/>", s='"&') == b"<c s='\"&amp;'/>"


@pytest.mark.parametrize(
    "part",
    [
        b"<a>",
        b"<!DOCTYPE a><a/>",
        "<a>é</a>".encode("utf-16"),
        b"<?xml version='1.0' encoding='latin-1'?><a/>",
    ],
)
def test_what_is_no_part_of_a_workbook_is_refused(part: bytes) -> None:
    """Cut, with declarations, or in another encoding."""
    with pytest.raises(Unreadable):
        elements(part)


def test_signs_that_xml_cannot_hold_are_coded_as_spreadsheets_do() -> None:
    """And a text that looks like such a code stays the text it is."""
    assert cell_text("a\x0bb\r<\ud800_x0041_") == "a_x000B_b_x000D_&lt;\ufffd_x005F_x0041_"
