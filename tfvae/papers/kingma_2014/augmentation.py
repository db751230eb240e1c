"""Images that are turned, shifted and scaled at random."""

import keras
import numpy as np

from tfvae.data import Split

ROTATION, SHIFT, ZOOM = 0.05, 0.1, 0.2  # the largest, as shares of a turn, of the side and of the size
_BATCH_SIZE = 1_000


def augmentation(seed: int | None = None) -> keras.Sequential:
    """Builds the layers that change images at random, and leave them as they are if `training=False`."""
    seeds = [None] * 3 if seed is None else [3 * seed + i for i in range(3)]
    outside = {"fill_mode": "constant", "fill_value": 0.0}
    return keras.Sequential(
        [
            keras.layers.RandomRotation(ROTATION, seed=seeds[0], **outside),
            keras.layers.RandomTranslation(SHIFT, SHIFT, seed=seeds[1], **outside),
            keras.layers.RandomZoom(ZOOM, ZOOM, seed=seeds[2], **outside),
        ],
        name="augmentation",
    )


def augmented(split: Split, num_draws: int, seed: int) -> Split:
    """Returns every labelled image `num_draws` times: as it is, and then changed at random."""
    known = np.flatnonzero(np.asarray(split.labels) >= 0)
    few = split.rows(np.tile(known, num_draws))
    x, layers = few.x.copy(), augmentation(seed)
    for start in range(len(known), len(x), _BATCH_SIZE):
        x[start : start + _BATCH_SIZE] = layers(x[start : start + _BATCH_SIZE], training=True)
    return Split(x, few.labels, name=f"augmented {split.name}")


def joined(first: Split, second: Split) -> Split:
    """Returns the examples of both splits, with their labels."""
    labels = np.concatenate([np.asarray(split.labels) for split in (first, second)])
    return Split(np.concatenate([first.x, second.x]), labels, name=f"{first.name} and {second.name}")
