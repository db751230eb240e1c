"""Data that commands work on: loaded for the model of a run, and read in batches."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from tfvae.cli.commands.loaded_split import BATCH_SIZE, loaded_split
from tfvae.data import SparseSplit, Split, reading
from tfvae.data.any_split import AnySplit
from tfvae.data.column_names import in_order_of
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.training.evaluation_split import evaluation_split
from tfvae.training.likelihoods import SIZED
from tfvae.training.saved_run import Run


def examples_of(
    run: Run,
    data: str | None,
    split_name: str,
    missing: str | None = None,
    *,
    id: str | None = None,
    misfits: Literal["error", "missing"] = "error",
) -> AnySplit:
    """Loads the data that a command works on, with the noise of training drawn once, and columns of counts by name.

    Args:
        run: The run.
        data: Name or path of the data. None is the data of the run.
        split_name: "train", "validation" or "test", for data with splits.
        missing: As `data.missing`. None is that of the run.
        id: As `data.id`. None is that of the run.
        misfits: Whether values of another table that do not fit its columns are an "error" or "missing" values.

    Raises:
        ValueError: If there is no such split, the data have no such id, or do not fit the model.
    """
    split = loaded_split(run.config, data, split_name, missing, id=id, misfits=misfits)
    if isinstance(split, SparseSplit) and run.config.model.likelihood_kind == SIZED:
        split = in_order_of(split, run.column_names, math.prod(run.vae.event_shape or ()))
    split = evaluation_split(run.config, split)
    run.vae.check_data(split if isinstance(split, Split) else split.batches(BATCH_SIZE))
    return split


def batches_of(split: AnySplit) -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
    """Yields batches as dictionaries, and their labels."""
    for batch in reading.batches(split, BATCH_SIZE):
        given = {"x": batch.x, CONDITION: batch.condition, OBSERVED: batch.observed}
        yield {name: part for name, part in given.items() if part is not None}, batch.labels
