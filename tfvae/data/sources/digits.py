"""The data set that needs no download: scikit-learn's 1,797 scanned digits of 8x8 pixels."""

import numpy as np

from tfvae.data import noise
from tfvae.data.sources.source import Request, Source
from tfvae.data.split import Split
from tfvae.data.splits import Splits

NUM_TRAIN = 1437


def load_digits(request: Request) -> Splits:
    """1,437 training and 360 test digits, (8, 8, 1), 17 levels; always the same shuffle, no validation split."""
    from sklearn import datasets

    scans = datasets.load_digits()
    order = noise.permutation(len(scans.images), seed=0)
    images = scans.images[order].astype(np.uint8)[..., np.newaxis]
    labels = scans.target[order]
    return Splits(
        "digits",
        train=Split(images[:NUM_TRAIN], labels[:NUM_TRAIN], 17, "digits/train"),
        test=Split(images[NUM_TRAIN:], labels[NUM_TRAIN:], 17, "digits/test"),
    )


DIGITS = Source(load_digits)
