"""Bad rows go to a file of their own, and what was corrected there is fed back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from bad_lists import WRITERS
from old_books import Wrong

from hnbulk.cli import main
from hnbulk.intake import read_bytes
from hnbulk.quarantine import COLUMNS, quarantine

LIST = "Phone,Name,Email\n4155550100,=1+1,\noops,=1+1,nobody\n4155550100,=1+1,\n12,'x,a@example.com\n"


def check(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(str(ended.value.code))


def test_the_bad_rows_stand_there_with_their_reasons() -> None:
    """Errors only, side by side; nothing in it runs in a spreadsheet."""
    intake = read_bytes(LIST.encode(), name="a.csv")
    content, count = quarantine(intake.columns, intake.rows, intake.problems)
    first, second = csv.DictReader(io.StringIO(content.decode()))
    assert (count, list(first)) == (2, ["Phone", "Name", "Email", *COLUMNS])
    assert (first["hn_row"], first["hn_column"]) == ("3", "Phone | Email")
    assert first["hn_code"] == "phone-letters | email-format"
    assert (first["Name"], second["Name"]) == ("'=1+1", "'x")
    assert first["hn_fix"].startswith("write area code and number")


def test_a_corrected_file_is_fed_back() -> None:
    """The cells are as they were, and the added columns are not read."""
    intake = read_bytes(LIST.encode(), name="a.csv")
    content, _ = quarantine(intake.columns, intake.rows, intake.problems)
    mended = (
        content.replace(b"oops", b"4155550107").replace(b"nobody", b"").replace(b"\n12,", b"\n4165550108,")
    )
    again = read_bytes(mended, name="bad.csv")
    assert again.columns == intake.columns
    assert [cells["Name"] for _, cells in again.rows] == ["=1+1", "'x"]
    assert (len(again.targets), len(again.problems)) == (2, 0)


def test_check_and_plan_write_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0600; `check` still says by its exit that there are errors. The list itself is not written over."""
    path, bad = tmp_path / "a.csv", tmp_path / "bad.csv"
    path.write_text(LIST)
    assert check("check", path, "--quarantine", bad) == 2
    assert bad.stat().st_mode & 0o777 == 0o600
    assert len(bad.read_text().splitlines()) == 3
    assert check("check", path, "--quarantine", path, "--json") == 2
    assert path.read_text() == LIST
    assert "is the list itself" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]["message"]


def test_a_list_without_bad_rows_leaves_none() -> None:
    """What an earlier list left is not taken for this one's."""
    intake = read_bytes(b"Phone\n4155550100\n", name="a.csv")
    content, count = quarantine(intake.columns, intake.rows, intake.problems)
    assert (count, content.decode()) == (0, f"Phone,{','.join(COLUMNS)}\n")


def test_an_error_in_a_workbook_is_an_error_until_it_is_corrected() -> None:
    """The cell shows in the bad rows' file what it shows in the workbook, and is refused there too."""
    sheet = [
        ["Phone", "Name", "Email"],
        ["4155550100", Wrong.ERROR, "a@example.com"],
        ["4155550101", "b", Wrong.FORMULA],
        [Wrong.FORMULA, "c", None],
    ]
    intake = read_bytes(WRITERS["xlsx"]({"List": sheet}), name="a.xlsx")
    content, count = quarantine(intake.columns, intake.rows, intake.problems)
    assert count == 3
    assert b"4155550101,b,#VALUE!" in content
    again = read_bytes(content, name="bad.csv")
    assert again.problems["code"].tolist() == ["cell-error"] * 3
    assert again.problems["column"].tolist() == ["Name", "Email", "Phone"]
    assert len(again.targets) == 0
    mended = content.replace(b"4155550101,b,#VALUE!", b"4155550101,b,b@example.com")
    assert len(read_bytes(mended, name="bad.csv").targets) == 1


@pytest.mark.parametrize("text", ["#N/A", "#REF!", "#DIV/0!", "#NAME?", "#WERT!", "#NV"])
def test_what_a_spreadsheet_shows_for_a_value_is_no_name(text: str) -> None:
    """Also in a text file that it wrote; a number sign before words is one."""
    intake = read_bytes(f"Phone,Name\n4155550100,{text}\n4155550101,#5 Main St\n".encode(), name="a.csv")
    assert intake.problems[["row", "code"]].to_numpy().tolist() == [[2, "cell-error"]]
