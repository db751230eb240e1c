"""The data set that needs no download: scikit-learn's 1,797 scanned digits of 8x8 pixels."""

import importlib.util
from pathlib import Path

import numpy as np

from tfvae.data import noise
from tfvae.data.sources.source import Request, Source
from tfvae.data.split import Split
from tfvae.data.splits import Splits

NUM_TRAIN = 1437
_FILE = "datasets/data/digits.csv.gz"


def load_digits(request: Request) -> Splits:
    """1,437 training and 360 test digits, (8, 8, 1), 17 levels; always the same shuffle, no validation split."""
    scans, classes = _scans()
    order = noise.permutation(len(scans), seed=0)
    images = scans[order].reshape(-1, 8, 8, 1)
    labels = classes[order]
    return Splits(
        "digits",
        train=Split(images[:NUM_TRAIN], labels[:NUM_TRAIN], 17, "digits/train"),
        test=Split(images[NUM_TRAIN:], labels[NUM_TRAIN:], 17, "digits/test"),
    )


def _scans() -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels `[1797, 64]` and the classes `[1797]`.

    They are read from the file of scikit-learn, because importing scikit-learn takes longer than many commands.
    """
    spec = importlib.util.find_spec("sklearn")
    files = [Path(folder) / _FILE for folder in (spec and spec.submodule_search_locations) or ()]
    if files and files[0].is_file():
        rows = np.loadtxt(files[0], delimiter=",", dtype=np.uint8)  # [1797, 65]
        return rows[:, :-1], rows[:, -1].astype(np.int64)
    from sklearn import datasets

    pixels, classes = datasets.load_digits(return_X_y=True)
    return pixels.astype(np.uint8), classes


DIGITS = Source(load_digits)
