"""The columns of a table as arrays: their kinds, their limits, and the scale on which they are standardised."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfvae.tables import Column, Schema

_LARGEST = float(np.finfo(np.float32).max)
_SMALLEST = float(np.finfo(np.float32).tiny)
# Values of these kinds are places in a list of categories.
CODED = ("category", "ordinal", "boolean")


class TableColumns:
    """Columns that are used, D in number, as arrays with one number a column.

    Attributes:
        names: Names.
        kinds: Kinds, `[D]`.
        num_categories: Number of categories, `[D]`. 0 for numbers.
        atoms: Numbers that are repeated often, in float32 and sorted, for each column.
        num_atoms: The number of them, `[D]`.
        low: Smallest value that the kind allows, `[D]`.
        high: Largest value that it allows, `[D]`.
        is_whole: Whether values are integers, `[D]`.
        has_log: Whether the logarithm of `x + log_shift` is standardised, and not x, `[D]`.
        log_shift: 1 for counts, else 0, `[D]`.

    Args:
        schema: Columns of a table.

    Raises:
        TypeError: If `schema` is not a schema.
        ValueError: If no column is used.
    """

    def __init__(self, schema: Schema):
        if not isinstance(schema, Schema):
            raise TypeError(
                "`schema` must be a tfvae.tables.Schema, the columns of a table. "
                f"Received: schema={schema!r} (of type {type(schema).__name__})"
            )
        columns = schema.used
        if not columns:
            raise ValueError(
                "At least one column must have another kind than 'constant' or 'ignored'. Received: 0 used columns"
            )
        self.names = [column.name for column in columns]
        self.kinds = np.array([column.kind for column in columns])
        self.num_categories = np.array([len(column.categories) for column in columns])
        self.atoms = [np.unique(np.asarray(column.atoms, np.float32)) for column in columns]
        self.num_atoms = np.array([len(atoms) for atoms in self.atoms])
        self.low, self.high = np.array([_limits(column) for column in columns]).T
        self.is_whole = np.isin(self.kinds, ("count", *CODED))
        self.has_log = np.isin(self.kinds, ("positive", "count"))
        self.log_shift = (self.kinds == "count").astype(np.float64)

    def __len__(self) -> int:
        return len(self.names)

    def of_kind(self, *kinds: str) -> np.ndarray:
        """Returns the places of the columns of these kinds."""
        return np.flatnonzero(np.isin(self.kinds, kinds))

    def transformed(self, x: np.ndarray) -> np.ndarray:
        """Returns valid values `[..., D]` on the scale on which they are standardised."""
        return np.where(self.has_log, np.log(np.where(self.has_log, x + self.log_shift, 1.0)), x)

    def any_valid(self) -> np.ndarray:
        """Returns a row `[D]` of valid values."""
        return np.clip(1.0, self.low, self.high)

    def check(self, x: np.ndarray, observed: np.ndarray) -> None:
        """Raises ValueError if rows have another number of columns, or values that the kinds of the columns exclude."""
        if x.ndim != 2 or x.shape[1] != len(self):
            raise ValueError(
                f"Rows must have one number for each of the {len(self)} used columns of the schema. "
                f"Received: data of shape {x.shape}"
            )
        is_valid = (x >= self.low) & (x <= self.high) & (~self.is_whole | (x == np.round(x)))
        wrong = np.argwhere(observed & ~is_valid)
        if len(wrong):
            row, place = wrong[0]
            kind, low, high = self.kinds[place], self.low[place], self.high[place]
            meaning = {
                "real": "finite",
                "date": "finite",
                "positive": "above zero and finite",
                "count": "0, 1, 2, ...",
                "bounded": f"from {low} to {high}",
            }.get(kind, f"places in the list of categories, from 0 to {high:.0f}")
            raise ValueError(
                f"The values of column {self.names[place]!r} must be {meaning}, because its kind is {kind!r}. Change "
                f"the kind in the schema, or mark such values as missing. Received: {x[row, place]}"
            )


def schema_config(schema: Schema) -> list[dict[str, Any]]:
    """Returns a schema as plain lists and dictionaries."""
    return [
        {**dataclasses.asdict(column), "categories": list(column.categories), "atoms": list(column.atoms)}
        for column in schema
    ]


def schema_from_config(config: Sequence[dict[str, Any]]) -> Schema:
    """Restores a schema from the value of `schema_config`."""
    return Schema(
        [
            Column(**{**column, "categories": tuple(column["categories"]), "atoms": tuple(column["atoms"])})
            for column in config
        ]
    )


def _limits(column: Column) -> tuple[float, float]:
    if column.kind == "bounded":
        ends = np.array([column.low, column.high], np.float64)
        # A limit of the data may be rounded to float32, and then be beyond the limit of the schema.
        rounded = ends.astype(np.float32)
        return float(min(ends[0], rounded[0])), float(max(ends[1], rounded[1]))
    if column.kind in CODED:
        return 0.0, len(column.categories) - 1.0
    return {"positive": _SMALLEST, "count": 0.0}.get(column.kind, -_LARGEST), _LARGEST
