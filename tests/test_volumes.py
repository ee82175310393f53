"""How much text a workbook comes to is told from its bytes, and never as too little."""

from __future__ import annotations

import io
import struct
import zipfile

import old_books
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk import volumes

texts = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=9), max_size=9
)


def parts(book: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


@given(texts)
def test_an_xlsx_comes_to_all_its_shared_texts(cells: list[str]) -> None:
    """At least to their bytes, at most to their part of the file besides."""
    made = parts(old_books.xlsx({"List": [[cell] for cell in cells]}))
    found = volumes.of_xlsx(made["xl/sharedStrings.xml"], [made["xl/worksheets/sheet1.xml"]])
    assert found >= sum(len(cell.encode()) for cell in cells)


def test_a_text_counts_for_each_cell_that_has_it() -> None:
    """However the cell is written; one whose number is not told counts as the longest."""
    shared = b"<sst><si><t>" + b"x" * 1_000 + b"</t></si><si><t>y</t></si></sst>"
    for cell in (
        b'<c r="A1" t="s"><v>%d</v></c>',
        b"<c t='s' r='A1' ><v> %d</v></c>",
        b'<x:c r="A1" s="3" t = "s" ><x:v>%d</x:v></x:c>',
        b'<c r="A1" t="s"><f>B1</f><v>%d</v></c>',
    ):
        assert 50_000 <= volumes.of_xlsx(shared, [cell % 0 * 50]) < 60_000
        assert volumes.of_xlsx(shared, [cell % 1 * 50]) < 5_000
    assert volumes.of_xlsx(shared, [b'<c t="s"><v>&#48;</v></c>' * 50]) >= 50_000
    assert volumes.of_xlsx(shared, [b'<c t="s"><v>999999999999</v></c>' * 50]) >= 50_000
    assert volumes.of_xlsx(shared, []) == 0


def test_repeated_cells_of_an_opendocument_count_as_often() -> None:
    """Columns and rows."""
    text = "x" * 100
    cell = (
        f'<table:table-cell table:number-columns-repeated="20"><text:p>{text}</text:p></table:table-cell>'
    )
    row = f'<table:table-row table:number-rows-repeated="30">{cell}</table:table-row>'
    found = volumes.of_ods(f"<table:table>{row}</table:table>".encode())
    assert 600 * 100 <= found < 600 * 130
    plain = parts(old_books.ods({"L": [["Phone"], ["4155550100"]]}))["content.xml"]
    assert volumes.of_ods(plain) < 200


def xlsb_record(kind: int, body: bytes) -> bytes:
    return old_books.record(kind, body)


def test_shared_texts_of_a_binary_workbook_count_for_each_cell() -> None:
    """A cell with a number that no text has counts as the longest; a cut part ends it."""
    shared = b"".join(xlsb_record(19, b"\0" + struct.pack("<I", n) + b"xx" * n) for n in (1_000, 1))
    cells = [xlsb_record(7, struct.pack("<III", 0, 0, number)) for number in (0, 0, 1, 7)]
    found = volumes.of_xlsb(shared, [b"".join(cells)])
    assert 3 * 2_000 <= found < 3 * 2_000 + 100
    assert volumes.of_xlsb(shared, [b"".join(cells)[:-3]]) < found
    assert volumes.of_xlsb(b"", []) == 0


def sst(*texts: bytes) -> bytes:
    return struct.pack("<II", 9, len(texts)) + b"".join(texts)


def text(signs: int, flags: int = 0, behind: int = 0) -> bytes:
    """A shared text of Excel 97, with formatting runs and phonetic bytes where its flags say so."""
    runs = struct.pack("<H", behind) if flags & 8 else b""
    more = struct.pack("<I", behind) if flags & 4 else b""
    tail = bytes(4 * behind) * bool(flags & 8) + bytes(behind) * bool(flags & 4)
    return struct.pack("<HB", signs, flags) + runs + more + b"x" * (signs * (1 + (flags & 1))) + tail


def label(number: int) -> bytes:
    return old_books._biff(0xFD, struct.pack("<HHHI", 0, 0, 0, number))


@pytest.mark.parametrize("flags", [0, 1, 4, 8, 13])
def test_shared_texts_of_an_old_workbook_count_for_each_cell(flags: int) -> None:
    """Rich text, phonetic text and wide signs; also where a text goes on in the next record."""
    whole = sst(text(300, flags, 5), text(7, flags, 2), text(900))
    cut = 111 + 2 * bool(flags & 8) + 4 * bool(flags & 4)  # behind fifty or a hundred signs of the first
    pieces = [whole[:cut], bytes([flags & 1]) + whole[cut:]]
    parted = old_books._biff(0xFC, pieces[0]) + old_books._biff(0x3C, pieces[1])
    for book in (old_books._biff(0xFC, whole), parted):
        for number, signs in enumerate((300, 7, 900)):
            content = old_books.xls({"L": [["Phone"]]}, first=book + label(number) * 4)
            assert volumes.of_xls(content) == 4 * 2 * signs
    assert volumes.of_xls(old_books.xls({"L": [["Phone"]]})) == 0
