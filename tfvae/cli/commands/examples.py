"""Data that commands work on: loaded for the model of a run, and read in batches."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from tfvae.data import ShardedSplit, Split, reading
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.data.load import check_split
from tfvae.training.load_data import load_data, load_other_data
from tfvae.training.run_data import evaluation_split
from tfvae.training.saved_run import Run

# Size of a block of draws. Up to this number, the draws are those of `VAE.sample` and `VAE.reconstruct`.
BATCH_SIZE = 500


def examples_of(
    run: Run,
    data: str | None,
    split_name: str,
    missing: str | None = None,
    *,
    id: str | None = None,
    misfits: Literal["error", "missing"] = "error",
) -> Split | ShardedSplit:
    """Loads the data that a command works on, with the noise of training drawn once.

    Args:
        run: The run.
        data: Name or path of the data. None is the data of the run.
        split_name: "train", "validation" or "test", for data with splits.
        missing: As `data.missing`. None is that of the run.
        id: As `data.id`, for other data than those of the run. None is that of the run.
        misfits: Whether values of another table that do not fit its columns are an "error" or "missing" values.

    Raises:
        ValueError: If there is no such split, or the data do not fit the model.
    """
    if data is None:
        split = getattr(load_data(run.config), check_split(split_name))
        if split is None:
            raise ValueError(f"{run.config.data.name} has no {split_name!r} split. Choose another with --split.")
    else:
        split = load_other_data(run.config, data, split_name, missing, id=id, misfits=misfits)
    split = evaluation_split(run.config, split)
    run.vae.check_data(split if isinstance(split, Split) else split.batches(BATCH_SIZE))
    return split


def batches_of(split: Split | ShardedSplit) -> Iterator[tuple[dict[str, Any], np.ndarray | None]]:
    """Yields batches as dictionaries, and their labels."""
    for batch in reading.batches(split, BATCH_SIZE):
        given = {"x": batch.x, CONDITION: batch.condition, OBSERVED: batch.observed}
        yield {name: part for name, part in given.items() if part is not None}, batch.labels
