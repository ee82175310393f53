"""Forty lists as forty people keep them, made from the rows of `data/samples`, the same bytes every time.

Each region of the made-up company sends its own: CSV with semicolons in the encoding of an old Windows,
text with tabs, workbooks with one sheet or two, and headers of their own. Every number is fictional.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import openpyxl
import pandas as pd

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
REGIONS, ROWS = 40, 12  # how many send a list, and how many rows of theirs are in it
FRENCH = {"Branch": "Succursale", "Phone": "N° de téléphone", "Ext.": "Poste"}
OWN = {"Branch": "Where", "Phone": "Dial-up", "Notes": "Remarks"}  # nobody could guess that
LOOK_ALIKE = "https://sms.example.net/inbound"
_MADE = (2026, 1, 5, 9, 0, 0)


def first_week(folder: Path) -> list[Path]:
    """`folder` holds the lists as they came in first, with what goes wrong between lists."""
    lists = _regions("branches.csv")
    chicago, denver = lists["Chicago IL"].copy(), lists["Denver CO"].copy()
    again = lists["Detroit MI"].iloc[[2]]  # Chicago lists a branch of Detroit too
    lists["Chicago IL"] = pd.concat([chicago, again])
    renamed = lists["Dallas TX"].iloc[[1]].assign(Branch="Larch & Lantern Dallas, under new management")
    lists["Denver CO"] = pd.concat([denver, renamed])  # and Denver another name for one of Dallas
    houston = lists["Houston TX"].copy()
    houston.iloc[4, houston.columns.get_loc("SMS URL")] = LOOK_ALIKE
    lists["Houston TX"] = houston
    for region, headers in {"Gatineau QC": FRENCH, "Montréal QC": FRENCH, "Boise ID": OWN}.items():
        lists[region] = lists[region].rename(columns=headers)
    return _write(folder, lists)


def second_week(folder: Path) -> list[Path]:
    """`folder` holds the same lists from another tool: a few edits, two new branches, another address."""
    lists = _regions("branches-v2.csv")
    lists["Austin TX"] = _regions("branches-v2.csv", rows=ROWS + 2)["Austin TX"]
    miami = lists["Miami FL"].copy()
    miami.iloc[3, miami.columns.get_loc("AddressSid")] = "AD" + "0" * 31 + "1"
    lists["Miami FL"] = miami
    return _write(folder, lists)


def shifted(folder: Path) -> Path:
    """`folder` holds Atlanta's list, the names one row too low."""
    rows = _regions("branches-v2.csv")["Atlanta GA"].copy()
    names = rows["Site name"].tolist()
    rows["Site name"] = [names[-1], *names[:-1]]
    path = folder / "Atlanta GA, sorted.csv"
    path.write_text(rows.to_csv(index=False), encoding="utf-8")
    return path


def _regions(name: str, rows: int = ROWS) -> dict[str, pd.DataFrame]:
    """The first rows of each region in a sample list, as text, without the column that names it."""
    whole = pd.read_csv(SAMPLES / name, dtype=str, keep_default_na=False)
    named = list(whole[whole["Region"] != ""].groupby("Region"))[:REGIONS]
    return {str(region): own.head(rows).drop(columns="Region") for region, own in named}


def _write(folder: Path, lists: Mapping[str, pd.DataFrame]) -> list[Path]:
    """A file for each region, of the kind its people use."""
    folder.mkdir()
    paths = []
    for number, (region, rows) in enumerate(lists.items()):
        kind = number % 4
        if kind < 2:
            path = folder / f"{region}{('.csv', '.tsv')[kind]}"
            text = rows.to_csv(index=False, sep=";\t"[kind], lineterminator="\r\n")
            path.write_bytes(text.encode("cp1252", errors="replace"))
        else:
            path = folder / f"{region}.xlsx"
            toll_free = rows.iloc[:, 0].str.contains("phone orders")
            sheets = {"Branches": rows[~toll_free], "Phone orders": rows[toll_free]}
            path.write_bytes(_workbook(sheets if kind == 2 else {"Branches": rows}))
        paths.append(path)
    return paths


def _workbook(sheets: Mapping[str, pd.DataFrame]) -> bytes:
    """A workbook of the sheets that have rows, without the time it was made."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        if len(rows):
            sheet = book.create_sheet(name)
            for line in (list(rows.columns), *rows.to_numpy().tolist()):
                sheet.append(line)
                for cell in sheet[sheet.max_row]:
                    if cell.data_type == "f":
                        cell.data_type = "s"  # a remark that begins with = is no formula
    made, plain = io.BytesIO(), io.BytesIO()
    book.save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(plain, "w") as new:
        for name in old.namelist():
            part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-01-05T09:00:00Z", old.read(name))
            new.writestr(zipfile.ZipInfo(name, _MADE), part)
    return plain.getvalue()
