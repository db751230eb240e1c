"""Outputs of signatures: parameters and moments of distributions, and draws."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


def parameters(posterior: Distribution) -> dict[str, Tensor]:
    """Returns the parameters of the posterior by their names in its family, with the batch axis first."""
    if isinstance(posterior, tfd.MultivariateNormalDiag):
        return {"loc": posterior.mean(), "scale": posterior.stddev()}
    if isinstance(posterior, tfd.MultivariateNormalTriL):
        loc = posterior.mean()  # [B, D]
        shape = tf.concat([tf.shape(loc), tf.shape(loc)[-1:]], axis=0)
        return {"loc": loc, "scale_tril": tf.broadcast_to(posterior.scale.to_dense(), shape)}
    return defined(mean=posterior.mean, stddev=posterior.stddev)


def by_name(z: Any) -> dict[str, Tensor]:
    """Returns latents by name: the parts of z, or "z" for a z of one part."""
    return dict(z) if isinstance(z, Mapping) else {"z": z}


def center(distribution: Distribution, seed: Tensor) -> dict[str, Tensor]:
    """Returns the mean, else the mode if the family defines no mean, else a draw, which is equal in each request."""
    for moments in ({"mean": distribution.mean}, {"mode": distribution.mode}):
        if values := defined(**moments):
            return values
    return {"sample": distribution.sample(seed=seed)}


def mean_and_sample(likelihood: Distribution, seed: Tensor) -> dict[str, Tensor]:
    """Returns the mean, if the family defines it, and a draw."""
    return {**defined(mean=likelihood.mean), "sample": likelihood.sample(seed=seed)}


def defined(**moments: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Returns the moments that the family defines."""
    values = {}
    for name, moment in moments.items():
        try:
            values[name] = moment()
        except NotImplementedError:
            continue
    return values
