"""Several files and sheets are one list: repeats are found across them, and every row has its place."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest

import hnbulk as hn
from hnbulk.checks import RULES
from hnbulk.errors import InputError, UsageError
from hnbulk.intake import Intake, read_bytes, read_targets
from hnbulk.places import Places
from hnbulk.quarantine import quarantine


def book(**sheets: list[list[object]]) -> bytes:
    """A workbook of these sheets."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


WEST: list[list[object]] = [["Phone", "Name"], ["4155550100", "a"], ["oops", "b"]]
EAST: list[list[object]] = [["Tel.", "City"], ["415-555-0100", "x"], ["2125550101", "y"]]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A workbook of two sheets and a text file."""
    (tmp_path / "w.xlsx").write_bytes(book(West=WEST, East=EAST))
    (tmp_path / "c.csv").write_bytes(b"TN,Branch\n2125550101,q\n4165550102,r\n")
    return [tmp_path / "w.xlsx", tmp_path / "c.csv"]


def test_repeats_are_found_across_sheets_and_files(files: list[Path]) -> None:
    """As within one; the message names both places."""
    intake = read_targets(files, all_sheets=True)
    conflict = intake.problems[intake.problems["code"] == "conflicting-rows"]
    assert conflict["row"].tolist() == [2, 10_000_002, 10_000_003, 20_000_002]
    assert (
        conflict["message"]
        .iloc[0]
        .endswith("(w.xlsx, sheet 'West', row 2; w.xlsx, sheet 'East', row 2 differ in friendly_name)")
    )
    assert next(line for line in intake.problem_lines if "phone-letters" in line).startswith(
        "w.xlsx, sheet 'West', row 3, Phone: "
    )
    assert intake.targets["phone_number"].tolist() == ["+14165550102"]
    assert intake.name == "w.xlsx and 1 more"


def test_columns_of_one_field_are_one_column(files: list[Path]) -> None:
    """Named as in the first table; each row says where it stands, and a message names its own column."""
    intake = read_targets(files, all_sheets=True)
    assert intake.columns == ("Phone", "Name", "City", "hn_place")
    assert intake.rows[-1] == (
        20_000_003,
        {"Phone": "4165550102", "Name": "r", "City": "", "hn_place": "c.csv, row 3"},
    )
    own = intake.problems.set_index("row")["column"].to_dict()
    assert own[20_000_002] == "TN"
    again = Intake.from_rows(intake.columns, intake.rows, name="again")
    assert again.targets.equals(intake.targets)
    assert again.columns == intake.columns


def test_one_table_keeps_its_own_row_numbers(files: list[Path]) -> None:
    """Whether it is the only one or chosen by name."""
    west = read_targets(files[0], sheet=["West"])
    assert [row for row, _ in west.rows] == [2, 3]
    assert west.problem_lines[0].startswith("w.xlsx, sheet 'West', row 3, Phone: ")
    assert read_targets(files[:1], sheet="West") == west


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """By their folders, where the names are the same."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "l.csv").write_bytes(b"Phone\n4155550100\n")
    intake = read_targets([tmp_path / "a" / "l.csv", tmp_path / "b" / "l.csv"])
    assert intake.places.tell(10_000_002) == f"{tmp_path}/b/l.csv, row 2"
    assert intake.counts["by_code"] == {"duplicate-row": 1}


def test_what_contradicts_itself_is_refused(files: list[Path]) -> None:
    """No file, both ways to choose sheets, a sheet of a text file, a cover sheet among all."""
    with pytest.raises(UsageError):
        read_targets([])
    with pytest.raises(UsageError, match="exclude each other"):
        read_targets(files, sheet="West", all_sheets=True)
    with pytest.raises(InputError, match=r"c\.csv has no sheets"):
        read_targets(files[1:], sheet="West")
    cover = book(Cover=[["Branch list"], ["of 2026"]], West=WEST)
    with pytest.raises(InputError, match=r"w\.xlsx, sheet 'Cover', row 1: no column is the phone number"):
        read_bytes(cover, name="w.xlsx", all_sheets=True)


def test_an_encoding_is_that_of_the_text_files_among_them(files: list[Path]) -> None:
    """A workbook beside them has its own; without a text file there is none to be stated."""
    files[1].write_bytes("TN,Branch\n4165550102,Québec\n".encode("cp1252"))
    intake = read_targets(files, all_sheets=True, encoding="cp1252")
    assert intake.targets["friendly_name"].tolist()[-1] == "Québec"
    with pytest.raises(InputError, match=r"w\.xlsx is no text file"):
        read_targets(files[:1], encoding="cp1252")


def test_lists_of_other_order_have_another_hash(files: list[Path]) -> None:
    """The plan's checksum rests on it."""
    one, other = (read_targets(each, all_sheets=True).input_hash for each in (files, files[::-1]))
    assert one != other


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Mobile", "line-type-mobile"),
        ("CELL PHONE", "line-type-mobile"),
        ("wireless", "line-type-mobile"),
        ("móvil", "line-type-mobile"),
        ("landline", None),
        ("Land-line", None),
        ("VoIP", None),
        ("nonFixedVoip", None),
        ("toll-free", None),
        ("", None),
        ("carrier pigeon", "line-type-unknown"),
    ],
)
def test_a_line_type_is_looked_at_and_never_sent(text: str, code: str | None) -> None:
    """A mobile line is an error, what is not known a warning."""
    intake = read_bytes(f"Phone,Type of line\n4155550100,{text}\n".encode(), name="a.csv")
    assert intake.counts["by_code"] == ({code: 1} if code else {})
    assert ("line_type" in intake.targets) is False
    assert len(intake.targets) == (0 if code and RULES[code].severity == "error" else 1)


def test_lines_of_other_type_ask_for_the_same() -> None:
    """What is not sent is no difference."""
    intake = read_bytes(b"Phone,Line type\n4155550100,voip\n4155550100,landline\n", name="a.csv")
    assert intake.set_aside == {3: "duplicate-row"}


def test_a_place_is_on_one_line() -> None:
    """Whatever the name of a file or sheet holds."""
    places = Places((("a\x1b.csv", None), ("b.xlsx", "S\n1")))
    assert places.tell(2) == "a .csv, row 2"
    assert "\n" not in places.tell(10_000_003)
    assert places.several((2, 10_000_003)) == "a .csv, row 2; b.xlsx, sheet 'S\\n1', row 3"


def test_several_lists_are_planned_applied_and_fed_back(account: hn.Account, tmp_path: Path) -> None:
    """Every row of every list is in one result file, with its place; the file reads as the same rows."""
    (tmp_path / "a.csv").write_bytes(b"Phone,Name\n4155550100,a\noops,b\n")
    (tmp_path / "b.csv").write_bytes(b"Tel,City\n4155550101,x\n")
    intake = read_targets([tmp_path / "a.csv", tmp_path / "b.csv"])
    plan = account.plan(intake, set_aside=True)
    run = account.apply(plan, approve=plan.checksum[:8])
    run.wait(timeout=60)
    done = run.results
    assert done.success["hn_place"].tolist() == ["a.csv, row 2", "b.csv, row 2"]
    assert done.success["hn_row"].tolist() == ["2", "10000002"]
    assert done.unprocessed["hn_place"].tolist() == ["a.csv, row 3"]
    again = read_bytes(done.success.to_csv(index=False).encode(), name="success.csv")
    assert again.columns == ("Phone", "Name", "City")
    assert again.targets["phone_number"].tolist() == intake.targets["phone_number"].tolist()


def test_columns_of_two_lists_never_become_one_by_their_names(tmp_path: Path) -> None:
    """Whatever else is called so already."""
    (tmp_path / "a.csv").write_bytes(b"Phone,Name\n4155550100,a\n")
    (tmp_path / "b.csv").write_bytes(b"Tel,Phone,Phone (other)\n4155550101,x,y\n")
    intake = read_targets([tmp_path / "a.csv", tmp_path / "b.csv"], mapping={"Tel": "phone_number"})
    assert intake.columns == ("Phone", "Name", "Phone (other)", "Phone (other) (other)", "hn_place")
    assert list(intake.rows[1][1].values())[:4] == ["4155550101", "", "x", "y"]


def test_a_field_s_column_is_named_by_a_header_that_says_it(tmp_path: Path) -> None:
    """So that a file of several lists is read again without their mapping, or with it."""
    (tmp_path / "a.csv").write_bytes(b"Line 1,Durchwahl\n4155550100,12\noops,\n")
    (tmp_path / "b.csv").write_bytes(b"Phone,Ext.\n4155550101,13\n")
    mapping = {"Line 1": "phone_number", "Durchwahl": "extension"}
    intake = read_targets([tmp_path / "a.csv", tmp_path / "b.csv"], mapping=mapping)
    assert intake.columns == ("Phone", "Ext.", "hn_place")
    assert intake.targets["extension"].tolist() == ["12", "13"]
    content, _ = quarantine(intake.columns, intake.rows, intake.problems)
    fixed = content.replace(b"oops", b"4155550102,14"[:10])
    for given in (None, mapping):
        again = read_bytes(fixed, name="q.csv", mapping=given)
        assert again.targets["phone_number"].tolist() == ["+14155550102"]


def test_options_are_for_the_files_of_their_kind(tmp_path: Path) -> None:
    """Of several: sheets of workbooks, and the encoding of text that is not UTF-8 beyond doubt."""
    (tmp_path / "w.xlsx").write_bytes(book(West=WEST, East=EAST))
    (tmp_path / "c.csv").write_bytes("Phone,Name\n4165550102,Qu\u00e9bec\n".encode("cp1252"))
    (tmp_path / "u.csv").write_bytes("Phone,Name\n4165550103,Montr\u00e9al\n".encode())
    (tmp_path / "m.csv").write_bytes("Phone,Name\n4165550104,L\u00e9vis\n".encode("utf-8-sig"))
    names = ["w.xlsx", "c.csv", "u.csv", "m.csv"]
    intake = read_targets([tmp_path / name for name in names], sheet=["East"], encoding="cp1252")
    assert intake.targets["friendly_name"].tolist()[-3:] == ["Qu\u00e9bec", "Montr\u00e9al", "L\u00e9vis"]
    assert {intake.places.of(row)[1] for row, _ in intake.rows} == {"East", None}
    with pytest.raises(InputError, match=r"c\.csv has no sheets"):
        read_targets([tmp_path / "c.csv", tmp_path / "m.csv"], sheet="East", encoding="cp1252")


def test_every_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With its fault, in one line: missing, empty, of another shape or without a phone number column."""
    (tmp_path / "a.csv").write_bytes(b"")
    (tmp_path / "b.csv").write_bytes(b"Phone\n4155550100\n")
    (tmp_path / "c.csv").write_bytes(b"Phone,Name\n1\n")
    (tmp_path / "d.csv").write_bytes(b"Branch\nx\n")
    with pytest.raises(InputError) as caught:
        read_targets([tmp_path / f"{name}.csv" for name in "abcde"])
    told = caught.value.message
    assert told.startswith("4 of 5 lists cannot be read: (1) cannot read ")
    for fault in ("e.csv: No such file", "a.csv is empty", "c.csv, row 2: 1 cells", "d.csv"):
        assert fault in told
    assert "b.csv" not in told
    assert "\n" not in told
