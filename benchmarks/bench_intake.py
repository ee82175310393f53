"""How fast lists are read: text files, workbooks and phone numbers, against usual readers in one run.

    python benchmarks/bench_intake.py [ROWS ...]

ROWS (10,000, 100,000 and 1,000,000) rows of a list with eight columns: five ways to write a number, one
row in a hundred with a fault. A text file is read into typed columns, as pandas reads it with
`dtype=str`, and then into an intake, which is every rule on every cell besides. A workbook of at most
100,000 rows is read against openpyxl (read only), and the numbers of at most 200,000 of the rows against
`phonenumbers` (parse and valid). Ways are taken in turn, seven times; the best counts.

The issue's limits: a text file of 1,000,000 rows 8 x pandas, a workbook of 100,000 rows 5 x openpyxl,
numbers 500,000 a second or 20 x phonenumbers; and cost that grows as the rows do.
"""

from __future__ import annotations

import gc
import io
import sys
import time
from collections.abc import Callable

import openpyxl
import pandas as pd
import phonenumbers
import pyarrow as pa
import pyarrow.csv

from hnbulk.intake import Intake, read_bytes
from hnbulk.phonecolumn import read_phones
from hnbulk.tablefiles import read_table

ROUNDS, BOOK, NUMBERS = 7, 100_000, 200_000
HEADER = ("Phone", "Branch", "Manager e-mail", "Address sid", "SMS URL", "CC", "Region", "Notes")
AREAS = ("212", "415", "312", "617", "416", "604", "305", "713")
WAYS = ("{}{}{}", "+1{}{}{}", "({}) {}-{}", "{}-{}-{}", "{}.{}.{}")


def lines(rows: int) -> list[tuple[str, ...]]:
    """The rows of the list."""
    made = []
    for n in range(rows):
        number = (AREAS[n % 8], f"{200 + n // 8 % 700}", f"{n // 5_600 % 10_000:04}")
        phone = WAYS[n % 5].format(*number) if n % 100 else "call the front desk"
        sid = f"AD{n % 60:032x}"
        mail = f"manager{n}@example.com"
        made.append(
            (phone, f"Branch {n}", mail, sid, "https://sms.acme.com/in", "ops@example.com", "West", "")
        )
    return made


def workbook(rows: list[tuple[str, ...]]) -> bytes:
    """The list as XLSX."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("List")
    for row in [HEADER, *rows]:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def typed(content: bytes) -> pd.DataFrame:
    """A text file as typed columns."""
    table = read_table(content, name="list.csv")
    kind = pd.StringDtype("pyarrow", na_value=pd.NA)
    named = zip(table.columns, table.cells, strict=True)
    return pd.DataFrame({name: kind.__from_arrow__(column) for name, column in named})


def bare(content: bytes) -> pa.Table:
    """The same by Arrow's reader alone, which proves nothing: the least that reading with it takes."""
    texts = dict.fromkeys(HEADER, pa.string())
    convert = pyarrow.csv.ConvertOptions(column_types=texts, strings_can_be_null=False, check_utf8=False)
    parse = pyarrow.csv.ParseOptions(quote_char=False)
    return pyarrow.csv.read_csv(pa.py_buffer(content), parse_options=parse, convert_options=convert)


def by_pandas(content: bytes) -> pd.DataFrame:
    """The same by pandas."""
    return pd.read_csv(io.BytesIO(content), dtype=str)


def by_openpyxl(content: bytes) -> list[tuple[object, ...]]:
    """The cells of a workbook's first sheet."""
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    return list(book.worksheets[0].iter_rows(values_only=True))


def by_phonenumbers(cells: list[str]) -> int:
    """How many of the cells are a number."""
    good = 0
    for cell in cells:
        try:
            good += phonenumbers.is_valid_number(phonenumbers.parse(cell, "US"))
        except phonenumbers.NumberParseException:
            continue
    return good


def best(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The least seconds of each way, taken in turn."""
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for way, work in ways.items():
            gc.collect()
            began = time.perf_counter()
            work()
            least[way] = min(least[way], time.perf_counter() - began)
    return least


def tell(what: str, rows: int, least: dict[str, float], *, peer: str) -> None:
    """One line a way: seconds, rows a second, and how many times as fast as the peer."""
    for way, took in least.items():
        ratio = least[peer] / took
        print(f"{what:<9}{rows:>10,} rows  {way:<26}{took:8.3f} s {rows / took:12,.0f}/s {ratio:7.2f} x")


def measure(rows: int) -> None:
    """All three for a list of so many rows."""
    made = lines(rows)
    content = "\n".join([",".join(HEADER), *map(",".join, made), ""]).encode()
    text = {
        "typed columns": lambda: typed(content),
        "intake, every rule": lambda: read_bytes(content, name="list.csv"),
        "bare Arrow": lambda: bare(content),
        "pandas, dtype=str": lambda: by_pandas(content),
    }
    tell("text", rows, best(text), peer="pandas, dtype=str")
    cells = [row[0] for row in made[:NUMBERS]]
    column = pa.array(cells)
    numbers = {
        "column of numbers": lambda: read_phones(column),
        "phonenumbers": lambda: by_phonenumbers(cells),
    }
    tell("numbers", len(cells), best(numbers), peer="phonenumbers")
    if rows <= BOOK:
        book = workbook(made)

        def intake() -> Intake:
            return read_bytes(book, name="list.xlsx")

        sheets = {
            "table of text": lambda: read_table(book, name="list.xlsx"),
            "intake, every rule": intake,
            "openpyxl": lambda: by_openpyxl(book),
        }
        tell("workbook", rows, best(sheets), peer="openpyxl")


if __name__ == "__main__":
    for count in [int(text) for text in sys.argv[1:]] or [10_000, 100_000, 1_000_000]:
        measure(count)
