"""MNIST with a few labels."""

import dataclasses
import functools

import numpy as np

from tfvae import data
from tfvae.data import Split

NUM_CLASSES = 10


@functools.cache
def mnist() -> tuple[Split, Split]:
    """Loads MNIST: 60,000 training images, of which the paper uses 50,000, and 10,000 test images."""
    splits = data.load("mnist")
    if not (isinstance(splits.train, Split) and isinstance(splits.test, Split)):
        raise TypeError(f"The data of the paper must be in memory. Received: train={splits.train!r}")
    return splits.train, splits.test


def with_few_labels(split: Split, num_labels: int, draw: int) -> Split:
    """Returns the split with the labels of `num_labels` random images, as many of each class, and -1 for the others.

    Args:
        split: Images with labels.
        num_labels: Number of labels to keep, a multiple of the number of classes.
        draw: Number of the draw, which chooses the images.

    Raises:
        ValueError: If the number is not a multiple of the number of classes, or a class has too few images.
    """
    labels = np.asarray(split.labels)
    each, left = divmod(num_labels, NUM_CLASSES)
    counts = np.bincount(labels, minlength=NUM_CLASSES)
    if left or each < 1 or each > counts.min():
        raise ValueError(
            f"The number of labels must be a multiple of {NUM_CLASSES}, at most {NUM_CLASSES * counts.min()}. "
            f"Received: num_labels={num_labels}"
        )
    rng = np.random.default_rng(draw)
    known = np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:each] for k in range(NUM_CLASSES)])
    kept = np.full(len(labels), -1)
    kept[known] = labels[known]
    return dataclasses.replace(split, labels=kept)
