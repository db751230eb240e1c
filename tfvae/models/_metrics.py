"""The running means that a model reports."""

from typing import Any

import keras
import tensorflow as tf

from tfvae.estimators import Estimate
from tfvae.typing import Tensor


class ReplicatedMean(keras.metrics.Mean):
    """A mean that under a distribution strategy is the same on all replicas, which add the same numbers to it.

    Keras' own is in parts, whose sum all workers have to ask for at the same time.
    """

    def add_variable(
        self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "none", name: str | None = None
    ) -> keras.Variable:
        variable = keras.Variable(initializer, shape, dtype, trainable=False, aggregation=aggregation, name=name)
        self._tracker.add_to_store("variables", variable)
        return variable


class BoundMetrics:
    """`loss`, `elbo`, `log_likelihood` and `kl`, true means over examples: a smaller last batch counts less.

    Attributes:
        means: the four; Keras resets and reports them.
        outside: the share of batches with values outside the likelihood's support, since `pop_outside`.
    """

    def __init__(self) -> None:
        self.means = [ReplicatedMean(name=name) for name in ("loss", "elbo", "log_likelihood", "kl")]
        self.outside = ReplicatedMean(name="outside")

    def update(
        self, estimate: Estimate, loss: Tensor, sample_weight: Tensor | None, is_outside: Tensor | None
    ) -> dict[str, Tensor]:
        """Adds a batch; returns the means so far. `loss` and `is_outside` are the batch's, scalars."""
        if is_outside is not None:
            self.outside.update_state(is_outside)
        loss_mean, *others = self.means
        loss_mean.update_state(loss, sample_weight=tf.shape(estimate.bound)[0])
        for mean, value in zip(others, (estimate.bound, estimate.log_likelihood, estimate.kl), strict=True):
            mean.update_state(value, sample_weight=sample_weight)
        return {mean.name: mean.result() for mean in self.means}

    def pop_outside(self) -> bool:
        """Whether any batch was outside the support; forgets it."""
        found = bool(self.outside.total > 0)
        if found:
            self.outside.reset_state()
        return found
