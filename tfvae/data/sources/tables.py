"""Tables from files."""

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tfvae._data_names import TEXT_SUFFIXES
from tfvae._errors import quoted
from tfvae._memory import require_memory
from tfvae.data.classes import class_numbers
from tfvae.data.conditions import Conditions, clean_conditions
from tfvae.data.cutting import ALL, cut_off, require_enough
from tfvae.data.errors import DataError
from tfvae.data.sources.source import Request, Source
from tfvae.data.sources.table_columns import Parts, marks_of, parts_beside, require_used
from tfvae.data.sources.table_streams import stream_table
from tfvae.data.split import Split
from tfvae.data.splits import Splits
from tfvae.tables import Schema, TableError, read_table, to_rows
from tfvae.tables.choosing import schema_of
from tfvae.tables.pieces import loading_bytes
from tfvae.tables.reading import no_lines

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger("tfvae")


def load_table(request: Request) -> Splits:
    """Loads the rows of a table as numbers, shuffled and cut 80/10/10.

    Raises:
        DataError: If the file is missing or no table, or a column does not fit the request.
    """
    path = request.path
    frame, schema = _read(request)
    require_enough(len(frame), "rows", ALL, path)
    parts = _parts(frame, schema, request)
    cut_off(parts, ALL, request.seed, path)
    return Splits(path.stem, **_splits(path, schema, parts))


def load_whole_table(request: Request) -> Split:
    """Loads all rows of a table as numbers, in their own order.

    Raises:
        DataError: If the file is missing or no table, or a column does not fit the request.
    """
    frame, schema = _read(request)
    return _splits(request.path, schema, _parts(frame, schema, request))["train"]


def _read(request: Request) -> "tuple[pd.DataFrame, Schema]":
    marks = marks_of(request)
    if request.path.is_file():
        advice = "Write it as shards, piece by piece, and train on these: `tfvae data shard FILE SHARDS`."
        require_memory(loading_bytes(request.path), f"Reading {request.path}", advice)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            frame = read_table(request.path, missing=marks)
            apart = [name for name in (request.label, request.condition, request.id, request.weight) if name]
            schema = schema_of(frame, request.columns or {}, apart=apart, missing=marks)
        except TableError as error:
            raise DataError(str(error)) from error
    for warning in caught:
        _log.warning("%s", warning.message)
    return frame, require_used(schema, request.path)


def _parts(frame: "pd.DataFrame", schema: Schema, request: Request) -> Parts:
    """Returns data, masks, labels and conditions, each as the training split."""
    try:
        rows, observed = to_rows(frame, schema, misfits=request.misfits)
    except TableError as error:
        raise DataError(f"{request.path}: {error}") from error
    masks = {} if observed.all() else {"train": observed}
    return {"data": {"train": rows}, "masks": masks, **parts_beside(frame, schema, request)}


def _splits(path: Path, schema: Schema, parts: Parts) -> dict[str, Split]:
    labels, class_names = class_numbers(parts.get("labels", {}))
    conditions = clean_conditions(parts["conditions"], str(path)) if "conditions" in parts else Conditions({})
    return {
        key: Split(
            rows,
            labels.get(key),
            name=f"{path.stem}/{key}",
            condition=conditions.values.get(key),
            observed=parts["masks"].get(key),
            class_names=class_names,
            condition_names=conditions.names,
            schema=schema,
            ids=parts.get("ids", {}).get(key),
            weight=parts.get("weights", {}).get(key),
        )
        for key, rows in parts["data"].items()
    }


def _check(request: Request) -> None:
    if not request.path.is_file():
        raise DataError(f"There is no file {request.path}. Give the path of a table. Received: {quoted(request.name)}")
    if not request.path.stat().st_size and request.path.suffix.lower() in TEXT_SUFFIXES:
        raise DataError(str(no_lines(request.path)))


TABLE = Source(
    load=load_table, check=_check, whole=load_whole_table, stream=stream_table, has_nan=True, has_columns=True
)
