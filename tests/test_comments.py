"""Comments on cells: whatever a part looks like, it is looked at once."""

from __future__ import annotations

import time

import pytest

from hnbulk.addresses import Place
from hnbulk.comments import Comments

LINES = {Place(2, 1): "phone-missing: a row needs a phone number. To do: write it."}
MB = 1 << 20


@pytest.mark.parametrize(
    "inside",
    [
        b"<v:shape " * (MB // 9),
        b"<v:shape a='b'/>" * (MB // 16),
        b"<v:shape>" * (MB // 9) + b"</w:shape>",
        b"<v:shape" + b" " * MB,
        b"<v:shape></v:shape>" + b" " * MB,
        b"<x:Row>" + b" " * MB,
        b"<" + b"v" * MB,
    ],
    ids="cut empty other blanks between row long".split(),
)
def test_a_part_with_boxes_of_any_make_takes_no_time(inside: bytes) -> None:
    """A megabyte of tags that close nothing is done within two seconds."""
    boxes = b'<xml xmlns:v="urn:schemas-microsoft-com:vml">%s</xml>' % inside
    begun = time.perf_counter()
    Comments(None, boxes).with_lines(LINES)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("sign", ["\n", " ", "hnbulk: \n", "\nhnbulk: x"])
def test_a_comment_of_any_make_takes_no_time(sign: str) -> None:
    """A megabyte of line ends or beginnings of our lines is done within two seconds, and stays."""
    text = sign * (MB // len(sign)) + "x"
    made = "<comments><authors><author>Bob</author></authors><commentList><comment ref='A1' authorId='0'>"
    part = f"{made}<text><t>{text}</t></text></comment></commentList></comments>".encode()
    begun = time.perf_counter()
    back = Comments(part, None).with_lines(LINES, endings={"phone-missing": "To do: write it."})
    assert time.perf_counter() - begun < 2
    assert back.texts is not None
    assert text.encode() in back.texts


def test_a_box_goes_with_its_comment_and_no_other_does() -> None:
    """Between shapes that are no comments, and one that is not closed."""
    made = Comments(None, None).with_lines({Place(2, 1): "a", Place(3, 1): "b"})
    assert made.boxes is not None
    odd = b'<v:shape id="x"/><v:shape id="y"><v:path/></v:shape><v:shape id="z">'
    boxes = made.boxes.replace(b"<v:shape ", odd + b"<v:shape ", 1)
    less = Comments(made.texts, boxes).with_lines({Place(3, 1): "b"})
    assert less.boxes is not None
    assert odd in less.boxes
    assert (less.boxes.count(b"<x:Row>1<"), less.boxes.count(b"<x:Row>2<")) == (0, 1)
