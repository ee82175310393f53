"""The parts of an XLSX or XLSM workbook and how they hang together, to change some and keep the rest.

What is not changed is written as it was read, byte for byte: charts, pictures, macros, and the values of
formulas. The workbook was looked at before (`workbooks`); nothing in it is run.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Collection, Mapping
from typing import Self
from xml.sax.saxutils import quoteattr

from hnbulk.xmlparts import Element, Enough, Unreadable, edited, walk

_TYPES = "[Content_Types].xml"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_HEAD = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NO_RELATIONS = _HEAD + (
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"></Relationships>'
)


class Package:
    """The parts of one workbook by name. `parts` may be read and replaced."""

    def __init__(self, entries: list[zipfile.ZipInfo], parts: dict[str, bytes]) -> None:
        self._entries = {entry.filename: entry for entry in entries}
        self.parts = parts
        self.workbook = self._workbook()

    @classmethod
    def open(cls, content: bytes) -> Self:
        """Raises `Unreadable` where the parts do not hang together as a workbook's do."""
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                entries = [entry for entry in packed.infolist() if not entry.is_dir()]
                parts = {entry.filename: packed.read(entry) for entry in entries}
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError):
            raise Unreadable("it is not whole") from None
        return cls(entries, parts)

    def part(self, name: str) -> bytes:
        """The part of this name. Raises `Unreadable` where it is only spoken of."""
        if name not in self.parts:
            raise Unreadable("a part is missing")
        return self.parts[name]

    def sheets(self) -> dict[str, str]:
        """The part of each sheet by the sheet's name."""
        targets = {each: part for each, (_, part) in self.relations(self.workbook).items()}
        found: dict[str, str] = {}

        def closed(element: Element) -> None:
            if element.name == "sheet" and element.depth == 2:
                relation = _of(element.attributes, "id")
                found[element.attributes.get("name", "")] = targets.get(relation, "")

        walk(self.parts[self.workbook], closed)
        return found

    def strings(self, numbers: Collection[int]) -> dict[int, str]:
        """Some of the texts that the sheets share, by number."""
        part = self.related(self.workbook, "sharedStrings")
        found: dict[int, str] = {}
        count = phonetic = 0
        pieces: list[str] = []

        def opened(element: Element) -> None:
            nonlocal phonetic
            phonetic += element.name == "rPh"

        def closed(element: Element) -> None:
            nonlocal count, phonetic
            phonetic -= element.name == "rPh"
            if element.name == "t" and not phonetic:
                pieces.append(element.text)
            elif element.name == "si":
                if count in numbers:
                    found[count] = "".join(pieces)
                    if len(found) == len(numbers):
                        raise Enough
                count += 1
                pieces.clear()

        if part is not None and part in self.parts and numbers:
            only = frozenset(("t", "rPh"))
            walk(self.parts[part], closed, opened=opened, only=only, texts=("t",))
        return found

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """What a part refers to, by id: the last word of the kind, and the part's name."""
        folder = posixpath.dirname(part)
        found: dict[str, tuple[str, str]] = {}

        def closed(element: Element) -> None:
            given = element.attributes
            if element.name == "Relationship" and given.get("TargetMode") != "External":
                if {"Id", "Type", "Target"} - given.keys():
                    raise Unreadable("a relation to nothing")
                target = posixpath.normpath(posixpath.join("/", folder, given["Target"])).lstrip("/")
                found[given["Id"]] = (given["Type"].rpartition("/")[2], target)

        content = self.parts.get(_relations_of(part))
        if content is not None:
            walk(content, closed)
        return found

    def related(self, part: str, kind: str) -> str | None:
        """The part of this kind that `part` refers to; None where there is none."""
        return next((target for each, target in self.relations(part).values() if each == kind), None)

    def relate(self, part: str, kind: str, target: str) -> str:
        """`part` refers to `target` from now on; returns the id."""
        name = _relations_of(part)
        content = self.parts.get(name, _NO_RELATIONS)
        taken = self._ids(content)
        own = next(f"rIdHn{n}" for n in range(1, 1 << 16) if f"rIdHn{n}" not in taken)
        line = f'Relationship Id="{own}" Type="{_RELATIONS}/{kind}" Target={quoteattr("/" + target)}/>'
        self.parts[name] = _appended(content, "Relationships", line)
        return own

    def add(self, name: str, content: bytes, *, kind: str | None = None) -> None:
        """A part that was not there is; `kind` is its content type, where its ending does not tell it."""
        self.parts[name] = content
        types = self.parts[_TYPES]
        ending = name.rpartition(".")[2]
        if kind is not None:
            types = _appended(types, "Types", f'Override PartName="/{name}" ContentType="{kind}"/>')
        elif f'extension="{ending}"'.encode() not in types.lower():
            line = (
                f'Default Extension="{ending}" ContentType="application/vnd.openxmlformats-officedocument'
            )
            types = _appended(types, "Types", f'{line}.vmlDrawing"/>', first=True)
        self.parts[_TYPES] = types

    def free(self, pattern: str) -> str:
        """A name that no part has, by a pattern with a place for a number."""
        names = {name.lower() for name in self.parts}
        return next(name for n in range(1, 1 << 20) if (name := pattern.format(n)).lower() not in names)

    @property
    def signed(self) -> bool:
        """Somebody has signed the workbook as it was."""
        return any(name.lower().startswith("_xmlsignatures/") for name in self.parts)

    def packed(self, *, mark: bytes) -> bytes:
        """The workbook as a file, its parts in their order and new ones behind them; it ends with `mark`,
        which no other program keeps."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.comment = mark
            for name, part in self.parts.items():
                known = self._entries.get(name)
                entry = zipfile.ZipInfo(name, known.date_time if known else (1980, 1, 1, 0, 0, 0))
                stored = known is not None and known.compress_type == zipfile.ZIP_STORED
                entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                packed.writestr(entry, part)
        return content.getvalue()

    def _workbook(self) -> str:
        found = self.related("", "officeDocument")
        if found is None or found not in self.parts or _TYPES not in self.parts:
            raise Unreadable("no workbook in it")
        if b"//purl.oclc.org/ooxml/" in self.parts[found][:4_096]:
            raise Unreadable("it is Strict Open XML")
        return found

    def _ids(self, content: bytes) -> set[str]:
        ids: set[str] = set()
        walk(content, lambda element: ids.add(element.attributes.get("Id", "")))
        return ids


def _relations_of(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _of(attributes: Mapping[str, str], local: str) -> str:
    """An attribute by the last part of its name, whatever its prefix is."""
    return next((value for name, value in attributes.items() if name.rpartition(":")[2] == local), "")


def _appended(content: bytes, parent: str, line: str, *, first: bool = False) -> bytes:
    """The part with one more element in its root."""
    places: list[Element] = []
    prefix = walk(content, lambda element: places.append(element) if element.depth == 0 else None)
    root = places[0]
    if root.name != parent:
        raise Unreadable(f"no {parent}")
    made = f"<{prefix}{line}".encode()
    if root.inside == root.end:  # <Types/>
        tag = content[root.start : root.inside].removesuffix(b"/>") + b">"
        made = tag + made + f"</{prefix}{parent}>".encode()
        return edited(content, [(root.start, root.end, made)])
    at = root.inside if first else root.inner
    return edited(content, [(at, at, made)])
