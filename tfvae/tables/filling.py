"""Tables whose missing values are filled."""

from typing import TYPE_CHECKING

import numpy as np

from tfvae.tables.cells import cells_of
from tfvae.tables.frames import to_frame, within_range
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


NUM_DRAWS = 25
"""The number of draws of a missing category of which the most frequent one is imputed."""


def with_filled(frame: "pd.DataFrame", rows: np.ndarray, schema: Schema) -> "pd.DataFrame":
    """Returns a table whose missing values are those of rows of numbers. All other cells are unchanged.

    Args:
        frame: The table.
        rows: Numbers `[N, D]`, one for each column in `schema.used`.
        schema: The columns.
    """
    filled = frame.copy()
    values = to_frame(within_range(rows, schema), schema)
    places = {str(name): place for place, name in enumerate(frame.columns)}
    for column in schema.used:
        label = frame.columns[places[column.name]]
        is_missing = ~cells_of(frame[label], schema.missing).observed
        if is_missing.any():
            cells = frame[label].astype(object)
            cells[is_missing] = values[column.name].to_numpy(object)[is_missing]
            filled[label] = cells if cells.map(type).nunique() > 1 else cells.infer_objects()
    return filled


def with_frequent_categories(means: np.ndarray, draws: np.ndarray, schema: Schema) -> np.ndarray:
    """Returns means of missing values `[N, D]`, with the most frequent draw in the place of the mean of a category.

    Args:
        means: Conditional means `[N, D]`.
        draws: Draws of the missing values `[S, N, D]`.
        schema: The columns.
    """
    best = means.copy()
    for number, column in enumerate(schema.used):
        if column.categories:
            counts = np.stack([(draws[:, :, number] == code).sum(axis=0) for code in range(len(column.categories))])
            best[:, number] = counts.argmax(axis=0)
    return best
