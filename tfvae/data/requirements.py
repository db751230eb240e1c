"""What batches ask of a split, and of their arguments."""

import operator
from typing import Literal, TypeAlias

import numpy as np

from tfvae._errors import quoted
from tfvae.data.errors import DataError
from tfvae.data.split_like import SplitLike, require_levels, require_unit_interval

Draw: TypeAlias = Literal["bernoulli", "dequantize"]


def choose_draw(split: SplitLike, binarize: str | None, dequantize: bool, labels: bool) -> Draw | None:
    """Returns the noise that every pass draws, after checking that the split allows what was asked for.

    Raises:
        ValueError: If arguments exclude each other.
        DataError: If the data do not allow it.
    """
    if binarize not in (None, "dynamic", "static"):
        raise ValueError(f"binarize must be None, 'dynamic' or 'static'. Received: binarize={binarize!r}")
    if binarize and dequantize:
        raise ValueError(
            "binarize and dequantize exclude each other: one makes zeros and ones, the other spreads levels out. "
            f"Choose one of them. Received: binarize={binarize!r}, dequantize=True"
        )
    if labels and not split.has_labels:
        raise DataError(f"{split.name} has no labels. Use labels=False, or load data that have them.")
    if binarize:
        require_unit_interval(split)
    if dequantize:
        require_levels(split)
        return "dequantize"
    return "bernoulli" if binarize == "dynamic" and not split.is_binary else None


def checked_num_labelled(
    split: SplitLike, num_labelled: int, batch_size: int, shuffle: bool, labels: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of the examples with a label, and of those without.

    Raises:
        ValueError: If the number leaves no room for other examples, or batches are not shuffled or have no labels.
        DataError: If all examples have a label, or none has one.
    """
    if not shuffle or not labels:
        raise ValueError(
            "num_labelled requires shuffle=True and labels=True. "
            f"Received: num_labelled={num_labelled!r}, shuffle={shuffle}, labels={labels}"
        )
    if not 1 <= operator.index(num_labelled) < batch_size:
        raise ValueError(
            f"num_labelled must be an integer from 1 to {batch_size - 1}, less than the batch size. "
            f"Received: num_labelled={num_labelled!r}"
        )
    is_known = np.asarray(split.labels) >= 0
    if is_known.all() or not is_known.any():
        how_many = "all" if is_known.any() else "none"
        raise DataError(
            f"num_labelled is for data of which some examples have a label, and others the label -1, but {how_many} of "
            f"{split.name} have one. Use num_labelled=None. Received: num_labelled={num_labelled}"
        )
    return np.flatnonzero(is_known), np.flatnonzero(~is_known)


def checked_batch_size(batch_size: int, num_examples: int, drop_remainder: bool, name: str) -> int:
    """Returns the batch size as an int, at most the number of examples.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it leaves no batch.
    """
    try:
        size = operator.index(batch_size)
    except TypeError:
        raise TypeError(f"batch_size must be an integer. Received: batch_size={batch_size!r}") from None
    if size < 1:
        raise ValueError(f"batch_size must be at least 1. Received: batch_size={quoted(size)}")
    if drop_remainder and size > num_examples:
        raise ValueError(
            f"drop_remainder=True leaves no batch: {name} has {num_examples} examples. Use a batch_size of at "
            f"most that, or drop_remainder=False. Received: batch_size={quoted(size)}"
        )
    return min(size, num_examples)


def count_batches(num_examples: int, batch_size: int, drop_remainder: bool) -> int:
    """Returns the number of batches in a pass."""
    return num_examples // batch_size if drop_remainder else -(-num_examples // batch_size)
