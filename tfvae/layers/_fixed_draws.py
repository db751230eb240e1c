"""Moments without a closed form, as averages over fixed draws."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor

NUM_PAIRS = 64


class MomentsOfFixedDraws:
    """Mixin for distributions whose `mean`, `stddev` and `variance` are averages over 128 fixed draws."""

    def _fixed_draws(self) -> Tensor:
        """Returns draws `[128, ..., D]`, the same for equal parameters."""
        raise NotImplementedError(f"{type(self).__name__} must define _fixed_draws.")

    def _mean(self) -> Tensor:
        return tf.reduce_mean(self._fixed_draws(), axis=0)

    def _variance(self) -> Tensor:
        return tf.math.reduce_variance(self._fixed_draws(), axis=0)

    def _stddev(self) -> Tensor:
        return tf.sqrt(self._variance())


def opposite_noise(like: Tensor) -> Any:
    """Returns normal noise `[128, ..., D]` for parameters `[..., D]`, with mean zero and variance one per dimension.

    The second half is the negative of the first.
    """
    eps = np.random.default_rng(0).normal(size=(NUM_PAIRS, like.shape[-1]))
    eps = np.concatenate([eps, -eps]) / np.sqrt(np.mean(eps**2, axis=0))
    return tf.constant(eps.reshape(2 * NUM_PAIRS, *([1] * (like.shape.rank - 1)), -1), like.dtype)
