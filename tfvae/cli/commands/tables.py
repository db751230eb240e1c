"""Implementation of `tfvae sample` and `tfvae impute` for rows of tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfvae.cli.commands.loaded_split import Ids
from tfvae.cli.commands.output import write_frame
from tfvae.cli.commands.saying import say
from tfvae.data.conditions import LABEL
from tfvae.evaluation import Imputation
from tfvae.tables import Schema, read_table, to_frame
from tfvae.tables.files import schema_from_dict
from tfvae.tables.filling import NUM_DRAWS, with_filled, with_frequent_categories
from tfvae.tables.frames import within_range
from tfvae.training.config import RunConfig


def schema_of_run(config: RunConfig) -> Schema | None:
    """Returns the columns of a run whose data are a table, or None."""
    return schema_from_dict({"columns": config.data.columns}, "data.columns") if config.data.columns else None


def write_samples(path: Path, x: np.ndarray, config: RunConfig, schema: Schema, chosen: Any) -> None:
    """Writes samples as rows of a table with the columns of the data.

    Args:
        path: File to write.
        x: Samples `[N, D]`.
        config: The configuration of the run.
        schema: The columns.
        chosen: Number of the class, or the number, that all samples were conditioned on. None if there is none.
    """
    frame = to_frame(within_range(x, schema), schema)
    name = config.data.label if config.data.condition in ("", LABEL) else config.data.condition
    if chosen is not None and name in schema.names:
        value = config.data.classes[chosen] if config.data.classes else float(np.ravel(chosen)[0])
        before = [column.name for column in schema.columns[: schema.names.index(name)] if column.name in frame]
        frame.insert(len(before), name, value)
    write_frame(path, frame)
    left_out = [column.name for column in schema if column.name not in frame]
    if left_out:
        say(f"without the columns that are no part of the model: {', '.join(left_out)}")


def write_imputed(path: Path, source: Path, parts: Iterator[Imputation], schema: Schema, num_draws: int) -> None:
    """Writes a table with its missing values imputed. All other cells are those of the file.

    Numbers are the conditional means, and categories the most frequent of several draws. Multiple imputations are
    draws, in files with the numbers 1, 2, ... at the end of their names.

    Args:
        path: File to write.
        source: The table.
        parts: Imputed values of the rows, in order, with `num_samples_for` draws.
        schema: The columns.
        num_draws: Number of multiple imputations.
    """
    found = list(parts)
    means = np.concatenate([part.mean for part in found])
    draws = np.concatenate([part.samples for part in found], axis=1)  # [S, N, D]
    best = with_frequent_categories(means, draws, schema)
    frame = read_table(source, missing=schema.missing)
    write_frame(path, with_filled(frame, best, schema))
    for i in range(num_draws):
        write_frame(path.with_stem(f"{path.stem}-{i + 1}"), with_filled(frame, draws[i], schema))


def write_reconstructed(path: Path, x: np.ndarray, schema: Schema, ids: Ids) -> None:
    """Writes reconstructions `[N, D]` as rows of a table, after what identifies them."""
    frame = to_frame(x, schema)
    if ids.values is not None:
        frame.insert(0, ids.name, ids.values[: len(frame)])
    write_frame(path, frame)


def num_samples_for(num_draws: int) -> int:
    """Returns the number of draws of missing values that `write_imputed` needs."""
    return max(num_draws, NUM_DRAWS)
