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
    order = noise.permutation(shape[0], seed)
    size = max(1, shape[0] // 10)
    for split in reversed(splits):
        order, chosen = order[:-size], order[-size:]
        for name, array in whole.items():
            parts[name][split] = array[chosen]
    for name, array in whole.items():
        parts[name]["train"] = array[order]
