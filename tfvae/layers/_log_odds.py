"""Distributions of the log-odds u = log v - log(1 - v) of beta and Kumaraswamy variables v in (0, 1).

A float32 fraction v rounds to 0 or 1, where densities are zero or infinite. Its log-odds are real numbers, which keep
all precision on both sides.
"""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._kumaraswamy_moments import mean_log, mean_log_complement
from tfvae.layers._log_gamma import sample_log_gamma
from tfvae.layers._log_odds_numerics import complementary_log_log, log_softplus
from tfvae.typing import Tensor

tfd, tfb = tfp.distributions, tfp.bijectors


class _LogOdds(tfp.distributions.Distribution):
    """Base class of distributions of one number, the log-odds of a variable with two concentrations."""

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool = False, name: str | None = None):
        parameters = {"concentration1": concentration1, "concentration0": concentration0}
        dtype = tf.convert_to_tensor(concentration1).dtype
        self.concentration1 = tf.convert_to_tensor(concentration1)
        self.concentration0 = tf.convert_to_tensor(concentration0, dtype)
        super().__init__(
            dtype=dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters={**parameters, "validate_args": validate_args, "name": name},
            name=name or type(self).__name__,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        names = ("concentration1", "concentration0")
        return {name: tfp.util.ParameterProperties(default_constraining_bijector_fn=tfb.Softplus) for name in names}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([], tf.int32)

    def _default_event_space_bijector(self) -> Any:
        return tfb.Identity()


class BetaLogOdds(_LogOdds):
    """Log-odds of a variable v ~ Beta(concentration1, concentration0).

    Draws are the difference of the logarithms of two gamma variables, with implicit gradients.

    Numerics:
        log p(u) = a log v + b log(1 - v) - log B(a, b), which contains the Jacobian v (1 - v) of the log-odds.

    References:
        Figurnov, Mohamed & Mnih, Implicit Reparameterization Gradients, 2018, arXiv 1805.08498.
    """

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        seeds = tfp.random.split_seed(seed, salt="beta_log_odds")
        shape = self.batch_shape_tensor()
        log_gamma1, log_gamma0 = (
            sample_log_gamma(tf.broadcast_to(concentration, shape), n, seed)
            for concentration, seed in zip((self.concentration1, self.concentration0), seeds, strict=True)
        )
        return log_gamma1 - log_gamma0

    def _log_prob(self, u: Tensor) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return -a * tf.nn.softplus(-u) - b * tf.nn.softplus(u) - tfp.math.lbeta(a, b)

    def _mean(self) -> Tensor:
        return tf.math.digamma(self.concentration1) - tf.math.digamma(self.concentration0)

    def _variance(self) -> Tensor:
        one = tf.ones([], self.dtype)
        return tf.math.polygamma(one, self.concentration1) + tf.math.polygamma(one, self.concentration0)

    def _mode(self) -> Tensor:
        return tf.math.log(self.concentration1) - tf.math.log(self.concentration0)

    def _entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        of_both = tf.math.digamma(a + b)
        log_v, log_rest = tf.math.digamma(a) - of_both, tf.math.digamma(b) - of_both
        return tfp.math.lbeta(a, b) - a * log_v - b * log_rest


class KumaraswamyLogOdds(_LogOdds):
    """Log-odds of a variable v ~ Kumaraswamy(a, b), whose density is a b v^(a - 1) (1 - v^a)^(b - 1).

    Numerics:
        1 - v^a = w^(1/b) for a uniform w. With s = -log(w) / b, -log v = -log(1 - exp(-s)) / a. Both this and the step
        from -log v to -log(1 - v) are `complementary_log_log` of a logarithm, so that neither v nor 1 - v is rounded,
        and for large s, log(1 - v) is -s - log a. The density contains the Jacobian v (1 - v) of the log-odds.

    References:
        Kumaraswamy, A generalized probability density function for double-bounded random processes, 1980.
        Nalisnick & Smyth, Stick-Breaking Variational Autoencoders, 2017, arXiv 1605.06197, equation 6.
    """

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        seed = tfp.random.sanitize_seed(seed, salt="kumaraswamy_log_odds")
        w = tf.random.stateless_uniform(shape, seed, dtype=self.dtype, alg="philox")
        # The middles of the intervals that round to w, so that neither 0 nor 1 is drawn.
        w += tf.constant(2.0**-24 if self.dtype == tf.float32 else 2.0**-53, self.dtype)
        log_s = tf.math.log(-tf.math.log(w)) - tf.math.log(self.concentration0)
        log_of_minus_log_v = complementary_log_log(log_s) - tf.math.log(self.concentration1)
        return tf.exp(complementary_log_log(log_of_minus_log_v)) - tf.exp(log_of_minus_log_v)

    def _log_prob(self, u: Tensor) -> Tensor:
        a, b = self.concentration1, self.concentration0
        log_a, log_b = tf.math.log(a), tf.math.log(b)
        log_complement = -tf.exp(complementary_log_log(log_a + log_softplus(-u)))  # log(1 - v^a)
        return log_a + log_b - a * tf.nn.softplus(-u) - tf.nn.softplus(u) + (b - 1.0) * log_complement

    def _mean(self) -> Tensor:
        log_v, log_rest = self._mean_logs()
        return log_v - log_rest

    def _entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        log_v, log_rest = self._mean_logs()
        return 1.0 - 1.0 / b - tf.math.log(a) - tf.math.log(b) - a * log_v - log_rest

    def _mean_logs(self) -> tuple[Tensor, Tensor]:
        """Returns E[log v] and E[log(1 - v)]."""
        shape = self.batch_shape_tensor()
        a, b = (tf.broadcast_to(each, shape) for each in (self.concentration1, self.concentration0))
        return mean_log(a, b), mean_log_complement(a, b, self.dtype)
