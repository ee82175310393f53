"""The tags of an XML part by the bytes where they stand, so that a part is changed at one place only.

A part that is parsed and written anew loses what its reader does not know. Here it is cut at the bytes
of its tags, and every byte between two cuts stays as it was. Declarations of entities are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

Edit = tuple[int, int, bytes]  # from this byte up to that one stands this instead


_MEASURE = re.compile(r"\s*(\d{1,9}(?:\.\d{0,40})?(?:[eE][+-]?\d)?)\s*", re.ASCII)


class Unreadable(ValueError):
    """The part is no XML of the kind that spreadsheets are made of."""


@dataclass(slots=True)
class Element:
    """One element: its local name, its attributes as written, and its bytes.

    `start` is its first byte, `inside` the one behind its start tag; `inner` the one where its end tag
    begins and `end` the one behind it. Of `<a/>` the three last are the same.
    """

    name: str
    attributes: Mapping[str, str]
    depth: int  # the root's is 0
    start: int
    inside: int = 0
    inner: int = 0
    end: int = 0
    text: str = ""

    def number(self, name: str, default: int = 0) -> int:
        """An attribute that counts something. Raises `Unreadable` for one that is no such number."""
        value = self.attributes.get(name)
        if value is None:
            return default
        value = value if value.isdecimal() else value.strip()
        if not (value.isdecimal() and len(value) < 10):
            raise Unreadable(f"{name} of <{self.name}> is no number")
        return int(value)

    def measure(self, name: str, default: float) -> float:
        """An attribute that measures something, 0 or more. Raises `Unreadable` for any other."""
        value = self.attributes.get(name)
        found = _MEASURE.fullmatch(value) if value is not None else None
        if value is not None and found is None:
            raise Unreadable(f"{name} of <{self.name}> is no size")
        return default if found is None else float(found[1])


class Enough(Exception):
    """Raised by who looks at a part when the rest of it does not matter."""


def walk(
    part: bytes,
    closed: Callable[[Element], None],
    *,
    opened: Callable[[Element], None] | None = None,
    only: frozenset[str] | None = None,
    texts: Iterable[str] = (),
) -> str:
    """`closed` has seen every element of `part` at its end, `opened` at its beginning; returns the prefix
    of its own names, as `x:` or nothing.

    Deeper than the root's children it may be `only` those of some names. Elements named in `texts` have
    the text directly in them. Both may raise `Enough`. Raises `Unreadable`.
    """
    if part[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable("not in UTF-8")
    parser = expat.ParserCreate()
    wanted, prefix = frozenset(texts), ""
    stack: list[Element | None] = []
    parser.buffer_text, parser.buffer_size = True, 1 << 20  # a text is put together of few pieces

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal prefix
        before, _, local = name.rpartition(":")
        depth = len(stack)
        if depth == 0:
            prefix = f"{before}:" if before else ""
        if only is not None and depth > 1 and local not in only:
            stack.append(None)
            return
        element = Element(local, attributes, depth, parser.CurrentByteIndex)
        stack.append(element)
        if opened is not None:
            opened(element)

    def end(_: str) -> None:
        element = stack.pop()
        if element is None:
            return
        element.inside = behind_tag(part, element.start)
        if part[element.inside - 2 : element.inside] == b"/>":
            element.inner = element.end = element.inside
        else:
            element.inner = parser.CurrentByteIndex
            element.end = part.index(b">", element.inner) + 1
        closed(element)

    def data(text: str) -> None:
        if (element := stack[-1]) is not None and element.name in wanted:
            element.text += text

    def declared(_: str, encoding: str | None, __: int) -> None:
        if (encoding or "utf-8").lower() not in ("utf-8", "us-ascii"):
            raise Unreadable("not in UTF-8")

    def doctype(*_: object) -> None:
        raise Unreadable("a document declaration")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.XmlDeclHandler, parser.StartDoctypeDeclHandler = declared, doctype
    if wanted:
        parser.CharacterDataHandler = data
    with suppress(Enough):
        try:
            parser.Parse(part, True)
        except expat.ExpatError as error:
            raise Unreadable(str(error)) from None
    return prefix


_TAG = re.compile(rb"""<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")


def behind_tag(part: bytes, start: int) -> int:
    """The byte behind the tag that begins at `start`; a `>` inside a value is none of its end."""
    found = _TAG.match(part, start)
    if found is None:
        raise Unreadable("a tag without an end")
    return found.end()


def edited(part: bytes, edits: Iterable[Edit]) -> bytes:
    """`part` with the edits made; of those at one byte the earlier one stands first. None overlap."""
    pieces: list[bytes] = []
    done = 0
    for start, end, instead in sorted(edits, key=lambda edit: edit[:2]):
        if start < done:
            raise Unreadable("two changes of one place")
        pieces += (part[done:start], instead)
        done = end
    return b"".join((*pieces, part[done:]))


def with_attributes(tag: bytes, **changes: object) -> bytes:
    """A start tag with these attributes set."""
    for name, value in changes.items():
        own = rb"(?<!\s)\s+" + name.encode() + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')"
        tag = re.sub(own, b"", tag, count=1)
        head = re.match(rb"<[^\s/>]+", tag)
        if head is None:
            raise Unreadable("not a tag")
        tag = tag[: head.end()] + f" {name}={quoteattr(str(value))}".encode() + tag[head.end() :]
    return tag


# What XML cannot hold, and what a spreadsheet would take for the code of another sign.
_CODED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_LONE = re.compile("[\ud800-\udfff]")


def cell_text(text: str) -> str:
    """`text` as the content of a cell's `t`: escaped, also the signs that XML has no place for."""
    plain = _LONE.sub("\ufffd", text)
    return escape(_CODED.sub(lambda sign: f"_x{ord(sign[0]):04X}_", plain))


def text_element(text: str, prefix: str = "") -> str:
    """`text` as the `t` of a cell; blanks around it stay."""
    kept = ' xml:space="preserve"' if text != text.strip() or "\n" in text else ""
    return f"<{prefix}t{kept}>{cell_text(text)}</{prefix}t>"
