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

    _distribution: Distribution

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._use_philox()

    def _use_philox(self) -> None:
        """To be called once TFP's constructor is through."""
        noise = self._distribution.distribution
        self._distribution = tfd.Sample(Normal(noise.loc, noise.scale), self._distribution.sample_shape)


class MultivariateNormalDiag(PhiloxNoise, tfp.distributions.MultivariateNormalDiag):
    """`tfd.MultivariateNormalDiag` that draws by Philox."""


class MultivariateNormalTriL(PhiloxNoise, tfp.distributions.MultivariateNormalTriL):
    """`tfd.MultivariateNormalTriL` that draws by Philox."""
