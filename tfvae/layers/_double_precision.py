"""Mixin for distributions whose formulas subtract large numbers, with densities in float64."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import public_class
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class DoublePrecision:
    """Mixin for TFP distributions that computes `log_prob` and `entropy` in float64 and rounds the result once.

    The formulas of these classes add logarithms of gamma functions. For a count of one million, each is about ten
    million nats, so their difference in float32 has an error of about one nat.
    """

    def _log_prob(self, value: Tensor, **kwargs: Any) -> Tensor:
        if self.dtype == tf.float64:  # type: ignore[attr-defined]
            return super()._log_prob(value, **kwargs)  # type: ignore[misc]
        log_prob = in_double_precision(self).log_prob(tf.cast(value, tf.float64))
        return tf.cast(log_prob, self.dtype)  # type: ignore[attr-defined]

    def _entropy(self) -> Tensor:
        if self.dtype == tf.float64:  # type: ignore[attr-defined]
            return super()._entropy()  # type: ignore[misc]
        return tf.cast(in_double_precision(self).entropy(), self.dtype)  # type: ignore[attr-defined]


def in_double_precision(distribution: Any) -> Distribution:
    """Returns TFP's own distribution with the same parameters in float64."""
    cls: Any = public_class(type(distribution))
    arguments = {
        name: value
        for name, value in distribution.parameters.items()
        if name not in ("name", "validate_args") and value is not None
    }
    for name in cls.parameter_properties():
        if name in arguments:
            arguments[name] = tf.cast(getattr(distribution, name), tf.float64)  # already in the distribution's dtype
    return cls(**arguments)


def _kl(a: Distribution, b: Distribution, name: str | None = None) -> Tensor:
    with tf.name_scope(name or "kl_in_double_precision"):
        return tf.cast(tfd.kl_divergence(in_double_precision(a), in_double_precision(b)), a.dtype)


def register_kl(ours: Any) -> None:
    """Registers KL(a || b) in float64 for our class, against itself and against TFP's class of the same name."""
    theirs = public_class(ours)
    for pair in ((ours, ours), (ours, theirs), (theirs, ours)):
        tfd.RegisterKL(*pair)(_kl)
