"""Tables from files."""

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from tfvae._errors import quoted
from tfvae.data.classes import class_numbers
from tfvae.data.conditions import Conditions, clean_conditions
from tfvae.data.cutting import ALL, cut_off, require_enough
from tfvae.data.errors import DataError
from tfvae.data.sources.source import Request, Source
from tfvae.data.split import Split
from tfvae.data.splits import Splits
from tfvae.tables import Schema, TableError, infer, read_table, to_rows
from tfvae.tables.cells import Cells, cells_of, is_number
from tfvae.tables.choosing import schema_of

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger("tfvae")

_Parts = dict[str, dict[str, np.ndarray]]


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
    marks = [] if request.missing in (None, "nan") else [cast(str, request.missing)]
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
    if not schema.used:
        raise DataError(f"{request.path} has no column that can be used.\n{schema.describe()}")
    return frame, schema


def _parts(frame: "pd.DataFrame", schema: Schema, request: Request) -> _Parts:
    """Returns data, masks, labels and conditions, each as the training split."""
    try:
        rows, observed = to_rows(frame, schema, misfits=request.misfits)
    except TableError as error:
        raise DataError(f"{request.path}: {error}") from error
    parts: _Parts = {"data": {"train": rows}, "masks": {} if observed.all() else {"train": observed}}
    if request.label is not None and request.label in frame:
        cells = cells_of(frame[request.label], schema.missing)
        parts["labels"] = {"train": _texts(cells)}
    if request.condition is not None:
        parts["conditions"] = {"train": _condition(request, frame, schema)}
    if request.id is not None and request.id in frame:
        parts["ids"] = {"train": frame[request.id].to_numpy()}
    if request.weight is not None and request.weight in frame:
        parts["weights"] = {"train": _weight(request.path, request.weight, frame, schema)}
    return parts


def _weight(path: Path, name: str, frame: "pd.DataFrame", schema: Schema) -> np.ndarray:
    cells = cells_of(frame[name], schema.missing)
    numbers = None if cells.numbers is None else np.append(cells.numbers, np.nan)[cells.codes]
    if numbers is None or not (np.isfinite(numbers) & (numbers >= 0)).all():
        fits = np.zeros(len(frame), bool) if numbers is None else np.isfinite(numbers) & (numbers >= 0)
        if numbers is None:
            fits = np.append([is_number(text) for text in cells.texts], False)[cells.codes]
        row = int(np.argmin(fits))
        raise DataError(
            f"{path} cannot have the column {quoted(name)} as weights. Expected a number of at least 0 in each row, "
            f"and no empty cells. Received: {quoted(str(frame[name].iloc[row]))} in row {row} (the first is 0)"
        )
    if not numbers.any():
        raise DataError(f"{path} has no row with a weight above 0 in the column {quoted(name)}. Give other weights.")
    return numbers


def _condition(request: Request, frame: "pd.DataFrame", schema: Schema) -> np.ndarray:
    name = cast(str, request.condition)
    if name not in frame:
        raise DataError(
            f"{request.path} has no column {quoted(name)} for the condition. Received: the columns "
            f"{quoted(list(map(str, frame.columns)))}"
        )
    cells = cells_of(frame[name], schema.missing)
    if not cells.observed.all():
        raise DataError(
            f"{request.path} has rows without a value of the condition {quoted(name)}. Leave them out. Received: an "
            f"empty cell in row {int(np.argmin(cells.observed))} (the first is 0)"
        )
    kind = infer(frame[[name]], missing=schema.missing)[name].kind
    if cells.numbers is None or kind in ("category", "boolean"):
        return _texts(cells)
    return cells.numbers[cells.codes].astype(np.float32)


def _texts(cells: Cells) -> np.ndarray:
    """Returns the cells as text, empty where they are missing; and as integers if they are whole numbers."""
    if cells.numbers is not None and (cells.numbers == np.rint(cells.numbers)).all() and (cells.numbers >= 0).all():
        return np.append(cells.numbers, -1).astype(np.int64)[cells.codes]
    return np.asarray([*cells.texts, ""])[cells.codes]


def _splits(path: Path, schema: Schema, parts: _Parts) -> dict[str, Split]:
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


TABLE = Source(load=load_table, check=_check, whole=load_whole_table, has_nan=True, has_columns=True)
