"""Rows of a table in the forms in which the evaluations of tables take them."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tfvae.data.holes import with_nan
from tfvae.tables import Schema, to_frame, to_rows

if TYPE_CHECKING:
    import pandas as pd

    TableLike: TypeAlias = np.ndarray | pd.DataFrame


def as_rows(table: "TableLike", schema: Schema, name: str) -> np.ndarray:
    """Returns a table as numbers `[N, D]`, float64 with NaN at missing values.

    Numbers are those that are written: with the decimals of their column, and within its limits.

    Args:
        table: A DataFrame, or rows of numbers as a model of the table takes and gives them, NaN at missing values.
        schema: The columns.
        name: Name of the argument, for errors.

    Raises:
        ValueError: If there are no rows, or they do not fit the schema.
    """
    frame = to_frame(table, schema) if isinstance(table, np.ndarray) else table
    if not len(frame):
        raise ValueError(f"`{name}` must have at least one row. Received: {name} without rows")
    return with_nan(*to_rows(frame, schema)).astype(np.float64)


def with_holes_of(rows: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns rows with missing values where randomly drawn rows of another table have them.

    Samples of a model have no missing values. With those of real rows, nothing can tell them apart by their holes.
    """
    drawn = other[rng.integers(0, len(other), len(rows))]
    return np.where(np.isnan(drawn), np.nan, rows)


def choose(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the places of at most this number of rows, drawn without replacement and in order."""
    if len(rows) <= most:
        return np.arange(len(rows))
    return np.sort(rng.choice(len(rows), most, replace=False))
