"""A mapping says once which column is which field, and is refused where it cannot be meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hnbulk as hn
from hnbulk.cli import main
from hnbulk.errors import InputError
from hnbulk.intake import read_bytes, read_targets
from hnbulk.mapping import parse_mapping, read_mapping

LIST = b"Business line 1,Notes,Region,Phone\n4155550100,call,West,4155550109\n"
MAPPING = {"Business line 1": "phone_number", "Notes": None}


def test_a_mapping_goes_before_the_names() -> None:
    """Its field has no second column; null is no warning; a column it does not name is as ever."""
    intake = read_bytes(LIST, name="a.csv", mapping=MAPPING)
    assert intake.targets["phone_number"].tolist() == ["+14155550100"]
    assert intake.problems[["column", "code"]].values.tolist() == [
        ["Region", "unknown-column"],
        ["Phone", "column-displaced"],
    ]
    assert intake.problems["message"].tolist()[1].endswith("(phone_number is 'Business line 1')")
    assert intake.rows[0][1]["Notes"] == "call"


def test_a_saved_mapping_reads_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--save-map` writes what is in use, 0600, and `--map` takes it."""
    (tmp_path / "a.csv").write_bytes(LIST)
    (tmp_path / "m.json").write_text(json.dumps(MAPPING))
    made, given = str(tmp_path / "made.json"), str(tmp_path / "m.json")
    arguments = ["check", str(tmp_path / "a.csv"), "--map", given, "--save-map", made]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert read_mapping(Path(made)) == {**MAPPING, "Region": None, "Phone": None}
    assert Path(made).stat().st_mode & 0o777 == 0o600
    again = read_targets(tmp_path / "a.csv", mapping=made)
    assert len(again.problems) == 0
    assert again.targets.equals(read_bytes(LIST, name="a.csv", mapping=MAPPING).targets)
    capsys.readouterr()


BROKEN = {
    "nothing": (b"  ", "is not JSON"),
    "no json": (b'{"Phone": phone_number}', "m.json, line 1 is not JSON"),
    "a list": (b'["Phone"]', "is no object of columns"),
    "a word": (b'"Phone"', "is no object of columns"),
    "empty": (b"{}", "names no column"),
    "cp1252": (b'{"Num\xe9ro": null}', "is not UTF-8"),
    "unknown field": (b'{"Phone": "phone"}', "gives the column 'Phone' a field that there is not: 'phone'"),
    "no text": (b'{"Phone": 1}', "a field that there is not: '1'"),
    "nested": (b'{"Phone": {"a": 1}}', "a field that there is not"),
    "deep": (b'{"Phone": ' + b"[" * 100_000, "is not JSON"),
    "twice": (b'{"Phone": "phone_number", " Phone": null}', "names the column 'Phone' twice"),
    "nameless": (b'{"": null}', "without a name"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_mapping_is_refused_in_one_line(kind: str) -> None:
    """With the file, what is wrong, and how it is written."""
    content, message = BROKEN[kind]
    with pytest.raises(InputError, match=message) as caught:
        parse_mapping(content, name="m.json")
    assert caught.value.message.startswith("m.json")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"Line 9": "phone_number"}, "a.csv, row 1: has no column 'Line 9', which the mapping names"),
        ({"Phone": "phone_number", "Business line 1": "phone_number"}, "both mean phone_number"),
        ({"Phone": None, "Business line 1": None}, "no column is the phone number"),
        ({"Phone": "sid"}, "a field that there is not"),
    ],
)
def test_a_mapping_that_does_not_fit_the_list_is_refused(
    mapping: dict[str, str | None], message: str
) -> None:
    """In one line."""
    with pytest.raises(InputError, match=message):
        read_bytes(LIST, name="a.csv", mapping=mapping)


def test_a_plan_keeps_the_mapping(account: hn.Account) -> None:
    """So that rows of its run can be planned again; a plan without one has no such key."""
    mapped = account.plan(read_bytes(LIST, name="a.csv", mapping=MAPPING))
    plain = account.plan(read_bytes(b"Phone\n4155550100\n", name="a.csv"))
    assert mapped.file.header.mapping == {**MAPPING, "Region": None, "Phone": None}
    assert b'"mapping"' not in plain.file.dumps().splitlines()[0]
    again = hn.intake.Intake.from_rows(
        mapped.file.header.columns,
        [(row.row, dict(row.cells)) for row in mapped.file.rows],
        name="a.csv",
        mapping=mapped.file.header.mapping,
    )
    assert again.targets["phone_number"].tolist() == ["+14155550100"]


def test_what_is_no_file_of_a_mapping_is_told_so(tmp_path: Path) -> None:
    """JSON in place of a file's name, and a file that is not there."""
    with pytest.raises(InputError, match="a mapping is read from a file"):
        read_mapping(Path('{"Line 1": "phone_number"}'))
    with pytest.raises(InputError, match="Name the JSON file"):
        read_mapping(tmp_path / "none.json")


@pytest.mark.parametrize("name", ["list.csv", "other.json", "folder"])
def test_a_mapping_is_written_over_no_other_file(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The customer's list least of all; over an older mapping it is."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "list.csv").write_text("Phone\n4155550100\n")
    (tmp_path / "other.json").write_text('["Phone"]\n')
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path / "list.csv"), "--save-map", str(tmp_path / name)])
    assert ended.value.code == 2
    assert "exists and is no mapping; it was left as it is. Name another file" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    (tmp_path / "other.json").write_text('{"Phone": null}\n')
    with pytest.raises(SystemExit) as ended:
        main(["check", str(tmp_path / "list.csv"), "--save-map", str(tmp_path / "other.json")])
    assert ended.value.code == 0
    assert read_mapping(tmp_path / "other.json") == {"Phone": "phone_number"}
