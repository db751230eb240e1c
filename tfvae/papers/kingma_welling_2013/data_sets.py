"""The paper's data, as its models see them."""

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
        name: as `tfvae.data.load` has it.
        train: the training set.
        test: the test set.
        likelihood: of the decoder.
        hidden: units of the hidden layers in figure 2.
    """

    name: str
    train: Split
    test: Split
    likelihood: Literal["bernoulli", "normal"]
    hidden: int


@functools.cache
def mnist() -> DataSet:
    """MNIST: 60,000 and 10,000 images, each pixel drawn once from a Bernoulli of its gray value."""
    splits = data.load("mnist")
    train, test = _in_memory(splits.train), _in_memory(splits.test)
    seed = BINARIZATION_SEED
    return DataSet("mnist", train.binarized(seed), test.binarized(seed + 1), "bernoulli", 500)


@functools.cache
def frey_face(data_dir: Path | None = None) -> DataSet:
    """Frey Face: 1,565 images to train on and 200 to test, gray values in [0, 1].

    Args:
        data_dir: the folder of `frey_faces.npz`; None is that which `TFVAE_DATA_DIR` names.
    """
    splits = data.load("frey_face", data_dir=data_dir)
    return DataSet("frey_face", _in_memory(splits.train), _in_memory(splits.test), "normal", 200)


def _in_memory(split: object) -> Split:
    if not isinstance(split, Split):
        raise TypeError(f"The paper's data are held in memory. Received: {split!r}.")
    return split
