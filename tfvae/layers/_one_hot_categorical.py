"""One-hot categorical distribution with impossible categories."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor

tfd = tfp.distributions

# At this distance below the largest logit, a probability is 0 even in float64.
_IMPOSSIBLE = 1e4


class OneHotCategorical(tfp.distributions.OneHotCategorical):
    """`tfd.OneHotCategorical` that supports logits of -inf and probabilities of 0, for categories that never occur.

    Numerics:
        TFP multiplies 0 by -inf. Here, a finite logit whose probability rounds to 0 replaces -inf. The log probability
        of an impossible event is -inf, with a gradient of zero. If all logits are finite, results equal TFP's bit for
        bit.
    """

    def _log_prob(self, x: Tensor) -> Tensor:
        logits, is_impossible = _finite_logits(self)
        x = tf.cast(x, logits.dtype)
        log_prob = tfd.OneHotCategorical(logits=logits, dtype=self.dtype).log_prob(x)
        return _minus_infinity_where(tf.reduce_any(is_impossible & (x != 0), axis=-1), log_prob)

    def _entropy(self) -> Tensor:
        return tfd.OneHotCategorical(logits=_finite_logits(self)[0]).entropy()


def _finite_logits(distribution: Any) -> tuple[Tensor, Tensor]:
    """Returns finite logits of the same probabilities, and a mask of the impossible categories."""
    if distribution.logits is None:
        probs = tf.convert_to_tensor(distribution.probs)
        is_impossible = tf.equal(probs, 0)
        logits = tf.math.log(tf.where(is_impossible, tf.ones_like(probs), probs))
    else:
        logits = tf.convert_to_tensor(distribution.logits)
        is_impossible = tf.equal(logits, -math.inf)
    possible = tf.where(is_impossible, logits.dtype.min, logits)
    lowest = tf.stop_gradient(tf.reduce_max(possible, axis=-1, keepdims=True)) - _IMPOSSIBLE
    return tf.where(is_impossible, lowest, logits), is_impossible


def _minus_infinity_where(condition: Tensor, values: Tensor) -> Tensor:
    return tf.where(condition, tf.constant(-math.inf, values.dtype), values)


def _kl(a: Any, b: Any, name: str | None = None) -> Tensor:
    """Computes KL(a || b) with 0 log 0 = 0; it is infinite if a category is possible in a and impossible in b."""
    with tf.name_scope(name or "kl_one_hot_categorical"):
        (logits_a, never_a), (logits_b, never_b) = _finite_logits(a), _finite_logits(b)
        plain_a, plain_b = (tfd.OneHotCategorical(logits=logits) for logits in (logits_a, logits_b))
        kl = tfd.kl_divergence(plain_a, plain_b)
        return -_minus_infinity_where(tf.reduce_any(never_b & ~never_a, axis=-1), -kl)


for _pair in (
    (OneHotCategorical, OneHotCategorical),
    (OneHotCategorical, tfd.OneHotCategorical),
    (tfd.OneHotCategorical, OneHotCategorical),
):
    tfd.RegisterKL(*_pair)(_kl)
