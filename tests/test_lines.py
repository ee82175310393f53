"""Lines kept as bytes are the values they say, each time they are asked for."""

from __future__ import annotations

from array import array

import pytest

from hnbulk.lines import Lines

CONTENT = b"head\n1\n22\nno\n333\n"


def lines(read: list[bytes] | None = None) -> Lines[int]:
    """Three of the lines; what is read is noted."""

    def value(text: bytes) -> int:
        if read is not None:
            read.append(text)
        return int(text)

    return Lines(CONTENT, array("q", (5, 6, 7, 9, 13, 16)), value)


def test_they_are_a_sequence_of_the_values() -> None:
    """Length, order, indices from either end, slices, membership, texts."""
    some = lines()
    assert (len(some), list(some), some[0], some[-1]) == (3, [1, 22, 333], 1, 333)
    assert (some[1:], some[::-1], 22 in some, 4 in some) == ((22, 333), (333, 22, 1), True, False)
    assert list(some.texts()) == [b"1", b"22", b"333"]
    assert "333" not in repr(some)


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_that_is_not_there_is_an_error(index: int) -> None:
    """As of a tuple."""
    with pytest.raises(IndexError):
        lines()[index]


def test_they_equal_the_same_values_in_any_sequence() -> None:
    """Other values, another length, or no sequence at all are not equal."""
    same = (1, 22, 333)
    assert lines() == same
    assert same == lines()
    assert lines() == lines()
    assert lines() != (1, 22)
    assert lines() != (1, 22, 4)
    assert lines() != "123"
    assert lines() != 5


def test_a_line_is_read_when_it_is_asked_for_and_kept_for_a_while() -> None:
    """Nothing is read before; the same line twice is read once."""
    read: list[bytes] = []
    some = lines(read)
    assert read == []
    assert some[1] is some[1]
    assert read == [b"22"]


def test_few_values_are_kept() -> None:
    """A thousand lines asked for one by one leave a few hundred values."""
    content = b"".join(b"%04d" % n for n in range(1000))
    read: list[bytes] = []
    bounds = array("q", (place for n in range(1000) for place in (4 * n, 4 * n + 4)))
    some = Lines(content, bounds, lambda text: read.append(text) or int(text))
    assert [some[n] for n in range(1000)] == list(range(1000))
    assert [some[n] for n in range(1000)] == list(range(1000))
    assert len(read) == 2000
