"""The signs in a content are those that a search for each of them finds."""

from __future__ import annotations

import pytest

from hnbulk.signs import _PIECE, Signs

NOTHING = Signs(beyond_ascii=False, nul=False, carriage_return=False, quote=False)


@pytest.mark.parametrize("length", [1, _PIECE - 1, _PIECE, _PIECE + 1, 2 * _PIECE + 7])
@pytest.mark.parametrize(
    ("sign", "name"),
    [
        ("\x80".encode("latin-1"), "beyond_ascii"),
        (b"\xff", "beyond_ascii"),
        (b"\x00", "nul"),
        (b"\r", "carriage_return"),
        (b'"', "quote"),
    ],
)
def test_a_sign_is_found_wherever_it_is(sign: bytes, name: str, length: int) -> None:
    """In the first byte, the last and on both sides of where a piece ends; and none where it is not."""
    assert Signs.of(b"a" * length) == NOTHING
    for place in {0, length - 1, min(_PIECE - 1, length - 1), min(_PIECE, length - 1)}:
        content = b"a" * place + sign + b"a" * (length - place - 1)
        found = Signs.of(content)
        assert [each for each in Signs.__slots__ if getattr(found, each)] == [name]


def test_plain_is_what_needs_no_decoding() -> None:
    """ASCII without a NUL; also where there is nothing."""
    assert Signs.of(b"") == NOTHING
    assert Signs.of(b'a,"b"\r\n').plain
    assert not Signs.of("é".encode()).plain
    assert not Signs.of(b"a\x00").plain
