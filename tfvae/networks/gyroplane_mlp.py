"""Fully connected decoder of points of the Poincare ball."""

from collections.abc import Sequence

import keras

from tfvae.networks._checks import positive_size, positive_sizes
from tfvae.networks.gyroplane import Gyroplane


def gyroplane_mlp(
    output_size: int,
    hidden: Sequence[int] = (500,),
    activation: str = "tanh",
    curvature: float = 1.0,
    *,
    name: str | None = None,
) -> keras.Sequential:
    """Creates a fully connected decoder of hyperbolic latents, whose first hidden layer is a `Gyroplane`.

    Args:
        output_size: Number of outputs, `params_size(...)` of the next distribution layer.
        hidden: Number of units of each hidden layer, at least one.
        activation: Activation of the hidden layers.
        curvature: Curvature c of the ball, that of the posterior.
        name: Name of the model.

    Returns:
        A model from points `[B, D]` to `[B, output_size]`.

    Raises:
        ValueError: If a size is below 1, there is no hidden layer, or `curvature` is not above 0.

    References:
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3 (gyroplane layer).
    """
    first, *others = positive_sizes(hidden, "hidden", can_be_empty=False)
    layers = [Gyroplane(first, curvature, activation), *(keras.layers.Dense(size, activation) for size in others)]
    return keras.Sequential([*layers, keras.layers.Dense(positive_size(output_size, "output_size"))], name=name)
