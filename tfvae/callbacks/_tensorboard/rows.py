"""Rows of a table as texts, which take the place of pictures."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from tfvae._markdown import table_row
from tfvae.callbacks._tensorboard.pictures import PictureInputs
from tfvae.tables import Schema, to_frame

_MAX_ROWS = 8
_MAX_COLUMNS = 40
_MAX_LENGTH = 60  # of a cell


def texts_of(inputs: PictureInputs, names: list[str]) -> dict[str, str]:
    """Returns the texts of these views by name, tables in Markdown with a line for each column.

    There are none for other models than those of a table.
    """
    schema = inputs.views.schema
    return {} if schema is None else {name: write(inputs, schema) for name, write in TEXTS.items() if name in names}


def cells_of(x: Any, schema: Schema, observed: Any = None) -> dict[str, list[str]]:
    """Returns rows `[N, D]`, or means of rows, as text by column, "missing" at missing values."""
    x = np.asarray(x, np.float64)
    highest = np.array([len(column.categories) - 1 for column in schema.used])
    rows = np.where(highest >= 0, np.clip(np.rint(x), 0, np.maximum(highest, 0)), x).astype(np.float32)
    frame = to_frame(rows, schema, None if observed is None else np.asarray(observed))
    names = [column.name for column in schema.used[:_MAX_COLUMNS]]
    return {
        name: ["missing" if is_missing else str(value)[:_MAX_LENGTH] for value, is_missing in zip(*cells, strict=True)]
        for name, cells in ((name, (frame[name], frame[name].isna())) for name in names)
    }


def _samples(inputs: PictureInputs, schema: Schema) -> str:
    """Writes means of p(x|z) for z from the prior."""
    cells = cells_of(inputs.samples[:_MAX_ROWS], schema)
    return _table(cells, [f"sample {i + 1}" for i in range(len(next(iter(cells.values()))))])


def _reconstructions(inputs: PictureInputs, schema: Schema) -> str:
    """Writes examples, each beside the mean of p(x|z) for one z from q(z|x)."""
    if inputs.x is None:
        return ""
    num = min(_MAX_ROWS // 2, len(inputs.x))
    observed = None if inputs.batch is None or inputs.batch.observed is None else inputs.batch.observed[:num]
    originals = cells_of(inputs.x[:num], schema, observed)
    means = cells_of(inputs.views.reconstructions(inputs.examples(num)), schema)
    both = {
        name: [cell for pair in zip(values, means[name], strict=True) for cell in pair]
        for name, values in originals.items()
    }
    return _table(both, [f"{what} {i + 1}" for i in range(num) for what in ("row", "reconstruction")])


def _table(cells: Mapping[str, list[str]], titles: list[str]) -> str:
    lines = [table_row(["column", *titles]), table_row(["---"] * (len(titles) + 1))]
    return "\n".join([*lines, *(table_row([name, *values]) for name, values in cells.items())])


TEXTS: Mapping[str, Callable[[PictureInputs, Schema], str]] = MappingProxyType(
    {"samples": _samples, "reconstructions": _reconstructions}
)
