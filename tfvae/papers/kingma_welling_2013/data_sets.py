"""Data sets of the paper, preprocessed for its models."""

import dataclasses
import functools
from pathlib import Path
from typing import Literal

from tfvae import data
from tfvae.data import Split
from tfvae.papers.in_memory import in_memory

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
    train, test = in_memory(data.load("mnist"))
    seed = BINARIZATION_SEED
    return DataSet("mnist", train.binarized(seed), test.binarized(seed + 1), "bernoulli", 500)


@functools.cache
def frey_face(data_dir: Path | None = None) -> DataSet:
    """Loads Frey Face: 1,565 training and 200 test images with gray values in [0, 1].

    Args:
        data_dir: Folder of `frey_faces.npz`. None uses `TFVAE_DATA_DIR`.
    """
    return DataSet("frey_face", *in_memory(data.load("frey_face", data_dir=data_dir)), "normal", 200)
