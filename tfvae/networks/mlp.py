"""Fully connected network of the paper."""

from collections.abc import Sequence

import keras

from tfvae.networks._checks import positive_size, positive_sizes


def mlp(
    output_size: int, hidden: Sequence[int] = (500,), activation: str = "tanh", *, name: str | None = None
) -> keras.Sequential:
    """Creates a fully connected network for an encoder or a decoder (Kingma & Welling 2013, appendix C).

    Args:
        output_size: Number of outputs, `params_size(...)` of the next distribution layer.
        hidden: Number of units of each hidden layer. The paper uses one layer of 500 (MNIST) or 200 (Frey Face) units.
        activation: Activation of the hidden layers.
        name: Name of the model.

    Returns:
        A model from `[B, *event]`, which it flattens, to `[B, output_size]`.

    Raises:
        ValueError: If a size is below 1.
    """
    hidden = positive_sizes(hidden, "hidden")
    output_size = positive_size(output_size, "output_size")
    layers = [keras.layers.Dense(size, activation=activation) for size in hidden]
    return keras.Sequential([keras.layers.Flatten(), *layers, keras.layers.Dense(output_size)], name=name)
