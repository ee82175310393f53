"""Writes the two sample lists, `branches.csv` and `branches-v2.csv`, the same every time.

A made-up company's branches over the US and Canada, typed in by many hands: mixed phone
formats, accents, and about one row in sixteen spoiled on purpose. Every number is a fictional
one (555-0100 to 555-0199), every address ends in example.com or .example.

    python data/samples/make_branches.py [FOLDER]
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

SEED = 20260105
ROWS = 2_000
FIRST = 50  # a short demonstration takes these only
COMPANY = "Larch & Lantern"
SMS_URL = "https://sms.example.com/inbound"
HEADER = ("Branch", "Phone", "Ext.", "Manager e-mail", "CC", "Address SID", "SMS URL", "Region", "Notes")
HEADER_V2 = (
    "Site name",
    "Business Phone #",
    "Extension",
    "Email",
    "Cc emails",
    "AddressSid",
    "SMS webhook",
    "Region",
    "Notes",
)

# One owner's address and one signing manager each: a letter of authorization takes one of these.
REGIONS = """
Atlanta GA 404 470|Austin TX 512 737|Baltimore MD 410 443|Boise ID 208|Boston MA 617 857
Buffalo NY 716|Burlington VT 802|Calgary AB 403 587|Charlotte NC 704 980|Chicago IL 312 773
Cincinnati OH 513|Cleveland OH 216|Columbus OH 614|Dallas TX 214 972|Denver CO 303 720
Des Moines IA 515|Detroit MI 313|Edmonton AB 780|El Paso TX 915|Fresno CA 559
Gatineau QC 819|Halifax NS 902|Hamilton ON 905 289|Honolulu HI 808|Houston TX 713 832
Indianapolis IN 317|Jacksonville FL 904|Kansas City MO 816|Las Vegas NV 702|Los Angeles CA 213 323
Louisville KY 502|Memphis TN 901|Miami FL 305 786|Milwaukee WI 414|Minneapolis MN 612
Montréal QC 514 438|Nashville TN 615|New Orleans LA 504|New York NY 212 646|Oklahoma City OK 405
Omaha NE 402|Ottawa ON 613 343|Philadelphia PA 215 267|Phoenix AZ 602|Pittsburgh PA 412
Portland OR 503 971|Québec QC 418 581|Raleigh NC 919|Regina SK 306|Sacramento CA 916
Saint-Jérôme QC 450 579|Salt Lake City UT 801|San Antonio TX 210|San Diego CA 619|San Francisco CA 415 628
San José CA 408 669|Seattle WA 206|St. John's NL 709|Toronto ON 416 647|Vancouver BC 604 778
""".strip().replace("\n", "|")
STREETS = (
    "Harbor Street",
    "Main Street",
    "Mill Road",
    "Oak Avenue",
    "Station Square",
    "Rue Sainte-Anne",
    "Côte-des-Érables",
    "Cañada Plaza",
    "Lakeside Mall",
    "Airport",
    "University",
    "Old Town",
    "North End",
    "Riverside",
    "Garden District",
    "King Street",
    "Third Avenue",
    "Market Hall",
    "Westgate",
    "Sunset Boulevard",
)
FIRST_NAMES = (
    "ana",
    "ben",
    "chloe",
    "diego",
    "emma",
    "farah",
    "george",
    "hana",
    "ivan",
    "julie",
    "kofi",
    "lea",
)
LAST_NAMES = ("archer", "brown", "cote", "diaz", "evans", "fortin", "gupta", "hill", "ito", "jones")
TOLL_FREE = ("800", "833", "844", "855", "866", "877", "888")
NOTES = (*[""] * 12, "open Sundays", "ask for the manager", "- shares a line with the depot", "=HQ list")
NBSP = "\u00a0"


@dataclass(frozen=True)
class Region:
    """One owner: an address, a manager who signs, and the area codes of its branches."""

    name: str
    area_codes: tuple[str, ...]
    address_sid: str
    manager: str
    deputy: str


@dataclass(frozen=True)
class Branch:
    """One row before it is written down. `national` is ten digits; `spoiled` names its fault."""

    name: str
    national: str
    region: Region
    note: str
    phone: str = ""  # the cell; empty until formatted
    phone_extension: str = ""  # written into the phone cell
    extension: str = ""
    email: str = ""
    cc: str = ""
    address_sid: str = ""
    sms_url: str = SMS_URL
    spoiled: str | None = None
    blank: bool = False

    def cells(self) -> list[str]:
        """The nine cells of the row."""
        if self.blank:
            return [""] * len(HEADER)
        return [
            self.name,
            self.phone,
            self.extension,
            self.email,
            self.cc,
            self.address_sid,
            self.sms_url,
            self.region.name,
            self.note,
        ]


def regions() -> list[Region]:
    """The sixty owners."""
    made = []
    for number, line in enumerate(REGIONS.split("|")):
        words = line.split()
        codes = tuple(word for word in words if word.isdigit())
        name = " ".join(words[: -len(codes)])
        first = FIRST_NAMES[number % len(FIRST_NAMES)]
        last = LAST_NAMES[number % len(LAST_NAMES)]
        digest = hashlib.sha256(name.encode()).hexdigest()
        made.append(
            Region(
                name,
                codes,
                f"AD{digest[:32]}",
                f"{first}.{last}@example.com",
                f"deputy.{last}{number}@larch-lantern.example",
            )
        )
    return made


def phone_cell(chance: random.Random, branch: Branch) -> str:
    """The number as one of many hands would have typed it."""
    a, b, c = branch.national[:3], branch.national[3:6], branch.national[6:]
    forms = (
        f"({a}) {b}-{c}",
        f"({a}) {b}-{c}",
        f"{a}.{b}.{c}",
        f"+1 {a} {b} {c}",
        f"+1{a}{b}{c}",
        f"1-{a}-{b}-{c}",
        f"{a}{b}{c}",
        f"{a}-{b}-{c}  ",
        f"({a}){NBSP}{b}-{c}",
        f"tel:+1-{a}-{b}-{c}",
    )
    cell = chance.choice(forms)
    if branch.phone_extension:
        cell = cell.rstrip() + chance.choice((" x{}", " ext. {}", " Ext {}")).format(branch.phone_extension)
    return cell


def clean_branches(chance: random.Random) -> list[Branch]:
    """Two thousand good rows, shuffled, each with a number of its own."""
    owners = regions()
    free = {
        code: [f"{code}55501{n:02d}" for n in range(100)] for owner in owners for code in owner.area_codes
    }
    free.update({code: [f"{code}55501{n:02d}" for n in range(100)] for code in TOLL_FREE})
    for numbers in free.values():
        chance.shuffle(numbers)
    made = []
    for number in range(ROWS):
        owner = owners[number % len(owners)]
        toll_free = chance.random() < 0.08
        code = chance.choice(TOLL_FREE if toll_free else owner.area_codes)
        city = owner.name.rsplit(" ", 1)[0]
        place = "phone orders" if toll_free else chance.choice(STREETS)
        inside = chance.random() < 0.06
        beside = not inside and chance.random() < 0.08
        branch = Branch(
            f"{COMPANY} {city} - {place} {100 + number}",
            free[code].pop(),
            owner,
            chance.choice(NOTES),
            phone_extension=str(chance.randrange(10, 999)) if inside else "",
            extension=str(chance.randrange(10, 9999)) if beside else "",
            email=owner.manager,
            cc="ops@example.com; it@example.com" if chance.random() < 0.3 else "",
            address_sid=owner.address_sid,
        )
        made.append(replace(branch, phone=phone_cell(chance, branch)))
    chance.shuffle(made)
    return made


# How a row is spoiled: the code that `hnbulk check` gives it, how many rows, and what is written.

Spoil = Callable[[Branch, int], Branch]


def _cell(name: str, *values: str) -> Spoil:
    """The cell `name` holds the nth of `values`; `{area}` and `{line}` are the row's own."""

    def spoil(branch: Branch, n: int) -> Branch:
        value = values[n % len(values)].format(area=branch.national[:3], line=branch.national[6:])
        return replace(branch, phone_extension="", **{name: value})

    return spoil


def _two_extensions(branch: Branch, n: int) -> Branch:
    plain = replace(branch, phone_extension="")
    area, line = branch.national[:3], branch.national[6:]
    return replace(plain, phone=f"({area}) 555-{line} x{20 + n}", extension=str(70 + n))


def _long_name(length: int) -> Spoil:
    def spoil(branch: Branch, _: int) -> Branch:
        return replace(
            branch, name=(branch.name + " in the former town hall, entrance by the yard" * 3)[:length]
        )

    return spoil


def _tail(name: str, text: str) -> Spoil:
    return lambda branch, _: replace(branch, **{name: f"{getattr(branch, name)}{text}"})


@dataclass(frozen=True)
class Fault:
    """One kind of spoiled row. A note only: `set_aside` is False."""

    code: str
    rows: int
    spoil: Spoil
    set_aside: bool = field(default=True)


FAULTS = (
    Fault(
        "phone-number-format",
        10,
        _cell("phone", "{area[0]}.{area[1]}5555E+09", "4.15555E+09", "{area}555{line}.0"),
    ),
    Fault("phone-missing", 10, _cell("phone", "", "-", "n/a")),
    Fault(
        "email-format",
        12,
        _cell("email", "manager.example.com", "ana@@example.com", "ben@example", "to be named"),
    ),
    Fault("phone-letters", 8, _cell("phone", "({area}) 555-BOOK", "call the front desk", "1-800-LANTERN")),
    Fault("phone-too-short", 8, _cell("phone", "555-{line}", "{area} 555 01")),
    Fault("phone-too-long", 4, _cell("phone", "{area} 555 {line} 77", "+1 {area} 555 {line}99")),
    Fault("phone-area-code", 6, _cell("phone", "(123) 555-{line}", "055-555-{line}")),
    Fault("phone-country", 10, _cell("phone", "+44 20 7946 0018", "+52 55 5555 0100")),
    Fault("phone-caribbean", 5, _cell("phone", "+1 876 555 {line}", "(809) 555-{line}")),
    Fault("phone-premium", 4, _cell("phone", "1-900-555-{line}")),
    Fault("phone-signs", 3, _cell("phone", "４１５５５５{line}", "({area}) 555/{line}?")),
    Fault("email-several", 4, _cell("email", "ana.archer@example.com; ben.brown@example.com")),
    Fault("cc-format", 4, _cell("cc", "ops@example.com; it", "everybody")),
    Fault(
        "sid-format",
        8,
        _cell("address_sid", "AD0123456789abcdef0123456789abcde", "RI" + "0" * 32, "see HQ"),
    ),
    Fault("url-scheme", 8, _cell("sms_url", "http://sms.example.com/inbound", "sms.example.com/inbound")),
    Fault("url-host", 3, _cell("sms_url", "https://localhost/inbound", "https://10.0.0.7/inbound")),
    Fault("friendly-name-too-long", 4, _long_name(140)),
    Fault("text-signs", 3, _tail("name", "\u202e")),
    Fault("extension-format", 4, _cell("extension", "ask Joe", "4-2")),
    Fault("extension-differs", 3, _two_extensions),
    Fault("blank-row", 3, lambda branch, _: replace(branch, blank=True)),
    Fault("friendly-name-long", 4, _long_name(80), set_aside=False),
)
DUPLICATES = 8  # the same row twice, the number in another format: the first counts
CONFLICTS = 4  # pairs of rows that want different things of one number
EARLY = ("phone-number-format", "phone-missing", "email-format")  # among the first fifty rows

#: Only lines below 555-0120 are edited: the sandbox refuses none of them at create, whatever its seed.
SURE = 20
EDITS = (("name", 18), ("email", 8), ("extension", 14))


def spoil_rows(chance: random.Random, rows: list[Branch]) -> list[Branch]:
    """The rows with every fault in its number, three of them among the first fifty."""
    made = list(rows)
    early = iter(sorted(chance.sample(range(5, FIRST), len(EARLY))))
    total = sum(fault.rows for fault in FAULTS) - len(EARLY)
    places = chance.sample(range(FIRST, ROWS), total + DUPLICATES + 2 * CONFLICTS)
    late = iter(places)
    for fault in FAULTS:
        for n in range(fault.rows):
            place = next(early) if n == 0 and fault.code in EARLY else next(late)
            made[place] = replace(fault.spoil(made[place], n), spoiled=fault.code)
    _repeat_rows(chance, made, late)
    return made


def _repeat_rows(chance: random.Random, made: list[Branch], places: Iterator[int]) -> None:
    for _ in range(DUPLICATES):
        first, again = sorted((_clean_place(chance, made), next(places)))
        made[first] = replace(made[first], spoiled="duplicated")
        same = replace(made[first], spoiled="duplicate-row")
        made[again] = replace(same, phone=_other_format(chance, same))
    for n in range(CONFLICTS):
        first, second = next(places), next(places)
        made[first] = replace(made[first], spoiled="conflicting-rows")
        other = made[first]
        made[second] = replace(
            other, name=f"{other.name} B", phone=_other_format(chance, other), note=f"copy {n + 1}"
        )


def _clean_place(chance: random.Random, rows: list[Branch]) -> int:
    return chance.choice([n for n in range(FIRST, FIRST * 4) if rows[n].spoiled is None])


def _other_format(chance: random.Random, branch: Branch) -> str:
    while (cell := phone_cell(chance, branch)) == branch.phone:
        pass
    return cell


def edit_rows(chance: random.Random, rows: list[Branch]) -> list[Branch]:
    """The list a week later: forty good rows edited, numbers typed in anew, faults as they were."""
    made = [row if row.spoiled else replace(row, phone=phone_cell(chance, row)) for row in rows]
    clean = [
        n
        for n, row in enumerate(made)
        if row.spoiled is None and not row.phone_extension and int(row.national[-2:]) < SURE
    ]
    early = [n for n in clean if n < FIRST]
    chosen = chance.sample(early, len(EDITS))
    chosen += chance.sample([n for n in clean if n >= FIRST], sum(count for _, count in EDITS) - len(EDITS))
    kinds = [name for name, _ in EDITS] + [name for name, count in EDITS for _ in range(count - 1)]
    for place, kind in zip(chosen, kinds, strict=True):
        row = made[place]
        value = {
            "name": f"{row.name} (new)",
            "email": row.region.deputy,
            "extension": str(chance.randrange(10_000, 99_999)),
        }
        made[place] = replace(row, **{kind: value[kind]})
    return made


def to_csv(header: tuple[str, ...], rows: list[Branch]) -> bytes:
    """A list as UTF-8 CSV bytes with `\\n` line ends."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(row.cells() for row in rows)
    return text.getvalue().encode()


def make() -> dict[str, bytes]:
    """Both files by name, the same bytes at every call."""
    chance = random.Random(SEED)
    rows = spoil_rows(chance, clean_branches(chance))
    return {
        "branches.csv": to_csv(HEADER, rows),
        "branches-v2.csv": to_csv(HEADER_V2, edit_rows(chance, rows)),
    }


def main() -> None:
    """Both files are in the folder named, or beside this script."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, content in make().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
