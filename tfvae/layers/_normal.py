"""TFP's normal distributions with noise that is fast under XLA.

TFP lets the device choose the generator of seeded noise. On a CPU this is Philox. However, XLA compiles the unspecified
choice into a program that is twenty times slower than one with an explicit Philox. These classes therefore request
Philox. The draws equal those of TFP's distributions, with and without XLA (which differ from each other).
"""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class Normal(tfp.distributions.Normal):
    """Normal distribution that samples with Philox if it is given a seed `[2]`."""

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        if not tf.is_tensor(seed):  # TensorFlow's stateful generator
            return super()._sample_n(n, seed)
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        noise = tf.random.stateless_normal(shape, tfp.random.sanitize_seed(seed), dtype=self.dtype, alg="philox")
        return noise * self.scale + self.loc


class PhiloxNoise:
    """Mixin for subclasses of `tfd.MultivariateNormalLinearOperator` that uses `Normal` as the noise."""

    @property
    def _distribution(self) -> Distribution:
        return self._noise

    # TFP's constructors set this. They are not overridden, because `tf.function` decomposes distributions by argument.
    @_distribution.setter
    def _distribution(self, sampled: Any) -> None:
        noise = sampled.distribution
        self._noise = tfd.Sample(Normal(noise.loc, noise.scale), sampled.sample_shape)


class MultivariateNormalDiag(PhiloxNoise, tfp.distributions.MultivariateNormalDiag):
    """`tfd.MultivariateNormalDiag` with Philox sampling."""


class MultivariateNormalTriL(PhiloxNoise, tfp.distributions.MultivariateNormalTriL):
    """`tfd.MultivariateNormalTriL` with Philox sampling."""
