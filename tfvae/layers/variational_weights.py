"""Layer for full variational Bayes, with a posterior over the weights of a network."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae._numerics import floor_raw_scale
from tfvae._seeds import split_seed, stateless_seed
from tfvae._serialization import register
from tfvae.layers._normal import Normal
from tfvae.typing import Distribution, Seed, Tensor


@register
class VariationalWeights(keras.layers.Layer):
    """Wraps a network to learn a posterior q(theta) = N(mu, diag(sigma^2)) over its weights, with a normal prior.

    The prior is N(0, prior_scale^2). If the layer wraps the body of a VAE's decoder, training maximises the bound of
    full variational Bayes on log p(X) / N, with the estimator that has analytic KL terms (equation 24):

        1/M sum_i [log p(x_i|z_i, theta) - KL(q(z|x_i) || p(z))] - KL(q(theta) || p(theta)) / N,

    with theta = mu + sigma * zeta, zeta ~ N(0, I), drawn once per call. The second KL is a penalty on the weights. It
    is added once per step, regardless of the number of calls. The metric `loss` of a VAE contains it, and `elbo` does
    not. The layer works for any network in any model, for example in regression.

    As with dropout, theta is drawn during training, and is mu otherwise. `drawn` evaluates with sampled weights.

    Args:
        network: Keras layer or model whose weights become mu. It must not have weight regularisers.
        num_examples: Number of examples in the training set, N.
        prior_scale: Standard deviation of the prior of every weight.
        initial_scale: Initial value of sigma.
        seed: Integer seed of the draws. None draws a random seed.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: Inputs of the network.

    Returns:
        The output of the network.

    Raises:
        ValueError: If `num_examples` is below 1, a scale is not positive, or the network has weight regularisers.

    Numerics:
        sigma is at least 1e-5.

    Example:
        >>> body = tfvae.networks.mlp(tfvae.layers.IndependentBernoulli.params_size(784), (200,))
        >>> decoder = keras.Sequential([VariationalWeights(body, num_examples=60_000), IndependentBernoulli(784)])

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, appendix F, equations 19 to 24.
    """

    def __init__(
        self,
        network: keras.layers.Layer,
        num_examples: int,
        prior_scale: float = 1.0,
        initial_scale: float = 0.01,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.network = network
        self.num_examples = whole_number(num_examples, "num_examples")
        for name, value in (("prior_scale", prior_scale), ("initial_scale", initial_scale)):
            if not value > 0.0:
                raise ValueError(f"`{name}` must be a positive standard deviation. Received: {name}={value}")
        self.prior_scale, self.initial_scale = float(prior_scale), float(initial_scale)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._means: list[Any] = []
        self._raw_scales: list[Any] = []

    def build(self, input_shape: Any) -> None:
        if not self.network.built:
            self.network.build(input_shape)
        first = float(np.log(np.expm1(self.initial_scale)))  # softplus(first) is the scale
        for mean in self.network.trainable_variables:
            if mean.regularizer is not None:
                raise ValueError(
                    "The weights of the network must not have regularisers, because VariationalWeights gives them the "
                    "prior N(0, prior_scale^2). Remove the regulariser from the network. "
                    f"Received: a weight '{mean.path}' with regularizer={mean.regularizer!r}"
                )
            # KL(N(mu, sigma^2) || N(0, s^2)) is the sum of a function of mu and a function of sigma. As regularisers of
            # these weights, they are added once, regardless of the number of calls.
            mean.regularizer = _MeanKL(self.prior_scale, self.num_examples)
            raw_scale = self.add_weight(
                name=f"{mean.name}_raw_scale",
                shape=mean.shape,
                dtype=mean.dtype,
                initializer=keras.initializers.Constant(first),
                regularizer=_ScaleKL(self.prior_scale, self.num_examples),
                autocast=False,
            )
            self._means.append(mean)
            self._raw_scales.append(raw_scale)
        self.built = True

    def posteriors(self) -> list[Distribution]:
        """Returns q(theta) of each trainable weight of the network, in their order."""
        scales = [_scale(tf.convert_to_tensor(raw_scale)) for raw_scale in self._raw_scales]
        return [
            Normal(tf.cast(tf.convert_to_tensor(mean), scale.dtype), scale)
            for mean, scale in zip(self._means, scales, strict=True)
        ]

    def kl(self) -> Tensor:
        """Computes KL(q(theta) || p(theta)) of all weights together, in nats."""
        prior = [Normal(tf.zeros([], q.dtype), tf.constant(self.prior_scale, q.dtype)) for q in self.posteriors()]
        pairs = zip(self.posteriors(), prior, strict=True)
        return tf.add_n([tf.reduce_sum(tfp.distributions.kl_divergence(q, p)) for q, p in pairs])

    def sample_weights(self, *, seed: Seed = None) -> list[Tensor]:
        """Draws theta ~ q(theta): a value for each trainable weight of the network."""
        posteriors = self.posteriors()
        seeds = split_seed(self.seed_generator if seed is None else seed, len(posteriors), "weights")
        return [q.sample(seed=seed) for q, seed in zip(posteriors, seeds, strict=True)]

    @contextlib.contextmanager
    def drawn(self, *, seed: Seed = None) -> Iterator[None]:
        """Context manager that evaluates the network with sampled weights, and then restores the means."""
        weights, means = self._means, [weight.numpy() for weight in self._means]
        drawn = self.sample_weights(seed=stateless_seed(seed))
        try:
            for weight, value in zip(weights, drawn, strict=True):
                weight.assign(value)
            yield
        finally:
            for weight, value in zip(weights, means, strict=True):
                weight.assign(value)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return self.network(inputs, training=False)
        # The means do not change. Updates that the network itself makes, such as running averages, are applied.
        means = {id(mean) for mean in self._means}
        with keras.StatelessScope(list(zip(self._means, self.sample_weights(), strict=True))) as scope:
            outputs = self.network(inputs, training=True)
        for variable in self.network.variables:
            value = None if id(variable) in means else scope.get_current_value(variable)
            if value is not None:
                variable.assign(value)
        return outputs

    def compute_output_spec(self, inputs: Any, training: bool = False) -> Any:
        return self.network.compute_output_spec(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.network.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "num_examples": self.num_examples,
            "prior_scale": self.prior_scale,
            "initial_scale": self.initial_scale,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "VariationalWeights":
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects=custom_objects)
        return cls(**{**config, "network": network})


class _PartOfKL(keras.regularizers.Regularizer):
    def __init__(self, prior_scale: float, num_examples: int):
        self.prior_scale, self.num_examples = prior_scale, num_examples

    def get_config(self) -> dict[str, Any]:
        return {"prior_scale": self.prior_scale, "num_examples": self.num_examples}


@register
class _MeanKL(_PartOfKL):
    """The part of KL(N(mu, sigma^2) || N(0, s^2)) that depends on mu, divided by N."""

    def __call__(self, x: Tensor) -> Tensor:
        return 0.5 * tf.reduce_sum(tf.square(tf.convert_to_tensor(x) / self.prior_scale)) / self.num_examples


@register
class _ScaleKL(_PartOfKL):
    """The part of KL(N(mu, sigma^2) || N(0, s^2)) that depends on sigma, divided by N."""

    def __call__(self, x: Tensor) -> Tensor:
        ratio = _scale(tf.convert_to_tensor(x)) / self.prior_scale
        return tf.reduce_sum(0.5 * (tf.square(ratio) - 1.0) - tf.math.log(ratio)) / self.num_examples


def _scale(raw_scale: Tensor) -> Tensor:
    return tf.math.softplus(floor_raw_scale(raw_scale))
