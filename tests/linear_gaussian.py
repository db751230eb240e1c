"""The oracle: a model whose posterior, log p(x), ELBO and gradients are known in closed form.

p(z) = N(0, I_D), p(x|z) = N(W z + b, sigma^2 I), with an asymmetric W and unequal sizes, so that a sign, a transpose
or an axis in the wrong place shows.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class LinearGaussian(NamedTuple):
    """The model's numbers, float64: weights [X, D], bias [X] and the standard deviation of the noise."""

    weights: np.ndarray
    bias: np.ndarray
    sigma: float

    @property
    def latent_size(self) -> int:
        return self.weights.shape[1]

    @property
    def data_size(self) -> int:
        return self.weights.shape[0]

    @property
    def posterior_covariance(self) -> np.ndarray:
        """[D, D], the same for every x."""
        return np.linalg.inv(np.eye(self.latent_size) + self.weights.T @ self.weights / self.sigma**2)

    @property
    def posterior_weights(self) -> np.ndarray:
        """[D, X]: the posterior's mean is `posterior_weights @ (x - bias)`."""
        return self.posterior_covariance @ self.weights.T / self.sigma**2

    def posterior_mean(self, x: np.ndarray) -> np.ndarray:
        return (x - self.bias) @ self.posterior_weights.T

    def log_marginal(self, x: np.ndarray) -> np.ndarray:
        """Log p(x) [B], nats: x ~ N(b, W W^T + sigma^2 I)."""
        covariance = self.weights @ self.weights.T + self.sigma**2 * np.eye(self.data_size)
        difference = x - self.bias
        quadratic = np.einsum("bi,ij,bj->b", difference, np.linalg.inv(covariance), difference)
        return -0.5 * (quadratic + np.linalg.slogdet(covariance)[1] + self.data_size * np.log(2 * np.pi))

    def kl(self, loc: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """KL(N(loc, covariance) || p(z)) [B]."""
        trace = np.trace(covariance, axis1=-2, axis2=-1)
        return 0.5 * (trace + np.sum(loc**2, -1) - self.latent_size - np.linalg.slogdet(covariance)[1])

    def log_likelihood(self, x: np.ndarray, loc: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """E[log p(x|z)] over z ~ N(loc, covariance), [B]."""
        residual = x - self.bias - loc @ self.weights.T
        spread = np.einsum("xd,...de,xe->...", self.weights, covariance, self.weights)
        normaliser = self.data_size * np.log(2 * np.pi * self.sigma**2)
        return -0.5 * ((np.sum(residual**2, -1) + spread) / self.sigma**2 + normaliser)

    def elbo(self, x: np.ndarray, loc: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        return self.log_likelihood(x, loc, covariance) - self.kl(loc, covariance)

    def data(self, num_examples: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        z, noise = rng.normal(size=(num_examples, self.latent_size)), rng.normal(size=(num_examples, self.data_size))
        return z @ self.weights.T + self.bias + self.sigma * noise

    # The same model in TFP --------------------------------------------------------------------------------------

    def prior(self, dtype=tf.float64):
        return tfd.MultivariateNormalDiag(tf.zeros(self.latent_size, dtype), tf.ones(self.latent_size, dtype))

    def generate(self, z):
        """p(x|z), for z [..., D]."""
        mean = tf.linalg.matmul(z, tf.constant(self.weights, z.dtype), transpose_b=True)
        scale = tf.constant(self.sigma, z.dtype, shape=[self.data_size])
        return tfd.MultivariateNormalDiag(mean + tf.constant(self.bias, z.dtype), scale)

    def posterior(self, x, dtype=tf.float64):
        """The exact p(z|x)."""
        tril = np.linalg.cholesky(self.posterior_covariance)
        return tfd.MultivariateNormalTriL(tf.constant(self.posterior_mean(x), dtype), tf.constant(tril, dtype))


def make_linear_gaussian(latent_size: int = 3, data_size: int = 5, sigma: float = 0.7, seed: int = 0) -> LinearGaussian:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(data_size, latent_size)) + np.arange(latent_size) * 0.3
    return LinearGaussian(weights, rng.normal(size=data_size), sigma)
