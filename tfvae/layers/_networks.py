"""Functions that inspect an encoder or decoder: its distribution layer and the KL term it adds."""

from collections.abc import Iterator
from typing import Any

import keras

from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.layers.kl_divergence_add_loss import KLDivergenceAddLoss
from tfvae.layers.kl_divergence_regularizer import KLDivergenceRegularizer

_EXAMPLE = {
    "encoder": "MultivariateNormalDiag(latent_size)",
    "decoder": "IndependentBernoulli(event_shape)",
    "conditional": "MultivariateNormalDiag(size)",
}


def example_layer(role: str) -> str:
    """Returns the name of a distribution layer for an "encoder", a "decoder" or a "conditional", for error messages."""
    return f"tfvae.layers.{_EXAMPLE[role]}"


def output_layer(network: keras.layers.Layer, role: str) -> DistributionLayer | None:
    """Returns the distribution layer at the end of a network, or None for a subclassed model.

    Raises:
        TypeError: If the network ends in another layer.
    """
    layer = network
    while isinstance(layer, keras.Sequential) or is_functional(layer):
        inner = layer.layers[-1] if isinstance(layer, keras.Sequential) and layer.layers else _producer(layer)
        if inner is None or inner is layer:
            break
        layer = inner
    if isinstance(layer, DistributionLayer):
        return layer
    if isinstance(layer, keras.Model) and type(layer) not in (keras.Model, keras.Sequential):
        return None
    raise TypeError(
        f"The {role} must end in a distribution layer, such as {example_layer(role)}. "
        f"Received: {role} '{getattr(network, 'name', network)}', whose last layer is {layer!r}"
    )


def is_functional(layer: Any) -> bool:
    """Whether a layer is a functional model."""
    return isinstance(layer, keras.Model) and not isinstance(layer, keras.Sequential) and bool(_outputs(layer))


def input_names(layer: Any) -> list[str]:
    """The names of a functional model's inputs, where they are a dictionary; otherwise none."""
    inputs = layer.input if is_functional(layer) else None
    return list(inputs) if isinstance(inputs, dict) else []


def _outputs(model: keras.Model) -> list[Any]:
    return getattr(model, "outputs", None) or []


def _producer(model: keras.Model) -> Any:
    outputs = _outputs(model)
    return outputs[0]._keras_history.operation if outputs else None


def find_kl_term(network: keras.layers.Layer) -> tuple[keras.layers.Layer, Any] | None:
    """Returns the first layer of a network that adds a KL term to the loss, and that term; None if there is none."""
    for layer in sublayers(network):
        regularizer = getattr(layer, "distribution_regularizer", None)
        if isinstance(layer, KLDivergenceAddLoss):
            return layer, layer
        if isinstance(regularizer, KLDivergenceRegularizer):
            return layer, regularizer
    return None


def sublayers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yields the layer and all of its sublayers."""
    yield layer
    for inner in getattr(layer, "_layers", []):
        yield from sublayers(inner)
