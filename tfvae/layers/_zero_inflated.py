"""Counts that are more often zero than a distribution says."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._same_shape import SameShape
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class ZeroInflated(SameShape):
    """Distribution of counts that are 0 with probability p, and otherwise drawn from another distribution.

    log P(0) = log(p + (1 - p) Q(0)), and log P(x) = log(1 - p) + log Q(x) for other x. In contrast to TFP's `Inflated`,
    whose logits are doubled, p is the sigmoid of the logits, and all gradients are finite.

    Args:
        distribution: Distribution Q of single counts.
        logits: Log odds of p, of the batch shape of the distribution.

    References:
        Lambert, Zero-Inflated Poisson Regression, 1992, equation 1.
    """

    def __init__(self, distribution: Distribution, logits: Tensor):
        self.logits = logits
        super().__init__(distribution, "ZeroInflated", logits=logits)

    @property
    def probs(self) -> Tensor:
        """The probability p."""
        return tf.sigmoid(self.logits)

    def _log_prob(self, x: Tensor) -> Tensor:
        log_prob = self.distribution.log_prob(x) + tf.math.log_sigmoid(-self.logits)
        at_zero = tfp.math.log_add_exp(tf.math.log_sigmoid(self.logits), log_prob)
        # Each branch gets a finite input, because the gradient of an unused one counts too.
        return tf.where(tf.equal(x, 0.0), at_zero, log_prob)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        seed, seed_zero = tfp.random.split_seed(seed, n=2, salt="zero_inflated")
        counts = self.distribution.sample(n, seed=seed)
        is_zero = tfd.Bernoulli(logits=self.logits, dtype=tf.bool).sample(n, seed=seed_zero)
        return tf.where(is_zero, tf.zeros_like(counts), counts)

    def _mean(self) -> Tensor:
        return tf.sigmoid(-self.logits) * self.distribution.mean()

    def _variance(self) -> Tensor:
        mean = self.distribution.mean()
        return tf.sigmoid(-self.logits) * (self.distribution.variance() + self.probs * tf.square(mean))
