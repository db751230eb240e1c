"""TFP's normal distributions with noise that XLA makes as fast as a graph does.

TFP leaves to the device how seeded noise is generated. That is Philox on a CPU anyway, but XLA compiles the choice left
open into a program that takes twenty times as long as Philox asked for by name. These ask for it: the numbers are those
that TFP's own distributions draw, with XLA and without (the two differ).
"""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class Normal(tfp.distributions.Normal):
    """A normal that draws by Philox, given a seed `[2]`."""

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        if not tf.is_tensor(seed):  # TensorFlow's own stateful generator
            return super()._sample_n(n, seed)
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        noise = tf.random.stateless_normal(shape, tfp.random.sanitize_seed(seed), dtype=self.dtype, alg="philox")
        return noise * self.scale + self.loc


class PhiloxNoise:
    """Comes before a class derived from `tfd.MultivariateNormalLinearOperator`; puts `Normal` in place of its noise."""

    @property
    def _distribution(self) -> Distribution:
        return self._noise

    # TFP's constructors set it. They stay as they are: `tf.function` takes distributions apart by their arguments.
    @_distribution.setter
    def _distribution(self, sampled: Distribution) -> None:
        noise = sampled.distribution
        self._noise = tfd.Sample(Normal(noise.loc, noise.scale), sampled.sample_shape)


class MultivariateNormalDiag(PhiloxNoise, tfp.distributions.MultivariateNormalDiag):
    """`tfd.MultivariateNormalDiag` that draws by Philox."""


class MultivariateNormalTriL(PhiloxNoise, tfp.distributions.MultivariateNormalTriL):
    """`tfd.MultivariateNormalTriL` that draws by Philox."""
