"""Data that commands work on: loaded for the model of a run, and read in batches."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from tfvae._errors import quoted
from tfvae.data import SparseSplit, Split, reading
from tfvae.data.any_split import AnySplit
from tfvae.data.checks import check_split
from tfvae.data.column_names import in_order_of
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.training.likelihoods import SIZED
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
    if data is None:
        config = run.config
        if id is not None:
            config = dataclasses.replace(config, data=dataclasses.replace(config.data, id=id))
        split = getattr(load_data(config), check_split(split_name))
        if split is None:
            raise ValueError(f"{run.config.data.name} has no {split_name!r} split. Choose another with --split.")
    else:
        split = load_other_data(run.config, data, split_name, missing, id=id, misfits=misfits)
    if id is not None and getattr(split, "ids", None) is None:
        raise ValueError(f"--id must be a column of a table. Received: --id {quoted(id)} for {split.name}")
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


class Ids(NamedTuple):
    """What identifies examples in the output of a command.

    Attributes:
        name: Name of the column of a table.
        values: Texts or numbers `[N]`, or None if nothing identifies them.
    """

    name: str
    values: np.ndarray | None

    def added_to(self, parts: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yields parts of the output with the ids of their examples first."""
        start = 0
        for part in parts:
            stop = start + len(next(iter(part.values())))
            yield part if self.values is None else {self.name: self.values[start:stop], **part}
            start = stop


def ids_of(run: Run, split: AnySplit, id: str | None = None) -> Ids:
    """Returns what identifies examples, from the column `id`, or that of the run."""
    values = split.ids if isinstance(split, Split) else None
    if values is not None and values.dtype == object:
        values = values.astype(str)
    return Ids(id or run.config.data.id, values)


def labels_as(labels: np.ndarray, split: AnySplit, path: Path) -> np.ndarray:
    """Returns labels for a file: the names of their classes in a table, empty if unknown, or numbers."""
    if path.suffix.lower() == ".npz" or split.class_names is None:
        return labels
    return np.asarray([*split.class_names, ""])[labels]
