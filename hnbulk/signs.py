"""Which signs that matter to a reader are in the bytes of a text file, found in one pass over them.

A large file is slow to come by from memory: each piece is asked everything while it is near. This
module reads no file and decodes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

#: Bytes that are looked at together; a processor's cache holds them.
_PIECE = 1 << 19


@dataclass(frozen=True, slots=True)
class Signs:
    """What is somewhere in a content."""

    beyond_ascii: bool
    nul: bool
    carriage_return: bool
    quote: bool

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The signs in all of these bytes."""
        data = np.frombuffer(content, dtype=np.uint8)
        beyond = nul = carriage_return = quote = False
        for start in range(0, len(content), _PIECE):
            end = start + _PIECE
            beyond = beyond or bool(data[start:end].max() > 0x7F)
            nul = nul or content.find(b"\x00", start, end) >= 0
            carriage_return = carriage_return or content.find(b"\r", start, end) >= 0
            quote = quote or content.find(b'"', start, end) >= 0
        return cls(beyond, nul, carriage_return, quote)

    @property
    def plain(self) -> bool:
        """The bytes are text in ASCII, which is UTF-8 as it stands."""
        return not (self.beyond_ascii or self.nul)
