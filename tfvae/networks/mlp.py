"""The paper's network."""

from collections.abc import Sequence

import keras

from tfvae.networks._checks import positive_sizes


def mlp(
    output_size: int, hidden: Sequence[int] = (500,), activation: str = "tanh", *, name: str | None = None
) -> keras.Sequential:
    """A fully connected network, for an encoder or a decoder (Kingma & Welling 2013, appendix C).

    Args:
        output_size: number of parameters to emit: `params_size(...)` of the distribution layer that follows.
        hidden: units of each hidden layer; the paper has one layer, of 500 (MNIST) or 200 (Frey Face).
        activation: activation of the hidden layers.
        name: name of the model.

    Returns:
        A model from `[B, *event]`, which it flattens, to `[B, output_size]`.

    Raises:
        ValueError: for a size below 1.
    """
    hidden = positive_sizes(hidden, "Hidden sizes")
    (output_size,) = positive_sizes([output_size], "Output sizes")
    layers = [keras.layers.Dense(size, activation=activation) for size in hidden]
    return keras.Sequential([keras.layers.Flatten(), *layers, keras.layers.Dense(output_size)], name=name)
