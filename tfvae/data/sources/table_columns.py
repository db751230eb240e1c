"""What columns of a table are besides its rows: labels, conditions, ids and weights."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from tfvae._errors import quoted
from tfvae.data.errors import DataError
from tfvae.data.sources.source import Request
from tfvae.tables import Schema, infer
from tfvae.tables.cells import Cells, cells_of, is_number

if TYPE_CHECKING:
    import pandas as pd

Parts = dict[str, dict[str, np.ndarray]]


def marks_of(request: Request) -> list[str]:
    """Returns the texts that stand for a missing value, besides the usual ones."""
    return [] if request.missing in (None, "nan") else [cast(str, request.missing)]


def require_used(schema: Schema, path: Path) -> Schema:
    """Returns a schema; raises DataError if no column is used."""
    if not schema.used:
        advice = (
            "Its lines have no separator (tab, ;, | or comma) that gives all equally many cells, so each is one cell. "
            "Separate cells by commas, and quote those that contain one."
            if len(schema) == 1
            else "Expected at least one column whose values differ and repeat, or are numbers or dates. Give columns "
            "that are identifiers by mistake a kind, `--columns NAME=KIND`."
        )
        raise DataError(f"{path} has no column that can be used. {advice}\n{schema.describe()}")
    return schema


def parts_beside(frame: "pd.DataFrame", schema: Schema, request: Request) -> Parts:
    """Returns the labels, conditions, ids and weights of a table, each as the training split."""
    parts: Parts = {}
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
    """Returns weights of mean 1. Those of surveys are thousands, with which losses would overflow in half precision."""
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
    return numbers / numbers.mean()


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
