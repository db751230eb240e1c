"""MNIST with a few labels."""

import functools

from tfvae import data
from tfvae.data import Split
from tfvae.papers.in_memory import in_memory

NUM_CLASSES = 10


@functools.cache
def mnist() -> tuple[Split, Split]:
    """Loads MNIST: 60,000 training images, of which the paper uses 50,000, and 10,000 test images."""
    return in_memory(data.load("mnist"))
