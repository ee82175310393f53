"""The cells of a Parquet file as text: text as it stands, whole numbers as their digits.

A number with a fraction keeps its point, so that a phone column that became one is seen and refused.
The file's own counts are checked before its cells are read.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hnbulk.errors import InputError

ENDINGS = (".parquet", ".pq")
_MARK = b"PAR1"
_MAX_UNPACKED = 200 << 20


def is_parquet(content: bytes) -> bool:
    """The bytes begin as a Parquet file does."""
    return content.startswith(_MARK)


def read_columns(content: bytes, *, name: str, max_rows: int, max_columns: int) -> tuple[pa.Array, ...]:
    """Every column as text, its name first; missing is blank, a list has `;` between.

    Raises `InputError` for a file that is not whole, is too large, or has a column of another kind.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        facts = file.metadata
        size = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
        if facts.num_rows > max_rows or facts.num_columns > max_columns or size > _MAX_UNPACKED:
            what = f"has {facts.num_rows:,} rows, {facts.num_columns:,} columns, {size >> 20:,} MB"
            limits = (
                f"At most {max_rows:,}, {max_columns:,} and {_MAX_UNPACKED >> 20} MB are read: split it"
            )
            raise _refused(name, what, limits)
        for column in file.schema_arrow:
            if not _is_plain(column.type):
                what = f"has a column of kind {column.type}, which is no text: {column.name[:40]!r}"
                raise _refused(name, what, "Write it as text, or leave it out")
        table = file.read()
    except (pa.ArrowException, OSError, ValueError):
        raise _refused(name, "is not a whole Parquet file", "Write it again") from None
    return tuple(
        pa.concat_arrays([pa.array([title], type=pa.string()), _texts(column)])
        for title, column in zip(table.column_names, table.columns, strict=True)
    )


def _is_plain(kind: Any) -> bool:
    if pa.types.is_dictionary(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_plain(kind.value_type)
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _texts(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    if whole.type == pa.string():
        return pc.fill_null(whole, "")
    return pa.array([_text(cell) for cell in whole.to_pylist()], type=pa.string())


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
