"""Splits that are cut off from data without splits of their own."""

from pathlib import Path

import numpy as np

from tfvae.data import noise
from tfvae.data.errors import DataError

ALL = ("validation", "test")
"""The splits that data without any are cut into, besides the training split."""


def require_enough(num: int, what: str, splits: tuple[str, ...], path: Path, otherwise: str = "") -> None:
    """Raises DataError if there are too few examples to cut off splits.

    Args:
        num: The number of examples.
        what: What they are, such as "rows".
        splits: The names of the splits to make, which may be none.
        path: The file or folder, for the message.
        otherwise: What else could be given, and what was received.
    """
    if splits and num <= len(splits):
        raise DataError(
            f"{path} has {num} {what}, too few to cut off {' and '.join(splits)}. Expected at least "
            f"{len(splits) + 1}{', or ' if otherwise else '. '}{otherwise or f'Received: {num} {what}'}"
        )


def cut_off(parts: dict[str, dict[str, np.ndarray]], splits: tuple[str, ...], seed: int, path: Path) -> None:
    """Moves a tenth of the shuffled training examples, at least one, into each of `splits`.

    Args:
        parts: The data, labels, conditions and masks, each by split.
        splits: The names of the splits to make.
        seed: The seed of the order.
        path: The file, for messages.
    """
    whole = {name: arrays["train"] for name, arrays in parts.items() if "train" in arrays}
    shape = whole["data"].shape
    for name, array in whole.items():
        if len(np.atleast_1d(array)) != shape[0]:
            raise DataError(
                f"{path} has {name} of shape {array.shape} for data of shape {shape}. Expected one for each example; "
                f"correct the {name} or leave them out."
            )
    for split, rows in rows_of_splits(shape[0], splits, seed).items():
        for name, array in whole.items():
            parts[name][split] = array[rows]


def rows_of_splits(num: int, splits: tuple[str, ...], seed: int) -> dict[str, np.ndarray]:
    """Returns the shuffled indices of the examples of "train" and of each of `splits`, which get a tenth each.

    Args:
        num: The number of examples.
        splits: The names of the splits to make.
        seed: The seed of the order.
    """
    order = noise.permutation(num, seed)
    size = max(1, num // 10)
    found = {}
    for split in reversed(splits):
        order, found[split] = order[:-size], order[-size:]
    return {"train": order, **found}
