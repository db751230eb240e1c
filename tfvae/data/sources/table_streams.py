"""Tables larger than memory, as sources of shards.

The first pass over a file reads as many columns at a time as fit in memory, and finds out what they are from all their
values. The second reads some rows at a time, and keeps them as numbers in a file.
"""

import dataclasses
import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfvae._errors import quoted
from tfvae._memory import available_memory
from tfvae.data.block import Block
from tfvae.data.classes import class_numbers
from tfvae.data.conditions import LABEL, Conditions, clean_conditions, one_hot
from tfvae.data.cutting import ALL, require_enough, rows_of_splits
from tfvae.data.errors import DataError
from tfvae.data.shard_sources import ShardSource
from tfvae.data.sources.source import Request
from tfvae.data.sources.table_columns import Parts, marks_of, parts_beside, require_used
from tfvae.tables import Schema, TableError, to_rows
from tfvae.tables.choosing import schema_of
from tfvae.tables.pieces import TableInPieces

_log = logging.getLogger("tfvae")

# Columns are read together up to this size, or a quarter of the available memory if that is more.
_COLUMN_BYTES = 2**28
# Cells that are read together in rows.
_NUM_CELLS = 2**22
# Neighboring rows that are written together.
_RUN_BYTES = 2**16


def stream_table(request: Request, scratch: Path) -> dict[str, ShardSource]:
    """Returns the splits of a table as sources of shards, with the rows that `load` gives them.

    Args:
        request: The table.
        scratch: A folder for the rows as numbers.

    Raises:
        DataError: If the file is missing or no table, or a column does not fit the request.
    """
    try:
        table = TableInPieces(request.path, marks_of(request))
        for note in table.notes:
            _log.warning("%s", note)
        schema, parts, num_rows = _first_pass(table, request)
        require_used(schema, request.path)
        require_enough(num_rows, "rows", ALL, request.path)
        x, observed = _second_pass(table, schema, num_rows, scratch)
    except TableError as error:
        raise DataError(str(error)) from error
    return _sources(request, schema, parts, x, observed)


def _first_pass(table: TableInPieces, request: Request) -> tuple[Schema, Parts, int]:
    """Returns the schema, labels and conditions, and the number of rows."""
    columns, marks = request.columns or {}, marks_of(request)
    condition = None if request.condition == LABEL else request.condition
    # What is known of a run has all its columns, of which this table may lack ignored ones.
    is_known = any(isinstance(settings, Mapping) for settings in columns.values())
    apart = [name for name in (request.label, condition) if name]
    for name in apart if is_known else (*columns, *apart):
        if name not in table.names:
            raise TableError(f"The table has no column {name!r}. Received: the columns {quoted(table.names)}")
    found: list[Schema] = []
    parts, num_rows = Parts(), 0
    for names in _groups(table):
        frame = table.columns(names)
        num_rows = len(frame)
        if not num_rows:
            raise TableError(f"{table.path} has no rows. Expected a line of names and at least one row of values.")
        of_names = columns if is_known else {name: columns[name] for name in names if name in columns}
        schema = schema_of(frame, of_names, apart=[name for name in apart if name in names], missing=marks)
        found.append(schema)
        wanted = dataclasses.replace(
            request,
            label=request.label if request.label in names else None,
            condition=condition if condition in names else None,
        )
        parts |= parts_beside(frame, schema, wanted)
    if is_known:
        return found[0], parts, num_rows
    return Schema([column for schema in found for column in schema], marks), parts, num_rows


def _groups(table: TableInPieces) -> Iterator[Sequence[str]]:
    most = max(_COLUMN_BYTES, (available_memory() or 0) // 4)
    size = max(1, len(table.names) * most // max(1, table.num_bytes))
    yield from (table.names[start : start + size] for start in range(0, len(table.names), size))


def _second_pass(table: TableInPieces, schema: Schema, num_rows: int, scratch: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows as numbers and where they are observed, both on disk."""
    shape = (num_rows, len(schema.used))
    x = np.lib.format.open_memmap(scratch / "rows.npy", "w+", np.float32, shape)
    observed = np.lib.format.open_memmap(scratch / "observed.npy", "w+", np.bool_, shape)
    start = 0
    for frame in table.rows(max(1, _NUM_CELLS // len(table.names))):
        rows = slice(start, start + len(frame))
        try:
            x[rows], observed[rows] = to_rows(frame, schema)
        except TableError as error:
            raise TableError(f"{table.path}, in the {len(frame):,} rows from row {start:,}: {error}") from error
        start += len(frame)
    return x, observed


def _sources(
    request: Request, schema: Schema, parts: Parts, x: np.ndarray, observed: np.ndarray
) -> dict[str, ShardSource]:
    rows = {split: np.sort(each) for split, each in rows_of_splits(len(x), ALL, request.seed).items()}
    cut = {part: {split: arrays["train"][each] for split, each in rows.items()} for part, arrays in parts.items()}
    labels, class_names = class_numbers(cut.get("labels", {}))
    conditions = clean_conditions(cut["conditions"], str(request.path)) if "conditions" in cut else Conditions({})
    if request.condition == LABEL:
        conditions = _conditions_of(labels, class_names, request.path)
    is_masked = not all(observed[start : start + _NUM_CELLS].all() for start in range(0, len(observed), _NUM_CELLS))
    return {
        split: ShardSource(
            functools.partial(
                _pieces, x, observed if is_masked else None, each, labels.get(split), conditions.values.get(split)
            ),
            class_names=class_names,
            condition_names=conditions.names,
            schema=schema,
        )
        for split, each in rows.items()
    }


def _conditions_of(labels: Mapping[str, np.ndarray], names: tuple[str, ...] | None, path: Path) -> Conditions:
    if not labels:
        raise DataError(f"{path} has no labels for a condition on the label. Give the name of their column, label.")
    if any((each < 0).any() for each in labels.values()):
        raise DataError(f"{path} has rows without a label, but a condition on the label needs the label of each row.")
    if names is None:
        return clean_conditions(labels, str(path))
    return Conditions({split: one_hot(each, len(names)) for split, each in labels.items()}, names)


def _pieces(
    x: np.ndarray,
    observed: np.ndarray | None,
    rows: np.ndarray,
    labels: np.ndarray | None,
    condition: np.ndarray | None,
    order: np.random.Generator | None,
) -> Iterator[Block]:
    """Yields runs of neighboring rows, in random order with a generator."""
    step = max(1, min(_RUN_BYTES // x[0].nbytes, len(rows) // 1000))
    starts = np.arange(0, len(rows), step)
    if order is not None:
        order.shuffle(starts)
    for start in starts:
        run = slice(start, start + step)
        yield Block(
            x[rows[run]],
            None if labels is None else labels[run],
            None if condition is None else condition[run],
            None if observed is None else observed[rows[run]],
        )
