"""The values that make examples unusual, by name."""

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.data import SparseSplit
from tfvae.data.any_split import AnySplit
from tfvae.evaluation import Scores
from tfvae.tables import Schema
from tfvae.tables.cells import cells_of

if TYPE_CHECKING:
    import pandas as pd

_MAX_PRINTED = 40  # characters of a value
_LEAST_PRINTED = 0.1  # nats
Index = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Causes:
    """Names and values of what contributes to scores.

    Attributes:
        noun: What a value of an example is called: "column", "pixel" or "element".
        name: Function from the index of a contribution to its name.
        value: Function from an example, its row and such an index to the value there, as text.
        excluded: Boolean `[N, *event]`, True at values that the model excludes, or None.
    """

    noun: str
    name: Callable[[Index], str]
    value: Callable[[np.ndarray, int, Index], str]
    excluded: np.ndarray | None = None

    def columns(self, scores: Scores, x: np.ndarray, first_row: int, num: int) -> dict[str, Any]:
        """Returns the largest contributions of each example as columns of a table.

        Args:
            scores: Scores of some examples.
            x: These examples `[B, *event]`.
            first_row: The row of the first one among all examples.
            num: Number of contributions of each example.
        """
        found: dict[str, Any] = {}
        shape = scores.contributions.shape[1:]
        if math.prod(shape) == 1 and math.prod(x.shape[1:]) > 1:
            return found  # no values are independent, and so have no contribution of their own
        # Channels of a pixel that depend on each other have one contribution.
        shape = shape[:-1] if shape[-1:] == (1,) and len(shape) > 1 else shape
        places, contributions = scores.largest(num)
        for i in range(places.shape[1]):
            index = list(zip(*(each.tolist() for each in np.unravel_index(places[:, i], shape)), strict=True))
            found[f"{self.noun}_{i + 1}"] = [self.name(each) for each in index]
            found[f"value_{i + 1}"] = [self.value(x[b], first_row + b, index[b]) for b in range(len(x))]
            found[f"contribution_{i + 1}"] = contributions[:, i]
        return found

    def words(self, columns: dict[str, Any], row: int) -> str:
        """Returns a few words on the contributions of an example, from what `columns` returns."""
        found = []
        for i in range(len(columns) // 3):
            parts = (self.noun, "value", "contribution")
            name, value, contribution = (columns[f"{part}_{i + 1}"][row] for part in parts)
            if contribution >= _LEAST_PRINTED:
                shown = value if len(value) <= _MAX_PRINTED else f"{value[:_MAX_PRINTED]}..."
                found.append(f"{name} = {shown or 'missing'} ({contribution:+.1f})")
        return "; " + ", ".join(found) if found else ""


def of_table(frame: "pd.DataFrame", schema: Schema, observed: np.ndarray | None) -> Causes:
    """Returns the columns of a table, with its cells as their values.

    Args:
        frame: The table.
        schema: Its columns.
        observed: Boolean `[N, D]`, False at cells that are missing or do not fit their column. None if all are True.
    """
    used = [column.name for column in schema.used]
    cells = [frame[name] for name in used]
    excluded = None
    if observed is not None:
        are_filled = np.stack([cells_of(column, schema.missing).observed for column in cells], axis=1)
        excluded = are_filled & ~observed

    def value(x: np.ndarray, row: int, index: Index) -> str:
        cell = cells[index[0]].iloc[row]
        return "" if cell is None or cell != cell else str(cell)

    return Causes("column", lambda index: used[index[0]], value, excluded)


def of_arrays(split: AnySplit) -> Causes:
    """Returns the values of arrays: by their names or numbers in a vector, or the row and column of a pixel."""
    names = split.column_names if isinstance(split, SparseSplit) else None
    noun = "pixel" if split.is_image else "column" if len(split.event_shape) == 1 else "element"
    return Causes(
        noun,
        lambda index: ",".join(map(str, index)) if names is None else names[index[0]],
        lambda x, row, index: " ".join(f"{number:g}" for number in np.ravel(x[index])),
    )
