"""Every row of a list is a target or set aside with its reason, all faults told at once."""

from __future__ import annotations

import csv
import io
import pickle
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk import results
from hnbulk.errors import InputError
from hnbulk.intake import RULES, Intake, Row, raise_for_problems, read_bytes, read_targets

AD = "AD" + "0" * 32


def read(header: str, *rows: str) -> Intake:
    """A list of these lines."""
    return read_bytes("\n".join((header, *rows)).encode(), name="list.csv")


def codes(intake: Intake) -> list[tuple[int, str]]:
    return list(zip(intake.problems["row"].tolist(), intake.problems["code"].tolist(), strict=True))


def test_a_good_row_is_a_target() -> None:
    """Texts tidied, lists split, numbers typed, the row's number kept."""
    intake = read(
        "Branch,Phone,Ext.,CC,Call delay,Address SID",
        f" Montréal ,(514) 555-0100,12,a@example.com;b@example.com,15,{AD}",
    )
    target = intake.targets.iloc[0]
    assert (target["row"], target["phone_number"], target["extension"]) == (2, "+15145550100", "12")
    assert (target["friendly_name"], target["call_delay"], target["address_sid"]) == ("Montréal", 15, AD)
    assert list(target["cc_emails"]) == ["a@example.com", "b@example.com"]
    assert intake.counts == {"rows": 1, "good": 1, "bad": 0, "warnings": 0, "by_code": {}}


def test_every_fault_of_a_row_is_told_at_once() -> None:
    """One problem a fault, each at its own column."""
    intake = read("Phone,Email,SMS URL,Address SID", "call us,nobody,http://x.example.com,AD1")
    found = intake.problems[["column", "code"]].values.tolist()
    assert found == [
        ["Phone", "phone-letters"],
        ["Email", "email-format"],
        ["SMS URL", "url-scheme"],
        ["Address SID", "sid-format"],
    ]
    assert intake.set_aside == {2: "phone-letters"}
    assert intake.counts["bad"] == 1


def test_a_blank_cell_wants_nothing() -> None:
    """Blank is missing, never an empty text."""
    assert read("Phone,Email,Ext", "4155550100, ,").targets[["email", "extension"]].isna().all(axis=None)


def test_the_extension_in_the_phone_cell_is_the_rows() -> None:
    """The same one twice is one; two different ones are an error."""
    intake = read("Phone,Ext", "415-555-0100 x12,", "415-555-0101 x12,12", "415-555-0102 x12,13")
    assert intake.targets["extension"].tolist() == ["12", "12"]
    assert codes(intake) == [(4, "extension-differs")]


def test_identical_rows_count_once() -> None:
    """The same number in another format, with the same wishes: the later one is set aside, as a warning."""
    intake = read("Phone,Name", "415-555-0100,a", "4155550100,a", "415-555-0101,a")
    assert intake.targets["row"].tolist() == [2, 4]
    assert intake.set_aside_notes == {3: ("duplicate-row", f"{RULES['duplicate-row'].rule} (row 2)")}
    assert (intake.counts["bad"], intake.counts["warnings"]) == (0, 1)


def test_contradicting_rows_are_all_set_aside() -> None:
    """Not one of them is chosen; a repeat among them neither."""
    intake = read("Phone,Name", "415-555-0100,a", "4155550100,b", "4155550100,a", "415-555-0101,a")
    assert intake.targets["row"].tolist() == [5]
    assert codes(intake) == [(row, "conflicting-rows") for row in (2, 3, 4)]
    assert intake.problems["message"][0].endswith("(rows 2, 3, 4 differ in 'Name')")


def test_a_number_repeated_endlessly_is_told_in_no_time() -> None:
    """One problem a row, each naming the first few rows only."""
    intake = read("Phone,Name", *(f"4155550100,{n}" for n in range(20_000)))
    assert len(intake.problems) == 20_000
    assert intake.problems["message"][0].endswith(
        "(rows 2, 3, 4, 5, 6, 7 and 19,994 more differ in 'Name')"
    )


def test_a_faulty_repeat_is_a_contradiction() -> None:
    """A row whose e-mail cannot be read does not want the same as the row before."""
    intake = read("Phone,Email", "4155550100,a@example.com", "4155550100,oops")
    assert intake.set_aside == {2: "conflicting-rows", 3: "email-format"}


def test_an_empty_row_in_the_middle_is_set_aside_and_none_is_counted_at_the_end() -> None:
    """No row disappears; what a spreadsheet leaves below the list is no row."""
    intake = read("Phone,Name", "4155550100,a", ",", "", "4155550101,b", ",", "")
    assert [row for row, _ in intake.rows] == [2, 3, 4, 5]
    assert intake.set_aside == {3: "blank-row", 4: "blank-row"}
    assert intake.counts["bad"] == 0


def test_a_row_without_a_number_is_an_error() -> None:
    """Other cells alone make no target."""
    assert codes(read("Phone,Name", ",a")) == [(2, "phone-missing")]


def test_an_unknown_column_is_kept_and_told() -> None:
    """A warning on the header row; the cells stay."""
    intake = read("Phone,Region", "4155550100,West")
    assert codes(intake) == [(1, "unknown-column")]
    assert intake.rows == ((2, {"Phone": "4155550100", "Region": "West"}),)
    assert "Region" not in intake.mapping


def test_cells_stay_as_they_were_written() -> None:
    """`rows` holds what the file holds, for good rows and bad ones."""
    intake = read("Phone,Name", " 415.555.0100 ,=1+1", "oops,'x")
    assert [cells for _, cells in intake.rows] == [
        {"Phone": " 415.555.0100 ", "Name": "=1+1"},
        {"Phone": "oops", "Name": "'x"},
    ]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), min_size=1, max_size=12)


@given(st.lists(CELL.filter(str.strip), min_size=1, max_size=4))
def test_a_result_file_fed_back_has_the_cells_it_was_made_from(notes: list[str]) -> None:
    """What was added against formulas is taken away again, and the added columns are dropped."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Phone", "=Notes", *results.EXTRA_COLUMNS])
    extra = [""] * len(results.EXTRA_COLUMNS)
    writer.writerows([f"41555501{n:02d}", results.neutralise(note), *extra] for n, note in enumerate(notes))
    content = text.getvalue().replace("=Notes", results.neutralise("=Notes"), 1).encode()
    intake = read_bytes(content, name="a.csv")
    assert intake.columns == ("Phone", "=Notes")
    assert [cells["=Notes"] for _, cells in intake.rows] == notes


def test_problems_show_values_masked() -> None:
    """Neither numbers, addresses nor names in clear, in no face of the intake."""
    intake = read("Phone,Email,Name", "415-555-0100 x1x,ana.archer@example,Ana Archer\u202e")
    faces = [repr(intake), str(intake), intake._repr_html_(), intake.problems.to_csv()]
    with pytest.raises(InputError) as caught:
        raise_for_problems(intake)
    for face in (*faces, str(caught.value), str(caught.value.facts)):
        assert not [word for word in ("555-0100", "ana.archer", "Archer") if word in face]


def test_raising_for_problems_names_the_count_and_the_first() -> None:
    """One line: how many rows, which is the first, and the two ways on."""
    intake = read("Phone,Region", "oops,a", "4155550100,b", "12,c")
    with pytest.raises(
        InputError, match=r"list.csv: 2 of 3 rows cannot go on; the first: row 2, Phone"
    ) as caught:
        raise_for_problems(intake)
    assert "--set-aside" in caught.value.message
    assert [problem["row"] for problem in caught.value.facts["problems"]] == [2, 4]


def test_a_refused_cell_is_told_once() -> None:
    """It was given, so that no rule between fields misses it."""
    intake = read("Phone,Verification,Document sid", "4155550100,phone-bill,RI12", "4155550101,phone-bill,")
    assert [tuple(problem) for problem in intake.problems[["row", "code"]].to_numpy()] == [
        (2, "sid-format"),
        (3, "document-missing"),
    ]


def test_warnings_alone_stop_nothing() -> None:
    """Unknown columns and repeats are no errors."""
    raise_for_problems(read("Phone,Region", "4155550100,a", "415-555-0100,a"))


def test_an_intake_shows_itself_as_text() -> None:
    """Counts, mapping, kinds of problems and the first of them, without control signs."""
    text = str(read("Phone,\x1b[31mRegion", "oops,a", "4155550100,b"))
    assert text.startswith("list.csv: 2 rows, 1 good, 1 set aside (1 with an error); 1 warning")
    assert "Phone -> phone_number" in text
    assert "\x1b" not in text


def test_no_header_or_file_name_steers_the_terminal() -> None:
    """A header that means a field in spite of a control sign in it, and a name like it, show none."""
    intake = read_bytes("\x1bPhone,\x9bE-mail\noops,oops\n".encode(), name="a\x1b[2J\n.csv")
    with pytest.raises(InputError) as caught:
        raise_for_problems(intake)
    for face in (str(intake), repr(intake), intake._repr_html_(), caught.value.message):
        assert not [sign for sign in ("\x1b", "\x9b") if sign in face]
    assert intake.problems["column"].tolist() == [" Phone", " E-mail"]
    assert len(repr(intake).splitlines()) == 1


def test_wishes_are_compared_by_what_they_mean() -> None:
    """No delay is no delay, however many zeros; copies in another order are the same copies."""
    intake = read(
        "Phone,Call delay,CC",
        "4155550100,0,a@example.com;b@example.com",
        "415-555-0100,00,b@example.com;a@example.com",
    )
    assert intake.set_aside == {3: "duplicate-row"}


def test_reading_can_be_watched() -> None:
    """`watch` is handed every row that needs a look once, and its word on them changes nothing."""
    content = b"Phone\n4155550100\noops\n"
    seen: list[int] = []

    def watch(rows: Sequence[Row]) -> Iterator[Row]:
        for row in rows:
            seen.append(row[0])
            yield row

    watched = read_bytes(content, name="a.csv", watch=watch)
    assert seen == [3]
    assert watched == read_bytes(content, name="a.csv")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)


@pytest.mark.parametrize(
    "payload", ["<script>x</script>", '"><img src=x onerror=x>', "<b onclick=x>", "&lt;i&gt;"]
)
def test_an_intake_shows_itself_as_escaped_html(payload: str) -> None:
    """A header, a cell or a file name is never markup."""
    content = io.StringIO()
    csv.writer(content).writerows([["Phone", payload], [payload, payload]])
    page = read_bytes(content.getvalue().encode(), name=f"{payload}.csv")._repr_html_()
    parser = _Tags()
    parser.feed(page)
    assert parser.tags <= {"div", "style", "p", "b", "table", "thead", "tbody", "tr", "th", "td"}
    assert payload not in page


def test_a_page_says_how_many_problems_it_leaves_out(tmp_path: Path) -> None:
    """Row numbers stand to the right, places of several lists to the left."""
    one = read_bytes(b"Phone\n" + b"oops\n" * 12, name="a.csv")._repr_html_()
    assert "… and 4 more" in one
    assert '<td class="hn-n">2</td>' in one
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"Phone\noops\n")
    both = read_targets([tmp_path / "a.csv", tmp_path / "b.csv"])._repr_html_()
    assert '<td class="hn-p">b.csv, row 2</td>' in both
    assert "more</small>" not in both


def test_a_frame_is_checked_like_a_file() -> None:
    """A frame of targets comes out as it went in; a number that lost its digits is refused."""
    targets = read("Phone,Name,CC,Call delay", "4155550100,a,a@example.com;b@example.com,5").targets
    pd.testing.assert_frame_equal(Intake.from_frame(targets).targets, targets)
    lossy = Intake.from_frame(pd.DataFrame({"Phone": [4155550100.0, None], "Name": ["a", "b"]}))
    assert lossy.set_aside == {2: "phone-number-format", 3: "phone-missing"}


def test_equal_frames_have_equal_hashes_and_others_not() -> None:
    """The plan's checksum rests on it."""
    one, other = (pd.DataFrame({"Phone": [f"415555010{n}"]}) for n in (0, 1))
    assert Intake.from_frame(one).input_hash == Intake.from_frame(one.copy()).input_hash
    assert Intake.from_frame(one).input_hash != Intake.from_frame(other).input_hash


def test_a_file_is_named_by_its_name_and_hashed_by_its_bytes(tmp_path: Path) -> None:
    """No folder of a machine in the plan."""
    path = tmp_path / "list.csv"
    path.write_bytes(b"Phone\n4155550100\n")
    intake = read_targets(path)
    assert intake.name == "list.csv"
    assert intake.input_hash == read_bytes(path.read_bytes(), name="x.csv").input_hash


ROW = st.tuples(
    st.sampled_from(["4155550100", "415-555-0101", "oops", "", "4E+09"]), st.sampled_from(["", "a", "b"])
)


@given(st.lists(ROW, min_size=1, max_size=12))
def test_every_row_is_a_target_or_set_aside(rows: list[tuple[str, str]]) -> None:
    """Good and set-aside rows are all rows, each once; every set-aside row has its sentence."""
    content = io.StringIO()
    csv.writer(content).writerows([("Phone", "Name"), *rows, ("4165550100", "last")])
    intake = read_bytes(content.getvalue().encode(), name="a.csv")
    numbers = [row for row, _ in intake.rows]
    assert (
        sorted([*intake.targets["row"].tolist(), *intake.set_aside])
        == numbers
        == list(range(2, len(rows) + 3))
    )
    assert intake.targets["phone_number"].is_unique
    assert intake.set_aside_notes.keys() == intake.set_aside.keys()


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (
            pd.DataFrame([["4155550100", "a", "b"]], columns=["Phone", "Name", "Name"]),
            "two columns are named",
        ),
        (pd.DataFrame({"row": [2, 2], "Phone": ["1", "2"]}), "does not number the rows"),
        (pd.DataFrame({"row": [2, None], "Phone": ["1", "2"]}), "does not number the rows"),
        (pd.DataFrame({"row": ["2", "x"], "Phone": ["1", "2"]}), "does not number the rows"),
        (pd.DataFrame({"row": [2.7, 3.0], "Phone": ["1", "2"]}), "does not number the rows"),
        (pd.DataFrame({"row": [-1, 3], "Phone": ["1", "2"]}), "does not number the rows"),
        (pd.DataFrame({"row": [2**70, 3], "Phone": ["1", "2"]}), "does not number the rows"),
        (pd.DataFrame([[2, 3, "1"]], columns=["row", "row", "Phone"]), "does not number the rows"),
        (pd.DataFrame({"Phone": pd.Series(["\ud800"], dtype=object)}), "half a sign"),
        (pd.DataFrame({"row": [2, 3]}), "no column is the phone number"),
        (pd.DataFrame(), "no column is the phone number"),
    ],
)
def test_a_frame_that_is_no_list_is_refused(frame: pd.DataFrame, told: str) -> None:
    """In one line."""
    with pytest.raises(InputError, match=told):
        Intake.from_frame(frame)


def test_a_frame_may_have_arrays_and_its_own_row_numbers() -> None:
    """As `pandas.read_parquet` gives lists; the intake survives a pickle."""
    frame = pd.DataFrame({"row": [9, 4], "Phone": ["4155550100", "4155550101"]})
    frame["cc_emails"] = [np.array(["a@example.com", "b@example.com"]), np.array([])]
    intake = Intake.from_frame(frame)
    assert [row for row, _ in intake.rows] == [9, 4]
    assert intake.targets["cc_emails"].tolist()[0] == ["a@example.com", "b@example.com"]
    assert pickle.loads(pickle.dumps(intake)) == intake
