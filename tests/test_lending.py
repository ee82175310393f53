"""What was lent to Arrow's threads is back when the reader returns."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hnbulk import parquet, textfiles
from hnbulk.errors import InputError
from hnbulk.lending import lend
from hnbulk.signs import Signs

MANY = 300


def is_held(content: bytearray) -> bool:
    """Somebody holds its memory: it cannot grow."""
    try:
        content.append(0)
    except BufferError:
        return True
    content.pop()
    return False


def test_a_thread_that_lets_go_later_is_waited_for() -> None:
    """The result comes when nobody holds the bytes any more."""
    content, let_go = bytearray(b"abc"), threading.Event()

    def read(lent: pa.Buffer) -> bytes:
        held = [lent.slice(1)]

        def hold() -> None:
            time.sleep(0.2)
            held.clear()
            let_go.set()

        threading.Thread(target=hold).start()
        return lent.to_pybytes()

    assert lend(content, read) == b"abc"
    assert let_go.is_set()
    assert not is_held(content)


def test_what_is_kept_is_not_waited_for_for_ever() -> None:
    """And stays good."""
    content = bytearray(b"abc")
    kept = lend(content, lambda lent: lent)
    assert is_held(content)
    assert kept.to_pybytes() == b"abc"


def test_a_reader_that_fails_holds_nothing() -> None:
    """Its error comes at once; the frames in it do not keep the bytes."""
    content = bytearray(b"abc")

    def read(lent: pa.Buffer) -> None:
        raise pa.ArrowInvalid(f"{lent.size} bytes")

    began = time.monotonic()
    with pytest.raises(pa.ArrowInvalid, match="3 bytes") as raised:
        lend(content, read)
    assert not is_held(content)
    assert raised.value is not None
    assert time.monotonic() - began < 1


def a_text(content: bytearray) -> object:
    return textfiles.read_lines(content, Signs.of(content), ",", width=2, name="list.csv")


def a_text_of_other_width(content: bytearray) -> object:
    content += b"1,2,3\n"
    with pytest.raises(InputError, match="3 cells under 2 headers"):
        textfiles.read_lines(content, Signs.of(content), ",", width=2, name="list.csv")
    return None


def a_parquet(content: bytearray) -> object:
    whole = io.BytesIO()
    pq.write_table(pa.table({"Phone": ["+14155550100"] * 9}), whole)
    content[:] = whole.getvalue()
    return parquet.read_columns(content, name="list.parquet", max_rows=9, max_columns=9, max_cell=99)


def a_broken_parquet(content: bytearray) -> object:
    content[:] = b"PAR1 and no more PAR1"
    with pytest.raises(InputError, match="not a whole"):
        parquet.read_columns(content, name="list.parquet", max_rows=9, max_columns=9, max_cell=99)
    return None


@pytest.mark.parametrize(
    "read", [a_text, a_text_of_other_width, a_parquet, a_broken_parquet], ids=lambda read: read.__name__
)
def test_readers_hold_nothing_of_a_file(read: Callable[[bytearray], object]) -> None:
    """However often: a thread that lets go after the return would be caught once in some dozens."""
    for _ in range(MANY):
        content = bytearray(b"Phone,Name\n+14155550100,x\n")
        result = read(content)
        assert not is_held(content)
        del result
