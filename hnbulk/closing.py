"""What has to be closed can stand in a `with` statement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """A thing with a `close`, closed at the end of its `with` block however that ends."""

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """Nothing stays open behind it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
