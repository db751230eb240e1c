"""Examples as the model of a run takes them, with a fixed draw of their noise."""

import math
from typing import TypeVar

from tfvae.data import Split
from tfvae.data.any_split import AnySplit
from tfvae.data.split_like import SplitLike
from tfvae.training.config import RunConfig
from tfvae.training.likelihoods import is_density_of_levels

# Maximum number of examples, and of their bytes, that are read into memory from a split on disk.
_MAX_IN_MEMORY = 10_000
_MAX_IN_MEMORY_BYTES = 2**28

SplitT = TypeVar("SplitT", bound=SplitLike)


def evaluation_split(config: RunConfig, split: SplitT) -> SplitT:
    """Returns the split with preprocessing and a fixed draw of the noise, which does not depend on the seed of the run.

    The result is binary for a Bernoulli likelihood and dequantized for a normal likelihood, so that log-probabilities
    are valid.
    """
    if dequantizes(config, split):
        return split.dequantized(seed=0)
    return split.binarized(seed=0) if config.data.binarize == "dynamic" else binarized(config, split)


def dequantizes(config: RunConfig, split: SplitLike) -> bool:
    """Whether a density is fitted to data with levels, which requires noise with the width of a level."""
    return is_density_of_levels(config.model.likelihood_kind, split)


def first_in_memory(split: AnySplit, n: int | None = None) -> Split:
    """Returns the first n examples in memory, None for all.

    From a split on disk, or of sparse counts, at most 10,000, fewer if large.
    """
    if isinstance(split, Split):
        return split if n is None else split.take(n)
    most = min(_MAX_IN_MEMORY, max(1, _MAX_IN_MEMORY_BYTES // (4 * math.prod(split.event_shape))))
    return split.take(most if n is None else min(n, most))


def binarized(config: RunConfig, split: SplitT) -> SplitT:
    """Returns the split with the binarisation that is the same in each epoch, if the run has one."""
    if config.data.binarize == "threshold":
        return split.thresholded()
    return split.binarized(seed=0) if config.data.binarize == "static" else split
