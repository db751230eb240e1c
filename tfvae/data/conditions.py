"""Conditions of examples: what a conditional model is given besides x."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfvae.data.classes import UNKNOWN, class_numbers, listed, with_class_numbers
from tfvae.data.errors import DataError
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.split import Split

LABEL = "label"


class Conditions(NamedTuple):
    """Conditions as a `Split` has them.

    Attributes:
        values: The conditions of each split, float32 (N, *shape).
        names: The names of the classes, if they are one-hot vectors of classes, or None.
    """

    values: Mapping[str, np.ndarray]
    names: tuple[str, ...] | None = None


def clean_conditions(arrays: Mapping[str, np.ndarray], source: str) -> Conditions:
    """Converts the arrays of a file to conditions.

    Integers or text (N,) are classes, and become one-hot vectors. Floats (N,) are single numbers, uint8 images are
    scaled to [0, 1], and other arrays stay as they are.

    Raises:
        DataError: If values are not finite, or a split has a class that the training split lacks.
    """
    numbers, names = class_numbers(arrays)
    if names is not None or all(array.ndim == 1 and array.dtype.kind in "bui" for array in arrays.values()):
        train = numbers["train"]
        classes = np.unique(train[train != UNKNOWN]) if names is not None else np.unique(train)
        names = tuple(str(each) if names is None else names[each] for each in classes)
        found = {}
        for split, values in numbers.items():
            unknown = np.setdiff1d(values, classes)
            if len(unknown):
                raise DataError(
                    f"The conditions in {source} ({split}) have a class that no training example has, or none at all. "
                    f"Leave out the examples. Expected one of {listed(names)}."
                )
            found[split] = one_hot(np.searchsorted(classes, values), len(classes))
        return Conditions(found, names)
    return Conditions({split: _numbers(array, f"{source} ({split})") for split, array in arrays.items()})


def one_hot(numbers: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns one-hot vectors, float32 (N, K)."""
    return np.eye(num_classes, dtype=np.float32)[numbers]


def _numbers(array: np.ndarray, source: str) -> np.ndarray:
    if array.dtype.kind not in "buif" or array.ndim == 0 or not np.isfinite(array).all():
        raise DataError(
            f"The conditions in {source} cannot be used. Expected finite numbers (N, *shape), or classes (N,) as "
            f"integers or text. Received: shape {array.shape}, dtype {array.dtype}"
        )
    if array.ndim == 1:
        return array[:, np.newaxis].astype(np.float32)
    if array.dtype == np.uint8 and array.ndim >= 3:
        array = array.astype(np.float32) / np.float32(255)
        return array[..., np.newaxis] if array.ndim == 3 else array
    return array.astype(np.float32)


def conditioned_on_labels(splits: Mapping[str, Split | SparseSplit]) -> dict[str, Split | SparseSplit]:
    """Makes one-hot conditions of the labels of all splits, whose classes are numbered 0, 1, ...

    Raises:
        DataError: If a label is missing or unknown, or a split has a class that the training split lacks.
    """
    found = {}
    for key, split in with_class_numbers(splits).items():
        if split.labels is None or (split.labels == UNKNOWN).any():
            what = "no labels" if split.labels is None else "labels that are unknown (-1)"
            raise DataError(f"{split.name} has {what}, but a condition on the label needs the label of each example.")
        names = split.class_names or ()
        found[key] = split.with_condition(one_hot(split.labels, len(names)), names)
    return found
