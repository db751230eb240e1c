"""The running means that a model reports."""

import keras
import tensorflow as tf

from tfvae.estimators import Estimate
from tfvae.typing import Tensor


class BoundMetrics:
    """`loss`, `elbo`, `log_likelihood` and `kl`, true means over examples: a smaller last batch counts less."""

    def __init__(self) -> None:
        self.means = [keras.metrics.Mean(name=name) for name in ("loss", "elbo", "log_likelihood", "kl")]

    def update(self, estimate: Estimate, loss: Tensor, sample_weight: Tensor | None) -> dict[str, Tensor]:
        """Adds a batch; returns the means so far. `loss` is the batch's, a scalar."""
        loss_mean, *others = self.means
        loss_mean.update_state(loss, sample_weight=tf.shape(estimate.bound)[0])
        for mean, value in zip(others, (estimate.bound, estimate.log_likelihood, estimate.kl), strict=True):
            mean.update_state(value, sample_weight=sample_weight)
        return {mean.name: mean.result() for mean in self.means}
