"""The oracle with a z of two parts that depend on each other, over which prior and posterior are joint distributions.

z_1 = u_1 and z_2 = u_2 + COUPLING u_1, with the oracle's u ~ N(0, I) in two parts: log p(x) is the oracle's.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import make_linear_gaussian

tfd = tfp.distributions

MODEL = make_linear_gaussian(latent_size=5, data_size=4, sigma=0.7)
SIZE = 2  # of the first part
COUPLING = np.random.default_rng(7).normal(size=(5 - SIZE, SIZE))


def _times(matrix, vector):
    return tf.linalg.matvec(tf.constant(matrix, vector.dtype), vector)


def _normal(loc, tril):
    return tfd.MultivariateNormalTriL(loc, tf.cast(tril, loc.dtype))


def prior(dtype=tf.float64):
    """p(z_1) p(z_2|z_1)."""
    return tfd.JointDistributionSequential(
        [
            _normal(tf.zeros(SIZE, dtype), np.eye(SIZE)),
            lambda first: _normal(_times(COUPLING, first), np.eye(5 - SIZE)),
        ]
    )


def posterior(x, scale=1.0):
    """The exact p(z_1|x) p(z_2|z_1, x) for x `[B, X]`, or one whose standard deviations are off by a factor."""
    mean = _times(MODEL.posterior_weights, x - tf.constant(MODEL.bias, x.dtype))  # of u
    covariance = MODEL.posterior_covariance
    gain = covariance[SIZE:, :SIZE] @ np.linalg.inv(covariance[:SIZE, :SIZE])
    rest = covariance[SIZE:, SIZE:] - gain @ covariance[:SIZE, SIZE:]

    def second(first):
        loc = mean[..., SIZE:] + _times(gain, first - mean[..., :SIZE]) + _times(COUPLING, first)
        return _normal(loc, scale * np.linalg.cholesky(rest))

    return tfd.JointDistributionSequential(
        [_normal(mean[..., :SIZE], scale * np.linalg.cholesky(covariance[:SIZE, :SIZE])), second], batch_ndims=1
    )


def generate(z):
    """p(x|z) for the two parts of z."""
    first, second = z
    return MODEL.generate(tf.concat([first, second - _times(COUPLING, first)], axis=-1))
