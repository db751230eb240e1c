"""Posterior with a flexible density: a diagonal normal followed by autoregressive transforms."""

from collections.abc import Sequence

import keras

from tfvae._checks import whole_number
from tfvae.flows._masked_autoregressive import start_as_identity
from tfvae.layers import AutoregressiveTransform, MultivariateNormalDiag
from tfvae.networks import AutoregressiveNetwork


def autoregressive_flow(
    event_size: int,
    num_transforms: int = 1,
    hidden_units: Sequence[int] = (64, 64),
    activation: str = "tanh",
    *,
    name: str = "posterior",
) -> list[keras.layers.Layer]:
    """Creates the last layers of an encoder for a posterior that is a normalizing flow.

    Before training, it equals the diagonal normal. The transforms do not depend on x, and alternate between the
    left-to-right and the right-to-left order of the dimensions. A draw takes D passes through the network of each.

    Args:
        event_size: Number of latent dimensions, D.
        num_transforms: Number of transforms, at least 1.
        hidden_units: Number of units of each hidden layer in the network of a transform.
        activation: Activation of the hidden layers.
        name: Name of the last layer.

    Returns:
        The layers, which take `params_size(event_size)` parameters.

    References:
        Papamakarios, Pavlakou & Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv 1705.07057.
    """
    num_transforms = whole_number(num_transforms, "num_transforms")
    layers: list[keras.layers.Layer] = [MultivariateNormalDiag(event_size, name=f"{name}_base")]
    for index in range(num_transforms):
        network = AutoregressiveNetwork(
            params=2,
            event_shape=event_size,
            hidden_units=hidden_units,
            input_order="right-to-left" if index % 2 else "left-to-right",
            activation=activation,
            name=f"transform_{index}",
        )
        network.build((None, event_size))
        start_as_identity(network)
        is_last = index == num_transforms - 1
        layers.append(AutoregressiveTransform(network, name=name if is_last else f"{name}_{index}"))
    return layers


autoregressive_flow.params_size = MultivariateNormalDiag.params_size  # type: ignore[attr-defined]
