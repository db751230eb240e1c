"""The splits of one data set, and the one function that makes them from arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfvae.data.any_split import AnySplit
from tfvae.data.classes import class_numbers
from tfvae.data.conditions import Conditions, clean_conditions
from tfvae.data.contents import clean_arrays, clean_labels
from tfvae.data.errors import DataError
from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.split import Split
from tfvae.tables.schema import Schema


@dataclass(frozen=True, eq=False)
class Splits:
    """The splits of one data set, as `load` returns them.

    Args:
        name: The name of the data set.
        train: The training split.
        validation: The validation split, or None.
        test: The test split, or None.

    Raises:
        DataError: If the splits differ in event shape or number of levels.
    """

    name: str
    train: AnySplit
    validation: AnySplit | None = None
    test: AnySplit | None = None

    def __post_init__(self) -> None:
        for other in self.all.values():
            if (other.event_shape, other.num_levels) != (self.event_shape, self.num_levels):
                raise DataError(
                    f"The splits of {self.name} do not belong together. Expected one event shape and one number of "
                    f"levels. Received: {self.train!r} and {other!r}"
                )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one example, the same in every split."""
        return self.train.event_shape

    @property
    def num_levels(self) -> int | None:
        """Levels of every split, None for floats."""
        return self.train.num_levels

    @property
    def all(self) -> dict[str, AnySplit]:
        """The splits that there are, by name."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}

    @property
    def schema(self) -> Schema | None:
        """What the columns are, for the rows of a table, or None."""
        return self.train.schema

    def in_memory(self, what: str) -> dict[str, Split | SparseSplit]:
        """Returns the splits that there are, by name, for something that only splits in memory have.

        Raises:
            DataError: If a split is in shards.
        """
        found = {}
        for name, split in self.all.items():
            if isinstance(split, ShardedSplit):
                raise DataError(
                    f"{split.name} is read from shards, which have no {what.removeprefix('a ')}. Load the data from an "
                    ".npz file, or leave it out."
                )
            found[name] = split
        return found


def make_splits(
    name: str,
    arrays: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    source: str,
    conditions: Mapping[str, np.ndarray] | None = None,
    observed: Mapping[str, np.ndarray] | None = None,
    class_names: Sequence[str] | None = None,
) -> Splits:
    """Makes splits of arrays, labels, conditions and masks with the keys "train", "validation" and "test".

    Only "train" is required. Labels that are text become class numbers, and the classes of others may have names.

    Raises:
        DataError: If the contents cannot be used.
    """
    cleaned, num_levels = clean_arrays(arrays, source)
    labels, found_names = class_numbers(labels)
    found = Conditions({}) if conditions is None else clean_conditions(conditions, source)
    return Splits(
        name,
        **{
            key: Split(
                array,
                clean_labels(labels[key], len(array), f"{source} ({key})") if key in labels else None,
                num_levels,
                f"{name}/{key}",
                channel_added=num_levels is None and arrays[key].ndim == 3,
                condition=found.values.get(key),
                observed=observed[key].reshape(array.shape) if observed else None,
                class_names=found_names or (tuple(class_names) if class_names else None),
                condition_names=found.names,
            )
            for key, array in cleaned.items()
        },
    )
