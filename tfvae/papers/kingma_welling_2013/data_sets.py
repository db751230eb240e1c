"""Data sets of the paper, preprocessed for its models."""

import dataclasses
import functools
from pathlib import Path
from typing import Literal

from tfvae import data
from tfvae.data import Split

BINARIZATION_SEED = 0


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Training and test set of one data set.

    Attributes:
        name: Name for `tfvae.data.load`.
        train: Training set.
        test: Test set.
        likelihood: Likelihood of the decoder.
        hidden: Units of the hidden layers in figure 2.
    """

    name: str
    train: Split
    test: Split
    likelihood: Literal["bernoulli", "normal"]
    hidden: int


@functools.cache
def mnist() -> DataSet:
    """Loads MNIST: 60,000 and 10,000 images, binarised once with the gray values as probabilities."""
    splits = data.load("mnist")
    train, test = _in_memory(splits.train), _in_memory(splits.test)
    seed = BINARIZATION_SEED
    return DataSet("mnist", train.binarized(seed), test.binarized(seed + 1), "bernoulli", 500)


@functools.cache
def frey_face(data_dir: Path | None = None) -> DataSet:
    """Loads Frey Face: 1,565 training and 200 test images with gray values in [0, 1].

    Args:
        data_dir: Folder of `frey_faces.npz`. None uses `TFVAE_DATA_DIR`.
    """
    splits = data.load("frey_face", data_dir=data_dir)
    return DataSet("frey_face", _in_memory(splits.train), _in_memory(splits.test), "normal", 200)


def _in_memory(split: object) -> Split:
    if not isinstance(split, Split):
        raise TypeError(f"The data of the paper must be in memory. Received: split={split!r}")
    return split
