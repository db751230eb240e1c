"""Classes: labels that are text, labels whose numbers have gaps, and the few labels of semi-supervised learning."""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from tfvae._errors import quoted
from tfvae.data.errors import DataError
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.split import Split

UNKNOWN = -1
SplitT = TypeVar("SplitT", bound=Split | SparseSplit)
_MOST_LISTED = 20


def class_numbers(labels: Mapping[str, np.ndarray]) -> tuple[Mapping[str, np.ndarray], tuple[str, ...] | None]:
    """Numbers the classes of labels that are text, in alphabetical order over all splits.

    Args:
        labels: The labels of each split. An empty text is an unknown label.

    Returns:
        Labels as int64, -1 if unknown, and the names of the classes. Other labels are returned unchanged, with None.
    """
    if not labels or not all(array.dtype.kind in "US" for array in labels.values()):
        return labels, None
    texts = {split: np.char.strip(_decoded(array)) for split, array in labels.items()}
    names = np.unique(np.concatenate([text.ravel() for text in texts.values()]))
    names = names[names != ""]
    found = {
        split: np.where(text == "", UNKNOWN, np.searchsorted(names, text)).astype(np.int64)
        for split, text in texts.items()
    }
    return found, tuple(map(str, names))


def _decoded(array: np.ndarray) -> np.ndarray:
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


def with_class_numbers(splits: Mapping[str, SplitT]) -> dict[str, SplitT]:
    """Numbers the classes of the training labels 0, 1, ... without gaps, the same in all splits, and names them.

    Raises:
        DataError: If there are no labels, or another split has a class that the training split lacks.
    """
    train = splits["train"]
    if train.labels is None:
        raise DataError(f"{train.name} has no labels. Load data that have them, such as an .npz with y_train.")
    classes = np.unique(train.labels[train.labels != UNKNOWN])
    if not len(classes):
        raise DataError(f"All labels of {train.name} are unknown (-1). Expected at least one label that is known.")
    names = tuple(str(number) if train.class_names is None else train.class_names[number] for number in classes)
    found = {}
    for key, split in splits.items():
        labels = None if split.labels is None else _renumbered(split, classes, names)
        found[key] = dataclasses.replace(split, labels=labels, class_names=names)
    return found


def _renumbered(split: Split | SparseSplit, classes: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    labels = np.asarray(split.labels)
    unknown = np.setdiff1d(labels, [*classes, UNKNOWN])
    if len(unknown):
        name = unknown[0] if split.class_names is None else split.class_names[unknown[0]]
        raise DataError(
            f"{split.name} has a class that no training example has. Leave out its examples. Expected one of "
            f"{listed(names)}. Received: the class {quoted(str(name))}"
        )
    return np.where(labels == UNKNOWN, UNKNOWN, np.searchsorted(classes, labels))


def class_of(name: str, names: tuple[str, ...], what: str) -> int:
    """Returns the number of a class.

    Raises:
        DataError: If no class has this name. The message lists those that there are.
    """
    if name in names:
        return names.index(name)
    raise DataError(
        f"{what} must be one of the classes of the training data, {listed(names)}. Received: {quoted(name)}"
    )


def numbers_of(split: Split | SparseSplit, names: tuple[str, ...]) -> np.ndarray:
    """Returns the labels of other data as numbers of the classes of the training data, which have names.

    Raises:
        DataError: If there are no labels, or a class that no training example has.
    """
    if split.labels is None:
        raise DataError(f"{split.name} has no labels. Give data that have them, such as an .npz with x and y.")
    found = np.full(len(split.labels), UNKNOWN, np.int64)
    for label in np.unique(split.labels[split.labels != UNKNOWN]):
        name = str(label) if split.class_names is None else split.class_names[label]
        found[split.labels == label] = class_of(name, names, f"A label of {split.name}")
    return found


def listed(names: tuple[str, ...]) -> str:
    """Returns names as a list, shortened if there are many."""
    rest = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def with_few_labels(split: SplitT, num_labels: int, seed: int) -> SplitT:
    """Keeps the labels of some examples, drawn alike from all classes, and makes the others unknown.

    Args:
        split: Examples with labels.
        num_labels: How many to keep. If it is not a multiple of the number of classes, some classes have one more.
        seed: The seed of the draw.

    Raises:
        DataError: If there are fewer labels, or classes without any.
    """
    labels = np.asarray(split.labels)
    known = np.flatnonzero(labels != UNKNOWN)
    num_classes = len(np.unique(labels[known]))
    if not num_classes <= num_labels <= len(known):
        raise DataError(
            f"num_labels must be from {num_classes}, the number of classes of {split.name}, to {len(known)}, the "
            f"number of its labels. Received: num_labels={num_labels}"
        )
    generator = np.random.default_rng(seed)
    order = generator.permutation(known)
    # The k-th example of each class, in random order of the classes for each k.
    rank = np.empty(len(order), np.int64)
    for number in np.unique(labels[order]):
        rows = np.flatnonzero(labels[order] == number)
        rank[rows] = np.arange(len(rows))
    ties = generator.permutation(len(order))
    kept = order[np.lexsort((ties, rank))[:num_labels]]
    few = np.full(len(labels), UNKNOWN, np.int64)
    few[kept] = labels[kept]
    return dataclasses.replace(split, labels=few)
