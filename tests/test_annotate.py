"""A list given back: the same workbook, four columns, marked cells, and nothing of it lost."""

from __future__ import annotations

import io
import posixpath
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import old_books
import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import Font, GradientFill, PatternFill
from openpyxl.worksheet.worksheet import Worksheet
from payloads import FORMULAS

from hnbulk.addresses import column_of
from hnbulk.annotate import MOST_COMMENTS, annotate
from hnbulk.annotated import Annotated, place_for
from hnbulk.annotations import Annotation
from hnbulk.errors import InputError, UsageError
from hnbulk.intake import Intake, read_bytes
from hnbulk.results import ANNOTATED_COLUMNS

HEADER = ("Branch", "Phone", "E-mail")
ROWS = (
    ("Pier", "(415) 555-0100", "a@example.com"),
    ("Dock", "12", "b@@example"),
    ("Quay", None, None),
)
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
#: The children of a worksheet in the order of its schema (CT_Worksheet).
ORDER = (
    "sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetCalcPr sheetProtection protectedRanges "
    "scenarios autoFilter sortState dataConsolidate customSheetViews mergeCells phoneticPr "
    "conditionalFormatting dataValidations hyperlinks printOptions pageMargins pageSetup headerFooter "
    "rowBreaks colBreaks customProperties cellWatches ignoredErrors smartTags drawing legacyDrawing "
    "legacyDrawingHF picture oleObjects controls webPublishItems tableParts extLst"
).split()
SHEET, LOOKS = "xl/worksheets/sheet1.xml", "xl/styles.xml"
RED, YELLOW = "FFF4B5AC", "FFFFE7A0"


def book_of(*rows: tuple[Any, ...]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in (HEADER, *(rows or ROWS)):
        book.active.append(row)
    return book


def bytes_of(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def told(intake: Intake, **texts: str) -> dict[int, Annotation]:
    return {
        row: Annotation("received", "HR1", "2026-01-06", "wait")._replace(**texts) for row, _ in intake.rows
    }


def annotated(
    content: bytes, name: str = "a.xlsx", *, texts: Mapping[str, str] = {}, **how: Any
) -> Annotated:
    intake = read_bytes(content, name=name, **{key: how[key] for key in how if key != "watch"})
    options = {"every": how.get("all_sheets", False), "encoding": how.get("encoding")}
    sheet = how.get("sheet", ())
    sheets = (sheet,) if isinstance(sheet, str) else sheet
    made = annotate(Path(name), content, intake, told(intake, **texts), sheets=sheets, **options)
    assert_sound(parts_of(made.content))
    return made


def assert_sound(parts: Mapping[str, bytes]) -> None:
    """What a spreadsheet program asks of a workbook: parts well-formed and named, cells and columns in
    order, one box for every comment."""
    trees = {
        name: ElementTree.fromstring(part)
        for name, part in parts.items()
        if name.endswith((".xml", ".rels", ".vml"))
    }
    types = trees["[Content_Types].xml"]
    named = {each.get("PartName", "").lstrip("/") for each in types}
    endings = {each.get("Extension") for each in types}
    assert not [
        name
        for name in parts
        if name.endswith(("xml", "vml")) and not endings & {name[-3:]} and name not in named
    ]
    assert named - {""} <= set(parts)
    for name, tree in trees.items():
        if name.endswith(".rels"):
            folder = posixpath.dirname(posixpath.dirname(name))
            inner = [each.get("Target", "") for each in tree if each.get("TargetMode") != "External"]
            targets = {posixpath.normpath(posixpath.join("/", folder, each)).lstrip("/") for each in inner}
            assert targets <= set(parts)
            assert len({each.get("Id") for each in tree}) == len(tree)
        if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name):
            assert_sheet_sound(tree)
    comments = sum(len(tree.findall(f".//{MAIN}comment")) for tree in trees.values())
    boxes = [part for name, part in parts.items() if name.endswith(".vml")]
    assert sum(part.count(b'ObjectType="Note"') for part in boxes) == comments
    assert sum(len(set(re.findall(rb'id="_x0000_s\d+', part))) for part in boxes) == comments


def assert_sheet_sound(tree: ElementTree.Element) -> None:
    names = [child.tag.removeprefix(MAIN) for child in tree]
    assert names == sorted(names, key=ORDER.index)
    reach = [
        (int(each.attrib["min"]), int(each.attrib["max"])) for each in tree.findall(f"{MAIN}cols/{MAIN}col")
    ]
    assert reach == sorted(reach)
    assert all(one[1] < other[0] for one, other in pairwise(reach))
    rows = tree.findall(f"{MAIN}sheetData/{MAIN}row")
    numbers = [int(row.attrib["r"]) for row in rows if "r" in row.attrib]
    assert numbers == sorted(set(numbers))
    for row in rows:
        columns = [column_of(cell.attrib["r"]) for cell in row if "r" in cell.attrib]
        assert columns == sorted(set(columns))


def opened(content: bytes, **how: Any) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content), **how)


def sheet_of(content: bytes, **how: Any) -> Worksheet:
    return opened(content, **how).worksheets[0]


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def packed(parts: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, part in parts.items():
            made.writestr(name, part)
    return content.getvalue()


def fill_of(sheet: Worksheet, cell: str) -> str | None:
    fill = sheet[cell].fill
    return str(fill.fgColor.rgb) if fill.patternType else None


def note_of(sheet: Worksheet, cell: str) -> str:
    return sheet[cell].comment.text if sheet[cell].comment else ""


def test_four_columns_stand_to_the_right_of_the_list() -> None:
    """Every row has the four texts, the header their names; own cells are as they were."""
    sheet = sheet_of(annotated(bytes_of(book_of())).content)
    assert [cell.value for cell in sheet[1]] == [*HEADER, *ANNOTATED_COLUMNS]
    assert [cell.value for cell in sheet[2]][3:] == ["received", "HR1", "2026-01-06", "wait"]
    assert [tuple(cell.value for cell in row[:3]) for row in sheet.iter_rows(min_row=2)] == list(ROWS)


def test_problem_cells_are_coloured_and_say_rule_and_remedy() -> None:
    """A cell of each problem is red with code, rule and remedy, a missing one too; good cells are not."""
    sheet = sheet_of(annotated(bytes_of(book_of())).content)
    assert {cell: fill_of(sheet, cell) for cell in ("B2", "C2", "B3", "C3", "B4")} == {
        **dict.fromkeys(("B2", "C2")),
        **dict.fromkeys(("B3", "C3", "B4"), RED),
    }
    assert note_of(sheet, "B3") == (
        "hnbulk: phone-too-short: a phone number has ten digits; this one has fewer. To do: write area "
        "code and number: ten digits, or +1 and ten digits."
    )
    assert note_of(sheet, "B4").startswith("hnbulk: phone-missing: ")
    assert not note_of(sheet, "B2")


def test_a_comment_names_no_person() -> None:
    """What is wrong with a cell is said without what is in it."""
    content = annotated(bytes_of(book_of(("Pier", "415-555-01", "canary@@person.example")))).content
    told = b"".join(part for name, part in parts_of(content).items() if "omment" in name)
    assert b"email-format" in told
    assert b"canary" not in told
    assert b"555-01" not in told


def test_a_warning_is_yellow_and_an_error_beside_it_red() -> None:
    """A header that is no field is yellow, and so are a repeat and an empty row."""
    book = openpyxl.Workbook()
    for row in (("Phone", "Notes"), ("4155550100", "x"), ("4155550100", "x"), (None, None), ("12", "y")):
        book.active.append(row)
    sheet = sheet_of(annotated(bytes_of(book)).content)
    assert {cell: fill_of(sheet, cell) for cell in ("A1", "B1", "A3", "A4", "A5")} == {
        "A1": None,
        **dict.fromkeys(("B1", "A3", "A4"), YELLOW),
        "A5": RED,
    }
    assert note_of(sheet, "A4").startswith("hnbulk: blank-row: ")


def test_a_mark_under_white_letters_is_dark() -> None:
    """Text that was readable stays so."""
    book = book_of()
    book.active["B3"].font = Font(color="FFFFFFFF")
    book.active["B3"].fill = PatternFill("solid", fgColor="FF1F4E78")
    assert fill_of(sheet_of(annotated(bytes_of(book)).content), "B3") == "FF9A1B12"


def test_what_was_on_the_sheet_before_stays() -> None:
    """Looks, widths, merged cells, filters, frozen panes, hidden sheets, names and formulas."""
    book = book_of()
    sheet = book.active
    sheet["A2"].font, sheet["A2"].number_format = Font(bold=True, italic=True), "0.00"
    sheet.column_dimensions["A"].width, sheet.row_dimensions[2].height = 33, 40
    sheet.freeze_panes, sheet.auto_filter.ref = "B2", "A1:C4"
    other = book.create_sheet("Sums")
    other["A1"], other.sheet_state = "=COUNTA(Sheet!B:B)", "hidden"
    other.merge_cells("B2:C3")
    book.defined_names["AREA"] = openpyxl.workbook.defined_name.DefinedName("AREA", attr_text="Sheet!$A$1")
    back = opened(annotated(bytes_of(book)).content)
    made = back.worksheets[0]
    assert (made["A2"].font.b, made["A2"].font.i, made["A2"].number_format) == (True, True, "0.00")
    assert (made.column_dimensions["A"].width, made.row_dimensions[2].height) == (33, 40)
    assert (made.freeze_panes, made.auto_filter.ref) == ("B2", "A1:C4")
    assert (back["Sums"].sheet_state, back["Sums"]["A1"].value) == ("hidden", "=COUNTA(Sheet!B:B)")
    assert [str(each) for each in back["Sums"].merged_cells.ranges] == ["B2:C3"]
    assert "AREA" in back.defined_names


def test_every_part_but_the_list_is_the_same_byte_for_byte() -> None:
    """Charts, pictures, macros and parts nobody knows are what they were; so are the list's own cells."""
    book = book_of()
    chart = openpyxl.chart.BarChart()
    chart.add_data(openpyxl.chart.Reference(book.active, min_col=1, min_row=1, max_row=3))
    book.create_sheet("Chart").add_chart(chart, "B2")
    parts = parts_of(bytes_of(book))
    parts["xl/vbaProject.bin"] = bytes(range(256))
    parts["xl/media/image1.png"] = b"\x89PNG not parsed"
    parts["customXml/item1.xml"] = b"<a xmlns='urn:x'>kept</a>"
    made = annotated(packed(parts), "a.xlsm").content
    back = parts_of(made)
    changed = {name for name in parts if back[name] != parts[name]}
    assert changed == {"[Content_Types].xml", "xl/styles.xml", "xl/worksheets/sheet1.xml"}
    assert [name for name in back if name in parts] == list(parts)
    before, after = parts["xl/worksheets/sheet1.xml"], back["xl/worksheets/sheet1.xml"]
    own = re.findall(rb'<c r="[A-C]2".*?</c>', before)
    assert len(own) == 3
    assert all(cell in after for cell in own)


def test_tables_rules_and_links_of_a_sheet_stay_and_stand_in_order() -> None:
    """What a sheet has behind its cells is there, and the reference to our comments in its place."""
    book = book_of()
    sheet = book.active
    sheet.add_table(openpyxl.worksheet.table.Table(displayName="List", ref="A1:C4"))
    sheet.add_data_validation(openpyxl.worksheet.datavalidation.DataValidation("whole", sqref="A2"))
    rule = openpyxl.formatting.rule.FormulaRule(formula=["TRUE"], font=Font(bold=True))
    sheet.conditional_formatting.add("A2:A4", rule)
    sheet["A2"].hyperlink = "https://example.com/"
    sheet.add_chart(openpyxl.chart.BarChart(), "H2")
    made = sheet_of(annotated(bytes_of(book)).content)
    assert made.tables["List"].ref == "A1:C4"
    assert len(made.data_validations.dataValidation) == len(made.conditional_formatting) == 1
    assert made["A2"].hyperlink.target == "https://example.com/"
    assert len(made._charts) == 1
    assert note_of(made, "B3").startswith("hnbulk: ")


def with_values(content: bytes, values: Mapping[str, str]) -> bytes:
    """The workbook with these results of its formulas kept, as a spreadsheet program saves it."""
    parts = parts_of(content)
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    for cell, value in values.items():
        start = sheet.index(f'<c r="{cell}"')
        end = sheet.index("</c>", start)
        tag = sheet[start:end].replace(f'<c r="{cell}"', f'<c r="{cell}" t="str"', 1)
        made = tag.replace("<v></v>", "").replace("<v/>", "").replace("<v />", "") + f"<v>{value}</v>"
        sheet = sheet[:start] + made + sheet[end:]
    return packed({**parts, "xl/worksheets/sheet1.xml": sheet.encode()})


def test_formulas_keep_their_values_and_the_file_is_read_again_as_before() -> None:
    """A number made by a formula is there when the file is fed back, without a spreadsheet in between."""
    book = book_of(("Pier", '="415"&"5550100"', "a@example.com"))
    content = with_values(bytes_of(book), {"B2": "4155550100"})
    first = read_bytes(content, name="a.xlsx")
    assert first.targets["phone_number"].tolist() == ["+14155550100"]
    made = annotated(content).content
    again = read_bytes(made, name="a.xlsx")
    assert (again.rows, again.columns) == (first.rows, first.columns)
    assert sheet_of(made)["B2"].value == '="415"&"5550100"'
    assert sheet_of(made, data_only=True)["B2"].value == "4155550100"


def test_fed_back_the_columns_are_not_read_and_are_brought_up_to_date() -> None:
    """The same rows, columns and problems; the four columns stay where they are, with new texts."""
    content = bytes_of(book_of())
    once = annotated(content).content
    first, again = read_bytes(content, name="a.xlsx"), read_bytes(once, name="a.xlsx")
    assert (again.rows, again.columns) == (first.rows, first.columns)
    assert again.problems.equals(first.problems)
    twice = sheet_of(annotated(once, texts={"status": "verified"}).content)
    assert [cell.value for cell in twice[1]] == [*HEADER, *ANNOTATED_COLUMNS]
    assert [cell.value for cell in twice["D"]][1:] == ["verified"] * 3
    assert note_of(twice, "B3").count("phone-too-short") == 1


def test_a_corrected_cell_loses_its_mark_and_gets_its_own_look_back() -> None:
    """Colour and comment go with the problem; what filled the cell before is there again."""
    book = book_of()
    book.active["B3"].fill = PatternFill("solid", fgColor="FFDDEBF7")
    corrected = opened(annotated(bytes_of(book)).content)
    sheet = corrected.worksheets[0]
    assert fill_of(sheet, "B3") == RED
    sheet["B3"], sheet["C3"] = "415-555-0101", "b@example.com"
    made = sheet_of(annotated(bytes_of(corrected)).content)
    assert (fill_of(made, "B3"), note_of(made, "B3")) == ("FFDDEBF7", "")
    assert (fill_of(made, "C3"), note_of(made, "C3")) == (None, "")
    assert fill_of(made, "B4") == RED


def marked_and_corrected(content: bytes) -> tuple[Annotated, Worksheet]:
    """The workbook with its marks, and the sheet once the cells are corrected."""
    once = annotated(content)
    corrected = opened(once.content)
    sheet = corrected.worksheets[0]
    sheet["B3"], sheet["C3"] = "415-555-0101", "b@example.com"
    return once, sheet_of(annotated(bytes_of(corrected)).content)


def test_a_plain_colour_comes_back_however_it_was_written() -> None:
    """Attributes between single quotes are the same."""
    book = book_of()
    book.active["B3"].fill = PatternFill("solid", fgColor="FFDDEBF7")
    parts = parts_of(bytes_of(book))
    styles = parts[LOOKS].replace(b'patternType="solid"', b"patternType = 'solid'")
    once, made = marked_and_corrected(packed({**parts, LOOKS: styles}))
    assert (fill_of(made, "B3"), once.notes) == ("FFDDEBF7", ())


@pytest.mark.parametrize(
    "fill",
    [
        PatternFill("gray125"),
        PatternFill("lightUp", fgColor="FF00B050"),
        GradientFill(stop=("FFFFFF", "000000")),
    ],
    ids="gray lines gradient".split(),
)
def test_a_filling_that_does_not_come_back_is_said(fill: Any) -> None:
    """A pattern or gradient makes place for the mark, and a note says of how many; others keep theirs."""
    book = book_of()
    for cell in ("A3", "B3"):
        book.active[cell].fill = fill
    once, made = marked_and_corrected(bytes_of(book))
    assert [note.partition(":")[0] for note in once.notes] == ["1 cell with a pattern or a gradient"]
    assert repr(made["A3"].fill) == repr(sheet_of(bytes_of(book))["A3"].fill)
    assert fill_of(made, "B3") is None


def test_somebodys_comment_stays_above_ours() -> None:
    """Theirs is first, ours below; when the problem is gone theirs is alone again."""
    book = book_of()
    book.active["B3"].comment = Comment("Ask Ann\nabout this", "Bob")
    book.active["A2"].comment = Comment("Leave me", "Bob")
    once = annotated(bytes_of(book)).content
    sheet = sheet_of(once)
    assert note_of(sheet, "B3").startswith("Ask Ann\nabout this\n\nhnbulk: phone-too-short")
    assert (note_of(sheet, "A2"), sheet["A2"].comment.author) == ("Leave me", "Bob")
    corrected = opened(once)
    corrected.worksheets[0]["B3"] = "415-555-0101"
    assert note_of(sheet_of(annotated(bytes_of(corrected)).content), "B3") == "Ask Ann\nabout this"


@pytest.mark.parametrize(
    "text",
    [
        "hnbulk: ask Ann about this tool",
        "hnbulk: 12 rows are mine",
        "hnbulk: phone-missing: I know, I am on it",
        "hnbulk: phone-too-short: hm\n\nhnbulk: is right",
    ],
)
def test_somebodys_comment_is_theirs_however_it_begins(text: str) -> None:
    """On a good cell and on a bad one, after one time and after two."""
    book = book_of()
    for cell in ("A2", "B3"):
        book.active[cell].comment = Comment(text, "Bob")
    once = annotated(bytes_of(book)).content
    for made in (sheet_of(once), sheet_of(annotated(once).content)):
        assert note_of(made, "A2") == text
        assert note_of(made, "B3").startswith(f"{text}\n\nhnbulk: phone-too-short")
        assert note_of(made, "B3").count("ten digits; this one") == 1


@pytest.mark.parametrize("theirs", ["", "Ask Ann\n"])
@pytest.mark.parametrize("typed", [" Ann knows", "\nAnn knows", "\nhe said:\n\nAnn knows"])
def test_words_typed_behind_ours_stay(theirs: str, typed: str) -> None:
    """In a comment that we began too; what is ours goes with the problem."""
    book = book_of()
    if theirs:
        book.active["B3"].comment = Comment(theirs, "Bob")
    corrected = opened(annotated(bytes_of(book)).content)
    sheet = corrected.worksheets[0]
    comment = sheet["B3"].comment
    assert comment is not None
    sheet["B3"].comment = Comment(comment.text + typed, comment.author)
    again = annotated(bytes_of(corrected)).content
    assert "Ann knows" in note_of(sheet_of(again), "B3")
    assert note_of(sheet_of(again), "B3").count("hnbulk: ") == 1
    sheet["B3"] = "415-555-0101"
    left = note_of(sheet_of(annotated(bytes_of(corrected)).content), "B3")
    assert left.removeprefix(theirs).strip() == typed.strip()
    assert left.startswith(theirs)


def test_a_conversation_on_a_cell_is_left_alone_and_said() -> None:
    """Its text is not shown by spreadsheets, so ours would not be either: the cell is coloured."""
    book = book_of()
    book.active["B3"].comment = Comment("[Threaded comment]", "tc={B3A1}")
    made = annotated(bytes_of(book))
    assert note_of(sheet_of(made.content), "B3") == "[Threaded comment]"
    assert fill_of(sheet_of(made.content), "B3") == RED
    assert len(made.notes) == 1
    assert made.notes[0].startswith("1 cell with a conversation")


def test_a_signed_workbook_is_said_to_be_signed_no_more() -> None:
    """The signature is of the workbook as it was."""
    parts = parts_of(bytes_of(book_of()))
    made = annotated(packed({**parts, "_xmlsignatures/sig1.xml": b"<Signature/>"}))
    assert [note.partition(";")[0] for note in made.notes] == ["the workbook was signed"]


def test_cells_right_of_the_list_are_not_written_over() -> None:
    """The columns go behind everything: a formula without text, a coloured edge, a merged title."""
    book = book_of()
    sheet = book.active
    sheet["E9"] = '=""'
    for row in sheet.iter_rows(min_row=1, max_row=4, min_col=4, max_col=9):
        for cell in row:
            cell.fill = PatternFill("solid", fgColor="FFEEEEEE")
    sheet.merge_cells("F2:G2")
    sheet.column_dimensions.group("H", "XFD", hidden=True)
    made = sheet_of(annotated(with_values(bytes_of(book), {"E9": ""})).content)
    assert [cell.value for cell in made[1]][:11] == [*HEADER, *[None] * 4, *ANNOTATED_COLUMNS]
    assert made["E9"].value == '=""'
    assert [made.column_dimensions[name].hidden for name in "HIJK"] == [False] * 4
    assert made.column_dimensions["L"].hidden


def test_only_the_sheets_that_are_read_get_the_columns() -> None:
    """Named sheets or all of them; the others are as they were."""
    book = book_of()
    second = book.create_sheet("West & <East>")
    for row in (("Tel.", "Site"), ("4155550101", "x"), ("9", "y")):
        second.append(row)
    content = bytes_of(book)
    one = opened(annotated(content, sheet="West & <East>").content)
    assert [cell.value for cell in one.worksheets[0][1]] == list(HEADER)
    assert [cell.value for cell in one.worksheets[1][1]] == ["Tel.", "Site", *ANNOTATED_COLUMNS]
    both = opened(annotated(content, all_sheets=True).content)
    assert [sheet.max_column for sheet in both.worksheets] == [7, 6]
    assert (fill_of(both.worksheets[1], "A3"), fill_of(both.worksheets[0], "B3")) == (RED, RED)


def test_a_list_below_empty_rows_and_beside_empty_columns_is_found() -> None:
    """The header's own row and columns count, not the first ones there are."""
    book = openpyxl.Workbook()
    for row, texts in ((4, HEADER), (5, ROWS[0]), (7, ROWS[1])):
        for column, text in enumerate(texts, 3):
            book.active.cell(row, column, text)
    made = sheet_of(annotated(bytes_of(book)).content)
    assert [cell.value for cell in made[4]][2:] == [*HEADER, *ANNOTATED_COLUMNS]
    assert [made.cell(row, 6).value for row in (5, 6, 7)] == ["received"] * 3
    assert [fill_of(made, cell) for cell in ("D5", "D6", "D7")] == [None, YELLOW, RED]


def test_a_sheet_of_another_programs_making_is_added_to() -> None:
    """Names with a prefix, cells and rows without a place, rows that are empty tags, no looks given."""
    main = b'xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cell = b'<x:c t="inlineStr"><x:is><x:t>%s</x:t></x:is></x:c>'
    rows = (b"<x:row>" + cell % b"Phone" + cell % b"Site" + b"</x:row>", b'<x:row spans="1:2"/>')
    rows = (*rows, b'<x:row r="3" spans="1:2">' + cell % b"12" + b"</x:row>")
    parts = parts_of(bytes_of(book_of()))
    parts["xl/worksheets/sheet1.xml"] = (
        b'<?xml version="1.0"?><x:worksheet %s><x:sheetData>%s</x:sheetData></x:worksheet>'
        % (main, b"".join(rows))
    )
    made = annotated(packed(parts)).content
    sheet = sheet_of(made)
    assert [cell.value for cell in sheet[1]] == ["Phone", "Site", *ANNOTATED_COLUMNS]
    assert [cell.value for cell in sheet["C"]][1:] == ["received"] * 2
    assert fill_of(sheet, "A3") == RED
    assert read_bytes(made, name="a.xlsx").rows == read_bytes(packed(parts), name="a.xlsx").rows


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.ods", "a.parquet"])
def test_a_list_of_another_kind_becomes_a_workbook_of_text(name: str) -> None:
    """The same columns in the same order, every cell text, rows as they were; read again the same."""
    rows = [("Phone", "Note", "=1+1"), *(("4155550100", text, "007") for text in TEXTS), ("12", "x", "1e5")]
    content = CONTENTS[name[1:]](rows)
    made = annotated(content, name).content
    sheet = sheet_of(made)
    assert [cell.value for cell in sheet[1]] == ["Phone", "Note", "=1+1", *ANNOTATED_COLUMNS]
    assert {cell.data_type for row in sheet.iter_rows(max_col=3) for cell in row if cell.value} == {"s"}
    assert fill_of(sheet, f"A{len(rows)}") == RED
    first, again = read_bytes(content, name=name), read_bytes(made, name="a.xlsx")
    assert (again.rows, again.columns) == (first.rows, first.columns)


TEXTS = tuple(text for text in FORMULAS if "\x00" not in text)


def _csv(rows: list[tuple[str, ...]], delimiter: str = ",") -> bytes:
    import csv

    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode()


def _frame(rows: list[tuple[str, ...]]) -> bytes:
    import pandas as pd

    content = io.BytesIO()
    pd.DataFrame(rows[1:], columns=list(rows[0])).to_parquet(content)
    return content.getvalue()


def _ods(rows: list[tuple[str, ...]]) -> bytes:
    from xml.sax.saxutils import escape

    def cell(text: str) -> str:
        shown = escape("".join(sign for sign in text if sign.isprintable()))
        return f'<table:table-cell office:value-type="string"><text:p>{shown}</text:p></table:table-cell>'

    lines = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0"?><office:document-content{spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="L">{lines}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0"?><manifest:manifest '
        'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry '
        f'manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    return packed(
        {
            "mimetype": kind.encode(),
            "content.xml": content.encode(),
            "META-INF/manifest.xml": manifest.encode(),
        }
    )


CONTENTS: Mapping[str, Any] = {
    ".csv": _csv,
    ".tsv": lambda rows: _csv(rows, "\t"),
    ".ods": _ods,
    ".parquet": _frame,
}


def read_again(content: bytes, name: str = "a.xlsx") -> tuple[Any, ...]:
    """What a list says: rows, columns, targets."""
    intake = read_bytes(content, name=name)
    return list(intake.rows), intake.columns, intake.targets.to_dict("list")


def test_a_result_file_is_given_back_with_its_own_columns_brought_up_to_date() -> None:
    """Its other columns and its cells stay as they are in the file, and it is read as that list."""
    content = b"Phone,Note,hn_row,hn_status,hn_error\n4155550100,'=1+1,2,failed,x\n"
    made = annotated(content, "a.csv").content
    sheet = sheet_of(made)
    titles = ["Phone", "Note", "hn_row", "hn_status", "hn_error", "hn_sid", "hn_stage_date", "hn_next_step"]
    assert [cell.value for cell in sheet[1]] == titles
    assert [cell.value for cell in sheet[2]][:5] == ["4155550100", "'=1+1", "2", "received", "x"]
    assert read_again(made) == read_again(content, "a.csv")


RESULT = (
    ("Phone", "Name", "'=own", "hn_row", "hn_status"),
    ("4155550100", "'-North", "''+x", "2", "failed"),
)
QUARANTINE = (("Phone", "Name", "hn_code"), ("4155550100", "'-North", "email-format"))
PLACED = (("Phone", "Name", "hn_place"), ("4155550100", "'=1+1", "b.csv, row 2"))
OWN = (("Phone", "Name", "'=own"), ("4155550100", "'-North", "''+x"))


@pytest.mark.parametrize("rows", [RESULT, QUARANTINE, OWN], ids="result bad own".split())
@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
def test_annotated_a_list_says_what_it_said(rows: tuple[tuple[str, ...], ...], name: str) -> None:
    """A `'` of ours is taken off before and after, one of the customer's neither before nor after."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    content = bytes_of(book) if name == "a.xlsx" else _csv(list(rows))
    once = annotated(content, name).content
    assert read_again(once) == read_again(content, name)
    assert read_again(annotated(once).content) == read_again(content, name)


def test_a_list_of_several_files_gives_back_its_cells() -> None:
    """The column of places alone marks nothing: a cell is given back as it is read."""
    content = _csv(list(PLACED))
    made = annotated(content, "a.csv").content
    before, after = (
        read_bytes(each[0], name=each[1]).rows[0][1] for each in ((content, "a.csv"), (made, "a.xlsx"))
    )
    assert sheet_of(made)["B2"].value == before["Name"] == after["Name"] == "'=1+1"


@pytest.mark.parametrize("gone", [(6,), (4, 5, 6, 7)], ids=["day", "all"])
def test_a_list_whose_columns_of_ours_were_deleted_is_still_known(gone: tuple[int, ...]) -> None:
    """Own cells are read as they are, and a corrected cell loses its red."""
    book = book_of(("'=own", "12", None))
    corrected = opened(annotated(bytes_of(book)).content)
    sheet = corrected.worksheets[0]
    assert fill_of(sheet, "B2") == RED
    for column in reversed(gone):
        sheet.delete_cols(column)
    sheet["B2"] = "415-555-0101"
    content = bytes_of(corrected)
    assert read_bytes(content, name="a.xlsx").rows[0][1]["Branch"] == "'=own"
    made = sheet_of(annotated(content).content)
    assert (fill_of(made, "B2"), note_of(made, "B2")) == (None, "")


EAST = r"'East\u202e\x85'"  # as it is told
LISTS: old_books.Sheets = {
    "West": (("Phone",), ("4155550100",)),
    "East\u202e\x85": (("Phone",), ("4155550101",)),
    "Hidden": (("Phone",), ("4155550102",)),
    "Empty": (),
}


def two_lists() -> bytes:
    """An ODS of two lists, one that nobody sees, and an empty sheet."""
    parts = parts_of(old_books.ods(LISTS))
    space = "urn:oasis:names:tc:opendocument:xmlns:style:1.0"
    style = (
        f'<office:automatic-styles xmlns:style="{space}"><style:style style:name="h" style:family="table">'
        '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
    )
    content = parts["content.xml"].replace(b"<office:body>", f"{style}<office:body>".encode())
    content = content.replace(b'table:name="Hidden"', b'table:name="Hidden" table:style-name="h"')
    return packed({**parts, "content.xml": content})


@pytest.mark.parametrize(
    ("how", "left"),
    [
        ({}, f"{EAST}, 'Hidden', 'Empty'"),
        ({"sheet": "West"}, f"{EAST}, 'Hidden', 'Empty'"),
        ({"sheet": "Hidden"}, f"'West', {EAST}, 'Empty'"),
        ({"all_sheets": True}, "'Hidden', 'Empty'"),
    ],
)
def test_sheets_of_another_kind_that_were_not_read_are_said_to_be_left_out(
    how: dict[str, Any], left: str
) -> None:
    """Nothing of a list disappears without a word, hidden or named or not."""
    made = annotated(two_lists(), "a.ods", **how)
    assert made.notes == (f"sheets that were not read are not in it: {left}",)


def test_a_list_whose_sheets_are_all_in_it_has_no_note() -> None:
    """What is read is in the new workbook, sheet by sheet."""
    made = annotated(old_books.ods({"W": LISTS["West"], "E": LISTS["Hidden"]}), "a.ods", all_sheets=True)
    assert (made.notes, opened(made.content).sheetnames) == ((), ["W", "E"])


def test_what_comes_from_the_service_shows_as_text() -> None:
    """No text of it is a formula, in whatever column, nor becomes one when the sheet is saved as CSV."""
    for text in FORMULAS:
        texts = dict.fromkeys(("status", "sid", "stage_date", "next_step"), text)
        sheet = sheet_of(annotated(bytes_of(book_of()), texts=texts).content)
        for cell in (sheet[f"{column}2"] for column in "DEFG"):
            assert cell.data_type == "s"
            assert cell.quotePrefix
            assert cell.value.strip()[:1] not in tuple("=+-@＝＋－＠﹦﹢﹣﹫")


def test_no_cell_of_ours_is_longer_than_a_cell_may_be() -> None:
    """A spreadsheet would not open the workbook."""
    made = annotated(bytes_of(book_of()), texts={"next_step": "=" + "x" * 40_000}).content
    assert len(sheet_of(made)["G2"].value) == 32_767
    read_bytes(made, name="a.xlsx")


def test_a_header_of_the_list_is_only_text_in_a_comment() -> None:
    """Names of sheets and columns that look like markup or formulas break no part."""
    book = openpyxl.Workbook()
    book.active.title = "=1+1 & <b>"
    for row in (("Phone", "=1+1", "</t><t>"), ("4155550100", "x", "y"), ("4155550100", "z", "y")):
        book.active.append(row)
    book.active["B1"].data_type = "s"
    made = annotated(bytes_of(book))
    assert note_of(sheet_of(made.content), "C1").startswith("hnbulk: unknown-column")


def test_a_list_below_a_title_has_its_columns_beside_its_headers() -> None:
    """The title stays as it is, and the file is read again as before."""
    book = openpyxl.Workbook()
    for row in (("Our branches in the east",), (), HEADER, *ROWS):
        book.active.append(row)
    book.active.merge_cells("A1:C1")
    made = annotated(bytes_of(book)).content
    sheet = sheet_of(made)
    assert [cell.value for cell in sheet[3]] == [*HEADER, *ANNOTATED_COLUMNS]
    assert sheet["A1"].value == "Our branches in the east"
    assert [cell.value for cell in sheet[1]][3:] == [None] * 4
    assert sheet["D4"].value == "received"
    before, again = read_bytes(bytes_of(book), name="a.xlsx"), read_bytes(made, name="a.xlsx")
    assert again.targets.equals(before.targets)
    assert before.problems[["row", "code"]].to_numpy().tolist()[0] == [1, "rows-above"]
    assert before.problems["message"][0].endswith("(the headers are in row 3)")


SOFFICE = shutil.which("soffice") or shutil.which("localc")


@pytest.mark.skipif(SOFFICE is None, reason="needs LibreOffice: Debian package libreoffice-calc-nogui")
def test_a_spreadsheet_shows_text_and_our_comments(tmp_path: Path) -> None:
    """LibreOffice opens a new workbook and one that was added to, and finds no formula in either."""
    rows = [("Phone", "Note"), *(("12", text) for text in TEXTS)]
    texts = {"status": "=1+1", "next_step": '=HYPERLINK("http://evil.example","x")', "sid": "@SUM(1)"}
    (tmp_path / "new.xlsx").write_bytes(annotated(_csv(rows), "a.csv", texts=texts).content)
    (tmp_path / "old.xlsx").write_bytes(annotated(bytes_of(book_of()), texts=texts).content)
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    convert = [str(SOFFICE), "--headless", profile, "--convert-to", "fods", "--outdir", str(tmp_path)]
    files = [str(tmp_path / name) for name in ("new.xlsx", "old.xlsx")]
    subprocess.run([*convert, *files], check=True, timeout=300, capture_output=True)
    for name in ("new", "old"):
        content = (tmp_path / f"{name}.fods").read_text(encoding="utf-8")
        assert "table:formula=" not in content
        assert "HYPERLINK" in content
        assert "hnbulk: phone-too-short" in content


def test_more_problems_than_can_be_commented_are_coloured_and_said() -> None:
    """The first have a comment, the others their colour, and a note says how many."""
    rows = [("Phone",), *(("1",) for _ in range(MOST_COMMENTS + 20))]
    made = annotated(_csv(rows), "a.csv")
    assert made.errors == MOST_COMMENTS + 20
    assert made.notes[0].startswith("20 cells more than 10,000")
    read_bytes(made.content, name="a.xlsx")


@pytest.mark.parametrize(
    "part",
    [b"<worksheet", b"<!DOCTYPE a><worksheet/>", b'<?xml version="1.0" encoding="latin-1"?><worksheet/>'],
)
def test_a_part_that_is_no_sheet_is_refused_in_one_line(part: bytes) -> None:
    """The message has the file and what to do."""
    content = bytes_of(book_of())
    intake = read_bytes(content, name="a.xlsx")
    broken = packed({**parts_of(content), "xl/worksheets/sheet1.xml": part})
    with pytest.raises(InputError, match=r"a\.xlsx is no workbook that can be added to .*Save it again"):
        annotate(Path("a.xlsx"), broken, intake, told(intake))


def wide(columns: int) -> list[tuple[str, ...]]:
    return [(*(f"C{n}" for n in range(1, columns)), "Phone"), (*("x" * (columns - 1)), "12")]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
@pytest.mark.parametrize("columns", [196, 197])
def test_a_list_that_would_be_too_wide_to_be_read_again_is_refused(name: str, columns: int) -> None:
    """With the four columns it has at most as many as are read."""
    book = openpyxl.Workbook()
    for row in wide(columns):
        book.active.append(row)
    content = bytes_of(book) if name == "a.xlsx" else _csv(wide(columns))
    if columns > 196:
        with pytest.raises(InputError, match=r"too large to be given back.* Split the list"):
            annotated(content, name)
    else:
        read_bytes(annotated(content, name).content, name="a.xlsx")


@pytest.mark.parametrize(("name", "rows", "length"), [("a.csv", 7_000, 32_000), ("a.xlsx", 200, 32_000)])
def test_a_list_that_would_not_be_read_again_is_refused_before_it_is_written(
    name: str, rows: int, length: int
) -> None:
    """Too many bytes, or bytes that are packed too well; one message with the remedy."""
    list_ = [("Phone",), *((str(4155550100 + n),) for n in range(rows))]
    book = openpyxl.Workbook()
    for row in list_:
        book.active.append(row)
    content = bytes_of(book) if name == "a.xlsx" else _csv(list_)
    begun = time.perf_counter()
    with pytest.raises(InputError, match=rf"{name} is too large to be given back.* Split the list"):
        annotated(content, name, texts={"next_step": "x" * length})
    assert time.perf_counter() - begun < 10


def as_excel(book: openpyxl.Workbook) -> dict[str, bytes]:
    """The parts of the workbook, with a width and merged cells in the sheet."""
    book.active.column_dimensions["C"].width = 12
    book.active.merge_cells("A9:B9")
    return parts_of(bytes_of(book))


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        (SHEET, b'width="12"', b'width="INF"'),
        (SHEET, b'width="12"', b'width="-1e99"'),
        (SHEET, b'width="12"', b'width="NaN"'),
        (SHEET, b'min="3"', b'min="one"'),
        (SHEET, b'max="3"', b'max="%s"' % (b"9" * 5_000)),
        (SHEET, b'<c r="A2"', b'<c r="A2" s="x"'),
        (SHEET, b'<c r="A2"', b'<c r="!2"'),
        (SHEET, b'<row r="2"', b'<row r="two"'),
        (SHEET, b'"A9:B9"', b'"A9:%s"' % (b"9" * 5_000)),
        ("xl/_rels/workbook.xml.rels", b" Target=", b" Nothing="),
        ("xl/workbook.xml", b'name="Sheet"', b'name="Other"'),
        (LOOKS, b"fills", b"nofills"),
    ],
    ids="inf huge nan min max look cell row merged relation name fills".split(),
)
def test_what_is_no_number_or_place_is_refused_in_one_line(part: str, old: bytes, new: bytes) -> None:
    """Not told as a fault of ours, and nothing is written."""
    parts = as_excel(book_of())
    whole = packed(parts)
    intake = read_bytes(whole, name="a.xlsx")
    assert old in parts[part]
    broken = packed({**parts, part: parts[part].replace(old, new)})
    with pytest.raises(InputError, match=r"a\.xlsx is no workbook that can be added to .*Save it again"):
        annotate(Path("a.xlsx"), broken, intake, told(intake))


def test_a_sheet_that_says_much_of_columns_takes_no_time() -> None:
    """What a hundred thousand tags say of columns is looked up once, not for each of many marked cells."""
    book = book_of(*((None, str(n), None) for n in range(600)))
    parts = parts_of(bytes_of(book))
    cols = "".join(f'<col min="9" max="9" width="{n * 7919 % 100003}"/>' for n in range(100_000)).encode()
    content = packed(
        {**parts, SHEET: parts[SHEET].replace(b"<sheetData>", b"<cols>%s</cols><sheetData>" % cols)}
    )
    intake = read_bytes(content, name="a.xlsx")
    begun = time.perf_counter()
    annotate(Path("a.xlsx"), content, intake, told(intake))
    assert time.perf_counter() - begun < 10


def test_a_workbook_that_is_cut_is_refused_in_one_line() -> None:
    """A zip file that is not whole is told as such."""
    content = bytes_of(book_of())
    intake = read_bytes(content, name="a.xlsx")
    for broken in (content[:-200], content.replace(b"PK\x03\x04", b"PK\x03\x05")):
        with pytest.raises(InputError, match="it is not whole"):
            annotate(Path("a.xlsx"), broken, intake, told(intake))


def test_a_fault_of_ours_is_not_told_as_one_of_the_workbook() -> None:
    """A row without a text is no matter of the workbook."""
    content = bytes_of(book_of())
    intake = read_bytes(content, name="a.xlsx")
    with pytest.raises(KeyError):
        annotate(Path("a.xlsx"), content, intake, {})


def test_it_goes_beside_the_list_and_over_nothing_of_somebodys(tmp_path: Path) -> None:
    """Named after the list; never the list, nor a file that another program has saved; 0600."""
    source = tmp_path / "list.xlsx"
    source.write_bytes(bytes_of(book_of()))
    intake = read_bytes(source.read_bytes(), name="list.xlsx")
    made = annotate(source, source.read_bytes(), intake, told(intake))
    place = made.save()
    assert (place.name, place.stat().st_mode & 0o777) == ("list.annotated.xlsx", 0o600)
    assert made.save() == place
    openpyxl.load_workbook(place).save(place)
    for out in (
        source,
        place,
        tmp_path,
        tmp_path / "x.csv",
        tmp_path / "x.xlsm",
        tmp_path / "a" / "x.xlsx",
    ):
        with pytest.raises(UsageError):
            made.save(out)
    assert read_bytes(source.read_bytes(), name="list.xlsx").input_hash == intake.input_hash


def test_two_lists_of_one_name_go_to_two_places(tmp_path: Path) -> None:
    """The second does not go over what was made of the first, named or not; each goes over its own."""
    contents = {
        "a.csv": b"Phone\n4155550100\n",
        "a.tsv": b"Phone\n4155550101\n",
        "a.xlsx": bytes_of(book_of()),
    }
    made = {}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        intake = read_bytes(content, name=name)
        made[name] = annotate(tmp_path / name, content, intake, told(intake))
    for _ in range(2):
        places = [made[name].save().name for name in contents]
        assert places == ["a.annotated.xlsx", "a.tsv.annotated.xlsx", "a.xlsx.annotated.xlsx"]
    with pytest.raises(UsageError, match="made of another list"):
        made["a.tsv"].save(tmp_path / "a.annotated.xlsx")
    assert made["a.csv"].save(tmp_path / "a.annotated.xlsx").read_bytes() == made["a.csv"].content


def test_the_place_of_one_that_was_annotated_before_has_a_number() -> None:
    """It is never the file itself."""
    names = (
        "a.csv",
        "a.xlsx",
        "a.XLSM",
        "a.annotated.xlsx",
        "a.annotated-2.xlsx",
        "a.annotated.csv",
        "a.b.ods",
    )
    assert [place_for(Path("d") / name).name for name in names] == [
        "a.annotated.xlsx",
        "a.annotated.xlsx",
        "a.annotated.XLSM",
        "a.annotated-2.xlsx",
        "a.annotated-3.xlsx",
        "a.annotated.annotated.xlsx",
        "a.b.annotated.xlsx",
    ]
