"""The cells of a Parquet file as text: text as it stands, whole numbers as their digits.

A number with a fraction keeps its point, so that a phone column that became one is seen and refused.
The file's own counts are checked before its cells are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hnbulk.errors import InputError
from hnbulk.lending import lend
from hnbulk.table import joined

ENDINGS = (".parquet", ".pq")
_MARK = b"PAR1"
_MAX_UNPACKED = 200 << 20
_TOGETHER = 4_096  # rows that are looked at together


def is_parquet(content: bytes) -> bool:
    """The bytes begin as a Parquet file does."""
    return content.startswith(_MARK)


def read_columns(
    content: bytes, *, name: str, max_rows: int, max_columns: int, max_cell: int
) -> tuple[pa.ChunkedArray, ...]:
    """Every column as text, its name first; missing is blank, a list has `;` between.

    Raises `InputError` for a file that is not whole, is too large, or has a column of another kind. A
    text is looked at where the file has it once, before it is written for each row.
    """
    read = partial(_read, name=name, max_rows=max_rows, max_columns=max_columns, max_cell=max_cell)
    try:
        return lend(content, read)
    except (pa.ArrowException, OSError, ValueError):
        raise _refused(name, "is not a whole Parquet file", "Write it again") from None


def _read(
    content: pa.Buffer, *, name: str, max_rows: int, max_columns: int, max_cell: int
) -> tuple[pa.ChunkedArray, ...]:
    file = pq.ParquetFile(content)
    facts = file.metadata
    size = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
    if facts.num_rows > max_rows or facts.num_columns > max_columns or size > _MAX_UNPACKED:
        what = f"has {facts.num_rows:,} rows, {facts.num_columns:,} columns, {size >> 20:,} MB"
        limits = f"At most {max_rows:,}, {max_columns:,} and {_MAX_UNPACKED >> 20} MB are read: split it"
        raise _refused(name, what, limits)
    for column in file.schema_arrow:
        if not _is_plain(column.type):
            what = f"has a column of kind {column.type}, which is no text: {column.name[:40]!r}"
            raise _refused(name, what, "Write it as text, or leave it out")
    leaves = [file.schema.column(n).path for n in range(facts.num_columns)]
    once = pq.ParquetFile(content, read_dictionary=leaves)
    columns = []
    left = _MAX_UNPACKED
    for title in file.schema_arrow.names:
        parts = _texts(once.iter_batches(_TOGETHER, columns=[title]), name, max_cell, left)
        left -= sum(part.nbytes for part in parts)
        columns.append(joined([pa.array([title], type=pa.string()), *parts]))
    return tuple(columns)


def _is_plain(kind: Any) -> bool:
    if pa.types.is_dictionary(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_plain(kind.value_type)
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _texts(batches: Iterator[pa.RecordBatch], name: str, max_cell: int, most: int) -> list[pa.Array]:
    """One column as text; `most` is how many bytes it may have."""
    parts: list[pa.Array] = []
    for batch in batches:
        column = batch.column(0)
        _refuse_swollen(column, name, max_cell, most)
        parts.append(_part(column))
        most -= parts[-1].nbytes
    return parts


def _refuse_swollen(column: pa.Array, name: str, max_cell: int, most: int) -> None:
    """What its texts come to, told by what each of them is."""
    values = column.flatten() if pa.types.is_list(column.type) else column
    if not pa.types.is_dictionary(values.type):
        return
    texts = values.dictionary.cast(pa.large_string())
    lengths = pc.binary_length(texts)
    if (pc.max(pc.utf8_length(texts)).as_py() or 0) > max_cell:
        raise _refused(name, f"has a cell of more than {max_cell:,} characters", "Shorten it")
    if (pc.sum(lengths.take(values.indices)).as_py() or 0) > most:
        raise _refused(
            name, f"unpacks to more than {_MAX_UNPACKED >> 20} MB of text", "Split it, or leave columns out"
        )


def _part(column: pa.Array) -> pa.Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.fill_null(column.cast(kind).cast(pa.string()), "")
    return pa.array([_text(cell) for cell in column.to_pylist()], type=pa.string())


def _text(cell: Any) -> str:
    if isinstance(cell, list):
        return "; ".join(map(_text, cell))
    if cell is None or cell != cell:  # nan is not itself
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell)


def _refused(name: str, what: str, remedy: str) -> InputError:
    return InputError(f"{name} {what}. {remedy}.", file=name)
