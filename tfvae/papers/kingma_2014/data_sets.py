"""MNIST with a few labels."""

import functools

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
