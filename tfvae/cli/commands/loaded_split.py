"""Data that commands work on, as loaded: examples, and what identifies them."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from tfvae._errors import quoted
from tfvae.data import Split
from tfvae.data.any_split import AnySplit
from tfvae.data.checks import check_split
from tfvae.training.config import RunConfig
from tfvae.training.load_data import load_data, load_other_data

# Size of a block of draws. Up to this number, the draws are those of `VAE.sample` and `VAE.reconstruct`.
BATCH_SIZE = 500


def loaded_split(
    config: RunConfig,
    data: str | None,
    split_name: str,
    missing: str | None = None,
    *,
    id: str | None = None,
    misfits: Literal["error", "missing"] = "error",
) -> AnySplit:
    """Loads the data that a command works on. The arguments are those of `examples_of`.

    Raises:
        ValueError: If there is no such split, or the data have no such id.
    """
    if data is None:
        if id is not None:
            config = dataclasses.replace(config, data=dataclasses.replace(config.data, id=id))
        split = getattr(load_data(config), check_split(split_name))
        if split is None:
            raise ValueError(f"{config.data.name} has no {split_name!r} split. Choose another with --split.")
    else:
        split = load_other_data(config, data, split_name, missing, id=id, misfits=misfits)
    if id is not None and getattr(split, "ids", None) is None:
        raise ValueError(f"--id must be a column of a table. Received: --id {quoted(id)} for {split.name}")
    return split


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


def ids_of(config: RunConfig, split: AnySplit, id: str | None = None) -> Ids:
    """Returns what identifies examples, from the column `id`, or that of the run."""
    values = split.ids if isinstance(split, Split) else None
    if values is not None and values.dtype == object:
        values = values.astype(str)
    return Ids(id or config.data.id, values)


def labels_as(labels: np.ndarray, split: AnySplit, path: Path) -> np.ndarray:
    """Returns labels for a file: the names of their classes in a table, empty if unknown, or numbers."""
    if path.suffix.lower() == ".npz" or split.class_names is None:
        return labels
    return np.asarray([*split.class_names, ""])[labels]
