"""Prior with a flexible density: a normalizing flow."""

import functools
import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae._serialization import register
from tfvae.flows import Transform, checked_transforms
from tfvae.flows._masked_autoregressive import masked_autoregressive_flow, start_as_identity
from tfvae.flows._network_transform import bounded_log_scale
from tfvae.networks import AutoregressiveNetwork
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


@register
class Flow(Prior):
    """Normalizing flow: a standard normal transformed by learned transforms, masked autoregressive ones by default.

    Before training, it equals the standard normal. The default transforms alternate between the left-to-right and the
    right-to-left order of the latent dimensions. Training needs only `log_prob`, which takes one pass through each
    transform. A sample takes their inverses: D passes through each network for the default. The KL from a posterior
    has no closed form, so `SGVB` estimates it from draws. A flow is continuous, so prefer `MixtureOfGaussians` for
    well-separated clusters.

    Args:
        latent_size: Number of latent dimensions, D.
        num_transforms: Number of transforms.
        hidden_units: Number of units of each hidden layer in the network of a transform.
        activation: Activation of the hidden layers. A smooth activation leads to a smooth density.
        seed: Integer seed of the initial kernels, or of the initial parameters of `transforms`. None draws a random
            seed.
        transforms: Transforms from z to u, layers of `tfvae.flows`, first the one next to z, instead of the default
            ones. Their parameters become weights of the prior.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Raises:
        TypeError: If `transforms` is not a sequence of transforms.
        ValueError: If a size or a number is below 1, or a transform is in the sequence twice.

    Numerics:
        log_scale = 3 tanh(raw / 3), so no transform scales by more than exp(3), and nothing overflows. The output
        layers are initialised to zero, so every transform starts as the identity.

    References:
        Papamakarios, Pavlakou & Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv 1705.07057.
    """

    def __init__(
        self,
        latent_size: int,
        num_transforms: int = 4,
        hidden_units: Sequence[int] = (64, 64),
        activation: Any = "tanh",
        seed: int | None = None,
        transforms: Sequence[Transform] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.latent_size = whole_number(latent_size, "latent_size")
        self.num_transforms = whole_number(num_transforms, "num_transforms")
        self.hidden_units = tuple(whole_number(units, "hidden_units") for units in hidden_units)
        self.activation = keras.activations.get(activation)
        self.seed = seed
        self.transforms = None if transforms is None else checked_transforms(transforms)
        self.networks: list[AutoregressiveNetwork] = []
        if self.transforms is None:
            self.networks = [self._network(index) for index in range(self.num_transforms)]
        else:
            self.parameters_of_transforms = self._parameters(self.transforms)

    def _parameters(self, transforms: Sequence[Transform]) -> list[Any]:
        """Builds the transforms and creates one weight of raw parameters for each that has some."""
        seed = random.randrange(10**9) if self.seed is None else self.seed  # noqa: S311
        rng, weights = np.random.default_rng(seed), []
        for index, transform in enumerate(transforms):
            if not transform.built:  # Keras builds it before it loads a prior
                transform.build((None, self.latent_size))
            start = transform.initial_parameters(self.latent_size, rng)
            if not start.size:
                weights.append(start)
                continue
            weight = self.add_weight(name=f"parameters_{index}", shape=start.shape, initializer="zeros")
            weight.assign(start)
            weights.append(weight)
        return weights

    def _network(self, index: int) -> AutoregressiveNetwork:
        # Each network offsets the seed for each of its kernels, by less than this step.
        seed = None if self.seed is None else self.seed + 2 * index * (len(self.hidden_units) + 1)
        network = AutoregressiveNetwork(
            params=2,
            event_shape=self.latent_size,
            hidden_units=self.hidden_units,
            input_order="right-to-left" if index % 2 else "left-to-right",
            activation=self.activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            trainable=self.trainable,
            dtype=self.dtype_policy,
            name=f"transform_{index}",
        )
        network.build((None, self.latent_size))
        start_as_identity(network)
        return network

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    def distribution(self) -> Distribution:
        dtype = tf.float64 if self.variable_dtype == "float64" else tf.float32
        zeros = tf.zeros([self.latent_size], dtype)
        base = tfd.MultivariateNormalDiag(zeros, tf.ones_like(zeros))
        return tfd.TransformedDistribution(base, self._bijector(dtype), name="prior")

    def _bijector(self, dtype: tf.DType) -> Any:
        """Returns the bijector from u to z."""
        if self.transforms is None:
            shifts_and_scales = [functools.partial(_shift_and_log_scale, network) for network in self.networks]
            return tfp.bijectors.Chain([masked_autoregressive_flow(fn) for fn in shifts_and_scales])
        steps = [
            transform.bijector(tf.convert_to_tensor(weight, dtype))
            for transform, weight in zip(self.transforms, self.parameters_of_transforms, strict=True)
        ]
        return tfp.bijectors.Invert(tfp.bijectors.Chain(steps[::-1]))

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "latent_size": self.latent_size,
            "num_transforms": self.num_transforms,
            "hidden_units": self.hidden_units,
            "activation": keras.activations.serialize(self.activation),
            "seed": self.seed,
        }
        if self.transforms is None:
            return config
        return {**config, "transforms": [keras.saving.serialize_keras_object(one) for one in self.transforms]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Flow":
        if config.get("transforms") is None:
            return cls(**config)
        transforms = [keras.saving.deserialize_keras_object(one) for one in config["transforms"]]
        return cls(**{**config, "transforms": transforms})


def _shift_and_log_scale(network: AutoregressiveNetwork, x: Tensor) -> tuple[Tensor, Tensor]:
    shift, raw = tf.unstack(network(x), num=2, axis=-1)
    return shift, bounded_log_scale(raw)
